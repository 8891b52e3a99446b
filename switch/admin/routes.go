package admin

import (
	"net/http"

	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
)

// Version is that of the interface: each path begins with it.
const Version = "v1"

// Operators is the API on the unix socket. Who may ask what is in the tables below; what isn't in
// them isn't there.
func (s *Server) Operators() http.Handler {
	mux := http.NewServeMux()
	routes := s.ceremonyRoutes()
	switch {
	case s.Switch == nil && s.Standby != nil:
		mux = s.readOnly()
		routes = append(s.journalRoutes(), s.auditRoutes()...)
		mux.HandleFunc("/", s.elsewhere)
	case s.Switch != nil:
		mux = s.readOnly()
		routes = append(routes, s.switchRoutes()...)
		routes = append(routes, s.journalRoutes()...)
		routes = append(routes, s.keyRoutes()...)
		routes = append(routes, s.auditRoutes()...)
		routes = append(routes, s.tokenRoutes()...)
		if s.Settlement != nil {
			routes = append(routes, s.settleRoutes()...)
		}
		routes = append(routes, s.negativeRoutes()...)
		routes = append(routes, s.checkRoutes()...)
	default:
		mux.HandleFunc("/", s.waiting)
	}
	if s.Backup != nil { // a standby can make one as well
		routes = append(routes, s.backupRoutes()...)
	}
	if s.Drills != nil {
		routes = append(routes, s.drillRoutes()...)
	}
	if s.Cluster != nil {
		routes = append(routes, s.clusterRoutes()...)
	}
	for i := range routes {
		mux.HandleFunc(routes[i].pattern, s.guard(&routes[i]))
	}
	return mux
}

// waiting says what a node without a master key waits for.
func (s *Server) waiting(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/livez" {
		s.livez(w, r)
		return
	}
	refuse(w, &waitingError{})
}

// elsewhere says that only the active node can do it.
func (s *Server) elsewhere(w http.ResponseWriter, _ *http.Request) {
	if s.Cluster == nil {
		refuse(w, &standbyError{s.Standby().Reason, "ask again in a moment"})
		return
	}
	st := s.Cluster.ClusterStatus()
	refuse(w, NotActive(&st))
}

// journalRoutes are about what a standby has too.
func (s *Server) journalRoutes() []route {
	see := []string{cardswitch.Viewer, cardswitch.Operator, cardswitch.Administrator,
		cardswitch.Auditor}
	check := []string{cardswitch.Auditor, cardswitch.Administrator}
	look := []string{cardswitch.Operator, cardswitch.Administrator, cardswitch.Auditor}
	return []route{
		{"GET /v1/status", s.status, see, false, 0},
		{"GET /v1/journal", s.journal, look, false, audit.JournalRead},
		{"GET /v1/transactions", s.findTransactions, look, false, audit.JournalRead},
		{"GET /v1/transactions/{seq}", s.transaction, look, false, audit.JournalRead},
		{"GET /v1/journal/verify", s.verify, check, false, audit.JournalVerified},
	}
}

// switchRoutes are about the switch's work.
func (s *Server) switchRoutes() []route {
	see := []string{cardswitch.Viewer, cardswitch.Operator, cardswitch.Administrator,
		cardswitch.Auditor}
	steer := []string{cardswitch.Operator}
	change := []string{cardswitch.Administrator}
	// Cards of customers are in the journal, if masked: who only watches the switch needs none.
	look := []string{cardswitch.Operator, cardswitch.Administrator, cardswitch.Auditor}
	return []route{
		{"GET /v1/links", s.links, see, false, 0},
		{"GET /v1/saf", s.queues, see, false, 0},
		{"POST /v1/route/explain", s.explain, see, false, 0},
		{"GET /v1/transactions/{seq}/explain", s.explainTransaction, look, false,
			audit.JournalRead},
		{"GET /v1/explain", s.explainFound, look, false, audit.JournalRead},
		{"POST /v1/explain", s.explainCard, look, false, audit.JournalRead},
		{"GET /v1/worklist", s.worklist, look, false, audit.JournalRead},
		{"POST /v1/links/{center}/{act}", s.tell, steer, false, audit.LinkTold},
		{"POST /v1/links/{center}/{link}/{act}", s.tell, steer, false, audit.LinkTold},
		{"GET /v1/standin", s.standIns, see, false, 0},
		{"POST /v1/standin/simulate", s.simulate, look, false, audit.JournalRead},
		{"POST /v1/standin/{center}/{act}", s.orderStandIn, steer, false, audit.StandInOrdered},
		{"POST /v1/worklist/{id}/{act}", s.resolve, steer, false, audit.WorkListDecided},
		{"POST /v1/window", s.window, steer, false, audit.WindowRead},
		{"POST /v1/reload", s.reloadNow, change, false, audit.ConfigChanged},
		{"POST /v1/restart", s.restart, change, false, audit.ConfigChanged},
	}
}

// keyRoutes are about keys that are never in clear.
func (s *Server) keyRoutes() []route {
	see := []string{cardswitch.Operator, cardswitch.Administrator, cardswitch.Custodian,
		cardswitch.Approver, cardswitch.Auditor}
	move := []string{cardswitch.Administrator}
	end := []string{cardswitch.Approver}
	step := []string{cardswitch.Administrator, cardswitch.Approver} // which, see steerers
	return []route{
		{"GET /v1/keys", s.listKeys, see, false, 0},
		{"POST /v1/keys/generate", s.ordered(s.generateKey), move, false, 0},
		{"POST /v1/keys/exchange", s.ordered(s.exchangeKey), move, false, 0},
		{"POST /v1/keys/import", s.ordered(s.importKey), move, false, 0},
		{"POST /v1/keys/export", s.ordered(s.exportKey), move, false, 0},
		{"POST /v1/keys/step/{step}", s.ordered(s.stepKey), step, false, 0},
		{"POST /v1/keys/adopt", s.ordered(s.adoptKey), end, false, 0},
		{"POST /v1/keys/destroy", s.ordered(s.destroyKey), end, false, 0},
		// Nobody has a role for it: only the owner of a test installation.
		{"POST /v1/keys/clear", s.ordered(s.clearKey), nil, false, 0},
	}
}

// ceremonyRoutes are what several people do together. That each does only their part is the
// ceremony's matter; that nobody does another's is here too.
func (s *Server) ceremonyRoutes() []route {
	ask := []string{cardswitch.Administrator, cardswitch.Custodian}
	enter := []string{cardswitch.Custodian}
	approve := []string{cardswitch.Approver}
	end := []string{cardswitch.Administrator, cardswitch.Custodian, cardswitch.Approver}
	see := []string{cardswitch.Administrator, cardswitch.Custodian, cardswitch.Approver,
		cardswitch.Auditor}
	return []route{
		{"GET /v1/ceremonies", s.ceremonies, see, false, 0},
		{"POST /v1/ceremonies", s.startCeremony, ask, false, 0},
		{"POST /v1/ceremonies/{id}/component", s.component, enter, true, 0},
		{"POST /v1/ceremonies/{id}/approve", s.approve, approve, true, 0},
		{"POST /v1/ceremonies/{id}/cancel", s.cancel, end, false, 0},
	}
}
