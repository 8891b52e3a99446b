package cardswitch_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"cardswitch/spec/dialect"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
)

// A stop takes nothing new, waits for what is in flight, delivers its answer and signs off.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		primary, standby := y.openBoth()
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		y.stop()
		off := standby.read("1804")
		want(t, off, map[int]string{24: "802"})
		standby.answer(off, map[int]string{39: "800"})
		shop.send("1200", sale(2, 800))
		want(t, shop.read("1210"), map[int]string{11: "000002", 39: "907"})
		time.Sleep(3 * time.Second)
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{11: "000001", 39: "000"})
		for _, p := range []*peer{primary, shop} {
			off := p.read("1804")
			want(t, off, map[int]string{24: "802"})
			p.answer(off, map[int]string{39: "800"})
		}
		if err := <-y.stopped; err != nil {
			t.Fatal(err)
		}
		for _, p := range []*peer{shop, primary, standby} {
			p.conn.Close()
		}
	})
}

// A bad reload changes nothing; a good one takes effect without touching a connection.
func TestReload(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		routes := y.config.Routing.Files[0]
		write := func(text string) error {
			if err := os.WriteFile(routes, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return y.sw.Reload(y.config)
		}
		err := write("ranges:\n  - {prefix: \"353011\", destinations: [nobody]}\n")
		if err == nil || !strings.Contains(err.Error(), "routes.yaml:2") {
			t.Errorf("a bad table gave %v, want an error with its file and line", err)
		}
		shop.send("1200", sale(1, 700))
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		if err := write("ranges:\n  - {prefix: \"411111\", destinations: [issuer-a]}\n"); err != nil {
			t.Fatal(err)
		}
		shop.send("1200", sale(2, 700))
		want(t, shop.read("1210"), map[int]string{39: "908"})
	})
}

// The merchant speaks ASCII, the issuer packed BCD: each gets its own, and the journal both.
func TestTranslation(t *testing.T) {
	bcd, err := dialect.Builtin("bcd-left")
	if err != nil {
		t.Fatal(err)
	}
	change := func(c *cardswitch.Config) { c.Centers[1].Dialect = "bcd-left" }
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, change)
		first, second := y.listen(primaryAt), y.listen(standbyAt)
		defer first.Close()
		defer second.Close()
		ascii := y.d
		y.start()
		y.d = bcd
		primary, standby := y.issuer(first, "primary"), y.issuer(second, "standby")
		time.Sleep(time.Second)
		y.d = ascii
		shop := y.merchant()
		shop.send("1200", sale(42, 1000))
		y.d = bcd
		m := primary.read("1200")
		want(t, m, map[int]string{2: card, 4: "000000001000", 43: sale(0, 0)[43]})
		primary.answer(m, map[int]string{38: "A12345", 39: "000"})
		y.d = ascii
		a := shop.read("1210")
		want(t, a, map[int]string{2: card, 11: "000042", 38: "A12345", 39: "000"})
		shop.send("1201", sale(42, 1000))
		if again := shop.read("1210"); string(again.Raw()) != string(a.Raw()) {
			t.Error("the repeat got another answer")
		}
		shop.send("1420", reversal(43, 42, 1000))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		y.d = bcd
		r := primary.read("1420")
		want(t, r, map[int]string{2: card, 4: "000000001000", 25: "4000"})
		primary.answer(r, map[int]string{39: "400"})
		time.Sleep(time.Second)
		y.end()
		for _, p := range []*peer{shop, primary, standby} {
			p.conn.Close()
		}
	})
}

// What can't be read is answered 904 where it can be answered, told by a 1644 where the profile
// wants that, and never closes the link.
func TestUnreadable(t *testing.T) {
	change := func(c *cardswitch.Config) { c.Centers[0].FormatNotification = true }
	run(t, change, func(y *yard, shop, primary, standby *peer) {
		whole := shop.frame("1200", sale(1, 700), nil)
		shop.write(append(whole, "junk"...)) // all elements sound, and more behind them
		m := shop.next(time.Minute)
		if m == nil || value(m, 39) != "904" && value(m, 24) != "650" {
			t.Fatalf("trailing bytes: %v", m)
		}
		shop.write([]byte("what is this?"))
		n := shop.read("1644")
		want(t, n, map[int]string{24: "650"})
		if !n.Has(72) {
			t.Error("the notification doesn't say what is wrong")
		}
		shop.send("1200", sale(2, 700))
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
	})
}

// A question so old that memory has forgotten it still gets its first answer, and its reversal
// still finds it: the index knows.
func TestOldQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		primary, standby := y.openBoth()
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		a := string(shop.read("1210").Raw())
		time.Sleep(time.Minute) // the index is written
		y.close(shop, primary, standby)
		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		time.Sleep(time.Second)
		shop = y.merchant()
		shop.send("1201", sale(1, 700))
		if again := string(shop.read("1210").Raw()); again != a {
			t.Errorf("another answer:\n%q\n%q", again, a)
		}
		shop.send("1420", reversal(3, 1, 700))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		r := primary.read("1420")
		want(t, r, map[int]string{56: "1200" + value(m, 11) + "261122120000" + "11" + acquirer})
		primary.answer(r, map[int]string{39: "400"})
		shop.send("1420", reversal(4, 1, 700)) // once is enough
		want(t, shop.read("1430"), map[int]string{39: "400"})
		primary.quiet(30 * time.Second)
		y.close(shop, primary, standby)
	})
}

// The disk fails: what isn't durable doesn't leave, and the switch says why it stopped. (Outside a
// bubble, because Pebble leaves goroutines behind on a disk that fails.)
func TestDiskFails(t *testing.T) {
	y := newYard(t, nil)
	var broken func()
	y.disk, broken = store.Failing(y.disk)
	first, second := y.listen(primaryAt), y.listen(standbyAt)
	defer first.Close()
	defer second.Close()
	y.start()
	primary, standby := y.issuer(first, "primary"), y.issuer(second, "standby")
	time.Sleep(300 * time.Millisecond)
	shop := y.merchant()
	broken()
	shop.send("1200", sale(1, 700))
	if m := primary.next(time.Second); m != nil {
		t.Errorf("a %s left although it isn't durable", m.MTI())
	}
	select {
	case err := <-y.stopped:
		if err == nil || !strings.Contains(err.Error(), "out of service") {
			t.Errorf("stopped with %v, want out of service", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the switch hangs on its broken disk")
	}
	for _, p := range []*peer{shop, primary, standby} {
		p.conn.Close()
	}
}

// Metrics have good names, and no label that a card or a terminal could get into.
func TestMetrics(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		for stan := range 5 {
			shop.send("1200", sale(stan+1, 700))
			primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
			shop.read("1210")
		}
		problems, err := testutil.GatherAndLint(y.metrics)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
		families, err := y.metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(families)
		for _, secret := range []string{card, "TERM0001", "RRN0000"} {
			if strings.Contains(text, secret) {
				t.Errorf("the metrics show %s", secret[:4])
			}
		}
		if n := testutil.CollectAndCount(y.metrics, "cardswitch_answer_seconds"); n != 3 {
			t.Errorf("latencies of %d centers, want 2 and that of checks", n)
		}
	})
}

// What is measured is measured for each link too: the one that asked and the one that answered.
func TestMetricsOfLinks(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		for stan := range 3 {
			shop.send("1200", sale(stan+1, 700))
			m := primary.read("1200")
			time.Sleep(time.Second)
			primary.answer(m, []map[int]string{{38: "A00001", 39: "000"},
				{38: "A00002", 39: "000"}, {39: "116"}}[stan])
			shop.read("1210")
		}
		shop.send("1200", with(sale(9, 700), map[int]string{2: "4999999999999999"})) // no route
		want(t, shop.read("1210"), map[int]string{39: "908"})
		for _, l := range []struct {
			center, link                          string
			approved, accepted, declined, refused float64
		}{{"hq-1", "a", 2, 1, 1, 1}, {"issuer-a", "primary", 2, 0, 1, 0},
			{"issuer-a", "standby", 0, 0, 0, 0}} {
			for outcome, want := range map[string]float64{"approved": l.approved,
				"accepted": l.accepted, "declined": l.declined, "refused": l.refused} {
				m := y.metric("cardswitch_link_outcomes_total",
					map[string]string{"center": l.center, "link": l.link, "outcome": outcome})
				if got := m.GetCounter().GetValue(); got != want {
					t.Errorf("%s/%s: %v %s, want %v", l.center, l.link, got, outcome, want)
				}
			}
			at := map[string]string{"center": l.center, "link": l.link}
			took := y.metric("cardswitch_link_answer_seconds", at).GetHistogram()
			if n := took.GetSampleCount(); float64(n) != l.approved+l.declined {
				t.Errorf("%s/%s: %d latencies", l.center, l.link, n)
			}
			if n, sum := float64(took.GetSampleCount()), took.GetSampleSum(); sum < n || sum > 2*n {
				t.Errorf("%s/%s: %v s in %v answers, want a second each", l.center, l.link, sum, n)
			}
			if y.metric("cardswitch_link_commit_seconds", at) == nil ||
				y.metric("cardswitch_link_in_flight", at) == nil ||
				y.metric("cardswitch_link_queued_bytes", at) == nil {
				t.Errorf("%s/%s lacks a metric", l.center, l.link)
			}
		}
	})
}

// metric is the series with these labels, nil if there is none.
func (y *yard) metric(name string, labels map[string]string) *dto.Metric {
	families, err := y.metrics.Gather()
	if err != nil {
		y.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			same := f.GetName() == name && len(m.Label) == len(labels)
			for _, l := range m.Label {
				same = same && labels[l.GetName()] == l.GetValue()
			}
			if same {
				return m
			}
		}
	}
	return nil
}
