package index

import (
	"cardswitch/store/journal"
	"cmp"
	"slices"
)

// openSet knows the transactions that are opened and not closed. They open in rising order.
type openSet struct {
	list []openTxn
	done int // closed ones still in list
}

type openTxn struct {
	seq    uint64
	closed bool
}

func (o *openSet) opened(seq uint64) {
	if n := len(o.list); n == cap(o.list) && o.done > n/2 {
		o.list = slices.DeleteFunc(o.list, func(t openTxn) bool { return t.closed })
		o.done = 0
	}
	o.list = append(o.list, openTxn{seq: seq})
}

func (o *openSet) closed(seq uint64) {
	i, ok := slices.BinarySearchFunc(o.list, seq, func(t openTxn, seq uint64) int {
		return cmp.Compare(t.seq, seq)
	})
	if !ok || o.list[i].closed {
		return
	}
	o.list[i].closed = true
	o.done++
	for len(o.list) > 0 && o.list[0].closed {
		o.list = o.list[1:]
		o.done--
	}
}

// floor is the oldest open one, or next if none is open.
func (o *openSet) floor(next uint64) uint64 {
	if len(o.list) > 0 {
		return o.list[0].seq
	}
	return next
}

// note follows a record.
func (o *openSet) note(n *Note) {
	switch n.Kind {
	case journal.Opened:
		o.opened(n.Seq)
	case journal.Closed:
		o.closed(n.Txn)
	}
}
