package admin

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	cardswitch "cardswitch/switch"
)

// as lets every request come from a person.
func as(p Person, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), personKey{}, p)
		handler.ServeHTTP(w, r.WithContext(ctx))
	})
}

// allowed is who may do what, written down a second time: v viewer, o operator, a administrator,
// c custodian, s approver (security officer), u auditor, T the owner of a test installation.
func allowed() map[string]string {
	return map[string]string{
		"GET /v1/status":                       "vo a  uT",
		"GET /v1/links":                        "vo a  uT",
		"GET /v1/saf":                          "vo a  uT",
		"POST /v1/route/explain":               "vo a  uT",
		"GET /v1/journal":                      " o a  uT",
		"GET /v1/transactions":                 " o a  uT",
		"GET /v1/transactions/{seq}":           " o a  uT",
		"GET /v1/transactions/{seq}/explain":   " o a  uT",
		"GET /v1/explain":                      " o a  uT",
		"POST /v1/explain":                     " o a  uT",
		"GET /v1/worklist":                     " o a  uT",
		"POST /v1/links/{center}/{act}":        " o     T",
		"POST /v1/links/{center}/{link}/{act}": " o     T",
		"POST /v1/worklist/{id}/{act}":         " o     T",
		"GET /v1/standin":                      "vo a  uT",
		"POST /v1/standin/simulate":            " o a  uT",
		"POST /v1/standin/{center}/{act}":      " o     T",
		"GET /v1/journal/verify":               "   a  uT",
		"POST /v1/checks":                      " o a   T",
		"POST /v1/checks/{job}":                " o a   T",
		"POST /v1/window":                      " o     T",
		"POST /v1/reload":                      "   a   T",
		"POST /v1/restart":                     "   a   T",
		"GET /v1/cluster":                      "vo a  uT",
		"POST /v1/cluster/transfer":            " o a   T",
		"POST /v1/cluster/join":                "   a   T",
		"POST /v1/cluster/leave":               "   a   T",
		"GET /v1/cluster/promotion":            "vo a suT",
		"POST /v1/cluster/promotion":           " o a   T",
		"POST /v1/cluster/promotion/consent":   " o a s ",
		"POST /v1/cluster/promotion/cancel":    " o a s T",
		"GET /v1/keys":                         " o acsuT",
		"POST /v1/keys/generate":               "   a   T",
		"POST /v1/keys/exchange":               "   a   T",
		"POST /v1/keys/import":                 "   a   T",
		"POST /v1/keys/export":                 "   a   T",
		"POST /v1/keys/step/{step}":            "   a s T",
		"POST /v1/keys/adopt":                  "     s T",
		"POST /v1/keys/destroy":                "     s T",
		"POST /v1/keys/clear":                  "       T",
		"GET /v1/ceremonies":                   "   acsuT",
		"POST /v1/ceremonies":                  "   ac  T",
		"POST /v1/ceremonies/{id}/component":   "    c",
		"POST /v1/ceremonies/{id}/approve":     "     s",
		"POST /v1/ceremonies/{id}/cancel":      "   acs T",
	}
}

func people() map[string]Person {
	list := map[string]Person{"T": {Name: "root", Owner: true}, "-": {Name: "eve"}, "?": {}}
	for letter, role := range map[string]string{"v": cardswitch.Viewer, "o": cardswitch.Operator,
		"a": cardswitch.Administrator, "c": cardswitch.Custodian, "s": cardswitch.Approver,
		"u": cardswitch.Auditor} {
		list[letter] = Person{Name: role, Roles: []string{role}}
	}
	// Whoever has a role but no name is nobody.
	list["!"] = Person{Roles: cardswitch.Roles(), Owner: true}
	return list
}

// Every role at every endpoint: denied, or not.
func TestRolesAndEndpoints(t *testing.T) {
	s := New(Options{Switch: &twinSwitch{}, Journal: newTwinJournal(), Names: names,
		Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
		Reload: func() error { return nil }, Restart: func(context.Context) error { return nil },
		Cluster: twinCluster{}})
	routes := slices.Concat(s.switchRoutes(), s.journalRoutes(), s.clusterRoutes(), s.keyRoutes(),
		s.ceremonyRoutes(), s.checkRoutes())
	if len(routes) != len(allowed()) {
		t.Errorf("%d endpoints, the table has %d", len(routes), len(allowed()))
	}
	fill := strings.NewReplacer("{id}", "1", "{center}", "a", "{link}", "b", "{act}", "echo",
		"{seq}", "1", "{step}", "retire", "{job}", "1")
	for _, route := range routes {
		who, known := allowed()[route.pattern]
		if !known || !strings.Contains(route.pattern, " /"+Version+"/") {
			t.Errorf("%s isn't in the table, or of another version", route.pattern)
		}
		method, path, _ := strings.Cut(route.pattern, " ")
		for letter, p := range people() {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(method, fill.Replace(path), strings.NewReader("{}"))
			as(p, s.Operators()).ServeHTTP(w, r)
			want := strings.Contains(who, letter)
			if got := w.Code != http.StatusForbidden; got != want || w.Code == http.StatusNotFound &&
				strings.Contains(w.Body.String(), "page not found") {
				t.Errorf("%s by %q: %d %s", route.pattern, letter, w.Code, w.Body)
			}
		}
	}
}

func TestDeniedSaysWhatItTakes(t *testing.T) {
	s := New(Options{Logger: slog.New(slog.DiscardHandler)})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/v1/ceremonies", strings.NewReader("{}"))
	as(Person{Name: "eve"}, s.Operators()).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "eve may not") ||
		!strings.Contains(w.Body.String(), "administrator custodian") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// The kernel says who is at the other end; production gives its own user nothing by itself.
func TestTheSocketTellsWhoAsks(t *testing.T) {
	me, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		t.Skip("this user has no name on this machine:", err)
	}
	for _, c := range []struct {
		name       string
		production bool
		roles      map[string][]string
		want       int
	}{
		{"the owner of a test installation", false, nil, http.StatusOK},
		{"the owner in production", true, nil, http.StatusForbidden},
		{"another role", true, map[string][]string{me.Username: {cardswitch.Custodian}},
			http.StatusForbidden},
		{"the role", true, map[string][]string{me.Username: {cardswitch.Viewer}}, http.StatusOK},
	} {
		config := cardswitch.Config{Production: c.production,
			Access: cardswitch.AccessConfig{Roles: c.roles}}
		s := New(Options{Switch: &twinSwitch{}, Journal: newTwinJournal(), Names: names,
			Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
			Access: func() Access { return NewAccess(&config) }})
		path := filepath.Join(t.TempDir(), "s")
		listener, err := ListenSocket(path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, listener, nil) }()
		client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _,
			_ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}}}
		response, err := client.Get("http://switch/v1/status")
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != c.want {
			t.Errorf("%s: %d %s", c.name, response.StatusCode, text)
		}
		client.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// Users that a namespace hides look all alike: a role must not be all of theirs.
func TestHiddenUsersAreNobody(t *testing.T) {
	uid := overflow
	a := Access{Roles: map[string][]string{"nobody": cardswitch.Roles()}, Owner: &uid}
	if p := a.person(overflow); p.may(&route{roles: cardswitch.Roles()}) {
		t.Errorf("%+v may do everything", p)
	}
}

// Over TCP nobody is anybody, whatever the configuration.
func TestNobodyIsKnownOverTCP(t *testing.T) {
	config := cardswitch.Config{}
	s := New(Options{Switch: &twinSwitch{}, Journal: newTwinJournal(), Names: names,
		Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
		Access: func() Access { return NewAccess(&config) }})
	server := httptest.NewUnstartedServer(s.Operators())
	server.Config.ConnContext = connected
	server.Start()
	defer server.Close()
	response, err := http.Get(server.URL + "/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusForbidden {
		t.Error(response.StatusCode)
	}
}
