package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"cardswitch/spec"
	"cardswitch/store/audit"
)

// A re-keying is under way for as long as the key file has a data key that isn't the active one and
// isn't destroyed; so it goes on after a crash by itself. It walks over all tokens in order, a few
// a batch, and keeps in the same batch how far it is. At the end it looks at all of them once more,
// and only when none is under an old key are the old keys destroyed.

// Progress is how far a re-keying is.
type Progress struct {
	Running   bool
	Target    uint32 // the data key that all are to lie under
	Total     uint64 // tokens when it began, or went on
	Seen      uint64
	Rewritten uint64
	Damaged   uint64 // can't be opened; as long as there are any, the old keys stay
	Began     time.Time
	Err       error // why it stopped for now; it is tried again
}

// When a re-keying that stopped is tried again: after an error of the disk or of the audit log, and
// when tokens were left that can't be opened, which a person must delete.
const (
	againSoon  = time.Minute
	againLater = time.Hour
)

var (
	errLeft    = errors.New("old data keys are still needed")
	errStopped = errors.New("the vault closes")
)

// Rekey makes a new data key for what comes, and begins to re-encrypt what is there.
func (v *Vault) Rekey(ctx context.Context, who Access) error {
	const event = audit.VaultRekeyed
	if err := v.allow(ctx, &who, MayRekey, event, "data key"); err != nil {
		return err
	}
	v.file.Lock()
	defer v.file.Unlock()
	keys := v.keys.Load()
	if len(keys.retired()) > 0 {
		return v.refuse(ctx, &who, event, "data key", &Error{event.String(), ErrRekeying,
			"wait for it to end; the status shows how far it is"})
	}
	next, err := v.withNewKey(keys)
	if err != nil {
		return v.failedFor(ctx, &who, event, "data key", err)
	}
	object := fmt.Sprintf("data key %d in place of %d", next.active, keys.active)
	if _, err := v.o.Auditor.Append(ctx, who.entryOf(event, object, audit.Done)); err != nil {
		return err
	}
	err = v.replaceKeys(next)
	select {
	case v.rekey <- struct{}{}:
	default:
	}
	if err != nil {
		return v.failedFor(ctx, &who, event, object, err)
	}
	return nil
}

// Rewrap wraps all keys of the vault anew, under another key-encryption key. No token changes. The
// old one is needed until then, and if there is a crash before it returns, perhaps once more.
func (v *Vault) Rewrap(ctx context.Context, to Wrapper, who Access) error {
	const event, object = audit.VaultRekeyed, "key-encryption key"
	if err := v.allow(ctx, &who, MayRekey, event, object); err != nil {
		return err
	}
	v.file.Lock()
	defer v.file.Unlock()
	if _, err := v.o.Auditor.Append(ctx, who.entryOf(event, object, audit.Done)); err != nil {
		return err
	}
	if err := v.rewrap(to); err != nil {
		return v.failedFor(ctx, &who, event, object, err)
	}
	return nil
}

func (v *Vault) rewrap(to Wrapper) error {
	next, old := v.keys.Load().copy(), v.o.Wrapper
	again := func(w *wrapped, id uint32) error {
		key, err := unwrap(old, *w, id)
		if err != nil {
			return err
		}
		defer clear(key)
		*w, err = wrap(to, key, id)
		return err
	}
	if err := again(&next.file.Search, searchID); err != nil {
		return err
	}
	for i := range next.file.Data {
		d := &next.file.Data[i]
		if d.Destroyed != nil {
			continue
		}
		if err := again(&d.wrapped, d.ID); err != nil {
			return err
		}
	}
	v.o.Wrapper = to
	return v.replaceKeys(next)
}

// rekeyer re-encrypts whenever there is something to.
func (v *Vault) rekeyer() {
	defer v.finished.Done()
	for {
		again := (<-chan time.Time)(nil)
		if err := v.reencrypt(); err != nil && !v.closing() {
			v.progress.stopped(err)
			v.o.Logger.Error("the re-keying stopped and is tried again", "error", err)
			again = time.After(againSoon)
			if errors.Is(err, errLeft) {
				again = time.After(againLater)
			}
		}
		select {
		case <-v.rekey:
		case <-again:
		case <-v.stop:
			return
		}
	}
}

// reencrypt brings all tokens under the active data key and destroys the others.
func (v *Vault) reencrypt() error {
	keys := v.keys.Load()
	if len(keys.retired()) == 0 {
		return nil
	}
	// What was put into a batch under the old key is in the books then.
	if err := v.o.Books.Change(func(Batch) {}); err != nil {
		return err
	}
	total, _, err := v.census()
	if err != nil {
		return err
	}
	v.progress.begin(keys.active, total)
	cursor, err := v.cursor(keys.active)
	if err != nil {
		return err
	}
	for cursor != nil && !v.closing() {
		if cursor, err = v.step(cursor); err != nil {
			return err
		}
	}
	if cursor != nil {
		return errStopped
	}
	_, under, err := v.census()
	if err != nil {
		return err
	}
	for _, id := range keys.retired() {
		if n := under[id]; n > 0 {
			// Damaged ones, or somebody put old tables in their place.
			err = errors.Join(err, fmt.Errorf("%w: %d tokens are under number %d", errLeft, n, id))
			continue
		}
		err = errors.Join(err, v.destroy(id))
	}
	if err != nil {
		return errors.Join(err, v.forgetCursor()) // the next try begins with the first token
	}
	v.progress.end()
	return v.forgetCursor()
}

// census counts the tokens, and how many lie under each data key. A record that doesn't tell is
// counted under all that aren't active: what could be needed isn't destroyed.
func (v *Vault) census() (total uint64, under map[uint32]uint64, err error) {
	under = make(map[uint32]uint64)
	retired, stopped := v.keys.Load().retired(), false
	from, to := allOf(familyToken)
	err = v.o.Books.Scan(from, to, func(_, value []byte) bool {
		total++
		e, err := parseEntry(value)
		if err == nil {
			under[e.dek]++
		} else {
			for _, id := range retired {
				under[id]++
			}
		}
		stopped = total%1024 == 0 && v.closing()
		return !stopped
	})
	if stopped {
		err = errors.Join(err, errStopped)
	}
	return total, under, err
}

// cursor is the key from which a re-keying to a data key has to go on.
func (v *Vault) cursor(target uint32) ([]byte, error) {
	value, ok, err := v.o.Books.Get([]byte{familyRekey})
	if err != nil {
		return nil, err
	}
	from, _ := allOf(familyToken)
	if ok && len(value) > 4 && binary.BigEndian.Uint32(value) == target {
		from = append(from, value[4:]...)
		from = append(from, 0)
	}
	return from, nil
}

func (v *Vault) forgetCursor() error {
	return v.o.Books.Change(func(b Batch) { b.Delete([]byte{familyRekey}) })
}

// record is a token with what stands behind it.
type record struct {
	token Token
	value []byte
}

// scanSize is how many tokens a step looks at, at most: those that are under the active key already
// cost little, so that new ones can't outrun a re-keying.
const scanSize = 64 * stepSize

// step re-encrypts a few tokens from a key on and returns where to go on, nil at the end. What
// changes while it works is left alone: that is new, or gone.
func (v *Vault) step(from []byte) (next []byte, err error) {
	v.watch()
	defer v.unwatch()
	keys := v.keys.Load()
	_, to := allOf(familyToken)
	seen := 0
	var old []record
	err = v.o.Books.Scan(from, to, func(key, value []byte) bool {
		next = append(next[:0], key...)
		if e, err := parseEntry(value); err != nil || e.dek != keys.active {
			old = append(old, record{Token(key[1:]), append([]byte(nil), value...)})
		}
		seen++
		return seen < scanSize && len(old) < stepSize
	})
	if err != nil || seen == 0 {
		return nil, err
	}
	more := seen == scanSize || len(old) == stepSize
	changed := v.resealed(keys, old)
	cursor := append(binary.BigEndian.AppendUint32(nil, keys.active), next[1:]...)
	err = v.o.Books.Change(func(b Batch) {
		v.mu.Lock()
		defer v.mu.Unlock()
		for _, r := range changed {
			if !v.pending.watch[r.token] {
				b.Set(tokenKey(r.token), r.value)
			}
		}
		b.Set([]byte{familyRekey}, cursor)
		v.pending.watch = nil
	})
	if err != nil {
		return nil, err
	}
	v.progress.add(seen, len(changed))
	v.pause(len(changed))
	if !more {
		return nil, nil
	}
	return append(next, 0), nil
}

// resealed seals anew what lies under an old key.
func (v *Vault) resealed(keys *keySet, old []record) []record {
	changed := old[:0]
	for _, r := range old {
		e, err := parseEntry(r.value)
		var pan spec.PAN
		if err == nil {
			pan, err = keys.open(&e, r.token)
		}
		if err != nil {
			v.progress.damaged()
			v.o.Logger.Error("a token can't be re-encrypted", "token", r.token, "error", err)
			continue
		}
		keys.seal(&e, r.token, pan)
		changed = append(changed, record{r.token, e.append(nil)})
	}
	return changed
}

// watch begins to note which tokens change, those included that do so in a batch under way.
func (v *Vault) watch() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pending.watch = make(map[Token]bool, len(v.pending.tokens))
	for t := range v.pending.tokens {
		v.pending.watch[t] = true
	}
}

func (v *Vault) unwatch() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pending.watch = nil
}

// pause holds the re-encryption to its rate.
func (v *Vault) pause(rewritten int) {
	timer := time.NewTimer(time.Duration(rewritten) * time.Second / time.Duration(v.o.RekeyPerSecond))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-v.stop:
	}
}

// destroy makes a data key be gone: from the file, which is wiped, and from memory.
func (v *Vault) destroy(id uint32) error {
	v.file.Lock()
	defer v.file.Unlock()
	e := audit.Entry{Actor: "cardswitch", Role: "system", Event: audit.KeyDestroyed,
		Object: fmt.Sprintf("vault data key %d", id), Reason: "no token is under it any more",
		Result: audit.Done}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := v.o.Auditor.Append(ctx, e); err != nil {
		return err
	}
	next := v.keys.Load().copy()
	now := time.Now().UTC().Truncate(time.Second)
	for i := range next.file.Data {
		if d := &next.file.Data[i]; d.ID == id {
			d.Destroyed, d.wrapped = &now, wrapped{}
		}
	}
	delete(next.aeads, id)
	return v.replaceKeys(next)
}
