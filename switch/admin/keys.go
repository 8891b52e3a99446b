package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/keys"
)

// KeyLine is one key as operators read it: never more of it than its check value.
type KeyLine struct {
	Key         string     `json:"key"` // "zek:sakura/primary@3"
	Slot        string     `json:"slot"`
	Generation  uint16     `json:"generation"`
	Purpose     string     `json:"purpose"`
	Usage       string     `json:"usage"` // X9.143
	Mode        string     `json:"mode"`
	Export      string     `json:"export"`
	Algorithm   string     `json:"algorithm"`
	Bits        int        `json:"bits"`
	State       string     `json:"state"`
	Label       string     `json:"label,omitempty"`
	Test        bool       `json:"test,omitempty"`
	Check       string     `json:"check"`
	CheckMethod string     `json:"check_method"`
	Module      string     `json:"module"`
	Created     time.Time  `json:"created"`
	ActiveFrom  *time.Time `json:"active_from,omitempty"`
	Expires     time.Time  `json:"expires"`
	RetireUntil *time.Time `json:"retire_until,omitempty"`
	NextChange  *time.Time `json:"next_change,omitempty"`
	Uses        uint64     `json:"uses"`          // since the switch was started
	Due         string     `json:"due,omitempty"` // what is to be done now
	DueWhy      string     `json:"due_why,omitempty"`
}

// KeyBlock is a key that leaves.
type KeyBlock struct {
	Key   string `json:"key"`
	Under string `json:"under"`
	Block string `json:"block"`
	Check string `json:"check"`
}

// KeyParts are the components of a test key.
type KeyParts struct {
	Key        string   `json:"key"`
	Components []string `json:"components"`
	Check      string   `json:"check"`
}

// KeyOrder asks for something to be done with a key, or in a slot.
type KeyOrder struct {
	Slot       string   `json:"slot,omitempty"`
	Key        string   `json:"key,omitempty"`
	Algorithm  string   `json:"algorithm,omitempty"` // aes, tdes
	Bits       int      `json:"bits,omitempty"`
	Label      string   `json:"label,omitempty"`
	Under      uint16   `json:"under,omitempty"` // generation of the KBPK
	Block      string   `json:"block,omitempty"`
	Components []string `json:"components,omitempty"` // of a test installation
	Step       string   `json:"step,omitempty"`
	Serve      bool     `json:"serve,omitempty"` // into service at once
	Why        string   `json:"why"`
}

// keysOf is the node's keys, or says that there are none.
func (s *Server) keysOf(w http.ResponseWriter) (*keys.Keys, bool) {
	if s.Keys == nil {
		refuse(w, &NotFoundError{"this node has no keys", "see keys in the configuration"})
		return nil, false
	}
	return s.Keys, true
}

func (s *Server) listKeys(w http.ResponseWriter, _ *http.Request) {
	k, ok := s.keysOf(w)
	if !ok {
		return
	}
	due := map[keyring.ID]keyring.Task{}
	for _, task := range k.Due() {
		due[task.ID] = task
	}
	lines := []KeyLine{}
	for _, r := range k.Set().Records() {
		line := keyLine(k, &r)
		line.Due, line.DueWhy = string(due[r.ID].What), due[r.ID].Why
		lines = append(lines, line)
	}
	answer(w, lines)
}

func keyLine(k *keys.Keys, r *keyring.Record) KeyLine {
	date := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	spec, check := r.Wrapped.Spec, r.Check()
	return KeyLine{
		Key: r.ID.String(), Slot: r.ID.Slot.String(), Generation: r.ID.Generation,
		Purpose: string(r.ID.Slot.Purpose), Usage: string(spec.Usage), Mode: string(spec.Mode),
		Export: string(spec.Export), Algorithm: spec.Algorithm.Text(), Bits: 8 * spec.Size,
		State: string(r.State), Uses: k.Uses(r.ID), Label: r.Label, Test: r.Test, Check: check.Hex,
		CheckMethod: string(check.Method), Module: k.Module().Name(), Created: r.Created,
		ActiveFrom: date(r.ActiveFrom), Expires: r.Expires, RetireUntil: date(r.RetireUntil),
		NextChange: date(r.NextChange(k.Policy(r.ID.Slot.Purpose))),
	}
}

// ordered reads an order, which must say why: the audit log keeps it.
func (s *Server) ordered(w http.ResponseWriter, r *http.Request) (*keys.Keys, KeyOrder,
	keyring.By, bool) {
	var order KeyOrder
	k, ok := s.keysOf(w)
	if !ok {
		return nil, order, keyring.By{}, false
	}
	if err := body(w, r, &order); err != nil {
		refuse(w, err)
		return nil, order, keyring.By{}, false
	}
	order.Why = strings.TrimSpace(order.Why)
	if order.Why == "" {
		refuse(w, &wrongError{"why must be said: it is kept in the audit log"})
		return nil, order, keyring.By{}, false
	}
	return k, order, by(s.who(r), order.Why), true
}

func by(p Person, why string) keyring.By {
	roles := p.Roles
	if p.Owner {
		roles = append([]string{"owner"}, roles...)
	}
	return keyring.By{Who: p.Name, Role: strings.Join(roles, ","), Why: why}
}

// plan reads which key is to be made.
func (o *KeyOrder) plan() (keyring.Plan, error) {
	slot, err := keyring.ParseSlot(o.Slot)
	if err != nil {
		return keyring.Plan{}, &wrongError{err.Error()}
	}
	p := keyring.Plan{Slot: slot, Size: o.Bits / 8, Label: o.Label}
	switch o.Algorithm {
	case "":
	case "aes":
		p.Algorithm = keyblock.AES
	case "tdes":
		p.Algorithm = keyblock.TDES
	default:
		return p, &wrongError{"the algorithm is aes or tdes"}
	}
	if o.Bits%8 != 0 || o.Bits < 0 {
		return p, &wrongError{"the bits of a key are a multiple of 8"}
	}
	if _, err := slot.Purpose.Spec(p.Algorithm, p.Size); err != nil {
		return p, &wrongError{err.Error()}
	}
	return p, nil
}

func (s *Server) generateKey(w http.ResponseWriter, r *http.Request) {
	k, order, who, ok := s.ordered(w, r)
	if !ok {
		return
	}
	plan, err := order.plan()
	if err == nil && order.Serve && k.Production && plan.Slot.Purpose.Dual() {
		err = &hintedError{"in production nobody alone puts a " + plan.Slot.Purpose.Text() +
			" in service", "make it without --serve; an approver serves it"}
	}
	if err == nil {
		var record keyring.Record
		record, err = k.Generate(r.Context(), who, plan)
		if err == nil && order.Serve {
			record, err = k.Serve(r.Context(), who, record.ID)
		}
		if err == nil {
			answer(w, keyLine(k, &record))
			return
		}
	}
	refuse(w, keyError(err))
}

// exchangeKey makes the next generation of a key and brings it to its center by 1804/811.
func (s *Server) exchangeKey(w http.ResponseWriter, r *http.Request) {
	k, order, who, ok := s.ordered(w, r)
	if !ok {
		return
	}
	slot, err := keyring.ParseSlot(order.Slot)
	if err != nil {
		refuse(w, &wrongError{err.Error()})
		return
	}
	if err := s.Switch.ChangeKey(r.Context(), who, slot); err != nil {
		refuse(w, keyError(err))
		return
	}
	generations := k.Set().Generations(slot)
	answer(w, keyLine(k, &generations[len(generations)-1]))
}

func (s *Server) importKey(w http.ResponseWriter, r *http.Request) {
	k, order, who, ok := s.ordered(w, r)
	if !ok {
		return
	}
	plan, err := order.plan()
	if err != nil {
		refuse(w, keyError(err))
		return
	}
	under := order.Under
	if under == 0 {
		slot := keyring.Slot{Purpose: keyring.KBPK, Center: plan.Slot.Center}
		kbpk, err := k.Set().Sender(slot, time.Now())
		if err != nil {
			refuse(w, keyError(err))
			return
		}
		under = kbpk.ID.Generation
	}
	record, err := k.Import(r.Context(), who, plan, under, strings.TrimSpace(order.Block))
	if err != nil {
		refuse(w, keyError(err))
		return
	}
	answer(w, keyLine(k, &record))
}

// adoptKey brings the block of a console to a KBPK of a ceremony.
func (s *Server) adoptKey(w http.ResponseWriter, r *http.Request) {
	k, order, who, ok := s.ordered(w, r)
	if !ok {
		return
	}
	id, err := keyring.ParseID(order.Key)
	if err != nil {
		refuse(w, &wrongError{err.Error()})
		return
	}
	record, err := k.Adopt(r.Context(), who, id, strings.TrimSpace(order.Block))
	if err != nil {
		refuse(w, keyError(err))
		return
	}
	answer(w, keyLine(k, &record))
}

func (s *Server) exportKey(w http.ResponseWriter, r *http.Request) {
	k, order, who, ok := s.ordered(w, r)
	if !ok {
		return
	}
	id, err := keyring.ParseID(order.Key)
	if err != nil {
		refuse(w, &wrongError{err.Error()})
		return
	}
	kbpk, err := k.Set().Sender(keyring.Slot{Purpose: keyring.KBPK, Center: id.Slot.Center},
		time.Now())
	if err != nil {
		refuse(w, keyError(err))
		return
	}
	block, err := k.Export(r.Context(), who, id)
	if err != nil {
		refuse(w, keyError(err))
		return
	}
	record, _ := k.Set().Get(id)
	answer(w, KeyBlock{id.String(), kbpk.ID.String(), block, record.Check().Hex})
}

func (s *Server) stepKey(w http.ResponseWriter, r *http.Request) {
	k, order, who, ok := s.ordered(w, r)
	if !ok {
		return
	}
	id, err := keyring.ParseID(order.Key)
	if err != nil {
		refuse(w, &wrongError{err.Error()})
		return
	}
	// Nobody who may only move keys destroys them.
	step := keyring.Step(r.PathValue("step"))
	if step == keyring.Destroy {
		refuse(w, &wrongError{"destroy has a way of its own"})
		return
	}
	if p := s.who(r); !p.maySteer(k, id, step) {
		refuse(w, &deniedError{p, steerers(k, id, step)})
		return
	}
	var record keyring.Record
	switch step {
	case "serve":
		record, err = k.Serve(r.Context(), who, id)
	default:
		record, err = k.Step(r.Context(), who, id, step)
	}
	if err != nil {
		refuse(w, keyError(err))
		return
	}
	answer(w, keyLine(k, &record))
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

func (s *Server) destroyKey(w http.ResponseWriter, r *http.Request) {
	k, order, who, ok := s.ordered(w, r)
	if !ok {
		return
	}
	id, err := keyring.ParseID(order.Key)
	if err != nil {
		refuse(w, &wrongError{err.Error()})
		return
	}
	record, err := k.Step(r.Context(), who, id, keyring.Destroy)
	if err != nil {
		refuse(w, keyError(err))
		return
	}
	answer(w, keyLine(k, &record))
}

// clearKey gives the components of a test key, or makes one of them: what production never does.
func (s *Server) clearKey(w http.ResponseWriter, r *http.Request) {
	k, order, who, ok := s.ordered(w, r)
	if !ok {
		return
	}
	if k.Production {
		refuse(w, &NotFoundError{"clear components are for test installations",
			"hold a ceremony: `cardswitch key ceremony start`"})
		return
	}
	if order.Key != "" {
		id, err := keyring.ParseID(order.Key)
		if err != nil {
			refuse(w, &wrongError{err.Error()})
			return
		}
		parts, err := k.Reveal(r.Context(), who, id)
		if err != nil {
			refuse(w, keyError(err))
			return
		}
		record, _ := k.Set().Get(id)
		answer(w, KeyParts{id.String(), parts, record.Check().Hex})
		return
	}
	plan, err := order.plan()
	if err == nil {
		var record keyring.Record
		if record, err = k.FormInClear(r.Context(), who, plan, order.Components); err == nil {
			answer(w, keyLine(k, &record))
			return
		}
	}
	refuse(w, keyError(err))
}

// keyError sorts what the keys say into what an operator did wrong and what failed.
func keyError(err error) error {
	var step *keyring.StepError
	var refused *keyring.RefusedError
	var twice *keyring.DuplicateError
	switch {
	case errors.As(err, &step):
		return &hintedError{fmt.Sprintf("%s %s: %s", step.Step, step.ID, step.Why), step.Hint}
	case errors.As(err, &refused):
		hint := refused.Hint
		refused.Hint = ""
		return &hintedError{strings.TrimSuffix(refused.Error(), " (hint: )"), hint}
	case errors.Is(err, keyring.ErrCeremony), errors.Is(err, hsm.ErrAbsent),
		errors.Is(err, hsm.ErrKey), errors.Is(err, hsm.ErrForbidden):
		return &hintedError{err.Error(), ""}
	case errors.As(err, &twice), errors.Is(err, keyblock.ErrMalformed),
		errors.Is(err, keyblock.ErrUnwanted), errors.Is(err, keyblock.ErrForged):
		return &hintedError{err.Error(), ""}
	}
	return err
}
