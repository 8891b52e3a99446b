package negative

import (
	"maps"
	"slices"
	"testing"
	"time"

	"cardswitch/store"
	"cardswitch/store/journal"

	"pgregory.net/rapid"
)

// model is what a list should say, kept as plainly as it can be.
type model struct {
	urgent map[Hash]Terms
	gone   map[Hash]uint64 // released from that generation
	files  []modelFile
	newest uint64
}

type modelFile struct {
	generation uint64
	from       int64
	cards      map[Hash]Terms
	took       bool
}

// inForce is the newest file whose time has come.
func (m *model) inForce(now int64) *modelFile {
	for i := range slices.Backward(m.files) {
		if m.files[i].took || m.files[i].from <= now {
			return &m.files[i]
		}
	}
	return nil
}

func (m *model) lookup(card Hash, now int64) (Terms, bool) {
	today := DayOf(time.Unix(0, now), time.UTC)
	if t, ok := m.urgent[card]; ok && t.Holds(today) {
		return t, true
	}
	f := m.inForce(now)
	if f == nil {
		return Terms{}, false
	}
	if _, urgent := m.urgent[card]; !urgent && m.gone[card] == f.generation {
		return Terms{}, false
	}
	if t, ok := f.cards[card]; ok && t.Holds(today) {
		return t, true
	}
	return Terms{}, false
}

// place is a store with a table, on a disk that can lose its power.
type place struct {
	t     *rapid.T
	disk  store.FS
	store *store.Store
	table *Table
	list  *List
	batch *store.Batch
}

func (p *place) open() {
	s, err := store.Open(store.Options{Dir: "data", FS: p.disk, Key: make([]byte, 32)})
	if err != nil {
		p.t.Fatal(err)
	}
	p.store, p.batch = s, s.NewBatch()
	p.table = Open(Options{Books: s, Disk: p.disk, Dir: "data/negative", Key: s.KeyName()})
	if p.list, err = p.table.List(3, "issuer", time.UTC); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) commit() {
	p.batch.Append(&journal.Record{At: 1, Kind: journal.Listed})
	if err := p.store.Commit(p.batch); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) close() {
	if err := p.store.Close(); err != nil {
		p.t.Fatal(err)
	}
}

// trial is a place beside its model.
type trial struct {
	*place
	m     *model
	now   int64
	card  *rapid.Generator[Hash]
	terms *rapid.Generator[Terms]
}

func newTrial(t *rapid.T) *trial {
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	today := DayOf(now, time.UTC)
	day := rapid.Map(rapid.Uint16Range(0, 4), func(n uint16) Day {
		if n == 0 {
			return 0
		}
		return today + Day(n) - 2
	})
	r := &trial{place: &place{t: t, disk: store.Memory()}, now: now.UnixNano(),
		m:    &model{urgent: map[Hash]Terms{}, gone: map[Hash]uint64{}},
		card: rapid.Map(rapid.Uint64Range(0, 11), hashOf),
		terms: rapid.Custom(func(t *rapid.T) Terms {
			return Terms{Action: rapid.Uint16Range(100, 299).Draw(t, "action"),
				From: day.Draw(t, "from"), Until: day.Draw(t, "until")}
		})}
	r.open()
	return r
}

// TestAListIsItsModel: whatever is added, deleted, replaced, in whatever order, over restarts and
// power cuts, at any time of the clock: every lookup is that of a map.
func TestAListIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newTrial(t)
		defer func() { r.close() }()
		t.Repeat(map[string]func(*rapid.T){
			"":                 func(*rapid.T) { r.compare(r.m, r.now) },
			"put":              r.putOne,
			"delete":           r.deleteOne,
			"import":           r.importOne,
			"die in an import": r.die,
			"take over":        r.takeOver,
			"sweep":            r.sweep,
			"pass": func(t *rapid.T) {
				r.now += int64(rapid.IntRange(1, 40).Draw(t, "hours")) * int64(time.Hour)
			},
			"a clock that goes back": func(*rapid.T) { r.now -= int64(time.Hour) },
			"restart":                func(*rapid.T) { r.close(); r.open() },
			"crash":                  func(*rapid.T) { r.crash() },
		})
	})
}

func (r *trial) putOne(t *rapid.T) {
	e := Entry{r.card.Draw(t, "card"), r.terms.Draw(t, "terms")}
	r.list.Put(r.batch, e)
	r.commit()
	r.m.urgent[e.Card] = e.Terms
	delete(r.m.gone, e.Card)
}

func (r *trial) deleteOne(t *rapid.T) {
	c := r.card.Draw(t, "card")
	r.list.Delete(r.batch, c, r.now)
	r.commit()
	delete(r.m.urgent, c)
	if f := r.m.inForce(r.now); f != nil {
		if _, listed := f.cards[c]; listed {
			r.m.gone[c] = f.generation
		}
	}
}

func (r *trial) importOne(t *rapid.T) {
	cards := rapid.MapOf(r.card, r.terms).Draw(t, "cards")
	from := r.now + int64(rapid.IntRange(-1, 30).Draw(t, "hours"))*int64(time.Hour)
	r.bring(cards, from, r.now)
	r.m.newest++
	r.m.files = append(r.m.files, modelFile{r.m.newest, from, cards, false})
}

func (r *trial) die(t *rapid.T) {
	b := r.table.Builder(3, r.list.NextGeneration())
	for c, terms := range rapid.MapOf(r.card, r.terms).Draw(t, "cards") {
		_ = b.Add(&Entry{c, terms})
	}
	if rapid.Bool().Draw(t, "finished") {
		if _, _, err := b.Finish(nil); err != nil {
			t.Fatal(err)
		}
	}
	r.crash()
}

func (r *trial) takeOver(t *rapid.T) {
	if !r.list.Due(r.now) {
		return
	}
	took, ended := r.list.TakeOver(r.batch, r.now)
	r.commit()
	for _, e := range ended {
		if err := r.table.Forget(3, e.Generation); err != nil {
			t.Fatal(err)
		}
	}
	r.m.files = slices.DeleteFunc(r.m.files, func(f modelFile) bool {
		return f.generation < took.Generation
	})
	r.m.files[0].took = true
	maps.DeleteFunc(r.m.gone, func(_ Hash, g uint64) bool { return g < took.Generation })
}

// sweep removes what is past, a few at a time, until it has been everywhere.
func (r *trial) sweep(t *rapid.T) {
	today := DayOf(time.Unix(0, r.now), time.UTC)
	past := func(_ Hash, t Terms) bool { return t.Until != 0 && t.Until+1 < today }
	most := rapid.IntRange(1, 5).Draw(t, "at once")
	for range 12/most + 2 { // there are twelve cards
		gone := r.list.Sweep(r.batch, r.now, most)
		if len(gone) > most {
			t.Fatalf("%d are removed at once, not %d", len(gone), most)
		}
		for _, e := range gone {
			if terms, ok := r.m.urgent[e.Card]; !ok || terms != e.Terms || !past(e.Card, terms) {
				t.Fatalf("%+v is removed, the model has %+v", e, terms)
			}
			delete(r.m.urgent, e.Card)
		}
	}
	r.commit()
	maps.DeleteFunc(r.m.urgent, past)
	entries, _ := r.list.Urgent()
	if len(entries) != len(r.m.urgent) {
		t.Fatalf("%d entries are there, the model has %d", len(entries), len(r.m.urgent))
	}
}

func (p *place) crash() {
	disk := store.Crashed(p.disk, 7)
	p.close()
	p.disk = disk
	p.open()
}

func (p *place) bring(cards map[Hash]Terms, from, now int64) {
	old, _ := p.list.Current(now)
	b := p.table.Builder(3, p.list.NextGeneration())
	b.sorter.most = 3
	for c, t := range cards {
		if err := b.Add(&Entry{c, t}); err != nil {
			p.t.Fatal(err)
		}
	}
	f, meta, err := b.Finish(old)
	if err != nil {
		p.t.Fatal(err)
	}
	meta.Effective = from
	p.list.Enter(p.batch, meta, f)
	p.commit()
}

func (p *place) compare(m *model, now int64) {
	for n := range uint64(14) {
		card := hashOf(n)
		want, listed := m.lookup(card, now)
		got, finding := p.list.Lookup(&card, now)
		if got != want || (finding == Listed) != listed || finding == Unusable {
			p.t.Fatalf("card %d: %+v %v, the model says %+v %v", n, got, finding, want, listed)
		}
	}
	names, err := p.disk.List("data/negative")
	if err != nil {
		p.t.Fatal(err)
	}
	if len(names) > len(m.files) {
		p.t.Fatalf("%d files lie there, not %d: %v", len(names), len(m.files), names)
	}
}
