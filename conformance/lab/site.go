package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cardswitch/conformance/count"
	"cardswitch/conformance/ledger"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// far is the number of the node at the other site.
const far = nodes + 1

// lags is for how long nothing comes to the other site before the first one is lost, so that there
// is something to miss.
const lags = 500 * time.Millisecond

// SiteLoss is what the loss of a site came to.
type SiteLoss struct {
	Lacked   uint64        `json:"lacked"`  // records, as was known when it was promoted
	Back     time.Duration `json:"back"`    // from the second person's consent to the first answer
	Records  int           `json:"records"` // that only the lost disk has
	Listed   int           `json:"listed"`  // transactions in the window
	Missing  int           `json:"missing"` // by what merchants and issuers have
	Outside  []string      `json:"outside,omitempty"`
	Doubtful int           `json:"doubtful"`
	Taken    int           `json:"taken"`
	Failed   []string      `json:"failed,omitempty"` // what else wasn't as it must be
	Home     *FailBack     `json:"home,omitempty"`
}

func (s *SiteLoss) clean() bool { return s == nil || len(s.Outside)+len(s.Failed) == 0 }

// loseSite kills all nodes of a site at once, promotes the other one by two people, finds a disk of
// the lost one, and compares what it lists with what merchants and issuers have.
func (r *run) loseSite(ctx context.Context) error {
	second, err := secondPerson()
	if err != nil {
		r.report.cannot(Site, err)
		return nil
	}
	if _, err := r.whole(ctx); err != nil {
		return err
	}
	if err := r.town.flows(ctx, startTime); err != nil {
		return err
	}
	loss, there := &SiteLoss{}, r.nodes[far-1]
	r.report.Site = loss
	r.cutOff(ctx)
	at := time.Now()
	var killing sync.WaitGroup
	for _, n := range r.nodes[:nodes] {
		killing.Go(n.kill)
	}
	killing.Wait()
	if err := there.promoted(ctx, second, loss); err != nil {
		return err
	}
	consented := time.Now()
	if err := r.town.flows(ctx, startTime); err != nil {
		return err
	}
	m := measureUntil(Site, at, time.Now(), r.town.since(at.Add(-time.Second)))
	r.report.add(m)
	loss.Back = firstAfter(r.town.since(consented), consented)
	fmt.Fprintf(r.Progress, "site: lost; the other one, which lacked %d records or more, answers %s "+
		"after the second person's word\n", loss.Lacked, loss.Back.Round(time.Millisecond))
	pause(ctx, watched)
	lost := r.nodes[:nodes]
	w, err := there.window(ctx, lost[0], false)
	if err != nil {
		return err
	}
	if err := r.comesBack(ctx, lost); err != nil {
		return err
	}
	home, err := r.failBack(ctx, there)
	if err != nil {
		return err
	}
	r.town.endTrade()
	r.report.Terms = r.town.terms()
	return r.reconcile(ctx, home, lost, w.Last)
}

// cutOff keeps the other site from hearing for a while, where that can be.
func (r *run) cutOff(ctx context.Context) {
	if r.place.name == "" {
		return
	}
	for _, n := range r.nodes[:nodes] {
		_ = r.place.cut(n.number, far) // without it the window is only smaller
	}
	pause(ctx, lags)
}

func firstAfter(answers []answer, at time.Time) time.Duration {
	for _, a := range answers {
		if a.approved && a.at.After(at) {
			return a.at.Sub(at)
		}
	}
	return 0
}

// promoted has two people promote a node, once it says that nobody else can be reached.
func (n *node) promoted(ctx context.Context, second int, loss *SiteLoss) error {
	var p admin.Promotion
	err := until(ctx, "nobody of the lost site can be reached", func() (bool, error) {
		err := n.ask(ctx, http.MethodGet, "/v1/cluster/promotion", nil, &p)
		return err == nil && len(p.Reachable) == 0, err
	})
	if err != nil {
		return err
	}
	if p.Heard != nil && p.Heard.Record > p.Last {
		loss.Lacked = p.Heard.Record - p.Last
	}
	const path = "/v1/cluster/promotion"
	wish := map[string]any{"why": "the site is lost, in a drill"}
	if err := n.ask(ctx, http.MethodPost, path, wish, nil); err != nil {
		return err
	}
	if err := n.ask(ctx, http.MethodPost, path+"/consent", nil, nil); err == nil {
		loss.Failed = append(loss.Failed, "one person alone promoted it")
		return nil
	}
	err = errors.Join(os.Chmod(n.run.dir, 0o711), os.Chmod(n.stage.Dir, 0o711),
		os.Chmod(n.stage.Socket(), 0o666)) // for the other user
	if err != nil {
		return err
	}
	return n.askBy(ctx, as(second), n.stage.Socket(), http.MethodPost, path+"/consent", nil, nil)
}

// secondPerson is another user of this machine.
func secondPerson() (int, error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("two people are needed, and only root can be two")
	}
	u, err := user.Lookup(secondName)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Uid)
}

// secondName is a user that every Linux has.
const secondName = "daemon"

// as dials as another user of the machine.
func as(uid int) dialer {
	return func(ctx context.Context, network, address string) (c net.Conn, err error) {
		done := make(chan error, 1)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid),
				^uintptr(0)); e != 0 {
				done <- e
				return
			}
			c, err = new(net.Dialer).DialContext(ctx, network, address)
			done <- err
		}()
		err = <-done
		return c, err
	}
}

// until waits for something, which may fail meanwhile.
func until(ctx context.Context, what string, is func() (bool, error)) (err error) {
	for end := time.Now().Add(settleTime); time.Now().Before(end); {
		var ok bool
		if ok, err = is(); ok {
			return nil
		}
		if !pause(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
	return errors.Join(fmt.Errorf("lab: not within %s: %s", settleTime, what), err)
}

// reconcile finds the disks of the lost site, at the node that serves now: first one is only listed
// and compared, then all are taken in, what is in doubt is decided, and the books are compared.
// last is the last record of that disk as it was before its node was started again.
func (r *run) reconcile(ctx context.Context, serves *node, lost []*node, last uint64) error {
	loss := r.report.Site
	err := serves.quiet(ctx, func(s *cardswitch.Status) int { return s.Open + s.Owed })
	if err != nil {
		return err
	}
	before, serves, err := r.reread(ctx, serves)
	if err != nil {
		return err
	}
	w, err := serves.window(ctx, lost[0], false)
	if err != nil {
		return err
	}
	loss.Records, loss.Listed, loss.Doubtful = w.Records, len(w.Transactions), w.Doubtful
	if w.Last > last {
		loss.Failed = append(loss.Failed, fmt.Sprintf("the lost site wrote on when it came back, from "+
			"record %d to %d", last, w.Last))
	}
	r.explained(before, w)
	for _, n := range lost { // each may have a little that the others were not sent yet
		taken, err := serves.window(ctx, n, true)
		if err != nil {
			return err
		}
		loss.Taken += taken.Taken
	}
	if err := serves.decide(ctx, "retry"); err != nil {
		return err
	}
	// What an issuer doesn't take now either is a reversal of what it has reversed already.
	if err := serves.decide(ctx, "drop"); err != nil {
		return err
	}
	err = serves.quiet(ctx, func(s *cardswitch.Status) int {
		r.report.Owed = s.Open + s.Owed + s.Shelved
		return r.report.Owed
	})
	if err != nil {
		return err
	}
	once, err := serves.window(ctx, lost[0], true)
	if err != nil {
		return err
	}
	if once.Taken != 0 {
		loss.Failed = append(loss.Failed, fmt.Sprintf("%d were taken in twice", once.Taken))
	}
	r.end(ctx)
	return r.judge()
}

// comesBack starts the lost site again: its nodes must end by themselves, and write nothing.
func (r *run) comesBack(ctx context.Context, lost []*node) error {
	for _, n := range lost {
		if r.place.name != "" {
			if err := r.place.heal(n.machine, far); err != nil {
				return err
			}
		}
		if err := n.start(ctx); err != nil {
			return err
		}
	}
	for _, n := range lost {
		err := until(ctx, fmt.Sprintf("node %d stops for good", n.number), func() (bool, error) {
			_, ended := n.died()
			return ended, nil
		})
		if err != nil {
			r.report.Site.Failed = append(r.report.Site.Failed, err.Error())
		}
		n.kill()
	}
	return nil
}

// explained looks for what merchants or issuers count on and the promoted site doesn't know: all of
// it must be in the window.
func (r *run) explained(before *book, w *cardswitch.Window) {
	listed := make(map[string]bool)
	for i := range w.Transactions {
		listed[w.Transactions[i].RRN] = true
	}
	missing := make(map[string]string) // and who has it
	look := func(who, rrn string, stands bool) {
		e, ok := before.entries[rrn]
		if stands && (!ok || e.State != ledger.Approved) {
			missing[rrn] += fmt.Sprintf(" approved at %s, %v here;", who, e.State)
		}
	}
	books := r.town.books()
	for i := range books.Receipts {
		look("a merchant", books.Receipts[i].RRN, books.Receipts[i].State == ledger.Approved)
	}
	for name, postings := range books.Issuers {
		for i := range postings {
			look(name, postings[i].RRN, postings[i].State == ledger.Approved)
		}
	}
	books.Switch = before.entries
	for _, d := range books.Count().Differences {
		if d.Kind == count.Double {
			missing[d.RRN] += " posted twice;"
		}
	}
	r.report.Site.Missing = len(missing)
	for rrn, who := range missing {
		if !listed[rrn] {
			r.report.Site.Outside = append(r.report.Site.Outside, rrn+who)
		}
	}
}

// window asks for what a lost node had more, and has it taken in if so wanted.
func (n *node) window(ctx context.Context, of *node, take bool) (w *cardswitch.Window, err error) {
	w = new(cardswitch.Window)
	return w, n.ask(ctx, http.MethodPost, "/v1/window", map[string]any{"dir": of.stage.File("data"),
		"take": take, "why": "its disk was found, in a drill"}, w)
}

// decide does one thing with all that waits for a person, once nothing else is under way.
func (n *node) decide(ctx context.Context, act string) error {
	err := n.quiet(ctx, func(s *cardswitch.Status) int { return s.Open + s.Owed })
	var items []admin.WorkItem
	if err == nil {
		err = n.ask(ctx, http.MethodGet, "/v1/worklist", nil, &items)
	}
	for i := 0; i < len(items) && err == nil; i++ {
		err = n.ask(ctx, http.MethodPost, fmt.Sprintf("/v1/worklist/%d/%s", items[i].ID, act),
			map[string]string{"why": "compared by hand, in a drill"}, nil)
	}
	return err
}

// quiet waits until nothing is left, three times in a row.
func (n *node) quiet(ctx context.Context, left func(*cardswitch.Status) int) error {
	calm := 0
	return until(ctx, "nothing is owed any more", func() (bool, error) {
		var s cardswitch.Status
		err := n.ask(ctx, http.MethodGet, "/v1/status", nil, &s)
		if calm++; err != nil || left(&s) > 0 {
			calm = 0
			err = errors.Join(err, fmt.Errorf("%d open, %d owed, %d on the work list", s.Open, s.Owed,
				s.Shelved))
		}
		return calm > 3, err
	})
}

// reread ends a node in order, reads its journal, and starts it again. It gives the node that
// serves now.
func (r *run) reread(ctx context.Context, n *node) (b *book, serves *node, err error) {
	err = n.child.Stop(startTime)
	n.child = nil
	if err == nil {
		b, err = n.read(r.groups()[0])
	}
	if err = errors.Join(err, n.start(ctx)); err != nil {
		return nil, nil, err
	}
	serves, err = r.whole(ctx)
	return b, serves, err
}
