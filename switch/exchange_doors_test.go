package cardswitch

import (
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cardswitch/switch/link/keyorder"
	"cardswitch/switch/link/linktest"
	"cardswitch/switch/security/securitytest"
)

// doorsAt listens for doors in a test.
func doorsAt(t *testing.T, mayLeave func() bool) (*keyDoors, func() *keyorder.Conn) {
	t.Helper()
	k := newKeyDoors(slog.New(slog.DiscardHandler), mayLeave, func(*keyorder.Report) {})
	n := linktest.New(64 << 10)
	listener, err := n.Listen("10.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	close := k.take(listener)
	t.Cleanup(close)
	return k, func() *keyorder.Conn {
		conn, err := n.Dial(t.Context(), "10.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		return keyorder.New(conn)
	}
}

func wantOrder(t *testing.T, c *keyorder.Conn, want keyorder.Order) {
	t.Helper()
	var got keyorder.Order
	if err := c.Receive(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A change is told when every door has said that its connections know of it, and not before; who
// comes meanwhile is waited for too. What is no change is told to nobody.
func TestDoorsKnowBeforeACenterIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, come := doorsAt(t, nil)
		k.tell(1, nil)
		one := come()
		wantOrder(t, one, keyorder.Order{Round: 1, Version: 1})
		told := make(chan bool)
		coming := map[string][]uint16{"zek:shop/a": {2}, "zak:shop:in": {7}}
		go func() {
			k.tell(2, coming)
			close(told)
		}()
		order := keyorder.Order{Round: 2, Version: 2, Coming: coming}
		wantOrder(t, one, order)
		time.Sleep(doorsWait / 2)
		select {
		case <-told:
			t.Fatal("it is told before a door knows it")
		default:
		}
		at := keyorder.Standing{Link: "shop/a", Sending: 1, Receiving: 1, Connections: 3}
		report := keyorder.Report{Round: 2, Standing: []keyorder.Standing{at}}
		if err := one.Send(report); err != nil {
			t.Fatal(err)
		}
		<-told
		if diff := cmp.Diff([]keyorder.Standing{at}, k.standing()); diff != "" {
			t.Error(diff)
		}
		k.tell(2, map[string][]uint16{"zak:shop:in": {7}, "zek:shop/a": {2}}) // nobody has to answer it
		two := come()
		wantOrder(t, two, order)
	})
}

// A door that is silent holds a change up for a bounded time, and is cut off; so is one that says
// nonsense. A door that leaves holds nothing up.
func TestADoorThatDoesNotFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, come := doorsAt(t, nil)
		k.tell(1, nil)
		silent, leaves, lies := come(), come(), come()
		for _, c := range []*keyorder.Conn{silent, leaves, lies} {
			wantOrder(t, c, keyorder.Order{Round: 1, Version: 1})
		}
		if err := lies.Send("no report"); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { _ = leaves.Close() })
		began := time.Now()
		k.tell(2, nil)
		if took := time.Since(began); took != doorsWait {
			t.Errorf("it took %s", took)
		}
		began = time.Now()
		k.tell(3, nil)
		if took := time.Since(began); took != 0 {
			t.Errorf("nobody is there any more, and it took %s", took)
		}
		wantOrder(t, silent, keyorder.Order{Round: 2, Version: 2})
		var o keyorder.Order
		if err := silent.Receive(&o); err == nil {
			t.Errorf("a door that was cut off hears %+v", o)
		}
	})
}

// A switch that is no more the active one orders nothing.
func TestAFencedSwitchOrdersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, come := doorsAt(t, func() bool { return false })
		k.tell(1, nil)
		var o keyorder.Order
		if err := come().Receive(&o); err == nil {
			t.Errorf("it orders %+v", o)
		}
	})
}

// Whatever a door says, the switch lives.
func FuzzDoorReport(f *testing.F) {
	f.Add([]byte(`{"round":1,"standing":[{"link":"a/b","sending":1,"receiving":2}]}` + "\n"))
	f.Add([]byte("{}\nnull\n[1]\n"))
	f.Add([]byte(`{"begun":[{"link":"hq/a","connections":-1}],"used":[{"key":"zak:hq:in@1"}],` +
		`"wanted":[{"slot":"zak:hq:in","why":65535}]}` + "\n"))
	module := securitytest.Soft(f)
	s := &Switch{log: slog.New(slog.DiscardHandler), deps: Deps{Keys: securitytest.Ring(f, module)}}
	hq := &profile{config: CenterConfig{Name: "hq", Role: RoleMerchant}}
	s.tables.Store(&tables{seats: map[uint16]seat{1: {&center{name: "hq"}, hq}}})
	f.Fuzz(func(t *testing.T, text []byte) {
		k := newKeyDoors(slog.New(slog.DiscardHandler), nil, s.heardOfKeys)
		k.tell(1, nil)
		ours, theirs := net.Pipe()
		go func() {
			_, _ = ours.Write(text)
			_ = ours.Close()
		}()
		k.serve(theirs)
		if left := k.all(); len(left) != 0 {
			t.Errorf("%d are left", len(left))
		}
	})
}
