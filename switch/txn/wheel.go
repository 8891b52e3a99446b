package txn

// Wheel holds rows by their deadline in a ring of buckets, so that setting and lifting a deadline
// costs the same however many rows there are, and needs no timer of its own.
type Wheel struct {
	buckets []*Row
	tick    int64 // width of a bucket, nanoseconds
	now     int64 // tick up to which it has been turned
	count   int
}

// noBucket marks a row that is in no wheel.
const noBucket = -1

// NewWheel gives a wheel whose deadlines fall due at most one tick late.
func NewWheel(tick int64, buckets int, now int64) *Wheel {
	return &Wheel{buckets: make([]*Row, buckets), tick: tick, now: now / tick}
}

// Len counts the rows with a deadline.
func (w *Wheel) Len() int { return w.count }

// Set gives a row its deadline (unix nanoseconds); one that is past falls due at the next turn.
func (w *Wheel) Set(r *Row, deadline int64) {
	w.Lift(r)
	r.Deadline = deadline
	at := max(deadline/w.tick+1, w.now+1)
	b := int32(at % int64(len(w.buckets)))
	r.bucket = b
	r.prev, r.next = nil, w.buckets[b]
	if r.next != nil {
		r.next.prev = r
	}
	w.buckets[b] = r
	w.count++
}

// Lift takes a row's deadline away; one without a deadline is left alone.
func (w *Wheel) Lift(r *Row) {
	if r.bucket == noBucket {
		return
	}
	if r.prev != nil {
		r.prev.next = r.next
	} else {
		w.buckets[r.bucket] = r.next
	}
	if r.next != nil {
		r.next.prev = r.prev
	}
	r.next, r.prev, r.bucket = nil, nil, noBucket
	w.count--
}

// Turn moves the wheel to now and appends to due the rows whose time is up, at most limit; the
// rest falls due at the next turn. Their deadlines are lifted.
func (w *Wheel) Turn(due []*Row, now int64, limit int) []*Row {
	target := now / w.tick
	if target-w.now > int64(len(w.buckets)) {
		w.now = target - int64(len(w.buckets))
	}
	for w.now < target {
		b := (w.now + 1) % int64(len(w.buckets))
		for r := w.buckets[b]; r != nil; {
			next := r.next
			if r.Deadline <= now {
				if limit == 0 {
					return due
				}
				limit--
				w.Lift(r)
				due = append(due, r)
			}
			r = next
		}
		w.now++
	}
	return due
}
