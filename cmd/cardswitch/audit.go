package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"cardswitch/store/audit"
	"cardswitch/switch/admin"
	"cardswitch/switch/evidence"
)

func newAuditCommand() *cobra.Command {
	return group("audit", "Read and check the log of what people did, and of keys",
		newAuditListCommand(), newAuditVerifyCommand(), newAuditExportKeyCommand())
}

func newAuditListCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "list",
		Short: "Show records of the audit log, the newest last",
		Long: "Asks the switch, which records that it was asked; with --dir it reads a log's folder,\n" +
			"such as a copy, without a switch.",
		Example: "  cardswitch audit list --event card.revealed --since 2026-11-01T00:00:00Z -o json",
		Args:    cobra.NoArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return listAudit(command) },
	}
	flags := command.Flags()
	flags.String("dir", "", "folder of a log, instead of a running switch")
	flags.String("actor", "", "only what this person or center did")
	flags.StringSlice("event", nil, "only events of this name; may be given more than once")
	flags.String("object", "", "only records whose object has this text")
	flags.String("since", "", "only from this time on, as 2026-11-01T00:00:00Z")
	flags.String("until", "", "only before this time")
	flags.Int("limit", 1000, "the newest so many")
	completeFlag(command, "event", fixed(eventNames()...))
	return command
}

func eventNames() []string {
	var names []string
	for _, e := range audit.Events() {
		names = append(names, e.String())
	}
	return names
}

func listAudit(command *cobra.Command) error {
	flags := command.Flags()
	query := url.Values{}
	for _, name := range []string{"actor", "object", "since", "until"} {
		if text, _ := flags.GetString(name); text != "" {
			query.Set(name, text)
		}
	}
	query["event"], _ = flags.GetStringSlice("event")
	limit, _ := flags.GetInt("limit")
	query.Set("limit", strconv.Itoa(limit))
	dir, _ := flags.GetString("dir")
	if dir == "" {
		return show(command, "/v1/audit", query, printAudit)
	}
	f, err := admin.AuditFilter(query)
	if err != nil {
		return wrongUsage(err.Error(), "see `cardswitch audit list --help`")
	}
	records, err := audit.Read(dir, f)
	if err != nil {
		return err
	}
	lines := make([]admin.AuditLine, 0, len(records))
	for i := range records {
		lines = append(lines, admin.NewAuditLine(&records[i]))
	}
	if wantsJSON(command) {
		return printJSON(command, lines)
	}
	return printAudit(command, lines)
}

func printAudit(command *cobra.Command, lines []admin.AuditLine) error {
	t := newTable(command, "SEQ", "TIME", "WHO", "ROLE", "EVENT", "RESULT", "OBJECT", "WHY")
	for i := range lines {
		l := &lines[i]
		t.row(l.Seq, l.Time.Format(time.RFC3339), l.Actor, l.Role, l.Event, l.Result, l.Object,
			l.Reason)
	}
	return t.flush()
}

func newAuditVerifyCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "verify",
		Short: "Check that the audit log is what was written",
		Long: "Finds records that were changed, put in, taken out or moved, and names the first one.\n" +
			"The switch checks all records while the first key is still on its machine, else those up\n" +
			"to the newest anchor. With --dir a folder is checked without a switch: with --key, the\n" +
			"file of `audit export-key`, or --public. --anchors is a file of anchors kept elsewhere:\n" +
			"with it a log that was cut short or put back is found out. Exits with 3 if it isn't\n" +
			"sound.",
		Example: "  cardswitch audit verify --dir /mnt/copy/audit --copy --key auditor.key",
		Args:    cobra.NoArgs,
		RunE:    func(command *cobra.Command, _ []string) error { return verifyAudit(command) },
	}
	flags := command.Flags()
	flags.String("dir", "", "folder of a log, instead of a running switch")
	flags.String("key", "", "file of the log's first key")
	flags.String("public", "", "file of the log's public key")
	flags.String("anchors", "", "file of anchors that were kept elsewhere")
	flags.Bool("copy", false, "the folder is a copy, without the state of the log")
	return command
}

func verifyAudit(command *cobra.Command) error {
	verdict, err := auditVerdict(command)
	if err != nil {
		return err
	}
	if wantsJSON(command) {
		err = printJSON(command, verdict)
	} else if verdict.Sound {
		_, err = fmt.Fprintln(command.OutOrStdout(), soundAudit(verdict))
	}
	if err == nil && !verdict.Sound {
		return &failure{Code: exitUnhealthy, What: errors.New(verdict.Error),
			Hint: "keep the folder as it is, and call the auditor"}
	}
	return err
}

func soundAudit(v *admin.AuditVerdict) string {
	text := fmt.Sprintf("the audit log is sound: records %d to %d, proven to %d", v.First, v.Last,
		v.Proven)
	if !v.EndKnown {
		text += "; that none is missing behind them isn't known"
	}
	if !v.WithKey {
		text += "; checked by anchors only, the first key isn't here"
	}
	return text
}

func auditVerdict(command *cobra.Command) (*admin.AuditVerdict, error) {
	flags := command.Flags()
	dir, _ := flags.GetString("dir")
	verdict := new(admin.AuditVerdict)
	if dir == "" {
		c, err := newClient(command)
		if err != nil {
			return nil, err
		}
		return verdict, c.get(command.Context(), "/v1/audit/verify", nil, verdict)
	}
	var check audit.Check
	check.Copy, _ = flags.GetBool("copy")
	key, _ := flags.GetString("key")
	public, _ := flags.GetString("public")
	anchors, _ := flags.GetString("anchors")
	if key == "" && public == "" {
		return nil, wrongUsage("there is nothing to check it against", "add --key or --public")
	}
	if key != "" {
		birth, err := evidence.ReadBirth(key)
		if err != nil {
			return nil, failed(err, "name the file that `cardswitch audit export-key` gave")
		}
		check.Key, check.Public = birth.Key, birth.Public
	}
	if public != "" {
		var err error
		if check.Public, err = evidence.ReadPublic(public); err != nil {
			return nil, failed(err, "name the file with the log's public key")
		}
	}
	if anchors != "" {
		text, err := os.ReadFile(anchors)
		if err != nil {
			return nil, failed(err, "name the file of the kept anchors")
		}
		check.Anchors = bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	}
	report, err := audit.Verify(dir, check)
	if err != nil && !errors.Is(err, audit.ErrTampered) {
		return nil, err
	}
	*verdict = admin.NewAuditVerdict(report, key != "", err)
	return verdict, nil
}

func newAuditExportKeyCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "export-key [--to FILE] [--remove]",
		Short: "Give the auditor the first key of the audit log",
		Long: "Whoever has the first key can check every record, and could forge them all on a\n" +
			"machine where it stays. So bring it away once: --remove wipes it from the switch's\n" +
			"machine. The public key, which checks anchors, may stay.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return exportAuditKey(command) },
	}
	command.Flags().String("to", "", "write the first key to this new file")
	command.Flags().Bool("remove", false, "wipe it from the switch's machine")
	command.Flags().String("why", "", "the reason, kept in the audit log")
	return command
}

func exportAuditKey(command *cobra.Command) error {
	flags := command.Flags()
	remove, _ := flags.GetBool("remove")
	to, _ := flags.GetString("to")
	why, _ := flags.GetString("why")
	if remove && to == "" {
		return wrongUsage("where the key is to go isn't said", "add --to FILE")
	}
	c, err := newClient(command)
	if err != nil {
		return err
	}
	type order struct {
		Remove bool   `json:"remove"`
		Why    string `json:"why"`
	}
	var k admin.AuditKey
	if err := c.post(command.Context(), "/v1/audit/key", order{Why: why}, &k); err != nil {
		return err
	}
	if to != "" && k.FirstKey != "" {
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return failed(err, "name a file that isn't there yet")
		}
		_, err = f.WriteString(k.FirstKey)
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
		k.FirstKey = "in " + to
		// Only now, when it is safe, does it go from there.
		if remove {
			again := admin.AuditKey{}
			err := c.post(command.Context(), "/v1/audit/key", order{Remove: true, Why: why}, &again)
			if err != nil {
				return err
			}
			k.Removed = again.Removed
		}
	}
	if wantsJSON(command) {
		return printJSON(command, k)
	}
	if k.FirstKey == "" {
		k.FirstKey = "no longer on that machine"
	}
	_, err = fmt.Fprintf(command.OutOrStdout(), "public key: %s\nfirst key: %s\n", k.Public,
		k.FirstKey)
	return err
}
