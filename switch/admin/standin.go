package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	cardswitch "cardswitch/switch"
)

func (s *Server) standIns(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.Switch.StandIns())
}

func (s *Server) orderStandIn(w http.ResponseWriter, r *http.Request) {
	center, order := r.PathValue("center"), cardswitch.StandInOrder{Act: r.PathValue("act")}
	if !slices.Contains([]string{"on", "off", "auto"}, order.Act) {
		refuse(w, &misuseError{fmt.Sprintf("stand-in knows no %q", order.Act),
			"see `cardswitch standin --help`"})
		return
	}
	var err error
	if order.Who, order.Why, err = s.signature(w, r); err != nil {
		refuse(w, err)
		return
	}
	has := func(i cardswitch.StandInStatus) bool { return i.Center == center }
	if !slices.ContainsFunc(s.Switch.StandIns(), has) {
		refuse(w, &NotFoundError{fmt.Sprintf("no issuer %q has stand-in", center),
			"give the center `standin` in the configuration; see `cardswitch standin status`"})
		return
	}
	if err := s.Switch.OrderStandIn(center, order); err != nil {
		refuse(w, err)
		return
	}
	answer(w, Done{fmt.Sprintf("stand-in for %s: %s", center, order.Act)})
}

// mostRules bounds a rule file, in bytes.
const mostRules = 4 << 20

// simulate reads the journal, which may take minutes; it ends when nobody waits any more.
func (s *Server) simulate(w http.ResponseWriter, r *http.Request) {
	var q cardswitch.Simulation
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostRules))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&q); err != nil {
		refuse(w, &misuseError{"the simulation can't be read: " + err.Error(),
			"see `cardswitch standin simulate --help`"})
		return
	}
	found, err := s.Switch.Simulate(r.Context(), q)
	if err != nil {
		refuse(w, &misuseError{err.Error(), "see `cardswitch standin simulate --help`"})
		return
	}
	answer(w, found)
}
