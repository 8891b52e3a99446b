package replica

import (
	"fmt"
	"time"

	"cardswitch/store/raftlog"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// appends writes the log. While the node leads it also applies, which saves a change of goroutines
// on the path.
func (r *Replica) appends() {
	for {
		select {
		case <-r.toAppend:
		case <-r.stop:
			return
		}
		for {
			waiting := r.take(func(c *core) (taken []*pb.Message) {
				taken, c.appends = c.appends, nil
				return taken
			})
			if len(waiting) == 0 {
				break
			}
			if err := r.write(waiting); err != nil {
				r.fail(err)
				return
			}
			if r.Leads() {
				r.applyAll()
			} else {
				wake(r.toApply)
			}
		}
		r.compact()
	}
}

func (r *Replica) take(take func(*core) []*pb.Message) (taken []*pb.Message) {
	_ = r.do(func(time.Duration) error {
		taken = take(r.core)
		return nil
	})
	return taken
}

// Leads tells whether the node leads and has applied its first entry.
func (r *Replica) Leads() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.stopped && r.core.leads
}

// write does what messages ask of the log: those that follow one another in one write.
func (r *Replica) write(waiting []*pb.Message) error {
	for len(waiting) > 0 {
		n, entries := joinable(waiting)
		began := time.Since(r.lease.began)
		r.writing.Store(int64(began))
		err := r.log.Append(entries, hardState(waiting[:n]))
		r.writing.Store(0)
		if err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
		if len(entries) > 0 {
			r.lastSync.Store(int64(time.Since(r.lease.began) - began))
		}
		err = r.do(func(now time.Duration) error {
			for _, m := range waiting[:n] {
				r.core.appended(m, now)
			}
			return nil
		})
		if err != nil {
			return err
		}
		waiting = waiting[n:]
	}
	return nil
}

// joinable says how many messages can be one write, and gives their entries: none takes back what
// another one of them has written.
func joinable(waiting []*pb.Message) (n int, entries []*pb.Entry) {
	entries = waiting[0].GetEntries()
	for n = 1; n < len(waiting); n++ {
		more := waiting[n].GetEntries()
		if k := len(entries); k > 0 && len(more) > 0 &&
			more[0].GetIndex() != entries[k-1].GetIndex()+1 {
			break
		}
		entries = append(entries[:len(entries):len(entries)], more...)
	}
	return n, entries
}

// hardState is the newest that messages carry, nil if none does.
func hardState(waiting []*pb.Message) (state *pb.HardState) {
	for _, m := range waiting {
		if m.Term != nil && m.Commit != nil {
			state = &pb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}
		}
	}
	return state
}

// applies applies while the node doesn't lead.
func (r *Replica) applies() {
	for {
		select {
		case <-r.toApply:
		case <-r.stop:
			return
		}
		r.applyAll()
	}
}

// applyAll applies what waits, unless somebody is at it already, who then does this too.
func (r *Replica) applyAll() {
	for {
		waiting := r.take(func(c *core) (taken []*pb.Message) {
			if !r.applying && len(c.applies) > 0 {
				taken, c.applies = c.applies, nil
				r.applying = true
			}
			return taken
		})
		if len(waiting) == 0 {
			return
		}
		for _, m := range waiting {
			if err := r.apply(m); err != nil {
				r.fail(err)
				return
			}
		}
		_ = r.do(func(time.Duration) error {
			r.applying = false
			return nil
		})
	}
}

func (r *Replica) apply(m *pb.Message) error {
	for _, e := range m.GetEntries() {
		if err := r.applyOne(e); err != nil {
			return err
		}
		err := r.do(func(now time.Duration) error {
			r.core.did(e, now)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return r.do(func(now time.Duration) error {
		r.core.applyDone(m, now)
		return nil
	})
}

func (r *Replica) applyOne(e *pb.Entry) error {
	if e.GetType() == pb.EntryNormal {
		return r.machine.Apply(e.GetIndex(), e.GetTerm(), e.GetData())
	}
	cc, changed, err := parseChange(e)
	if err != nil {
		return err
	}
	var conf *pb.ConfState
	err = r.do(func(now time.Duration) error {
		conf = r.core.members(cc, now)
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.machine.ApplyMembers(e.GetIndex(), e.GetTerm(), conf, changed); err != nil {
		return err
	}
	r.transport.Members(r.log.Members())
	return nil
}

// parseChange reads a change of the members.
func parseChange(e *pb.Entry) (*pb.ConfChange, Member, error) {
	cc := new(pb.ConfChange)
	if e.GetType() != pb.EntryConfChange {
		return nil, Member{}, fmt.Errorf("entry %d is of a kind that this program doesn't know",
			e.GetIndex())
	}
	if err := proto.Unmarshal(e.GetData(), cc); err != nil {
		return nil, Member{}, fmt.Errorf("entry %d: %w", e.GetIndex(), err)
	}
	m, err := raftlog.ParseMember(cc.GetContext())
	if err == nil && m.ID != cc.GetNodeId() {
		err = fmt.Errorf("entry %d changes member %d, but tells of %d", e.GetIndex(), cc.GetNodeId(),
			m.ID)
	}
	return cc, m, err
}

// compact drops what of the log nobody needs any more.
func (r *Replica) compact() {
	released, through := uint64(0), uint64(0)
	_ = r.do(func(time.Duration) error {
		released = r.core.release()
		through = r.core.cut(released)
		return nil
	})
	if r.log.Release(released); through == 0 {
		return
	}
	if err := r.log.Compact(through); err != nil {
		r.config.Logger.Error("the log couldn't be cut", "through", through, "error", err)
	}
}
