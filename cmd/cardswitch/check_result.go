package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	cardswitch "cardswitch/switch"
)

// The file of results is only ever added to, a line at a time; each ends with a checksum. A line
// that the end of the process cut is dropped when the next run begins, and its card is asked again
// by the same name, so that the switch gives what it has kept. The head of each job is a line too,
// with the number 0.

// results is the file, and what stands in it.
type results struct {
	file *os.File
	job  uint64 // of the newest head
	seen map[int]result
}

// result is a line: of a card, or the head of a job.
type result struct {
	line   int    // of the file of cards; 0: a head
	card   string // masked, or a token; of a head, "job" and its number
	action int
	name   string
	issuer string
	at     string
	txn    uint64
}

const resultHead = "line,card,action,name,issuer,time,transaction,checksum\n"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendTo writes the line.
func (r *result) appendTo(b []byte) []byte {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	_ = w.Write([]string{strconv.Itoa(r.line), r.card, fmt.Sprintf("%03d", r.action), r.name,
		r.issuer, r.at, strconv.FormatUint(r.txn, 10)}) // into memory
	w.Flush()
	line := bytes.TrimSuffix(text.Bytes(), []byte("\n"))
	b = append(b, line...)
	return fmt.Appendf(b, ",%08x\n", crc32.Checksum(line, castagnoli))
}

var errResultLine = errors.New("isn't what was written")

// parseResult reads a line without its end.
func parseResult(line []byte) (r result, err error) {
	at := bytes.LastIndexByte(line, ',')
	if at < 0 || string(line[at+1:]) != fmt.Sprintf("%08x", crc32.Checksum(line[:at], castagnoli)) {
		return r, errResultLine
	}
	fields, err := csv.NewReader(bytes.NewReader(line[:at])).Read()
	if err != nil || len(fields) != 7 {
		return r, errResultLine
	}
	number, err1 := strconv.Atoi(fields[0])
	action, err2 := strconv.Atoi(fields[2])
	txn, err3 := strconv.ParseUint(fields[6], 10, 64)
	if errors.Join(err1, err2, err3) != nil || number < 0 || action < 0 || action > 999 {
		return r, errResultLine
	}
	return result{number, fields[1], action, fields[3], fields[4], fields[5], txn}, nil
}

// openResults opens or makes the file, for one run at a time.
func openResults(name string) (*results, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, wrongUsage(err.Error(), "name a file that can be written with --result")
	}
	r := &results{file: file, seen: make(map[int]result)}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(failed(fmt.Errorf("%s is being written by another run", name),
			"wait for its end"), file.Close())
	}
	if err := r.read(name); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return r, nil
}

// read reads what is there, and drops a last line that isn't whole.
func (r *results) read(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if len(text) < len(resultHead) && strings.HasPrefix(resultHead, string(text)) {
		return r.begin()
	}
	rest, ok := bytes.CutPrefix(text, []byte(resultHead))
	if !ok {
		return wrongUsage(name+" isn't a file of results", "name another with --result")
	}
	for number := 2; len(rest) > 0; number++ {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		one, err := parseResult(line)
		switch {
		case !whole, err != nil && len(after) == 0:
			end := int64(len(text) - len(rest))
			if err := r.file.Truncate(end); err != nil {
				return err
			}
			_, err = r.file.Seek(end, 0)
			return err
		case err != nil:
			return failed(fmt.Errorf("%s:%d %w", name, number, err),
				"the file was changed; put it back, or begin with another one")
		case one.line == 0:
			job, _ := strconv.ParseUint(strings.TrimPrefix(one.card, "job "), 10, 64)
			r.job = job
		default:
			r.seen[one.line] = one
		}
		rest = after
	}
	_, err = r.file.Seek(0, 2)
	return err
}

func (r *results) begin() error {
	err := r.file.Truncate(0)
	if err == nil {
		_, err = r.file.WriteAt([]byte(resultHead), 0)
	}
	if err == nil {
		_, err = r.file.Seek(0, 2)
	}
	return err
}

// left are the cards that have no result yet, or none of an issuer's if again is wanted. The file
// must be that of these cards.
func (r *results) left(lines []cardLine, again bool) ([]int, error) {
	var left []int
	matched := 0
	for i := range lines {
		one, ok := r.seen[lines[i].number]
		if ok {
			matched++
			if one.card != "" && one.card != lines[i].shown() && one.card != lines[i].card {
				return nil, failed(fmt.Errorf("the result of line %d is of another card", one.line),
					"the file of cards was changed; name another --result")
			}
		}
		if !ok || again && one.action >= 900 {
			left = append(left, i)
		}
	}
	if matched < len(r.seen) {
		return nil, failed(errors.New("there are results of lines that the file of cards hasn't"),
			"the file of cards was changed; name another --result")
	}
	if again && len(left) > 0 {
		r.job = 0 // asked by the same name, they would get the same answer
	}
	return left, nil
}

// add writes a result. It is there for good as soon as the machine's cache is; a power failure
// costs the last ones, whose cards the switch then answers from its journal.
func (r *results) add(one result) error {
	if _, err := r.file.Write(one.appendTo(nil)); err != nil {
		return err
	}
	if one.line != 0 {
		r.seen[one.line] = one
	}
	return nil
}

// head notes a job.
func (r *results) head(job uint64) error {
	r.job = job
	err := r.add(result{card: fmt.Sprintf("job %012d", job), at: time.Now().Format(time.RFC3339)})
	return errors.Join(err, r.file.Sync())
}

func (r *results) close() error { return errors.Join(r.file.Sync(), r.file.Close()) }

// resultOf is the line of what the switch said. It has no more of the card than that.
func resultOf(line int, c *cardswitch.CardChecked) result {
	name := c.Name
	if c.Why != "" && c.Txn == 0 {
		name = c.Why
	}
	return result{line, c.Card, c.Action, name, c.Center, time.Now().Format(time.RFC3339Nano), c.Txn}
}

// checkedSummary is how many cards had which outcome.
type checkedSummary struct {
	Cards    int            `json:"cards"`
	Checked  int            `json:"checked"`
	Job      uint64         `json:"job,omitempty"`
	Outcomes []checkOutcome `json:"outcomes"`
}

type checkOutcome struct {
	Action string `json:"action"`
	Name   string `json:"name"`
	Cards  int    `json:"cards"`
}

func (r *results) summary(cards int) checkedSummary {
	s := checkedSummary{Cards: cards, Checked: len(r.seen), Job: r.job, Outcomes: []checkOutcome{}}
	for _, one := range r.seen {
		action := fmt.Sprintf("%03d", one.action)
		at := slices.IndexFunc(s.Outcomes, func(o checkOutcome) bool {
			return o.Action == action && o.Name == one.name
		})
		if at < 0 {
			at = len(s.Outcomes)
			s.Outcomes = append(s.Outcomes, checkOutcome{Action: action, Name: one.name})
		}
		s.Outcomes[at].Cards++
	}
	slices.SortFunc(s.Outcomes, func(a, b checkOutcome) int {
		return strings.Compare(a.Action+a.Name, b.Action+b.Name)
	})
	return s
}

func printChecked(command *cobra.Command, s checkedSummary) error {
	if wantsJSON(command) {
		return printJSON(command, s)
	}
	t := newTable(command, "ACTION", "NAME", "CARDS")
	for _, o := range s.Outcomes {
		t.row(o.Action, o.Name, o.Cards)
	}
	if err := t.flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(command.OutOrStdout(), "%d of %d cards checked\n", s.Checked, s.Cards)
	return err
}
