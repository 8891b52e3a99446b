package cardswitch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/mac"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/security/securitytest"
)

// distant is a module that is a machine of its own: it takes its time, and may fall silent.
type distant struct {
	hsm.Module
	latency   time.Duration
	silent    atomic.Bool
	forbidden atomic.Bool
	codes     bool // codes are made in this process all the same
	working   atomic.Int32
	most      atomic.Int32
}

func (d *distant) Caps() hsm.Caps {
	c := d.Module.Caps()
	c[hsm.TranslateZonePIN] = hsm.Inside
	if !d.codes {
		c[hsm.MakeMAC] = hsm.Inside
	}
	return c
}

func (d *distant) wait(ctx context.Context) error {
	d.most.Store(max(d.most.Load(), d.working.Add(1)))
	defer d.working.Add(-1)
	if d.forbidden.Load() {
		return hsm.ErrForbidden
	}
	timer := time.NewTimer(d.latency)
	defer timer.Stop()
	for d.silent.Load() {
		<-ctx.Done()
		return fmt.Errorf("%w: silence", hsm.ErrUnavailable)
	}
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return hsm.Ended(ctx)
	}
}

func (d *distant) MAC(ctx context.Context, k hsm.Key, how mac.Spec, dst []byte,
	parts ...[]byte) ([]byte, error) {
	if !d.codes {
		if err := d.wait(ctx); err != nil {
			return nil, err
		}
	}
	return d.Module.MAC(ctx, k, how, dst, parts...)
}

func (d *distant) VerifyMAC(ctx context.Context, k hsm.Key, how mac.Spec, code []byte,
	parts ...[]byte) error {
	if !d.codes {
		if err := d.wait(ctx); err != nil {
			return err
		}
	}
	return d.Module.VerifyMAC(ctx, k, how, code, parts...)
}

func (d *distant) TranslatePIN(ctx context.Context, t hsm.PINTranslation) ([]byte, error) {
	if err := d.wait(ctx); err != nil {
		return nil, err
	}
	return d.Module.TranslatePIN(ctx, t)
}

// A machine of its own gives every message its code, in order on each terminal.
func TestDistantModule(t *testing.T) {
	d := &distant{Module: securitytest.Soft(t), latency: 5 * time.Millisecond}
	runSecured(t, d, nil, nil, func(y *yard, shop, primary, standby *peer) {
		began := time.Now()
		const sales = 40
		for i := 1; i <= sales; i++ {
			e := pinSale(y, i, "1234", cardOf(i%4))
			e[2], e[41] = cardOf(i%4), fmt.Sprintf("TERM%04d", i%4)
			shop.send("1200", e)
		}
		last := map[string]int{}
		for range sales {
			m := primary.read("1200")
			var n int
			if _, err := fmt.Sscanf(value(m, 37), "RRN%d", &n); err != nil {
				t.Fatal(err)
			}
			if at := value(m, 41); n <= last[at] {
				t.Errorf("sale %d of %s came after %d", n, at, last[at])
			} else {
				last[at] = n
			}
			if y.bank.Decipher(m, value(m, 2)) != "1234" {
				t.Error("the PIN arrives as another")
			}
			primary.answer(m, map[int]string{38: "A00001", 39: "000", 52: ""})
		}
		for range sales {
			want(t, shop.read("1210"), map[int]string{39: "000"})
		}
		// One after the other: five operations each, of 5 ms.
		if took := time.Since(began); took > sales*5*5*time.Millisecond/2 || d.most.Load() < 4 {
			t.Errorf("%d sales took %v, %d operations at once", sales, took, d.most.Load())
		}
	})
}

// A merchant reverses a request that still waits for the module, and whose PIN can't be translated
// then: the issuer never hears of either.
func TestReversalOfWhatNeverLeft(t *testing.T) {
	d := &distant{Module: securitytest.Soft(t), latency: time.Second, codes: true}
	runSecured(t, d, nil, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", pinSale(y, 1, "1234", "3530111222211119")) // of another card
		time.Sleep(100 * time.Millisecond)
		y.told(shop, "1420", reversal(2, 1, 700), "400")
		want(t, shop.read("1210"), map[int]string{39: "126"})
		primary.quiet(time.Minute)
		if st := y.sw.Status(); st.Owed != 0 || st.Shelved != 0 || st.Open != 0 {
			t.Errorf("owed %d, shelved %d, open %d", st.Owed, st.Shelved, st.Open)
		}
	})
}

// A slow module delays who needs it, and nobody else.
func TestSlowModule(t *testing.T) {
	d := &distant{Module: securitytest.Soft(t), latency: time.Second, codes: true}
	runSecured(t, d, nil, nil, func(y *yard, shop, primary, standby *peer) {
		for i := 1; i <= 20; i++ {
			e := pinSale(y, i, "1234", cardOf(i))
			e[2], e[41] = cardOf(i), fmt.Sprintf("PIN%05d", i)
			shop.send("1200", e)
		}
		for i := 101; i <= 150; i++ {
			began := time.Now()
			shop.send("1200", sale(i, 700))
			m := primary.read("1200")
			want(t, m, map[int]string{37: fmt.Sprintf("RRN%09d", i)})
			primary.answer(m, map[int]string{38: "A00001", 39: "000"})
			want(t, shop.read("1210"), map[int]string{11: fmt.Sprintf("%06d", i), 39: "000"})
			if took := time.Since(began); took > 10*time.Millisecond {
				t.Fatalf("a sale without a PIN took %v", took)
			}
		}
		for range 20 {
			primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000", 52: ""})
			want(t, shop.read("1210"), map[int]string{39: "000"})
		}
	})
}

// A sale behind one with a PIN, of the same terminal or of the same card, doesn't overtake it. Of
// each other they are nothing.
func TestNobodyIsOvertakenByHisNext(t *testing.T) {
	d := &distant{Module: securitytest.Soft(t), latency: 100 * time.Millisecond, codes: true}
	runSecured(t, d, nil, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", pinSale(y, 1, "1234", card))
		time.Sleep(time.Millisecond)
		shop.send("1200", with(sale(2, 700), map[int]string{2: cardOf(2)}))
		shop.send("1200", with(sale(3, 700), map[int]string{41: "TERM0002"}))
		var came []string
		for range 3 {
			m := primary.read("1200")
			came = append(came, value(m, 37))
			primary.answer(m, map[int]string{38: "A00001", 39: "000", 52: ""})
			shop.read("1210")
		}
		slices.Sort(came[1:])
		if !slices.Equal(came, []string{"RRN000000001", "RRN000000002", "RRN000000003"}) {
			t.Errorf("they came as %v", came)
		}
	})
}

// The module falls silent while requests wait for it: each is answered, none went out, none is
// reversed; and when it speaks again, business goes on.
func TestModuleFallsSilent(t *testing.T) {
	d := &distant{Module: securitytest.Soft(t), latency: time.Millisecond, codes: true}
	runSecured(t, d, nil, nil, func(y *yard, shop, primary, standby *peer) {
		d.silent.Store(true)
		for i := 1; i <= 10; i++ {
			shop.send("1200", pinSale(y, i, "1234", card))
		}
		answers := map[string]string{}
		for range 10 {
			a := shop.read("1210")
			want(t, a, map[int]string{39: "920"})
			answers[value(a, 11)] = string(a.Raw())
		}
		if len(answers) != 10 {
			t.Errorf("%d sales are answered", len(answers))
		}
		primary.quiet(time.Minute)
		if st := y.sw.Status(); st.Open != 0 || st.Owed != 0 {
			t.Errorf("%d open, %d owed", st.Open, st.Owed)
		}
		d.silent.Store(false)
		shop.send("1201", pinSale(y, 1, "1234", card))
		if a := shop.read("1210"); string(a.Raw()) != answers["000001"] {
			t.Error("the repeat got another answer")
		}
		shop.send("1200", pinSale(y, 11, "1234", card))
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000", 52: ""})
		want(t, shop.read("1210"), map[int]string{11: "000011", 39: "000"})
	})
}

// The module that verifies and makes all codes falls silent: nothing is trusted and nothing
// leaves; what waits at the issuer is reversed in the end, when the module speaks again.
func TestModuleOfCodesFallsSilent(t *testing.T) {
	d := &distant{Module: securitytest.Soft(t), latency: time.Millisecond}
	runSecured(t, d, nil, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		d.silent.Store(true)
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		shop.send("1200", sale(2, 700))
		shop.quiet(15 * time.Second)
		d.silent.Store(false)
		r := primary.read("1420")
		want(t, r, map[int]string{25: "4021", 37: "RRN000000001"})
		primary.answer(r, map[int]string{39: "400"})
		for _, a := range []string{value(shop.read("1210"), 39)} {
			if a != "911" {
				t.Errorf("answered %s", a)
			}
		}
		shop.send("1201", sale(2, 700)) // it was never taken: it is asked now
		primary.answer(primary.read("1200"), map[int]string{38: "A00002", 39: "000"})
		want(t, shop.read("1210"), map[int]string{11: "000002", 39: "000"})
	})
}

// The process dies while a request waits for the module, and while one waits for the issuer: both
// are reversed, for nobody knows what left, and the merchant's repeat is told so.
func TestRestartWithPINs(t *testing.T) {
	d := &distant{Module: securitytest.Soft(t), latency: time.Millisecond, codes: true}
	runSecured(t, d, nil, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", pinSale(y, 1, "1234", card))
		primary.read("1200")
		d.silent.Store(true)
		shop.send("1200", pinSale(y, 2, "1234", card))
		time.Sleep(100 * time.Millisecond)
		y.crash(shop, primary, standby)
		d.silent.Store(false)
		y.start()
		*primary, *standby = *y.issuer(y.doors[0], "primary"), *y.issuer(y.doors[1], "standby")
		time.Sleep(time.Second)
		*shop = *y.merchant()
		for range 2 {
			r := primary.read("1420")
			want(t, r, map[int]string{25: "4021"})
			if r.Has(52) {
				t.Error("the reversal has a PIN block")
			}
			primary.answer(r, map[int]string{39: "400"})
		}
		for i := 1; i <= 2; i++ {
			shop.send("1201", pinSale(y, i, "1234", card))
			want(t, shop.read("1210"), map[int]string{39: "911"})
		}
	})
}

// In production a module may not do PINs in this process: the switch doesn't start so. One that
// says no later is obeyed.
func TestProductionAndPINs(t *testing.T) {
	y := newYard(t, nil)
	secured(y, nil)
	y.config.Production, y.deps.Disk = true, y.disk
	_, err := cardswitch.New(y.config, y.deps)
	if !errors.Is(err, hsm.ErrForbidden) || !strings.Contains(err.Error(), "hint") ||
		!strings.Contains(err.Error(), "hq-1") {
		t.Errorf("the start says: %v", err)
	}
	d := &distant{Module: securitytest.Soft(t), codes: true}
	d.forbidden.Store(true)
	runSecured(t, d, nil, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", pinSale(y, 1, "1234", card))
		want(t, shop.read("1210"), map[int]string{39: "921"})
		primary.quiet(time.Second)
	})
}

// Security without keys is refused at the start.
func TestSecurityNeedsKeys(t *testing.T) {
	y := newYard(t, nil)
	secured(y, nil)
	y.deps.Keys, y.deps.Disk = nil, y.disk
	if _, err := cardswitch.New(y.config, y.deps); err == nil ||
		!strings.Contains(err.Error(), "hint") {
		t.Errorf("the start says: %v", err)
	}
}
