package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cardswitch/spec"
	"cardswitch/store/audit"
	"cardswitch/store/negative"
	cardswitch "cardswitch/switch"
)

// Negative is what people may ask of the issuers' negative lists.
type Negative interface {
	Negatives() []cardswitch.NegativeStatus
	CheckNegative(issuer string, card spec.PAN) ([]cardswitch.NegativeEntry, error)
	UrgentNegatives(issuer string) ([]cardswitch.NegativeEntry, error)
	NegativeHistory(issuer string) ([]negative.Meta, error)
	// ChangeNegative lists a card or takes it off, durably.
	ChangeNegative(o cardswitch.NegativeOrder) error
	// ImportNegative replaces an issuer's regular file as a whole; on an error nothing has changed.
	ImportNegative(ctx context.Context, o cardswitch.NegativeImport, from io.Reader) (
		cardswitch.NegativeReport, error)
	ExportNegative(issuer string, key []byte, to io.Writer) (cards uint64, err error)
}

// NegativeOrder is about a card on a negative list.
type NegativeOrder struct {
	PAN    string `json:"pan"`
	Action uint16 `json:"action,omitempty"` // 0: as the issuer's configuration says
	Reason uint16 `json:"reason,omitempty"`
	From   string `json:"from,omitempty"` // 2026-11-26
	Until  string `json:"until,omitempty"`
	Issuer string `json:"issuer,omitempty"` // of a question; "": all
	Why    string `json:"why"`
}

// negativeRoutes are about negative lists. Whole card numbers come in, and never go out.
func (s *Server) negativeRoutes() []route {
	see := []string{cardswitch.Viewer, cardswitch.Operator, cardswitch.Administrator,
		cardswitch.Auditor}
	look := []string{cardswitch.Operator, cardswitch.Administrator, cardswitch.Auditor}
	find := []string{cardswitch.Operator, cardswitch.Administrator}
	change := []string{cardswitch.Operator}
	export := []string{cardswitch.Administrator}
	return []route{
		{"GET /v1/negative", s.negatives, see, false, 0},
		{"GET /v1/negative/{issuer}/history", s.negativeHistory, see, false, 0},
		{"GET /v1/negative/{issuer}/entries", s.negativeEntries, look, false, audit.NegativeAsked},
		{"POST /v1/negative/check", s.checkNegative, find, false, audit.NegativeAsked},
		{"POST /v1/negative/{issuer}/add", s.addNegative, change, false, audit.NegativeFileChanged},
		{"POST /v1/negative/{issuer}/remove", s.removeNegative, change, false,
			audit.NegativeFileChanged},
		{"POST /v1/negative/{issuer}/import", s.importNegative, change, false,
			audit.NegativeFileChanged},
		{"POST /v1/negative/{issuer}/export", s.exportNegative, export, false,
			audit.NegativeExported},
	}
}

func (s *Server) negatives(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.Switch.Negatives())
}

func (s *Server) negativeHistory(w http.ResponseWriter, r *http.Request) {
	list, err := s.Switch.NegativeHistory(r.PathValue("issuer"))
	if err != nil {
		refuse(w, negativeError(err))
		return
	}
	answer(w, append([]negative.Meta{}, list...))
}

func (s *Server) negativeEntries(w http.ResponseWriter, r *http.Request) {
	list, err := s.Switch.UrgentNegatives(r.PathValue("issuer"))
	if err != nil {
		refuse(w, negativeError(err))
		return
	}
	answer(w, list)
}

func (s *Server) checkNegative(w http.ResponseWriter, r *http.Request) {
	o, card, ok := s.negativeOrder(w, r)
	if !ok {
		return
	}
	list, err := s.Switch.CheckNegative(o.Issuer, card)
	if err != nil {
		refuse(w, negativeError(err))
		return
	}
	answer(w, list)
}

func (s *Server) addNegative(w http.ResponseWriter, r *http.Request) {
	s.changeNegative(w, r, false)
}

func (s *Server) removeNegative(w http.ResponseWriter, r *http.Request) {
	s.changeNegative(w, r, true)
}

func (s *Server) changeNegative(w http.ResponseWriter, r *http.Request, remove bool) {
	o, card, ok := s.negativeOrder(w, r)
	if !ok {
		return
	}
	order := cardswitch.NegativeOrder{Issuer: r.PathValue("issuer"), Card: card, Remove: remove,
		Who: s.who(r).Name, Why: o.Why, Terms: negative.Terms{Action: o.Action, Reason: o.Reason}}
	var err error
	if order.Terms.From, err = termDay(o.From); err == nil {
		order.Terms.Until, err = termDay(o.Until)
	}
	if err != nil {
		refuse(w, &misuseError{err.Error(), "write a day as 2026-11-26"})
		return
	}
	if err := s.Switch.ChangeNegative(order); err != nil {
		refuse(w, negativeError(err))
		return
	}
	done := card.String() + " is listed"
	if remove {
		done = card.String() + " is not listed any more"
	}
	answer(w, Done{done})
}

func termDay(text string) (negative.Day, error) {
	if text == "" {
		return 0, nil
	}
	return negative.ParseDay(text)
}

// negativeOrder reads an order about a card. Why is demanded: it is recorded.
func (s *Server) negativeOrder(w http.ResponseWriter, r *http.Request) (o NegativeOrder,
	card spec.PAN, ok bool) {
	if err := body(w, r, &o); err != nil {
		refuse(w, err)
		return o, card, false
	}
	card, err := spec.ParsePAN(o.PAN)
	if err != nil || card.Len() < 8 {
		refuse(w, &misuseError{"there is no card number", "one of 8 to 19 digits"})
		return o, card, false
	}
	if strings.TrimSpace(o.Why) == "" {
		refuse(w, &misuseError{"nobody says why", "say it in a sentence; it is recorded"})
		return o, card, false
	}
	return o, card, true
}

// importNegative reads a regular file from the body; what is asked stands in the query.
func (s *Server) importNegative(w http.ResponseWriter, r *http.Request) {
	o, err := importOrder(r)
	if err != nil {
		refuse(w, err)
		return
	}
	o.Who = s.who(r).Name
	report, err := s.Switch.ImportNegative(r.Context(), o, r.Body)
	if err != nil {
		report.Error = "nothing was changed: " + err.Error()
		report.Hint = "mend the file (its layout is `negative.layout` of the configuration); " +
			"--accept-errors allows for bad lines"
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		_ = json.NewEncoder(w).Encode(report)
		return
	}
	answer(w, report)
}

func importOrder(r *http.Request) (o cardswitch.NegativeImport, err error) {
	q := r.URL.Query()
	o = cardswitch.NegativeImport{Issuer: r.PathValue("issuer"), Source: q.Get("source"),
		Why: q.Get("why"), SHA256: q.Get("sha256"), CheckOnly: q.Get("check") == "true",
		AcceptEmpty: q.Get("accept_empty") == "true"}
	if strings.TrimSpace(o.Why) == "" {
		return o, &misuseError{"nobody says why", "say it in a sentence; it is recorded"}
	}
	if text := q.Get("accept_errors"); text != "" {
		if o.AcceptErrors, err = strconv.ParseUint(text, 10, 64); err != nil {
			return o, &misuseError{"accept_errors: " + err.Error(), "give a number of lines"}
		}
	}
	if text := q.Get("effective"); text != "" {
		if o.Effective, err = time.Parse(time.RFC3339, text); err != nil {
			return o, &misuseError{"effective: " + err.Error(), "as 2026-12-01T00:00:00+09:00"}
		}
	}
	if text := q.Get("layout"); text != "" {
		o.Layout = new(cardswitch.LayoutConfig)
		if err := json.Unmarshal([]byte(text), o.Layout); err != nil {
			return o, &misuseError{"layout: " + err.Error(), "see `cardswitch negative import --help`"}
		}
	}
	return o, nil
}

// exportNegative writes a list under the key in the body.
func (s *Server) exportNegative(w http.ResponseWriter, r *http.Request) {
	if strings.TrimSpace(r.URL.Query().Get("why")) == "" || r.URL.Query().Get("merchant") == "" {
		refuse(w, &misuseError{"nobody says why, or for whom", "it is recorded"})
		return
	}
	key, err := io.ReadAll(io.LimitReader(r.Body, 4<<10))
	if err != nil || len(key) != negative.ExportKeySize {
		refuse(w, &misuseError{"the key isn't 32 bytes", "make one with `openssl rand -hex 32`"})
		return
	}
	defer clear(key)
	out := &begun{ResponseWriter: w}
	_, err = s.Switch.ExportNegative(r.PathValue("issuer"), key, out)
	if err != nil && !out.has {
		refuse(w, negativeError(err))
	} else if err != nil { // its last line lacks, by which the reader knows
		s.Logger.Error("a negative list could not be written to its end", "error", err)
	}
}

// begun notes that something was answered.
type begun struct {
	http.ResponseWriter
	has bool
}

// Write is http.ResponseWriter's.
func (b *begun) Write(p []byte) (int, error) {
	b.has = true
	return b.ResponseWriter.Write(p)
}

// negativeError sorts what the lists say.
func negativeError(err error) error {
	var hinted *negative.Error
	if errors.As(err, &hinted) {
		return &hintedError{hinted.Op + ": " + hinted.Err.Error(), hinted.Hint}
	}
	return &hintedError{err.Error(), "see `cardswitch negative status`"}
}
