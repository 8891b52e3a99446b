package admin

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// readOnly is what both doors have.
func (s *Server) readOnly() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", s.livez)
	mux.HandleFunc("GET /readyz", s.readyz)
	return mux
}

// livez says that the process answers; whether it is of any use is readyz's matter.
func (s *Server) livez(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }

// ready says why merchants can't be served here.
func (s *Server) ready() error {
	if s.Switch != nil {
		return s.Switch.Ready()
	}
	st := s.Standby()
	return fmt.Errorf("%s: %s", st.State, st.Reason)
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := s.ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
