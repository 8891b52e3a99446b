package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	cardswitch "cardswitch/switch"
)

func newNegativeImportCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "import FILE|- --issuer NAME --why TEXT",
		Short: "Replace the regular file of an issuer",
		Long: "Reads a list of cards, CSV or fixed-length text, and puts it in the place of the\n" +
			"issuer's regular file: at once, or at the time of --effective; until then the old one\n" +
			"holds. Nothing is changed unless all of it is good: bad lines are reported by number and\n" +
			"cause, never by what is in them. An import that is interrupted has changed nothing; run\n" +
			"again it begins anew.\n\n" +
			"How lines look, the issuer's negative.layout says, or --layout as JSON:\n" +
			`  {"format":"csv","columns":["pan","reason","until"],"separator":";"}` + "\n" +
			`  {"format":"fixed","fields":{"pan":"2-20","reason":"21-24"},"header":"H","trailer":"T",` +
			"\n   " + `"count":"2-9","sum":"10-25"}` + "\n" +
			"Fields are pan, action, reason, from and until. Without columns the first line names them.",
		Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return importNegative(command, args[0])
		},
	}
	addIssuer(command)
	addWhy(command)
	flags := command.Flags()
	flags.String("effective", "", "when it takes over, as 2026-12-01T00:00:00+09:00 (default: now)")
	flags.Uint64("accept-errors", 0, "leave out up to so many bad lines")
	flags.Bool("accept-empty", false, "a file without a card is meant: it lifts the whole list")
	flags.String("sha256", "", "refuse the file if this isn't its SHA-256")
	flags.String("layout", "", "how its lines look, as JSON")
	flags.Bool("check", false, "say what it would change, and change nothing")
	return command
}

func importNegative(command *cobra.Command, name string) error {
	issuer, err := issuerOf(command)
	if err != nil {
		return err
	}
	query, err := importQuery(command, name)
	if err != nil {
		return err
	}
	c, err := newClient(command)
	if err != nil {
		return err
	}
	from, size := command.InOrStdin(), int64(0)
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return wrongUsage(err.Error(), "name a file that you may read, or - for standard input")
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil {
			size = info.Size()
		}
		from = file
	}
	body := io.NopCloser(from)
	if stderr := command.ErrOrStderr(); isTerminal(stderr) {
		body = &watched{Reader: from, to: stderr, of: size, began: time.Now()}
	}
	report, err := c.importNegative(command, "/v1/negative/"+issuer+"/import?"+query.Encode(), body)
	if err != nil {
		return err
	}
	return printImport(command, report)
}

func importQuery(command *cobra.Command, name string) (url.Values, error) {
	why, err := whyOf(command)
	if err != nil {
		return nil, err
	}
	flags := command.Flags()
	query := url.Values{"why": {why}, "source": {filepath.Base(name)}}
	for flag, key := range map[string]string{"effective": "effective", "sha256": "sha256",
		"layout": "layout", "accept-errors": "accept_errors", "accept-empty": "accept_empty",
		"check": "check"} {
		if flags.Changed(flag) {
			query.Set(key, flags.Lookup(flag).Value.String())
		}
	}
	return query, nil
}

// importNegative sends a file; what the switch says of a file that it refuses is a report, too.
func (c *client) importNegative(command *cobra.Command, path string, body io.ReadCloser) (
	r cardswitch.NegativeReport, err error) {
	request, err := http.NewRequestWithContext(command.Context(), http.MethodPost,
		"http://cardswitch"+path, body)
	if err != nil {
		return r, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return r, c.unreachable(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusConflict {
		return r, problem(response)
	}
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		return r, fmt.Errorf("the switch's answer can't be read: %w", err)
	}
	return r, nil
}

func printImport(command *cobra.Command, r cardswitch.NegativeReport) error {
	var err error
	if wantsJSON(command) {
		err = printJSON(command, r)
	} else {
		err = printImported(command, r)
	}
	if err == nil && r.Error != "" {
		return failed(errors.New(r.Error), r.Hint)
	}
	return err
}

func printImported(command *cobra.Command, r cardswitch.NegativeReport) error {
	for _, f := range r.Faults {
		fmt.Fprintf(command.ErrOrStderr(), "line %d: %s\n", f.Line, f.Cause)
	}
	t := newTable(command)
	t.row("lines", r.Lines)
	t.row("rejected", r.Rejected)
	for _, cause := range slices.Sorted(maps.Keys(r.Causes)) {
		t.row("  "+string(cause), r.Causes[cause])
	}
	if m := r.File; r.Error == "" {
		t.row("cards", m.Cards)
		t.row("added", m.Added)
		t.row("kept", m.Kept)
		t.row("changed", m.Changed)
		t.row("removed", m.Removed)
		t.row("doubles", m.Doubles)
		t.row("sha256", m.SHA256)
		if r.Checked {
			t.row("imported", "no, only checked")
		} else {
			t.row("generation", m.Generation)
			t.row("in force from", instant(m.Effective))
		}
	}
	return t.flush()
}

// watched shows on a terminal how far the reading of a file is.
type watched struct {
	io.Reader
	to    io.Writer
	of    int64 // 0: nobody knows
	n     int64
	began time.Time
	told  time.Time
}

// Read is io.Reader's.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.n += int64(n)
	switch now := time.Now(); {
	case err != nil:
		fmt.Fprintf(w.to, "\r%-70s\n", "read "+megabytes(w.n)+", sorting and writing")
	case now.Sub(w.told) > 200*time.Millisecond:
		w.told = now
		fmt.Fprintf(w.to, "\r%-70s", w.line(now.Sub(w.began)))
	}
	return n, err
}

// Close is io.Closer's.
func (w *watched) Close() error { return nil }

func (w *watched) line(took time.Duration) string {
	rate := float64(w.n) / max(took.Seconds(), 0.001)
	text := fmt.Sprintf("%s at %s/s", megabytes(w.n), megabytes(int64(rate)))
	if w.of < w.n || w.of == 0 || rate == 0 {
		return text
	}
	const width = 20
	full := int(width * w.n / w.of)
	left := time.Duration(float64(w.of-w.n) / rate * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("[%s%s] %3d%% %s, %s left", strings.Repeat("#", full),
		strings.Repeat(".", width-full), 100*w.n/w.of, text, left)
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func newNegativeExportCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "export --issuer NAME --merchant NAME --key-file FILE --why TEXT",
		Short: "Write an issuer's list for a merchant center, without card numbers",
		Long: "Each card is named by the first 16 bytes of HMAC-SHA-256 over its digits, under a key\n" +
			"that is agreed with the merchant center alone (32 bytes in hexadecimal digits; make one\n" +
			"with `openssl rand -hex 32`): the center looks up the card at hand by it, and nobody reads\n" +
			"a card number out of the list. The last line has the number of cards and the SHA-256 of\n" +
			"all lines before; without it the list is cut.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return exportNegative(command) },
	}
	addIssuer(command)
	addWhy(command)
	flags := command.Flags()
	flags.String("merchant", "", "the center that it is for; kept in the audit log")
	completeFlag(command, "merchant", completeCenters())
	flags.String("key-file", "", "the file of the center's key, readable by its owner alone")
	flags.String("to", "", "write it to this new file, not to standard output")
	return command
}

func exportNegative(command *cobra.Command) error {
	issuer, err := issuerOf(command)
	if err != nil {
		return err
	}
	why, err := whyOf(command)
	if err != nil {
		return err
	}
	flags := command.Flags()
	merchant, _ := flags.GetString("merchant")
	if merchant == "" {
		return wrongUsage("--merchant is missing", "say whom the list is for")
	}
	name, _ := flags.GetString("key-file")
	key, err := exportKey(name)
	if err != nil {
		return err
	}
	defer clear(key)
	c, err := newClient(command)
	if err != nil {
		return err
	}
	query := url.Values{"why": {why}, "merchant": {merchant}}
	response, err := c.send(command.Context(), http.MethodPost, "/v1/negative/"+issuer+"/export",
		query, key)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	out := command.OutOrStdout()
	if to, _ := flags.GetString("to"); to != "" {
		file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		out = file
	}
	_, err = io.Copy(out, response.Body)
	return err
}

// exportKey reads a key that nobody else may read.
func exportKey(name string) ([]byte, error) {
	const hint = "a file with 64 hexadecimal digits, mode 0600: `openssl rand -hex 32`"
	if name == "" {
		return nil, wrongUsage("--key-file is missing", hint)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, wrongUsage(err.Error(), hint)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, wrongUsage(name+" is open to others", "chmod 600 it")
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, wrongUsage(name+" holds no key", hint)
	}
	return key, nil
}
