package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"

	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
)

// Drills practises failures. What orders and reports hold is the business of who does it.
type Drills interface {
	// Drill does one, as somebody orders it, and tells what happens meanwhile. An error says that
	// the order makes no sense; whatever came of a drill is in its report.
	Drill(ctx context.Context, kind string, order json.RawMessage, who string,
		tell func(any)) (report any, err error)
	// Compared adds what generated traffic came to.
	Compared(id string, receipts json.RawMessage) (report any, err error)
	History(ctx context.Context) any
	Calendar() any
	// Report is one of any node's; fs.ErrNotExist if none has it.
	Report(ctx context.Context, id string) (any, error)
	// Overdue names the kinds that should have been practised by now.
	Overdue() []string
}

// mostReceipts bounds what is brought for a comparison, in bytes.
const mostReceipts = 256 << 20

// DrillLine is a line of a drill on its way; the last one has the report.
type DrillLine struct {
	Event  any    `json:"event,omitempty"`
	Report any    `json:"report,omitempty"`
	Error  string `json:"error,omitempty"`
}

func (s *Server) drillRoutes() []route {
	see := []string{cardswitch.Viewer, cardswitch.Operator, cardswitch.Administrator,
		cardswitch.Auditor}
	order := []string{cardswitch.Operator, cardswitch.Administrator}
	return []route{
		{"GET /v1/drills", s.drills, see, false, 0},
		{"GET /v1/drills/calendar", s.drillCalendar, see, false, 0},
		{"GET /v1/drills/{id}", s.drillReport, see, false, 0},
		{"POST /v1/drills/{kind}", s.drill, order, false, audit.DrillOrdered},
		{"POST /v1/drills/{id}/compare", s.drillCompared, order, false, 0},
	}
}

func (s *Server) drills(w http.ResponseWriter, r *http.Request) {
	answer(w, s.Drills.History(r.Context()))
}

func (s *Server) drillCalendar(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.Drills.Calendar())
}

func (s *Server) drillReport(w http.ResponseWriter, r *http.Request) {
	report, err := s.Drills.Report(r.Context(), r.PathValue("id"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		refuse(w, &NotFoundError{"no node knows drill " + r.PathValue("id"),
			"`cardswitch drill history` shows them"})
	case err != nil:
		refuse(w, err)
	default:
		answer(w, report)
	}
}

// drill takes its time, and says what happens.
func (s *Server) drill(w http.ResponseWriter, r *http.Request) {
	var order json.RawMessage
	if err := body(w, r, &order); err != nil {
		refuse(w, err)
		return
	}
	out := newLines(w)
	defer out.close()
	report, err := s.Drills.Drill(r.Context(), r.PathValue("kind"), order, s.who(r).Name,
		func(e any) { _ = out.write(DrillLine{Event: e}) })
	if err != nil {
		_ = out.write(DrillLine{Error: err.Error()})
		return
	}
	_ = out.write(DrillLine{Report: report})
}

func (s *Server) drillCompared(w http.ResponseWriter, r *http.Request) {
	var books json.RawMessage
	in := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostReceipts))
	if err := in.Decode(&books); err != nil {
		refuse(w, &misuseError{"the books can't be read: " + err.Error(), "see `cardswitch drill`"})
		return
	}
	report, err := s.Drills.Compared(r.PathValue("id"), books)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, report)
}
