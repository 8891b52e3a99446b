package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// ErrReplaced ends a replica that has got the whole journal of another node, as the log no longer
// had what it lacked: close the machine, open it again and start anew.
var ErrReplaced = errors.New("the journal was replaced by that of another node")

// journalAt is what a node asks another for: the journal as it was at an entry.
const journalAt = "journal "

// askAgain is after how long a member that wasn't seen to take the journal is told again.
const askAgain = time.Second

// fetch gets the journal that a leader says this node needs. One at a time; raft hears nothing of
// it until the node starts anew.
func (r *Replica) fetch(m *pb.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped || r.fetching {
		return
	}
	r.fetching = true
	r.joined.Go(func() {
		from, at := m.GetFrom(), m.GetSnapshot().GetMetadata()
		r.config.Logger.Info("the journal of another node is fetched", "from", from,
			"entry", at.GetIndex())
		err := r.receive(from, at)
		r.mu.Lock()
		r.fetching = false
		r.mu.Unlock()
		if err != nil && !errors.Is(err, ErrReplaced) {
			r.config.Logger.Warn("the journal of another node couldn't be fetched", "error", err)
		}
	})
}

func (r *Replica) receive(from uint64, at *pb.SnapshotMetadata) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-r.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	in, err := r.transport.Stream(ctx, from, journalAt+strconv.FormatUint(at.GetIndex(), 10))
	if err != nil {
		return err
	}
	err = r.machine.Receive(in)
	if _, more := in.Read(make([]byte, 1)); err == nil && more != io.EOF {
		err = fmt.Errorf("it doesn't end well: %w", more)
	}
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	r.mu.Lock()
	if r.stopped {
		r.mu.Unlock()
		return errClosed
	}
	r.halt(ErrReplaced) // from here on it votes for nobody
	r.mu.Unlock()
	r.works.Wait()
	r.mu.Lock()
	has := r.core.has(at) // it came meanwhile: this node starts anew on its own
	r.mu.Unlock()
	why := ErrReplaced
	if has {
		r.config.Logger.Info("the journal of another node isn't needed any more")
	} else if err := r.machine.Replace(); err != nil {
		why = fmt.Errorf("put the journal of another node in place: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell(Role{Stopped: true, Err: why})
	return why
}

// Serve writes what another node has asked for by Stream.
func (r *Replica) Serve(_ context.Context, to uint64, request string, out io.Writer) error {
	text, ok := strings.CutPrefix(request, journalAt)
	index, err := strconv.ParseUint(text, 10, 64)
	if !ok || err != nil {
		return fmt.Errorf("nobody here knows %q", request)
	}
	r.mu.Lock()
	if r.stopped {
		r.mu.Unlock()
		return errClosed
	}
	r.core.shipping[to]++
	r.joined.Add(1)
	r.mu.Unlock()
	defer r.joined.Done()
	err = r.machine.Ship(index, untilStopped{out, r.stop})
	_ = r.do(func(now time.Duration) error {
		r.core.shipped(to, err == nil, now)
		return nil
	})
	return err
}

// untilStopped writes no more once the replica ends.
type untilStopped struct {
	io.Writer
	stop <-chan struct{}
}

func (w untilStopped) Write(b []byte) (int, error) {
	select {
	case <-w.stop:
		return 0, errClosed
	default:
		return w.Writer.Write(b)
	}
}

// shipped says that a member has been sent the journal, or that it failed.
func (c *core) shipped(to uint64, well bool, now time.Duration) {
	c.shipping[to]--
	how := raft.SnapshotFinish
	if !well {
		how = raft.SnapshotFailure
	}
	c.node.ReportSnapshot(to, how)
	delete(c.asked, to)
	c.drain(now)
}

// lacks tells whether a message says that this node needs the whole journal, and it does: if it has
// what the leader thinks that it lacks, raft tells the leader so.
func (c *core) lacks(m *pb.Message) bool {
	return m.GetType() == pb.MsgSnap && !c.has(m.GetSnapshot().GetMetadata())
}

// has tells whether this node has the journal up to an entry, be it in the log only. Then no other
// may take its place: the log may go further, and the leader counts on what it was told is there.
func (c *core) has(at *pb.SnapshotMetadata) bool {
	term, err := c.log.Term(at.GetIndex())
	return at.GetIndex() <= c.applied || err == nil && term == at.GetTerm()
}

// remind has those told again that were told to fetch the journal, and don't.
func (c *core) remind(now time.Duration) {
	var late []uint64
	c.node.WithProgress(func(id uint64, _ raft.ProgressType, p tracker.Progress) {
		switch at, ok := c.asked[id]; {
		case p.State != tracker.StateSnapshot || c.shipping[id] > 0:
			delete(c.asked, id)
		case !ok:
			c.asked[id] = now
		case now-at > askAgain:
			late = append(late, id)
		}
	})
	for _, id := range late {
		delete(c.asked, id)
		c.node.ReportSnapshot(id, raft.SnapshotFailure)
	}
}
