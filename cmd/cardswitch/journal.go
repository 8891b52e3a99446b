package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cardswitch/switch/admin"
)

func newJournalCommand() *cobra.Command {
	return group("journal", "Read what happened",
		newJournalTailCommand(), newJournalShowCommand(), newJournalExplainCommand(),
		newJournalVerifyCommand())
}

func newJournalTailCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "tail",
		Short: "Show the newest records, and with -f those to come",
		Long: "Shows one line a record, each with its sequence number. A reader that is too\n" +
			"slow for the switch is cut off; tail then goes on by itself from where it was,\n" +
			"and --from does so after an interruption. Nothing is skipped.",
		Example: "  cardswitch journal tail -f --center hq-aoyama --declined\n" +
			"  cardswitch journal tail --from 1 --mti 14 -o json | jq .rrn",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return tail(command) },
	}
	flags := command.Flags()
	flags.BoolP("follow", "f", false, "go on with records to come")
	flags.Uint64("from", 0, "sequence number to begin with")
	flags.IntP("last", "n", 20, "how many records back to begin")
	flags.String("center", "", "only of this center")
	flags.String("link", "", "only over this link")
	flags.String("mti", "", "only MTIs that begin so: 1200, 14")
	flags.String("action", "", "only action codes that begin so: 911, 1")
	flags.String("kind", "", "only this kind: opened, closed, settled, late, event, ...")
	flags.Uint64("min", 0, "only amounts of at least this")
	flags.Uint64("max", 0, "only amounts of at most this")
	flags.String("last4", "", "only cards that end so")
	flags.String("rrn", "", "only this retrieval reference number, DE 37")
	flags.Bool("declined", false, "only what was declined or refused")
	completeFlag(command, "center", completeCenters())
	completeFlag(command, "kind", completeKinds())
	return command
}

// tailQuery turns the flags that were given into the API's words.
func tailQuery(command *cobra.Command) url.Values {
	query := url.Values{}
	flags := command.Flags()
	names := []string{"from", "last", "center", "link", "mti", "action", "kind", "min", "max",
		"last4", "rrn"}
	for _, name := range names {
		if flag := flags.Lookup(name); flag.Changed {
			query.Set(name, flag.Value.String())
		}
	}
	for _, name := range []string{"follow", "declined"} {
		if on, _ := flags.GetBool(name); on {
			query.Set(name, "1")
		}
	}
	return query
}

// tail reads on from the number after the last line whenever the switch cuts it off for slowness.
func tail(command *cobra.Command) error {
	c, err := newClient(command)
	if err != nil {
		return err
	}
	query := tailQuery(command)
	begins := func(kind string) bool { return strings.HasPrefix(kind, query.Get("kind")) }
	if !slices.ContainsFunc(recordKinds(), begins) {
		return wrongUsage(fmt.Sprintf("no record is of kind %q", query.Get("kind")),
			"one of: "+strings.Join(recordKinds(), ", "))
	}
	printer := newTailPrinter(command)
	for {
		cut, err := c.tailOnce(command.Context(), query, printer)
		if err == nil && cut == nil && query.Has("follow") && command.Context().Err() == nil {
			return &failure{Code: exitUnreachable, What: errors.New("the switch has ended"),
				Hint: fmt.Sprintf("go on with --from %d when it is back", printer.seq+1)}
		}
		if err != nil || cut == nil {
			return err
		}
		if cut.Resume == 0 {
			return failed(errors.New(cut.Error), "see the switch's log")
		}
		fmt.Fprintf(command.ErrOrStderr(), "cardswitch: %s; going on from record %d\n",
			cut.Error, cut.Resume)
		query.Set("from", strconv.FormatUint(cut.Resume, 10))
	}
}

// tailOnce prints lines until the switch has no more. A reader that was cut off gets why.
func (c *client) tailOnce(ctx context.Context, query url.Values,
	printer *tailPrinter) (*admin.Cut, error) {
	response, err := c.send(ctx, http.MethodGet, "/v1/journal", query, nil)
	if err != nil {
		return nil, quiet(ctx, err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			admin.Line
			admin.Cut
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("the switch's answer can't be read: %w", err)
		}
		if line.Error != "" {
			return &line.Cut, nil
		}
		if err := printer.print(lines.Bytes(), &line.Line); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, quiet(ctx, c.unreachable(err))
	}
	return nil, nil
}

// quiet makes Ctrl-C the ordinary end of following.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// tailPrinter prints lines as they come, so its columns have fixed widths.
type tailPrinter struct {
	out   io.Writer
	json  bool
	begun bool
	seq   uint64 // of the last line
}

func newTailPrinter(command *cobra.Command) *tailPrinter {
	return &tailPrinter{out: command.OutOrStdout(), json: wantsJSON(command)}
}

const tailFormat = "%-9v %-12s %-10s %-4s %-33s %-6s %-12s %12s %-19s %-3s %8s %s\n"

func (p *tailPrinter) print(raw []byte, l *admin.Line) error {
	p.seq = l.Seq
	if p.json {
		_, err := fmt.Fprintf(p.out, "%s\n", raw)
		return err
	}
	if !p.begun {
		p.begun = true
		_, err := fmt.Fprintf(p.out, tailFormat, "SEQ", "TIME", "KIND", "MTI", "FROM>TO", "STAN",
			"RRN", "AMOUNT", "CARD", "ACT", "TOOK", "WHY")
		if err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(p.out, tailFormat, l.Seq, l.At.Format("15:04:05.000"), l.Kind,
		dash(l.MTI), way(l), dash(l.STAN), dash(l.RRN), amount(l), dash(l.PAN), dash(l.Action),
		took(l.US), why(l))
	return err
}

func way(l *admin.Line) string {
	from, to := l.Center, l.Dest
	if l.Link != "" {
		from += "/" + l.Link
	}
	if l.DestLink != "" {
		to += "/" + l.DestLink
	}
	switch {
	case to == "":
		return dash(from)
	case from == "": // our own
		return to
	}
	return from + ">" + to
}

func amount(l *admin.Line) string {
	if l.Amount == 0 {
		return "-"
	}
	return strconv.FormatUint(l.Amount, 10)
}

func took(us int64) string {
	if us == 0 {
		return "-"
	}
	if us < 100_000 {
		return fmt.Sprintf("%dus", us)
	}
	return fmt.Sprintf("%dms", us/1000)
}

func why(l *admin.Line) string {
	if l.Text != "" {
		return l.Text
	}
	return dash(l.ReasonText)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
