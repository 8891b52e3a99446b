package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"cardswitch/dr/drill"
	"cardswitch/dr/replica/wire"
	"cardswitch/store/audit"
	"cardswitch/store/journal"
	"cardswitch/store/registry"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link"
)

// A drill is ordered at one node and hurts another one, mostly. Nodes ask each other over the
// connections on which they also send files: only who has a certificate of the cluster gets an
// answer. What is done to a node ends there by itself.

// practice is a node's part in drills.
type practice struct {
	ordering sync.Mutex // held while a drill that was ordered here is under way
	ordered  atomic.Pointer[string]

	mu   sync.Mutex
	harm *harm // what is being done to this node

	rehearsing sync.Mutex // held while there is a copy of the journal

	known atomic.Pointer[[]drill.Summary] // the history of all nodes, as of a while ago
}

// harm ends by itself, or by end.
type harm struct {
	drill string
	end   func()
}

const (
	drillRequest = wire.Files + "/drill/"
	// drillBeat keeps a stream from being taken for a dead one.
	drillBeat = 2 * time.Second
	// drillAnswer bounds an answer, in bytes.
	drillAnswer = 8 << 20
	// lastWords is how long a node that is to end at once lives on, so that its answer leaves.
	lastWords = 20 * time.Millisecond
)

// ground is a node as the drills that are ordered at it see it.
type ground struct{ *node }

func (n ground) Self() uint64 { return n.number() }

func (n *node) number() uint64 {
	if c := n.config.Load().Cluster; c != nil {
		return c.Node
	}
	return lone
}

// Leader is drill's.
func (n ground) Leader() (term, node uint64) {
	s := n.replica.Status()
	return s.Term, s.Leader
}

// State is drill's.
func (n ground) State(ctx context.Context) (s drill.State, err error) {
	leader := n.replica.Status().Leader
	if leader == 0 {
		return s, errors.New("no node is the active one")
	}
	return s, n.askNode(ctx, leader, "state", nil, &s)
}

// LastSeq is drill's.
func (n ground) LastSeq() uint64 { return n.store.LastSeq() }

// Follow is drill's.
func (n ground) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	return n.store.Follow(ctx, from, fn)
}

// Hurt is drill's.
func (n ground) Hurt(ctx context.Context, node uint64, h drill.Harm) error {
	return n.askNode(ctx, node, "hurt", h, nil)
}

// Heal is drill's.
func (n ground) Heal(ctx context.Context, node uint64, id string) error {
	return n.askNode(ctx, node, "heal", id, nil)
}

// LinkIDs is drill's.
func (n ground) LinkIDs(center, but string) (ids []uint16) {
	for _, c := range n.config.Load().Centers {
		for _, l := range c.Links {
			if c.Name == center && l.Name != but {
				if id, ok := n.store.Registry().Lookup(registry.Link, center+"/"+l.Name); ok {
					ids = append(ids, id)
				}
			}
		}
	}
	return ids
}

// span is records that are compared.
type span struct{ First, Last uint64 }

// Sum is drill's.
func (n ground) Sum(ctx context.Context, node, first, last uint64) (sum string, err error) {
	return sum, n.askNode(ctx, node, "sum", span{first, last}, &sum)
}

// askNode asks a node, be it this one.
func (n *node) askNode(ctx context.Context, node uint64, verb string, in, out any) error {
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if node == n.number() {
		found, err := n.practised(ctx, verb, text)
		if err != nil || out == nil {
			return err
		}
		if text, err = json.Marshal(found); err != nil {
			return err
		}
		return json.Unmarshal(text, out)
	}
	if n.wire == nil {
		return errors.New("this node is alone")
	}
	from, err := n.wire.Wire().Stream(ctx, node, drillRequest+verb+"?"+string(text))
	if err != nil {
		return err
	}
	defer from.Close()
	text, err = io.ReadAll(io.LimitReader(from, drillAnswer))
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(text, out)
}

// servePractice answers another node. Spaces in front of an answer say that it is on its way.
func (n *node) servePractice(ctx context.Context, request string, to io.Writer) error {
	verb, text, _ := strings.Cut(strings.TrimPrefix(request, drillRequest), "?")
	type found struct {
		value any
		err   error
	}
	done := make(chan found, 1)
	go func() {
		value, err := n.practised(ctx, verb, []byte(text))
		done <- found{value, err}
	}()
	beat := time.NewTicker(drillBeat)
	defer beat.Stop()
	for {
		select {
		case f := <-done:
			if f.err != nil {
				return f.err
			}
			return json.NewEncoder(to).Encode(f.value)
		case <-beat.C:
			if _, err := to.Write([]byte(" ")); err != nil {
				return err
			}
		}
	}
}

// practised does what a drill asks of this node.
func (n *node) practised(ctx context.Context, verb string, text []byte) (any, error) {
	switch verb {
	case "state":
		return n.drillState()
	case "busy":
		return n.busy(), nil
	case "hurt":
		var h drill.Harm
		if err := json.Unmarshal(text, &h); err != nil {
			return nil, err
		}
		return "done", n.hurt(ctx, &h)
	case "heal":
		var id string
		if err := json.Unmarshal(text, &id); err != nil {
			return nil, err
		}
		n.heal(id)
		return "done", nil
	case "sum":
		var s span
		if err := json.Unmarshal(text, &s); err != nil {
			return nil, err
		}
		return n.sumOfRecords(ctx, s)
	case "history":
		return n.history().List()
	case "ready":
		return n.siteHas()
	case "rehearse":
		var h drill.Harm
		if err := json.Unmarshal(text, &h); err != nil {
			return nil, err
		}
		return n.rehearse(ctx, &h)
	case "report":
		var id string
		if err := json.Unmarshal(text, &id); err != nil {
			return nil, err
		}
		return n.history().Report(id)
	}
	return nil, fmt.Errorf("no drill asks for %q", verb)
}

func (n *node) history() drill.History {
	return drill.History(filepath.Join(n.config.Load().Data.Dir, "drills"))
}

// busy names the drill that this node has a part in.
func (n *node) busy() string {
	if id := n.practice.ordered.Load(); id != nil {
		return *id
	}
	return n.hurting()
}

// hurting names the drill that does something to this node.
func (n *node) hurting() string {
	n.practice.mu.Lock()
	defer n.practice.mu.Unlock()
	if h := n.practice.harm; h != nil {
		return h.drill
	}
	return ""
}

// drillState is what only the active node knows.
func (n *node) drillState() (*drill.State, error) {
	a := n.active.Load()
	if a == nil {
		return nil, errors.New("this node is not the active one")
	}
	c, st, health := n.ClusterStatus(), a.Status(), n.store.Health()
	config := n.config.Load()
	s := &drill.State{Node: c.Node, Term: c.Term, Alone: n.wire == nil, Supervised: isSupervised(),
		Open: st.Open, Owed: st.Owed, Shelved: st.Shelved, FreeBytes: health.FreeBytes,
		KeptFree: uint64(config.Data.MinFreeMB) << 20, Practises: n.hurting()}
	s.ToCutOver, _ = a.ToCutOver()
	if s.Backing = !n.backing.TryLock(); !s.Backing {
		n.backing.Unlock()
	}
	for i := range c.Members {
		m := &c.Members[i]
		s.Members = append(s.Members, drill.Member{Node: m.Node, Role: m.Role, Self: m.Self,
			Connected: m.Connected, InSync: m.InSync, Entries: m.Entries, Bytes: m.Bytes,
			Behind: time.Duration(m.MS) * time.Millisecond})
	}
	for _, center := range a.Links().Centers {
		if center.Role != cardswitch.RoleIssuer {
			continue
		}
		for i := range center.Lines {
			l := &center.Lines[i]
			s.Lines = append(s.Lines, drill.Line{Center: center.Name, Link: l.Name,
				Up: l.State == link.SignedOn.String(), Held: l.Held, Best: center.Best == l.Name})
		}
	}
	return s, nil
}

// isSupervised tells whether a service manager started this process.
func isSupervised() bool {
	return os.Getenv("INVOCATION_ID") != "" || os.Getenv("NOTIFY_SOCKET") != ""
}

// hurt does something to this node, and has it end by itself. It is recorded before it is done.
func (n *node) hurt(ctx context.Context, h *drill.Harm) error {
	what := fmt.Sprintf("%s here", h.Drill)
	if err := n.evidenceOf(ctx, what, h.Who+": "+h.Why); err != nil {
		return err
	}
	if h.Kind == drill.Node && !h.Hard {
		_, err := n.Transfer(context.WithoutCancel(ctx), 0)
		return err
	}
	n.practice.mu.Lock()
	defer n.practice.mu.Unlock()
	if err := n.hurtBy(); err != nil {
		return err
	}
	end, err := n.begin(ctx, h)
	if err != nil {
		return err
	}
	n.practice.harm = &harm{h.Drill, end}
	n.log.Warn("a drill hurts this node", "drill", h.Drill, "kind", string(h.Kind), "who", h.Who,
		"why", h.Why, "lasts", h.Lasts.String())
	time.AfterFunc(h.Lasts, func() { n.heal(h.Drill) })
	return nil
}

// hurtBy is an error if a drill does something to this node. With practice.mu held.
func (n *node) hurtBy() error {
	if h := n.practice.harm; h != nil {
		return fmt.Errorf("drill %s is under way on node %d", h.drill, n.number())
	}
	return nil
}

// holds notes what is being done to this node, unless something is already.
func (n *node) holds(h *harm) error {
	n.practice.mu.Lock()
	defer n.practice.mu.Unlock()
	if err := n.hurtBy(); err != nil {
		return err
	}
	n.practice.harm = h
	return nil
}

func (n *node) evidenceOf(ctx context.Context, what, why string) error {
	return n.tell(ctx, audit.DrillOrdered, audit.Done, what, why)
}

// begin begins a fault, and returns what ends it.
func (n *node) begin(ctx context.Context, h *drill.Harm) (end func(), err error) {
	switch h.Kind {
	case drill.Node:
		time.AfterFunc(lastWords, func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) })
		return func() {}, nil
	case drill.Link:
		a := n.active.Load()
		if a == nil {
			return nil, errors.New("the node isn't the active one any more")
		}
		if _, err := a.Tell(ctx, h.Center, h.Link, cardswitch.LinkCut); err != nil {
			return nil, err
		}
		return func() {
			_, err := a.Tell(context.WithoutCancel(ctx), h.Center, h.Link, cardswitch.LinkResume)
			if err != nil {
				n.log.Error("the link that a drill cut can't be resumed", "error", err)
			}
		}, nil
	case drill.Network:
		if n.wire == nil {
			return nil, errors.New("this node is alone")
		}
		return n.wire.Deafen(), nil
	case drill.Disk:
		return n.store.HoldDisk(h.Lasts), nil
	}
	return nil, fmt.Errorf("nothing is done to a node for %q", h.Kind)
}

// heal ends what a drill does to this node.
func (n *node) heal(id string) {
	n.practice.mu.Lock()
	defer n.practice.mu.Unlock()
	if h := n.practice.harm; h != nil && h.drill == id {
		h.end()
		n.practice.harm = nil
		n.log.Info("what a drill did to this node is over", "drill", id)
	}
}

// sumOfRecords is a hash over what records say.
func (n *node) sumOfRecords(ctx context.Context, s span) (string, error) {
	for n.store.LastSeq() < s.Last {
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("its journal ends with record %d, before %d", n.store.LastSeq(), s.Last)
		case <-time.After(20 * time.Millisecond):
		}
	}
	sum := sha256.New()
	err := n.store.Replay(s.First, func(r *journal.Record) error {
		if r.Seq > s.Last {
			return errEnough
		}
		fmt.Fprintln(sum, r.Seq, r.Txn, r.At, r.Kind, r.Action, r.Amount)
		return ctx.Err()
	})
	if err != nil && !errors.Is(err, errEnough) {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

var errEnough = errors.New("enough")
