package rule

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"cardswitch/spec"
)

//go:embed matrix.txt
var matrixText string

// form is what one kind of message must look like.
type form struct {
	mandatory  spec.Bitmap
	unused     spec.Bitmap
	same       spec.Bitmap // mandatory, and as in the message it answers
	echo       spec.Bitmap // what an answer may copy from the message it answers
	relaxed    spec.Bitmap // conditions don't ask for these
	conditions conditions
}

// Standard is the matrix of the standard, without what a center changes.
func Standard() *Rules {
	r := &Rules{forms: make([]form, 1)}
	var columns []spec.MTI
	for number, line := range strings.Split(matrixText, "\n") {
		line, _, _ := strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if err := r.line(&columns, words); err != nil {
			// The text is part of the program: a test reads it before anybody else does.
			panic(fmt.Sprintf("matrix.txt:%d: %v", number+1, err))
		}
	}
	return r
}

func (r *Rules) line(columns *[]spec.MTI, words []string) error {
	switch words[0] {
	case "message":
		*columns = nil
		for _, word := range words[1:] {
			mti, err := messageType(word)
			if err != nil {
				return err
			}
			*columns = append(*columns, mti)
			r.add(mti, form{})
		}
		return nil
	case "same":
		return r.copies(words[1:])
	}
	elements, err := elements(words[0])
	if err != nil {
		return err
	}
	if len(words)-1 != len(*columns) {
		return fmt.Errorf("%d cells for %d messages", len(words)-1, len(*columns))
	}
	for column, mti := range *columns {
		if err := r.forms[r.places[place(mti)]].set(elements, words[column+1]); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rules) add(mti spec.MTI, f form) {
	r.places[place(mti)] = uint8(len(r.forms))
	r.forms = append(r.forms, f)
}

func (r *Rules) copies(words []string) error {
	var first spec.MTI
	for i, word := range words {
		mti, err := messageType(word)
		if err != nil {
			return err
		}
		if i == 0 {
			first = mti
			continue
		}
		r.add(mti, r.forms[r.places[place(first)]])
	}
	return nil
}

// set writes a cell into f.
func (f *form) set(elements []int, cell string) error {
	var into []*spec.Bitmap
	switch cell {
	case "M":
		into = []*spec.Bitmap{&f.mandatory}
	case "ME":
		into = []*spec.Bitmap{&f.mandatory, &f.same, &f.echo}
	case "Mb", "Mq":
		into = []*spec.Bitmap{&f.mandatory, &f.echo}
	case "E":
		into = []*spec.Bitmap{&f.echo}
	case "-":
		into = []*spec.Bitmap{&f.unused}
	case "O", "C":
	default:
		letter, found := strings.CutPrefix(cell, "C")
		if !found || len(letter) != 1 || !f.conditions.set(letter[0], elements) {
			return fmt.Errorf("unknown cell %q", cell)
		}
	}
	for _, set := range into {
		*set = set.With(elements...)
	}
	return nil
}

// elements reads a list such as 74-77,86.
func elements(text string) ([]int, error) {
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		low, err := strconv.Atoi(first)
		if err != nil {
			return nil, err
		}
		high, err := strconv.Atoi(last)
		if err != nil {
			return nil, err
		}
		for n := low; n <= high; n++ {
			list = append(list, n)
		}
	}
	return list, nil
}

func messageType(text string) (spec.MTI, error) {
	mti, err := spec.ParseMTI(text)
	if err != nil {
		return 0, err
	}
	if !mti.Valid() || mti.IsRepeat() {
		return 0, fmt.Errorf("%s isn't a message of the 1993 edition, or is a repeat", text)
	}
	return mti, nil
}

// places is how many combinations of class, function and origin there are, repeats aside.
const places = 16 * 16 * 8

// place packs class, function and origin of a message, which says the same for its repeat.
func place(mti spec.MTI) int { return int(mti>>1) & (places - 1) }
