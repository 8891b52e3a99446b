package admin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"cardswitch/spec"
	"cardswitch/store/audit"
	"cardswitch/store/vault"
	cardswitch "cardswitch/switch"
)

// Vault is what people may ask of the token vault. It records what they ask itself.
type Vault interface {
	Status() vault.Status
	Info(t vault.Token) (vault.Info, error)
	Find(ctx context.Context, pan spec.PAN, who vault.Access) ([]vault.Info, error)
	Rekey(ctx context.Context, who vault.Access) error
	Delete(ctx context.Context, t vault.Token, who vault.Access) error
	Detokenize(ctx context.Context, t vault.Token, who vault.Access) (spec.PAN, error)
}

// TokenLine is a token as people read it: nothing of the card number.
type TokenLine struct {
	Token   string    `json:"token"`
	Scope   string    `json:"scope"`
	Once    bool      `json:"single_use"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	DataKey uint32    `json:"data_key"`
}

func tokenLine(i vault.Info) TokenLine {
	return TokenLine{string(i.Token), i.Scope, i.Once, i.Created, i.Expires, i.DataKey}
}

// DataKeyLine is a data key of the vault.
type DataKeyLine struct {
	ID        uint32    `json:"id"`
	Active    bool      `json:"active"`
	Created   time.Time `json:"created"`
	Destroyed time.Time `json:"destroyed,omitzero"`
}

// VaultStatus is how the vault is, and how far a re-keying.
type VaultStatus struct {
	DataKeys  []DataKeyLine `json:"data_keys"`
	Rekeying  bool          `json:"rekeying"`
	Target    uint32        `json:"target_key,omitempty"`
	Seen      uint64        `json:"seen"`
	Total     uint64        `json:"total"` // as counted at its beginning
	Rewritten uint64        `json:"rewritten"`
	Damaged   uint64        `json:"damaged"`
	Began     time.Time     `json:"began,omitzero"`
	Error     string        `json:"error,omitempty"`
	Pending   int           `json:"pending"`
}

// TokenOrder asks something about a token or a card.
type TokenOrder struct {
	Token string `json:"token,omitempty"`
	PAN   string `json:"pan,omitempty"`
	KEK   bool   `json:"kek,omitempty"` // wrap the data keys anew, in place of new ones
	Why   string `json:"why"`
}

// tokenRoutes are about tokens. Whole card numbers are shown to a revealer only, whom nobody's
// owning of a test installation replaces, and only after an approver said yes.
func (s *Server) tokenRoutes() []route {
	see := []string{cardswitch.Operator, cardswitch.Administrator, cardswitch.Auditor}
	find := []string{cardswitch.Operator, cardswitch.Administrator}
	change := []string{cardswitch.Administrator}
	end := []string{cardswitch.Approver}
	reveal := []string{cardswitch.Revealer}
	asked := []string{cardswitch.Revealer, cardswitch.Approver, cardswitch.Auditor}
	return []route{
		{"GET /v1/tokens/status", s.tokenStatus, see, false, 0},
		{"POST /v1/tokens/lookup", s.lookUp, find, false, 0},
		{"POST /v1/tokens/rekey", s.rekey, change, false, 0},
		{"POST /v1/tokens/delete", s.deleteToken, end, false, 0},
		{"GET /v1/tokens/reveals", s.listReveals, asked, false, 0},
		{"POST /v1/tokens/reveals", s.askReveal, reveal, true, audit.CardRequested},
		{"POST /v1/tokens/reveals/{id}/approve", s.approveReveal, end, true, audit.CardApproved},
		{"POST /v1/tokens/reveals/{id}/show", s.showRevealed, reveal, true, 0},
	}
}

// vaultOf is the node's vault, or says that there is none.
func (s *Server) vaultOf(w http.ResponseWriter) (Vault, bool) {
	if s.Vault == nil {
		refuse(w, &NotFoundError{"this node has no token vault", "give a merchant `tokens`"})
		return nil, false
	}
	return s.Vault, true
}

// accessOf is a person with the one role that counts here, and why they ask.
func (s *Server) accessOf(r *http.Request, why string, roles ...string) vault.Access {
	p := s.who(r)
	a := vault.Access{Actor: p.Name, Reason: strings.TrimSpace(why)}
	for _, role := range roles {
		if p.has(role) || p.Owner {
			a.Role = role
			break
		}
	}
	return a
}

func (s *Server) tokenStatus(w http.ResponseWriter, _ *http.Request) {
	v, ok := s.vaultOf(w)
	if !ok {
		return
	}
	st := v.Status()
	out := VaultStatus{Rekeying: st.Rekey.Running, Target: st.Rekey.Target, Seen: st.Rekey.Seen,
		Total: st.Rekey.Total, Rewritten: st.Rekey.Rewritten, Damaged: st.Rekey.Damaged,
		Began: st.Rekey.Began, Pending: st.Pending, DataKeys: []DataKeyLine{}}
	if st.Rekey.Err != nil {
		out.Error = st.Rekey.Err.Error()
	}
	for _, k := range st.DataKeys {
		out.DataKeys = append(out.DataKeys, DataKeyLine{k.ID, k.Active, k.Created, k.Destroyed})
	}
	answer(w, out)
}

// tokenOrder reads an order about tokens.
func (s *Server) tokenOrder(w http.ResponseWriter, r *http.Request) (v Vault, o TokenOrder,
	ok bool) {
	if v, ok = s.vaultOf(w); !ok {
		return v, o, false
	}
	if err := body(w, r, &o); err != nil {
		refuse(w, err)
		return v, o, false
	}
	return v, o, true
}

func (s *Server) lookUp(w http.ResponseWriter, r *http.Request) {
	v, o, ok := s.tokenOrder(w, r)
	if !ok {
		return
	}
	if o.Token != "" {
		info, err := v.Info(vault.Token(o.Token))
		if err != nil {
			refuse(w, tokenError(err))
			return
		}
		answer(w, []TokenLine{tokenLine(info)})
		return
	}
	pan, err := spec.ParsePAN(o.PAN)
	if err != nil {
		refuse(w, &misuseError{"there is no token and no card number", "give one of them"})
		return
	}
	who := s.accessOf(r, o.Why, cardswitch.Operator, cardswitch.Administrator)
	list, err := v.Find(r.Context(), pan, who)
	if err != nil {
		refuse(w, tokenError(err))
		return
	}
	lines := []TokenLine{}
	for _, i := range list {
		lines = append(lines, tokenLine(i))
	}
	answer(w, lines)
}

func (s *Server) rekey(w http.ResponseWriter, r *http.Request) {
	v, o, ok := s.tokenOrder(w, r)
	if !ok {
		return
	}
	who := s.accessOf(r, o.Why, cardswitch.Administrator)
	done, err := "a new data key is in use; `cardswitch token status` shows how far the old ones are "+
		"replaced", error(nil)
	if o.KEK {
		done = "the data keys are under the newest key encryption key"
		err = s.Rewrap(r.Context(), who)
	} else {
		err = v.Rekey(r.Context(), who)
	}
	if err != nil {
		refuse(w, tokenError(err))
		return
	}
	answer(w, Done{done})
}

func (s *Server) deleteToken(w http.ResponseWriter, r *http.Request) {
	v, o, ok := s.tokenOrder(w, r)
	if !ok {
		return
	}
	who := s.accessOf(r, o.Why, cardswitch.Approver)
	if err := v.Delete(r.Context(), vault.Token(o.Token), who); err != nil {
		refuse(w, tokenError(err))
		return
	}
	answer(w, Done{"deleted"})
}

// tokenError sorts what the vault says.
func tokenError(err error) error {
	var failed *vault.Error
	switch {
	case errors.Is(err, vault.ErrNoToken), errors.Is(err, vault.ErrExpired):
		return &NotFoundError{"there is no such token", "it may have been spent, or deleted"}
	case errors.As(err, &failed):
		return &hintedError{failed.Op + ": " + failed.Err.Error(), failed.Hint}
	}
	return err
}
