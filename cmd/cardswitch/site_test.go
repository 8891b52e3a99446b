package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cardswitch/conformance/load/stage"
	"cardswitch/dr/replica/wire"
	"cardswitch/store"
	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// patience is for what needs milliseconds on an idle machine.
const patience = time.Minute

// machine is one on which a node is started, again and again.
type machine struct {
	t      *testing.T
	config cardswitch.Config
	node   atomic.Pointer[node]
	anew   atomic.Int32 // how often it started anew by itself
	stop   context.CancelFunc
	ended  chan error
}

// machines have the files of nodes of one cluster, which share their keys. Those beyond the first
// two aren't members yet.
func machines(t *testing.T, n int) (list []*machine) {
	authority, err := wire.NewAuthority("far")
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := stage.Ports(n)
	if err != nil {
		t.Fatal(err)
	}
	members := []cardswitch.MemberConfig{{Node: 1, Role: cardswitch.NodeData, Address: addresses[0]},
		{Node: 2, Role: cardswitch.NodeLearner, Address: addresses[1]}}
	for i := range n {
		dir := t.TempDir()
		config, err := demoConfig(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeIdentity(authority, "far", uint64(i+1), dir); err != nil {
			t.Fatal(err)
		}
		for c := range config.Centers { // the demo's ports may be in use
			for l := range config.Centers[c].Links {
				if at := &config.Centers[c].Links[l].Listen; *at != "" {
					*at = "127.0.0.1:0"
				}
			}
		}
		config.Admin.HTTP, config.Data.KeyFile = "", filepath.Join(dir, "shared.key")
		config.Cluster = &cardswitch.ClusterConfig{Name: "far", Node: uint64(i + 1), Listen: addresses[i],
			Cert: "node.pem", Key: "node.key", CA: "ca.pem"}
		if i < 2 {
			config.Cluster.Members, config.Cluster.Role = members, members[i].Role
		}
		config.Complete()
		if err := config.Validate(); err != nil {
			t.Fatal(err)
		}
		key := []byte(strings.Repeat("5a", 32))
		if err := os.WriteFile(config.Data.KeyFile, key, 0o600); err != nil {
			t.Fatal(err)
		}
		m := &machine{t: t, config: config}
		t.Cleanup(m.off)
		list = append(list, m)
	}
	return list
}

// on starts the node as `start` does.
func (m *machine) on() {
	m.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	begin := func() (*node, error) {
		return newNode(ctx, m.config, cardswitch.Deps{Log: slog.New(slog.DiscardHandler)},
			func() (cardswitch.Config, error) { return m.config, nil }, nil)
	}
	n, err := begin()
	if err != nil {
		stop()
		m.t.Fatal(err)
	}
	m.stop, m.ended = stop, make(chan error, 1)
	m.node.Store(n)
	go func() {
		err := n.run(ctx)
		for startsAnew(err) {
			m.anew.Add(1)
			var again *node
			if again, err = begin(); err == nil {
				m.node.Store(again)
				err = again.run(ctx)
			}
		}
		m.ended <- err
	}()
}

// off ends it in order.
func (m *machine) off() {
	if m.stop != nil {
		m.stop()
		<-m.ended
		m.stop = nil
	}
}

// ends waits until the node has ended by itself, for good.
func (m *machine) ends() error {
	m.t.Helper()
	select {
	case err := <-m.ended:
		m.stop()
		m.stop = nil
		return err
	case <-time.After(patience):
		m.t.Fatal("the node goes on")
		return nil
	}
}

// waits until the node's status is so.
func (m *machine) waits(what string, is func(*admin.ClusterStatus) bool) {
	m.t.Helper()
	var s admin.ClusterStatus
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if s = m.node.Load().ClusterStatus(); is(&s) {
			return
		}
	}
	m.t.Fatalf("%s: %+v", what, s)
}

// tries does something until it succeeds.
func tries(t *testing.T, do func() error) {
	t.Helper()
	err := do()
	for end := time.Now().Add(patience); err != nil && time.Now().Before(end); err = do() {
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func isActive(s *admin.ClusterStatus) bool { return s.State == "active" }

// TestTheFarSiteTakesOver: the only node of a site is lost; the learner elsewhere is promoted and
// serves what it has; the lost one comes back and stops; a new node joins the promoted site.
func TestTheFarSiteTakesOver(t *testing.T) {
	list := machines(t, 4)
	here, far, late, again := list[0], list[1], list[2], list[3]
	here.on()
	here.waits("the first is active", isActive)
	far.on()
	here.waits("the far one has all", func(s *admin.ClusterStatus) bool {
		return len(s.Members) == 2 && s.Members[1].InSync && s.Members[1].Entries == 0
	})
	far.waits("it is told how far the first is", func(s *admin.ClusterStatus) bool {
		last := here.node.Load().store.LastSeq()
		return s.State == "learner" && s.Heard != nil && s.Heard.Record == last
	})
	if p := far.node.Load().Promotion(); len(p.Reachable) != 1 || p.Why != "" {
		t.Errorf("while the first serves: %+v", p)
	}
	if p := here.node.Load().Promotion(); p.Why == "" {
		t.Error("a node that leads can be promoted")
	}
	last := here.node.Load().store.LastSeq()
	here.off()
	far.waits("nobody leads", func(s *admin.ClusterStatus) bool { return s.Leader == 0 })
	for end := time.Now().Add(patience); len(far.node.Load().Promotion().Reachable) > 0; {
		if time.Now().After(end) {
			t.Fatal("the first can still be reached")
		}
		time.Sleep(50 * time.Millisecond)
	}
	err := far.node.Load().Promote(t.Context(), admin.Promoting{
		Wish: admin.Wish{Who: "abe", Why: "it burnt down"}, Approver: "mori"})
	if err != nil {
		t.Fatal(err)
	}
	far.waits("it serves", isActive)
	p, ok, err := far.node.Load().store.Promoted()
	if err != nil || !ok || p.Generation < 2 || p.Last < last || p.Known == 0 || p.Heard.IsZero() {
		t.Errorf("%+v %v %v, the first ended with record %d", p, ok, err, last)
	}
	w, err := far.node.Load().active.Load().Window(here.config.Data.Dir, true,
		cardswitch.Resolution{Who: "abe", Why: "found"})
	if err != nil || w.Common < p.Last || len(w.Transactions) > 0 ||
		w.Records != int(w.Last-w.Common) {
		t.Errorf("the window is %+v, %v; promoted after record %d", w, err, p.Last)
	}
	here.on()
	if err := here.ends(); err == nil || !strings.Contains(err.Error(), "another site was promoted") {
		t.Errorf("the lost node came back and ended with %v", err)
	}
	late.on()
	err = far.node.Load().Join(t.Context(), admin.Joining{Node: 3, Role: "data",
		Address: late.config.Cluster.Listen})
	if err != nil {
		t.Fatal(err)
	}
	far.waits("the new one has a vote", func(s *admin.ClusterStatus) bool { return s.InSync == 2 })
	failBack(t, far, late, again)
	if late.anew.Load() < 2 {
		t.Error("it took neither the generation nor the journal of the promoted site")
	}
}

// failBack has the new node serve, and another one be the far one.
func failBack(t *testing.T, far, late, again *machine) {
	t.Helper()
	tries(t, func() error { // on a busy machine it may lead already, or no longer
		if s := late.node.Load().ClusterStatus(); !isActive(&s) {
			if _, err := far.node.Load().Transfer(t.Context(), 3); err != nil {
				return err
			}
		}
		return late.node.Load().Leave(t.Context(), 2)
	})
	again.on()
	tries(t, func() error {
		return late.node.Load().Join(t.Context(), admin.Joining{Node: 4, Role: "learner",
			Address: again.config.Cluster.Listen})
	})
	late.waits("there is a learner again", func(s *admin.ClusterStatus) bool {
		last := s.Members[len(s.Members)-1]
		return last.Node == 4 && last.Role == "learner" && last.InSync && last.Entries == 0
	})
}

// A journal of its own that isn't empty makes no cluster with others. Before that is said, nobody
// hears of it: one that was brought back from a backup would stop all that do, for good.
func TestWhoMayTakeNoPartIsNotHeardOf(t *testing.T) {
	m := machines(t, 2)[0]
	s, err := store.Open(m.config.StoreOptions())
	if err != nil {
		t.Fatal(err)
	}
	b := s.NewBatch()
	b.Append(&journal.Record{At: 1, Kind: journal.Event, Text: "before there was a cluster"})
	if err := errors.Join(s.Commit(b), s.Close()); err != nil {
		t.Fatal(err)
	}
	n := &node{log: slog.New(slog.DiscardHandler), site: newSite()}
	n.config.Store(&m.config)
	if err := n.open(t.Context(), &m.config); err == nil ||
		!strings.Contains(err.Error(), "journal isn't empty") {
		t.Errorf("it takes part: %v", err)
	}
	if n.wire != nil {
		t.Error("it has called the others")
	}
	if err := n.close(); err != nil {
		t.Error(err)
	}
}
