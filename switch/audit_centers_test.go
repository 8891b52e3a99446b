package cardswitch_test

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	cardswitch "cardswitch/switch"
)

// A sale went to an issuer that has been taken out of the configuration since: its reversal can't
// be delivered, which must not hurt anybody else.
func TestReversalToIssuerThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		primary, standby := y.openBoth()
		shop := y.merchant()
		shop.send("1200", sale(1, 700))
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		time.Sleep(time.Minute)
		y.close(shop, primary, standby)

		y.config.Centers[1].Name = "issuer-b"
		text := "ranges:\n  - {prefix: \"353011\", destinations: [issuer-b]}\n"
		if err := os.WriteFile(y.config.Routing.Files[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		y.start()
		primary, standby = y.issuer(y.doors[0], "primary"), y.issuer(y.doors[1], "standby")
		time.Sleep(time.Second)
		shop = y.merchant()
		shop.send("1420", reversal(2, 1, 700))
		want(t, shop.read("1430"), map[int]string{39: "908"})
		shop.send("1200", sale(3, 700))
		primary.answer(primary.read("1200"), map[int]string{38: "A00003", 39: "000"})
		want(t, shop.read("1210"), map[int]string{39: "000"})
		y.close(shop, primary, standby)
	})
}

// An issuer is taken out while it works on a request: its link is drained, so its answer counts.
func TestIssuerTakenOutWhileItAnswers(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		shop.send("1200", sale(1, 700))
		m := primary.read("1200")
		config := y.config
		config.Centers = append([]cardswitch.CenterConfig(nil), config.Centers...)
		config.Centers[1].Name = "issuer-b"
		config.Centers[1].Links = []cardswitch.LinkConfig{{Name: "primary", Dial: "127.0.0.1:7999"}}
		text := "ranges:\n  - {prefix: \"353011\", destinations: [issuer-b]}\n"
		if err := os.WriteFile(config.Routing.Files[0], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		config.Complete()
		if err := y.sw.Reload(config); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		primary.answer(m, map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{11: "000001", 39: "000"})
	})
}

// What waits was read in one dialect, so a center can't get another while the switch runs.
func TestReloadOfDialect(t *testing.T) {
	for center := range 2 {
		run(t, nil, func(y *yard, shop, primary, standby *peer) {
			shop.send("1200", sale(1, 700))
			m := primary.read("1200")
			config := y.config
			config.Centers = append([]cardswitch.CenterConfig(nil), config.Centers...)
			config.Centers[center].Dialect = "ebcdic"
			if err := y.sw.Reload(config); err == nil {
				t.Error("a center got another dialect while requests of its were open")
			}
			primary.answer(m, map[int]string{38: "A00001", 39: "000"})
			want(t, shop.read("1210"), map[int]string{11: "000001", 39: "000"})
		})
	}
}

// Two reloads at once, while advices are read back and answers leave.
func TestReloadsAtOnce(t *testing.T) {
	run(t, nil, func(y *yard, shop, primary, standby *peer) {
		done := make(chan error, 3)
		for range cap(done) {
			go func() {
				for range 5 {
					if err := y.sw.Reload(y.config); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for stan := range 20 {
			e := sale(stan+1, 300)
			e[25], e[38], e[39] = "1004", "OFF001", "000"
			shop.send("1220", e)
			want(t, shop.read("1230"), map[int]string{39: "900"})
			m := primary.read("1220")
			primary.answer(m, map[int]string{39: "900"})
		}
		for range cap(done) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}
