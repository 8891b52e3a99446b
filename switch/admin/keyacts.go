package admin

import (
	"net/http"
	"strings"
	"time"

	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/keys"
)

func (s *Server) generateKey(r *http.Request, k *keys.Keys, who keyring.By, o *KeyOrder) (
	any, error) {
	plan, err := o.plan()
	if err != nil {
		return nil, err
	}
	if o.Serve && k.Production && plan.Slot.Purpose.Dual() {
		return nil, &hintedError{"in production nobody alone puts a " + plan.Slot.Purpose.Text() +
			" in service", "make it without --serve; an approver serves it"}
	}
	record, err := k.Generate(r.Context(), who, plan)
	if err == nil && o.Serve {
		record, err = k.Serve(r.Context(), who, record.ID)
	}
	return lineOf(k, record, err)
}

// exchangeKey makes the next generation of a key and brings it to its center by 1804/811.
func (s *Server) exchangeKey(r *http.Request, k *keys.Keys, who keyring.By, o *KeyOrder) (
	any, error) {
	slot, err := keyring.ParseSlot(o.Slot)
	if err != nil {
		return nil, &wrongError{err.Error()}
	}
	if err := s.Switch.ChangeKey(r.Context(), who, slot); err != nil {
		return nil, err
	}
	generations := k.Set().Generations(slot)
	return keyLine(k, &generations[len(generations)-1]), nil
}

func (s *Server) importKey(r *http.Request, k *keys.Keys, who keyring.By, o *KeyOrder) (
	any, error) {
	plan, err := o.plan()
	if err != nil {
		return nil, err
	}
	under := o.Under
	if under == 0 {
		kbpk, err := protector(k, plan.Slot.Center)
		if err != nil {
			return nil, err
		}
		under = kbpk.Generation
	}
	record, err := k.Import(r.Context(), who, plan, under, strings.TrimSpace(o.Block))
	return lineOf(k, record, err)
}

// protector is the key under which keys travel to and from a center now.
func protector(k *keys.Keys, center string) (keyring.ID, error) {
	kbpk, err := k.Set().Sender(keyring.Slot{Purpose: keyring.KBPK, Center: center}, time.Now())
	if err != nil {
		return keyring.ID{}, err
	}
	return kbpk.ID, nil
}

// adoptKey brings the block of a console to a KBPK of a ceremony.
func (s *Server) adoptKey(r *http.Request, k *keys.Keys, who keyring.By, o *KeyOrder) (
	any, error) {
	id, err := o.id()
	if err != nil {
		return nil, err
	}
	record, err := k.Adopt(r.Context(), who, id, strings.TrimSpace(o.Block))
	return lineOf(k, record, err)
}

func (s *Server) exportKey(r *http.Request, k *keys.Keys, who keyring.By, o *KeyOrder) (
	any, error) {
	id, err := o.id()
	if err != nil {
		return nil, err
	}
	under, err := protector(k, id.Slot.Center)
	if err != nil {
		return nil, err
	}
	block, err := k.Export(r.Context(), who, id)
	if err != nil {
		return nil, err
	}
	record, _ := k.Set().Get(id)
	return KeyBlock{id.String(), under.String(), block, record.Check().Hex}, nil
}

func (s *Server) stepKey(r *http.Request, k *keys.Keys, who keyring.By, o *KeyOrder) (any, error) {
	id, err := o.id()
	if err != nil {
		return nil, err
	}
	step := keyring.Step(r.PathValue("step"))
	if step == keyring.Destroy { // nobody who may only move keys destroys them
		return nil, &wrongError{"destroy has a way of its own"}
	}
	if p := s.who(r); !p.maySteer(k, id, step) {
		return nil, &deniedError{p, steerers(k, id, step)}
	}
	if step == "serve" {
		record, err := k.Serve(r.Context(), who, id)
		return lineOf(k, record, err)
	}
	record, err := k.Step(r.Context(), who, id, step)
	return lineOf(k, record, err)
}

// steerers are who may do a step: in production an approver brings into service what it takes two
// people for, all else is the administrators'.
func steerers(k *keys.Keys, id keyring.ID, step keyring.Step) []string {
	if k.Production && id.Slot.Purpose.Dual() && step.Advances() {
		return []string{cardswitch.Approver}
	}
	return []string{cardswitch.Administrator}
}

func (p *Person) maySteer(k *keys.Keys, id keyring.ID, step keyring.Step) bool {
	return p.Owner || p.has(steerers(k, id, step)...)
}

func (s *Server) destroyKey(r *http.Request, k *keys.Keys, who keyring.By, o *KeyOrder) (
	any, error) {
	id, err := o.id()
	if err != nil {
		return nil, err
	}
	record, err := k.Step(r.Context(), who, id, keyring.Destroy)
	return lineOf(k, record, err)
}

// clearKey gives the components of a test key, or makes one of them: what production never does.
func (s *Server) clearKey(r *http.Request, k *keys.Keys, who keyring.By, o *KeyOrder) (
	any, error) {
	if k.Production {
		return nil, &NotFoundError{"clear components are for test installations",
			"hold a ceremony: `cardswitch key ceremony start`"}
	}
	if o.Key == "" {
		plan, err := o.plan()
		if err != nil {
			return nil, err
		}
		record, err := k.FormInClear(r.Context(), who, plan, o.Components)
		return lineOf(k, record, err)
	}
	id, err := o.id()
	if err != nil {
		return nil, err
	}
	parts, err := k.Reveal(r.Context(), who, id)
	if err != nil {
		return nil, err
	}
	record, _ := k.Set().Get(id)
	return KeyParts{id.String(), parts, record.Check().Hex}, nil
}
