package ledger

// What can be wrong with an entry, to prove that it is found.
const (
	Drop   = "drop"   // it isn't in the book
	Double = "double" // it is there twice
	Alter  = "change" // with another amount
)

// Falsify makes the entry of a message wrong. Repeats and reversals still find it as it was booked:
// the center speaks as before, only its book is wrong.
func (l *Postings) Falsify(key, how string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.byKey[key]
	if p == nil || p.State != Approved {
		return
	}
	switch how {
	case Drop:
		p.dropped = true
		l.repairs = append(l.repairs, func() { p.dropped = false })
	case Double:
		second := *p
		second.Key += "/2"
		l.byKey[second.Key] = &second
		l.byRRN[p.RRN] = append(l.byRRN[p.RRN], &second)
		l.order = append(l.order, second.Key)
		l.repairs = append(l.repairs, func() { second.dropped = true })
	case Alter:
		p.Live, p.Moves = p.Live+1000, p.Moves+1000
		l.repairs = append(l.repairs, func() { p.Live, p.Moves = p.Live-1000, p.Moves-1000 })
	}
}

// Repair puts every entry right that Falsify made wrong.
func (l *Postings) Repair() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, repair := range l.repairs {
		repair()
	}
	l.repairs = nil
}
