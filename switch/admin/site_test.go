package admin

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	cardswitch "cardswitch/switch"
)

// site is a cluster of which one node can be promoted.
type site struct {
	twinCluster
	stands Promotion
	done   []Promoting
}

func (s *site) Promotion() Promotion { return s.stands }
func (s *site) Promote(_ context.Context, p Promoting) error {
	s.done = append(s.done, p)
	return nil
}

// A site is promoted by two people and nobody else, in time, and while nobody who votes answers.
func TestAPromotionTakesTwoPeople(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &site{stands: Promotion{Reachable: []string{"node 1 (data) is connected"}}}
		s := New(Options{Switch: &twinSwitch{}, Journal: newTwinJournal(), Names: names,
			Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler), Cluster: far})
		post := func(who, path, body string) (int, string) {
			p := Person{Name: who, Roles: []string{cardswitch.Operator}}
			w := httptest.NewRecorder()
			r := httptest.NewRequest("POST", "/v1/cluster/promotion"+path, strings.NewReader(body))
			as(p, s.Operators()).ServeHTTP(w, r)
			return w.Code, w.Body.String()
		}
		must := func(want int, who, path, body string) {
			t.Helper()
			if got, text := post(who, path, body); got != want {
				t.Errorf("%s at %q: %d, want %d: %s", who, path, got, want, text)
			}
		}
		const burnt, forced = `{"why":"burnt down"}`, `{"why":"burnt down","force":true}`
		must(http.StatusNotFound, "abe", "/consent", "")
		must(http.StatusBadRequest, "abe", "", `{"why":" ","force":true}`)
		must(http.StatusConflict, "abe", "", burnt) // it answers
		must(http.StatusOK, "abe", "", forced)
		must(http.StatusConflict, "abe", "/consent", "")
		must(http.StatusConflict, "mori", "/consent", "") // who has read it before it was forced
		must(http.StatusOK, "abe", "/cancel", "")
		must(http.StatusNotFound, "mori", "/consent", "")
		must(http.StatusOK, "abe", "", forced)
		time.Sleep(consentTime)
		must(http.StatusNotFound, "mori", "/consent", "")
		far.stands.Reachable = nil
		must(http.StatusOK, "abe", "", burnt)
		far.stands.Reachable = []string{"node 1 (data) is connected"}
		must(http.StatusConflict, "mori", "/consent", "") // it was back
		far.stands = Promotion{Why: "a witness has no journal and can't serve"}
		must(http.StatusConflict, "abe", "", forced)
		far.stands = Promotion{}
		if len(far.done) != 0 {
			t.Fatalf("promoted by %+v", far.done)
		}
		must(http.StatusOK, "abe", "", burnt)
		must(http.StatusOK, "mori", "/consent", "")
		must(http.StatusNotFound, "mori", "/consent", "") // it is used up
		must(http.StatusOK, "abe", "", forced)
		must(http.StatusOK, "mori", "/consent", `{"force":true}`)
		if len(far.done) != 2 || far.done[0].Who != "abe" || far.done[0].Approver != "mori" ||
			far.done[0].Why != "burnt down" {
			t.Errorf("promoted by %+v", far.done)
		}
	})
}
