package settle

import (
	"encoding/binary"
	"errors"
	"time"
)

func utc() *time.Location { return time.UTC }

// The tables of the books, beside the journal, behind the byte that the store puts before them.
//
//	d p<center 2><day 4>             a period
//	d w<id 8>                        a difference that people must look at
//
// family keeps them apart from the tables of others there.
const (
	family       = 'd'
	familyPeriod = 'p'
	familyDiffer = 'w'
)

// PeriodKey is the key of a period.
func PeriodKey(center uint16, d Day) []byte {
	b := binary.BigEndian.AppendUint16([]byte{family, familyPeriod}, center)
	return binary.BigEndian.AppendUint32(b, uint32(d))
}

// PeriodsOf bounds the keys of a center's periods.
func PeriodsOf(center uint16) (from, to []byte) {
	from = binary.BigEndian.AppendUint16([]byte{family, familyPeriod}, center)
	return from, binary.BigEndian.AppendUint32(append([]byte(nil), from...), 1<<32-1)
}

// DifferKey is the key of an entry of the work list of differences.
func DifferKey(id uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{family, familyDiffer}, id)
}

// Differs bounds the keys of that work list.
func Differs() (from, to []byte) {
	return []byte{family, familyDiffer}, []byte{family, familyDiffer + 1}
}

const periodVersion = 1

// Append writes a period.
func (p *Period) Append(b []byte) []byte {
	b = append(b, periodVersion)
	b = binary.AppendUvarint(b, uint64(p.Day))
	b = append(b, byte(p.State))
	out := byte(0)
	if p.Out {
		out = 1
	}
	b = append(b, out)
	for _, v := range [...]uint64{uint64(p.Slice), p.Since, uint64(p.Opened), uint64(p.Ended),
		uint64(p.Agreed), uint64(p.Versions), uint64(p.Checked), uint64(p.SliceAt),
		uint64(p.Told), uint64(p.Sliced)} {
		b = binary.AppendUvarint(b, v)
	}
	for _, list := range [...][]uint16{p.Closed, p.OutAt} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, c := range list {
			b = binary.AppendUvarint(b, uint64(c))
		}
	}
	return b
}

var errPeriod = errors.New("damaged period")

// ParsePeriod reads what Append wrote.
func ParsePeriod(b []byte) (p Period, err error) {
	if len(b) == 0 || b[0] != periodVersion {
		return p, errPeriod
	}
	b = b[1:]
	bad := false
	next := func(limit uint64) uint64 {
		v, n := binary.Uvarint(b)
		if bad = bad || n <= 0 || v > limit; bad {
			return 0
		}
		b = b[n:]
		return v
	}
	const (
		any16, any32, any63 = 1<<16 - 1, 1<<32 - 1, 1<<63 - 1
	)
	p.Day, p.State, p.Out = Day(next(any32)), State(next(uint64(Agreed))), next(1) == 1
	p.Slice, p.Since = uint16(next(any16)), next(1<<64-1)
	p.Opened, p.Ended, p.Agreed = int64(next(any63)), int64(next(any63)), int64(next(any63))
	p.Versions, p.Checked = uint16(next(any16)), int64(next(any63))
	p.SliceAt, p.Told, p.Sliced = int64(next(any63)), uint16(next(any16)), uint16(next(any16))
	for _, list := range [...]*[]uint16{&p.Closed, &p.OutAt} {
		for range next(1000) {
			if *list = append(*list, uint16(next(any16))); bad {
				break
			}
		}
	}
	if bad || len(b) != 0 {
		return Period{}, errPeriod
	}
	return p, nil
}
