package admin

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"cardswitch/store/journal"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/txn"
)

func (s *Server) worklist(w http.ResponseWriter, _ *http.Request) {
	items := []WorkItem{}
	for owed, err := range s.Journal.WorkList() {
		if err != nil {
			refuse(w, err)
			return
		}
		item := WorkItem{
			ID:         owed.ID,
			Txn:        owed.Txn,
			Center:     s.Names.Name(owed.Center),
			MTI:        owed.MTI.String(),
			STAN:       fmt.Sprintf("%06d", owed.STAN),
			Reason:     owed.Reason,
			ReasonText: txn.OwedFor(owed.Reason),
			Since:      time.Unix(0, owed.At),
		}
		if err := s.addHistory(&item); err != nil {
			refuse(w, err)
			return
		}
		items = append(items, item)
	}
	answer(w, items)
}

// addHistory takes from the transaction what the entry itself doesn't keep.
func (s *Server) addHistory(item *WorkItem) error {
	records, err := s.Journal.Transaction(item.Txn)
	if err != nil {
		return err
	}
	for i := range records {
		r := &records[i]
		if !r.PAN.IsZero() {
			item.PAN = r.PAN.String()
		}
		if r.Amount != 0 {
			item.Amount = r.Amount
		}
		if r.Advice != item.ID {
			continue
		}
		if r.Action != 0 {
			item.Action = fmt.Sprintf("%03d", r.Action)
		}
		if r.Kind == journal.Shelved {
			item.Shelved = txn.Reason(r.Reason).String()
			if r.Text != "" {
				item.Shelved += ": " + r.Text
			}
		}
	}
	return nil
}

func (s *Server) resolve(w http.ResponseWriter, r *http.Request) {
	id, err := pathNumber(r, "id")
	if err != nil {
		refuse(w, err)
		return
	}
	resolution := cardswitch.Resolution{Act: r.PathValue("act")}
	if resolution.Act != "retry" && resolution.Act != "drop" {
		refuse(w, &misuseError{fmt.Sprintf("the work list knows no %q", resolution.Act),
			"see `cardswitch worklist --help`"})
		return
	}
	if resolution.Who, resolution.Why, err = s.signature(w, r); err != nil {
		refuse(w, err)
		return
	}
	if err := s.onWorkList(id); err != nil {
		refuse(w, err)
		return
	}
	if err := s.Switch.Resolve(id, resolution); err != nil {
		refuse(w, err)
		return
	}
	answer(w, Done{fmt.Sprintf("%d: %s", id, resolution.Act)})
}

// signature reads who does something and why. Money may hang on it, so nobody does it unnamed. The
// kernel says who it is; whom they do it for, they may say.
func (s *Server) signature(w http.ResponseWriter, r *http.Request) (who, why string, err error) {
	var said struct{ Who, Why string }
	if err := body(w, r, &said); err != nil {
		return "", "", err
	}
	who, why = s.who(r).Name, strings.TrimSpace(said.Why)
	if other := strings.TrimSpace(said.Who); other != "" && other != who {
		who += " for " + other
	}
	if who == "" || why == "" {
		return "", "", &misuseError{"who and why must be said: they are kept in the journal",
			"add --who and --why"}
	}
	return who, why, nil
}

func (s *Server) onWorkList(id uint64) error {
	for owed, err := range s.Journal.WorkList() {
		if err != nil {
			return err
		}
		if owed.ID == id {
			return nil
		}
	}
	return &NotFoundError{fmt.Sprintf("advice %d is not on the work list", id),
		"`cardswitch worklist list` shows what is"}
}
