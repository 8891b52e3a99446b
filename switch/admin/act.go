package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/link"
)

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	var st cardswitch.Status
	if s.Switch == nil {
		st = s.Standby()
	} else {
		st = s.Switch.Status()
	}
	if s.Drills != nil {
		st.Drills = s.Drills.Overdue()
	}
	answer(w, st)
}

func (s *Server) queues(w http.ResponseWriter, _ *http.Request) {
	queues := s.Switch.Queues()
	if queues == nil {
		queues = []cardswitch.QueueStatus{}
	}
	answer(w, queues)
}

func (s *Server) links(w http.ResponseWriter, _ *http.Request) {
	lines := []LinkLine{}
	for _, center := range s.Switch.Links().Centers {
		for i := range center.Lines {
			lines = append(lines, linkLine(&center, &center.Lines[i]))
		}
	}
	answer(w, lines)
}

func linkLine(center *link.CenterStatus, line *link.LineStatus) LinkLine {
	l := LinkLine{
		Center:      center.Name,
		Role:        center.Role,
		Link:        line.Name,
		Order:       line.Order,
		Address:     line.Address,
		Listens:     line.Listens,
		State:       line.State,
		Best:        center.Best == line.Name,
		Held:        line.Held,
		Sick:        line.Sick,
		Connections: len(line.Links),
		Window:      center.Window,
		FramesIn:    line.Counters.FramesIn,
		FramesOut:   line.Counters.FramesOut,
		Faulty:      line.Counters.Faulty,
		LastError:   line.LastError,
		Since:       line.LastDown,
		Protection:  line.Protection,
	}
	for _, connection := range line.Links {
		l.InFlight += connection.InFlight
		l.Remote = append(l.Remote, connection.Remote)
		l.Since = connection.Since
		if connection.Envelope != "" {
			l.Envelope = append(l.Envelope, connection.Envelope)
		}
	}
	return l
}

var acts = []cardswitch.LinkAct{
	cardswitch.LinkDrain, cardswitch.LinkResume, cardswitch.LinkForget,
	cardswitch.LinkSignOn, cardswitch.LinkSignOff, cardswitch.LinkEcho,
}

func (s *Server) tell(w http.ResponseWriter, r *http.Request) {
	center, line := r.PathValue("center"), r.PathValue("link")
	act := cardswitch.LinkAct(r.PathValue("act"))
	if !slices.Contains(acts, act) {
		refuse(w, &misuseError{fmt.Sprintf("a link knows no %q", act), "see `cardswitch link --help`"})
		return
	}
	if err := s.named(center, line); err != nil {
		refuse(w, err)
		return
	}
	told, err := s.Switch.Tell(r.Context(), center, line, act)
	if err != nil {
		refuse(w, err)
		return
	}
	name := center
	if line != "" {
		name += "/" + line
	}
	s.Logger.Info("an operator acted on a link", "act", act, "link", name)
	answer(w, LinkDone{Done{fmt.Sprintf("%s: %s", name, act)}, told})
}

func (s *Server) named(center, line string) error {
	const hint = "`cardswitch link list` shows them all"
	for _, c := range s.Switch.Links().Centers {
		if c.Name != center {
			continue
		}
		isNamed := func(l link.LineStatus) bool { return l.Name == line }
		if line == "" || slices.ContainsFunc(c.Lines, isNamed) {
			return nil
		}
		return &NotFoundError{fmt.Sprintf("center %s has no link %q", center, line), hint}
	}
	return &NotFoundError{fmt.Sprintf("no center is named %q", center), hint}
}

func (s *Server) explain(w http.ResponseWriter, r *http.Request) {
	var q cardswitch.Question
	if err := body(w, r, &q); err != nil {
		refuse(w, err)
		return
	}
	explanation, err := s.Switch.Explain(q)
	if err != nil {
		refuse(w, &misuseError{err.Error(), "see `cardswitch route explain --help`"})
		return
	}
	answer(w, explanation)
}

func (s *Server) restart(w http.ResponseWriter, r *http.Request) {
	err := s.Restart(r.Context())
	var hinted *hintedError
	if errors.As(err, &hinted) {
		refuse(w, err)
		return
	}
	if err != nil {
		refuse(w, &misuseError{"nothing was changed: " + err.Error(),
			"mend it and order the restart again; the node serves as before"})
		return
	}
	answer(w, Done{"it finishes what is in flight, then it starts anew"})
}

func (s *Server) reloadNow(w http.ResponseWriter, _ *http.Request) {
	if err := s.Reload(); err != nil {
		refuse(w, &misuseError{"nothing was changed: " + err.Error(),
			"mend it, see with `cardswitch config check`, and reload again"})
		return
	}
	answer(w, Done{"reloaded"})
}
