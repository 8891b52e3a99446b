package ledger

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"cardswitch/conformance/format"
)

func sale(stan string, amount int64) *format.Message {
	return format.New("1200").Set(2, "3528000000000007").Set(3, "000000").
		Set(4, fmt.Sprintf("%012d", amount)).Set(11, stan).Set(12, "260301101112").
		Set(24, "200").Set(32, "12345678901").Set(37, "RRN000"+stan)
}

func reversalOf(m *format.Message, stan string) *format.Message {
	return m.Clone().Set(11, stan).Set(24, "400").Set(56, Original(m)).As("1420")
}

func approve() Decision { return Decision{Action: "000", Approval: "A00001"} }

func TestRepeatsPostOnce(t *testing.T) {
	l := NewPostings()
	m := sale("000001", 1000)
	if p, v := l.Ask(m, approve); v != First || p.Live != 1000 {
		t.Fatalf("first: %v %+v", v, p)
	}
	again := m.Clone().As("1201")
	p, v := l.Ask(again, func() Decision { t.Fatal("decided twice"); return Decision{} })
	if v != Again || p.Action != "000" || p.Approval != "A00001" || p.Repeats != 1 {
		t.Errorf("repeat: %v %+v", v, p)
	}
	if _, v := l.Ask(m.Clone().Set(4, "000000009999"), approve); v != Conflict {
		t.Errorf("other content: %v", v)
	}
	if c := l.Counts(); c.Asked != 1 || c.Repeats != 1 || c.Conflicts != 1 {
		t.Errorf("%+v", c)
	}
}

func TestReversalThatComesFirst(t *testing.T) {
	l := NewPostings()
	m := sale("000001", 1000)
	if p, v := l.Reverse(reversalOf(m, "000002"), "400"); v != Missing || p.Action != "400" {
		t.Fatalf("reversal: %v %+v", v, p)
	}
	p, v := l.Ask(m.Clone().As("1201"), approve)
	if v != TooLate || p.State != Forestall || p.Live != 0 || p.Action[0] != '1' {
		t.Errorf("the original: %v %+v", v, p)
	}
	if p, v := l.Ask(m, approve); v != Again || p.Live != 0 {
		t.Errorf("the original again: %v %+v", v, p)
	}
}

func TestPartialReversalLeavesTheNewAmount(t *testing.T) {
	l := NewPostings()
	m := sale("000001", 1000)
	l.Ask(m, approve)
	l.Reverse(reversalOf(m, "000002").Set(24, "401").Set(4, "000000000300"), "400")
	if p := l.Of(m.Get(37))[0]; p.Live != 300 || p.State != Approved {
		t.Errorf("%+v", p)
	}
}

func TestAdviceOfARefusalPostsNothing(t *testing.T) {
	l := NewPostings()
	m := sale("000001", 1000).As("1220").Set(39, "116")
	p, _ := l.Ask(m, func() Decision { return Decision{Action: "901"} })
	if p.Live != 0 || p.State != Declined {
		t.Errorf("%+v", p)
	}
}

func TestOriginalKeyReadsBothForms(t *testing.T) {
	m := sale("000001", 1)
	want := Key(m)
	for _, de56 := range []string{
		Original(m), "1201" + "000001" + "260301101112" + "12345678901",
	} {
		if got := OriginalKey(de56); got != want {
			t.Errorf("%s: %s, want %s", de56, got, want)
		}
	}
	if OriginalKey("1200") != "" {
		t.Error("a short element 56 was read")
	}
}

// Whatever order repeats and reversals come in, at most one posting of a key stands, and none
// once its reversal has been taken.
func TestNeverTwiceNeverAfterReversal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := NewPostings()
		reversed := make(map[string]bool)
		for n := range rapid.IntRange(1, 40).Draw(t, "steps") {
			m := sale(rapid.SampledFrom([]string{"000001", "000002"}).Draw(t, "stan"), 1000)
			if rapid.Bool().Draw(t, "reverse") {
				l.Reverse(reversalOf(m, fmt.Sprintf("1%05d", n)), "400")
				reversed[m.Get(37)] = true
			} else {
				l.Ask(m, approve)
			}
		}
		stands := make(map[string]int)
		for _, p := range l.All() {
			if p.Live > 0 {
				stands[p.RRN]++
			}
		}
		for rrn, n := range stands {
			if n > 1 || reversed[rrn] {
				t.Fatalf("%s: %d stand, reversed %v", rrn, n, reversed[rrn])
			}
		}
	})
}

func TestExportHoldsNoCardNumberAndComesBack(t *testing.T) {
	l := NewPostings()
	l.Ask(sale("000001", 1000), approve)
	var b bytes.Buffer
	if err := l.Write(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "3528000000000007") {
		t.Fatal("the export holds a card number")
	}
	back, err := ReadPostings(&b)
	if err != nil {
		t.Fatal(err)
	}
	skip := cmpopts.IgnoreUnexported(Posting{})
	if d := cmp.Diff(l.All(), back, skip, cmpopts.EquateApproxTime(0)); d != "" {
		t.Error(d)
	}
}

func TestKeepForgetsTheOldest(t *testing.T) {
	l, b := NewPostings(), NewReceipts()
	l.Keep, b.Keep = 2, 2
	for n := range 5 {
		m := sale(fmt.Sprintf("%06d", n), 1)
		l.Ask(m, approve)
		b.Add(Receipt{RRN: m.Get(37)})
	}
	if len(l.All()) != 2 || len(b.All()) != 2 || b.All()[1].RRN != "RRN000000004" {
		t.Errorf("%v %v", l.All(), b.All())
	}
}
