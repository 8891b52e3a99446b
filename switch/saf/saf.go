// Package saf keeps what a center must still get: in order for each card, side by side over cards.
//
// A Queue is a plain value without a lock or a clock; the switch guards it, tells it the time and
// sends what is due. What is in it is durable in the store's queue, from which it is filled anew
// at start. Nothing ever expires: an advice leaves when the center has accepted it or when it goes
// to the work list, where people decide.
package saf

import (
	"container/heap"
	"slices"

	"cardswitch/store/queue"
)

// Item is one advice or reversal that a center must still get.
type Item struct {
	queue.Entry
	// Attempts counts how often it has been sent since the process started.
	Attempts int
	// Due is when it may be sent (unix nanoseconds).
	Due int64
	// Repeat: it may have been sent before, so it goes out with the repeat MTI.
	Repeat bool
	// After holds it back until the transaction of this number is closed; zero: not held.
	After uint64
	// InFlight: it has been sent and waits for its answer.
	InFlight bool

	lane *lane
}

// lane holds what is owed for one card, oldest first; only its head may be in flight.
type lane struct {
	key   [16]byte
	items []*Item
	place int // in the heap; -1 while its head is in flight or held
}

// Queue holds what one center must still get. The zero value is not ready; use New.
type Queue struct {
	items    map[uint64]*Item
	lanes    map[[16]byte]*lane
	held     map[uint64][]*Item
	ready    lanes
	inFlight int
}

// New gives an empty queue.
func New() *Queue {
	return &Queue{
		items: make(map[uint64]*Item),
		lanes: make(map[[16]byte]*lane),
		held:  make(map[uint64][]*Item),
	}
}

// Len counts what is owed; InFlight how much of it waits for an answer.
func (q *Queue) Len() int { return len(q.items) }

// InFlight counts what was sent and waits for an answer.
func (q *Queue) InFlight() int { return q.inFlight }

// Item gives the item with this number, or nil.
func (q *Queue) Item(id uint64) *Item { return q.items[id] }

// Owes tells whether something that is owed for a card is older than a transaction.
func (q *Queue) Owes(card [16]byte, txn uint64) bool {
	l := q.lanes[card]
	return l != nil && slices.ContainsFunc(l.items, func(i *Item) bool { return i.ID < txn })
}

// Each calls fn for every item, in no particular order.
func (q *Queue) Each(fn func(*Item)) {
	for _, item := range q.items {
		fn(item)
	}
}

// Add puts an item behind the others of its card. One without a card has a lane of its own.
func (q *Queue) Add(item *Item) {
	key := item.Card
	if key == ([16]byte{}) {
		for i := range 8 {
			key[8+i] = byte(item.ID >> (8 * i))
		}
	}
	l := q.lanes[key]
	if l == nil {
		l = &lane{key: key, place: -1}
		q.lanes[key] = l
	}
	item.lane = l
	l.items = append(l.items, item)
	q.items[item.ID] = item
	if item.After != 0 {
		q.held[item.After] = append(q.held[item.After], item)
	}
	q.offer(l)
}

// Release frees what was held back until transaction txn was closed.
func (q *Queue) Release(txn uint64) {
	for _, item := range q.held[txn] {
		item.After = 0
		if q.items[item.ID] == item {
			q.offer(item.lane)
		}
	}
	delete(q.held, txn)
}

// Take appends to dst at most limit items that are due at now and marks them in flight.
func (q *Queue) Take(dst []*Item, now int64, limit int) []*Item {
	for len(q.ready) > 0 && limit > 0 {
		l := q.ready[0]
		item := l.items[0]
		if item.Due > now {
			break
		}
		heap.Pop(&q.ready)
		item.InFlight = true
		q.inFlight++
		limit--
		dst = append(dst, item)
	}
	return dst
}

// NextDue is when the next item is due; false when none waits for its time.
func (q *Queue) NextDue() (int64, bool) {
	if len(q.ready) == 0 {
		return 0, false
	}
	return q.ready[0].items[0].Due, true
}

// Retry puts an item that was in flight back at the head of its card, due at the given time.
func (q *Queue) Retry(item *Item, due int64) {
	q.landed(item)
	item.Due = due
	q.offer(item.lane)
}

// Remove takes an item off: delivered, or gone to the work list.
func (q *Queue) Remove(item *Item) {
	if q.items[item.ID] != item {
		return
	}
	q.landed(item)
	delete(q.items, item.ID)
	l := item.lane
	if l.place >= 0 { // before the items change: the heap compares by them
		heap.Remove(&q.ready, l.place)
	}
	for i, other := range l.items {
		if other == item {
			l.items = append(l.items[:i], l.items[i+1:]...)
			break
		}
	}
	if len(l.items) == 0 {
		delete(q.lanes, l.key)
		return
	}
	q.offer(l)
}

func (q *Queue) landed(item *Item) {
	if item.InFlight {
		item.InFlight = false
		q.inFlight--
	}
}

// offer enters a lane among the ready ones, if its head may be sent at all.
func (q *Queue) offer(l *lane) {
	head := l.items[0]
	if head.InFlight || head.After != 0 {
		return
	}
	if l.place >= 0 {
		heap.Fix(&q.ready, l.place)
		return
	}
	heap.Push(&q.ready, l)
}

// lanes is a heap by when each lane's head is due, older items first at equal times.
type lanes []*lane

func (h lanes) Len() int { return len(h) }

func (h lanes) Less(i, j int) bool {
	a, b := h[i].items[0], h[j].items[0]
	if a.Due != b.Due {
		return a.Due < b.Due
	}
	return a.ID < b.ID
}

func (h lanes) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

// Push is heap.Interface's.
func (h *lanes) Push(x any) {
	l := x.(*lane)
	l.place = len(*h)
	*h = append(*h, l)
}

// Pop is heap.Interface's.
func (h *lanes) Pop() any {
	old := *h
	l := old[len(old)-1]
	*h = old[:len(old)-1]
	l.place = -1
	return l
}
