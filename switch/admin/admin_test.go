package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/store/queue"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link"
	"cardswitch/switch/txn"
)

var start = time.Date(2026, 4, 1, 9, 0, 0, 0, time.UTC)

const cardNumber = "3528000000000007"

// books are a sale that was approved, one that was refused, and an event.
func books(t *testing.T) *twinJournal {
	pan, err := spec.ParsePAN(cardNumber)
	if err != nil {
		t.Fatal(err)
	}
	at := func(us int64) int64 { return start.UnixNano() + us*1000 }
	opened := journal.Record{Kind: journal.Opened, At: at(0), Center: 1, Dest: 2, MTI: 0x1200,
		STAN: 7, Amount: 3240, Currency: 392, PAN: pan, Reference: [12]byte([]byte("609012345678"))}
	opened.Add(journal.Image{Role: journal.Request, Link: 3})
	opened.Add(journal.Image{Role: journal.Forward, Link: 4})
	closed := journal.Record{Kind: journal.Closed, At: at(12_500), Txn: 1, Center: 1, Dest: 2,
		MTI: 0x1200, Reason: uint16(txn.IssuerAnswered)}
	refused := journal.Record{Kind: journal.Settled, At: at(20_000), Center: 1, MTI: 0x1100,
		Amount: 99, Action: 908, Reason: uint16(txn.NoRoute)}
	event := journal.Record{Kind: journal.Event, At: at(30_000), Text: "primary down"}
	return newTwinJournal(opened, closed, refused, event)
}

var names = twinNames{1: {name: "hq-aoyama"}, 2: {name: "issuer-sakura"},
	3: {name: "hq-aoyama/a"}, 4: {name: "issuer-sakura/primary"}}

func newTestServer(t *testing.T, j *twinJournal) (*twinSwitch, *httptest.Server) {
	sw := &twinSwitch{links: link.Status{Centers: []link.CenterStatus{{
		Name: "issuer-sakura", Role: "issuer", Best: "primary", Window: 8192,
		Lines: []link.LineStatus{{Name: "primary", Address: "127.0.0.1:7201", State: "signed-on",
			Links: []link.LinkStatus{{Remote: "127.0.0.1:7201", InFlight: 3}}}},
	}}}}
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "cardswitch_test"}))
	server := New(Options{Switch: sw, Journal: j, Names: names, Metrics: registry,
		Logger: slog.New(slog.DiscardHandler), Reload: func() error { return errDisk }})
	h := httptest.NewServer(as(Person{Name: "root", Owner: true}, server.Operators()))
	t.Cleanup(h.Close)
	return sw, h
}

func get(t *testing.T, server *httptest.Server, path string) (int, string) {
	t.Helper()
	response, err := http.Get(server.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func post(t *testing.T, server *httptest.Server, path, body string) (int, string) {
	t.Helper()
	response, err := http.Post(server.URL+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text)
}

func sequences(t *testing.T, text string) []uint64 {
	t.Helper()
	var seqs []uint64
	for line := range strings.Lines(text) {
		var l Line
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		seqs = append(seqs, l.Seq)
	}
	return seqs
}

func TestLineSaysWhatTheRecordHolds(t *testing.T) {
	_, server := newTestServer(t, books(t))
	_, text := get(t, server, "/v1/journal?from=1")
	first, rest, _ := strings.Cut(text, "\n")
	want := `{"seq":1,"txn":1,"at":"` + start.Local().Format(time.RFC3339Nano) + `",` +
		`"kind":"opened","mti":"1200","center":"hq-aoyama","link":"a","dest":"issuer-sakura",` +
		`"dest_link":"primary","stan":"000007","rrn":"609012345678","amount":3240,` +
		`"currency":"392","pan":"352800******0007","us":0}`
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	second, _, _ := strings.Cut(rest, "\n")
	for _, part := range []string{`"action":"000"`, `"us":12500`, `"reason_text":"issuer answered"`,
		`"pan":"352800******0007"`, `"rrn":"609012345678"`} {
		if !strings.Contains(second, part) {
			t.Errorf("%s is missing in %s", part, second)
		}
	}
	if strings.Contains(text, cardNumber) {
		t.Error("a whole card number")
	}
}

// Who begins to read in the middle is told of a transaction's end whose it was, and finds it.
func TestLineKnowsWhatBeganBefore(t *testing.T) {
	_, server := newTestServer(t, books(t))
	for _, query := range []string{"from=2", "from=2&last4=0007", "from=2&rrn=609012345678",
		"from=2&min=3240&max=3240"} {
		_, text := get(t, server, "/v1/journal?"+query)
		first, _, _ := strings.Cut(text, "\n")
		for _, part := range []string{`"seq":2,`, `"pan":"352800******0007"`,
			`"rrn":"609012345678"`, `"amount":3240`, `"us":12500`} {
			if !strings.Contains(first, part) {
				t.Errorf("%s: %s is missing in %s", query, part, first)
			}
		}
	}
}

func TestJournalFilters(t *testing.T) {
	_, server := newTestServer(t, books(t))
	for query, want := range map[string][]uint64{
		"":                         {1, 2, 3, 4},
		"from=3":                   {3, 4},
		"last=1":                   {4},
		"last=0":                   nil,
		"last=99":                  {1, 2, 3, 4},
		"from=1&center=hq-aoyama":  {1, 2, 3},
		"center=issuer-sakura":     {1, 2},
		"link=primary":             {1},
		"mti=12":                   {1, 2},
		"mti=1100":                 {3},
		"action=000":               {2},
		"action=9":                 {3},
		"min=100":                  {1, 2},
		"max=99":                   {3, 4},
		"last4=0007":               {1, 2},
		"last4=0008":               nil,
		"rrn=609012345678":         {1, 2},
		"stan=000007":              {1},
		"kind=event":               {4},
		"declined=1":               {3},
		"mti=12&action=000&min=10": {2},
	} {
		_, text := get(t, server, "/v1/journal?"+query)
		if diff := cmp.Diff(want, sequences(t, text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

func TestFilterWithoutSense(t *testing.T) {
	_, server := newTestServer(t, books(t))
	for _, query := range []string{"from=x", "last=-1", "min=1e3", "last4=" + cardNumber} {
		if status, text := get(t, server, "/v1/journal?"+query); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, status, text)
		}
	}
}

// A follower gets what is there, then what comes, soon and without asking again.
func TestFollow(t *testing.T) {
	j := books(t)
	_, server := newTestServer(t, j)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet,
		server.URL+"/v1/journal?follow=1&last=1", nil)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for _, want := range []uint64{4, 5, 6} {
		if want > 4 {
			j.add(journal.Record{Kind: journal.Event, Text: "more"})
		}
		if !lines.Scan() {
			t.Fatalf("no line %d: %v", want, lines.Err())
		}
		if got := sequences(t, lines.Text()); got[0] != want {
			t.Errorf("record %d, want %d", got[0], want)
		}
	}
}

func TestSlowFollowerIsToldWhereToResume(t *testing.T) {
	j := books(t)
	j.slowAt = 3
	_, server := newTestServer(t, j)
	_, text := get(t, server, "/v1/journal?follow=1&from=1")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var cut Cut
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &cut); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 3 || cut.Resume != 3 || cut.Error == "" {
		t.Errorf("got %q", lines)
	}
}

func TestTransaction(t *testing.T) {
	_, server := newTestServer(t, books(t))
	for _, path := range []string{"/v1/transactions/1", "/v1/transactions/2"} {
		_, text := get(t, server, path)
		var got Transaction
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if got.Txn != 1 || len(got.Steps) != 2 || got.Steps[1].US != 12500 {
			t.Errorf("%s: %s", path, text)
		}
	}
	for path, want := range map[string]int{
		"/v1/transactions/99":                http.StatusNotFound,
		"/v1/transactions/x":                 http.StatusBadRequest,
		"/v1/transactions":                   http.StatusBadRequest,
		"/v1/transactions?rrn=609012345678":  http.StatusOK,
		"/v1/transactions?last4=12345678901": http.StatusBadRequest,
	} {
		if status, text := get(t, server, path); status != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	for query, want := range map[string]int{"last4=0007": 1, "stan=000007": 1, "last4=9999": 0} {
		_, text := get(t, server, "/v1/transactions?"+query)
		var found []Transaction
		if err := json.Unmarshal([]byte(text), &found); err != nil || len(found) != want {
			t.Errorf("%s: %d transactions, %v", query, len(found), err)
		}
	}
}

func TestLinks(t *testing.T) {
	sw, server := newTestServer(t, books(t))
	_, text := get(t, server, "/v1/links")
	var lines []LinkLine
	if err := json.Unmarshal([]byte(text), &lines); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 1 || !lines[0].Best || lines[0].InFlight != 3 || lines[0].Connections != 1 {
		t.Errorf("got %s", text)
	}
	for path, want := range map[string]int{
		"/v1/links/issuer-sakura/primary/echo":    http.StatusOK,
		"/v1/links/issuer-sakura/drain":           http.StatusOK,
		"/v1/links/issuer-sakura/standby/echo":    http.StatusNotFound,
		"/v1/links/issuer-kiku/primary/echo":      http.StatusNotFound,
		"/v1/links/issuer-sakura/primary/explode": http.StatusBadRequest,
	} {
		if status, text := post(t, server, path, ""); status != want {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	slices.Sort(sw.told)
	want := []string{"issuer-sakura/ drain", "issuer-sakura/primary echo"}
	if diff := cmp.Diff(want, sw.told); diff != "" {
		t.Error(diff)
	}
}

func TestWorkList(t *testing.T) {
	j := books(t)
	j.work = []queue.Owed{{Center: 2, Entry: queue.Entry{ID: 9, Txn: 1, MTI: 0x1420, Reason: 4021}}}
	j.add(journal.Record{Kind: journal.Shelved, Txn: 1, Advice: 9, Dest: 2,
		Reason: uint16(txn.AdviceUndeliverable), Text: "element 56: unknown"})
	sw, server := newTestServer(t, j)
	_, text := get(t, server, "/v1/worklist")
	var items []WorkItem
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		t.Fatal(err)
	}
	if len(items) != 1 || items[0].PAN != "352800******0007" || items[0].Amount != 3240 {
		t.Errorf("got %s", text)
	}
	if i := items[0]; i.Shelved != "cannot be delivered: element 56: unknown" ||
		!strings.Contains(i.ReasonText, "timeout") && !strings.Contains(i.ReasonText, "time-out") {
		t.Errorf("got %s", text)
	}
	for _, test := range []struct {
		path, body string
		want       int
	}{
		{"/v1/worklist/9/drop", `{"who":"sato","why":""}`, http.StatusBadRequest},
		{"/v1/worklist/9/drop", ``, http.StatusBadRequest},
		{"/v1/worklist/9/keep", `{"who":"sato","why":"x"}`, http.StatusBadRequest},
		{"/v1/worklist/8/drop", `{"who":"sato","why":"x"}`, http.StatusNotFound},
		{"/v1/worklist/9/drop", `{"who":"sato","why":"settled by mail"}`, http.StatusOK},
	} {
		if status, text := post(t, server, test.path, test.body); status != test.want {
			t.Errorf("%s %s: %d %s", test.path, test.body, status, text)
		}
	}
	want := []cardswitch.Resolution{{Act: "drop", Who: "root for sato", Why: "settled by mail"}}
	if diff := cmp.Diff(want, sw.resolved); diff != "" {
		t.Error(diff)
	}
}

func TestExplainAndReload(t *testing.T) {
	sw, server := newTestServer(t, books(t))
	status, text := post(t, server, "/v1/route/explain", `{"pan":"352800","amount":500}`)
	if status != http.StatusOK || !strings.Contains(text, "issuer-sakura") || sw.asked.Amount != 500 {
		t.Errorf("%d %s", status, text)
	}
	for _, body := range []string{`{"pan":"abc"}`, `{"pen":"352800"}`, ``} {
		if status, text := post(t, server, "/v1/route/explain", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	if status, text := post(t, server, "/v1/reload", ""); status != http.StatusBadRequest ||
		!strings.Contains(text, "nothing was changed") {
		t.Errorf("%d %s", status, text)
	}
}

func TestVerify(t *testing.T) {
	j := books(t)
	for _, unsound := range []error{nil, errDisk} {
		j.unsound = unsound
		_, server := newTestServer(t, j)
		_, text := get(t, server, "/v1/journal/verify")
		lines := strings.Split(strings.TrimSpace(text), "\n")
		var verdict Verdict
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &verdict); err != nil {
			t.Fatal(err)
		}
		if len(lines) != 2 || verdict.Sound != (unsound == nil) || verdict.Found.Last != 4 {
			t.Errorf("got %q", lines)
		}
	}
}

// The TCP door reads health and metrics, and nothing else.
func TestPublicDoor(t *testing.T) {
	sw := &twinSwitch{notReady: errDisk}
	server := New(Options{Switch: sw, Journal: newTwinJournal(), Names: names,
		Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	h := httptest.NewServer(server.Public())
	defer h.Close()
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 503, "/metrics": 200, "/v1/status": 404, "/v1/journal": 404,
	} {
		if status, _ := get(t, h, path); status != want {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _ := post(t, h, "/v1/links/issuer-sakura/drain", ""); status != 404 {
		t.Errorf("an act got %d", status)
	}
}

func TestSocketIsTakenOverOnlyWhenNobodyListens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	first, err := ListenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := ListenSocket(path); err == nil {
		second.Close()
		t.Error("a socket in use was taken")
	}
	// A killed process leaves its socket.
	first.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(false)
	first.Close()
	third, err := ListenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	third.Close()
}

func TestServeEndsItsFollowers(t *testing.T) {
	listener, err := ListenSocket(filepath.Join(t.TempDir(), "admin.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := New(Options{Switch: &twinSwitch{}, Journal: books(t), Names: names,
		Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener, nil) }()
	client := socketClient(listener.Addr().String())
	response, err := client.Get("http://cardswitch/v1/journal?follow=1")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the server doesn't end")
	}
}
