package cardswitch_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link/keyorder"
	"cardswitch/switch/security/securitytest"
	"cardswitch/switch/txn"
)

// runLent is runSecured as a shard that isn't the first: the merchant's keys are in a ring of their
// own, of the same module, and the switch's own ring has others under their names.
func runLent(t *testing.T, wants func(keyring.Slot, txn.Reason),
	scene func(y *yard, shop, primary *peer)) {
	t.Helper()
	runSecured(t, nil, nil, func(y *yard) {
		lent := securitytest.Ring(t, y.deps.Keys.Module())
		y.shop = &securitytest.Partner{T: t, Ring: lent, Center: "hq-1", Dialect: y.d,
			Padding: 1, Size: 8, Generations: true}
		y.shop.NewKeys()
		y.config.Lend(0)
		y.deps.Lent, y.deps.WantKey = lent, wants
	}, func(y *yard, shop, primary, _ *peer) { scene(y, shop, primary) })
}

// A shard checks codes and translates PINs with the keys that it is lent, and makes codes of its
// answers with them.
func TestLentKeys(t *testing.T) {
	runLent(t, nil, func(y *yard, shop, primary *peer) {
		shop.send("1200", pinSale(y, 1, "86420", card))
		m := primary.read("1200")
		if y.bank.Decipher(m, card) != "86420" {
			t.Error("the PIN arrives as another")
		}
		primary.answer(m, map[int]string{38: "A00001", 39: "000", 52: ""})
		want(t, shop.read("1210"), map[int]string{11: "000001", 39: "000"})
		shop.send("1420", reversal(2, 1, 700))
		want(t, shop.read("1430"), map[int]string{39: "400"})
		primary.answer(primary.read("1420"), map[int]string{39: "400"})
		slot := keyring.Slot{Purpose: keyring.ZAK, Center: "hq-1", Direction: keyring.In}
		err := y.sw.ChangeKey(context.Background(), keyring.By{Who: "test", Role: "test"}, slot)
		if err == nil || !strings.Contains(err.Error(), "first shard's") {
			t.Errorf("a key that is another's is changed: %v", err)
		}
	})
}

// A generation that the shard hasn't is refused and never guessed at, nor is a wrong code taken;
// who has the keys is asked for others, not too often. Once the generation is there, it is taken.
func TestLentKeysOutOfStep(t *testing.T) {
	var wanted []string
	runLent(t, func(slot keyring.Slot, why txn.Reason) {
		wanted = append(wanted, slot.String()+" "+why.String())
	}, func(y *yard, shop, primary *peer) {
		bare := shop.frame("1200", sale(1, 700), nil)
		for range 3 {
			shop.writeBare(y.shop.SealWith(bare, 0, 2))
			want(t, shop.read("1210"), map[int]string{11: "000001", 39: "917"})
		}
		time.Sleep(11 * time.Second)
		wrong := y.shop.Seal(bare)
		wrong[len(wrong)-1] ^= 1
		for range 3 {
			shop.writeBare(wrong)
			want(t, shop.read("1210"), map[int]string{39: "916"})
		}
		withPIN := shop.frame("1200", pinSale(y, 2, "1234", card), nil)
		shop.writeBare(y.shop.SealWith(withPIN, 9, 1))
		want(t, shop.read("1210"), map[int]string{11: "000002", 39: "919"})
		primary.quiet(time.Second)
		if n := y.shop.NewKey(keyring.ZAK, keyring.In); n != 2 {
			t.Fatal(n)
		}
		shop.send("1200", sale(1, 700))
		primary.answer(primary.read("1200"), map[int]string{38: "A00001", 39: "000"})
		want(t, shop.read("1210"), map[int]string{11: "000001", 39: "000"})
	})
	asked := []string{"zak:hq-1:in " + txn.MACKeyUnknown.String(),
		"zak:hq-1:in " + txn.MACWrong.String(), "zpk:hq-1:in " + txn.PINKeyUnknown.String()}
	if len(wanted) != 3 || wanted[0] != asked[0] || wanted[1] != asked[1] || wanted[2] != asked[2] {
		t.Errorf("asked for %q", wanted)
	}
}

// A shard that isn't lent the keys of a merchant with codes doesn't start.
func TestNothingLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		secured(y, nil)
		y.config.Lend(0)
		deps := y.deps
		deps.Disk, deps.Listen, deps.Dial = y.disk, y.net.Listen, y.net.Dial
		if sw, err := cardswitch.New(y.config, deps); err == nil {
			t.Error("it starts", sw.Discard())
		}
	})
}

// doorOf is a node's door at the first shard's switch: it says that it follows each order, after a
// time.
type doorOf struct {
	conn *keyorder.Conn

	mu     sync.Mutex
	orders []keyorder.Order
}

func (d *doorOf) heard() []keyorder.Order {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.orders)
}

func (d *doorOf) follow(after time.Duration) {
	for {
		var o keyorder.Order
		if d.conn.Receive(&o) != nil {
			return
		}
		time.Sleep(after)
		d.mu.Lock()
		d.orders = append(d.orders, o)
		d.mu.Unlock()
		if d.conn.Send(keyorder.Report{Round: o.Round}) != nil {
			return
		}
	}
}

// The first shard brings a merchant the key of its codes when the doors have said that all know it,
// and not before. It counts the uses that they tell it of, and brings another key when they say
// that one is out of step.
func TestTheFirstShardLends(t *testing.T) {
	const follows, keysAt = time.Second, "10.0.0.1:1"
	slot := keyring.Slot{Purpose: keyring.ZAK, Center: "hq-1", Direction: keyring.In}
	runSecured(t, nil, nil, func(y *yard) {
		y.config.Cluster = &cardswitch.ClusterConfig{Shard: "east",
			Shards: []cardswitch.ShardConfig{{Name: "east", Issuers: []string{"issuer-a"}}}}
		y.config.Centers[0].KeyChange = cardswitch.KeyChangeUs
		y.deps.Listen = func(address string) (net.Listener, error) {
			if address == cardswitch.KeysAddress {
				address = keysAt
			}
			return y.net.Listen(address)
		}
		by := keyring.By{Who: "test", Role: "test", Why: "test"}
		r, err := y.deps.Keys.Generate(context.Background(), by,
			keyring.Plan{Slot: keyring.Slot{Purpose: keyring.KBPK, Center: "hq-1"}})
		if err == nil {
			_, err = y.deps.Keys.Serve(context.Background(), by, r.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}, func(y *yard, shop, primary, _ *peer) {
		conn, err := y.net.Dial(context.Background(), keysAt)
		if err != nil {
			t.Fatal(err)
		}
		d := &doorOf{conn: keyorder.New(conn)}
		go d.follow(follows)
		time.Sleep(2 * follows)
		want := keyorder.Want{Slot: slot.String(), Why: uint16(txn.MACWrong)}
		used := keyorder.Use{Key: slot.String() + "@1", Times: 1000}
		before := y.deps.Keys.Uses(keyring.ID{Slot: slot, Generation: 1})
		err = d.conn.Send(keyorder.Report{Used: []keyorder.Use{used},
			Wanted: []keyorder.Want{want, want, {Slot: "zpk:nobody:in"}, {Slot: "kek"}}})
		if err != nil {
			t.Fatal(err)
		}
		shop.quiet(follows / 2)
		if n := len(d.heard()); n != 1 {
			t.Fatalf("%d orders", n)
		}
		m := shop.read("1804")
		if told := d.heard(); value(m, 24) != "811" || len(told) != 2 ||
			!slices.Equal(told[1].Coming[slot.String()], []uint16{2}) {
			t.Fatalf("function %s, told of %+v", value(m, 24), told)
		}
		if n := y.deps.Keys.Uses(keyring.ID{Slot: slot, Generation: 1}); n < before+used.Times {
			t.Errorf("%d uses", n)
		}
		shop.answer(m, map[int]string{39: "921", 53: string(m.Append(nil, 53)[6:]), 96: ""})
		_ = conn.Close()
	})
}
