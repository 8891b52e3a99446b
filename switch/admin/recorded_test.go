package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"cardswitch/hsm/keyring"
	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/evidence"
)

func newEvidence(t *testing.T) *evidence.Log {
	t.Helper()
	dir := t.TempDir()
	l, err := evidence.Open(&cardswitch.AuditConfig{Dir: filepath.Join(dir, "audit"),
		KeyFile: filepath.Join(dir, "audit.key")}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// PCI DSS 10.2.1: what people do, and are refused, is on record with who, as what, why and how it
// ended, before it is done.
func TestActsAreRecorded(t *testing.T) {
	l := newEvidence(t)
	defer l.Close()
	sw := &twinSwitch{}
	s := New(Options{Switch: sw, Journal: books(t), Names: names, Evidence: l, Audit: l,
		Logger: slog.New(slog.DiscardHandler), Reload: func() error { return errDisk }})
	sato := Person{Name: "sato", Roles: []string{cardswitch.Operator, cardswitch.Administrator}}
	ueda := Person{Name: "ueda", Roles: []string{cardswitch.Auditor}}
	kato := Person{Name: "kato", Roles: []string{cardswitch.Viewer}}
	for _, c := range []struct {
		who                       Person
		method, path, body        string
		event                     audit.Event
		object, reason, afterward string // the result of a second record; "": there is none
	}{
		{sato, "GET", "/v1/journal?from=1", "", audit.JournalRead, "journal?from=1", "", ""},
		{sato, "GET", "/v1/transactions/1?raw=1", "", audit.JournalRead, "transactions/1?raw=1", "", ""},
		{sato, "GET", "/v1/transactions/99", "", audit.JournalRead, "transactions/99", "", "refused"},
		{sato, "GET", "/v1/worklist", "", audit.JournalRead, "worklist", "", ""},
		{ueda, "GET", "/v1/journal/verify", "", audit.JournalVerified, "journal/verify", "", ""},
		{sato, "POST", "/v1/links/nobody/drain", "", audit.LinkTold, "links/nobody/drain", "", "refused"},
		{sato, "POST", "/v1/worklist/7/drop", `{"Who":"sato","Why":"paid in cash"}`,
			audit.WorkListDecided, "worklist/7/drop", "paid in cash", "refused"},
		{sato, "POST", "/v1/reload", "", audit.ConfigChanged, "reload", "", "refused"},
		{ueda, "GET", "/v1/audit?limit=1", "", audit.LogRead, "audit?limit=1", "", ""},
		{ueda, "GET", "/v1/audit/verify", "", audit.LogVerified, "audit/verify", "", ""},
		{ueda, "POST", "/v1/audit/key", `{"why":"first day"}`, audit.LogRead,
			"audit/key", "first day", ""},
		{kato, "POST", "/v1/reload", "", audit.AccessDenied, "POST /v1/reload", "", "-"},
		{kato, "GET", "/v1/audit", "", audit.AccessDenied, "GET /v1/audit", "", "-"},
	} {
		before, _ := l.Read(audit.Filter{})
		w := httptest.NewRecorder()
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		as(c.who, s.Operators()).ServeHTTP(w, r)
		all, err := l.Read(audit.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		fresh := all[len(before):]
		if len(fresh) == 0 {
			t.Errorf("%s %s leaves no record", c.method, c.path)
			continue
		}
		e, want := fresh[0].Entry, audit.Done
		if c.afterward == "-" {
			want = audit.Refused
		}
		if e.Actor != c.who.Name || e.Role != strings.Join(c.who.Roles, ",") || e.Event != c.event ||
			e.Object != c.object || e.Result != want || c.reason != "" && e.Reason != c.reason {
			t.Errorf("%s %s: recorded as %+v", c.method, c.path, e)
		}
		if after := len(fresh) > 1; after != (c.afterward != "" && c.afterward != "-") ||
			after && fresh[1].Result.String() != c.afterward {
			t.Errorf("%s %s (%d): afterwards %+v", c.method, c.path, w.Code, fresh[1:])
		}
	}
}

// What can't be recorded isn't done.
func TestNothingIsDoneUnrecorded(t *testing.T) {
	l := newEvidence(t)
	done := false
	s := New(Options{Switch: &twinSwitch{}, Journal: books(t), Names: names, Evidence: l, Audit: l,
		Logger: slog.New(slog.DiscardHandler), Reload: func() error { done = true; return nil }})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	as(Person{Name: "sato", Roles: []string{cardswitch.Administrator}}, s.Operators()).
		ServeHTTP(w, httptest.NewRequest("POST", "/v1/reload", nil))
	if done || w.Code < 400 {
		t.Errorf("answered %d, done: %v", w.Code, done)
	}
}

// Every step of a key is an event of its own kind.
func TestKeyEvents(t *testing.T) {
	l := newEvidence(t)
	defer l.Close()
	for what, want := range map[string]audit.Event{"generate": audit.KeyGenerated,
		"import": audit.KeyImported, "export": audit.KeyExported, "reveal": audit.KeyExported,
		"confirm": audit.KeyExchanged, "activate": audit.KeyActivated, "send": audit.KeyActivated,
		"serve": audit.KeyActivated, "retire": audit.KeyRetired, "destroy": audit.KeyDestroyed,
		"ceremony.start": audit.KeyRequested, "ceremony.component": audit.KeyComponent,
		"ceremony.approve": audit.KeyApproved} {
		e := keyring.Event{By: keyring.By{Who: "abe", Role: "custodian", Why: "new link"}, What: what,
			Key: "zek:sakura/primary@3"}
		for _, failed := range []error{nil, errors.New("no")} {
			e.Err = failed
			if err := l.Audit(context.Background(), e); err != nil {
				t.Fatal(err)
			}
			list, _ := l.Read(audit.Filter{Limit: 1})
			r := list[0]
			if r.Event != want || r.Actor != "abe" || !strings.HasPrefix(r.Reason, "new link") ||
				!strings.Contains(r.Object, "zek:sakura/primary@3") ||
				(r.Result == audit.Done) != (failed == nil) {
				t.Errorf("%s: recorded as %+v", what, r.Entry)
			}
		}
	}
}
