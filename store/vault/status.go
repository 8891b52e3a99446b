package vault

import (
	"sync"
	"time"
)

// progress is the Progress of the re-keying under way, or of the last one.
type progress struct {
	mu sync.Mutex
	is Progress
}

func (p *progress) begin(target uint32, total uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.is = Progress{Running: true, Target: target, Total: total, Began: time.Now()}
}

func (p *progress) add(seen, rewritten int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.is.Seen += uint64(seen)
	p.is.Rewritten += uint64(rewritten)
}

func (p *progress) damaged() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.is.Damaged++
}

func (p *progress) stopped(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.is.Running, p.is.Err = false, err
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.is.Running = false
}

// KeyStatus is one data key.
type KeyStatus struct {
	ID        uint32
	Active    bool // seals what is new
	Created   time.Time
	Destroyed time.Time // zero: it still opens what lies under it
}

// Status is what an operator sees of the vault.
type Status struct {
	DataKeys []KeyStatus
	Rekey    Progress // the one under way, or the last one since the start
	Pending  int      // tokens changed in batches that aren't durable yet
	Cached   int
}

// Status tells how the vault is.
func (v *Vault) Status() Status {
	var s Status
	keys := v.keys.Load()
	for _, d := range keys.file.Data {
		k := KeyStatus{ID: d.ID, Active: d.ID == keys.active, Created: d.Created}
		if d.Destroyed != nil {
			k.Destroyed = *d.Destroyed
		}
		s.DataKeys = append(s.DataKeys, k)
	}
	v.progress.mu.Lock()
	s.Rekey = v.progress.is
	v.progress.mu.Unlock()
	v.mu.Lock()
	s.Pending, s.Cached = len(v.pending.tokens), v.cache.len()
	v.mu.Unlock()
	return s
}
