package door

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/spec"
	"cardswitch/switch/link"
)

// visit is one connection of a merchant.
type visit struct {
	door   *Door
	link   *link.Link
	ctx    context.Context
	end    context.CancelFunc
	since  time.Time
	name   string      // "center/link"
	ways   []*way      // by shard
	signed atomic.Bool // it has signed on

	speaking sync.Once
	speech   chan func() // what the door says itself, with a code

	mu     sync.Mutex
	askers map[question]int // by answer that the merchant owes, the shard that asked
}

// mostOwed bounds how many of the shards' questions a merchant may leave open.
const mostOwed = 64

// Function codes of network management (DE 24).
const (
	signOn  = 801
	signOff = 802
	echo    = 831
)

// Up is link's.
func (d *Door) Up(l *link.Link) {
	v := &visit{door: d, link: l, since: time.Now(),
		name: l.Center().Name() + "/" + l.Name(), askers: make(map[question]int),
		speech: make(chan func(), mostSpeech)}
	v.ctx, v.end = context.WithCancel(context.Background())
	for i := range d.config.Shards {
		v.ways = append(v.ways, newWay(v, i))
	}
	l.Data = v
	d.mu.Lock()
	d.here[v] = true
	d.mu.Unlock()
	if d.config.Keys != nil {
		d.begins(v)
	}
}

// Down is link's. What was asked is not answered any more: the merchant asks again elsewhere.
func (d *Door) Down(l *link.Link, _ []link.Unsent, _ error) {
	v := l.Data.(*visit)
	d.mu.Lock()
	delete(d.here, v)
	d.mu.Unlock()
	v.end()
	for _, w := range v.ways {
		w.close()
	}
}

// Received is link's: each message goes to its shard.
func (d *Door) Received(l *link.Link, in []link.Inbound) {
	v := l.Data.(*visit)
	routes := d.routes.Load()
	for i := range in {
		m := &in[i]
		mti := m.Message.MTI()
		switch {
		case !m.Fault.OK():
			v.pass(0, m)
		case mti.Class() == 8 && mti.IsResponse():
			v.answered(m)
		case mti == 0x1804 && functionOf(&m.Message) == echo:
			d.echoed(v, m)
		case l.State() == link.Draining:
			// It was never here: who asked asks the node that it finds next.
		default:
			v.pass(routes.shardOf(&m.Message), m)
		}
	}
	for _, w := range v.ways {
		w.flush()
	}
	l.Flush()
}

func (v *visit) pass(shard int, m *link.Inbound) { v.ways[shard].ask(m) }

// asksFor notes that a shard asks the merchant something, as to take a key.
func (v *visit) asksFor(shard int, m *spec.Message) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.askers) >= mostOwed {
		clear(v.askers) // it answers none of them
	}
	v.askers[questionOf(m)] = shard
}

// answered takes the merchant's answer: to a shard, or to an echo test or sign-off of the door.
func (v *visit) answered(in *link.Inbound) {
	m := &in.Message
	q := questionOf(m)
	v.mu.Lock()
	shard, asked := v.askers[q]
	delete(v.askers, q)
	v.mu.Unlock()
	if asked {
		v.pass(shard, in)
		return
	}
	if codes := v.codes(); codes != nil {
		v.checked(codes, in)
		return
	}
	v.heard(functionOf(m))
}

// heard notes the answer to an echo test or sign-off of the door.
func (v *visit) heard(function int) {
	duty := link.SendEcho
	if function == signOff {
		duty = link.SendSignOff
	}
	v.link.NetworkAnswered(duty, true)
}

// session notes what the first shard answered to a sign-on or sign-off, and lets the others know.
func (v *visit) session(function, action int) {
	if action < 800 || action > 899 || function != signOn && function != signOff {
		return
	}
	on := function == signOn
	before := v.signed.Swap(on)
	v.link.SetSignedOn(on)
	if before == on {
		return
	}
	for _, w := range v.ways[1:] {
		w.anew()
	}
}

func functionOf(m *spec.Message) int {
	n, ok := m.Number(24)
	if !ok {
		return -1
	}
	return int(n)
}
