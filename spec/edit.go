package spec

import "strconv"

// Edit is a set of changes to a message, filled once, applied by Dialect.Append, and reused. It
// copies what it is given. It holds what a message usually changes inline; more takes memory.
type Edit struct {
	mti     MTI // 0: as it was
	keep    Bitmap
	set     Bitmap
	numbers Bitmap // those of set that are to be filled with zeros to a fixed length
	narrow  bool   // keep counts
	used    int
	values  [129]valuePlace
	arena   [512]byte
	large   []byte // values that found no room in arena
}

// valuePlace is where a value lies: in arena, or behind it in large.
type valuePlace struct{ begin, end uint32 }

// Reset makes e an Edit that changes nothing.
func (e *Edit) Reset() {
	e.mti, e.keep, e.set, e.numbers = 0, Bitmap{}, Bitmap{}, Bitmap{}
	e.narrow, e.used, e.large = false, 0, e.large[:0]
}

// Wipe is Reset, and forgets the values too.
func (e *Edit) Wipe() {
	clear(e.arena[:])
	clear(e.large[:cap(e.large)])
	e.Reset()
}

// SetMTI changes the message type.
func (e *Edit) SetMTI(m MTI) { e.mti = m }

// KeepOnly drops every element of the message that is not in keep. What Set added stays.
func (e *Edit) KeepOnly(keep Bitmap) {
	if e.narrow {
		keep = keep.And(e.keep)
	}
	e.keep, e.narrow = keep, true
}

// Remove drops element n, whether the message has it or Set added it.
func (e *Edit) Remove(n int) {
	if !e.narrow {
		e.keep, e.narrow = Bitmap{^uint64(0), ^uint64(0)}, true
	}
	e.keep.Clear(n)
	e.set.Clear(n)
}

// Set gives element n a canonical value: ASCII characters, or bytes for a binary element.
func (e *Edit) Set(n int, canonical []byte) {
	if n < 2 || n > 128 {
		return
	}
	e.set.Set(n)
	e.numbers.Clear(n)
	if e.used+len(canonical) <= len(e.arena) {
		copy(e.arena[e.used:], canonical)
		e.values[n] = valuePlace{uint32(e.used), uint32(e.used + len(canonical))}
		e.used += len(canonical)
		return
	}
	begin := len(e.arena) + len(e.large)
	e.large = append(e.large, canonical...)
	e.values[n] = valuePlace{uint32(begin), uint32(begin + len(canonical))}
}

// SetNumber gives numeric element n a value, filled with zeros to its length if that is fixed.
func (e *Edit) SetNumber(n int, v uint64) {
	if n < 2 || n > 128 {
		return
	}
	var digits [20]byte
	e.Set(n, strconv.AppendUint(digits[:0], v, 10))
	e.numbers.Set(n)
}

func (e *Edit) value(n int) []byte {
	p := e.values[n]
	if int(p.begin) >= len(e.arena) && p.begin != p.end {
		return e.large[int(p.begin)-len(e.arena) : int(p.end)-len(e.arena)]
	}
	return e.arena[p.begin:p.end]
}
