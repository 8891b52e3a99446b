package cardswitch_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"

	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/raftlog"
	"cardswitch/store/total"
	cardswitch "cardswitch/switch"
)

// alone agrees with itself at once, as the only node of a site does.
type alone struct{ *store.Store }

func (a alone) Propose(epoch uint64, data []byte) error {
	last, _ := a.Log().LastIndex()
	data = slices.Clone(data)
	err := a.Log().Append([]*pb.Entry{{Index: new(last + 1), Term: new(epoch), Data: data}},
		&pb.HardState{Term: new(epoch), Vote: new(uint64(1)), Commit: new(last + 1)})
	if err != nil {
		return err
	}
	return a.Apply(last+1, epoch, data)
}

// twin is a site that is lost, and then the one that is promoted: it has the journal as it was at
// some moment. Both are switches of one yard, one after the other.
type twin struct {
	*yard
	books      *store.Store
	bank, shop *peer
	there      string                   // folder of what was found of the lost site
	asked      map[string]*spec.Message // what the bank still has to answer, or has got, by a name
	reply      string                   // that a repeat must get
}

func (w *twin) openBooks() {
	w.t.Helper()
	o := w.config.StoreOptions()
	o.FS = w.disk
	var err error
	if w.books, err = store.Open(o); err != nil {
		w.t.Fatal(err)
	}
}

func (w *twin) closeBooks() {
	w.t.Helper()
	if err := w.books.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// serve has a switch lead in an epoch.
func (w *twin) serve(epoch uint64) {
	w.t.Helper()
	w.books.AgreeBy(alone{w.books})
	if err := w.books.Lead(epoch); err != nil {
		w.t.Fatal(err)
	}
	w.deps.Store = w.books
	w.start()
	w.bank = w.issuer(w.doors[0], "bank")
	time.Sleep(time.Second)
	w.shop = w.merchant()
}

// begin founds the site that will be lost.
func (w *twin) begin() {
	w.t.Helper()
	w.asked = make(map[string]*spec.Message)
	w.doors = append(w.doors, w.listen(primaryAt))
	w.openBooks()
	err := w.books.Found(raftlog.Identity{Cluster: "tokyo", Node: 1, Generation: 1},
		[]raftlog.Member{{ID: 1, Kind: raftlog.Data}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.serve(2)
}

// stop ends the site that serves.
func (w *twin) stop() {
	w.t.Helper()
	w.close(w.shop, w.bank)
	w.closeBooks()
}

// lose loses the site; its disk is found.
func (w *twin) lose() {
	w.t.Helper()
	time.Sleep(time.Second)
	w.find("found")
	w.stop()
}

// find keeps what is on the site's disk by now, in a folder of that name.
func (w *twin) find(name string) {
	w.t.Helper()
	lost := store.Crashed(w.disk, 1)
	w.there = filepath.Join(w.dir, name)
	to := filepath.Join(w.there, "journal")
	if err := os.MkdirAll(to, 0o700); err != nil {
		w.t.Fatal(err)
	}
	from := lost.PathJoin(w.config.Data.Dir, "journal")
	names, err := lost.List(from)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range names {
		file, err := lost.Open(lost.PathJoin(from, name))
		if err != nil {
			w.t.Fatal(err)
		}
		data, err := io.ReadAll(file)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), data, 0o600); err != nil {
			w.t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// promote has the other site serve, with what it had.
func (w *twin) promote(disk store.FS) {
	w.t.Helper()
	w.disk = disk
	w.openBooks()
	if err := w.books.Promote(store.Promotion{Generation: 2, At: time.Now()}); err != nil {
		w.t.Fatal(err)
	}
	w.closeBooks()
	w.openBooks()
	w.serve(3)
}

// window reads that of the lost site, which need not succeed.
func (w *twin) window(take bool) (*cardswitch.Window, error) {
	w.t.Helper()
	return w.sw.Window(w.there, take, cardswitch.Resolution{Who: "abe", Why: "found a disk"})
}

// lost is what is to be said of a transaction.
type lost struct {
	there, here, act string // here begins so
	doubtful         bool
}

// The plans, as people read them.
const (
	nothing = "nothing to do"
	takeIn  = "take it into the books"
	finish  = "answer and reverse it"
	undo    = "reverse it"
	undoIf  = "for people: reverse it, unless the issuer took both for one"
	affirm  = "for people: tell the issuer that it stands, or call the merchant"

	passOnIf = "for people: pass it on, or settle it with both: its original doesn't bear it here"
)

// says demands what a window says, and how much of it was taken in now.
func (w *twin) says(found *cardswitch.Window, taken int, wanted []lost) {
	w.t.Helper()
	if len(found.Transactions) != len(wanted) || found.Taken != taken {
		w.t.Fatalf("%d transactions, %d taken in; want %d and %d: %+v", len(found.Transactions),
			found.Taken, len(wanted), taken, found.Transactions)
	}
	doubtful := 0
	for i, l := range found.Transactions {
		o := wanted[i]
		if l.There != o.there || !strings.HasPrefix(l.Here, o.here) || l.Act != o.act ||
			l.Doubtful != o.doubtful {
			w.t.Errorf("transaction %d is %q there, %q here: %q, doubtful %v; want %+v", i, l.There,
				l.Here, l.Act, l.Doubtful, o)
		}
		if l.Doubtful {
			doubtful++
		}
	}
	if found.Doubtful != doubtful {
		w.t.Errorf("%d doubtful, want %d", found.Doubtful, doubtful)
	}
}

// takes lists the window, takes it in and takes it in again.
func (w *twin) takes(wanted []lost, after func(*twin)) {
	w.t.Helper()
	before := w.books.LastSeq()
	found, err := w.window(false)
	if err != nil {
		w.t.Fatal(err)
	}
	w.says(found, 0, wanted)
	if w.books.LastSeq() != before {
		w.t.Error("only to list it wrote something")
	}
	needed := 0
	again := slices.Clone(wanted)
	for i := range again {
		if again[i].act != nothing {
			needed++
			again[i].here, again[i].act, again[i].doubtful = "taken in before", nothing, false
		}
	}
	if found, err = w.window(true); err != nil {
		w.t.Fatal(err)
	}
	w.says(found, needed, wanted)
	if found, err = w.window(false); err != nil {
		w.t.Fatal(err)
	}
	w.says(found, 0, again) // at once
	after(w)
	w.addUp()
	before = w.books.LastSeq()
	if found, err = w.window(true); err != nil {
		w.t.Fatal(err)
	}
	w.says(found, 0, again)
	if w.books.LastSeq() != before {
		w.t.Errorf("the second time it wrote %d records", w.books.LastSeq()-before)
	}
	w.bank.quiet(time.Minute)
}

// scene is what happens with both sites, at one, at the other, and once the window is taken in.
type scene struct {
	change              func(*cardswitch.Config)
	both, there, here   func(*twin)
	early               func(*twin) // there, as far as a disk has it which is found before the other
	first               []lost      // wanted of that
	wanted              []lost
	after               func(*twin)
	salesHere, undoHere total.Sum // in the totals, at the end
}

func (s *scene) play(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := reconciling(t, func(r *cardswitch.ReconciliationConfig) { r.Cutover = "" })
		if s.change != nil {
			s.change(&y.config)
			y.config.Complete()
		}
		w := &twin{yard: y}
		w.begin()
		defer w.doors[0].Close()
		w.sold(w.shop, w.bank, 900, 10)
		if s.both != nil {
			s.both(w)
		}
		time.Sleep(time.Second)
		copied := store.Crashed(w.disk, 1)
		if s.early != nil {
			s.early(w)
			time.Sleep(time.Second)
			w.find("first")
		}
		s.there(w)
		w.lose()
		w.promote(copied)
		if s.here != nil {
			s.here(w)
			time.Sleep(time.Second)
		}
		if s.early != nil {
			w.takesFirst(s.first)
		}
		w.takes(s.wanted, s.after)
		w.counts(s.salesHere, s.undoHere)
		w.stop()
	})
}

// takesFirst takes in what the disk has that is found first.
func (w *twin) takesFirst(wanted []lost) {
	w.t.Helper()
	last := w.there
	w.there = filepath.Join(w.dir, "first")
	found, err := w.window(true)
	if err != nil {
		w.t.Fatal(err)
	}
	w.says(found, len(wanted), wanted)
	w.there = last
}

// counts demands the totals of the day.
func (w *twin) counts(sales, undone total.Sum) {
	w.t.Helper()
	list, err := w.sw.PeriodTotals("issuer-a", 101, 0)
	if err != nil || len(list) != 1 {
		w.t.Fatalf("totals %+v, %v", list, err)
	}
	got := list[0].Totals
	debits, reversals := got[total.Debit.String()], got[total.DebitReversal.String()]
	if debits != sales || reversals != undone {
		w.t.Errorf("sales %+v and reversals %+v, want %+v and %+v", debits, reversals, sales, undone)
	}
}

// repeats demands the first answer for a repeat of a sale, and that the bank doesn't hear of it.
func (w *twin) repeats(stan, amount int) {
	w.t.Helper()
	w.shop.send("1201", sale(stan, amount))
	if got := string(w.shop.read("1210").Raw()); got != w.reply {
		w.t.Errorf("another answer:\n%q\n%q", got, w.reply)
	}
}

// sells sells, and keeps the merchant's answer and what the bank was asked.
func (w *twin) sells(stan, amount int, action string) {
	w.t.Helper()
	w.shop.send("1200", sale(stan, amount))
	m := w.bank.read("1200")
	w.asked["sale"] = m
	w.bank.answer(m, map[int]string{38: "T00001", 39: action})
	a := w.shop.read("1210")
	want(w.t, a, map[int]string{39: action})
	w.reply = string(a.Raw())
}

// listed demands one entry of the work list, and sends it.
func (w *twin) listed(mti string) {
	w.t.Helper()
	w.bank.quiet(10 * time.Second)
	list, err := w.sw.WorkList()
	if err != nil || len(list) != 1 || list[0].MTI != mti {
		w.t.Fatalf("work list %+v, %v; want one %s", list, err, mti)
	}
	err = w.sw.Resolve(list[0].ID, cardswitch.Resolution{Act: "retry", Who: "sato", Why: "asked"})
	if err != nil {
		w.t.Fatal(err)
	}
}

// original56 is DE 56 that names what the bank was asked at the lost site.
func (w *twin) original56() string {
	return "1200" + value(w.asked["sale"], 11) + "261122120000" + "11" + acquirer
}

// before is what the totals have of the sale that both sites know in every scene.
var before = total.Sum{Number: 1, Amount: 10}

// ask sends a sale that the bank leaves open.
func (w *twin) ask(stan, amount int) {
	w.t.Helper()
	w.shop.send("1200", sale(stan, amount))
	w.asked["sale"] = w.bank.read("1200")
	time.Sleep(10 * time.Millisecond)
}
