// Package admin is the operators' door: a socket for people with roles, a port that only reads.
//
// The unix socket carries the HTTP API behind every operator's command. The kernel tells which user
// is at the other end, the configuration which roles that user has, and routes.go which role may do
// what: whatever isn't allowed there is denied. In a test installation the user that runs it may do
// everything, save what is done by several people. The TCP address has metrics and health for
// monitoring.
//
// Nothing here stands on the way of a message: what is read comes from the store and from copies
// of the switch's state, and a reader that is too slow is cut off with the number to go on from.
//
// Goroutines: one HTTP server a listener and what net/http starts for each request; each follower
// of the journal has one more that flushes its lines. All end with the context of Serve.
package admin

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/hsm/keyring"
	"cardswitch/hsm/keyring/ceremony"
	"cardswitch/routing"
	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/store/vault"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/evidence"
	"cardswitch/switch/explain"
	"cardswitch/switch/keys"
	"cardswitch/switch/link"
)

// Switch is what the operators may ask of the switch, and tell it.
type Switch interface {
	Status() cardswitch.Status
	// Ready is nil when the switch can take and answer requests, else why not.
	Ready() error
	Links() link.Status
	// Tell does an act on one link, or on all links of the center if line is empty. What is asked
	// of the center is waited for.
	Tell(ctx context.Context, center, line string, act cardswitch.LinkAct) ([]cardswitch.Told,
		error)
	Explain(q cardswitch.Question) (routing.Explanation, error)
	Queues() []cardswitch.QueueStatus
	// CheckJob names a job of validity checks of so many cards.
	CheckJob(cards int) uint64
	// CheckCard asks the issuer of a card whether it is valid.
	CheckCard(ctx context.Context, q cardswitch.CardCheck) (cardswitch.CardChecked, error)
	// ChangeKey makes the next generation of a key and brings it to its center; it returns when the
	// center has it and it is used.
	ChangeKey(ctx context.Context, by keyring.By, slot keyring.Slot) error
	// StandIns is how the stand-in of each issuer that has it stands; OrderStandIn sets it, durably;
	// Simulate says what rules would have decided on the requests of before.
	StandIns() []cardswitch.StandInStatus
	OrderStandIn(center string, o cardswitch.StandInOrder) error
	Simulate(ctx context.Context, q cardswitch.Simulation) (cardswitch.Simulated, error)
	// Resolve retries or drops an advice on the work list, durably.
	Resolve(id uint64, r cardswitch.Resolution) error
	// Window reads what a lost site had more from its data directory, and takes it in if so wanted.
	Window(dir string, take bool, by cardswitch.Resolution) (*cardswitch.Window, error)
	Negative
}

// Journal is what is read of the store.
type Journal interface {
	explain.Books
	Replay(from uint64, fn func(*journal.Record) error) error
	Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error
	FindReference(rrn string, limit int) ([]uint64, error)
	FindCard(hash [16]byte, limit int) ([]uint64, error)
	HashPAN(pan spec.PAN) [16]byte
	FirstSeq() uint64
	LastSeq() uint64
	Verify(progress func(records uint64)) (store.Report, error)
}

// Names gives what stands behind the numbers in a record.
type Names = cardswitch.Names

// Options are the parts of a Server.
type Options struct {
	Switch  Switch
	Journal Journal
	Names   Names
	Metrics prometheus.Gatherer
	// Reload reads the configuration again; on an error nothing has changed.
	Reload func() error
	// Restart begins to start the node anew, without a decline; an error says why it can't.
	Restart func(context.Context) error
	Logger  *slog.Logger
	// Access says who may do what, asked at each request.
	Access func() Access
	// Keys are the node's keys; nil if it has none (yet).
	Keys *keys.Keys
	// Ceremonies are held over the socket.
	Ceremonies Ceremonies
	// Audit takes what people did; nil: only the log has it.
	Audit keyring.Auditor
	// Evidence is the audit log; nil: there is none.
	Evidence *evidence.Log
	// Cluster is this node's part in its cluster; nil: it is alone.
	Cluster Cluster
	// Consent is what people have said about a promotion of this site; nil: nobody could yet.
	Consent *Consent
	// Standby is how a node without a Switch stands, whose Journal can be read all the same.
	Standby func() cardswitch.Status
	// Settlement is the switch's business days; nil: it tells of none.
	Settlement Settlement
	// Backup makes a backup; nil: nobody can order one.
	Backup Backup
	// Drills practises failures; nil: nobody can order one.
	Drills Drills
	// Vault is the token vault; nil: there is none. Rewrap brings its keys under the newest KEK.
	Vault  Vault
	Rewrap func(ctx context.Context, who vault.Access) error
}

// Server answers the operators.
type Server struct {
	Options
	archive *cardswitch.Archive
	reveals reveals
	jobs    jobs
}

// New makes a server of its parts. Without Switch and Journal it serves ceremonies alone, without a
// Switch what a standby can tell.
func New(o Options) *Server {
	if o.Access == nil {
		o.Access = func() Access { return Access{} }
	}
	if o.Ceremonies.Room == nil {
		o.Ceremonies.Room = new(ceremony.Room)
	}
	if o.Consent == nil {
		o.Consent = new(Consent)
	}
	return &Server{Options: o, archive: cardswitch.NewArchive(o.Names)}
}

// Public is what monitoring may read over TCP.
func (s *Server) Public() http.Handler { return s.readOnly() }
