// Package issuer answers requests as fast as a socket carries them and counts every one.
//
// One goroutine a connection: it reads all that the socket holds, answers each message by splicing
// and writes the answers at once. Approvals only; what an issuer decides is no part of a load test.
package issuer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/wire"
)

// Report is what an issuer saw. Amounts are in the currency's smallest unit.
type Report struct {
	Postings   uint64 `json:"postings"`
	Amount     uint64 `json:"amount"`
	Duplicates uint64 `json:"duplicates"`
	Reversals  uint64 `json:"reversals"`
	Advices    uint64 `json:"advices"`
	Network    uint64 `json:"network"`
	Malformed  uint64 `json:"malformed"`
	Unexpected uint64 `json:"unexpected"`
}

// Issuer holds the counts of all its connections.
type Issuer struct {
	listeners []net.Listener
	end       *sealed.End // nil: messages travel as they are
	seen      seen
	counts    counts
	work      sync.WaitGroup
}

// counts is Report while it is counted; connections add a batch at a time.
type counts struct {
	postings, amount, duplicates, reversals, advices, network, malformed, unexpected atomic.Uint64
}

// Listen opens the addresses; each stands for the center of one card issuer. With a secret all
// connections are in envelopes.
func Listen(addresses []string, secret sealed.Secret) (*Issuer, error) {
	i := &Issuer{}
	if len(secret) > 0 {
		i.end = sealed.NewEnd(secret)
	}
	for _, address := range addresses {
		l, err := net.Listen("tcp", address)
		if err != nil {
			i.close()
			return nil, fmt.Errorf("issuer: %w", err)
		}
		i.listeners = append(i.listeners, l)
	}
	return i, nil
}

// End is the issuer's side of its envelopes; nil without.
func (i *Issuer) End() *sealed.End { return i.end }

// Addresses are those that were opened, with the ports the system chose.
func (i *Issuer) Addresses() []string {
	var addresses []string
	for _, l := range i.listeners {
		addresses = append(addresses, l.Addr().String())
	}
	return addresses
}

// Serve answers until the context ends.
func (i *Issuer) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, i.close)
	defer stop()
	failed := make(chan error, len(i.listeners))
	for _, l := range i.listeners {
		i.work.Go(func() { failed <- i.accept(ctx, l) })
	}
	i.work.Wait()
	close(failed)
	var all []error
	for err := range failed {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// Report is what was seen so far.
func (i *Issuer) Report() Report {
	return Report{
		Postings: i.counts.postings.Load(), Amount: i.counts.amount.Load(),
		Duplicates: i.counts.duplicates.Load(), Reversals: i.counts.reversals.Load(),
		Advices: i.counts.advices.Load(), Network: i.counts.network.Load(),
		Malformed: i.counts.malformed.Load(), Unexpected: i.counts.unexpected.Load(),
	}
}

func (i *Issuer) accept(ctx context.Context, l net.Listener) error {
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("issuer: %w", err)
		}
		i.work.Go(func() {
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			defer conn.Close()
			if i.end != nil {
				in, err := i.end.Accept(conn)
				if err != nil {
					return // the switch dials again
				}
				defer in.Close()
				conn = in
			}
			newSession(i).serve(conn)
		})
	}
}

func (i *Issuer) close() {
	for _, l := range i.listeners {
		l.Close()
	}
}

// seen remembers each retrieval reference number of a load run: one bit each, in pages made when
// first needed, so that a second posting is found at any distance from the first.
type seen struct {
	pages [wire.MaxLanes][wire.MaxSequence>>pageBits + 1]atomic.Pointer[page]
}

const pageBits = 20

type page [1 << pageBits / 64]atomic.Uint64

// mark notes a number and says whether it was noted before.
func (s *seen) mark(lane, sequence uint64) bool {
	slot := &s.pages[lane][sequence>>pageBits]
	p := slot.Load()
	if p == nil {
		slot.CompareAndSwap(nil, new(page))
		p = slot.Load()
	}
	bit := uint64(1) << (sequence % 64)
	return p[sequence%(1<<pageBits)/64].Or(bit)&bit != 0
}
