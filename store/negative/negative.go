// Package negative keeps the cards that issuers have listed to be refused.
//
// An issuer has a regular file, replaced as a whole with an effective time (the new one takes over
// at its time, until then the old one holds), and emergency entries that count at once. An entry
// beats what the regular file says of its card; a release, the deletion of a card that stands in
// the regular file, counts until another file takes over.
//
// A regular file is an immutable sorted file of its own (file.go), built by an external merge sort
// (sorter.go) and mapped into memory; emergency entries lie in the journal's Pebble, in one batch
// with their records, and are mirrored in memory (urgent.go). What says which file counts (Meta) is
// there too, in the batch of the record that tells of its import: a file without it is litter of an
// import that died, and one that isn't what its Meta says isn't used.
//
// A lookup takes no lock, allocates nothing, and costs an atomic load of the files and one of the
// emergency entries' shard.
//
// Cards are kept as the store's keyed hashes only. Such a hash is one AES block under a key that is
// derived from the data key, so whoever has the data key can turn it back, and nobody else can tell
// anything by it. Lists for merchant centers need that (Export): each center compares by a key of
// its own, which may not even be agreed when a file is imported. A sealed column of card numbers
// beside the hashes would tell the same holder of the same key no more, for half as many bytes
// again; keeping the imported file would keep what the issuer sent beyond what is needed. What
// leaves is HMAC-SHA-256 under the center's key: it can look up the card at hand, and the list
// holds no card number, not even for the one that carries it.
package negative

import (
	"encoding/binary"
	"time"
)

// Hash is a card as the store names it: store.HashPAN.
type Hash = [16]byte

// Day is a day of the issuer's calendar, counted from 1970-01-01; 0: none.
type Day uint16

// DayOf is the day of a time in a zone.
func DayOf(t time.Time, zone *time.Location) Day {
	y, m, d := t.In(zone).Date()
	return Date(y, m, d)
}

// Date is the day of a date; 0 if it is before 1970 or too far off.
func Date(year int, month time.Month, day int) Day {
	n := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)
	if n < 0 || n > 1<<16-1 {
		return 0
	}
	return Day(n)
}

// DayIn is the day of a date that may be none; day 0 is the month's last.
func DayIn(year, month, day int) (Day, bool) {
	last := time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	if month < 1 || month > 12 || day < 0 || day > last {
		return 0, false
	}
	if day == 0 {
		day = last
	}
	d := Date(year, time.Month(month), day)
	return d, d != 0
}

// Time is midnight of the day in UTC, for printing.
func (d Day) Time() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// String is the date as 2026-11-26, empty for none.
func (d Day) String() string {
	if d == 0 {
		return ""
	}
	return d.Time().Format(time.DateOnly)
}

// Terms are what a list says of a card.
type Terms struct {
	Action uint16 // DE 39 to answer with: 1xx, or 2xx to pick the card up; 0: a release
	Reason uint16 // DE 25: 3000 lost to 3004 other; 0: none was given
	From   Day    // it counts from this day on; 0: at once
	Until  Day    // its last day; 0: without end
}

// Holds tells whether the terms count on a day.
func (t Terms) Holds(on Day) bool { return t.From <= on && (t.Until == 0 || on <= t.Until) }

// Entry is a card with its terms.
type Entry struct {
	Card Hash
	Terms
}

// An entry takes entrySize bytes: the hash, action code, reason, first and last day, big endian.
const (
	hashSize  = 16
	termsSize = 8
	entrySize = hashSize + termsSize
)

func (t Terms) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, t.Action)
	b = binary.BigEndian.AppendUint16(b, t.Reason)
	b = binary.BigEndian.AppendUint16(b, uint16(t.From))
	return binary.BigEndian.AppendUint16(b, uint16(t.Until))
}

// termsOf reads termsSize bytes.
func termsOf(b []byte) Terms {
	return Terms{Action: binary.BigEndian.Uint16(b), Reason: binary.BigEndian.Uint16(b[2:]),
		From: Day(binary.BigEndian.Uint16(b[4:])), Until: Day(binary.BigEndian.Uint16(b[6:]))}
}

func (e *Entry) append(b []byte) []byte { return e.Terms.append(append(b, e.Card[:]...)) }

// entryOf reads entrySize bytes.
func entryOf(b []byte) Entry { return Entry{Hash(b[:hashSize]), termsOf(b[hashSize:])} }

// Error says what couldn't be done, why, and what an operator can do.
type Error struct {
	Op   string
	Err  error
	Hint string
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Op + ": " + e.Err.Error()
	}
	return e.Op + ": " + e.Err.Error() + " (hint: " + e.Hint + ")"
}

func (e *Error) Unwrap() error { return e.Err }
