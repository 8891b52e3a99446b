package admin

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"cardswitch/store/vault"
	cardswitch "cardswitch/switch"
)

// A whole card number is shown in three steps (PCI DSS 3.4.1, 7.2): a revealer asks and says why,
// an approver who is another person says yes, and the revealer sees it, once. Each step is recorded
// before it is done. What was asked is in memory only, for a short time.

// Reveal is a card number that somebody wants to see.
type Reveal struct {
	ID       string    `json:"id"`
	Token    string    `json:"token"`
	Who      string    `json:"who"`
	Why      string    `json:"why"`
	Asked    time.Time `json:"asked"`
	Approver string    `json:"approver,omitempty"` // "" until somebody approved
}

// Revealed is the card number.
type Revealed struct {
	Token string `json:"token"`
	PAN   string `json:"pan"`
}

// reveals are those that are under way.
type reveals struct {
	mu   sync.Mutex
	list []*Reveal
}

const (
	revealsKept = 64               // at once
	revealWait  = 15 * time.Minute // for the approver, and for the revealer to look
)

// find gives one that is still good. r.mu is held.
func (r *reveals) find(id string) *Reveal {
	r.list = slices.DeleteFunc(r.list, func(one *Reveal) bool {
		return time.Since(one.Asked) > revealWait
	})
	for _, one := range r.list {
		if one.ID == id {
			return one
		}
	}
	return nil
}

func (s *Server) listReveals(w http.ResponseWriter, _ *http.Request) {
	s.reveals.mu.Lock()
	defer s.reveals.mu.Unlock()
	s.reveals.find("")
	lines := []Reveal{}
	for _, one := range s.reveals.list {
		lines = append(lines, *one)
	}
	answer(w, lines)
}

func (s *Server) askReveal(w http.ResponseWriter, r *http.Request) {
	v, o, ok := s.tokenOrder(w, r)
	if !ok {
		return
	}
	one := &Reveal{ID: rand.Text()[:10], Token: o.Token, Who: s.who(r).Name,
		Why: strings.TrimSpace(o.Why), Asked: time.Now()}
	if one.Why == "" {
		refuse(w, &misuseError{"why must be said: it is kept in the audit log", "add --why"})
		return
	}
	if _, err := v.Info(vault.Token(o.Token)); err != nil {
		refuse(w, tokenError(err))
		return
	}
	s.reveals.mu.Lock()
	defer s.reveals.mu.Unlock()
	s.reveals.find("")
	if len(s.reveals.list) >= revealsKept {
		refuse(w, &hintedError{"too many card numbers are asked for", "wait for those to be seen"})
		return
	}
	s.reveals.list = append(s.reveals.list, one)
	answer(w, *one)
}

func (s *Server) approveReveal(w http.ResponseWriter, r *http.Request) {
	p := s.who(r)
	s.reveals.mu.Lock()
	defer s.reveals.mu.Unlock()
	one := s.reveals.find(r.PathValue("id"))
	switch {
	case one == nil:
		refuse(w, noReveal())
	case one.Who == p.Name:
		refuse(w, &hintedError{"nobody approves what they asked for", "another person must"})
	case one.Approver != "":
		refuse(w, &hintedError{"it is approved already", "by " + one.Approver})
	default:
		one.Approver = p.Name
		answer(w, *one)
	}
}

// showRevealed shows the number to who asked for it, once. The vault bounds how many a minute, and
// records it before the number leaves.
func (s *Server) showRevealed(w http.ResponseWriter, r *http.Request) {
	v, ok := s.vaultOf(w)
	if !ok {
		return
	}
	p := s.who(r)
	s.reveals.mu.Lock()
	one := s.reveals.find(r.PathValue("id"))
	mine := one != nil && one.Who == p.Name
	approved := mine && one.Approver != ""
	if approved {
		s.reveals.list = slices.DeleteFunc(s.reveals.list, func(o *Reveal) bool { return o == one })
	}
	s.reveals.mu.Unlock()
	switch {
	case !mine:
		refuse(w, noReveal())
		return
	case !approved:
		refuse(w, &hintedError{"nobody has approved it yet", "an approver does: `token approve`"})
		return
	}
	who := vault.Access{Actor: p.Name, Role: cardswitch.Revealer,
		Reason: one.Why + " (approved by " + one.Approver + ")"}
	pan, err := v.Detokenize(r.Context(), vault.Token(one.Token), who)
	if err != nil {
		refuse(w, tokenError(err))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	answer(w, Revealed{one.Token, pan.Reveal()})
}

func noReveal() error {
	return &NotFoundError{"no such request of yours is waiting",
		"`cardswitch token detokenize` asks; it is good for a quarter of an hour"}
}
