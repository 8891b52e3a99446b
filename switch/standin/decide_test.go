package standin

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"cardswitch/routing/cardrange"
	"cardswitch/spec"
	"cardswitch/switch/txn"
)

const tableRules = `
currency: "392"
rules:
  - name: usual
    ranges: ["353011", "400000-400999"]
    transactions: ["00", "01"]
    floor: 300
    most: 50000
    categories: ["5411", "5300-5399", "7995"]
    except_categories: ["7995"]
    entry: ["2", "5"]
    limits: [{days: 1, count: 3, amount: 60000}, {days: 7, count: 5, amount: 90000}]
  - name: house
    ranges: ["35301199"]
    no_check_digit: true
    expiry: ignored
    pin_unchecked: true
    foreign: true
    most: 1000
    limits: [{days: 31, count: 10}]
  - name: never
    ranges: ["3530118"]
    excluded: true
`

func rulesOf(t testing.TB, text string) *Rules {
	t.Helper()
	r, err := Parse("test.yaml", []byte(text), Place{Home: 392, Zone: time.FixedZone("JST", 9*3600)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func card(t testing.TB, digits string) (uint64, uint8) {
	t.Helper()
	pan, err := spec.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	n, length := pan.Number()
	return cardrange.Align(n, length), uint8(length)
}

// usual is a sale that is approved.
func usual(t testing.TB) Facts {
	f := Facts{Entry: '2', Function: 200, Country: 392, Currency: 392, Expiry: 2611, Category: 5411,
		Amount: 10000}
	f.PAN, f.PANLen = card(t, "3530111333300000")
	return f
}

func now() time.Time { return time.Date(2026, 11, 26, 1, 30, 0, 0, time.FixedZone("JST", 9*3600)) }

// decided is a request, changed from the usual one, and what is decided on it.
type decided struct {
	name    string
	change  func(*Facts)
	counter Counter
	outcome Outcome
	reason  txn.Reason
	action  uint16
	rule    int
}

func (c *decided) check(t *testing.T, r *Rules) {
	t.Helper()
	f := usual(t)
	c.change(&f)
	got := Decide(r, c.counter, &f, now())
	if want := (Decision{c.outcome, c.reason, c.action, c.rule}); got != want {
		t.Errorf("%s: %+v, want %+v", c.name, got, want)
	}
}

func TestDecide(t *testing.T) {
	r := rulesOf(t, tableRules)
	for _, c := range []decided{
		{"usual", func(f *Facts) {}, nil, Approve, txn.StandInApproved, 0, 0},
		{"the other range", func(f *Facts) { f.PAN, f.PANLen = card(t, "4005550000000001") }, nil,
			Approve, txn.StandInApproved, 0, 0},
		{"below floor", func(f *Facts) { f.Amount = 300 }, nil, Approve, txn.StandInBelowFloor, 0, 0},
		{"no rule", func(f *Facts) { f.PAN, f.PANLen = card(t, "5555555555554444") }, nil,
			Abstain, txn.StandInNoRule, 0, -1},
		{"excluded", func(f *Facts) { f.PAN, f.PANLen = card(t, "3530118333300001") }, nil,
			Abstain, txn.StandInExcluded, 0, 2},
		{"inquiry", func(f *Facts) { f.Transaction = 30 }, nil, Abstain, txn.StandInTransaction, 0, 0},
		{"validity check", func(f *Facts) { f.Function = 108 }, nil, Abstain,
			txn.StandInTransaction, 0, 0},
		{"PIN", func(f *Facts) { f.PIN = true }, nil, Abstain, txn.StandInPIN, 0, 0},
		{"listed", func(f *Facts) { f.Listed = true }, nil, Decline, txn.StandInListed, 100, 0},
		{"listed, to be picked up", func(f *Facts) { f.Listed, f.ListedAction = true, 208 }, nil,
			Decline, txn.StandInListed, 208, 0},
		{"check digit", func(f *Facts) { f.PAN, f.PANLen = card(t, "3530111333300001") }, nil,
			Decline, txn.StandInCheckDigit, 111, 0},
		{"no expiry", func(f *Facts) { f.Expiry = 0 }, nil, Decline, txn.StandInNoExpiry, 101, 0},
		{"expiry in a track not kept", func(f *Facts) { f.Expiry = ExpiryHidden }, nil, Approve,
			txn.StandInApproved, 0, 0},
		{"expired", func(f *Facts) { f.Expiry = 2610 }, nil, Decline, txn.StandInExpired, 101, 0},
		{"no month", func(f *Facts) { f.Expiry = 2713 }, nil, Decline, txn.StandInExpired, 101, 0},
		{"category", func(f *Facts) { f.Category = 6011 }, nil, Decline, txn.StandInCategory, 119, 0},
		{"category in a span", func(f *Facts) { f.Category = 5399 }, nil, Approve,
			txn.StandInApproved, 0, 0},
		{"category excepted", func(f *Facts) { f.Category = 7995 }, nil, Decline,
			txn.StandInCategory, 119, 0},
		{"entry mode", func(f *Facts) { f.Entry = '6' }, nil, Decline, txn.StandInEntry, 120, 0},
		{"foreign", func(f *Facts) { f.Country = 840 }, nil, Decline, txn.StandInForeign, 119, 0},
		{"country not said", func(f *Facts) { f.Country = 0 }, nil, Approve, txn.StandInApproved, 0, 0},
		{"currency", func(f *Facts) { f.Currency = 840 }, nil, Decline, txn.StandInCurrency, 119, 0},
		{"too much at once", func(f *Facts) { f.Amount = 50001 }, nil, Decline,
			txn.StandInOverMost, 121, 0},
		{"house card", func(f *Facts) {
			f.PAN, f.PANLen = card(t, "3530119900000001")
			f.Expiry, f.PIN, f.Country, f.Amount = 0, true, 840, 1000
		}, nil, Approve, txn.StandInApproved, 0, 1},
	} {
		c.check(t, r)
	}
}

func TestDecideByWhatWasApproved(t *testing.T) {
	r := rulesOf(t, tableRules)
	today, week := HourOf(now().UnixNano()), HourOf(now().Add(-6*24*time.Hour).UnixNano())
	yesterday := today - 2 // an hour and a half before was another day
	for _, c := range []decided{
		{"below floor, whatever the amount of before", func(f *Facts) { f.Amount = 300 },
			Counter{{today, 1, 60000}}, Approve, txn.StandInBelowFloor, 0, 0},
		{"the day's amount, to the yen", func(f *Facts) { f.Amount = 20000 },
			Counter{{today, 1, 40000}}, Approve, txn.StandInApproved, 0, 0},
		{"over the day's amount", func(f *Facts) { f.Amount = 20001 }, Counter{{today, 1, 40000}},
			Decline, txn.StandInOverAmount, 121, 0},
		{"yesterday is another day", func(f *Facts) { f.Amount = 20001 },
			Counter{{yesterday, 1, 40000}}, Approve, txn.StandInApproved, 0, 0},
		{"over the week's amount", func(f *Facts) { f.Amount = 20001 },
			Counter{{week, 1, 40000}, {yesterday, 1, 30000}}, Decline, txn.StandInOverAmount, 121, 0},
		{"the week before counts no more", func(f *Facts) { f.Amount = 50000 },
			Counter{{week - 24, 1, 90000}}, Approve, txn.StandInApproved, 0, 0},
		{"the day's count", func(f *Facts) { f.Amount = 1 }, Counter{{today, 3, 0}}, Decline,
			txn.StandInOverCount, 123, 0},
	} {
		c.check(t, r)
	}
}

// Whatever comes for a card in whatever order, what is approved in the days of a limit never passes
// it, and what is refused for a limit would pass it.
func TestLimitsAreNeverPassed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("somewhere", rapid.IntRange(-12, 14).Draw(t, "zone")*3600)
		rules := &Rules{zone: zone, home: 392}
		one := rule{checkDigit: false, expiry: expiryIgnored, currency: 392,
			floor: uint64(rapid.IntRange(0, 50).Draw(t, "floor")), most: 1000}
		one.transactions[0] = true
		one.least = one.most
		for range rapid.IntRange(1, 3).Draw(t, "limits") {
			l := limit{days: rapid.IntRange(1, 9).Draw(t, "days"),
				count:  rapid.Uint32Range(0, 6).Draw(t, "count"),
				amount: rapid.Uint64Range(0, 3000).Draw(t, "amount")}
			one.limits = append(one.limits, l)
			if l.amount > 0 {
				one.least = min(one.least, max(l.amount, one.floor))
			}
		}
		rules.rules, rules.owners = []rule{one}, []int{0}
		rules.ranges = []cardrange.Range{cardrange.Any()}
		var err error
		if rules.index, err = cardrange.Build(rules.ranges); err != nil {
			t.Fatal(err)
		}
		type approval struct {
			day    int
			amount uint64
		}
		var approved []approval
		counters := NewCounters(10)
		at := time.Date(2026, 11, 26, 0, 0, 0, 0, zone)
		year := time.Date(2026, 1, 1, 0, 0, 0, 0, zone)
		dayOf := func(at time.Time) int { return int(at.Sub(year).Hours() / 24) }
		for range rapid.IntRange(1, 60).Draw(t, "requests") {
			at = at.Add(time.Duration(rapid.IntRange(0, 30*60).Draw(t, "minutes")) * time.Minute)
			f := Facts{PAN: 1, PANLen: 16, Currency: 392,
				Amount: uint64(rapid.IntRange(0, 1000).Draw(t, "of"))}
			d := Decide(rules, counters.Of(Card{1}), &f, at)
			passes := false
			for _, l := range one.limits {
				count, amount := uint32(1), d.Counts(&f)
				if f.Amount <= one.floor {
					amount = 0
				}
				for _, a := range approved {
					if a.day > dayOf(at)-l.days {
						count, amount = count+1, amount+a.amount
					}
				}
				passes = passes || l.count > 0 && count > l.count ||
					l.amount > 0 && amount > l.amount && f.Amount > one.floor
			}
			if passes == (d.Outcome == Approve) {
				t.Fatalf("%+v of %d on day %d, after %v by %+v", d, f.Amount, dayOf(at), approved,
					one.limits)
			}
			if d.Outcome == Approve {
				counters.Add(Card{1}, HourOf(at.UnixNano()), d.Counts(&f))
				approved = append(approved, approval{dayOf(at), d.Counts(&f)})
			}
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		b.Fatal(err)
	}
	r, err := Parse("test.yaml", []byte(tableRules), Place{Home: 392, Zone: zone})
	if err != nil {
		b.Fatal(err)
	}
	f := usual(b)
	var c Counter
	for day := range 7 {
		for n := range 4 {
			at := now().Add(time.Duration(-24*(6-day)) * time.Hour)
			c = append(c, Bucket{HourOf(at.UnixNano()) - 4 + uint32(n), 0, 100})
		}
	}
	at := now()
	b.ReportAllocs()
	for b.Loop() {
		if d := Decide(r, c, &f, at); d.Outcome != Approve {
			b.Fatal(d)
		}
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	r := rulesOf(t, tableRules)
	f := usual(t)
	c := Counter{{HourOf(now().UnixNano()), 1, 100}}
	at := now()
	if n := testing.AllocsPerRun(100, func() { Decide(r, c, &f, at) }); n != 0 {
		t.Errorf("%v allocations a decision", n)
	}
}
