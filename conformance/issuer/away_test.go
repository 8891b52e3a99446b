package issuer

import (
	"net"
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/format"
)

func TestSilentReadsNothing(t *testing.T) {
	i := start(t, Options{}, "[]")
	p := dial(t, i, "primary")
	i.Leave(t.Context(), Silenced)
	for _, m := range []string{Echo, SignOn} {
		if err := p.Send(network(m)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Send(sale("000001", "000000001000")); err != nil {
		t.Fatal(err)
	}
	p.nothing(t)
	i.Return(t.Context())
	if a := p.ask(t, sale("000001", "000000001000").As("1201")); a.Get(39) != "000" {
		t.Error(a)
	}
	if c := i.Ledger().Counts(); c.Repeats != 0 {
		t.Errorf("it had booked what it didn't read: %+v", c)
	}
}

func TestSignOffByACommand(t *testing.T) {
	i := start(t, Options{}, "[]")
	p := dial(t, i, "primary")
	if _, err := i.Command(t.Context(), "away sign-off"); err != nil {
		t.Fatal(err)
	}
	if m := asked(t, p, "800", nil); m.Get(24) != SignOff {
		t.Error(m)
	}
	if a := p.ask(t, sale("000001", "000000001000")); a.Get(39) != "910" {
		t.Errorf("away: %v", a)
	}
	back := command(t, i, "back")
	if m := asked(t, p, "800", nil); m.Get(24) != SignOn {
		t.Error(m)
	}
	back()
	if a := p.ask(t, sale("000002", "000000001000")); a.Get(39) != "000" {
		t.Errorf("back: %v", a)
	}
}

func TestDroppedByARuleAndBackByItself(t *testing.T) {
	i := start(t, Options{}, "- {when: {de4: suffix 66}, do: {away: drop 30ms}}")
	p := dial(t, i, "primary")
	if err := p.Send(sale("000001", "000000000066")); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	for end := time.Now().Add(time.Minute); ; {
		nc, err := net.Dial("tcp", i.Address("primary"))
		if err == nil {
			again := open(t, nc)
			if a := again.ask(t, sale("000002", "000000001000")); a.Get(39) == "000" {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatal("it never comes back")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestParseAbsenceRefuses(t *testing.T) {
	for _, text := range []string{"", "sleep 3s", "drop soon", "drop -3s"} {
		if a, err := ParseAbsence(text); err == nil {
			t.Errorf("%q is %+v", text, a)
		}
	}
}

func TestFileActions(t *testing.T) {
	i := start(t, Options{}, "[]")
	p := dial(t, i, "primary")
	const pan = "3528000000000007"
	done := command(t, i, "block "+pan+" 208 3000")
	if m := asked(t, p, "300", nil); m.MTI != "1304" || m.Get(24) != "301" || m.Get(2) != pan ||
		m.Get(25) != "3000" || m.Get(72) != "208" || m.Get(101) != "EMERGENCY" || !m.Has(93) {
		t.Error(m)
	}
	if got := done(); got != "300" {
		t.Error(got)
	}
	done = command(t, i, "blocked "+pan)
	if m := asked(t, p, "300", map[int]string{72: "2083000000000000000"}); m.Get(24) != "305" {
		t.Error(m)
	}
	if got := done(); got != "300 2083000000000000000" {
		t.Error(got)
	}
	done = command(t, i, "unblock "+pan)
	if m := asked(t, p, "302", nil); m.Get(24) != "303" || m.Has(72) {
		t.Error(m)
	}
	if got := done(); got != "302" {
		t.Error(got)
	}
}

func TestALoadIsFramed(t *testing.T) {
	i := start(t, Options{}, "[]")
	p := dial(t, i, "primary")
	entries, err := ReadEntries(strings.NewReader(
		"# of November\n3528000000000007,208,3000\n\n3528000000000015\n"))
	if err != nil || len(entries) != 2 {
		t.Fatalf("%d, %v", len(entries), err)
	}
	failed := make(chan error, 1)
	go func() { failed <- i.Load(t.Context(), entries) }()
	for _, want := range []string{
		"1804 8000  ", "1304 3000 00000001 208", "1304  00000002 000", "1804 8002 00000002 ",
	} {
		m := p.next(t)
		if got := m.MTI + " " + m.Get(25) + " " + m.Get(71) + " " + m.Get(72); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		action := "300"
		if m.MTI == "1804" {
			action = "800"
		}
		if err := p.Send(format.Answer(m, action)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
	if _, err := ReadEntries(strings.NewReader("352800")); err == nil {
		t.Error("six digits are a card number")
	}
}
