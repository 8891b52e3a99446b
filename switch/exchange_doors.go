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
	"cardswitch/switch/txn"
)

// keyDoors are the nodes' doors, which have the merchants' connections where there are several
// shards. The first shard's switch, this one, has the merchants' keys: it tells the doors of each
// change before a center is told, for all shards on their nodes, and hears from them where
// connections stand and what became of keys.
type keyDoors struct {
	log      *slog.Logger
	mayLeave func() bool // nil: always
	hears    func(r *keyorder.Report)

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
	hears func(r *keyorder.Report)) *keyDoors {
	return &keyDoors{log: log, mayLeave: mayLeave, hears: hears, here: make(map[*keyDoor]bool)}
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
		k.log.Warn("what a door says of merchants' keys isn't understood", "door", d.name,
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
	k.hears(r)
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

// tell tells the doors which keys there are, if that is news, and returns when all their
// connections and the other shards know them. A door that doesn't follow in time is cut off.
func (k *keyDoors) tell(version uint64, coming map[string][]uint16) {
	round, renewed := k.renew(version, coming)
	if !renewed {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), doorsWait)
	defer cancel()
	for _, d := range k.all() {
		if !k.follows(ctx, d, round) {
			k.log.Warn("a node's door doesn't follow the merchants' keys", "door", d.name,
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
		s.log.Error("doors can't be told of merchants' keys", "error", err.Error(),
			"hint", "restart this node")
		return func() {}
	}
	return s.exchange.doors.take(listener)
}

// tellDoors tells the doors of a change of keys. Of the exchange's goroutine.
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

// heardOfKeys counts the uses of keys at the doors and in other shards, and asks for keys that are
// out of step there as if they were here.
func (s *Switch) heardOfKeys(r *keyorder.Report) {
	for _, begun := range r.Begun {
		if slot, ok := keyring.LinkSlot(begun.Link); ok {
			s.deps.Keys.Used(keyring.ID{Slot: slot, Generation: begun.Sending},
				uint64(max(0, begun.Connections)))
		}
	}
	for _, used := range r.Used {
		if id, err := keyring.ParseID(used.Key); err == nil {
			s.deps.Keys.Used(id, used.Times)
		}
	}
	for _, wanted := range r.Wanted {
		slot, err := keyring.ParseSlot(wanted.Slot)
		if err != nil || slot.Purpose != keyring.ZAK && slot.Purpose != keyring.ZPK {
			continue
		}
		for _, seat := range s.tables.Load().seats {
			if seat.profile.config.Name == slot.Center && seat.profile.config.Role == RoleMerchant {
				s.wantKey(seat.center, slot.Purpose, slot.Direction, txn.Reason(wanted.Why))
			}
		}
	}
}

// generations are the keys that are on their way to their centers, by slot. Of the exchange's
// goroutine.
func (x *exchange) generations() map[string][]uint16 {
	out := make(map[string][]uint16)
	for id := range x.forget {
		slot := id.Slot.String()
		out[slot] = append(out[slot], id.Generation)
	}
	for _, list := range out {
		slices.Sort(list)
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
