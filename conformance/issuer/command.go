package issuer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"cardswitch/conformance/ledger"
)

// Timed is a command at its time after the start.
type Timed struct {
	At      time.Duration `yaml:"at"`
	Command string        `yaml:"command"`
}

// Commands are what Command understands, a line each.
const Commands = `cutover [YYMMDD]              the next business day, or that one: 1804/821
checkpoint                    the next slice of the day: 1804/822
totals [YYMMDD [SLICE]]       what a day comes to in our book
reconcile [YYMMDD [SLICE]]    tell our figures of a day, or a slice: 1522
ask-totals [YYMMDD [SLICE]]   ask for the switch's: 1502
listing YYMMDD FILE           write what counts in a day, as CSV or .json
away sign-off|drop|silent [TIME]   go away, for a time or until back
back                          be there again
block PAN [ACTION [REASON]]   put a card on the emergency list: 1304/301
unblock PAN                   take it off: 1304/303
blocked PAN                   ask what the list says: 1304/305
load FILE                     replace the regular list by a file: 1304/306, framed
falsify drop|double|change RRN   make an entry of our book wrong
repair                        put all such entries right
forget                        take any term of the switch again, as when it was set up anew
echo | sign-on | sign-off     on every link`

// Command does what a line says and tells what came of it.
func (i *Issuer) Command(ctx context.Context, line string) (string, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return "", nil
	}
	verb, rest := words[0], append(words[1:], "", "", "")
	switch verb {
	case "cutover":
		day, err := i.Cutover(ctx, rest[0])
		return "day " + day, err
	case "checkpoint":
		slice, err := i.Checkpoint(ctx)
		return fmt.Sprintf("slice %d", slice), err
	case "totals", "reconcile", "ask-totals", "listing":
		return i.figures(ctx, verb, rest)
	case "away":
		a, err := ParseAbsence(strings.TrimSpace(rest[0] + " " + rest[1]))
		if err == nil {
			i.Absent(a)
		}
		return "away", err
	case "back":
		i.Return(ctx)
		return "back", nil
	case "block", "unblock", "blocked", "load":
		return i.listed(ctx, verb, rest)
	case "falsify":
		return i.falsify(rest[0], rest[1])
	case "forget":
		i.terms().Forget()
		return "forgotten", nil
	case "repair":
		i.options.Ledger.Repair()
		return "right again", nil
	case "echo":
		i.everywhere(ctx, Echo)
		return "done", nil
	case "sign-on":
		i.everywhere(ctx, SignOn)
		return "done", nil
	case "sign-off":
		i.everywhere(ctx, SignOff)
		return "done", nil
	}
	return "", fmt.Errorf("%q is no command; there are:\n%s", verb, Commands)
}

func (i *Issuer) figures(ctx context.Context, verb string, words []string) (string, error) {
	if i.calendar == nil {
		return "", errNoDays
	}
	day, slice := words[0], 0
	if day == "" {
		day, _ = i.calendar.today()
	}
	if verb == "listing" {
		return "written", i.WriteListing(words[1], day)
	}
	if words[1] != "" {
		var err error
		if slice, err = strconv.Atoi(words[1]); err != nil {
			return "", fmt.Errorf("%q is no slice", words[1])
		}
	}
	if verb == "totals" {
		return figuresText(i.options.Ledger.Totals(day, slice, "")), nil
	}
	r, err := i.Reconcile(ctx, day, slice, verb == "reconcile")
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("day %s: %s", r.Day, r.Action)
	if !r.Balanced() {
		text += "\nours    " + figuresText(r.Ours) + "\ntheirs  " + figuresText(r.Theirs)
	}
	return text, nil
}

func figuresText(t ledger.Totals) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(t)) {
		fmt.Fprintf(&b, "%s %d of %d, ", k, t[k].Number, t[k].Amount)
	}
	fmt.Fprintf(&b, "net %d", t.Net())
	return b.String()
}

func (i *Issuer) listed(ctx context.Context, verb string, words []string) (string, error) {
	e := Entry{PAN: words[0], Action: words[1], Reason: words[2]}
	switch verb {
	case "block":
		return i.Block(ctx, e)
	case "unblock":
		return i.Unblock(ctx, e.PAN)
	case "blocked":
		action, record, err := i.Blocked(ctx, e.PAN)
		return strings.TrimSpace(action + " " + record), err
	}
	file, err := os.Open(words[0])
	if err != nil {
		return "", err
	}
	defer file.Close()
	entries, err := ReadEntries(file)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d entries", len(entries)), i.Load(ctx, entries)
}

func (i *Issuer) falsify(how, rrn string) (string, error) {
	if !slices.Contains([]string{ledger.Drop, ledger.Double, ledger.Alter}, how) {
		return "", fmt.Errorf("%q; choose drop, double or change", how)
	}
	for _, p := range i.options.Ledger.Of(rrn) {
		if p.State == ledger.Approved {
			i.options.Ledger.Falsify(p.Key, how)
			return "wrong now", nil
		}
	}
	return "", errors.New("no approved entry has that reference number")
}

// timed does the commands of the options, each at its time.
func (i *Issuer) timed(ctx context.Context) {
	began := time.Now()
	for _, t := range i.options.Timed {
		if !pause(ctx, time.Until(began.Add(t.At))) {
			return
		}
		answer, err := i.Command(ctx, t.Command)
		if err != nil {
			i.options.Logger.Warn("a command failed", "issuer", i.options.Name, "command", t.Command,
				"error", err)
		}
		if i.options.OnCommand != nil {
			i.options.OnCommand(t.Command, answer)
		}
	}
}
