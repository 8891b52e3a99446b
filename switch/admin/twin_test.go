package admin

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/http"
	"slices"
	"sync"

	"cardswitch/hsm/keyring"
	"cardswitch/routing"
	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link"
)

// twinSwitch is a switch of values: what it is told, it remembers.
type twinSwitch struct {
	Negative
	status   cardswitch.Status
	links    link.Status
	queues   []cardswitch.QueueStatus
	notReady error
	told     []string
	replies  []cardswitch.Told
	resolved []cardswitch.Resolution
	asked    cardswitch.Question
	checked  []cardswitch.CardCheck
}

func (s *twinSwitch) Status() cardswitch.Status        { return s.status }
func (s *twinSwitch) Ready() error                     { return s.notReady }
func (s *twinSwitch) Links() link.Status               { return s.links }
func (s *twinSwitch) Queues() []cardswitch.QueueStatus { return s.queues }
func (s *twinSwitch) Tell(_ context.Context, c, l string, act cardswitch.LinkAct) (
	[]cardswitch.Told, error) {
	s.told = append(s.told, c+"/"+l+" "+string(act))
	return s.replies, nil
}

func (s *twinSwitch) Explain(q cardswitch.Question) (routing.Explanation, error) {
	s.asked = q
	if _, err := q.Query([]string{"hq-aoyama"}); err != nil {
		return routing.Explanation{}, err
	}
	return routing.Explanation{MTI: q.MTI, To: []string{"issuer-sakura"}}, nil
}

func (s *twinSwitch) CheckJob(int) uint64 { return 261122115500 }

func (s *twinSwitch) CheckCard(_ context.Context, q cardswitch.CardCheck) (
	cardswitch.CardChecked, error) {
	s.checked = append(s.checked, q)
	return cardswitch.CardChecked{Asked: true, Name: "approved"}, nil
}

func (s *twinSwitch) ChangeKey(context.Context, keyring.By, keyring.Slot) error {
	return errors.New("nobody is there")
}

func (s *twinSwitch) Resolve(_ uint64, r cardswitch.Resolution) error {
	s.resolved = append(s.resolved, r)
	return nil
}

func (s *twinSwitch) StandIns() []cardswitch.StandInStatus {
	return []cardswitch.StandInStatus{{Center: "sakura", Setting: "auto"}}
}

func (s *twinSwitch) OrderStandIn(center string, o cardswitch.StandInOrder) error {
	s.told = append(s.told, center+" standin "+o.Act+" by "+o.Who+": "+o.Why)
	return nil
}

func (s *twinSwitch) Simulate(_ context.Context, q cardswitch.Simulation) (cardswitch.Simulated,
	error) {
	return cardswitch.Simulated{Issuer: q.Issuer}, nil
}

// twinJournal keeps records in a slice.
type twinJournal struct {
	mu      sync.Mutex
	changed chan struct{}
	records []journal.Record
	work    []queue.Owed
	slowAt  uint64 // Follow ends for a slow reader at this record
	unsound error
}

func newTwinJournal(records ...journal.Record) *twinJournal {
	j := &twinJournal{changed: make(chan struct{})}
	for _, r := range records {
		j.add(r)
	}
	return j
}

func (j *twinJournal) add(r journal.Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.Seq = uint64(len(j.records) + 1)
	if r.Txn == 0 {
		r.Txn = r.Seq
	}
	j.records = append(j.records, r)
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *twinJournal) from(seq uint64) ([]journal.Record, chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	first := min(max(seq, 1)-1, uint64(len(j.records)))
	return slices.Clone(j.records[first:]), j.changed
}

func (j *twinJournal) Replay(from uint64, fn func(*journal.Record) error) error {
	records, _ := j.from(from)
	for i := range records {
		if err := fn(&records[i]); err != nil {
			return err
		}
	}
	return nil
}

func (j *twinJournal) Follow(ctx context.Context, from uint64,
	fn func(*journal.Record) error) error {
	for {
		records, changed := j.from(from)
		for i := range records {
			if records[i].Seq == j.slowAt {
				return &store.SlowReaderError{Resume: j.slowAt}
			}
			if err := fn(&records[i]); err != nil {
				return err
			}
			from = records[i].Seq + 1
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (j *twinJournal) Transaction(txn uint64) ([]journal.Record, error) {
	records, _ := j.from(1)
	records = slices.DeleteFunc(records, func(r journal.Record) bool { return r.Txn != txn })
	if len(records) == 0 {
		return nil, store.ErrNotFound
	}
	return records, nil
}

func (j *twinJournal) FindReference(rrn string, limit int) ([]uint64, error) {
	records, _ := j.from(1)
	var txns []uint64
	for i := range records {
		r := &records[i]
		if string(r.Reference[:]) == rrn && !slices.Contains(txns, r.Txn) && len(txns) < limit {
			txns = append(txns, r.Txn)
		}
	}
	return txns, nil
}

func (j *twinJournal) FindCard(hash [16]byte, limit int) ([]uint64, error) {
	return nil, nil
}

func (j *twinJournal) HashPAN(spec.PAN) [16]byte { return [16]byte{} }

func (j *twinJournal) Find(journal.Key) (uint64, bool, error) { return 0, false, nil }

func (j *twinJournal) Scan(_, _ []byte, _ func(key, value []byte) bool) error { return nil }

func (j *twinJournal) FirstSeq() uint64 { return 1 }

func (j *twinJournal) LastSeq() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint64(len(j.records))
}

func (j *twinJournal) Verify(progress func(uint64)) (store.Report, error) {
	progress(1)
	return store.Report{First: 1, Last: j.LastSeq(), Records: j.LastSeq()}, j.unsound
}

func (j *twinJournal) WorkList() iter.Seq2[queue.Owed, error] {
	return func(yield func(queue.Owed, error) bool) {
		for _, owed := range j.work {
			if !yield(owed, nil) {
				return
			}
		}
	}
}

// twinNames has the names of centers, links and dialects.
type twinNames map[uint16]struct {
	name       string
	definition []byte
}

func (n twinNames) Name(id uint16) string       { return n[id].name }
func (n twinNames) Definition(id uint16) []byte { return n[id].definition }

var errDisk = errors.New("the disk is full")

func socketClient(path string) *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", path)
		},
	}}
}

// twinCluster is a cluster of which nothing is known.
type twinCluster struct{}

func (twinCluster) ClusterStatus() ClusterStatus { return ClusterStatus{} }
func (twinCluster) Transfer(context.Context, uint64) (ClusterStatus, error) {
	return ClusterStatus{}, nil
}
func (twinCluster) Join(context.Context, Joining) error      { return nil }
func (twinCluster) Leave(context.Context, uint64) error      { return nil }
func (twinCluster) Promotion() Promotion                     { return Promotion{} }
func (twinCluster) Promote(context.Context, Promoting) error { return nil }

func (t *twinSwitch) Window(string, bool, cardswitch.Resolution) (*cardswitch.Window, error) {
	return &cardswitch.Window{}, nil
}
