package admin

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestStandIn(t *testing.T) {
	sw := &twinSwitch{}
	s := New(Options{Switch: sw, Journal: newTwinJournal(), Names: names,
		Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler)})
	me := Person{Name: "sato", Owner: true}
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/v1/standin", "", 200, `"center":"sakura"`},
		{"POST", "/v1/standin/sakura/on", `{"why":"their host is being moved"}`, 200, "sakura: on"},
		{"POST", "/v1/standin/sakura/auto", `{"who":"abe","why":"it is done"}`, 200, "sakura: auto"},
		{"POST", "/v1/standin/sakura/on", `{}`, 400, "who and why"},
		{"POST", "/v1/standin/sakura/maybe", `{"why":"x"}`, 400, "knows no"},
		{"POST", "/v1/standin/kiku/off", `{"why":"x"}`, 404, "no issuer"},
		{"POST", "/v1/standin/simulate", `{"issuer":"sakura","rules":"rules: []"}`, 200,
			`"issuer":"sakura"`},
		{"POST", "/v1/standin/simulate", `{"isuer":"sakura"}`, 400, "isuer"},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		as(me, s.Operators()).ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, w.Code, w.Body)
		}
	}
	want := "sakura standin on by sato: their host is being moved," +
		"sakura standin auto by sato for abe: it is done"
	if got := strings.Join(sw.told, ","); got != want {
		t.Errorf("the switch was told %s", got)
	}
}
