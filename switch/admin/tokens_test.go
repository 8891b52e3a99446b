package admin

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"cardswitch/spec"
	"cardswitch/store"
	"cardswitch/store/audit"
	"cardswitch/store/vault"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/evidence"
)

// plainBooks commit each change by itself, one after the other: the vault sweeps beside the test.
type plainBooks struct {
	*store.Store
	mu sync.Mutex
}

func (b *plainBooks) Change(fn func(vault.Batch)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	batch := b.NewBatch()
	fn(batch)
	return b.Commit(batch)
}

// mirror wraps keys for tests: what is wrapped can be had back.
type mirror struct{}

func (mirror) Wrap(dek []byte) ([]byte, error)       { return turned(dek), nil }
func (mirror) Unwrap(wrapped []byte) ([]byte, error) { return turned(wrapped), nil }

func turned(key []byte) []byte {
	out := make([]byte, len(key))
	for i, b := range key {
		out[i] = ^b
	}
	return out
}

// counter is a server with a vault in which one card has a token.
type counter struct {
	t        *testing.T
	server   *Server
	evidence *evidence.Log
	token    string
}

func newCounter(t *testing.T, perMinute int) *counter {
	t.Helper()
	st, err := store.Open(store.Options{Dir: "data", FS: store.Memory(), CreateKey: true,
		KeyFile: t.TempDir() + "/key", RetentionDays: 30})
	if err != nil {
		t.Fatal(err)
	}
	o := &counter{t: t, evidence: newEvidence(t)}
	table := &plainBooks{Store: st}
	v, err := vault.Open(vault.Options{Books: table, Wrapper: mirror{}, Auditor: o.evidence,
		KeyFile: t.TempDir() + "/vault.keys", Create: true, RevealsPerMinute: perMinute,
		Roles: cardswitch.VaultRights()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _, _ = v.Close(), o.evidence.Close(), st.Close() })
	pan, _ := spec.ParsePAN(cardNumber)
	format, _ := vault.Opaque("tok-")
	op, err := v.Prepare(vault.Ask{PAN: pan, Scope: "hq-1", Format: format})
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Change(func(b vault.Batch) {
		token, err := op.Put(b)
		if err != nil {
			t.Error(err)
		}
		o.token = string(token)
	}); err != nil {
		t.Fatal(err)
	}
	o.server = New(Options{Switch: &twinSwitch{}, Journal: books(t), Names: names,
		Evidence: o.evidence, Audit: o.evidence, Vault: v, Logger: slog.New(slog.DiscardHandler)})
	return o
}

// ask gives the status, and the answer's text.
func (o *counter) ask(who Person, method, path, body string) (int, string) {
	o.t.Helper()
	w := httptest.NewRecorder()
	as(who, o.server.Operators()).ServeHTTP(w, httptest.NewRequest(method, path,
		strings.NewReader(body)))
	if w.Code != http.StatusOK && strings.Contains(w.Body.String(), cardNumber) {
		o.t.Errorf("%s: a refusal shows the card", path)
	}
	return w.Code, w.Body.String()
}

func (o *counter) must(who Person, path, body string) string {
	o.t.Helper()
	code, text := o.ask(who, "POST", path, body)
	if code != http.StatusOK {
		o.t.Fatalf("%s: %d %s", path, code, text)
	}
	return text
}

func person(name string, roles ...string) Person { return Person{Name: name, Roles: roles} }

// A card number is shown to a revealer who said why, when another person approved it: once, no more
// often a minute than is allowed, and not before that is on record (requirement 26).
func TestCardNumbersAreShownByTwo(t *testing.T) {
	o := newCounter(t, 2)
	rei, ito := person("rei", cardswitch.Revealer), person("ito", cardswitch.Approver)
	both := person("both", cardswitch.Revealer, cardswitch.Approver)
	order := `{"token":"` + o.token + `","why":"chargeback 4711"}`
	request := func(who Person) string {
		var r Reveal
		if err := json.Unmarshal([]byte(o.must(who, "/v1/tokens/reveals", order)), &r); err != nil {
			t.Fatal(err)
		}
		return "/v1/tokens/reveals/" + r.ID
	}
	for _, who := range []Person{ito, person("sato", cardswitch.Administrator),
		person("abe", cardswitch.Operator), {Name: "root", Owner: true}, {}} {
		if code, text := o.ask(who, "POST", "/v1/tokens/reveals", order); code != 403 {
			t.Errorf("%s asks: %d %s", who.Name, code, text)
		}
	}
	if code, _ := o.ask(rei, "POST", "/v1/tokens/reveals", `{"token":"`+o.token+`"}`); code == 200 {
		t.Error("no reason is needed")
	}
	at := request(rei)
	refused := func(who Person, path string) {
		t.Helper()
		code, text := o.ask(who, "POST", path, "{}")
		if code < 400 || strings.Contains(text, cardNumber) {
			t.Errorf("%s at %s: %d %s", who.Name, path, code, text)
		}
	}
	refused(rei, at+"/show")
	refused(rei, at+"/approve")
	own := request(both)
	refused(both, own+"/approve")
	o.must(ito, at+"/approve", "{}")
	refused(ito, at+"/show")
	refused(both, at+"/show")
	if text := o.must(rei, at+"/show", "{}"); !strings.Contains(text, cardNumber) {
		t.Errorf("shown is %s", text)
	}
	records, _ := o.evidence.Read(audit.Filter{Events: []audit.Event{audit.CardRevealed}})
	if len(records) != 1 || records[0].Actor != "rei" || records[0].Role != cardswitch.Revealer ||
		records[0].Result != audit.Done || !strings.Contains(records[0].Object, o.token) ||
		records[0].Reason != "chargeback 4711 (approved by ito)" {
		t.Errorf("recorded is %+v", records)
	}
	asked, _ := o.evidence.Read(audit.Filter{Events: []audit.Event{audit.CardRequested}})
	if len(asked) == 0 || !strings.Contains(asked[0].Object, o.token) {
		t.Errorf("asked is %+v", asked)
	}
	refused(rei, at+"/show") // it was for once
	for i := range 2 {
		at := request(rei)
		o.must(ito, at+"/approve", "{}")
		code, _ := o.ask(rei, "POST", at+"/show", "{}")
		if (code == http.StatusOK) != (i == 0) {
			t.Errorf("number %d of the minute: %d", i+2, code)
		}
	}
}

// What isn't recorded isn't shown.
func TestNoCardNumberUnrecorded(t *testing.T) {
	o := newCounter(t, 10)
	rei, ito := person("rei", cardswitch.Revealer), person("ito", cardswitch.Approver)
	var r Reveal
	text := o.must(rei, "/v1/tokens/reveals", `{"token":"`+o.token+`","why":"fraud"}`)
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	o.must(ito, "/v1/tokens/reveals/"+r.ID+"/approve", "{}")
	if err := o.evidence.Log.Close(); err != nil {
		t.Fatal(err)
	}
	code, text := o.ask(rei, "POST", "/v1/tokens/reveals/"+r.ID+"/show", "{}")
	if code == http.StatusOK || strings.Contains(text, cardNumber) {
		t.Errorf("%d %s", code, text)
	}
}

// The rest of what people do with tokens: by role, with a reason, on record, and without the card.
func TestTokenCommands(t *testing.T) {
	o := newCounter(t, 10)
	sato, abe := person("sato", cardswitch.Administrator), person("abe", cardswitch.Operator)
	ito := person("ito", cardswitch.Approver)
	if text := o.must(abe, "/v1/tokens/lookup", `{"token":"`+o.token+`","why":""}`); !strings.
		Contains(text, `"scope":"hq-1"`) {
		t.Errorf("the token is %s", text)
	}
	text := o.must(abe, "/v1/tokens/lookup", `{"pan":"`+cardNumber+`","why":"a customer asks"}`)
	if !strings.Contains(text, o.token) || strings.Contains(text, cardNumber) {
		t.Errorf("the card's tokens are %s", text)
	}
	if code, _ := o.ask(abe, "POST", "/v1/tokens/rekey", `{"why":"yearly"}`); code != 403 {
		t.Errorf("an operator re-keys: %d", code)
	}
	o.must(sato, "/v1/tokens/rekey", `{"why":"yearly"}`)
	code, text := o.ask(sato, "GET", "/v1/tokens/status", "")
	if code != http.StatusOK || !strings.Contains(text, `"data_keys":[{"id":1`) {
		t.Errorf("%d %s", code, text)
	}
	if code, _ := o.ask(sato, "POST", "/v1/tokens/delete", `{"token":"x","why":"y"}`); code != 403 {
		t.Errorf("an administrator deletes: %d", code)
	}
	o.must(ito, "/v1/tokens/delete", `{"token":"`+o.token+`","why":"a lost card"}`)
	if code, _ := o.ask(abe, "POST", "/v1/tokens/lookup",
		`{"token":"`+o.token+`","why":""}`); code != 404 {
		t.Errorf("the deleted token: %d", code)
	}
	for _, e := range []audit.Event{audit.TokenFound, audit.VaultRekeyed, audit.TokenDeleted} {
		list, _ := o.evidence.Read(audit.Filter{Events: []audit.Event{e}, Result: audit.Done})
		if len(list) == 0 || list[0].Reason == "" || strings.Contains(list[0].Object, cardNumber) {
			t.Errorf("%s: %+v", e, list)
		}
	}
}
