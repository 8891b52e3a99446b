package admin

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/keyring"
	"cardswitch/hsm/keyring/ceremony"
	"cardswitch/hsm/keyring/master"
	cardswitch "cardswitch/switch"
)

// Ceremonies are what people do together over the socket. A node whose master key isn't made yet
// has only these.
type Ceremonies struct {
	Room *ceremony.Room
	// Master begins the master key; nil when there is one.
	Master func() ceremony.Work
}

// CeremonyOrder asks for a ceremony.
type CeremonyOrder struct {
	KeyOrder
	Count int `json:"count"`
}

// CeremonyView is a ceremony as people see it.
type CeremonyView struct {
	ID       string              `json:"id"`
	What     string              `json:"what"`
	Label    string              `json:"label,omitempty"`
	Phase    string              `json:"phase"`
	Count    int                 `json:"count"`
	AskedBy  string              `json:"asked_by"`
	Started  time.Time           `json:"started"`
	Deadline time.Time           `json:"deadline"`
	Entries  []CeremonyEntryView `json:"entries"`
	Check    string              `json:"check,omitempty"`
	Method   string              `json:"check_method,omitempty"`
	Approver string              `json:"approver,omitempty"`
	Key      string              `json:"key,omitempty"`
	Why      string              `json:"why,omitempty"`
}

// CeremonyEntryView is a component that was entered: its check value.
type CeremonyEntryView struct {
	Who   string    `json:"who"`
	At    time.Time `json:"at"`
	Check string    `json:"check"`
}

func viewOf(s ceremony.State) CeremonyView {
	v := CeremonyView{ID: s.ID, What: s.What, Label: s.Label, Phase: string(s.Phase), Count: s.Count,
		AskedBy: s.AskedBy, Started: s.Started, Deadline: s.Deadline, Approver: s.Approver,
		Check: s.Check.Hex, Method: string(s.Method), Key: s.Key, Why: s.Why,
		Entries: []CeremonyEntryView{}}
	for _, e := range s.Entries {
		v.Entries = append(v.Entries, CeremonyEntryView{e.Who, e.At, e.Check.Hex})
	}
	return v
}

// actor is the person as the ceremony knows them.
func actor(p Person) ceremony.Person {
	return ceremony.Person{
		Name:      p.Name,
		Asks:      p.has(cardswitch.Administrator, cardswitch.Custodian) || p.Owner,
		Custodian: p.has(cardswitch.Custodian),
		Approver:  p.has(cardswitch.Approver),
	}
}

func (s *Server) ceremonies(w http.ResponseWriter, _ *http.Request) {
	views := []CeremonyView{}
	for _, state := range s.Ceremonies.Room.States() {
		views = append(views, viewOf(state))
	}
	answer(w, views)
}

func (s *Server) startCeremony(w http.ResponseWriter, r *http.Request) {
	var order CeremonyOrder
	if err := body(w, r, &order); err != nil {
		refuse(w, err)
		return
	}
	request, err := s.request(&order)
	if err != nil {
		refuse(w, keyError(err))
		return
	}
	request.Label, request.Count = order.Label, order.Count
	p := s.who(r)
	state, err := s.Ceremonies.Room.Start(actor(p), request)
	s.concluded(w, r, p, "ceremony.start", order.Slot, state, err)
}

// request says which key a ceremony makes.
func (s *Server) request(order *CeremonyOrder) (ceremony.Request, error) {
	if order.Slot == "master" {
		if s.Ceremonies.Master == nil {
			return ceremony.Request{}, &wrongError{"there is a master key already"}
		}
		return ceremony.Request{What: "master key, AES of 256 bits", Algorithm: keyblock.AES,
			Size: master.Size, Work: s.Ceremonies.Master()}, nil
	}
	if s.Keys == nil {
		return ceremony.Request{}, &wrongError{"the master key comes first (hint: cardswitch key " +
			"ceremony start master)"}
	}
	plan, err := order.plan()
	if err != nil {
		return ceremony.Request{}, err
	}
	work, spec, err := s.Keys.Forming(plan)
	return ceremony.Request{What: fmt.Sprintf("%s, %s of %d bits", plan.Slot, spec.Algorithm.Text(),
		8*spec.Size), Algorithm: spec.Algorithm, Size: spec.Size, Work: work}, err
}

// component takes the digits of a component as they are, not in JSON: so fewer copies of them are
// made, and those that this program makes are cleared.
func (s *Server) component(w http.ResponseWriter, r *http.Request) {
	p, id := s.who(r), r.PathValue("id")
	var digits [2*32 + 1]byte
	defer clear(digits[:])
	n, err := io.ReadFull(r.Body, digits[:])
	if err == nil || err == io.EOF || n%2 != 0 {
		refuse(w, &wrongError{"a component is of pairs of hexadecimal digits, at most 64"})
		return
	}
	raw := make([]byte, n/2)
	defer clear(raw)
	if _, err := hex.Decode(raw, digits[:n]); err != nil {
		refuse(w, &wrongError{"a component is of hexadecimal digits"})
		return
	}
	var expect keyblock.CheckValue
	if text := r.URL.Query().Get("check"); text != "" {
		if expect, err = s.checkValue(id, text); err != nil {
			refuse(w, &wrongError{err.Error()})
			return
		}
	}
	state, err := s.Ceremonies.Room.Enter(r.Context(), actor(p), id, raw, expect)
	s.concluded(w, r, p, "ceremony.component", id, state, err)
}

// checkValue reads a check value in the method of the ceremony's key.
func (s *Server) checkValue(id, text string) (keyblock.CheckValue, error) {
	method := keyblock.CMAC
	for _, state := range s.Ceremonies.Room.States() {
		if strings.EqualFold(state.ID, id) && state.ID != "" {
			method = state.Method
		}
	}
	return keyblock.ParseCheckValue(method, text)
}

func (s *Server) approve(w http.ResponseWriter, r *http.Request) {
	var signed struct {
		Check string `json:"check"`
	}
	if err := body(w, r, &signed); err != nil {
		refuse(w, err)
		return
	}
	p, id := s.who(r), r.PathValue("id")
	check, err := s.checkValue(id, signed.Check)
	if err != nil {
		refuse(w, &wrongError{err.Error()})
		return
	}
	state, err := s.Ceremonies.Room.Approve(r.Context(), actor(p), id, check)
	s.concluded(w, r, p, "ceremony.approve", id, state, err)
}

func (s *Server) cancel(w http.ResponseWriter, r *http.Request) {
	p, id := s.who(r), r.PathValue("id")
	state, err := s.Ceremonies.Room.Cancel(actor(p), id)
	s.concluded(w, r, p, "ceremony.cancel", id, state, err)
}

// concluded notes what was done in a ceremony, by whom, and answers.
func (s *Server) concluded(w http.ResponseWriter, r *http.Request, p Person, what, object string,
	state ceremony.State, err error) {
	if state.ID != "" {
		object = state.ID + " " + state.What
	}
	noted := s.audit(r.Context(), p, what, object, state.Label, err)
	if err = errors.Join(err, noted); err == nil {
		answer(w, viewOf(state))
		return
	}
	var refusal *ceremony.Refusal
	switch {
	case errors.As(err, &refusal):
		refuse(w, &hintedError{refusal.What, refusal.Hint})
	case errors.Is(err, ceremony.ErrAbsent):
		refuse(w, &NotFoundError{"there is no such ceremony", "`cardswitch key ceremony status`"})
	default:
		refuse(w, keyError(err))
	}
}

// audit notes what a person did on the socket.
func (s *Server) audit(ctx context.Context, p Person, what, object, why string,
	failed error) error {
	if s.Audit == nil {
		return nil
	}
	return s.Audit.Audit(ctx, keyring.Event{By: by(p, why), What: what, Key: object, Err: failed})
}
