package door

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/hsm/envelope"
	"cardswitch/switch/link"
	"cardswitch/switch/link/keyorder"
)

// Keys are the node's own copy of the merchants' keys, for the door and for all shards but the
// first. They belong to that one, which makes, takes and ends them; its journal brings them here.
// Links are named "center/link".
type Keys interface {
	link.LinkKeys
	// Refresh reads what has come, and gives the version of it.
	Refresh(ctx context.Context) (version uint64, err error)
	// Expect says which keys centers may use already, though they aren't active yet, by slot; no
	// others.
	Expect(ctx context.Context, coming map[string][]uint16) error
	// Usable are the generations of a link that may be used now, the oldest first.
	Usable(link string) []uint16
	// Uses are those of other keys than links', since it was asked last.
	Uses() []keyorder.Use
}

const (
	// keysTended is how often the connections are looked at, whatever the first shard says.
	keysTended = 250 * time.Millisecond
	// standTold is how soon the first shard is told where connections stand.
	standTold = 100 * time.Millisecond
	// usesTold is how often it is told how often keys were used, in those times.
	usesTold = 10
	// mostWanted bounds how many keys out of step wait to be told of. Who wants one asks again.
	mostWanted = 64
	// followTime bounds how long an order may wait for this node's journal.
	followTime  = 3 * time.Second
	followPause = 5 * time.Millisecond
	orderPause  = time.Second // after an order that couldn't be followed
)

// keyState is what a door remembers of its links' keys.
type keyState struct {
	mu     sync.Mutex
	turned map[string]turn
	untold keyorder.Report // what the first shard wasn't told of; no round, no standing
	said   string          // the last fault, which isn't said again
}

// turn is since when a generation is sent with. All connections that stood then go on with it: the
// merchant has confirmed it, or uses it.
type turn struct {
	generation uint16
	at         time.Time // zero: since before there were connections
}

// tendsKeys keeps all connections at the keys of this node's journal, whether the first shard can
// be reached or not: so that nothing goes on under a key that has expired.
func (d *Door) tendsKeys(ctx context.Context) {
	ticker := time.NewTicker(keysTended)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		_, err := d.config.Keys.Refresh(ctx)
		d.say(err)
		d.bringAll()
	}
}

// say tells the log of a fault, once.
func (d *Door) say(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	d.keys.mu.Lock()
	defer d.keys.mu.Unlock()
	if text != "" && text != d.keys.said {
		d.log.Error("the door can't follow the merchants' keys", "error", text,
			"hint", "see `cardswitch cluster status` and key list of the first shard")
	}
	d.keys.said = text
}

// bringAll brings all connections up to date.
func (d *Door) bringAll() {
	d.turn(time.Now())
	known := make(map[string]linkKeys)
	for _, v := range d.all() {
		k, ok := known[v.name]
		if !ok {
			k = d.keysOf(v.name)
			known[v.name] = k
		}
		d.bring(v, k)
	}
}

// turn notes which links send with another generation from now on.
func (d *Door) turn(now time.Time) {
	d.keys.mu.Lock()
	defer d.keys.mu.Unlock()
	for _, c := range *d.merchants.Load() {
		for _, l := range c.Links {
			name := c.Name + "/" + l.Name
			newest, ok := d.config.Keys.Newest(name)
			was, known := d.keys.turned[name]
			switch {
			case !ok || was.generation == newest:
			case !known:
				d.keys.turned[name] = turn{generation: newest}
			default:
				d.keys.turned[name] = turn{newest, now}
			}
		}
	}
}

// linkKeys are the keys of a link at a moment.
type linkKeys struct {
	usable []envelope.Key // the oldest first
	sends  turn
}

func (d *Door) keysOf(name string) (k linkKeys) {
	for _, g := range d.config.Keys.Usable(name) {
		if key, ok := d.config.Keys.Key(name, g); ok {
			k.usable = append(k.usable, key)
		}
	}
	d.keys.mu.Lock()
	defer d.keys.mu.Unlock()
	k.sends = d.keys.turned[name]
	return k
}

func (k *linkKeys) has(generation uint16) bool {
	return slices.ContainsFunc(k.usable, func(one envelope.Key) bool {
		return one.Generation == generation
	})
}

// bring brings one connection up to date: it knows all keys that the merchant may use, sends with
// the newest one that the merchant has, and ends if it stands under one that may not be used.
func (d *Door) bring(v *visit, k linkKeys) {
	sending, receiving, ok := v.link.KeyPositions()
	if !ok {
		return
	}
	if !k.has(sending.Generation) || !k.has(receiving.Generation) {
		v.link.Close(link.KeyExpired)
		return
	}
	for _, one := range k.usable {
		if one.Generation > receiving.Generation {
			d.fault(v, v.link.InstallKey(one), envelope.NotLater)
		}
	}
	if to := k.sends.generation; to > sending.Generation &&
		(receiving.Generation == to || v.since.Before(k.sends.at)) {
		d.fault(v, v.link.SwitchKey(to), envelope.NotInstalled)
	}
}

// fault tells the log why a connection doesn't take a key, but for what is no fault.
func (d *Door) fault(v *visit, err error, but envelope.Cause) {
	if cause := envelope.CauseOf(err); err == nil || cause == but || cause == envelope.Ended {
		return
	}
	d.log.Warn("a connection doesn't take the new link key", "center", v.link.Center().Name(),
		"link", v.link.Name(), "connection", v.link.Number(), "error", err.Error(),
		"hint", "it ends when the old key does; connect again")
}

// obeys hears from the first shard which keys merchants may use, wherever that shard is active.
func (d *Door) obeys(ctx context.Context) {
	for ctx.Err() == nil {
		pause := openPause
		if place := d.config.Shards[0].Place(); place != 0 {
			opening, cancel := context.WithTimeout(ctx, openTime)
			conn, err := d.config.Orders(opening)
			cancel()
			if err == nil {
				pause = d.obey(ctx, keyorder.New(conn), place)
			}
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// obey is the life of a connection with the first shard, and says when to make the next one.
func (d *Door) obey(ctx context.Context, conn *keyorder.Conn, place uint64) (pause time.Duration) {
	ctx, end := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var round atomic.Uint64
	d.obeying.Store(true)
	defer d.obeying.Store(false)
	var telling sync.WaitGroup
	telling.Go(func() { d.tells(ctx, conn, place, &round) })
	defer telling.Wait()
	defer end()
	for {
		var o keyorder.Order
		if conn.Receive(&o) != nil {
			return openPause
		}
		err := d.heed(ctx, &o)
		if d.say(err); err != nil {
			return orderPause
		}
		round.Store(o.Round)
		if d.report(conn, o.Round, d.standing()) != nil {
			return openPause
		}
	}
}

// heed sees that every connection knows what the first shard says. Those that come later learn it
// in Up.
func (d *Door) heed(ctx context.Context, o *keyorder.Order) error {
	ctx, cancel := context.WithTimeout(ctx, followTime)
	defer cancel()
	for {
		version, err := d.config.Keys.Refresh(ctx)
		if err != nil {
			return err
		}
		if version >= o.Version {
			break
		}
		select {
		case <-time.After(followPause):
		case <-ctx.Done():
			return fmt.Errorf("this node's journal has version %d of the merchants' keys, not yet %d",
				version, o.Version)
		}
	}
	if err := d.config.Keys.Expect(ctx, o.Coming); err != nil {
		return err
	}
	d.bringAll()
	return nil
}

// tells reports where connections stand whenever that is another place, and ends the connection
// with a shard that has moved.
func (d *Door) tells(ctx context.Context, conn *keyorder.Conn, place uint64,
	round *atomic.Uint64) {
	defer conn.Close()
	ticker := time.NewTicker(standTold)
	defer ticker.Stop()
	var told []keyorder.Standing
	for n := 0; ; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if now := d.config.Shards[0].Place(); now != 0 && now != place {
			return
		}
		if n%usesTold == 0 {
			d.noteUses()
		}
		stand := d.standing()
		if slices.Equal(stand, told) && !d.untold() {
			continue
		}
		if d.report(conn, round.Load(), stand) != nil {
			return
		}
		told = stand
	}
}

// report tells the first shard where connections stand, and what has happened since the last time.
func (d *Door) report(conn *keyorder.Conn, round uint64, stand []keyorder.Standing) error {
	d.keys.mu.Lock()
	r := d.keys.untold
	d.keys.untold = keyorder.Report{}
	d.keys.mu.Unlock()
	r.Round, r.Standing = round, stand
	err := conn.Send(r)
	if err == nil {
		return nil
	}
	d.keys.mu.Lock()
	defer d.keys.mu.Unlock()
	for _, s := range r.Begun {
		d.keys.untold.Begun = keyorder.Count(d.keys.untold.Begun, s)
	}
	d.keys.use(r.Used)
	return err
}

func (d *Door) untold() bool {
	d.keys.mu.Lock()
	defer d.keys.mu.Unlock()
	r := &d.keys.untold
	return len(r.Begun)+len(r.Used)+len(r.Wanted) > 0
}

// noteUses notes how often keys were used.
func (d *Door) noteUses() {
	more := d.config.Keys.Uses()
	d.keys.mu.Lock()
	defer d.keys.mu.Unlock()
	d.keys.use(more)
}

// use adds uses to those that weren't told. Called with mu held.
func (k *keyState) use(more []keyorder.Use) {
	for _, u := range more {
		at := slices.IndexFunc(k.untold.Used, func(one keyorder.Use) bool { return one.Key == u.Key })
		if at < 0 {
			k.untold.Used = append(k.untold.Used, u)
		} else {
			k.untold.Used[at].Times += u.Times
		}
	}
}

// WantKey has the first shard told that another one and a merchant don't agree on a key.
func (d *Door) WantKey(w keyorder.Want) {
	d.keys.mu.Lock()
	defer d.keys.mu.Unlock()
	if len(d.keys.untold.Wanted) < mostWanted {
		d.keys.untold.Wanted = append(d.keys.untold.Wanted, w)
	}
}

// begins notes a fresh connection and has it know what there is, before anything is read from it.
func (d *Door) begins(v *visit) {
	sending, receiving, ok := v.link.KeyPositions()
	if !ok {
		return
	}
	d.keys.mu.Lock()
	d.keys.untold.Begun = keyorder.Count(d.keys.untold.Begun, keyorder.Standing{Link: v.name,
		Sending: sending.Generation, Receiving: receiving.Generation, Connections: 1})
	d.keys.mu.Unlock()
	d.turn(v.since)
	d.bring(v, d.keysOf(v.name))
}

// Obeying tells whether the first shard can tell the door of link keys now.
func (d *Door) Obeying() bool { return d.obeying.Load() }

// standing is where all connections with an envelope stand, by link and generations.
func (d *Door) standing() (list []keyorder.Standing) {
	for _, v := range d.all() {
		sending, receiving, ok := v.link.KeyPositions()
		if !ok {
			continue
		}
		list = keyorder.Count(list, keyorder.Standing{Link: v.name, Sending: sending.Generation,
			Receiving: receiving.Generation, Connections: 1})
	}
	return list
}
