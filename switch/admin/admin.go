// Package admin is the operators' door: a socket that can do everything, a port that only reads.
//
// The unix socket carries the HTTP API behind every operator's command; whoever may open it may do
// everything. The TCP address has metrics and health for monitoring.
//
// Nothing here stands on the way of a message: what is read comes from the store and from copies
// of the switch's state, and a reader that is too slow is cut off with the number to go on from.
//
// Goroutines: one HTTP server a listener and what net/http starts for each request; each follower
// of the journal has one more that flushes its lines. All end with the context of Serve.
package admin

import (
	"context"
	"iter"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/routing"
	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	cardswitch "cardswitch/switch"
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
	// Resolve retries or drops an advice on the work list, durably.
	Resolve(id uint64, r cardswitch.Resolution) error
}

// Journal is what is read of the store.
type Journal interface {
	Replay(from uint64, fn func(*journal.Record) error) error
	Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error
	Transaction(txn uint64) ([]journal.Record, error)
	FindReference(rrn string, limit int) ([]uint64, error)
	FirstSeq() uint64
	LastSeq() uint64
	Verify(progress func(records uint64)) (store.Report, error)
	WorkList() iter.Seq2[queue.Owed, error]
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
	Logger *slog.Logger
}

// Server answers the operators.
type Server struct {
	Options
	archive *cardswitch.Archive
}

// New makes a server of its parts.
func New(o Options) *Server {
	return &Server{Options: o, archive: cardswitch.NewArchive(o.Names)}
}

// Operators is the API on the unix socket: whoever may open the socket may do everything.
func (s *Server) Operators() http.Handler {
	mux := s.readOnly()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/links", s.links)
	mux.HandleFunc("POST /v1/links/{center}/{act}", s.tell)
	mux.HandleFunc("POST /v1/links/{center}/{link}/{act}", s.tell)
	mux.HandleFunc("GET /v1/journal", s.journal)
	mux.HandleFunc("GET /v1/journal/verify", s.verify)
	mux.HandleFunc("GET /v1/transactions", s.findTransactions)
	mux.HandleFunc("GET /v1/transactions/{seq}", s.transaction)
	mux.HandleFunc("POST /v1/route/explain", s.explain)
	mux.HandleFunc("POST /v1/reload", s.reloadNow)
	mux.HandleFunc("GET /v1/saf", s.queues)
	mux.HandleFunc("GET /v1/worklist", s.worklist)
	mux.HandleFunc("POST /v1/worklist/{id}/{act}", s.resolve)
	return mux
}

// Public is what monitoring may read over TCP.
func (s *Server) Public() http.Handler { return s.readOnly() }
