package journal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"cardswitch/spec"
)

// ErrDamaged is wrapped by every error about bytes that this package can't have written.
var ErrDamaged = errors.New("damaged journal")

func damaged(what string) error { return fmt.Errorf("%w: %s", ErrDamaged, what) }

// reader takes values off the front of a slice. Its first failure sticks, and later reads give
// zeros.
type reader struct {
	b   []byte
	bad bool
}

func (d *reader) uint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *reader) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// bytes returns a view of the next n bytes; nil, and so a short read, if there aren't as many.
func (d *reader) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *reader) byte() byte {
	if v := d.bytes(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *reader) uint16() uint16 {
	if v := d.bytes(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (d *reader) fail() { d.bad, d.b = true, nil }

// part reads an unsigned value if its flag is set.
func (d *reader) part(present uint32, limit uint64) uint64 {
	if present == 0 {
		return 0
	}
	return d.uint(limit)
}

// record reads what appendRecord wrote, and what appendSecrets did from sealed. Text is copied; the
// images and their cuts are views of the chunk.
func (d *reader) record(r *Record, sealed *reader, seq uint64, base int64) error {
	*r = Record{Seq: seq, Txn: seq, At: base, Kind: Kind(d.byte())}
	head := d.bytes(flagBytes)
	if head == nil {
		return damaged("record cut short")
	}
	f := uint32(head[0]) | uint32(head[1])<<8 | uint32(head[2])<<16
	if f >= 1<<knownParts {
		return damaged("record with unknown parts; a newer version wrote it")
	}
	if f&hasTxn != 0 {
		r.Txn = seq - uint64(d.int())
	}
	r.Center = uint16(d.part(f&hasCenter, 1<<16-1))
	r.Dest = uint16(d.part(f&hasDest, 1<<16-1))
	r.STAN = uint32(d.part(f&hasSTAN, 1<<32-1))
	if f&hasMTI != 0 {
		r.MTI = spec.MTI(d.uint16())
	}
	r.Action = uint16(d.part(f&hasAction, 1<<16-1))
	r.Reason = uint16(d.part(f&hasReason, 1<<16-1))
	r.Function = uint16(d.part(f&hasFunction, 1<<16-1))
	r.Currency = uint16(d.part(f&hasCurrency, 1<<16-1))
	r.Amount = d.part(f&hasAmount, 1<<64-1)
	if f&hasKey != 0 {
		r.Key = d.key()
	}
	if f&hasPAN != 0 {
		r.PAN = sealed.pan()
	}
	d.tail(r, f, seq, base)
	if f&hasCuts != 0 {
		for i := range r.Images[:r.ImageCount] {
			r.Images[i].Cut = sealed.bytes(sealed.uint(1<<32 - 1))
		}
		sealed.bad = sealed.bad || !r.hasCuts()
	}
	if d.bad || sealed.bad {
		return damaged(fmt.Sprintf("record %d cut short", seq))
	}
	return nil
}

func (d *reader) tail(r *Record, f uint32, seq uint64, base int64) {
	if f&hasCard != 0 {
		copy(r.Card[:], d.bytes(uint64(len(r.Card))))
	}
	if f&hasReference != 0 {
		copy(r.Reference[:], d.bytes(uint64(len(r.Reference))))
	}
	if f&hasDeadline != 0 {
		r.Deadline = base + d.int()
	}
	if f&hasAdvice != 0 {
		r.Advice = seq - uint64(d.int())
	}
	if f&hasText != 0 {
		r.Text = string(d.bytes(d.uint(1<<32 - 1)))
	}
	if f&hasAt != 0 {
		r.At = base + d.int()
	}
	if f&hasImages != 0 {
		d.images(r)
	}
	r.Processing = uint32(d.part(f&hasProcessing, 1<<32-1))
	if f&hasTotals != 0 {
		r.Moves = d.byte()
		r.Slice = uint16(d.uint(1<<16 - 1))
		r.Day = uint32(d.uint(1<<32 - 1))
		r.MerchantDay = uint32(d.uint(1<<32 - 1))
	}
}

func (d *reader) key() Key {
	center := d.uint(1<<16 - 1)
	at := d.uint(1<<48 - 1)
	mti := d.uint16()
	stan := d.uint(1<<32 - 1)
	length := d.byte()
	return KeyOf(uint16(center), spec.MTI(mti), at, uint32(stan), d.uint(1<<64-1), length)
}

func (d *reader) images(r *Record) {
	n := d.byte()
	if n > MaxImages {
		d.fail()
		return
	}
	r.ImageCount = int(n)
	for i := range r.Images[:n] {
		m := &r.Images[i]
		roles := d.byte()
		m.Role, m.Base = Role(roles>>4), Role(roles&15)
		m.Link = uint16(d.uint(1<<16 - 1))
		m.Dialect = uint16(d.uint(1<<16 - 1))
		m.Data = d.bytes(d.uint(1<<32 - 1))
	}
}

func (d *reader) pan() spec.PAN {
	var digits [20]byte
	n := d.byte()
	packed := d.bytes(uint64(n+1) / 2)
	if n > 19 || packed == nil {
		d.fail()
		return spec.PAN{}
	}
	for i, c := range packed {
		digits[2*i], digits[2*i+1] = '0'+c>>4, '0'+c&15
	}
	p, err := spec.ParsePAN(string(digits[:n]))
	if err != nil {
		d.fail()
	}
	return p
}
