package role_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/dr/replica"
	"cardswitch/dr/replica/replicatest"
	"cardswitch/dr/role"
	"cardswitch/store"
	"cardswitch/store/journal"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var errNotActive = errors.New("not active")

// town is three nodes on a network that can be cut around one of them.
type town struct {
	t     *testing.T
	net   *replicatest.Net
	nodes []*node

	mu  sync.Mutex
	cut uint64 // hears nobody and is heard by nobody; 0: none
}

// node is one of them, with what it does while it leads.
type node struct {
	town    *town
	id      uint64
	store   *store.Store
	port    *replicatest.Port
	replica *replica.Replica
	loop    *role.Loop
	disk    *disk
	broken  atomic.Bool // it can't begin a duty
	ended   chan error  // of its loop

	mu    sync.Mutex
	duty  *duty // nil: it follows
	begun int   // how often it was to begin one
}

// disk has room, or not.
type disk struct {
	vfs.FS
	full atomic.Bool
}

const keptFree = 1 << 20

func (d *disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if d.full.Load() {
		return vfs.DiskUsage{AvailBytes: keptFree - 1}, nil
	}
	return vfs.DiskUsage{AvailBytes: 2 * keptFree}, nil
}

// duty writes until it can't, or is told how to end.
type duty struct {
	store *store.Store
	end   chan error
}

func (d *duty) Run(ctx context.Context) error {
	for {
		select {
		case err := <-d.end:
			return err
		case <-ctx.Done():
			return nil
		case <-time.After(10 * time.Millisecond):
		}
		b := d.store.NewBatch()
		b.Append(&journal.Record{At: 1, Kind: journal.Event, Text: "at work"})
		if err := d.store.Commit(b); errors.Is(err, store.ErrDiskFull) {
			return err
		} else if err != nil {
			return fmt.Errorf("%w: %w", errNotActive, err)
		}
	}
}

func (d *duty) Fence() {
	select {
	case d.end <- errNotActive:
	default:
	}
}

func (d *duty) HandOver()    {}
func (d *duty) Close() error { return nil }

var errKeys = errors.New("the keys can't be read")

func (n *node) Lead(context.Context, uint64, func() bool) (role.Duty, error) {
	n.mu.Lock()
	n.begun++
	n.mu.Unlock()
	if n.broken.Load() {
		return nil, errKeys
	}
	return &duty{n.store, make(chan error, 1)}, nil
}

func (n *node) Leads(_ context.Context, d role.Duty, _ uint64, _ time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.duty = d.(*duty)
	return nil
}

func (n *node) Follows(context.Context, uint64, bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.duty = nil
	return nil
}

func (n *node) leading() *duty {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.duty
}

// run plays a scene with three nodes of which one leads.
func run(t *testing.T, scene func(*town, *node)) {
	synctest.Test(t, func(t *testing.T) {
		w := &town{t: t}
		w.net = replicatest.New(func(from, to uint64) []time.Duration {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.cut == from || w.cut == to {
				return nil
			}
			return []time.Duration{time.Millisecond}
		})
		ctx, stop := context.WithCancel(context.Background())
		for id := uint64(1); id <= 3; id++ {
			w.open(ctx, id)
		}
		scene(w, w.leader(0))
		stop()
		for _, n := range w.nodes {
			n.close()
		}
	})
}

func (w *town) open(ctx context.Context, id uint64) {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	n := &node{town: w, id: id, port: w.net.Plug(id), ended: make(chan error, 1),
		disk: &disk{FS: vfs.NewMem()}}
	var members []replica.Member
	for m := uint64(1); m <= 3; m++ {
		members = append(members, replica.Member{ID: m, Kind: replica.Data})
	}
	var err error
	n.store, err = store.Open(store.Options{Dir: "data", FS: n.disk, MinFreeBytes: keptFree,
		Key: []byte("0123456789abcdef0123456789abcdef"), Logger: log})
	if err == nil {
		n.replica, err = replica.Start(replica.Config{Cluster: "town", Generation: 1, Node: id,
			Members: members, Logger: log}, n.store, n.port)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	n.store.AgreeBy(n.replica)
	n.port.Serve(n.replica)
	n.loop = role.New(role.Loop{Replica: n.replica, Store: n.store, Owner: n, Logger: log,
		Deposed: func(err error) bool { return errors.Is(err, errNotActive) }})
	w.nodes = append(w.nodes, n)
	go func() { n.ended <- n.loop.Serve(ctx) }()
}

func (n *node) close() {
	n.town.t.Helper()
	if err := <-n.ended; err != nil {
		n.town.t.Errorf("node %d ended with %v", n.id, err)
	}
	n.port.Pull()
	n.replica.Close()
	if err := n.store.Close(); err != nil {
		n.town.t.Error(err)
	}
}

// leader waits until a node leads that isn't this one, and the others are in sync.
func (w *town) leader(not uint64) *node {
	w.t.Helper()
	for range 1000 {
		for _, n := range w.nodes {
			if n.id != not && n.leading() != nil && n.loop.Successor(0) == nil {
				return n
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatal("nobody leads")
	return nil
}

// A node whose write is refused has another one lead, if raft takes it for the leader still.
func TestWhoCantWriteHandsOn(t *testing.T) {
	for _, why := range []error{store.ErrDiskFull, errNotActive} {
		run(t, func(w *town, first *node) {
			first.leading().end <- fmt.Errorf("the batch: %w", why)
			w.leader(first.id)
			if first.leading() != nil {
				t.Errorf("%v: it leads still", why)
			}
		})
	}
}

// One that hears late that another leads, as after a pause, has nobody to hand over to; it follows,
// and doesn't end for it.
func TestWhoHearsLateFollows(t *testing.T) {
	run(t, func(w *town, first *node) {
		w.mu.Lock()
		w.cut = first.id
		w.mu.Unlock()
		first.leading().end <- errNotActive
		w.leader(first.id)
		w.mu.Lock()
		w.cut = 0
		w.mu.Unlock()
		time.Sleep(20 * time.Second)
		select {
		case err := <-first.ended:
			t.Errorf("node %d ended with %v", first.id, err)
			first.ended <- nil
		default:
		}
	})
}
