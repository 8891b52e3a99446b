package week

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cardswitch/conformance/issuer"
	"cardswitch/conformance/ledger"
	"cardswitch/switch/settle"
)

// untilEvening sleeps until ten minutes before the cutover, 23:30 in Tokyo.
func untilEvening() {
	now := time.Now().UTC()
	evening := time.Date(now.Year(), now.Month(), now.Day(), 14, 20, 0, 0, time.UTC)
	if !evening.After(now) {
		evening = evening.AddDate(0, 0, 1)
	}
	time.Sleep(time.Until(evening))
}

// What happens on which of the seven days.
const (
	falsified = 3 // entries of both issuers' books are wrong
	away      = 5 // sakura is away from before the cutover until the next evening, fuji for a while
)

func TestWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		defer c.close()
		var open []string // days that aren't compared yet
		for n := 1; n <= 7; n++ {
			untilEvening()
			day, _ := c.issuers["sakura"].Today()
			open = append(open, day)
			wrong := make(map[string]string)
			c.evening(func() { c.happens(n, day, wrong) })
			if n == away { // for this day there is nobody to compare with yet
				c.night()
				continue
			}
			c.settled()
			switch n {
			case falsified:
				c.outOfBalance(day, wrong)
			case away + 1:
				c.stoodIn(day)
			}
			for _, day := range open {
				c.compareBooks(day)
				c.agree(day)
				c.tell(day)
			}
			open = nil
			c.night()
		}
	})
}

// happens is what comes in the way of an evening, eight minutes from its beginning.
func (c *center) happens(n int, day string, wrong map[string]string) {
	time.Sleep(8 * time.Minute)
	sakura, fuji := c.issuers["sakura"], c.issuers["fuji"]
	switch n {
	case falsified: // before the day ends: the switch compares soon after
		wrong[c.falsify("fuji", day, 15, ledger.Double)] = settle.Duplicate
	case away:
		sakura.Leave(context.Background(), issuer.Dropped)
		fuji.Absent(issuer.Absence{How: issuer.Silenced, For: 5 * time.Minute})
	case away + 1:
		if s := c.sw.Status(); s.Owed == 0 {
			c.t.Error("nothing is owed to an issuer that was away for a night")
		}
		sakura.Return(context.Background())
	}
}

// stoodIn looks at what was decided for the issuers while they were away: it is in their books now.
func (c *center) stoodIn(day string) {
	for name, i := range c.issuers {
		told, approved := 0, int64(0)
		for _, p := range i.Ledger().All() {
			if p.Agent != "" && p.Reason >= "1000" && p.Reason <= "1007" {
				told++
				approved += p.Live
			}
		}
		if told == 0 {
			c.t.Errorf("nothing was decided for %s", name)
		}
		fmt.Fprintf(c.t.Output(), "%s  %-7s  was away: %d decisions of stand-in, %d approved\n", day,
			name, told, approved)
	}
}

// outOfBalance makes entries of the issuers' books wrong: the comparison says that they are, the
// listing names each of them and nothing else. Then they are put right.
func (c *center) outOfBalance(day string, ofFuji map[string]string) {
	sakura, fuji := c.issuers["sakura"], c.issuers["fuji"]
	wrong := map[string]map[string]string{ // by issuer and leg, the cause
		"sakura": {c.falsify("sakura", day, 10, ledger.Alter): settle.OtherAmount,
			c.falsify("sakura", day, 20, ledger.Drop): settle.OnlyOurs},
		"fuji": ofFuji,
	}
	r, err := sakura.Reconcile(context.Background(), day, 0, true)
	if err != nil || r.Action != "504" {
		c.t.Errorf("%s of sakura, falsified: %+v, %v", day, r, err)
	}
	if state := c.state("fuji", day); state != "ended" {
		c.t.Errorf("%s of fuji, falsified, is %s", day, state)
	}
	for name, want := range wrong {
		got := make(map[string]string)
		for _, d := range c.listed(name, day) {
			got[d.MTI+"/"+d.STAN+"/"+d.Local] = d.Cause
			fmt.Fprintf(c.t.Output(), "%s  %-7s  injected and found: %s %s %s %s: %s\n", day, name,
				d.MTI, d.STAN, d.Local, d.Cause, d.Why)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			c.t.Errorf("%s of %s: %s", day, name, diff)
		}
	}
	sakura.Ledger().Repair()
	fuji.Ledger().Repair()
	parsed, _ := settle.ParseDay(day)
	if err := c.sw.Reconcile("fuji", parsed, 0); err != nil {
		c.t.Error(err)
	}
}

// falsify makes the n-th sale of a day that still stands wrong in an issuer's book, and names its
// leg.
func (c *center) falsify(name, day string, n int, how string) string {
	book := c.issuers[name].Ledger()
	for _, p := range book.Listing(day, 0) {
		if p.Counts != ledger.Debit || p.State != ledger.Approved {
			continue
		}
		if n--; n == 0 {
			book.Falsify(p.Key, how)
			return p.Key[:strings.LastIndex(p.Key, "/")]
		}
	}
	c.t.Fatalf("%s has too few sales on %s", name, day)
	return ""
}

// totals are what a day of a center comes to with the switch.
func (c *center) totals(name, day string) ledger.Totals {
	parsed, err := settle.ParseDay(day)
	if err != nil {
		c.t.Fatal(err)
	}
	list, err := c.sw.PeriodTotals(name, parsed, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	all := make(ledger.Totals)
	for i := range list {
		for kind, sum := range list[i].Totals {
			if sum.Number > 0 {
				all[ledger.Bucket(kind)] = ledger.Sum{Number: int64(sum.Number),
					Amount: int64(sum.Amount)}
			}
		}
	}
	return all
}

// compareBooks holds the books against each other, transaction by transaction, and the totals of a
// day with each partner, to the yen.
func (c *center) compareBooks(day string) {
	if r := c.count(); !r.OK() || len(r.Differences) > 0 {
		r.Write(os.Stderr)
		c.t.Errorf("until %s the books disagree", day)
	}
	for name, i := range c.issuers {
		ours, theirs := c.totals(name, day), i.Ledger().Totals(day, 0, "")
		if ours.Judge(theirs) != "500" {
			c.t.Errorf("%s of %s: the switch has %v, the issuer %v", day, name, ours, theirs)
		}
	}
	for _, name := range []string{"aoyama", "minato"} {
		ours, theirs := c.totals(name, day), c.books[name].Totals(day)
		if ours.Judge(theirs) != "500" {
			c.t.Errorf("%s of %s: the switch has %v, the merchant %v", day, name, ours, theirs)
		}
	}
}

// agree lets the partners compare by message: sakura tells its figures, fuji gets the switch's, a
// merchant asks.
func (c *center) agree(day string) {
	ctx := context.Background()
	r, err := c.issuers["sakura"].Reconcile(ctx, day, 0, true)
	if err != nil || !r.Balanced() {
		c.t.Errorf("%s of sakura: %+v, %v", day, r, err)
	}
	for _, p := range c.shops {
		if action, _, err := p.Reconcile(ctx, day); err != nil || action != "500" {
			c.t.Errorf("%s of a merchant: %s, %v", day, action, err)
		}
	}
	for range 600 {
		if c.state("fuji", day) == "agreed" {
			return
		}
		time.Sleep(time.Second)
	}
	c.t.Errorf("%s of fuji is %s", day, c.state("fuji", day))
}

// tell prints how a day ended.
func (c *center) tell(day string) {
	for _, name := range []string{"sakura", "fuji"} {
		t := c.totals(name, day)
		fmt.Fprintf(c.t.Output(), "%s  %-7s  %4d sales %9d  %3d returns %8d  %3d undone %8d"+
			"  net %10d  %s\n", day, name, t[ledger.Debit].Number, t[ledger.Debit].Amount,
			t[ledger.Credit].Number, t[ledger.Credit].Amount, t[ledger.DebitUndone].Number,
			t[ledger.DebitUndone].Amount, t.Net(), c.state(name, day))
	}
}

func (c *center) state(name, day string) string {
	list, err := c.sw.Periods(name)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range list {
		if list[i].Day == day {
			return list[i].State
		}
	}
	return "not there"
}

// listed compares a listing of an issuer's book, as an operator would.
func (c *center) listed(name, day string) []settle.Difference {
	var listing bytes.Buffer
	if err := ledger.WriteCSV(&listing, c.issuers[name].Ledger().Listing(day, 0)); err != nil {
		c.t.Fatal(err)
	}
	parsed, _ := settle.ParseDay(day)
	found, err := c.sw.CompareListing(name, parsed, 0, &listing)
	if err != nil {
		c.t.Fatal(err)
	}
	return found.Differences
}
