package admin

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"cardswitch/store"
	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/settle"
)

// settleRoutes are about business days, totals and what is owed for them.
func (s *Server) settleRoutes() []route {
	see := []string{cardswitch.Viewer, cardswitch.Operator, cardswitch.Administrator,
		cardswitch.Auditor}
	steer := []string{cardswitch.Operator}
	// Transactions of customers are named, if without cards.
	look := []string{cardswitch.Operator, cardswitch.Administrator, cardswitch.Auditor}
	check := []string{cardswitch.Auditor, cardswitch.Administrator}
	return []route{
		{"GET /v1/settle", s.periods, see, false, 0},
		{"GET /v1/settle/{center}/{day}", s.periodTotals, see, false, 0},
		{"GET /v1/settle/report/{day}", s.report, see, false, 0},
		{"GET /v1/settle/worklist", s.differences, look, false, audit.JournalRead},
		{"GET /v1/settle/verify", s.verifyTotals, check, false, audit.JournalVerified},
		{"POST /v1/settle/{center}/cutover", s.cutOver, steer, false, audit.DayCutOver},
		{"POST /v1/settle/{center}/checkpoint", s.checkpoint, steer, false, audit.DayCutOver},
		{"POST /v1/settle/{center}/{day}/reconcile", s.reconcile, steer, false, audit.DayCompared},
		{"POST /v1/settle/{center}/{day}/compare", s.compare, steer, false, audit.DayCompared},
		{"POST /v1/settle/{center}/{day}/accept", s.accept, steer, false, audit.DayCompared},
		{"POST /v1/settle/worklist/{id}/resolve", s.resolveDifference, steer, false,
			audit.WorkListDecided},
	}
}

// Settlement is what the operators may ask of business days, and do with them.
type Settlement interface {
	Periods(center string) ([]cardswitch.PeriodStatus, error)
	PeriodTotals(center string, day settle.Day, slice uint16) ([]cardswitch.PeriodTotals, error)
	CutOver(center string, day settle.Day, who string) (settle.Day, error)
	Checkpoint(center, who string) (uint16, error)
	Reconcile(center string, day settle.Day, slice uint16) error
	Accept(center string, day settle.Day, who, why string) error
	CompareListing(center string, day settle.Day, slice uint16, listing io.Reader) (
		cardswitch.Comparison, error)
	Differences() []settle.Difference
	ResolveDifference(id uint64, who, why string) error
	Statement(day settle.Day, only string) (settle.Statement, error)
	AddUp() (store.TotalsReport, error)
}

func (s *Server) periods(w http.ResponseWriter, r *http.Request) {
	list, err := s.Settlement.Periods(r.URL.Query().Get("center"))
	give(w, list, err)
}

// give answers with a value, or says why there is none.
func give(w http.ResponseWriter, value any, err error) {
	if err != nil {
		refuse(w, &misuseError{err.Error(), ""})
		return
	}
	answer(w, value)
}

// dayOf reads the day and the slice that a request names.
func dayOf(r *http.Request) (day settle.Day, slice uint16, err error) {
	if day, err = settle.ParseDay(r.PathValue("day")); err != nil {
		return 0, 0, &misuseError{err.Error(), ""}
	}
	if text := r.URL.Query().Get("slice"); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n > 999 {
			return 0, 0, &misuseError{strconv.Quote(text) + " is no slice", "slices are 1 to 999"}
		}
		slice = uint16(n)
	}
	return day, slice, nil
}

func (s *Server) periodTotals(w http.ResponseWriter, r *http.Request) {
	day, slice, err := dayOf(r)
	if err != nil {
		refuse(w, err)
		return
	}
	totals, err := s.Settlement.PeriodTotals(r.PathValue("center"), day, slice)
	give(w, totals, err)
}

func (s *Server) report(w http.ResponseWriter, r *http.Request) {
	day, _, err := dayOf(r)
	if err != nil {
		refuse(w, err)
		return
	}
	statement, err := s.Settlement.Statement(day, r.URL.Query().Get("center"))
	if err != nil {
		refuse(w, &misuseError{err.Error(), ""})
		return
	}
	switch r.URL.Query().Get("format") {
	case "html":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		err = statement.WriteHTML(w)
	case "csv":
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		err = statement.WriteCSV(w)
	default:
		answer(w, statement)
	}
	if err != nil {
		s.Logger.Error("a report broke off", "day", day.String(), "error", err)
	}
}

// reasoned is why somebody does something that is kept in the journal.
type reasoned struct {
	Day string `json:"day,omitempty"`
	Why string `json:"why"`
}

func (s *Server) cutOver(w http.ResponseWriter, r *http.Request) {
	var order reasoned
	if err := body(w, r, &order); err != nil {
		refuse(w, err)
		return
	}
	var day settle.Day
	if order.Day != "" {
		var err error
		if day, err = settle.ParseDay(order.Day); err != nil {
			refuse(w, &misuseError{err.Error(), ""})
			return
		}
	}
	center := r.PathValue("center")
	opened, err := s.Settlement.CutOver(center, day, s.signed(r, order.Why))
	give(w, Done{center + ": day " + opened.String() + " is open"}, err)
}

// signed names who does something, and why if they said it.
func (s *Server) signed(r *http.Request, why string) string {
	who := s.who(r).Name
	if why = strings.TrimSpace(why); why != "" {
		who += ": " + why
	}
	return who
}

func (s *Server) checkpoint(w http.ResponseWriter, r *http.Request) {
	var order reasoned
	if err := body(w, r, &order); err != nil {
		refuse(w, err)
		return
	}
	center := r.PathValue("center")
	slice, err := s.Settlement.Checkpoint(center, s.signed(r, order.Why))
	give(w, Done{center + ": slice " + strconv.Itoa(int(slice)) + " is open"}, err)
}

func (s *Server) reconcile(w http.ResponseWriter, r *http.Request) {
	day, slice, err := dayOf(r)
	if err != nil {
		refuse(w, err)
		return
	}
	center := r.PathValue("center")
	err = s.Settlement.Reconcile(center, day, slice)
	give(w, Done{center + ": totals of " + day.String() + " are on their way"}, err)
}

// compare takes a listing of the center's book as it is: CSV or JSON, as long as it wants to be.
func (s *Server) compare(w http.ResponseWriter, r *http.Request) {
	day, slice, err := dayOf(r)
	if err != nil {
		refuse(w, err)
		return
	}
	found, err := s.Settlement.CompareListing(r.PathValue("center"), day, slice, r.Body)
	if err != nil {
		refuse(w, &misuseError{err.Error(), "see `cardswitch settle compare --help` for the form"})
		return
	}
	answer(w, found)
}

func (s *Server) accept(w http.ResponseWriter, r *http.Request) {
	day, _, err := dayOf(r)
	var order reasoned
	if err == nil {
		err = body(w, r, &order)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	center := r.PathValue("center")
	err = s.Settlement.Accept(center, day, s.who(r).Name, strings.TrimSpace(order.Why))
	give(w, Done{center + ": " + day.String() + " is accepted as it is"}, err)
}

func (s *Server) differences(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.Settlement.Differences())
}

func (s *Server) resolveDifference(w http.ResponseWriter, r *http.Request) {
	id, err := pathNumber(r, "id")
	var order reasoned
	if err == nil {
		err = body(w, r, &order)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	err = s.Settlement.ResolveDifference(id, s.who(r).Name, strings.TrimSpace(order.Why))
	give(w, Done{strconv.FormatUint(id, 10) + ": resolved"}, err)
}

// TotalsVerdict is what adding the journal up found.
type TotalsVerdict struct {
	Records uint64       `json:"records"`
	Rows    int          `json:"rows"`
	Differ  []TotalsLine `json:"differ"`
}

// TotalsLine is a row whose kept figures aren't the journal's.
type TotalsLine struct {
	Center   string        `json:"center"`
	Other    string        `json:"other"`
	Day      string        `json:"day"`
	Slice    uint16        `json:"slice"`
	Currency uint16        `json:"currency"`
	Lines    []settle.Line `json:"lines"` // ours: kept, theirs: the journal's
}

func (s *Server) verifyTotals(w http.ResponseWriter, _ *http.Request) {
	report, err := s.Settlement.AddUp()
	if err != nil {
		refuse(w, err)
		return
	}
	verdict := TotalsVerdict{Records: report.Records, Rows: report.Rows, Differ: []TotalsLine{}}
	for i := range report.Differ {
		d := &report.Differ[i]
		verdict.Differ = append(verdict.Differ, TotalsLine{Center: s.Names.Name(d.Key.Center),
			Other: s.Names.Name(d.Key.Other), Day: settle.Day(d.Key.Day).String(),
			Slice: d.Key.Slice, Currency: d.Key.Currency,
			Lines: settle.Lines(&d.Kept, &d.Journaled)})
	}
	answer(w, verdict)
}
