package admin

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"cardswitch/store/audit"
	cardswitch "cardswitch/switch"
)

// Validity checks from a file: who has the file opens a job, which is on record with the reason,
// and then asks card by card. Card numbers come in bodies and go nowhere but to the card's issuer;
// what comes back has them masked.

// CheckJob opens a job, or goes on with one.
type CheckJob struct {
	Job   uint64 `json:"job,omitempty"` // 0: a new one
	Cards int    `json:"cards"`
	Why   string `json:"why"`
}

// jobs are those that are open, and whose they are. They are forgotten at a restart: then whoever
// goes on opens his again, which is on record again.
type jobs struct {
	mu   sync.Mutex
	open map[uint64]string
}

// jobsOpen bounds the jobs that are open at once.
const jobsOpen = 100

func (s *Server) openChecks(w http.ResponseWriter, r *http.Request) {
	var o CheckJob
	if err := body(w, r, &o); err != nil {
		refuse(w, err)
		return
	}
	if strings.TrimSpace(o.Why) == "" || o.Cards < 1 {
		refuse(w, &misuseError{"how many cards and why must be said: it is kept in the audit log",
			"add --why"})
		return
	}
	if o.Job == 0 {
		o.Job = s.Switch.CheckJob(o.Cards)
	}
	who := s.who(r).Name
	s.jobs.mu.Lock()
	defer s.jobs.mu.Unlock()
	if s.jobs.open == nil || len(s.jobs.open) >= jobsOpen {
		s.jobs.open = make(map[uint64]string)
	}
	s.jobs.open[o.Job] = who
	s.Logger.Info("validity checks", "job", o.Job, "cards", o.Cards, "who", who)
	answer(w, o)
}

func (s *Server) checkCard(w http.ResponseWriter, r *http.Request) {
	job, err := strconv.ParseUint(r.PathValue("job"), 10, 64)
	if err != nil {
		refuse(w, &misuseError{"that is no job", "open one first"})
		return
	}
	s.jobs.mu.Lock()
	who, open := s.jobs.open[job]
	s.jobs.mu.Unlock()
	if !open || who != s.who(r).Name {
		refuse(w, &NotFoundError{fmt.Sprintf("you have no job %d here", job), "open it again"})
		return
	}
	var q cardswitch.CardCheck
	if err := body(w, r, &q); err != nil {
		refuse(w, err)
		return
	}
	if q.Line < 1 {
		refuse(w, &misuseError{"a check has a line from 1 on", "use the command"})
		return
	}
	q.Job = job
	checked, err := s.Switch.CheckCard(r.Context(), q)
	if err != nil {
		refuse(w, err)
		return
	}
	answer(w, checked)
}

// checkRoutes are about validity checks. Nobody sees a card number by them that they didn't have.
func (s *Server) checkRoutes() []route {
	ask := []string{cardswitch.Operator, cardswitch.Administrator}
	return []route{
		{"POST /v1/checks", s.openChecks, ask, false, audit.CardsChecked},
		{"POST /v1/checks/{job}", s.checkCard, ask, false, 0},
	}
}
