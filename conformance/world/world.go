package world

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"cardswitch/conformance/load/sealed"
	"cardswitch/hsm/keyring"
	"cardswitch/spec"
	"cardswitch/spec/dialect"
	cardswitch "cardswitch/switch"
)

const (
	institution = "99999000001"
	bankTime    = 2 * time.Second // that the switch gives an issuer
	// healTime is how long all may take to drain once the faults have stopped: longer than the
	// longest pause between two dials.
	healTime = 100 * time.Second
)

// World is one world. All of its parties live under one lock: what they do takes no time.
type World struct {
	options Options
	ground  *Ground
	clock   *clock
	network *network
	nodes   []*node
	config  cardswitch.Config
	keys    *keyring.Ring // in a security module, which outlives processes
	starts  uint64        // of switches
	between *between      // the nodes; nil: there is one
	fencing *fencing
	apart   atomic.Bool // lost nodes may serve until they hear of the promotion
	shops   []*shop
	banks   []*bank
	ends    map[string]*sealed.End // of their links, if these have envelopes
	witness *witness
	order   *order
	history history

	mu     sync.Mutex
	trace  trace
	faults bool // the first phase
	over   bool
	broken []string // what must never happen, and did

	parties sync.WaitGroup // all that shops and banks do of their own
}

// Result is what a world came to.
type Result struct {
	Options Options
	Broken  []string // empty: all promises were kept
	Digest  uint64   // of all that happened
	Events  int
	Sales   int
	Starts  int
	Late    int    // writes that a pause held up until their node wasn't active any more
	Calls   []Call // what the centers asked and did
	Last    string // the last lines
}

// Ground is what all worlds of a process share: files that the switch reads, and the format that
// all centers speak, which takes longer to make than a whole world.
type Ground struct {
	dir     string
	dialect *spec.Dialect
}

// NewGround makes the files in dir.
func NewGround(dir string) (*Ground, error) {
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		return nil, err
	}
	return &Ground{dir, d}, prepare(dir)
}

// Run plays the world of the options, in the bubble that it is called in. each is given every line
// as it happens, if it isn't nil.
func Run(o Options, g *Ground, each func(string)) Result {
	w := &World{options: o, clock: &clock{classes: o.classes(), taken: map[int64]bool{}},
		witness: newWitness(), order: newOrder(), faults: true,
		history: history{began: time.Now()}, ends: map[string]*sealed.End{}, ground: g,
		trace: trace{began: time.Now(), each: each}}
	w.network = newNetwork(w.clock, o.room())
	w.people()
	w.machines()
	listeners, err := w.build(g.dir)
	if err != nil {
		w.violation("the world can't be built: %v", err)
		return w.result()
	}
	w.play()
	w.close(listeners)
	return w.result()
}

// stream is the generator of one party: its draws depend on nobody else's.
func (w *World) stream(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(w.options.Seed, h.Sum64()))
}

// after does something at an instant of its own, if the world still stands then.
func (w *World) after(k class, d time.Duration, fn func()) {
	time.AfterFunc(w.clock.in(k, d), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.over {
			fn()
		}
	})
}

// violation notes what must never happen.
func (w *World) violation(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.trace.add("VIOLATION %s", text)
	w.broken = append(w.broken, text)
}

func (w *World) questions() int {
	if w.options.Forgets {
		return 24
	}
	return 4096
}

// people makes the shops and the banks.
func (w *World) people() {
	for i := range w.options.Shops {
		w.shops = append(w.shops, w.newShop(i))
	}
	for i := range w.options.Banks {
		w.banks = append(w.banks, w.newBank(i))
	}
}

// at is where a node listens for a line of a shop.
func (p *shop) at(node, line int) string {
	return fmt.Sprintf("127.0.%d.1:71%c%d", node, p.name[len(p.name)-1], line)
}

// at is where a bank listens for a line of a node.
func (b *bank) at(node, line int) string {
	return fmt.Sprintf("127.0.%d.1:72%c%d", node, b.name[len(b.name)-1], line)
}

// build lays the wires, writes the configuration, and lets the banks listen.
func (w *World) build(dir string) ([]net.Listener, error) {
	var doors []net.Listener
	c := cardswitch.Defaults()
	c.Institution = institution
	c.Data = cardswitch.DataConfig{Dir: "data", KeyFile: filepath.Join(dir, "data.key"),
		CreateKey: true, RetentionDays: 30, MinFreeMB: 512}
	c.Routing.Files = []string{filepath.Join(dir, fmt.Sprintf("routes-%d.yaml", len(w.banks)))}
	for _, p := range w.shops {
		c.Centers = append(c.Centers, p.config(w.options))
		for i := range w.options.Lines {
			w.lay(p.name, i, true, p.at)
		}
	}
	for _, b := range w.banks {
		c.Centers = append(c.Centers, b.config())
		for i := range maxLines {
			w.lay(b.name, i, false, b.at)
			for _, n := range w.data() {
				l, err := w.network.listen(b.at(n.place, i))
				if err != nil {
					return doors, err
				}
				doors = append(doors, l)
				w.parties.Go(func() { b.accept(l, i) })
			}
		}
	}
	c.Complete()
	w.config = c
	if err := c.Validate(); err != nil {
		return doors, err
	}
	for _, n := range w.nodes {
		n.config = w.configOf(n)
	}
	return doors, w.enroll()
}

// config is the switch's entry for a shop.
func (p *shop) config(o Options) cardswitch.CenterConfig {
	c := cardswitch.CenterConfig{Name: p.name, Role: cardswitch.RoleMerchant,
		Acquirers: []string{p.acquirer}, AnswerTime: bankTime + time.Second, Echo: echo(),
		UnknownOriginal: 914}
	if o.Tolerant {
		c.UnknownOriginal = 400
	}
	if o.Flood {
		c.Window = 6
	}
	c.KeyChange = cardswitch.KeyChangeUs
	for i := range o.Lines {
		c.Links = append(c.Links, cardswitch.LinkConfig{Name: fmt.Sprint(i), Listen: p.at(0, i),
			From: []string{"127.0.0.0/8"}, ReadTimeout: 8 * time.Second,
			WriteTimeout: 2 * time.Second, Envelope: o.envelope()})
	}
	return c
}

func (b *bank) config() cardswitch.CenterConfig {
	c := cardswitch.CenterConfig{Name: b.name, Role: cardswitch.RoleIssuer, Institution: b.id,
		AnswerTime: bankTime, Echo: echo(), KeyChange: cardswitch.KeyChangeUs,
		SAF: &cardswitch.SAFConfig{First: 300 * time.Millisecond, Wait: time.Second,
			BackoffMax: 2 * time.Second, InFlight: 4},
		Failover:       &cardswitch.FailoverConfig{Hold: 3 * time.Second},
		Reconciliation: b.world.options.reconciliation(), StandIn: b.standIn(),
		Negative: b.world.options.negative()}
	for i := range maxLines {
		c.Links = append(c.Links, cardswitch.LinkConfig{Name: fmt.Sprint(i), Order: i, Dial: b.at(0, i),
			ReadTimeout: 8 * time.Second, WriteTimeout: 2 * time.Second,
			Envelope: b.world.options.envelope()})
	}
	return c
}

// standIn is when the switch decides for a bank.
func (b *bank) standIn() *cardswitch.StandInConfig {
	o := b.world.options
	if !o.StandIn {
		return nil
	}
	return &cardswitch.StandInConfig{Rules: filepath.Join(b.world.ground.dir, standInFile),
		Back: 500 * time.Millisecond, Unanswered: o.Unsaid, ReportDeclines: o.Declared,
		Failing: cardswitch.FailingConfig{Errors: 4, Within: 3 * time.Second,
			Probe: 500 * time.Millisecond, Good: 2}}
}

// standInFile has the rules by which the switch decides: a bit of everything is approved.
const standInFile = "standin.yaml"

const standInRules = `rules:
  - name: usual
    ranges: ["352810-352819"]
    transactions: ["00"]
    expiry: ignored
    floor: 1000
    most: 7000
    limits: [{days: 1, count: 6, amount: 20000}]
`

func echo() cardswitch.EchoConfig {
	return cardswitch.EchoConfig{After: 3 * time.Second, Wait: time.Second, Misses: 2}
}

// dialect gives the format by its name; there is one.
func (w *World) dialect(string) (*spec.Dialect, error) { return w.ground.dialect, nil }

// prepare writes the files that all worlds read.
func prepare(dir string) error {
	routes := "ranges:\n"
	for i := range maxBanks {
		routes += fmt.Sprintf("  - {prefix: \"35281%d\", destinations: [bank-%d]}\n", i, i+1)
		name := filepath.Join(dir, fmt.Sprintf("routes-%d.yaml", i+1))
		if err := os.WriteFile(name, []byte(routes), 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, standInFile), []byte(standInRules), 0o600); err != nil {
		return err
	}
	key := fmt.Sprintf("%064x\n", 0xc0ffee)
	return os.WriteFile(filepath.Join(dir, "data.key"), []byte(key), 0o600)
}

func (w *World) result() Result {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := Result{Options: w.options, Broken: w.broken, Digest: w.trace.digest, Events: w.trace.count,
		Starts: int(w.starts), Calls: w.history.calls, Last: w.trace.last()}
	if w.fencing != nil {
		r.Late = w.fencing.late
	}
	for _, p := range w.shops {
		r.Sales += len(p.sales)
	}
	return r
}
