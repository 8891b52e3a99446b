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

// keyAct does one thing with keys, for somebody, and gives what they are answered.
type keyAct func(r *http.Request, k *keys.Keys, who keyring.By, o *KeyOrder) (any, error)

// ordered reads an order, which must say why (the audit log keeps it), and has it done.
func (s *Server) ordered(act keyAct) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		k, ok := s.keysOf(w)
		if !ok {
			return
		}
		var order KeyOrder
		if err := body(w, r, &order); err != nil {
			refuse(w, err)
			return
		}
		if order.Why = strings.TrimSpace(order.Why); order.Why == "" {
			refuse(w, &wrongError{"why must be said: it is kept in the audit log"})
			return
		}
		done, err := act(r, k, by(s.who(r), order.Why), &order)
		if err != nil {
			refuse(w, keyError(err))
			return
		}
		answer(w, done)
	}
}

// lineOf answers with the key that an act has left.
func lineOf(k *keys.Keys, record keyring.Record, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return keyLine(k, &record), nil
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

// id reads which key is meant.
func (o *KeyOrder) id() (keyring.ID, error) {
	id, err := keyring.ParseID(o.Key)
	if err != nil {
		return id, &wrongError{err.Error()}
	}
	return id, nil
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
