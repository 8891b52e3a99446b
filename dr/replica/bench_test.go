package replica

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"syscall"
	"testing"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// at once: Send without a delay, as on one machine.
type atOnce struct{ *hubNode }

func (n atOnce) Send(m *pb.Message) {
	n.hub.mu.Lock()
	to := n.hub.nodes[m.GetTo()]
	n.hub.mu.Unlock()
	if to == nil {
		return
	}
	text, err := proto.Marshal(m)
	if err != nil {
		return
	}
	to.inbox <- text
}

// BenchmarkCommit commits groups of transactions (opened and closed, as the switch writes them) on
// one node and on three, each with a folder of its own on the disk of TMPDIR.
func BenchmarkCommit(b *testing.B) {
	for _, nodes := range []int{1, 3} {
		for _, n := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("nodes=%d/txns=%d", nodes, n), func(b *testing.B) {
				benchmarkCommit(b, nodes, n)
			})
		}
	}
}

func benchmarkCommit(b *testing.B, nodes, n int) {
	h := &hub{nodes: make(map[uint64]*hubNode)}
	var members []Member
	for id := range uint64(nodes) {
		members = append(members, Member{ID: id + 1, Kind: Data})
	}
	for _, m := range members {
		node := &hubNode{hub: h, id: m.ID, inbox: make(chan []byte, 4096)}
		var err error
		node.store, err = store.Open(store.Options{Dir: b.TempDir(), Key: testKey})
		if err != nil {
			b.Fatal(err)
		}
		r, err := Start(Config{Cluster: "bench", Node: m.ID, Members: members,
			Election: 2 * time.Second, Heartbeat: 100 * time.Millisecond}, node.store, atOnce{node})
		if err != nil {
			b.Fatal(err)
		}
		node.store.AgreeBy(r)
		h.mu.Lock()
		node.Replica = r
		h.nodes[m.ID] = node
		h.mu.Unlock()
		go node.hear()
	}
	lead := h.leader()
	if err := lead.store.Lead(lead.Status().Term); err != nil {
		b.Fatal(err)
	}
	fill := newFiller()
	batch := lead.store.NewBatch()
	start := cpuTime()
	b.ResetTimer()
	for range b.N {
		fill.fill(batch, n)
		if err := lead.store.Commit(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "txn/s")
	b.ReportMetric(float64(cpuTime()-start)/float64(b.N*n)/1000, "cpu-µs/txn")
	for _, node := range h.nodes {
		node.Close()
	}
	for _, node := range h.nodes {
		close(node.inbox)
		node.store.Close()
	}
}

func (n *hubNode) hear() {
	for text := range n.inbox {
		m := new(pb.Message)
		if proto.Unmarshal(text, m) == nil {
			n.Step(m)
		}
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// filler makes transactions.
type filler struct {
	rng     *rand.Rand
	message [415]byte
	open    []uint64
	n       int
}

func newFiller() *filler { return &filler{rng: rand.New(rand.NewPCG(1, 2))} }

func (f *filler) fill(b *store.Batch, n int) {
	at := time.Now().UnixNano()
	for _, txn := range f.open {
		r := journal.Record{Kind: journal.Closed, At: at, Txn: txn, Center: 1, Amount: 12800}
		r.Add(journal.Image{Role: journal.Answer, Data: []byte("1210......000A12345")})
		b.Append(&r)
	}
	f.open = f.open[:0]
	for range n {
		f.n++
		for i := 200; i < len(f.message); i += 4 {
			f.message[i] = byte(f.rng.Uint32())
		}
		r := journal.Record{Kind: journal.Opened, At: at, Center: 1, Dest: 7, STAN: uint32(f.n % 1000000)}
		r.Key = journal.KeyOf(1, 0x1200, 261122000000+uint64(f.n/1000000), r.STAN, 1234567, 7)
		strconv.AppendInt(r.Reference[:0], int64(100000000000+f.n), 10)
		r.Add(journal.Image{Role: journal.Request, Data: f.message[:]})
		f.open = append(f.open, b.Append(&r))
	}
}
