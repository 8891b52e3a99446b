package cardswitch

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"cardswitch/hsm/keyring"
	"cardswitch/switch/link/keyorder"
)

// keyDoors are the nodes' doors, which have the merchants' connections where there are several
// shards. The first shard's switch, this one, has the keys of those: it tells the doors of each
// change before a center is told, and hears from them where connections stand.
type keyDoors struct {
	log      *slog.Logger
	mayLeave func() bool                                 // nil: always
	begun    func(link string, generation uint16, n int) // connections, each a use of the key

	mu    sync.Mutex
	order keyorder.Order
	here  map[*keyDoor]bool
}

// keyDoor is one of them.
type keyDoor struct {
	conn  *keyorder.Conn
	name  string
	newer chan struct{} // there is an order that it wasn't sent
	heard chan struct{} // it has reported
	ended chan struct{}

	// Under keyDoors.mu.
	round    uint64
	standing []keyorder.Standing
}

// doorsWait bounds how long doors have to follow an order. One that doesn't is cut off: it follows
// before it is here again.
const doorsWait = 4 * time.Second

func newKeyDoors(log *slog.Logger, mayLeave func() bool,
	begun func(link string, generation uint16, n int)) *keyDoors {
	return &keyDoors{log: log, mayLeave: mayLeave, begun: begun, here: make(map[*keyDoor]bool)}
}

// take takes in the doors that come to a listener, until it is called off.
func (k *keyDoors) take(listener net.Listener) (close func()) {
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { k.serve(conn) })
		}
	})
	return func() {
		_ = listener.Close()
		for _, d := range k.all() {
			_ = d.conn.Close()
		}
		serving.Wait()
	}
}

// serve is the life of a door's connection.
func (k *keyDoors) serve(conn net.Conn) {
	d := &keyDoor{conn: keyorder.New(conn), name: conn.RemoteAddr().String(),
		newer: make(chan struct{}, 1), heard: make(chan struct{}, 1), ended: make(chan struct{})}
	k.enter(d)
	var sending sync.WaitGroup
	sending.Go(func() { k.send(d) })
	var err error
	for err == nil {
		var r keyorder.Report
		if err = d.conn.Receive(&r); err == nil {
			k.note(d, &r)
		}
	}
	if !errors.Is(err, net.ErrClosed) {
		k.log.Warn("what a door says of link keys isn't understood", "door", d.name,
			"error", err.Error(), "hint", "see that all nodes run the same release")
	}
	k.leave(d)
	close(d.ended)
	_ = d.conn.Close()
	sending.Wait()
}

// send sends a door the newest order whenever there is one.
func (k *keyDoors) send(d *keyDoor) {
	defer d.conn.Close()
	for {
		select {
		case <-d.newer:
		case <-d.ended:
			return
		}
		if k.mayLeave != nil && !k.mayLeave() || d.conn.Send(k.newest()) != nil {
			return
		}
	}
}

func (k *keyDoors) enter(d *keyDoor) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.here[d] = true
	poke(d.newer)
}

func (k *keyDoors) leave(d *keyDoor) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.here, d)
}

func (k *keyDoors) note(d *keyDoor, r *keyorder.Report) {
	for _, s := range r.Begun {
		k.begun(s.Link, s.Sending, max(0, s.Connections))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	d.round, d.standing = max(d.round, r.Round), r.Standing
	poke(d.heard)
}

func (k *keyDoors) newest() keyorder.Order {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.order
}

func (k *keyDoors) all() []*keyDoor {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Keys(k.here))
}

// standing is where the connections of all doors stand.
func (k *keyDoors) standing() (list []keyorder.Standing) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for d := range k.here {
		list = append(list, d.standing...)
	}
	return list
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// tell tells the doors which link keys there are, if that is news, and returns when all their
// connections know them. A door that doesn't follow in time is cut off.
func (k *keyDoors) tell(version uint64, coming map[string][]uint16) {
	round, renewed := k.renew(version, coming)
	if !renewed {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), doorsWait)
	defer cancel()
	for _, d := range k.all() {
		if !k.follows(ctx, d, round) {
			k.log.Warn("a node's door doesn't follow the link keys", "door", d.name,
				"version", version, "hint", "its merchants may have to connect again; see cluster status")
			k.leave(d)
			_ = d.conn.Close()
		}
	}
}

// renew makes another order, if it says something new.
func (k *keyDoors) renew(version uint64, coming map[string][]uint16) (round uint64, renewed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	o := &k.order
	if o.Round > 0 && o.Version == version && maps.EqualFunc(o.Coming, coming, slices.Equal) {
		return o.Round, false
	}
	k.order = keyorder.Order{Round: o.Round + 1, Version: version, Coming: coming}
	for d := range k.here {
		poke(d.newer)
	}
	return k.order.Round, true
}

// follows waits until a door follows an order; false: it doesn't in time. One that has left is no
// concern: its connections have ended, or it follows before it is here again.
func (k *keyDoors) follows(ctx context.Context, d *keyDoor, round uint64) bool {
	for {
		k.mu.Lock()
		done := d.round >= round
		k.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-d.heard:
		case <-d.ended:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// openKeyDoors takes doors in until it is called off.
func (s *Switch) openKeyDoors() (close func()) {
	s.tellDoors() // so that there is an order
	listener, err := s.deps.Listen(KeysAddress)
	if err != nil {
		s.log.Error("doors can't be told of link keys", "error", err.Error(),
			"hint", "restart this node")
		return func() {}
	}
	return s.exchange.doors.take(listener)
}

// tellDoors tells the doors of a change of link keys. Of the exchange's goroutine.
func (s *Switch) tellDoors() {
	if s.exchange.doors == nil {
		return
	}
	version, err := s.store.KeyWitness().Version()
	if err != nil {
		return // the store has failed, and says so
	}
	s.exchange.doors.tell(version, s.exchange.generations())
}

// countUses counts the connections that have begun at the doors under a link key.
func (s *Switch) countUses(link string, generation uint16, n int) {
	if slot, ok := keyring.LinkSlot(link); ok {
		s.deps.Keys.Used(keyring.ID{Slot: slot, Generation: generation}, uint64(n))
	}
}

// generations are the keys that are on their way to their centers, by link.
func (x *exchange) generations() map[string][]uint16 {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := make(map[string][]uint16)
	for name, keys := range x.coming {
		for _, k := range keys {
			out[name] = append(out[name], k.Generation)
		}
	}
	return out
}

// standings are where connections stand under their link keys, here and at the doors.
func (s *Switch) standings() (list []keyorder.Standing) {
	for _, l := range s.network.Links() {
		if sending, receiving, ok := l.KeyPositions(); ok {
			list = append(list, keyorder.Standing{Link: l.Center().Name() + "/" + l.Name(),
				Sending: sending.Generation, Receiving: receiving.Generation, Connections: 1})
		}
	}
	if s.exchange.doors != nil {
		list = append(list, s.exchange.doors.standing()...)
	}
	return list
}
