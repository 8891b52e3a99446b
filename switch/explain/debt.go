package explain

import (
	"fmt"
	"time"

	"cardswitch/spec"
	"cardswitch/store/journal"
	"cardswitch/switch/txn"
)

// owed is what some records owe, and what became of it.
func (e *Explainer) owed(records []journal.Record) ([]Debt, error) {
	var list []Debt
	images := e.Archive.Images()
	for i := range records {
		for _, kept := range images.Add(&records[i]) {
			if kept.Role == journal.Advice {
				list = append(list, e.debt(records, &records[i], kept.Message.MTI()))
			}
		}
	}
	return list, e.onWorkList(list)
}

// debt begins with the record that has the owed message.
func (e *Explainer) debt(records []journal.Record, began *journal.Record, mti spec.MTI) Debt {
	d := Debt{ID: began.Seq, Txn: records[0].Seq, Center: e.Names.Name(dest(records, began)),
		Since: time.Unix(0, began.At), State: Owing, Why: txn.Reason(began.Reason).String(),
		MTI: mti.String()}
	d.say("owed to %s: %s (%s)", d.Center, d.MTI, d.Why)
	for i := range records {
		r := &records[i]
		if r.Advice != d.ID {
			continue
		}
		switch r.Kind {
		case journal.Delivered:
			d.end(Paid, r)
			d.say("%s accepted it with %s, %s after it was owed", d.Center, action(r.Action),
				span(d.US))
		case journal.Shelved:
			d.end(Decides, r)
			d.say("%s: %s; it went to the work list", txn.Reason(r.Reason), shelvedFor(r))
		case journal.Resolved:
			d.resolved(r)
		}
	}
	return d
}

// dest is the center that a record owes to.
func dest(records []journal.Record, r *journal.Record) uint16 {
	if r.Dest != 0 {
		return r.Dest
	}
	return records[0].Dest
}

func shelvedFor(r *journal.Record) string {
	if r.Text != "" {
		return r.Text
	}
	return "its center answered " + action(r.Action)
}

// resolved is what a person decided about a debt on the work list.
func (d *Debt) resolved(r *journal.Record) {
	if txn.Reason(r.Reason) == txn.OperatorDropped {
		d.end(Dropped, r)
		d.say("dropped by a person: %s", r.Text)
		return
	}
	d.State, d.Ended, d.US, d.Action = Owing, time.Time{}, 0, ""
	d.say("given back to store and forward by a person: %s", r.Text)
}

func (d *Debt) end(state string, r *journal.Record) {
	d.State, d.Ended = state, time.Unix(0, r.At)
	d.US = d.Ended.Sub(d.Since).Microseconds()
	if r.Action != 0 {
		d.Action = fmt.Sprintf("%03d", r.Action)
	}
}

func (d *Debt) say(format string, args ...any) {
	d.Says = append(d.Says, fmt.Sprintf(format, args...))
}

// onWorkList believes the work list where the records say nothing yet.
func (e *Explainer) onWorkList(debts []Debt) error {
	if len(debts) == 0 {
		return nil
	}
	for owed, err := range e.Books.WorkList() {
		if err != nil {
			return err
		}
		for i := range debts {
			if d := &debts[i]; d.ID == owed.ID && d.State != Decides {
				d.State = Decides
				d.say("it is on the work list")
			}
		}
	}
	return nil
}
