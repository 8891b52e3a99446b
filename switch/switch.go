// Package cardswitch is the switch: it brings merchants' requests to issuers and the answers back.
//
// Read it in this order: doors.go (the three ways in), services.go (what it can do), requests.go,
// answers.go and owed.go (what each decision does), standin.go (who decides for an issuer that is
// away), commit.go (nothing leaves before it is durable), recover.go (what a restart does),
// limits.go (every bound).
//
// Its goroutines: one reader and one writer a link (package link), which come in by Received;
// commits, the committer; drains, which delivers what is owed; recallsOf, which reads the journal
// for the doors; ticks, the clock; expirations, which ends authorizations. One lock guards the
// tables and is never held over I/O.
package cardswitch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/hsm/keyring"
	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/store/negative"
	"cardswitch/store/vault"
	"cardswitch/switch/link"
	"cardswitch/switch/saf"
	"cardswitch/switch/security"
	"cardswitch/switch/settle"
	"cardswitch/switch/txn"
)

// Deps are what the switch takes from its surroundings. Zero values stand for the real machine.
type Deps struct {
	Log     *slog.Logger
	Metrics prometheus.Registerer
	Disk    store.FS
	Listen  func(address string) (net.Listener, error)
	Dial    func(ctx context.Context, address string) (net.Conn, error)
	// Ready gives connections that were made for its links ahead of time; nil: there are none.
	Ready func() []*link.Idle
	// Store is an open store that this node leads, and that outlives the switch: the node of a cluster
	// follows the journal before and afterwards. nil: the switch opens the one of the configuration.
	Store *store.Store
	// MayLeave tells whether this node is the active one at this moment; nil: it always is. It is
	// asked before each write to a center. Where it says no, nothing leaves and the link is reset.
	MayLeave func() bool
	// Term is that in which this node was made the active one: centers in an envelope are told it, and
	// take nothing of an earlier one any more. 0: there is none.
	Term uint64
	// Dialect gives a format that comes with the program; nil: dialect.Builtin.
	Dialect func(name string) (*spec.Dialect, error)
	// Seed makes the jitter of repeats and of dialers repeatable; 0 draws one.
	Seed uint64
	// Skew is how far the machine's clock is off, in a simulation that steps it.
	Skew time.Duration
	// Questions is how many are remembered in memory, more than wait for one durable write; of more,
	// the index is asked. 0: questionsKept.
	Questions int
	// Keys are the keys in force; nil if there are none, and so no link with an envelope.
	// The security of messages (`security` of a center) comes from it and its module.
	Keys *keyring.Ring
	// Lent are the keys of merchants that belong to the first shard's switch; nil if this is that one,
	// or there are no shards. They are of the module of Keys.
	Lent security.Keys
	// WantKey is told of such a key that its merchant and this switch don't agree on; nil: nobody is.
	WantKey func(slot keyring.Slot, why txn.Reason)
	// Security is told what concerns the security of messages; nil: only the log is.
	Security SecurityWatch
	// Audit is the audit log, which the token vault needs; nil: no center has tokens.
	Audit vault.Auditor
	// OpenKeys gives them where they can be opened only once the journal is locked for this process:
	// it is the witness of the key store. Whoever gave it closes them.
	OpenKeys func(journal *store.Store) (*keyring.Ring, error)
}

// Switch is one running node.
type Switch struct {
	log      *slog.Logger
	deps     Deps
	started  time.Time
	running  time.Time // since when links are dialled
	exchange exchange
	store    *store.Store
	network  *link.Network
	archive  *Archive
	metrics  *metrics

	services    []service
	institution []byte
	tables      atomic.Pointer[tables]
	arrivals    sync.Pool
	recalls     chan recall
	beside      beside
	terminals   *terminals
	vault       *vault.Vault // nil: no center has tokens
	lists       *negative.Table
	toldOverdue map[string]uint64 // generation of the file that was said to be
	importing   sync.Mutex        // held by who makes a negative file: each takes its memory
	checks      *center           // the center that asks validity checks
	checkJobs   time.Time         // when the newest one began, or uses up names
	checkPace   int64             // when the next may be asked, by the rate
	found       Recovered
	reloading   sync.Mutex // held by a reload, which builds without mu
	taking      sync.Mutex // held by who takes a window in: each must see what the one before took

	mu        sync.Mutex
	room      *sync.Cond // pending has room again
	centers   map[uint16]*center
	issuers   []*center
	questions *txn.Questions
	rests     rests
	wheel     *txn.Wheel
	pending   *pending
	replaced  []replaced          // negative files that may go
	differ    []settle.Difference // the work list of what comparisons found

	// Scratch of the goroutine that holds mu.
	edit     spec.Edit
	made     spec.Message
	askedAs  spec.Message
	askedPAN spec.PAN
	rec      journal.Record
	images   []byte
	cuts     []byte // of images
	scratch  []byte
	veil     spec.Message // of veiled or unveiled; see shown
	veiled   []byte
	unveiled []byte
	value    [64]byte
	due      []*txn.Row
	tries    tries
	items    []*saf.Item
	jitter   *rand.Rand // of repeats

	draining  atomic.Bool
	handsOver atomic.Bool   // another node will answer what comes now
	diskLow   atomic.Bool   // no new requests; what is in flight can still be finished
	fenced    atomic.Bool   // nothing may leave any more
	ready     chan struct{} // closed when merchants are served
	wake      chan struct{}
	linked    chan struct{} // a link is up, or signed on: its duty, or the doors, wait for no tick
	stopped   chan struct{}
	failed    chan struct{}
	failOnce  sync.Once
	failure   error
	joined    sync.WaitGroup
}

// New opens the store, finishes what was open when the last process ended, and makes the links
// ready. Nothing is connected before Run.
func New(config Config, deps Deps) (*Switch, error) {
	if deps.Log == nil {
		deps.Log = slog.Default()
	}
	if deps.Metrics == nil {
		deps.Metrics = prometheus.NewRegistry()
	}
	if deps.Dialect == nil {
		deps.Dialect = dialect.Builtin
	}
	if deps.Seed == 0 {
		deps.Seed = rand.Uint64()
	}
	s := &Switch{log: deps.Log, deps: deps, started: time.Now(), services: services(),
		institution: []byte(config.Institution), centers: make(map[uint16]*center),
		questions: txn.NewQuestions(cmp.Or(deps.Questions, questionsKept)),
		recalls:   make(chan recall, recallsWaiting),
		ready:     make(chan struct{}), wake: make(chan struct{}, 1),
		linked:  make(chan struct{}, 1),
		stopped: make(chan struct{}), failed: make(chan struct{}),
		jitter: rand.New(rand.NewPCG(deps.Seed, 0)), exchange: newExchange(),
		rests: make(rests)}
	s.room = sync.NewCond(&s.mu)
	s.arrivals.New = func() any { return new(arrivals) }
	s.wheel = txn.NewWheel(int64(tick), wheelBuckets, s.now())
	s.metrics = newMetrics(deps.Metrics)
	if err := s.openStore(&config); err != nil {
		return nil, err
	}
	if err := s.open(config); err != nil {
		return nil, errors.Join(err, s.closeStore())
	}
	s.log.Info("journal read", "records", s.found.Records, "reversed", s.found.Reversed,
		"owed", s.found.Owed, "shelved", s.found.Shelved)
	return s, nil
}

// StoreOptions are those of the journal of a configuration.
func (c *Config) StoreOptions() store.Options {
	return store.Options{Dir: c.Data.Dir, KeyFile: c.Data.KeyFile, CreateKey: c.Data.CreateKey,
		RetentionDays: c.Data.RetentionDays, MinFreeBytes: uint64(c.Data.MinFreeMB) << 20}
}

// openStore opens the store, unless it is given.
func (s *Switch) openStore(config *Config) (err error) {
	if s.store = s.deps.Store; s.store != nil {
		return nil
	}
	o := config.StoreOptions()
	o.FS, o.Logger, o.OnFailure = s.deps.Disk, s.log, s.fail
	s.store, err = store.Open(o)
	return err
}

// closeStore closes the store, unless it was given.
func (s *Switch) closeStore() error {
	if s.deps.Store != nil {
		return nil
	}
	return s.store.Close()
}

// open builds the tables of the configuration, and brings them up to the journal.
func (s *Switch) open(config Config) (err error) {
	if s.deps.OpenKeys != nil {
		if s.deps.Keys, err = s.deps.OpenKeys(s.store); err != nil {
			return err
		}
	}
	if config.lendsKeys() && s.deps.Keys != nil {
		s.exchange.doors = newKeyDoors(s.log, s.deps.MayLeave, s.heardOfKeys)
	}
	s.openLists(&config)
	s.guardWith(s.deps.Keys)
	s.pending = &pending{batch: s.store.NewBatch()}
	s.terminals = newTerminals(s.store, terminalsKept)
	s.archive = NewArchive(s.store.Registry())
	s.metrics.countSynced(func() float64 { return float64(s.store.Health().BytesSynced) })
	t, links, err := s.build(config)
	if err == nil {
		s.network, err = link.New(link.Config{Centers: links, Logger: s.log,
			Listen: s.deps.Listen, Dial: s.deps.Dial, Ready: s.deps.Ready,
			MayLeave: s.deps.MayLeave, Term: s.deps.Term, Seed: s.deps.Seed}, s)
	}
	if err != nil {
		return err
	}
	s.install(t)
	s.deps.Metrics.MustRegister(newLinkMetrics(s.network.Status), newMeters(s),
		newNegativeMetrics(s.Negatives))
	if s.found, err = s.recover(); err != nil {
		return err
	}
	return s.openVault(&config)
}

// Run serves until ctx ends, then drains: takes nothing new, finishes what is in flight, signs off.
// It returns an error if the switch had to go out of service.
func (s *Switch) Run(ctx context.Context) error {
	linksCtx, stopLinks := context.WithCancel(context.Background())
	defer stopLinks()
	s.running = time.Now()
	for _, duty := range []func(){s.commits, s.drains, s.recallsOf, s.ticks, s.expirations} {
		s.joined.Go(duty)
	}
	if s.deps.Keys != nil {
		s.resume()
		s.joined.Go(s.exchanges)
	}
	s.beside.start(s)
	s.noteTables("started " + s.found.String())
	err := s.network.Start(linksCtx)
	if err == nil {
		select {
		case <-ctx.Done():
			s.drain()
		case <-s.failed:
			err = s.failure
		}
	}
	stopLinks()
	ended := make(chan error, 1)
	go func() { ended <- s.close() }()
	if !s.fenced.Load() {
		return errors.Join(err, <-ended)
	}
	// A disk that failed may hang whoever asks it for more; the process is to end all the same.
	select {
	case <-ended:
	case <-time.After(failureWait):
		err = errors.Join(err, ErrNotEnded)
	}
	return err
}

// ErrNotActive is that of a switch that was fenced off.
var ErrNotActive = errors.New("this node is not the active one any more")

// ErrNotEnded is that of a switch that ended in part only: something hangs. It may still fill
// batches of its store, so nobody else may; the process must end.
var ErrNotEnded = errors.New("the switch could not end")

// Deposed tells of an error of Run that all of the switch has ended because it was fenced off.
func Deposed(err error) bool {
	return errors.Is(err, ErrNotActive) && !errors.Is(err, ErrNotEnded)
}

// Fence takes the switch out of service at once, because another node is the active one: nothing
// more leaves, what is queued is dropped, every link is reset, and Run returns ErrNotActive when
// all has ended. What was in flight is finished by the other node. It may be called any time.
func (s *Switch) Fence() {
	s.endWith(ErrNotActive)
	s.network.Fence()
}

// Discard ends a switch that never ran and never will, as another node leads already.
func (s *Switch) Discard() error {
	s.endWith(ErrNotActive)
	if s.vault != nil {
		_ = s.vault.Close() // never fails
	}
	return s.closeStore()
}

// close joins everything and closes the store.
func (s *Switch) close() error {
	s.network.Wait()
	if s.vault != nil {
		_ = s.vault.Close() // never fails
	}
	s.note("stopped")
	s.finish()
	return s.closeStore()
}

// HandOver makes the drain that follows a silent one, as another node takes over: what merchants
// ask from here on is neither answered nor journaled. Their links end as soon as nothing is in
// flight on them, and they ask again there.
func (s *Switch) HandOver() { s.handsOver.Store(true) }

// drain finishes what is in flight and signs off.
func (s *Switch) drain() {
	s.draining.Store(true)
	s.note("draining")
	ctx, cancel := context.WithTimeout(context.Background(), drainWait)
	defer cancel()
	if err := s.network.Drain(ctx); err != nil {
		s.log.Warn("not everything could be finished", "error", err,
			"hint", "what is open is answered and reversed at the next start")
	}
}

// finish waits for the last commit and ends the goroutines.
func (s *Switch) finish() {
	for range 200 {
		s.mu.Lock()
		empty := s.pending.empty()
		s.mu.Unlock()
		if empty || s.fenced.Load() {
			break
		}
		s.kick()
		time.Sleep(5 * time.Millisecond)
	}
	close(s.stopped)
	s.beside.close()
	s.joined.Wait()
	// Whoever still asks for something, as an operator whose question came just before, fills what
	// goes nowhere: the store is the next switch's.
	s.mu.Lock()
	s.pending = &pending{batch: store.Scrap()}
	s.mu.Unlock()
}

// ticks is the clock: deadlines, and the network management that is owed.
func (s *Switch) ticks() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ticker.C:
		case <-s.linked:
			s.duties()
			s.openDoors()
			continue
		case <-s.stopped:
			return
		}
		s.deadlines()
		s.openDoors()
		if n%dutyTicks == 0 || s.handsOver.Load() { // then nobody is served until all have signed off
			s.duties()
			s.days()
			s.tendStandIn()
			s.takeOver()
			s.measure()
		}
	}
}

// openDoors lets the merchants in once every issuer can be reached, or after a while all the same:
// what a merchant sends in the first moments of a start would only be refused.
func (s *Switch) openDoors() {
	if s.isReady() {
		return
	}
	s.mu.Lock() // a reload may be changing them
	defer s.mu.Unlock()
	for _, c := range s.issuers {
		if c.link.Best() == nil && time.Since(s.running) < openAfter {
			return
		}
	}
	close(s.ready)
}

// hurry has links that are up or signed on be looked at before the next tick: at a takeover each
// wait counts.
func (s *Switch) hurry() {
	select {
	case s.linked <- struct{}{}:
	default:
	}
}

// isReady tells whether merchants are served.
func (s *Switch) isReady() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// opened waits until merchants are served; false when the switch ends before.
func (s *Switch) opened() bool {
	select {
	case <-s.ready:
	case <-s.stopped:
		return false
	case <-s.failed:
		return false
	}
	return true
}

// now is the time in unix nanoseconds. It goes on evenly: a step of the machine's clock moves no
// deadline.
func (s *Switch) now() int64 {
	return s.started.UnixNano() + int64(s.deps.Skew) + int64(time.Since(s.started))
}

// note journals an event of the process.
func (s *Switch) note(text string) {
	s.mu.Lock()
	s.rec = journal.Record{At: s.now(), Kind: journal.Event, Text: text}
	s.pending.batch.Append(&s.rec)
	s.mu.Unlock()
	s.kick()
}

// String is the summary of a start for the journal.
func (f Recovered) String() string {
	return fmt.Sprintf("(replayed %d, reversed %d, owed %d, on the work list %d)",
		f.Records, f.Reversed, f.Owed, f.Shelved)
}
