package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"cardswitch/spec"
	"cardswitch/switch/explain"
)

func printExplained(command *cobra.Command, list []*explain.Explanation, found bool) error {
	if len(list) == 0 {
		return failed(errors.New("no transaction was found"),
			"last4 and stan are looked for among the newest records only; rrn and card among all")
	}
	if wantsJSON(command) {
		if !found {
			return printJSON(command, list[0])
		}
		return printJSON(command, list)
	}
	full, _ := command.Flags().GetBool("full")
	t := teller{command.OutOrStdout(), painter(command.OutOrStdout()), full}
	for i, e := range list {
		if i > 0 {
			fmt.Fprintln(t.out)
		}
		t.tell(e)
	}
	return nil
}

// teller prints explanations for people.
type teller struct {
	out io.Writer
	paint
	full bool
}

func (t *teller) tell(e *explain.Explanation) {
	t.head(fmt.Sprintf("TRANSACTION %d", e.Txn))
	for _, sentence := range e.Summary {
		t.text(2, t.loud(sentence))
	}
	if e.Route != nil {
		t.head("\nWHY THIS ISSUER")
		t.route(e.Route)
	}
	t.head("\nWHAT HAPPENED")
	for i := range e.Steps {
		t.step(&e.Steps[i])
	}
	if len(e.Messages) > 0 {
		t.head("\nMESSAGES  (~ other than before, + new, - left out)")
		for i := range e.Messages {
			t.message(&e.Messages[i])
		}
	}
	if len(e.Owed) > 0 {
		t.head("\nOWED")
		t.debts(e.Owed)
	}
	for i := range e.Related {
		t.head(fmt.Sprintf("\nTRANSACTION %d", e.Related[i].Txn))
		t.text(2, e.Related[i].What)
		t.debts(e.Related[i].Owed)
	}
}

func (t *teller) head(text string) { fmt.Fprintln(t.out, t.in(inBold, text)) }

// text prints a sentence, broken where the line ends, each line indented.
func (t *teller) text(indent int, text string) {
	for line := range strings.SplitSeq(ansi.Wrap(text, t.width-indent, ""), "\n") {
		fmt.Fprintf(t.out, "%*s%s\n", indent, "", strings.TrimRight(line, " "))
	}
}

// loud colours the words of a summary that are in capitals.
func (t *teller) loud(text string) string {
	for _, word := range []struct{ word, colour string }{
		{"APPROVED", inGreen}, {"TAKEN", inGreen}, {"DECLINED", inRed}, {"REFUSED", inRed},
		{"UNKNOWN", inYellow}, {"OPEN", inYellow}, {"STILL OWED", inYellow},
		{"A PERSON HAS TO DECIDE", inRed},
	} {
		text = strings.Replace(text, word.word, t.in(word.colour, word.word), 1)
	}
	return text
}

func (t *teller) route(d *explain.Decision) {
	t.text(2, d.Why)
	if d.Since != 0 {
		t.text(2, fmt.Sprintf("by the routing table in use since record %d:", d.Since))
	}
	for _, c := range d.Rules.Candidates {
		mark := "- "
		if c.Taken {
			mark = t.in(inGreen, "* ")
		}
		t.text(2, fmt.Sprintf("%s%s %s to %s: %s", mark, c.Where,
			strings.TrimSpace(c.Range+" "+c.Scheme), strings.Join(c.To, ", "), c.Why))
	}
}

func (t *teller) step(s *explain.Step) {
	fmt.Fprintf(t.out, "  %s  %-10s %s  %s\n", s.At.Format("15:04:05.000000"), "+"+micros(s.US),
		t.in(inBold, strings.TrimSpace(s.Kind+" "+s.Action)),
		t.in(inFaint, fmt.Sprintf("record %d", s.Seq)))
	for _, sentence := range s.Says {
		t.text(6, sentence)
	}
	if s.Hint != "" {
		t.text(6, t.in(inYellow, "hint: "+s.Hint))
	}
}

func (t *teller) message(m *explain.Message) {
	title := fmt.Sprintf("%s %s", m.Role, m.MTI)
	about := fmt.Sprintf("%s > %s", m.From, m.To)
	if m.Link != "" {
		about += " over " + m.Link
	}
	fmt.Fprintf(t.out, "  %s  %s  %s\n", t.in(inBold, title), about,
		t.in(inFaint, strings.TrimSpace("+"+micros(m.US)+" "+m.Dialect)))
	if m.Fault != "" {
		t.text(6, t.in(inRed, "can't be shown to its end: "+m.Fault))
	}
	if m.Against != "" {
		t.changes(m)
		if !t.full {
			return
		}
	}
	for _, line := range m.Elements {
		if line.Part == "" || t.full {
			t.cut(6, line.String())
		}
	}
}

// changes are the elements that differ from the message that this one came of.
func (t *teller) changes(m *explain.Message) {
	if len(m.Changes) == 0 {
		t.text(4, "every element as in the "+m.Against)
		return
	}
	t.text(4, "against the "+m.Against+":")
	var left []string
	for _, c := range m.Changes {
		number := fmt.Sprintf("%3d", c.Element)
		switch {
		case c.Element == 0:
			number = "MTI"
		case c.Second == "" && c.Note == "":
			left = append(left, strings.TrimSpace(number))
			continue
		}
		t.cut(4, t.change(number, c))
	}
	if len(left) > 0 {
		t.text(4, t.in(inRed, "-")+" left out: "+strings.Join(left, ", "))
	}
}

func (t *teller) change(number string, c spec.Difference) string {
	head := fmt.Sprintf("%s  %-34s ", number, c.Name)
	switch {
	case c.Note != "":
		return t.in(inYellow, "~ ") + head + c.Note
	case c.First == "":
		return t.in(inGreen, "+ ") + head + c.Second + meant(c)
	}
	return t.in(inYellow, "~ ") + head + c.First + " > " + c.Second
}

// meant says what the outcome means.
func meant(c spec.Difference) string {
	code, err := strconv.Atoi(c.Second)
	if c.Element != 39 || err != nil {
		return ""
	}
	return "  (" + spec.ActionName(code) + ")"
}

// cut prints a line, cut where the line ends unless all is wanted.
func (t *teller) cut(indent int, text string) {
	if t.full {
		t.text(indent, text)
		return
	}
	fmt.Fprintf(t.out, "%*s%s\n", indent, "", ansi.Truncate(text, t.width-indent, "…"))
}

func (t *teller) debts(list []explain.Debt) {
	for i := range list {
		d := &list[i]
		colour := inYellow
		switch d.State {
		case explain.Paid:
			colour = inGreen
		case explain.Decides:
			colour = inRed
		}
		fmt.Fprintf(t.out, "  %s  advice %d, a %s to %s, owed since %s\n", t.in(colour, d.State), d.ID,
			d.MTI, d.Center, d.Since.Format("2006-01-02 15:04:05"))
		for _, sentence := range d.Says[1:] {
			t.text(6, sentence)
		}
		if d.Attempts > 0 {
			t.text(6, fmt.Sprintf("sent %d times since the switch started, next at %s", d.Attempts,
				d.Next.Format(time.TimeOnly)))
		}
	}
}
