package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cardswitch/spec"
	"cardswitch/store/audit"
	"cardswitch/store/negative"
	"cardswitch/store/negative/layout"
	cardswitch "cardswitch/switch"
)

// twinLists remembers what it is told.
type twinLists struct {
	changed  []cardswitch.NegativeOrder
	imported []cardswitch.NegativeImport
	read     string
	refuses  error
}

func (l *twinLists) Negatives() []cardswitch.NegativeStatus {
	return []cardswitch.NegativeStatus{{Issuer: "sakura", State: "none"}}
}

func (l *twinLists) CheckNegative(issuer string, card spec.PAN) ([]cardswitch.NegativeEntry,
	error) {
	return []cardswitch.NegativeEntry{{Issuer: "sakura", Card: card, Listed: true}}, l.refuses
}

func (l *twinLists) UrgentNegatives(string) ([]cardswitch.NegativeEntry, error) {
	return nil, l.refuses
}

func (l *twinLists) NegativeHistory(string) ([]negative.Meta, error) { return nil, l.refuses }

func (l *twinLists) ChangeNegative(o cardswitch.NegativeOrder) error {
	l.changed = append(l.changed, o)
	return l.refuses
}

func (l *twinLists) ImportNegative(_ context.Context, o cardswitch.NegativeImport,
	from io.Reader) (r cardswitch.NegativeReport, err error) {
	text, err := io.ReadAll(from)
	l.imported, l.read = append(l.imported, o), string(text)
	r.Faults = []layout.Fault{{Line: 7, Cause: layout.CardNumber}}
	return r, errors.Join(err, l.refuses)
}

func (l *twinLists) ExportNegative(_ string, key []byte, to io.Writer) (uint64, error) {
	if l.refuses != nil {
		return 0, l.refuses
	}
	_, err := to.Write([]byte("name\n"))
	return 1, err
}

// negativeDesk is a server with lists of a twin.
type negativeDesk struct {
	*twinLists
	t        *testing.T
	server   *Server
	evidence interface {
		Read(audit.Filter) ([]audit.Record, error)
	}
}

func newNegativeDesk(t *testing.T) *negativeDesk {
	d := &negativeDesk{twinLists: new(twinLists), t: t}
	log := newEvidence(t)
	t.Cleanup(func() { _ = log.Close() })
	d.evidence = log
	d.server = New(Options{Switch: &twinSwitch{Negative: d.twinLists}, Evidence: log, Audit: log,
		Logger: slog.New(slog.DiscardHandler)})
	return d
}

// ask asks as somebody with a role.
func (d *negativeDesk) ask(role, method, path, body string) (int, string) {
	d.t.Helper()
	r := httptest.NewRequest(method, "http://cardswitch"+path, strings.NewReader(body))
	who := Person{Name: "sato", Roles: []string{role}}
	w := httptest.NewRecorder()
	d.server.Operators().ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), personKey{}, who)))
	return w.Code, w.Body.String()
}

func TestWhoMayChangeNegativeLists(t *testing.T) {
	d := newNegativeDesk(t)
	card := `{"pan":"` + cardNumber + `","why":"the holder called"}`
	for _, c := range []struct {
		role, method, path, body string
		code                     int
	}{
		{cardswitch.Viewer, "GET", "/v1/negative", "", 200},
		{cardswitch.Viewer, "GET", "/v1/negative/sakura/entries", "", 403},
		{cardswitch.Auditor, "GET", "/v1/negative/sakura/entries", "", 200},
		{cardswitch.Auditor, "GET", "/v1/negative/sakura/history", "", 200},
		{cardswitch.Viewer, "POST", "/v1/negative/check", card, 403},
		{cardswitch.Auditor, "POST", "/v1/negative/check", card, 403},
		{cardswitch.Operator, "POST", "/v1/negative/check", card, 200},
		{cardswitch.Operator, "POST", "/v1/negative/check", `{"pan":"` + cardNumber + `"}`, 400},
		{cardswitch.Operator, "POST", "/v1/negative/check", `{"pan":"12","why":"x"}`, 400},
		{cardswitch.Auditor, "POST", "/v1/negative/sakura/add", card, 403},
		{cardswitch.Operator, "POST", "/v1/negative/sakura/add", card, 200},
		{cardswitch.Operator, "POST", "/v1/negative/sakura/add",
			`{"pan":"` + cardNumber + `","why":"x","until":"2026-02-31"}`, 400},
		{cardswitch.Operator, "POST", "/v1/negative/sakura/remove", card, 200},
		{cardswitch.Viewer, "POST", "/v1/negative/sakura/import?why=x", "pan\n", 403},
		{cardswitch.Operator, "POST", "/v1/negative/sakura/import", "pan\n", 400},
		{cardswitch.Operator, "POST", "/v1/negative/sakura/import?why=x&effective=tomorrow", "", 400},
		{cardswitch.Operator, "POST", "/v1/negative/sakura/import?why=x&accept_errors=-1", "", 400},
		{cardswitch.Operator, "POST", "/v1/negative/sakura/import?why=x&layout=[]", "", 400},
		{cardswitch.Operator, "POST", "/v1/negative/sakura/export?why=x&merchant=hq",
			strings.Repeat("k", 32), 403},
		{cardswitch.Administrator, "POST", "/v1/negative/sakura/export?why=x&merchant=hq",
			strings.Repeat("k", 32), 200},
		{cardswitch.Administrator, "POST", "/v1/negative/sakura/export?why=x&merchant=hq", "short", 400},
		{cardswitch.Administrator, "POST", "/v1/negative/sakura/export?why=x", strings.Repeat("k", 32),
			400},
	} {
		code, text := d.ask(c.role, c.method, c.path, c.body)
		if code != c.code {
			t.Errorf("%s %s %s: %d %s, want %d", c.role, c.method, c.path, code, text, c.code)
		}
		if strings.Contains(text, cardNumber) {
			t.Errorf("%s %s shows a card number: %s", c.method, c.path, text)
		}
	}
	if len(d.changed) != 2 || d.changed[0].Who != "sato" || !d.changed[1].Remove {
		t.Errorf("%+v", d.changed)
	}
}

// TestAnImportIsRecorded: what is asked comes to the lists, the reason to the audit log, and a file
// that is refused is told with its lines and recorded as refused.
func TestAnImportIsRecorded(t *testing.T) {
	d := newNegativeDesk(t)
	const path = "/v1/negative/sakura/import?why=monthly&source=a.csv&accept_errors=3&sha256=00&" +
		"effective=2026-12-01T00:00:00%2B09:00&layout=%7B%22format%22:%22csv%22%7D"
	if code, text := d.ask(cardswitch.Operator, "POST", path, cardNumber+"\n"); code != 200 {
		t.Fatal(code, text)
	}
	o := d.imported[0]
	if o.Issuer != "sakura" || o.AcceptErrors != 3 || o.Who != "sato" || o.Why != "monthly" ||
		o.SHA256 != "00" || o.Layout.Format != "csv" || o.Effective.Month() != 12 ||
		o.Source != "a.csv" || d.read != cardNumber+"\n" {
		t.Errorf("%+v, read %q", o, d.read)
	}
	d.refuses = errors.New("1 of 1 lines are wrong")
	code, text := d.ask(cardswitch.Operator, "POST", path, "x\n")
	if code != http.StatusConflict || !strings.Contains(text, `"line":7`) ||
		!strings.Contains(text, "nothing was changed") {
		t.Error(code, text)
	}
	records, err := d.evidence.Read(audit.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var results []audit.Result
	for _, r := range records {
		if strings.Contains(r.Object, cardNumber) || strings.Contains(r.Reason, cardNumber) {
			t.Errorf("a card number is on record: %+v", r)
		}
		if r.Event == audit.NegativeFileChanged {
			results = append(results, r.Result)
			if r.Reason != "monthly" || strings.Contains(r.Object, "why=") {
				t.Errorf("%q because of %q", r.Object, r.Reason)
			}
		}
	}
	if len(results) != 3 || results[2] != audit.Refused {
		t.Errorf("%v", results)
	}
}
