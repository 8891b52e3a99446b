package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cardswitch/store"
	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
)

// A site that has no vote takes over alone when the site that serves is lost. That is for people to
// decide, as no program can know that the other site is dead: one asks and says why, another one
// consents. What was asked is in memory only, for a short time.

// Site is what a node can do without those who would have to agree.
type Site interface {
	// Promotion is how things stand. Promote makes this node the only one that votes, under a new
	// generation; it returns when that is durable, and the node then starts anew.
	Promotion() Promotion
	Promote(ctx context.Context, p Promoting) error
}

// BroughtBack is the state of a node whose journal was brought back from a backup, until two people
// have agreed that it goes on in place of what may still run.
const BroughtBack = "brought back"

// WhyBroughtBack says why it serves nobody.
const WhyBroughtBack = "its journal was brought back from a backup, and two people must agree first"

// Heard is what a node last heard of the active one, and what it lacked then.
type Heard struct {
	MS      int64     `json:"ms"`       // ago, anything; -1: never
	KnownMS int64     `json:"known_ms"` // ago, how far its journal went; -1: never
	At      time.Time `json:"at"`       // the same as a time
	Record  uint64    `json:"record"`
	Entry   uint64    `json:"entry"`
	Records uint64    `json:"behind_records"`
	Bytes   uint64    `json:"behind_bytes"`
	Behind  int64     `json:"behind_ms"`
}

// Promotion is what people see before they decide, and afterwards.
type Promotion struct {
	Node       uint64 `json:"node"`
	Generation uint64 `json:"generation"`
	State      string `json:"state"`
	// Former says which journal was brought back from a backup and waits for this; "": none was.
	Former string `json:"brought_back,omitempty"`
	// Why this node can't be promoted at all; Reachable is who of those with a vote still answers.
	Why       string   `json:"impossible,omitempty"`
	Reachable []string `json:"reachable"`
	// Last is the last record here, made at LastAt: what came after it may be missing.
	Last   uint64    `json:"last"`
	LastAt time.Time `json:"last_at"`
	Heard  *Heard    `json:"heard,omitempty"`
	Wish   *Wish     `json:"wish,omitempty"`
	Done   *Promoted `json:"done,omitempty"` // the last promotion of this journal
}

// Promoted is a promotion that was done.
type Promoted struct {
	Generation uint64    `json:"generation"`
	At         time.Time `json:"at"`
	Last       uint64    `json:"last"`  // what came after this record is the window
	Known      uint64    `json:"known"` // of the others; 0: not known
	Heard      time.Time `json:"heard"` // the others, last
}

// Promoting is what two people have agreed on.
type Promoting struct {
	Wish
	Approver string
}

// Wish is what one person has asked for.
type Wish struct {
	Who   string    `json:"who"`
	Why   string    `json:"why"`
	Force bool      `json:"force"` // though others can be reached
	Until time.Time `json:"until"` // it is forgotten then
}

// consentTime is for how long a wish waits for the second person.
const consentTime = 10 * time.Minute

// Consent is what people have said. Its zero value is ready.
type Consent struct {
	mu   sync.Mutex
	wish *Wish
}

// Wish is what somebody has asked for and nobody consented to yet, nil if there is nothing.
func (c *Consent) Wish(now time.Time) *Wish {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current(now)
}

func (c *Consent) current(now time.Time) *Wish {
	if c.wish != nil && !now.Before(c.wish.Until) {
		c.wish = nil
	}
	return c.wish
}

// Ask is the first person's part. It replaces what was asked before, by whomever.
func (c *Consent) Ask(w Wish, now time.Time) (*Wish, error) {
	if w.Why = strings.TrimSpace(w.Why); w.Who == "" || w.Why == "" {
		return nil, &misuseError{"why must be said: it is kept in the audit log", "add --why"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Until = now.Add(consentTime)
	c.wish = &w
	return c.wish, nil
}

// Consent is the second person's part. The wish is used up. Force says that they know that others
// can be reached: a wish may be replaced by one that is forced after they have read it.
func (c *Consent) Consent(who string, force bool, now time.Time) (Promoting, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.current(now)
	switch {
	case w == nil:
		return Promoting{}, &NotFoundError{"nobody has asked for a promotion in the last ten minutes",
			"`cardswitch cluster promote --why ...` asks"}
	case who == "" || who == w.Who:
		return Promoting{}, &hintedError{"nobody consents to what they asked for themselves",
			"another person must, with another login"}
	case w.Force && !force:
		return Promoting{}, &hintedError{fmt.Sprintf("%s has asked for it by force: %s", w.Who, w.Why),
			"see who can be reached: `cardswitch cluster promote`; then --consent --force"}
	}
	c.wish = nil
	return Promoting{*w, who}, nil
}

// Cancel takes back what was asked, by whomever.
func (c *Consent) Cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wish = nil
}

func (s *Server) siteRoutes() []route {
	see := []string{cardswitch.Viewer, cardswitch.Operator, cardswitch.Administrator,
		cardswitch.Approver, cardswitch.Auditor}
	ask := []string{cardswitch.Operator, cardswitch.Administrator}
	consent := []string{cardswitch.Operator, cardswitch.Administrator, cardswitch.Approver}
	return []route{
		{"GET /v1/cluster/promotion", s.promotion, see, false, 0},
		{"POST /v1/cluster/promotion", s.askPromotion, ask, false, audit.PromotionAsked},
		{"POST /v1/cluster/promotion/consent", s.consentPromotion, consent, true,
			audit.NodePromoted},
		{"POST /v1/cluster/promotion/cancel", s.cancelPromotion, consent, false,
			audit.PromotionAsked},
	}
}

func (s *Server) promotion(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.howPromotionStands())
}

func (s *Server) howPromotionStands() Promotion {
	p := s.Cluster.Promotion()
	p.Wish = s.Consent.Wish(time.Now())
	return p
}

func (s *Server) askPromotion(w http.ResponseWriter, r *http.Request) {
	var wish Wish
	err := body(w, r, &wish)
	if err == nil {
		err = s.promotable(wish.Force)
	}
	if err == nil {
		wish.Who = s.who(r).Name
		_, err = s.Consent.Ask(wish, time.Now())
	}
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, s.howPromotionStands())
}

// promotable says why this site must not be promoted.
func (s *Server) promotable(force bool) error {
	p := s.Cluster.Promotion()
	switch {
	case p.Why != "":
		return &hintedError{p.Why, "see `cardswitch cluster status`"}
	case len(p.Reachable) > 0 && !force:
		return &hintedError{fmt.Sprintf("nodes that vote can still be reached: %s",
			strings.Join(p.Reachable, "; ")), "one that has just died counts for some seconds: ask " +
			"again; if that site is to be given up all the same, end its nodes, or say --force: those " +
			"that hear of the promotion stop for good"}
	}
	return nil
}

func (s *Server) consentPromotion(w http.ResponseWriter, r *http.Request) {
	var too struct {
		Force bool `json:"force"`
	}
	var p Promoting
	err := error(nil)
	if r.ContentLength != 0 {
		err = body(w, r, &too)
	}
	if err == nil {
		p, err = s.Consent.Consent(s.who(r).Name, too.Force, time.Now())
	}
	if err == nil { // somebody may be reachable by now
		err = s.promotable(p.Force)
	}
	if err == nil { // half a promotion helps nobody
		err = s.Cluster.Promote(context.WithoutCancel(r.Context()), p)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, Done{"promoted: the node starts anew and serves, see `cardswitch cluster status`"})
}

// windowOrder names the data directory of a lost node, as this node's process finds it.
type windowOrder struct {
	Dir  string `json:"dir"`
	Take bool   `json:"take"`
	Why  string `json:"why"`
}

// window lists what a lost site had more, and takes it in.
func (s *Server) window(w http.ResponseWriter, r *http.Request) {
	var o windowOrder
	if err := body(w, r, &o); err != nil {
		refuse(w, err)
		return
	}
	by := cardswitch.Resolution{Who: s.who(r).Name, Why: strings.TrimSpace(o.Why)}
	switch {
	case o.Dir == "" || !filepath.IsAbs(o.Dir):
		refuse(w, &misuseError{"the data folder needs its whole path", "name it with --data"})
		return
	case o.Take && by.Why == "":
		refuse(w, &misuseError{"why must be said: it is kept in journal and audit log", "add --why"})
		return
	}
	found, err := s.Switch.Window(o.Dir, o.Take, by)
	var failed *store.Error
	if errors.As(err, &failed) {
		refuse(w, err)
		return
	}
	if err != nil {
		refuse(w, &hintedError{err.Error(), "the process of this node must be able to read the folder"})
		return
	}
	answer(w, found)
}

func (s *Server) cancelPromotion(w http.ResponseWriter, _ *http.Request) {
	s.Consent.Cancel()
	answer(w, Done{"nothing is asked for any more"})
}
