package cardswitch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"cardswitch/hsm/keyring"
	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/vault"
	"cardswitch/switch/txn"
)

// Tokens stand in the place of card numbers for merchants who hold none (package vault). A token
// that a request carries is replaced by its card number before the doors, so that it is routed and
// journaled like any other; a token of somebody else, or none, is refused. The token that an answer
// carries goes into the batch that has the answer's record: both are durable, or neither is, and a
// repeat gets the kept answer with the same token. A merchant without tokens costs one comparison.
//
// A single-use token is spent by the batch that forwards or keeps its request. The repeat of that
// request finds it spent; then its question is known by its key alone.

// books is the vault's view of the store: what it changes goes into the batches of the committer.
type books struct {
	*store.Store
	s *Switch
}

// Change is vault's.
func (b books) Change(fn func(vault.Batch)) error {
	s := b.s
	durable := make(chan struct{})
	s.mu.Lock()
	if s.fenced.Load() {
		s.mu.Unlock()
		return errClosing
	}
	fn(s.pending.batch)
	s.pending.batch.Then(func() { close(durable) })
	s.mu.Unlock()
	s.kick()
	select {
	case <-durable:
		return nil
	case <-s.failed:
	case <-s.stopped:
	}
	return errClosing
}

var errClosing = errors.New("the switch is closing")

// kek wraps the vault's data keys under the key encryption key of the key ring, in the security
// module. Before what is wrapped stands the key's generation.
type kek struct{ ring *keyring.Ring }

// kekWait is how long the module may take for a data key.
const kekWait = 10 * time.Second

// Wrap is vault's.
func (k kek) Wrap(dek []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), kekWait)
	defer cancel()
	key, generation, err := k.ring.Sender(keyring.Slot{Purpose: keyring.KEK})
	if err != nil {
		return nil, err
	}
	wrapped, err := k.ring.Module().WrapData(ctx, key, dek)
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint16(nil, generation), wrapped...), nil
}

// Unwrap is vault's.
func (k kek) Unwrap(wrapped []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), kekWait)
	defer cancel()
	if len(wrapped) < 2 {
		return nil, errors.New("a data key without the generation of its KEK")
	}
	key, err := k.ring.Opener(keyring.Slot{Purpose: keyring.KEK}, binary.BigEndian.Uint16(wrapped))
	if err != nil {
		return nil, err
	}
	return k.ring.Module().UnwrapData(ctx, key, wrapped[2:])
}

// openVault opens the vault if any center has tokens. A test installation without a KEK gets one;
// in production two people make it.
func (s *Switch) openVault(config *Config) error {
	if !config.usesTokens() {
		return nil
	}
	if s.deps.Keys == nil || s.deps.Audit == nil {
		return errors.New("tokens: there are no keys, or no audit log (hint: see `keys` and `audit`)")
	}
	ctx := context.Background()
	slot := keyring.Slot{Purpose: keyring.KEK}
	if _, _, err := s.deps.Keys.Sender(slot); err != nil {
		if config.Production || len(s.deps.Keys.Set().Generations(slot)) > 0 {
			return fmt.Errorf("tokens: %w (hint: start without tokens, `cardswitch key generate kek`, "+
				"and have it served by an approver)", err)
		}
		by := keyring.By{Who: "cardswitch", Role: "system", Why: "the vault's first key"}
		record, err := s.deps.Keys.Generate(ctx, by, keyring.Plan{Slot: slot})
		if err == nil {
			_, err = s.deps.Keys.Serve(ctx, by, record.ID)
		}
		if err != nil {
			return fmt.Errorf("tokens: %w", err)
		}
	}
	v, err := vault.Open(vault.Options{Books: books{s.store, s}, Wrapper: kek{s.deps.Keys},
		Auditor: s.deps.Audit, KeyFile: config.Vault.KeyFile, Create: true, FS: s.deps.Disk,
		Roles: VaultRights(), RevealsPerMinute: config.Vault.RevealsPerMinute,
		RekeyPerSecond: config.Vault.RekeyPerSecond, Logger: s.log})
	s.vault = v
	return err
}

// VaultRights are what the roles of people may do with tokens.
func VaultRights() map[string]vault.Right {
	return map[string]vault.Right{Revealer: vault.MayRevealOf, Operator: vault.MayFind,
		Administrator: vault.MayFind | vault.MayRekey, Approver: vault.MayErase}
}

// Vault is the token vault; nil if no center has tokens.
func (s *Switch) Vault() *vault.Vault { return s.vault }

// Rewrap brings the vault's data keys under the newest key encryption key.
func (s *Switch) Rewrap(ctx context.Context, who vault.Access) error {
	return s.vault.Rewrap(ctx, kek{s.deps.Keys}, who)
}

// redeem puts the card number in the place of a token that a request carries.
func (s *Switch) redeem(p *profile, a *arrival) {
	t, m := p.tokens, a.msg
	if t == nil || !a.trusted() || !a.in.Fault.OK() || m.MTI().IsResponse() ||
		m.MTI().Class() == 8 || !m.Has(t.element) {
		return
	}
	for _, n := range [...]int{2, 34, 35, 36, 45} {
		if m.Has(n) { // which of them is meant, nobody knows
			a.found.Reason = txn.Malformed
			a.found.Fault = spec.Fault{Element: uint8(t.element), Kind: spec.FaultNotAllowed}
			return
		}
	}
	var value [64]byte
	use, err := s.vault.Redeem(vault.Token(m.Append(value[:0], t.element)), t.scope)
	if err != nil {
		a.token.fault = txn.TokenUnknown
		if !errors.Is(err, vault.ErrNoToken) && !errors.Is(err, vault.ErrForeign) &&
			!errors.Is(err, vault.ErrExpired) {
			a.token.fault = txn.VaultFailed
			s.log.Error("a token can't be opened", "error", err)
		}
		return
	}
	frame, fault := p.named(m, use.PAN())
	if fault.OK() {
		fault = p.dialect.Index(&a.in.Message, frame)
	}
	if !fault.OK() {
		a.found.Reason, a.found.Fault = txn.Malformed, fault
		return
	}
	a.in.Frame, a.bought, a.token.use = frame, true, &use
}

// named writes a message with a card number in the place of its token.
func (p *profile) named(m *spec.Message, pan spec.PAN) (frame []byte, fault spec.Fault) {
	var e spec.Edit
	defer e.Wipe()
	var number [19]byte
	e.Set(2, pan.AppendReveal(number[:0]))
	clear(number[:])
	e.Remove(p.tokens.element)
	return p.dialect.Append(nil, m, &e)
}

// carried is what an arrival has to do with tokens.
type carried struct {
	fault txn.Reason // of a token in it
	use   *vault.Use // of a token in it, spent when the request is taken
	op    *vault.Op  // the token for its answer
}

// tokenize prepares the token for the answer to a request. It may read from the disk.
func (s *Switch) tokenize(p *profile, a *arrival) {
	t := p.tokens
	if t == nil || a.answer || a.refused != txn.None || a.pan.IsZero() {
		return
	}
	op, err := s.vault.Prepare(vault.Ask{PAN: a.pan, Scope: t.scope, Format: t.format,
		Life: t.life})
	switch {
	case err == nil:
		a.token.op = &op
	case errors.Is(err, vault.ErrNoFit), errors.Is(err, vault.ErrIsToken):
		// Such a card has no token, and answers about it carry neither.
	default:
		s.log.Error("a token can't be prepared", "error", err)
		a.refused = txn.VaultFailed
	}
}

// spend spends the single-use token of a request that is taken. mu is held.
func (s *Switch) spend(a *arrival) bool {
	if a.token.use == nil {
		return true
	}
	err := a.token.use.Put(s.pending.batch)
	if err != nil && !errors.Is(err, vault.ErrSpent) {
		s.log.Error("a token can't be spent", "error", err)
	}
	return err == nil
}

// tokenOf puts the token of an answer into the batch that has the answer's record. mu is held.
func (s *Switch) tokenOf(c *center, op *vault.Op) (list []element) {
	if op == nil || c.tokens == nil {
		return nil
	}
	t, err := op.Put(s.pending.batch)
	if err != nil {
		s.log.Error("an answer goes without its token", "center", c.name, "error", err)
		return nil
	}
	return []element{{c.tokens.element, []byte(t)}}
}
