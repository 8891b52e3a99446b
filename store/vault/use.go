package vault

import (
	"time"

	"cardswitch/spec"
)

// Use is a token that a merchant sent in the place of a card number, for the switch to send the
// number on to its issuer. It shows the number to nobody; what people see goes by Detokenize.
type Use struct {
	v     *Vault
	token Token
	entry entry
	pan   spec.PAN
	epoch uint32
}

// PAN is the card number behind the token.
func (u *Use) PAN() spec.PAN { return u.pan }

// Redeem opens a token for who asks in a scope. It may read from the disk.
func (v *Vault) Redeem(t Token, scope string) (Use, error) {
	u := Use{v: v, token: t}
	if err := u.read(); err != nil {
		return Use{}, err
	}
	if u.entry.scope != scope && u.entry.scope != "" {
		return Use{}, ErrForeign
	}
	return u, nil
}

// read finds a token that is there and hasn't ended, and opens it.
func (u *Use) read() error {
	if err := u.open(); err != nil {
		return err
	}
	if u.entry.once && time.Now().Unix() >= u.entry.expires {
		return ErrExpired
	}
	return nil
}

// open finds a token that is there, and opens it.
func (u *Use) open() (err error) {
	for again := false; ; again = true {
		if u.entry, err = u.v.entry(u.token, &u.epoch); err != nil {
			return err
		}
		// Its data key may have been destroyed since it was read; then it lies under another by now.
		if u.pan, err = u.v.keys.Load().open(&u.entry, u.token); err != errUnknownKey || again {
			return err
		}
	}
}

// entry reads what stands behind a token.
func (v *Vault) entry(t Token, epoch *uint32) (entry, error) {
	v.mu.Lock()
	*epoch = *v.pending.epoch(string(t))
	p, known := v.pending.tokens[t]
	v.mu.Unlock()
	value := p.value
	if !known {
		var err error
		if value, _, err = v.o.Books.Get(tokenKey(t)); err != nil {
			return entry{}, err
		}
	}
	if value == nil {
		return entry{}, ErrNoToken
	}
	return parseEntry(value)
}

// Put spends a single-use token: it is deleted by the batch, under the lock of whose filler this is
// called. ErrSpent says that another was quicker. A token that isn't single-use stays.
func (u *Use) Put(b Batch) error {
	if !u.entry.once {
		return nil
	}
	v := u.v
	v.mu.Lock()
	defer v.mu.Unlock()
	there, err := v.still(u)
	if err != nil {
		return err
	}
	if !there {
		return ErrSpent
	}
	v.remove(b, u)
	return nil
}

// still tells whether a token is there as it was when it was read. v.mu is held.
func (v *Vault) still(u *Use) (bool, error) {
	if u.epoch == *v.pending.epoch(string(u.token)) {
		return true, nil
	}
	if p, known := v.pending.tokens[u.token]; known {
		return p.value != nil, nil
	}
	_, ok, err := v.o.Books.Get(tokenKey(u.token))
	return ok, err
}

// remove deletes a token from all tables. v.mu is held.
func (v *Vault) remove(b Batch, u *Use) {
	card := v.search(u.pan)
	b.Delete(tokenKey(u.token))
	if u.entry.once {
		b.Delete(onceKey(card, u.token))
		b.Delete(expiresKey(u.entry.expires, u.token))
		v.follow(b, u.token, nil, "", "")
		return
	}
	multi := multiKey(card, u.entry.scope)
	b.Delete([]byte(multi))
	v.follow(b, u.token, nil, multi, "")
}
