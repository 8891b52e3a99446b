package issuer

import (
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ledger"
)

func ours() *Days { return &Days{Giver: Ours, Start: "261126"} }

// command runs one on the side, as the center asks the peer for something; the answer comes later.
func command(t *testing.T, i *Issuer, line string) (answer func() string) {
	t.Helper()
	got := make(chan string, 1)
	go func() {
		text, err := i.Command(context.Background(), line)
		if err != nil {
			text = "error: " + err.Error()
		}
		got <- text
	}()
	return func() string {
		select {
		case text := <-got:
			return text
		case <-time.After(5 * time.Second):
			t.Fatal("the command doesn't end")
			return ""
		}
	}
}

// asked takes the next message and answers it.
func asked(t *testing.T, p peer, action string, with map[int]string) *format.Message {
	t.Helper()
	m := p.next(t)
	a := format.Answer(m, action)
	for n, v := range with {
		a.Set(n, v)
	}
	if err := p.Send(a); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheDayIsNamedInTheAnswer(t *testing.T) {
	i := start(t, Options{Days: ours()}, "[]")
	p := dial(t, i, "primary")
	if a := p.ask(t, sale("000001", "000000001000")); a.Get(28) != "261126" {
		t.Errorf("before the cutover: %v", a)
	}
	done := command(t, i, "cutover")
	if m := asked(t, p, "800", nil); m.MTI != "1804" || m.Get(24) != "821" ||
		m.Get(28) != "261127" {
		t.Errorf("cutover: %v", m)
	}
	if got := done(); got != "day 261127" {
		t.Error(got)
	}
	if a := p.ask(t, sale("000002", "000000000500")); a.Get(28) != "261127" {
		t.Errorf("after the cutover: %v", a)
	}
	// What was asked before keeps its day; what names one counts in it.
	if a := p.ask(t, sale("000001", "000000001000").As("1201")); a.Get(28) != "261126" {
		t.Errorf("repeat: %v", a)
	}
	if a := p.ask(t, sale("000003", "000000000070").Set(28, "261126")); a.Get(28) != "261126" {
		t.Errorf("of yesterday: %v", a)
	}
	for day, want := range map[string]ledger.Sum{
		"261126": {Number: 2, Amount: 1070}, "261127": {Number: 1, Amount: 500}} {
		if got := i.Ledger().Totals(day, 0, "")[ledger.Debit]; got != want {
			t.Errorf("%s: %+v, want %+v", day, got, want)
		}
	}
}

func TestTheSwitchsDaysAreFollowed(t *testing.T) {
	i := start(t, Options{Days: &Days{Giver: Theirs, Start: "261126"}}, "[]")
	p := dial(t, i, "primary")
	if a := p.ask(t, sale("000001", "000000001000")); a.Has(28) {
		t.Errorf("a day that isn't ours to name: %v", a)
	}
	cut := network("821").Set(28, "261127")
	if a := p.ask(t, cut); a.Get(39) != "800" || a.Get(28) != "261127" {
		t.Errorf("cutover: %v", a)
	}
	if a := p.ask(t, network("821").Set(11, "000002").Set(28, "261125")); a.Get(39) != "915" {
		t.Errorf("back to yesterday: %v", a)
	}
	if day, _ := i.Today(); day != "261127" {
		t.Error(day)
	}
	if a := p.ask(t, sale("000002", "000000001000").Set(28, "261127")); a.Get(28) != "261127" {
		t.Errorf("it isn't echoed: %v", a)
	}
	if _, err := i.Command(context.Background(), "cutover"); err == nil {
		t.Error("it cuts over by itself")
	}
}

func TestTheSwitchMayNotCutOverOurDay(t *testing.T) {
	i := start(t, Options{Days: ours()}, "[]")
	p := dial(t, i, "primary")
	if a := p.ask(t, network("821").Set(28, "261127")); a.Get(39) != "915" {
		t.Error(a)
	}
}

// advice is a 1520 about a day with figures.
func advice(day string, t ledger.Totals) *format.Message {
	return t.Put(format.New("1520").Set(11, "000009").Set(12, "260301101113").Set(24, "500").
		Set(28, day).Set(32, "12345678901").Set(50, "392"), ledger.ByEffect)
}

func TestTotalsAreCompared(t *testing.T) {
	seen := make(chan Reconciliation, 10)
	i := start(t, Options{Days: ours(), OnReconciled: func(r Reconciliation) { seen <- r }}, "[]")
	p := dial(t, i, "primary")
	p.ask(t, sale("000001", "000000001000"))
	right := ledger.Totals{ledger.Debit: {Number: 1, Amount: 1000}}
	if a := p.ask(t, advice("261126", right)); a.MTI != "1530" || a.Get(39) != "503" {
		t.Errorf("of the open day: %v", a)
	}
	if a := p.ask(t, advice("261125", right)); a.Get(39) != "915" {
		t.Errorf("of a day that isn't there: %v", a)
	}
	done := command(t, i, "cutover")
	asked(t, p, "800", nil)
	done()
	for _, c := range []struct {
		name  string
		m     *format.Message
		want  string
		debit string
	}{
		{"an amount", advice("261126", ledger.Totals{ledger.Debit: {Number: 1, Amount: 900}}),
			"502", "0000000000001000"},
		{"a number", advice("261126", nil), "504", "0000000000001000"},
		{"figures asked for", advice("261126", nil).As("1500").Set(24, "504"), "504",
			"0000000000001000"},
		{"in balance", advice("261126", right), "500", "0000000000001000"},
		{"again", advice("261126", right).As("1521"), "500", "0000000000001000"},
	} {
		a := p.ask(t, c.m)
		if a.Get(39) != c.want || a.Get(88) != c.debit || a.Get(97) != "D0000000000001000" {
			t.Errorf("%s: %v", c.name, a)
		}
		if r := <-seen; r.Action != c.want {
			t.Errorf("%s: told %+v", c.name, r)
		}
	}
	// The day is sealed: what still names it counts today, and the answer says so.
	if a := p.ask(t, sale("000002", "000000000300").Set(28, "261126")); a.Get(28) != "261127" {
		t.Errorf("behind the seal: %v", a)
	}
	if s := i.Stats(); s.Reconciled != 5 || s.OutOfBalance != 2 {
		t.Errorf("%+v", s)
	}
}

func TestASealedDayMayRefuse(t *testing.T) {
	days := ours()
	days.Sealed = "refuse"
	i := start(t, Options{Days: days}, "[]")
	p := dial(t, i, "primary")
	i.calendar.begin("261127")
	i.calendar.agree("261126")
	if a := p.ask(t, sale("000001", "000000000300").Set(28, "261126")); a.Get(39) != "915" {
		t.Error(a)
	}
	if n := len(i.Ledger().All()); n != 0 {
		t.Errorf("%d postings", n)
	}
}

func TestWeStartTheComparison(t *testing.T) {
	days := ours()
	days.Convention = ledger.ByOriginal
	i := start(t, Options{Days: days}, "[]")
	p := dial(t, i, "standby")
	one, two := sale("000001", "000000001000"), sale("000002", "000000002000")
	p.ask(t, one)
	p.ask(t, two)
	p.ask(t, sale("000003", "000000002000").As("1420").Set(24, "400").Set(56, ledger.Original(two)))
	done := command(t, i, "reconcile 261126")
	m := asked(t, p, "500", nil)
	if m.MTI != "1522" || m.Get(24) != "500" || m.Get(28) != "261126" || m.Get(50) != "392" ||
		m.Get(76) != "0000000002" || m.Get(77) != "0000000001" || m.Get(89) != "0000000000002000" ||
		m.Get(97) != "D0000000000001000" || m.Get(32) != "99999000001" || m.Has(93) {
		t.Errorf("told: %v", m)
	}
	if got := done(); got != "day 261126: 500" {
		t.Error(got)
	}
	// Asked for theirs, we judge.
	done = command(t, i, "ask-totals 261126")
	theirs := ledger.Totals{ledger.Debit: {Number: 2, Amount: 2900}}.
		Put(format.New("1512"), ledger.ByOriginal)
	with := make(map[int]string)
	for _, n := range theirs.Elements() {
		with[n] = theirs.Get(n)
	}
	if m := asked(t, p, "504", with); m.MTI != "1502" || m.Has(76) {
		t.Errorf("asked: %v", m)
	}
	if got := done(); !strings.HasPrefix(got, "day 261126: 504\nours    debit 2 of 3000") ||
		!strings.Contains(got, "theirs  debit 2 of 2900") {
		t.Error(got)
	}
}

func TestCheckpoint(t *testing.T) {
	i := start(t, Options{Days: ours()}, "[]")
	p := dial(t, i, "primary")
	p.ask(t, sale("000001", "000000001000"))
	done := command(t, i, "checkpoint")
	if m := asked(t, p, "800", nil); m.Get(24) != "822" || m.Get(28) != "261126" ||
		m.Get(29) != "002" {
		t.Error(m)
	}
	done()
	if a := p.ask(t, sale("000002", "000000000500")); a.Get(29) != "002" {
		t.Errorf("behind the checkpoint: %v", a)
	}
	slice := advice("261126", ledger.Totals{ledger.Debit: {Number: 1, Amount: 1000}}).
		Set(24, "501").Set(29, "001")
	if a := p.ask(t, slice); a.Get(39) != "500" {
		t.Errorf("the first slice: %v", a)
	}
	if a := p.ask(t, slice.Set(29, "002")); a.Get(39) != "503" {
		t.Errorf("the open slice: %v", a)
	}
}

func TestListing(t *testing.T) {
	i := start(t, Options{Days: ours()}, "[]")
	p := dial(t, i, "primary")
	one := sale("000001", "000000001000")
	p.ask(t, one)
	p.ask(t, sale("000002", "000000000300").As("1420").Set(24, "401").Set(37, one.Get(37)).
		Set(56, ledger.Original(one)))
	name := filepath.Join(t.TempDir(), "book.csv")
	if _, err := i.Command(t.Context(), "listing 261126 "+name); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%v, %v", rows, err)
	}
	if got := strings.Join(rows[1], " "); got !=
		"261126 1 1200 000001 260301101112 12345678901 RRN000000001 000000  1000 392 debit 000001" {
		t.Error(got)
	}
	if got := strings.Join(rows[2][7:12], " "); got != "000000 1200 700 392 debit reversal" {
		t.Error(got)
	}
}

func TestStandInAdviceIsBooked(t *testing.T) {
	i := start(t, Options{Days: ours()}, "[]")
	p := dial(t, i, "primary")
	m := sale("000001", "000000001000").As("1220").Set(25, "1002").Set(38, "SI0001").
		Set(39, "000").Set(58, "99999000001")
	if a := p.ask(t, m); a.MTI != "1230" || a.Get(39) != "901" || a.Has(38) {
		t.Error(a)
	}
	declined := sale("000002", "000000001000").As("1220").Set(25, "1003").Set(39, "121").
		Set(58, "99999000001")
	p.ask(t, declined)
	x := i.Ledger().All()
	if len(x) != 2 || x[0].Live != 1000 || x[0].Approval != "SI0001" || x[0].Reason != "1002" ||
		x[0].Agent != "99999000001" || x[1].Live != 0 || x[1].State != ledger.Declined {
		t.Errorf("%+v", x)
	}
}

func TestCutoverByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Days{Giver: Ours, Cutover: "23:30"}
		if err := d.complete(); err != nil {
			t.Fatal(err)
		}
		// A bubble begins at midnight UTC, nine in the morning of Tokyo.
		at := d.next(time.Now())
		if got := time.Until(at); got != 14*time.Hour+30*time.Minute {
			t.Errorf("the first is in %s", got)
		}
		if got := d.next(at).Sub(at); got != 24*time.Hour {
			t.Errorf("the next is %s behind it", got)
		}
	})
}

func TestDaysRefuse(t *testing.T) {
	for _, d := range []Days{
		{Giver: "mine"}, {Convention: "by_magic"}, {Start: "26-11-26"}, {Cutover: "25:00"},
		{Giver: Theirs, Cutover: "23:00"}, {Zone: "Mars/Base"}, {Sealed: "ignore"},
	} {
		if err := d.complete(); err == nil {
			t.Errorf("%+v is taken", d)
		}
	}
}
