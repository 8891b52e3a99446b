package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"cardswitch/conformance/load/stage"
	"cardswitch/switch/admin"
)

// merchantsKeys are what all merchants get anew: their link key, and where messages have codes and
// PINs, the keys of those.
func (r *run) merchantsKeys() []string {
	slots := []string{"zek:" + stage.Link}
	if r.Shards {
		slots = append(slots, "zak:"+merchantsName+":in", "zak:"+merchantsName+":out",
			"zpk:"+merchantsName+":in")
	}
	return slots
}

// rekey begins a change of the merchants' keys and has another node take over meanwhile, a little
// later each time. Heal waits until the merchants have new keys and they are used.
func (r *run) rekey(ctx context.Context, to *node) (heal func() error, err error) {
	keys, connections := r.town.had()
	before, err := to.newest(ctx)
	if err != nil {
		return nil, err
	}
	var ordered sync.WaitGroup
	for _, slot := range r.merchantsKeys() {
		// It may be cut short: the next one finishes it.
		ordered.Go(func() { _ = to.exchange(ctx, slot) })
	}
	pause(ctx, time.Duration(r.report.times(Rekey))*rekeyStep)
	err = to.transfer(ctx)
	return func() error {
		ordered.Wait()
		if err := r.rekeyed(ctx, before, keys); err != nil {
			return err
		}
		_, now := r.town.had()
		fmt.Fprintf(r.Progress, "rekey: the merchants made %d connections anew\n", now-connections)
		return nil
	}, err
}

// rekeyStep is how much later each takeover comes.
const rekeyStep = 10 * time.Millisecond

// rekeyed waits until keys after these generations are used and the merchants have had all of them.
// A change that had not begun when the node lost its office is ordered again.
func (r *run) rekeyed(ctx context.Context, before map[string]uint16, keys int) (err error) {
	slots := r.merchantsKeys()
	for end := time.Now().Add(startTime); time.Now().Before(end); {
		serves, e := r.whole(ctx)
		if e != nil {
			return e
		}
		newest, e := serves.newest(ctx)
		had, _ := r.town.had()
		left := 0
		for _, slot := range slots {
			if e == nil && newest[slot] == before[slot] {
				left++
				e = serves.exchange(ctx, slot)
			}
		}
		if e == nil && left == 0 && had >= keys+len(slots) {
			return nil
		}
		if err = e; !pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
	return errors.Join(errors.New("lab: the merchants' keys aren't changed"), err)
}

func (n *node) exchange(ctx context.Context, slot string) error {
	return n.ask(ctx, http.MethodPost, "/v1/keys/exchange",
		admin.KeyOrder{Slot: slot, Why: "a takeover meanwhile"}, nil)
}

// newest are the generations that are in use, by slot: sent with, or of what comes to us, taken.
func (n *node) newest(ctx context.Context) (map[string]uint16, error) {
	var list []admin.KeyLine
	if err := n.ask(ctx, http.MethodGet, "/v1/keys", nil, &list); err != nil {
		return nil, err
	}
	newest := make(map[string]uint16)
	for _, k := range list {
		if k.State == "sending" || k.State == "accepting" && strings.HasSuffix(k.Slot, ":in") {
			newest[k.Slot] = max(newest[k.Slot], k.Generation)
		}
	}
	return newest, nil
}

// times is how often a fault was done.
func (r *Report) times(k Kind) (n int) {
	for _, m := range r.Faults {
		if m.Kind == k {
			n++
		}
	}
	return n
}
