package registry

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNumbersStay(t *testing.T) {
	var saved []Entry
	save := func(e Entry) error { saved = append(saved, e); return nil }
	r, err := New(nil, save)
	if err != nil {
		t.Fatal(err)
	}
	id := func(kind Kind, name, definition string) uint16 {
		t.Helper()
		got, err := r.ID(kind, name, []byte(definition))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	a, b := id(Center, "hq", ""), id(Link, "hq", "")
	one, two := id(Dialect, "d", "one"), id(Dialect, "d", "two")
	for i, want := range []uint16{1, 2, 3, 4} {
		if got := []uint16{a, b, one, two}[i]; got != want {
			t.Errorf("number %d, not %d", got, want)
		}
	}
	if id(Center, "hq", "") != a || id(Dialect, "d", "two") != two {
		t.Error("a known name got another number")
	}
	var again []Entry
	for _, e := range saved {
		read, err := Parse(e.ID, e.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		again = append(again, read)
	}
	if r, err = New(again, save); err != nil {
		t.Fatal(err)
	}
	if id(Dialect, "d", "one") != one || r.Name(one) != "d" || string(r.Definition(one)) != "one" {
		t.Error("an old definition isn't found after a restart")
	}
	if got, ok := r.Lookup(Dialect, "d"); got != one || !ok {
		t.Error("the definition given last isn't the current one")
	}
	if len(saved) != 4 {
		t.Error(cmp.Diff(4, len(saved)))
	}
	if r.Name(0) != "" || r.Name(5) != "" || r.Definition(9) != nil {
		t.Error("a number that wasn't given has a name")
	}
}

func TestWhatIsntSavedIsntGiven(t *testing.T) {
	full := errors.New("disk full")
	r, err := New(nil, func(Entry) error { return full })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.ID(Center, "hq", nil); !errors.Is(err, full) {
		t.Fatal(err)
	}
	if _, ok := r.Lookup(Center, "hq"); ok || r.Name(1) != "" {
		t.Error("the name is there all the same")
	}
}

func TestGapIsRefused(t *testing.T) {
	if _, err := New([]Entry{{ID: 2, Kind: Center, Name: "x"}}, nil); err == nil {
		t.Error("a registry without its first entry was accepted")
	}
}

func FuzzParse(f *testing.F) {
	e := Entry{Kind: Dialect, Name: "ascii", Definition: []byte("x: y")}
	f.Add(e.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(3, b)
		if err != nil {
			return
		}
		again, err := Parse(3, e.Append(nil))
		if diff := cmp.Diff(e, again); err != nil || diff != "" {
			t.Fatal(err, diff)
		}
	})
}
