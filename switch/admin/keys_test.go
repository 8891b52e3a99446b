package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/keys"
)

// notes is an audit log of values.
type notes struct {
	events []keyring.Event
	full   error
}

func (n *notes) Audit(_ context.Context, e keyring.Event) error {
	n.events = append(n.events, e)
	return n.full
}

// office is a server with keys, and people who come to it.
type office struct {
	t       *testing.T
	server  *Server
	handler http.Handler
	audit   *notes
}

func newOffice(t *testing.T) *office {
	dir := t.TempDir()
	config := cardswitch.Config{Data: cardswitch.DataConfig{Dir: dir}, Keys: cardswitch.KeysConfig{
		Module: cardswitch.ModuleSoft, Store: filepath.Join(dir, "keys"),
		Master: filepath.Join(dir, "master.key")}}
	o := &office{t: t, audit: &notes{}}
	return openOffice(t, o, config, keys.Options{Audit: o.audit})
}

func openOffice(t *testing.T, o *office, config cardswitch.Config, options keys.Options) *office {
	k, err := keys.Open(t.Context(), &config, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	o.server = New(Options{Switch: &twinSwitch{}, Journal: newTwinJournal(), Names: names,
		Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Keys: k,
		Ceremonies: Ceremonies{Room: k.Room}, Audit: o.audit})
	o.handler = o.server.Operators()
	return o
}

var (
	dave  = Person{Name: "dave", Roles: []string{cardswitch.Administrator}}
	alice = Person{Name: "alice", Roles: []string{cardswitch.Custodian}}
	bob   = Person{Name: "bob", Roles: []string{cardswitch.Custodian}}
	carol = Person{Name: "carol", Roles: []string{cardswitch.Approver}}
)

// ask sends a request as a person, and reads the answer if it is good.
func (o *office) ask(p Person, path, body string, into any) (int, string) {
	o.t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	w := httptest.NewRecorder()
	as(p, o.handler).ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	text, _ := io.ReadAll(w.Body)
	if w.Code == http.StatusOK && into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			o.t.Fatalf("%s: %v", text, err)
		}
	}
	return w.Code, string(text)
}

func (o *office) must(p Person, path, body string, into any) string {
	o.t.Helper()
	status, text := o.ask(p, path, body, into)
	if status != http.StatusOK {
		o.t.Fatalf("%s by %s: %d %s", path, p.Name, status, text)
	}
	return text
}

const (
	partOne = "00112233445566778899AABBCCDDEEFF102132435465768798A9BACBDCEDFE0F"
	partTwo = "FFEEDDCCBBAA99887766554433221100F0E1D2C3B4A5968778695A4B3C2D1E00"
)

func TestACeremonyOverTheSocket(t *testing.T) {
	o := newOffice(t)
	var v CeremonyView
	o.must(dave, "/v1/ceremonies", `{"slot":"kbpk:sakura","count":2,"why":"a test"}`, &v)
	at := "/v1/ceremonies/" + v.ID
	refused := func(p Person, path, body string, want int) {
		t.Helper()
		if status, text := o.ask(p, path, body, nil); status != want {
			t.Errorf("%s by %s: %d %s", path, p.Name, status, text)
		}
	}
	refused(dave, at+"/component", partOne, http.StatusForbidden)
	refused(Person{Name: "root", Owner: true}, at+"/component", partOne, http.StatusForbidden)
	for _, wrong := range []string{"00", partOne + "00", partOne[1:], "zz" + partOne[2:],
		strings.Repeat("0", 64)} {
		if status, text := o.ask(alice, at+"/component", wrong, nil); status == http.StatusOK ||
			strings.Contains(text, wrong) {
			t.Errorf("%d digits: %d %s", len(wrong), status, text)
		}
	}
	refused(alice, at+"/component?check=0000000000", partOne, http.StatusConflict)
	o.must(alice, at+"/component", partOne, &v)
	refused(alice, at+"/component", partTwo, http.StatusConflict)
	o.must(bob, at+"/component", partTwo, &v)
	approval := `{"check":"` + v.Check + `"}`
	refused(alice, at+"/approve", approval, http.StatusForbidden)
	promoted := Person{Name: "alice", Roles: []string{cardswitch.Approver}}
	refused(promoted, at+"/approve", approval, http.StatusConflict)
	asker := Person{Name: "dave", Roles: []string{cardswitch.Approver}}
	refused(asker, at+"/approve", approval, http.StatusConflict)
	refused(carol, at+"/approve", `{"check":"0000000000"}`, http.StatusConflict)
	refused(carol, "/v1/ceremonies/OTHER/approve", approval, http.StatusNotFound)
	o.must(carol, at+"/approve", approval, &v)
	if v.Phase != "done" || v.Key != "kbpk:sakura@1" {
		t.Errorf("%+v", v)
	}
	refused(carol, at+"/approve", approval, http.StatusConflict)

	// The same papers again: the same key isn't taken twice.
	o.must(dave, "/v1/ceremonies", `{"slot":"kbpk:fuji","count":2,"why":"a test"}`, &v)
	at = "/v1/ceremonies/" + v.ID
	o.must(alice, at+"/component", partOne, nil)
	o.must(bob, at+"/component", partTwo, nil)
	refused(carol, at+"/approve", approval, http.StatusConflict)

	all, _ := json.Marshal(o.audit.events)
	for _, secret := range []string{partOne, partTwo, partOne[:16]} {
		if strings.Contains(string(all), secret) {
			t.Error("a component is in the audit log")
		}
	}
	for _, what := range []string{"ceremony.start", "ceremony.component", "ceremony.approve", "form",
		"access"} {
		if !strings.Contains(string(all), what) {
			t.Errorf("%s isn't in the audit log", what)
		}
	}
}

// Every answer about keys, searched for what may not be in it.
func TestNoAnswerHasMoreThanACheckValue(t *testing.T) {
	o := newOffice(t)
	root := Person{Name: "root", Owner: true}
	var said strings.Builder
	for _, q := range [][2]string{
		{"/v1/keys/generate", `{"slot":"kbpk:sakura","serve":true,"why":"a"}`},
		{"/v1/keys/generate", `{"slot":"zek:sakura/a","serve":true,"why":"a"}`},
		{"/v1/keys/generate", `{"slot":"zak:sakura:in","algorithm":"tdes","bits":128,"why":"a"}`},
		{"/v1/keys/step/serve", `{"key":"zak:sakura:in@1","why":"a"}`},
		{"/v1/keys/step/retire", `{"key":"zek:sakura/a@1","why":"a"}`},
		{"/v1/keys/destroy", `{"key":"zek:sakura/a@1","why":"a"}`},
		{"/v1/keys", ""}, {"/v1/ceremonies", ""},
	} {
		said.WriteString(o.must(root, q[0], q[1], nil))
	}
	for _, r := range o.server.Keys.Set().Records() {
		if b := r.Wrapped.Block; b != "" && strings.Contains(said.String(), b) {
			t.Errorf("the key block of %s is shown", r.ID)
		}
	}
	long := regexp.MustCompile(`"check":"[0-9A-F]{11,}"|` +
		`"check":"[0-9A-F]{7,}","check_method":"tdes-ecb"`)
	if found := long.FindString(said.String()); found != "" {
		t.Errorf("a check value is too long: %s", found)
	}
	if !strings.Contains(said.String(), `"check_method":"tdes-ecb"`) {
		t.Error("no TDES key was shown")
	}
}

func TestOrdersThatMakeNoSense(t *testing.T) {
	o := newOffice(t)
	for body, want := range map[string]int{
		`{"slot":"kek"}`:                                   http.StatusBadRequest, // no why
		`{"slot":"kek","why":" "}`:                         http.StatusBadRequest,
		`{"slot":"nothing","why":"a"}`:                     http.StatusBadRequest,
		`{"slot":"kek","bits":129,"why":"a"}`:              http.StatusBadRequest,
		`{"slot":"kek","algorithm":"rot13","why":"a"}`:     http.StatusBadRequest,
		`{"slot":"zek:a/b","algorithm":"tdes","why":"a"}`:  http.StatusBadRequest,
		`{"slot":"kek","more":1,"why":"a"}`:                http.StatusBadRequest,
		`{"slot":"zek:a/b","bits":192,"why":"a"}`:          http.StatusBadRequest,
		`{"slot":"zpk:a:in","bits":128,"why":"a"}`:         http.StatusOK,
		`{"slot":"kek","serve":true,"why":"a"}`:            http.StatusOK,
		`{"slot":"kek","serve":true,"why":"to rotate it"}`: http.StatusOK,
	} {
		if status, text := o.ask(dave, "/v1/keys/generate", body, nil); status != want {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	for path, body := range map[string]string{
		"/v1/keys/step/destroy": `{"key":"kek@1","why":"a"}`,
		"/v1/keys/step/fly":     `{"key":"kek@1","why":"a"}`,
		"/v1/keys/step/retire":  `{"key":"kek@9","why":"a"}`,
		"/v1/keys/export":       `{"key":"kek@1","why":"a"}`,
		"/v1/keys/import":       `{"slot":"zek:a/b","block":"x","why":"a"}`,
	} {
		if status, _ := o.ask(dave, path, body, nil); status == http.StatusOK {
			t.Errorf("%s is done", path)
		}
	}
}

// What the audit log doesn't take isn't done.
func TestNothingIsDoneUnaudited(t *testing.T) {
	o := newOffice(t)
	o.audit.full = errors.New("no space")
	if status, _ := o.ask(dave, "/v1/keys/generate", `{"slot":"kek","why":"a"}`, nil); status ==
		http.StatusOK || o.server.Keys.Set().Len() != 0 {
		t.Error("a key is made that nobody noted")
	}
}
