package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cardswitch/spec"
	"cardswitch/store/audit"
)

// Right is what a role may do with the vault; rights add up.
type Right uint8

const (
	MayReveal   Right = 1 << iota // see the number behind a token of one's own scope
	MayRevealOf                   // of every scope
	MayFind                       // learn which tokens a card has
	MayErase                      // delete tokens
	MayRekey                      // begin a re-keying, change the key-encryption key
)

// Access is who wants something, and why.
type Access struct {
	Actor  string
	Role   string
	Scope  string // whose tokens that person has to do with
	Source string // from where; empty: this machine
	Reason string
}

// reveals counts the numbers shown in the current minute.
type reveals struct {
	minute int64
	count  int
}

// entryOf is the record of what somebody wants.
func (a *Access) entryOf(event audit.Event, object string, r audit.Result) audit.Entry {
	return audit.Entry{Actor: a.Actor, Role: a.Role, Source: a.Source, Event: event, Object: object,
		Reason: a.Reason, Result: r}
}

// allow refuses who hasn't the right, or gives no name or reason, and has that recorded.
func (v *Vault) allow(ctx context.Context, who *Access, need Right, e audit.Event,
	object string) error {
	why, hint := "", "somebody with another role must do it"
	switch {
	case strings.TrimSpace(who.Actor) == "" || strings.TrimSpace(who.Reason) == "":
		why, hint = "no name or no reason was given", "say who asks and why: both are recorded"
	case v.o.Roles[who.Role]&need == 0:
		why = fmt.Sprintf("the role %q may not do this", who.Role)
	default:
		return nil
	}
	return v.refuse(ctx, who, e, object, &Error{e.String(), fmt.Errorf("%w: %s", ErrRefused, why),
		hint})
}

// refuse records that somebody was refused. He is in any case.
func (v *Vault) refuse(ctx context.Context, who *Access, e audit.Event, object string,
	err error) error {
	entry := who.entryOf(e, object, audit.Refused)
	if entry.Actor == "" {
		entry.Actor = "(nobody)"
	}
	if _, failed := v.o.Auditor.Append(ctx, entry); failed != nil {
		v.o.Logger.Error("a refusal couldn't be recorded", "event", e.String(), "error", failed)
	}
	return err
}

// failedFor records that what somebody was allowed to do didn't work.
func (v *Vault) failedFor(ctx context.Context, who *Access, e audit.Event, object string,
	err error) error {
	if _, failed := v.o.Auditor.Append(ctx, who.entryOf(e, object, audit.Failed)); failed != nil {
		v.o.Logger.Error("a failure couldn't be recorded", "event", e.String(), "error", failed)
	}
	return err
}

// Detokenize shows the number behind a token to a person. It returns it only once that is durably
// recorded.
func (v *Vault) Detokenize(ctx context.Context, t Token, who Access) (spec.PAN, error) {
	const event = audit.CardRevealed
	object := "token " + string(t)
	if err := v.allow(ctx, &who, MayReveal|MayRevealOf, event, object); err != nil {
		return spec.PAN{}, err
	}
	if !v.mayReveal(time.Now()) {
		return spec.PAN{}, v.refuse(ctx, &who, event, object, &Error{event.String(), ErrTooMany,
			"wait a minute, or have the bound raised"})
	}
	u := Use{v: v, token: t}
	if err := u.read(); err != nil {
		return spec.PAN{}, v.failedFor(ctx, &who, event, object, err)
	}
	if v.o.Roles[who.Role]&MayRevealOf == 0 && u.entry.scope != who.Scope && u.entry.scope != "" {
		return spec.PAN{}, v.refuse(ctx, &who, event, object, ErrForeign)
	}
	if _, err := v.o.Auditor.Append(ctx, who.entryOf(event, object, audit.Done)); err != nil {
		return spec.PAN{}, err
	}
	return u.pan, nil
}

func (v *Vault) mayReveal(now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if minute := now.Unix() / 60; minute != v.reveals.minute {
		v.reveals = reveals{minute: minute}
	}
	v.reveals.count++
	return v.reveals.count <= v.o.RevealsPerMinute
}

// Info is what may be told of a token.
type Info struct {
	Token   Token
	Scope   string
	Once    bool
	Created time.Time
	Expires time.Time // zero: never
	DataKey uint32
}

func (e *entry) info(t Token) Info {
	i := Info{Token: t, Scope: e.scope, Once: e.once, Created: time.Unix(e.created, 0).UTC(),
		DataKey: e.dek}
	if e.once {
		i.Expires = time.Unix(e.expires, 0).UTC()
	}
	return i
}

// Info tells about a token, and nothing of the number.
func (v *Vault) Info(t Token) (Info, error) {
	var epoch uint32
	e, err := v.entry(t, &epoch)
	if err != nil {
		return Info{}, err
	}
	return e.info(t), nil
}

// Find lists the tokens that a card has, in all scopes, for a person.
func (v *Vault) Find(ctx context.Context, pan spec.PAN, who Access) ([]Info, error) {
	object := "card " + pan.String()
	if err := v.allow(ctx, &who, MayFind, audit.TokenFound, object); err != nil {
		return nil, err
	}
	tokens, err := v.tokensOf(pan)
	if err != nil {
		return nil, v.failedFor(ctx, &who, audit.TokenFound, object, err)
	}
	entry := who.entryOf(audit.TokenFound, object, audit.Done)
	if _, err := v.o.Auditor.Append(ctx, entry); err != nil {
		return nil, err
	}
	list := make([]Info, 0, len(tokens))
	for _, t := range tokens {
		i, err := v.Info(t)
		if errors.Is(err, ErrNoToken) { // it has just gone
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, nil
}

// tokensOf lists what is in the tables; what is in a batch still comes.
func (v *Vault) tokensOf(pan spec.PAN) (tokens []Token, err error) {
	card := v.search(pan)
	from, to := ofCard(familyMulti, card)
	err = v.o.Books.Scan(from, to, func(_, value []byte) bool {
		tokens = append(tokens, Token(value))
		return true
	})
	if err != nil {
		return nil, err
	}
	from, to = ofCard(familyOnce, card)
	err = v.o.Books.Scan(from, to, func(key, _ []byte) bool {
		tokens = append(tokens, Token(key[len(from):]))
		return true
	})
	return tokens, err
}

// Delete deletes a token for a person. Its card gets another when it asks again.
func (v *Vault) Delete(ctx context.Context, t Token, who Access) error {
	const event = audit.TokenDeleted
	object := "token " + string(t)
	if err := v.allow(ctx, &who, MayErase, event, object); err != nil {
		return err
	}
	u := Use{v: v, token: t}
	err := u.read()
	damaged := errors.Is(err, ErrDamaged) || errors.Is(err, errUnknownKey)
	if err != nil && !damaged && !errors.Is(err, ErrExpired) {
		return v.failedFor(ctx, &who, event, object, err)
	}
	if _, err := v.o.Auditor.Append(ctx, who.entryOf(event, object, audit.Done)); err != nil {
		return err
	}
	if damaged {
		err = v.deleteDamaged(t)
	} else {
		err = v.delete([]Use{u})
	}
	if err != nil {
		return v.failedFor(ctx, &who, event, object, err)
	}
	return nil
}

// DeleteCard deletes all tokens of a card for a person, and returns how many there were.
func (v *Vault) DeleteCard(ctx context.Context, pan spec.PAN, who Access) (int, error) {
	const event = audit.TokenDeleted
	object := "card " + pan.String()
	if err := v.allow(ctx, &who, MayErase, event, object); err != nil {
		return 0, err
	}
	if _, err := v.o.Auditor.Append(ctx, who.entryOf(event, object, audit.Done)); err != nil {
		return 0, err
	}
	deleted, err := v.deleteCard(pan)
	if err != nil {
		return deleted, v.failedFor(ctx, &who, event, object, err)
	}
	return deleted, nil
}

func (v *Vault) deleteCard(pan spec.PAN) (deleted int, err error) {
	// A batch without anything becomes durable after all before it; what was pending is then there.
	if err := v.o.Books.Change(func(Batch) {}); err != nil {
		return 0, err
	}
	tokens, err := v.tokensOf(pan)
	if err != nil {
		return 0, err
	}
	for len(tokens) > 0 {
		some := tokens[:min(len(tokens), stepSize)]
		tokens = tokens[len(some):]
		var uses []Use
		for _, t := range some {
			u := Use{v: v, token: t}
			switch err := u.read(); {
			case err == nil, errors.Is(err, ErrExpired):
				uses = append(uses, u)
			case errors.Is(err, ErrDamaged), errors.Is(err, errUnknownKey):
				if err := v.deleteDamaged(t); err != nil {
					return deleted, err
				}
				deleted++
			case !errors.Is(err, ErrNoToken):
				return deleted, err
			}
		}
		if err := v.delete(uses); err != nil {
			return deleted, err
		}
		deleted += len(uses)
	}
	return deleted, nil
}

// delete deletes tokens by a batch of its own, those that are still there.
func (v *Vault) delete(uses []Use) (err error) {
	return errors.Join(v.o.Books.Change(func(b Batch) {
		v.mu.Lock()
		defer v.mu.Unlock()
		for i := range uses {
			var there bool
			if there, err = v.still(&uses[i]); err != nil {
				return
			}
			if there {
				v.remove(b, &uses[i])
			}
		}
	}), err)
}

// deleteDamaged deletes a token whose number can't be had any more, with whatever points to it.
func (v *Vault) deleteDamaged(t Token) error {
	var keys [][]byte
	var multi string
	from, to := allOf(familyMulti)
	err := v.o.Books.Scan(from, to, func(key, value []byte) bool {
		if string(value) == string(t) {
			multi = string(key)
		}
		return multi == ""
	})
	for _, family := range []struct {
		of   byte
		head int
	}{{familyOnce, 1 + 32}, {familyExpires, 1 + 8}} {
		from, to := allOf(family.of)
		err = errors.Join(err, v.o.Books.Scan(from, to, func(key, _ []byte) bool {
			if string(key[family.head:]) == string(t) {
				keys = append(keys, append([]byte(nil), key...))
			}
			return true
		}))
	}
	if err != nil {
		return err
	}
	return v.o.Books.Change(func(b Batch) {
		v.mu.Lock()
		defer v.mu.Unlock()
		b.Delete(tokenKey(t))
		if multi != "" {
			b.Delete([]byte(multi))
		}
		for _, key := range keys {
			b.Delete(key)
		}
		v.follow(b, t, nil, multi, "")
	})
}
