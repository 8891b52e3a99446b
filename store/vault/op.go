package vault

import (
	"fmt"
	"time"

	"cardswitch/spec"
)

// Ask is what a token is wanted for.
type Ask struct {
	PAN    spec.PAN
	Scope  string // whose token it is, 64 bytes at most; "": one that all share
	Format Format
	Life   time.Duration // above 0: a single-use token, which ends by itself; 0: the card's one
}

// Op is a token that was prepared. Nothing has changed before Put, and nothing does without it.
type Op struct {
	v     *Vault
	ask   Ask
	card  [32]byte
	multi string // its key, "" for a single-use token

	token   Token // found, or drawn
	found   bool
	entry   entry // of one that was drawn
	epoch   uint32
	drawnAt uint32 // epoch of the drawn token
}

// Prepare finds the token of a card in a scope, or draws a new one and seals the number. It may
// read from the disk; no lock but the vault's own is needed.
func (v *Vault) Prepare(a Ask) (Op, error) {
	if a.PAN.IsZero() || len(a.Scope) > mostScope || a.Life < 0 {
		return Op{}, fmt.Errorf("%w: no card number, or a scope of %d bytes", ErrNoFit, len(a.Scope))
	}
	o := Op{v: v, ask: a, card: v.search(a.PAN)}
	if a.Life == 0 {
		o.multi = multiKey(o.card, a.Scope)
		var err error
		if o.token, o.found, err = v.lookUp(o.multi, &o.epoch); o.found || err != nil {
			return o, err
		}
	}
	if err := a.Format.fits(a.PAN); err != nil {
		return Op{}, err
	}
	return o, o.draw()
}

// lookUp finds the token of a card.
func (v *Vault) lookUp(multi string, epoch *uint32) (Token, bool, error) {
	v.mu.Lock()
	*epoch = *v.pending.epoch(multi)
	t, known := v.pendingOrCached(multi)
	v.mu.Unlock()
	if known {
		return t, t != "", nil
	}
	value, ok, err := v.o.Books.Get([]byte(multi))
	if !ok || err != nil {
		return "", false, err
	}
	t = Token(value)
	v.mu.Lock()
	defer v.mu.Unlock()
	if *epoch == *v.pending.epoch(multi) {
		v.cache.put(multi, t)
	}
	return t, true, nil
}

// pendingOrCached is a card's token, "" if it is known to have none. v.mu is held.
func (v *Vault) pendingOrCached(multi string) (Token, bool) {
	if p, ok := v.pending.cards[multi]; ok {
		return p.token, true
	}
	return v.cache.get(multi)
}

// mostDraws is after how many tokens that are taken a range counts as full. If nine tenths of it
// are, fewer than one in eight hundred give up.
const mostDraws = 64

// draw makes a new token that isn't taken, and its entry.
func (o *Op) draw() error {
	v := o.v
	if o.ask.Format.unique() {
		o.token = o.ask.Format.draw(o.ask.PAN)
		o.fill()
		return nil
	}
	for range mostDraws {
		o.token = o.ask.Format.draw(o.ask.PAN)
		v.mu.Lock()
		o.drawnAt = *v.pending.epoch(string(o.token))
		_, taken := v.pending.tokens[o.token]
		v.mu.Unlock()
		if taken {
			continue
		}
		_, taken, err := v.o.Books.Get(tokenKey(o.token))
		if err != nil {
			return err
		}
		if !taken {
			o.fill()
			return nil
		}
	}
	return ErrRangeFull
}

// fill makes the entry of a drawn token.
func (o *Op) fill() {
	now := time.Now()
	o.entry = entry{scope: o.ask.Scope, created: now.Unix()}
	if o.ask.Life > 0 {
		o.entry.once, o.entry.expires = true, now.Add(o.ask.Life).Unix()
	}
	o.v.keys.Load().seal(&o.entry, o.token, o.ask.PAN)
}

// Put puts a new token into a batch, under the lock of the batch's filler, and returns the token
// that holds: the one that another has put there meanwhile, or the card's old one, where there is
// one. An answer with it may leave once this batch is durable, or any after it.
func (o *Op) Put(b Batch) (Token, error) {
	v := o.v
	v.mu.Lock()
	defer v.mu.Unlock()
	if o.multi != "" {
		if t, ok, err := v.holds(o); ok || err != nil {
			return t, err
		}
	}
	if err := v.secure(o); err != nil {
		return "", err
	}
	value := o.entry.append(nil)
	b.Set(tokenKey(o.token), value)
	if o.multi != "" {
		b.Set([]byte(o.multi), []byte(o.token))
	} else {
		b.Set(onceKey(o.card, o.token), nil)
		b.Set(expiresKey(o.entry.expires, o.token), nil)
	}
	v.follow(b, o.token, value, o.multi, o.token)
	return o.token, nil
}

// holds is the token that the card of an operation has by now. v.mu is held.
func (v *Vault) holds(o *Op) (Token, bool, error) {
	if o.epoch == *v.pending.epoch(o.multi) {
		return o.token, o.found, nil
	}
	if t, known := v.pendingOrCached(o.multi); known {
		return t, t != "", nil
	}
	value, ok, err := v.o.Books.Get([]byte(o.multi))
	return Token(value), ok, err
}

// secure makes sure that an operation's token is a new one, and sealed under the active key. v.mu
// is held.
func (v *Vault) secure(o *Op) error {
	if o.found { // it was deleted since
		if err := o.ask.Format.fits(o.ask.PAN); err != nil {
			return err
		}
		o.found = false
		return v.redraw(o)
	}
	if !o.ask.Format.unique() && o.drawnAt != *v.pending.epoch(string(o.token)) {
		if taken, err := v.taken(o.token); taken || err != nil {
			if err != nil {
				return err
			}
			return v.redraw(o)
		}
	}
	if o.entry.dek != v.keys.Load().active {
		o.fill()
	}
	return nil
}

// redraw draws under the lock; that is seldom needed. v.mu is held.
func (v *Vault) redraw(o *Op) error {
	for range mostDraws {
		o.token = o.ask.Format.draw(o.ask.PAN)
		taken, err := v.taken(o.token)
		if err != nil {
			return err
		}
		if !taken {
			o.fill()
			return nil
		}
	}
	return ErrRangeFull
}

// taken tells whether there is such a token, or was a moment ago. v.mu is held.
func (v *Vault) taken(t Token) (bool, error) {
	if _, ok := v.pending.tokens[t]; ok {
		return true, nil
	}
	_, ok, err := v.o.Books.Get(tokenKey(t))
	return ok, err
}

// follow keeps a change in mind until its batch is durable. v.mu is held.
func (v *Vault) follow(b Batch, t Token, value []byte, card string, has Token) {
	serial := v.pending.note(t, value, card, has)
	if card != "" {
		v.cache.drop(card)
	}
	b.Then(func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if p, ok := v.pending.cards[card]; ok && p.serial == serial && p.token != "" {
			v.cache.put(card, p.token)
		}
		v.pending.landed(serial, t, card)
	})
}
