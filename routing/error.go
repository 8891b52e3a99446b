package routing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Error is one fault of a routing file.
type Error struct {
	File string
	Line int // 0 if the fault belongs to no line
	What string
	Hint string // what to do about it
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": " + e.What)
	if e.Hint != "" {
		b.WriteString(" (hint: " + e.Hint + ")")
	}
	return b.String()
}

// maxFaults is how many faults are told: more wouldn't be read before the first are mended.
const maxFaults = 100

// faults gathers what is wrong with a table.
type faults []*Error

func (f *faults) add(file string, line int, what, hint string) {
	*f = append(*f, &Error{File: file, Line: line, What: what, Hint: hint})
}

// join gives all faults as one error in the order of the lines, or nil.
func (f faults) join() error {
	slices.SortStableFunc(f, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	var list []error
	for i, e := range f {
		if i == maxFaults {
			list = append(list, fmt.Errorf("and %d more faults", len(f)-maxFaults))
			break
		}
		list = append(list, e)
	}
	return errors.Join(list...)
}
