package payshield

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/payshield"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
	"cardswitch/switch/link/linktest"
)

// zones are two zone keys inside, whose bytes the test has as well.
type zones struct {
	module   *payshield.Module
	from, to hsm.Key
	seal     *pinblock.Key
	open     *pinblock.Key
}

func pinKey() hsm.KeySpec {
	return hsm.KeySpec{Usage: keyblock.UsageP0, Algorithm: keyblock.TDES, Size: 16,
		Mode: keyblock.ModeB, Export: keyblock.ExportE}
}

func zonesOf(t testing.TB, m *payshield.Module, u *Simulator) zones {
	t.Helper()
	a, b := unhex(t, "0123456789ABCDEFFEDCBA9876543210"), unhex(t, "89E88CF7931444F334BD7547FC3F380C")
	z := zones{module: m}
	var errs [4]error
	z.from, errs[0] = m.Load(t.Context(), plant(t, u, pinKey(), a))
	z.to, errs[1] = m.Load(t.Context(), plant(t, u, pinKey(), b))
	z.seal, errs[2] = pinblock.NewTDESKey(a)
	z.open, errs[3] = pinblock.NewTDESKey(b)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return z
}

// translate carries a PIN that only this call has, and says whether the same came out.
func (z *zones) translate(ctx context.Context, n int) (right bool, err error) {
	pan, _ := spec.ParsePAN(fmt.Sprintf("4012345%08d5", n))
	pin, _ := pinblock.ParsePIN([]byte(fmt.Sprintf("%06d", n%1000000)))
	block, err := z.seal.Encrypt(nil, pinblock.Format0, pin, pan)
	if err != nil {
		return false, err
	}
	got, err := z.module.TranslatePIN(ctx, hsm.PINTranslation{From: z.from, To: z.to, PAN: pan,
		FromFormat: pinblock.Format0, ToFormat: pinblock.Format0, Block: block})
	if err != nil {
		return false, err
	}
	out, err := z.open.Decrypt(pinblock.Format0, pinblock.Digits, pan, got)
	return err == nil && out.Equal(pin), nil
}

func hasty(c *payshield.Config) {
	c.Limits.Timeout = 150 * time.Millisecond
	c.Limits.Health = 100 * time.Millisecond
	c.Limits.Lost = 500 * time.Millisecond
	c.Limits.Rest = 100 * time.Millisecond
}

// One unit misbehaves in every way while the other is well: each call has its own answer, or none,
// and as many as it takes come through. How many don't, a busy machine decides: it makes the well
// unit silent too, for as long as a call may take here.
func TestLoadWithAUnitGoneWild(t *testing.T) {
	bad, good := unit(t, nil), unit(t, func(o *Options) { o.Latency = Delay{0, 3 * time.Millisecond} })
	m := driver(t, hasty, bad, good)
	z := zonesOf(t, m, good)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	wanted := []string{"CC 00", "CC silent", "CC cut", "CC garbage", "CC wrong-header"}
	faults := []Fault{{Do: Silent, Chance: 0.02}, {Do: Cut, Chance: 0.01, Bytes: 9},
		{Do: Half, Chance: 0.005, Bytes: 5}, {Do: Garbage, Chance: 0.01},
		{Do: WrongHeader, Chance: 0.01}, {Do: WrongCommand, Chance: 0.01},
		{Do: Twice, Chance: 0.02}, {Do: Refuse, Code: "41", Chance: 0.02},
		{Chance: 0.05, Delay: Delay{100 * time.Millisecond, 300 * time.Millisecond}}}
	for i := range faults {
		faults[i].Command = "CC"
	}
	bad.SetFaults(faults...)
	var right, late atomic.Int64
	var calling sync.WaitGroup
	calling.Go(func() {
		for ctx.Err() == nil {
			time.Sleep(200 * time.Millisecond)
			bad.Cut()
		}
	})
	for g := range 16 {
		calling.Go(func() {
			for n := g * 100000; ctx.Err() == nil; n++ {
				ok, err := z.translate(t.Context(), n)
				switch {
				case err == nil && ok:
					right.Add(1)
				case errors.Is(err, hsm.ErrUnavailable):
					late.Add(1)
					time.Sleep(5 * time.Millisecond) // rather than ask a pool that is down without a pause
				default:
					t.Errorf("call %d: right is %v, %v", n, ok, err)
				}
				if right.Load() >= 2000 && seen(bad, wanted) {
					cancel()
				}
			}
		})
	}
	calling.Wait()
	t.Logf("%d right, %d without an answer; the wild unit: %v", right.Load(), late.Load(),
		bad.Counts())
	if right.Load() < 2000 || !seen(bad, wanted) {
		t.Errorf("%d right, %d without an answer in a minute", right.Load(), late.Load())
	}
}

// seen tells whether a unit has done each of these at least once.
func seen(unit *Simulator, wanted []string) bool {
	counts := unit.Counts()
	return !slices.ContainsFunc(wanted, func(what string) bool { return counts[what] == 0 })
}

func TestEachFaultAlone(t *testing.T) {
	for _, fault := range []Fault{{Do: Silent}, {Do: Cut}, {Do: Cut, Bytes: 1}, {Do: Half, Bytes: 7},
		{Do: Garbage}, {Do: WrongHeader}, {Do: WrongCommand}, {Do: Refuse, Code: "13"},
		{Delay: Delay{time.Second, time.Second}}} {
		fault.Command = "CC"
		t.Run(fmt.Sprintf("%s %d", fault.Do, fault.Bytes), func(t *testing.T) {
			pair(t, hasty, func(t *testing.T, m *payshield.Module, bad, good *Simulator) {
				z := zonesOf(t, m, good)
				bad.SetFaults(fault)
				waitFor(t, func() bool { return m.Status()[0].Up && m.Status()[1].Up })
				for n := range 3 {
					if right, err := z.translate(t.Context(), n); err != nil || !right {
						t.Errorf("right is %v, %v", right, err)
					}
				}
				if good.Counts()["CC 00"] == 0 {
					t.Error("the good unit was never asked")
				}
			})
		})
	}
}

// pair plays with two units on a clock of their own: a busy machine would make good ones miss the
// time of a driver that is hasty.
func pair(t *testing.T, change func(c *payshield.Config),
	play func(t *testing.T, m *payshield.Module, a, b *Simulator)) {
	synctest.Test(t, func(t *testing.T) {
		n := linktest.New(1 << 16)
		here := func(o *Options) { o.ListenFunc = n.Listen }
		a, b := unit(t, here), unit(t, here)
		play(t, driver(t, func(c *payshield.Config) {
			c.Dial = n.Dial
			change(c)
		}, a, b), a, b)
	})
}

func waitFor(t testing.TB, true func() bool) {
	t.Helper()
	for until := time.Now().Add(5 * time.Second); !true(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it never came true")
		}
	}
}

func TestBothUnitsDown(t *testing.T) {
	pair(t, func(c *payshield.Config) {
		hasty(c)
		c.Limits.Timeout = 30 * time.Second
	}, bothDown)
}

func bothDown(t *testing.T, m *payshield.Module, a, b *Simulator) {
	z := zonesOf(t, m, a)
	a.Close()
	b.Close()
	waitFor(t, func() bool { return !m.Status()[0].Up && !m.Status()[1].Up })
	began := time.Now()
	if _, err := z.translate(t.Context(), 1); !errors.Is(err, hsm.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestASlowUnitRests(t *testing.T) {
	pair(t, func(c *payshield.Config) {
		hasty(c)
		c.Limits.Rest = time.Minute
	}, slowRests)
}

func slowRests(t *testing.T, m *payshield.Module, slow, quick *Simulator) {
	z := zonesOf(t, m, quick)
	waitFor(t, func() bool { return m.Status()[0].Up && m.Status()[1].Up })
	slow.SetFaults(Fault{Command: "CC", Delay: Delay{300 * time.Millisecond, 300 * time.Millisecond}})
	for n := range 3 {
		if right, err := z.translate(t.Context(), n); err != nil || !right {
			t.Fatalf("right is %v, %v", right, err)
		}
	}
	if !m.Status()[0].Resting {
		t.Errorf("status %+v", m.Status()[0])
	}
	waitFor(t, func() bool { return slow.Counts()["CC 00"] == 3 })
	for n := range 20 {
		if right, err := z.translate(t.Context(), n); err != nil || !right {
			t.Errorf("right is %v, %v", right, err)
		}
	}
	time.Sleep(400 * time.Millisecond) // longer than it takes to answer
	if slow.Counts()["CC 00"] != 3 {
		t.Errorf("the resting unit was asked: %v", slow.Counts())
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		a, err := Start(t.Context(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := payshield.New(payshield.Config{Units: []payshield.Unit{{Address: a.Address()},
			{Name: "nobody", Address: "127.0.0.1:1"}}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		a.SetFaults(Fault{Do: Silent, Command: "N0"})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := m.Random(ctx, make([]byte, 8)); err == nil {
			t.Error("silence is an answer")
		}
		cancel()
		m.Close()
		a.Close()
	}
	for until := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; {
		if time.Now().After(until) {
			t.Fatalf("%d goroutines, before there were %d", runtime.NumGoroutine(), before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// certified is a certificate for the loopback.
func certified(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, form, form, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der},
			PrivateKey: private}}},
		&tls.Config{RootCAs: trusted, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

func TestTLS(t *testing.T) {
	server, client := certified(t)
	u := unit(t, func(o *Options) { o.TLS = server })
	m := driver(t, func(c *payshield.Config) { c.Units[0].TLS = client }, u)
	z := zonesOf(t, m, u)
	if right, err := z.translate(t.Context(), 7); err != nil || !right {
		t.Errorf("right is %v, %v", right, err)
	}
	_, stranger := certified(t)
	for name, wrong := range map[string]*tls.Config{"another authority": stranger, "plain": nil} {
		m, err := payshield.New(payshield.Config{Units: []payshield.Unit{{Address: u.Address(),
			TLS: wrong}}, Limits: payshield.Limits{Connect: 200 * time.Millisecond},
			Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		if err := m.Ready(ctx); !errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("%s: error %v", name, err)
		}
		cancel()
		m.Close()
	}
}

func TestOtherHeadersAndLMKs(t *testing.T) {
	for _, size := range []int{2, 4, 12, 32} {
		u := unit(t, func(o *Options) {
			o.Header = size
			o.LMKID = "03"
		})
		m := driver(t, func(c *payshield.Config) {
			c.Header = size
			c.LMK = "03"
			c.LMKCheck = u.LMKCheck()
		}, u)
		z := zonesOf(t, m, u)
		if right, err := z.translate(t.Context(), 7); err != nil || !right {
			t.Errorf("header of %d: right is %v, %v", size, right, err)
		}
	}
}

// BenchmarkTranslatePIN is the driver with a unit that does its work in the same process.
func BenchmarkTranslatePIN(b *testing.B) {
	u := unit(b, nil)
	m := driver(b, nil, u)
	z := zonesOf(b, m, u)
	var n atomic.Int64
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if right, err := z.translate(b.Context(), int(n.Add(1))); err != nil || !right {
				b.Errorf("right is %v, %v", right, err)
			}
		}
	})
}
