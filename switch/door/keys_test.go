package door

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cardswitch/hsm/envelope"
	"cardswitch/hsm/mac"
	"cardswitch/spec"
	"cardswitch/switch/link"
	"cardswitch/switch/link/keyorder"
	"cardswitch/switch/link/linktest"
)

// secret is a link key in clear.
type secret [32]byte

func (s secret) PRF(message []byte) (out [16]byte, err error) {
	m, err := mac.New(mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, s[:])
	if err == nil {
		m.Sum(out[:0], message)
	}
	return out, err
}

func keyOf(generation uint16) envelope.Key {
	return envelope.Key{Generation: generation, PRF: secret{byte(generation), 7}}
}

// journal is the node's copy of the keys in a test.
type journal struct {
	mu      sync.Mutex
	version uint64
	sends   uint16
	usable  []uint16
	coming  []uint16
	fault   error
	used    []keyorder.Use
}

func (j *journal) Uses() []keyorder.Use {
	j.mu.Lock()
	defer j.mu.Unlock()
	used := j.used
	j.used = nil
	return used
}

func (j *journal) set(version uint64, sends uint16, usable ...uint16) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.version, j.sends, j.usable = version, sends, usable
}

func (j *journal) Refresh(context.Context) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.version, j.fault
}

func (j *journal) Expect(_ context.Context, coming map[string][]uint16) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.coming = coming["zek:shop/a"]
	return nil
}

func (j *journal) Newest(link string) (uint16, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.sends, j.sends != 0 && link == "shop/a"
}

func (j *journal) Key(link string, generation uint16) (envelope.Key, bool) {
	return keyOf(generation), slices.Contains(j.Usable(link), generation)
}

func (j *journal) Usable(string) []uint16 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Concat(j.usable, j.coming)
}

// holder is the switch of the first shard, as doors see it.
type holder struct {
	mu    sync.Mutex
	conns []*keyorder.Conn
	heard []keyorder.Report // on the newest connection
	order keyorder.Order    // sent at once to who comes
	mute  bool
}

func (o *holder) open(context.Context) (net.Conn, error) {
	ours, theirs := linktest.Pipe(64 << 10)
	conn := keyorder.New(theirs)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.conns, o.heard = append(o.conns, conn), nil
	if o.order.Round > 0 && !o.mute {
		_ = conn.Send(o.order)
	}
	go func() {
		for {
			var r keyorder.Report
			if conn.Receive(&r) != nil {
				_ = conn.Close()
				return
			}
			o.mu.Lock()
			if conn == o.conns[len(o.conns)-1] {
				o.heard = append(o.heard, r)
			}
			o.mu.Unlock()
		}
	}()
	return ours, nil
}

func (o *holder) says(order keyorder.Order) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.order = order
	_ = o.conns[len(o.conns)-1].Send(order)
}

// last is the newest report, and how many connections there were.
func (o *holder) last() (keyorder.Report, int) {
	synctest.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.heard) == 0 {
		return keyorder.Report{}, len(o.conns)
	}
	return o.heard[len(o.heard)-1], len(o.conns)
}

func (o *holder) all() []keyorder.Report {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.heard)
}

// sealedHouse is a house whose merchant is in an envelope.
type sealedHouse struct {
	*house
	keys    *journal
	holder  *holder
	session *envelope.Session
}

func openSealed(t *testing.T, signOn link.SignOn) *sealedHouse {
	t.Helper()
	h := &sealedHouse{keys: &journal{version: 1, sends: 1, usable: []uint16{1}}, holder: &holder{}}
	h.house = open(t, signOn, func(c *Config) {
		c.Keys, c.Orders = h.keys, h.holder.open
		c.Centers[0].Links[0].Envelope = &link.Envelope{ID: "shop/a", Keys: h.keys}
	})
	if err := h.shake(1); err != nil {
		t.Fatal(err)
	}
	return h
}

// shake has the merchant's fresh connection agree on a generation.
func (h *sealedHouse) shake(generation uint16) error {
	shake, err := envelope.NewInitiator("shop/a", generation,
		func(_ string, g uint16) (envelope.Key, envelope.Policy, bool) {
			return keyOf(g), envelope.Policy{}, true
		})
	if err != nil {
		return err
	}
	out := [][]byte{shake.Hello()}
	for {
		for _, frame := range out {
			if _, err := h.merchant.Write(appendFrame(nil, frame)); err != nil {
				return err
			}
		}
		if h.session = shake.Session(); h.session != nil {
			return nil
		}
		frame, err := h.frame()
		if err != nil {
			return err
		}
		if out, err = shake.Receive(frame); err != nil {
			return err
		}
	}
}

func (h *sealedHouse) frame() ([]byte, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(h.merchant, head); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint16(head))
	_, err := io.ReadFull(h.merchant, frame)
	return frame, err
}

// asks says a message in the envelope and gives the answer's type, or why there is none.
func (h *sealedHouse) asks(mti spec.MTI, elements map[int]string) string {
	h.t.Helper()
	clear, err := h.session.Sealer().Seal(nil, h.message(mti, elements))
	if err != nil {
		return err.Error()
	}
	if _, err := h.merchant.Write(appendFrame(nil, clear)); err != nil {
		return err.Error()
	}
	_ = h.merchant.SetReadDeadline(time.Now().Add(time.Second))
	frame, err := h.frame()
	if err != nil {
		return err.Error()
	}
	message, err := h.session.Opener().Open(frame)
	if err != nil {
		return err.Error()
	}
	return string(message[:4])
}

func (h *sealedHouse) buys() string {
	return h.asks(0x1200, map[int]string{2: eastCard, 3: "000000", 32: "12345678901"})
}

func (h *sealedHouse) wantStanding(sending, receiving uint16) {
	h.t.Helper()
	time.Sleep(2 * standTold)
	r, _ := h.holder.last()
	want := []keyorder.Standing{{Link: "shop/a", Sending: sending, Receiving: receiving,
		Connections: 1}}
	if diff := cmp.Diff(want, r.Standing); diff != "" {
		h.t.Error(diff)
	}
}

// A merchant's envelope ends at the door; the shard gets the message as it is, and is told of it.
func TestEnvelopesEndAtTheDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openSealed(t, link.SignOnNone)
		defer h.close()
		if got := h.buys(); got != "1210" {
			t.Error(got)
		}
		h.want("east", h.east.asked(), "1: 1200 000001")
		h.want("east is told", h.east.seen, "AES-256-GCM")
		h.wantStanding(1, 1)
		began := 0
		for _, r := range h.holder.all() {
			for _, s := range r.Begun {
				began += s.Connections
			}
		}
		if began != 1 {
			t.Errorf("the first shard hears of %d uses of the key", began)
		}
	})
}

// Before the first shard tells a merchant of a key, it waits for the door: which says that all know
// the key when this node's journal has brought it, and not before. From then on the merchant may
// use it. The door does when it is active.
func TestAKeyIsKnownBeforeItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openSealed(t, link.SignOnNone)
		defer h.close()
		time.Sleep(time.Second)
		h.holder.says(keyorder.Order{Round: 1, Version: 2,
			Coming: map[string][]uint16{"zek:shop/a": {2}}})
		time.Sleep(time.Second)
		if r, _ := h.holder.last(); r.Round != 0 {
			t.Fatalf("the door says that it follows, and doesn't have the key: %+v", r)
		}
		h.keys.set(2, 1, 1)
		time.Sleep(2 * followPause)
		if r, _ := h.holder.last(); r.Round != 1 {
			t.Fatalf("the door doesn't say that it follows: %+v", r)
		}
		if err := h.session.Install(2, keyOf(2).PRF); err != nil {
			t.Fatal(err)
		}
		if err := h.session.Switch(2); err != nil {
			t.Fatal(err)
		}
		if got := h.buys(); got != "1210" {
			t.Fatal(got)
		}
		h.wantStanding(1, 2)
		h.keys.set(3, 2, 1, 2) // the center has confirmed it
		h.holder.says(keyorder.Order{Round: 2, Version: 3})
		synctest.Wait()
		if got := h.buys(); got != "1210" {
			t.Fatal(got)
		}
		h.wantStanding(2, 2)
	})
}

// A door sends under a new key on connections that stood when it became active, though the merchant
// hasn't used it there yet: the merchant has said that it has it.
func TestAnIdleConnectionFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openSealed(t, link.SignOnNone)
		defer h.close()
		if err := h.session.Install(2, keyOf(2).PRF); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		h.keys.set(2, 2, 1, 2)
		h.holder.says(keyorder.Order{Round: 1, Version: 2})
		synctest.Wait()
		if got := h.buys(); got != "1210" { // asked under the old one
			t.Fatal(got)
		}
		h.wantStanding(2, 1)
	})
}

// A connection that agrees on the older of two keys goes on with it until the merchant uses the
// newer one: which one it has is not known.
func TestALateConnectionWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openSealed(t, link.SignOnNone)
		defer h.close()
		time.Sleep(time.Second)
		h.keys.set(2, 2, 1, 2)
		time.Sleep(time.Second)
		_ = h.merchant.Close()
		var err error
		if h.merchant, err = h.net.Dial(t.Context(), address); err != nil {
			t.Fatal(err)
		}
		if err := h.shake(1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := h.buys(); got != "1210" {
			t.Fatal(got)
		}
		h.wantStanding(1, 1)
		if err := errors.Join(h.session.Install(2, keyOf(2).PRF), h.session.Switch(2)); err != nil {
			t.Fatal(err)
		}
		if got := h.buys(); got != "1210" {
			t.Fatal(got)
		}
		time.Sleep(time.Second)
		if got := h.buys(); got != "1210" {
			t.Fatal(got)
		}
		h.wantStanding(2, 2)
	})
}

// What a door has begun under a key ends when that may not be used any more, whether the first
// shard can be reached or not. A merchant that offers such a key is refused.
func TestNothingGoesOnUnderAnOldKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openSealed(t, link.SignOnNone)
		defer h.close()
		h.east.moves(0, false)
		time.Sleep(time.Second)
		h.keys.set(2, 0)
		time.Sleep(2 * keysTended)
		if got := h.buys(); !strings.Contains(got, "EOF") && !strings.Contains(got, "end") {
			t.Errorf("the connection stands: %s", got)
		}
		var err error
		if h.merchant, err = h.net.Dial(t.Context(), address); err != nil {
			t.Fatal(err)
		}
		if err := h.shake(1); envelope.CauseOf(err) != envelope.Alerted {
			t.Errorf("a key that is no more: %v", err)
		}
		time.Sleep(5 * time.Second) // the end waits for the merchant's
		for _, c := range h.door.Network().Status().Centers {
			if n := c.Lines[0].Counters.Ended["link key expired"]; n != 1 {
				t.Errorf("%+v", c.Lines[0].Counters)
			}
		}
	})
}

// The door asks the first shard for orders wherever that is, and follows them anew there.
func TestOrdersFollowTheShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openSealed(t, link.SignOnNone)
		defer h.close()
		time.Sleep(time.Second)
		h.holder.says(keyorder.Order{Round: 7, Version: 1})
		if r, n := h.holder.last(); r.Round != 7 || n != 1 {
			t.Fatalf("%+v over %d connections", r, n)
		}
		h.east.moves(0, false)
		time.Sleep(time.Second)
		if _, n := h.holder.last(); n != 1 {
			t.Fatalf("%d connections, while no shard is there", n)
		}
		h.holder.mu.Lock()
		h.holder.order = keyorder.Order{Round: 1, Version: 1}
		h.holder.mu.Unlock()
		h.east.moves(3, false)
		time.Sleep(2 * standTold)
		if r, n := h.holder.last(); r.Round != 1 || n != 2 {
			t.Fatalf("%+v over %d connections", r, n)
		}
		if got := h.buys(); got != "1210" {
			t.Error(got)
		}
	})
}

// Who says nonsense, or what this node's journal doesn't bring, isn't obeyed and not believed: the
// connections go on under the keys that the journal has.
func TestALyingHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openSealed(t, link.SignOnNone)
		defer h.close()
		time.Sleep(time.Second)
		h.holder.mu.Lock()
		lying := h.holder.conns[0]
		h.holder.mu.Unlock()
		if err := lying.Send("no order"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if _, n := h.holder.last(); n != 2 {
			t.Errorf("%d connections after nonsense", n)
		}
		h.holder.says(keyorder.Order{Round: 1, Version: 99})
		time.Sleep(followTime + orderPause + time.Second)
		r, n := h.holder.last()
		if r.Round != 0 || n < 3 || n > 6 {
			t.Errorf("%+v over %d connections", r, n)
		}
		if got := h.buys(); got != "1210" {
			t.Error(got)
		}
	})
}

// An answer to what a shard asked is the shard's; one to the door's own echo test is the door's.
func TestAnswersGoToWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, link.SignOnNone)
		defer h.close()
		h.sale(eastCard)
		h.want("merchant", h.hears(time.Second), "1210 000001")
		ask := h.message(0x1804, map[int]string{24: "811", 11: "000077"})
		if _, err := h.east.conns[0].Write(appendFrame(nil, ask)); err != nil {
			t.Fatal(err)
		}
		h.want("merchant", h.hears(time.Second), "1804 000077")
		h.say(0x1814, map[int]string{24: "811", 11: "000077", 39: "800"})
		h.say(0x1814, map[int]string{24: "831", 11: "000078", 39: "800"})
		h.want("merchant", h.hears(time.Second))
		h.want("east", h.east.asked(), "1: 1200 000001", "1: 1814 000077")
	})
}
