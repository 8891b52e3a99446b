package cardswitch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cardswitch/hsm/keyring"
	"cardswitch/switch/link"
	"cardswitch/switch/security"
	"cardswitch/switch/service/keychange"
	"cardswitch/switch/txn"
)

// keyArrived is a 1804/811 of a center, on its way through the goroutine of the exchange.
type keyArrived struct {
	link   *link.Link
	center *center
	in     link.Inbound
}

// takeKey hands a key that a center sent to the goroutine of the exchange. Its answer comes when
// the key is in the store and on every connection.
func (s *Switch) takeKey(now int64, l *link.Link, c *center, a *arrival) {
	if s.deps.Keys == nil {
		s.refuse(now, l, c, a, txn.NoKeys)
		return
	}
	k := &keyArrived{link: l, center: c}
	k.in.Frame = append([]byte(nil), a.in.Frame...)
	k.in.Prefix = a.in.Prefix
	if !s.order(func(ctx context.Context) { s.keyTaken(ctx, k) }) {
		s.refuse(now, l, c, a, txn.InProgress)
	}
}

// keyTaken does what the message asks and answers it.
func (s *Switch) keyTaken(ctx context.Context, k *keyArrived) {
	ctx, cancel := context.WithTimeout(ctx, keyWait)
	defer cancel()
	t := s.tables.Load()
	seat, ok := t.seats[k.center.id]
	if !ok {
		return
	}
	k.in.Fault = seat.profile.dialect.Index(&k.in.Message, k.in.Frame)
	m := &k.in.Message
	order, err := keychange.Parse(m.Append(nil, 53))
	block := string(m.Append(nil, 96))
	switch {
	case err != nil:
		s.answerKey(k, txn.KeyMalformed, "")
	case block == "" && order.Generation == 0:
		s.keyWanted(ctx, k, order)
	case block == "" || order.Generation == 0:
		s.answerKey(k, txn.KeyMalformed, "")
	default:
		id := keyring.ID{Slot: order.Slot(k.center.name, k.link.Name()),
			Generation: order.Generation}
		check, why := s.importKey(ctx, k, id, block)
		s.answerKey(k, why, check)
	}
}

// keyWanted is a center that asks us for a new key.
func (s *Switch) keyWanted(ctx context.Context, k *keyArrived, order keychange.Order) {
	slot := order.Slot(k.center.name, k.link.Name())
	if !s.changes(slot) {
		s.answerKey(k, txn.KeyRefused, "")
		return
	}
	s.answerKey(k, txn.NetworkDone, "")
	if s.mayTry(slot) {
		s.beginChange(ctx, selfActing("the center asked for it"), slot, nil)
	}
}

// importKey takes a key as the generation that the center gave it, and gives its check value.
func (s *Switch) importKey(ctx context.Context, k *keyArrived, id keyring.ID,
	block string) (check string, why txn.Reason) {
	keys := s.deps.Keys
	by := keyring.By{Who: k.center.name, Role: "center", Why: "1804/811 over " + k.link.Name()}
	kbpk, err := keys.Set().Sender(keyring.Slot{Purpose: keyring.KBPK, Center: id.Slot.Center},
		time.Now())
	if err != nil {
		return "", s.keyRefused(id, err, txn.NoKeys)
	}
	if s.changes(id.Slot) {
		return "", s.keyRefused(id, errors.New("the keys of this center are made here"),
			txn.KeyRefused)
	}
	if newest := s.newestOf(id.Slot); int(id.Generation) > int(newest)+mostPassedOver {
		return "", s.keyRefused(id, fmt.Errorf("the newest here is %d: generations are passed over",
			newest), txn.KeyOutOfStep)
	}
	record, there := keys.Set().Get(id)
	if there && (record.State == keyring.Retiring || record.State == keyring.Destroyed) {
		return "", s.keyRefused(id, fmt.Errorf("it is %s here", record.State), txn.KeyOutOfStep)
	}
	if there {
		// Sent again because our answer was lost: it must be the same key.
		same, err := keys.Same(ctx, id, kbpk.ID.Generation, block)
		if err != nil || !same {
			return "", s.keyRefused(id, errors.Join(err, errors.New("this generation is another key")),
				txn.KeyOutOfStep)
		}
	} else if record, err = keys.Import(ctx, by, keyring.Plan{Slot: id.Slot,
		Generation: id.Generation, Label: takenLabel}, kbpk.ID.Generation, block); err != nil {
		return "", s.keyRefused(id, err, txn.KeyRefused)
	}
	for _, step := range []keyring.Step{keyring.Confirm, keyring.Activate, keyring.Send} {
		due := step == keyring.Confirm && record.State == keyring.Received ||
			step == keyring.Activate && record.State == keyring.Confirmed ||
			step == keyring.Send && record.State == keyring.Accepting &&
				id.Slot.Direction == keyring.Out
		if !due {
			continue
		}
		if record, err = keys.Step(ctx, by, id, step); err != nil {
			return "", s.keyRefused(id, err, txn.KeyRefused)
		}
	}
	if key, ok := s.linkKeys().Key(id.Slot.Center+"/"+id.Slot.Link, id.Generation); ok &&
		id.Slot.Purpose == keyring.ZEK {
		for _, l := range s.linksOf(id.Slot) {
			s.teach(l, key)
		}
	}
	s.tellDoors()
	s.log.Info("key taken", "key", id.String(), "check", record.Check().String())
	return record.Check().Hex, txn.NetworkDone
}

// mostPassedOver is how many generations a center may leave out, as after changes that failed: more
// would use them up.
const mostPassedOver = 64

func (s *Switch) newestOf(slot keyring.Slot) uint16 {
	generations := s.deps.Keys.Set().Generations(slot)
	if len(generations) == 0 {
		return 0
	}
	return generations[len(generations)-1].ID.Generation
}

func (s *Switch) keyRefused(id keyring.ID, err error, why txn.Reason) txn.Reason {
	s.log.Error("a key that a center sent is not taken", "key", id.String(), "error", err.Error(),
		"hint", "compare the key block protection keys by their check values; key list")
	return why
}

// answerKey answers a 1804/811.
func (s *Switch) answerKey(k *keyArrived, why txn.Reason, check string) {
	arrived := s.arrivals.Get().(*arrivals)
	defer s.arrivals.Put(arrived)
	if s.read(k.link, []link.Inbound{k.in}, make([]security.Finding, 1), arrived) == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &arrived.list[0]
	d := txn.Decision{Act: txn.Acknowledge, Reason: why, Action: why.Action()}
	elements := []element{{53, a.msg.Append(nil, 53)}}
	if check != "" {
		elements = append(elements, element{96, []byte(check)})
	}
	if why == txn.KeyMalformed {
		elements = nil
	}
	s.settle(s.now(), k.link, k.center, a, d, elements...)
	s.kick()
}
