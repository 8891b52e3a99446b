package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"cardswitch/conformance/load/stage"
	"cardswitch/switch/admin"
)

// merchantsKey is the link key of all merchants.
const merchantsKey = "zek:" + stage.Link

// rekey begins a change of the merchants' link key and has another node take over meanwhile, a
// little later each time. Heal waits until the merchants have a new key and it is used.
func (r *run) rekey(ctx context.Context, to *node) (heal func() error, err error) {
	keys, connections := r.town.had()
	before, err := r.newest(ctx, to)
	if err != nil {
		return nil, err
	}
	var ordered sync.WaitGroup
	ordered.Go(func() { _ = to.exchange(ctx) }) // it may be cut short: the next one finishes it
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

// rekeyed waits until a key after a generation is used and the merchants have had more than so
// many. If the change had not begun when the node lost its office, it is ordered again.
func (r *run) rekeyed(ctx context.Context, before uint16, keys int) (err error) {
	for end := time.Now().Add(startTime); time.Now().Before(end); {
		serves, e := r.whole(ctx)
		if e != nil {
			return e
		}
		newest, e := r.newest(ctx, serves)
		had, _ := r.town.had()
		if e == nil && newest > before && had > keys {
			return nil
		}
		if e == nil && newest == before {
			e = serves.exchange(ctx)
		}
		if err = e; !pause(ctx, 50*time.Millisecond) {
			return ctx.Err()
		}
	}
	return errors.Join(errors.New("lab: the merchants' link key isn't changed"), err)
}

func (n *node) exchange(ctx context.Context) error {
	return n.ask(ctx, http.MethodPost, "/v1/keys/exchange",
		admin.KeyOrder{Slot: merchantsKey, Why: "a takeover meanwhile"}, nil)
}

// newest is the generation that the merchants' link is sent with.
func (r *run) newest(ctx context.Context, at *node) (generation uint16, err error) {
	var list []admin.KeyLine
	if err := at.ask(ctx, http.MethodGet, "/v1/keys", nil, &list); err != nil {
		return 0, err
	}
	for _, k := range list {
		if k.Slot == merchantsKey && k.State == "sending" {
			generation = max(generation, k.Generation)
		}
	}
	return generation, nil
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
