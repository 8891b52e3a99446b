package pos

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"time"

	"cardswitch/conformance/keyblock"
	"cardswitch/conformance/ledger"
	"cardswitch/conformance/protect"
	"cardswitch/conformance/wire"
)

// Options describe a merchant center.
type Options struct {
	Name        string         `yaml:"name"`
	Acquirer    string         `yaml:"acquirer"`    // element 32
	Institution string         `yaml:"institution"` // element 94 of what it starts
	Peer        string         `yaml:"peer"`        // element 93, the switch
	Dialect     string         `yaml:"dialect"`     // default ascii-binary
	Framing     wire.Framing   `yaml:"framing"`
	Addresses   []string       `yaml:"addresses"`   // the host's, each tried in turn
	Envelope    *wire.Envelope `yaml:"envelope"`    // nil: messages travel in clear
	Connections int            `yaml:"connections"` // persistent ones, default 2
	NoSignOn    bool           `yaml:"no_sign_on"`
	Echo        time.Duration  `yaml:"echo"` // between echo tests; an unanswered one ends it; 0: none

	Protect *protect.Options `yaml:"protect"` // codes, PINs, what terminals encrypt; nil: none

	KBPKFile string              `yaml:"kbpk_file"` // of the key under which link keys travel
	KBPK     keyblock.Protection `yaml:"-"`         // of the file, unless it is given; nil: none

	AnswerTime time.Duration `yaml:"answer_time"` // patience before a repeat, default 30 s
	Repeats    int           `yaml:"repeats"`     // 1201s before giving up; default 1, -1 none
	Settle     time.Duration `yaml:"settle"`      // time to clear up at the end, default 60 s

	Total    int     `yaml:"total"`     // transactions of Run; 0: until told to stop
	InFlight int     `yaml:"in_flight"` // at once, default 16
	Rate     float64 `yaml:"rate"`      // a second; 0: as fast as answers come
	Mix      Mix     `yaml:"mix"`
	Cards    []Range `yaml:"cards"`
	Shops    []Shop  `yaml:"shops"`
	Seed     uint64  `yaml:"seed"` // 0: a different run each time
	Keep     int     `yaml:"keep"` // bound of the receipts for endless runs

	Receipts *ledger.Receipts `yaml:"-"`
	OnResult func(Result)     `yaml:"-"`

	DialFunc func(ctx context.Context, address string) (net.Conn, error) `yaml:"-"`
}

// Mix weighs the kinds of business. All zero stands for DefaultMix.
type Mix struct {
	Sale          int `yaml:"sale"`
	Return        int `yaml:"return"`
	Authorization int `yaml:"authorization"`
	Completion    int `yaml:"completion"`
	Offline       int `yaml:"offline"`
	Cancel        int `yaml:"cancel"`
	Reduce        int `yaml:"reduce"`   // a part of a sale is taken back
	Validity      int `yaml:"validity"` // is the card good?
}

// DefaultMix is the day of a supermarket chain with a few hotels.
func DefaultMix() Mix {
	return Mix{Sale: 78, Return: 3, Authorization: 6, Completion: 4, Offline: 4, Cancel: 5}
}

// Range is a series of test cards with right check digits.
type Range struct {
	Prefix string `yaml:"prefix"`
	Length int    `yaml:"length"` // default 16
	Count  int    `yaml:"count"`  // default 100
}

// Result is the end of one transaction as the shop saw it.
type Result struct {
	Receipt ledger.Receipt
	Elapsed time.Duration
}

func (o *Options) complete() error {
	if len(o.Addresses) == 0 {
		return errors.New("a merchant center needs the address of its host")
	}
	setDefault(&o.Name, "shop")
	setDefault(&o.Acquirer, "12345678901")
	setDefault(&o.Institution, o.Acquirer)
	setDefault(&o.Peer, "99999000001")
	setDefault(&o.Dialect, "ascii-binary")
	setDefault(&o.Connections, 2)
	setDefault(&o.AnswerTime, 30*time.Second)
	setDefault(&o.Repeats, 1)
	setDefault(&o.Settle, time.Minute)
	setDefault(&o.InFlight, 16)
	setDefault(&o.Mix, DefaultMix())
	setDefault(&o.Seed, rand.Uint64())
	if o.Receipts == nil {
		o.Receipts = ledger.NewReceipts()
	}
	if o.Keep > 0 {
		o.Receipts.Keep = o.Keep
	}
	if len(o.Cards) == 0 {
		o.Cards = []Range{{Prefix: "352812"}, {Prefix: "453912"}, {Prefix: "521234"}}
	}
	if o.DialFunc == nil {
		for _, address := range o.Addresses {
			if _, port, err := net.SplitHostPort(address); err != nil || port == "" {
				return fmt.Errorf("%q is no address; write host:port, as 127.0.0.1:7101", address)
			}
		}
		dialer := net.Dialer{Timeout: 5 * time.Second}
		o.DialFunc = func(ctx context.Context, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", address)
		}
	}
	if o.KBPKFile != "" && o.KBPK == nil {
		var err error
		if o.KBPK, err = keyblock.ReadProtection(o.KBPKFile); err != nil {
			return fmt.Errorf("kbpk_file: %w", err)
		}
	}
	if err := errors.Join(o.Envelope.Complete(), o.Protect.Complete()); err != nil {
		return err
	}
	return o.check()
}

func (o *Options) check() error {
	m := o.Mix
	for _, w := range []int{m.Sale, m.Return, m.Authorization, m.Completion, m.Offline, m.Cancel,
		m.Reduce, m.Validity} {
		if w < 0 {
			return errors.New("the mix weighs kinds of business: no negative weights")
		}
	}
	if m.Sale+m.Return+m.Authorization+m.Offline == 0 {
		return errors.New("the mix needs sales, returns, authorizations or offline sales")
	}
	for i := range o.Cards {
		r := &o.Cards[i]
		setDefault(&r.Length, 16)
		setDefault(&r.Count, 100)
		if r.Length < len(r.Prefix)+2 || r.Length > 19 {
			return fmt.Errorf("card range %d: a length of %d doesn't fit", i+1, r.Length)
		}
	}
	return nil
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// origin spreads the reference numbers of different merchants and runs, so that a count over
// all of them never confuses two.
func (o *Options) origin() uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s/%s/%d", o.Name, o.Acquirer, o.Seed)
	return h.Sum64()
}
