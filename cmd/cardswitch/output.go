package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func wantsJSON(command *cobra.Command) bool {
	flag := command.Flag("output")
	return flag != nil && flag.Value.String() == "json"
}

// printJSON prints one value; lists that may be long are printed line by line.
func printJSON(command *cobra.Command, value any) error {
	encoder := json.NewEncoder(command.OutOrStdout())
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// table prints columns of equal width. Cells are text or anything that prints.
type table struct{ w *tabwriter.Writer }

func newTable(command *cobra.Command, heads ...string) *table {
	t := &table{tabwriter.NewWriter(command.OutOrStdout(), 0, 0, 2, ' ', 0)}
	if len(heads) > 0 {
		t.row(cells(heads)...)
	}
	return t
}

func cells(words []string) []any {
	row := make([]any, len(words))
	for i, word := range words {
		row[i] = word
	}
	return row
}

// row prints an empty cell as a dash, so that columns stay countable for awk.
func (t *table) row(row ...any) {
	words := make([]string, len(row))
	for i, cell := range row {
		words[i] = fmt.Sprint(cell)
		if words[i] == "" {
			words[i] = "-"
		}
	}
	fmt.Fprintln(t.w, strings.Join(words, "\t"))
}

func (t *table) flush() error { return t.w.Flush() }

// shortCause is why a connection isn't there, without what the row says already: Go's "dial tcp
// ADDRESS: connect: connection refused".
func shortCause(text string) string {
	for _, op := range []string{"dial tcp", "read tcp", "write tcp"} {
		if strings.HasPrefix(text, op) {
			return text[strings.LastIndex(text, ": ")+len(": "):]
		}
	}
	return text
}

// many is a number with its noun: 1 record, 2 records.
func many[N int | int64 | uint64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// ago is how long before now something was, rounded for people.
func ago(now, then time.Time) string {
	if then.IsZero() {
		return ""
	}
	d := now.Sub(then)
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}
