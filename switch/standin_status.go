package cardswitch

import (
	"errors"
	"fmt"
	"time"

	"cardswitch/switch/txn"
)

// StandInStatus is how one issuer's stand-in stands.
type StandInStatus struct {
	Center  string    `json:"center"`
	Setting string    `json:"setting"` // auto, on, off
	Stands  bool      `json:"stands"`  // stand-in decides now
	Why     string    `json:"why,omitempty"`
	Since   time.Time `json:"since,omitzero"` // of the last change
	Rules   []string  `json:"rules"`
	Cards   int       `json:"cards"` // that are counted at the moment
	// Since the start of the process.
	Approved  uint64 `json:"approved"`
	Declined  uint64 `json:"declined"`
	Abstained uint64 `json:"abstained"`
	Owed      int    `json:"owed"` // advices that the issuer must still get
}

// StandIns is the stand-in of every issuer that has it.
func (s *Switch) StandIns() []StandInStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []StandInStatus{}
	for _, c := range s.issuers {
		if c.standin == nil {
			continue
		}
		st := &c.stand
		one := StandInStatus{Center: c.name, Setting: st.mode.Setting.String(),
			Stands: st.mode.Stands(), Why: st.mode.Why().String(), Rules: c.standin.rules.Names(),
			Cards: st.counters.Len(), Owed: c.owed.Len(), Approved: st.metrics.counts[0],
			Declined: st.metrics.counts[1], Abstained: st.metrics.counts[2]}
		if st.since != 0 {
			one.Since = time.Unix(0, st.since)
		}
		list = append(list, one)
	}
	return list
}

// StandInOrder is what an operator orders of an issuer's stand-in.
type StandInOrder struct {
	Act string `json:"act"` // on, off, auto
	Who string `json:"who"`
	Why string `json:"why"`
}

// OrderStandIn sets an issuer's stand-in. Who and why are journaled.
func (s *Switch) OrderStandIn(center string, o StandInOrder) error {
	if o.Who == "" || o.Why == "" {
		return errors.New("say who orders it and why")
	}
	why := txn.StandInReleased
	switch o.Act {
	case "on":
		why = txn.StandInOrdered
	case "off":
		why = txn.StandInForbidden
	case "auto":
	default:
		return fmt.Errorf("%q is not on, off or auto", o.Act)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.issuers {
		if c.name == center && c.standin != nil {
			s.changeStandIn(s.now(), c, why, saidBy(o.Act+" by ", o.Who, o.Why))
			s.kick()
			return nil
		}
	}
	return fmt.Errorf("no issuer %q has stand-in; see `cardswitch standin status`", center)
}
