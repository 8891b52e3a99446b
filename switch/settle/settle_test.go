package settle

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/store/total"
	"cardswitch/switch/txn"
)

func tokyo(t testing.TB) *time.Location {
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestDayOfAMoment(t *testing.T) {
	zone := tokyo(t)
	late := Calendar{Zone: zone, Cutover: 23*time.Hour + 30*time.Minute}
	week := Calendar{Zone: zone, Cutover: 18 * time.Hour, Weekdays: true,
		Closed: map[Day]bool{261130: true}}
	for _, c := range []struct {
		name     string
		calendar Calendar
		at       string
		want     Day
	}{
		{"midnight", Calendar{Zone: zone}, "2026-11-26 23:59:59", 261126},
		{"after midnight", Calendar{Zone: zone}, "2026-11-27 00:00:00", 261127},
		{"before the cutover", late, "2026-11-26 23:29:59", 261126},
		{"at the cutover", late, "2026-11-26 23:30:00", 261127},
		{"year's end", late, "2026-12-31 23:45:00", 270101},
		{"friday", week, "2026-11-27 17:59:00", 261127},
		{"friday evening: monday is a holiday", week, "2026-11-27 18:00:00", 261201},
		{"saturday", week, "2026-11-28 12:00:00", 261201},
	} {
		at, err := time.ParseInLocation(time.DateTime, c.at, zone)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.calendar.At(at); got != c.want {
			t.Errorf("%s: %s is in %v, want %v", c.name, c.at, got, c.want)
		}
	}
}

// Every moment is in one day; days follow each other, and end where the next begins.
func TestDaysAreALine(t *testing.T) {
	var zones []*time.Location
	for _, name := range []string{"Asia/Tokyo", "Europe/Berlin", "America/New_York", "UTC"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, zone)
	}
	rapid.Check(t, func(t *rapid.T) {
		c := Calendar{Zone: zones[rapid.IntRange(0, 3).Draw(t, "zone")],
			Weekdays: rapid.Bool().Draw(t, "weekdays"),
			Cutover:  time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "cutover")) * time.Minute}
		at := time.Unix(rapid.Int64Range(1_600_000_000, 2_500_000_000).Draw(t, "at"), 0)
		d := c.At(at)
		later := c.At(at.Add(time.Duration(rapid.IntRange(0, 1e6).Draw(t, "later")) * time.Second))
		end := c.End(d)
		switch {
		case !d.Valid():
			t.Fatalf("%v is no date", d)
		case later < d:
			t.Fatalf("%v, later %v", d, later)
		case !at.Before(end):
			t.Fatalf("%v is in %v, which ended at %v", at, d, end)
		case c.At(end) != c.Next(d):
			t.Fatalf("%v ends when %v begins, not %v", d, c.At(end), c.Next(d))
		case c.At(end.Add(-time.Second)) != d:
			t.Fatalf("%v ends too late", d)
		}
		if again, err := ParseDay(d.String()); err != nil || again != d {
			t.Fatalf("%v reads as %v, %v", d, again, err)
		}
	})
}

func TestBook(t *testing.T) {
	var b Book
	if _, _, how := b.Assign(0); how != NotThere {
		t.Fatal("an empty book takes something")
	}
	b.CutOver(261126, 1, 10)
	b.CutOver(261127, 2, 20)
	b.Checkpoint(2, 3)
	for _, c := range []struct {
		named, want Day
		slice       uint16
		how         Assigned
	}{
		{0, 261127, 2, AsNamed}, {261127, 261127, 2, AsNamed}, {261126, 261126, 1, AsNamed},
		{261125, 261127, 2, NotThere}, {261128, 261127, 2, NotThere},
	} {
		if d, slice, how := b.Assign(c.named); d != c.want || slice != c.slice || how != c.how {
			t.Errorf("%v: %v, slice %d, %v", c.named, d, slice, how)
		}
	}
	first := b.Find(261126)
	first.Compared(3, 392, false, []uint16{392})
	if !first.Out || first.State != Ended {
		t.Errorf("out of balance: %+v", first)
	}
	first.Compared(4, 392, true, []uint16{392, 840})
	if first.State != Ended {
		t.Error("agreed, although another currency isn't")
	}
	first.Compared(5, 840, true, []uint16{392, 840})
	if d, _, how := b.Assign(261126); how != Moved || d != 261127 || first.Versions != 3 {
		t.Errorf("an agreed day takes something: %+v", first)
	}
	open := b.Current()
	open.Compared(6, 392, true, []uint16{392})
	if open.State != Open {
		t.Error("an open day was sealed")
	}
	for d, good := range map[Day]bool{261127: false, 261126: false, 261128: true, 261211: true,
		261212: false, 261199: false, 0: false} {
		if err := b.MayOpen(d); (err == nil) != good {
			t.Errorf("%v: %v", d, err)
		}
	}
	if b.MayCheck(261127, 3) != nil || b.MayCheck(261127, 2) == nil || b.MayCheck(261126, 2) == nil {
		t.Error("checkpoints in the wrong order")
	}
}

func TestPeriodIsReadAsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Period{Day: Day(rapid.Uint32().Draw(t, "day")),
			State: State(rapid.IntRange(0, 3).Draw(t, "state")), Out: rapid.Bool().Draw(t, "out"),
			Slice: rapid.Uint16().Draw(t, "slice"), Since: rapid.Uint64().Draw(t, "since"),
			Opened:   rapid.Int64Min(0).Draw(t, "opened"),
			Versions: rapid.Uint16().Draw(t, "versions"),
			SliceAt:  rapid.Int64Min(0).Draw(t, "slice at"), Told: rapid.Uint16().Draw(t, "told"),
			Sliced: rapid.Uint16().Draw(t, "sliced"),
			OutAt:  rapid.SliceOfN(rapid.Uint16(), 0, 4).Draw(t, "out at"),
			Closed: rapid.SliceOfN(rapid.Uint16(), 0, 4).Draw(t, "closed")}
		got, err := ParsePeriod(want.Append(nil))
		if err != nil || string(got.Append(nil)) != string(want.Append(nil)) {
			t.Fatalf("%+v came back as %+v, %v", want, got, err)
		}
	})
}

func FuzzParsePeriod(f *testing.F) {
	p := Period{Day: 261126, State: Ended, Slice: 3, Since: 7, Closed: []uint16{392}}
	f.Add(p.Append(nil))
	f.Add([]byte{periodVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePeriod(b)
		if err != nil {
			return
		}
		if again, err := ParsePeriod(p.Append(nil)); err != nil || again.Day != p.Day {
			t.Fatalf("%x reads as %+v, then as %+v, %v", b, p, again, err)
		}
	})
}

// worked is the worked check of the reference.
func worked() (s total.Sums) {
	for _, amount := range []uint64{1000, 2000, 3000} {
		s.Add(total.Debit, amount)
	}
	s.Add(total.Credit, 500)
	s.Add(total.DebitReversal, 2000)
	return s
}

func message(t testing.TB, c Convention, s *total.Sums, net string) *spec.Message {
	t.Helper()
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	var e spec.Edit
	e.Reset()
	e.SetMTI(0x1520)
	c.Put(s, &e)
	if net != "" {
		e.Set(97, []byte(net))
	}
	raw, fault := d.Append(nil, nil, &e)
	if !fault.OK() {
		t.Fatal(fault.Err())
	}
	m := new(spec.Message)
	if fault := d.Index(m, raw); !fault.OK() {
		t.Fatal(fault.Err())
	}
	return m
}

// The worked check of reference iso8583-1993 section 5.7, in both conventions.
func TestWorkedCheckInElements(t *testing.T) {
	s := worked()
	for c, want := range map[Convention]map[int]string{
		ByEffect: {74: "0000000001", 86: "0000000000000500", 75: "0000000001",
			87: "0000000000002000", 76: "0000000003", 88: "0000000000006000", 77: "0000000000",
			89: "0000000000000000", 97: "D0000000000003500"},
		ByOriginal: {74: "0000000001", 86: "0000000000000500", 75: "0000000000",
			87: "0000000000000000", 76: "0000000003", 88: "0000000000006000", 77: "0000000001",
			89: "0000000000002000", 97: "D0000000000003500"},
	} {
		m := message(t, c, &s, "")
		for n, v := range want {
			if got := string(m.Append(nil, n)); got != v {
				t.Errorf("%v: element %d is %q, want %q", c, n, got, v)
			}
		}
		if m.Has(78) || m.Has(109) {
			t.Errorf("%v: totals of nothing", c)
		}
		got, net, ok := c.Take(m)
		if got != s || net != -3500 || !ok {
			t.Errorf("%v: read as %v, net %d, %v", c, got, net, ok)
		}
		other, net, _ := (ByEffect + ByOriginal - c).Take(m)
		if b := Balance(&s, &other); b != txn.OtherConvention || net != -3500 {
			t.Errorf("the other convention: %v, net %d", b, net)
		}
		if why := Explain(&s, &other); !strings.Contains(why, "bucket convention differs") {
			t.Errorf("explained as %q", why)
		}
	}
	if Net(0) != "C0000000000000000" || Net(5) != "C0000000000000005" {
		t.Error("the sign of what is zero or more is C")
	}
}

// All totals go over the wire and come back, but the split of the fees' number, which has no
// element.
func TestTotalsInElements(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var s total.Sums
		for k := total.Debit; k < total.Kinds; k++ {
			for range rapid.IntRange(0, 3).Draw(rt, "n") {
				s.Add(k, rapid.Uint64Range(0, 99_999_999).Draw(rt, "amount"))
			}
		}
		c := Convention(rapid.IntRange(0, 1).Draw(rt, "convention"))
		got, net, ok := c.Take(message(t, c, &s, ""))
		if !ok || net != s.Net() || Balance(&s, &got) != txn.InBalance {
			rt.Fatalf("%v came back as %v, net %d, %v", s, got, net, ok)
		}
	})
}

func TestBalance(t *testing.T) {
	ours := worked()
	amount, number, late := ours, ours, ours
	amount[total.Debit].Amount += 7
	number.Add(total.Debit, 100)
	late.Add(total.Debit, 100)
	late.Add(total.DebitReversal, 100)
	for _, c := range []struct {
		name   string
		theirs total.Sums
		want   txn.Balance
		text   string
	}{
		{"equal", ours, txn.InBalance, ""},
		{"amounts", amount, txn.AmountsDiffer, "out of balance by -7"},
		{"numbers", number, txn.NumbersDiffer, "out of balance by -100"},
		{"late approvals", late, txn.NumbersDiffer, "net agrees"},
	} {
		if got := Balance(&ours, &c.theirs); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if got := Explain(&ours, &c.theirs); !strings.HasPrefix(got, c.text) ||
			c.text == "" && got != "" {
			t.Errorf("%s: explained as %q", c.name, got)
		}
	}
}
