package total

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"cardswitch/spec"
	"cardswitch/store/journal"
)

// The table of reference iso8583-1993 section 5.7.
func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		mti        spec.MTI
		processing uint32
		want       Kind
	}{
		{0x1200, 0, Debit}, {0x1220, 10000, Debit}, {0x1201, 199999, Debit},
		{0x1200, 200000, Credit}, {0x1220, 290000, Credit},
		{0x1200, 400000, Transfer}, {0x1200, 499999, Transfer},
		{0x1200, 310000, Inquiry}, {0x1100, 310000, Inquiry},
		{0x1200, 500000, Payment}, {0x1220, 590000, Payment},
		{0x1100, 0, Authorization}, {0x1120, 200000, Authorization},
		{0x1200, 600000, None}, {0x1200, 990000, None},
		{0x1420, 0, None}, {0x1804, 0, None}, {0x1304, 0, None}, {0x1520, 0, None},
		{0x1604, 0, None},
	} {
		if got := KindOf(c.mti, c.processing); got != c.want {
			t.Errorf("%v %06d counts as %v, want %v", c.mti, c.processing, got, c.want)
		}
	}
	for k := None; k < Kinds; k++ {
		if r := k.Reversal(); r != None && (r.Reversed() != k || r.Reversal() != None ||
			r.HasAmount() != k.HasAmount()) {
			t.Errorf("%v is reversed by %v", k, r)
		}
	}
}

// The worked check of the reference: three sales, a return, one sale cancelled.
func TestWorkedCheck(t *testing.T) {
	var s Sums
	for _, amount := range []uint64{1000, 2000, 3000} {
		s.Add(Debit, amount)
	}
	s.Add(Credit, 500)
	s.Add(DebitReversal, 2000)
	if s[Debit] != (Sum{3, 6000}) || s[Credit] != (Sum{1, 500}) || s.Net() != -3500 {
		t.Fatalf("%+v, net %d", s, s.Net())
	}
}

func drawSums(t *rapid.T) (s Sums) {
	for k := range s {
		if rapid.Bool().Draw(t, "there") {
			s[k] = Sum{rapid.Uint64().Draw(t, "number"), rapid.Uint64().Draw(t, "amount")}
		}
	}
	return s
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawSums(t)
		if got, err := Parse(want.Append(nil)); err != nil || got != want {
			t.Fatalf("%v came back as %v, %v", want, got, err)
		}
		k := Key{rapid.Uint16().Draw(t, "center"), rapid.Uint16().Draw(t, "other"),
			rapid.Uint32().Draw(t, "day"), rapid.Uint16().Draw(t, "slice"),
			rapid.Uint16().Draw(t, "currency")}
		o := k
		o.Day = rapid.Uint32().Draw(t, "other day")
		if got, err := ParseKey(k.Append(nil)); err != nil || got != k {
			t.Fatalf("%v came back as %v, %v", k, got, err)
		}
		if k.Compare(o) != bytes.Compare(k.Append(nil), o.Append(nil)) {
			t.Fatalf("%v and %v are written in another order", k, o)
		}
	})
}

func FuzzParse(f *testing.F) {
	s := Sums{Debit: {3, 6000}, Credit: {1, 500}}
	f.Add(s.Append(nil))
	f.Add([]byte{Version})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := Parse(s.Append(nil)); err != nil || again != s {
			t.Fatalf("%x reads as %v, then as %v, %v", b, s, again, err)
		}
	})
}

// drawMoves draws records as the switch writes them, of few centers and days.
func drawMoves(t *rapid.T) []journal.Record {
	some := func(name string, most int) uint32 {
		return uint32(rapid.IntRange(0, most).Draw(t, name))
	}
	records := make([]journal.Record, some("records", 40))
	for i := range records {
		records[i] = journal.Record{Kind: journal.Kind(some("kind", 14)),
			Center: uint16(some("center", 2)), Dest: 3 + uint16(some("dest", 2)),
			Moves: uint8(some("moves", int(Kinds))), Amount: uint64(some("amount", 1000)),
			Currency: uint16(some("currency", 1)), Day: some("day", 2),
			Slice: uint16(some("slice", 2)), MerchantDay: some("merchant day", 1)}
	}
	return records
}

// Totals kept record by record and written once a batch are those that the records come to.
func TestDirtyRowsAreTheFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := drawMoves(t)
		kept, saved := NewTable(nil), map[Key]Sums{}
		batches := [2]Dirty{}
		for i, turn := 0, 0; i < len(records); turn++ {
			d := &batches[turn%2] // two, as of the switch, used again and again
			d.Rows = d.Rows[:0]
			for range rapid.IntRange(1, 5).Draw(t, "batch") {
				if i < len(records) {
					kept.Count(&records[i], d)
					i++
				}
			}
			seen := map[Key]bool{}
			for _, r := range d.Rows {
				if seen[r.Key] {
					t.Fatalf("%v twice in a batch", r.Key)
				}
				seen[r.Key], saved[r.Key] = true, r.Sums
			}
		}
		want := map[Key]Sums{}
		for i := range records {
			r := &records[i]
			if r.Moves == 0 || r.Kind == journal.Opened {
				continue
			}
			for _, key := range []Key{{Center: r.Dest, Other: r.Center, Day: r.Day, Slice: r.Slice,
				Currency: r.Currency}, {Center: r.Center, Other: r.Dest, Day: r.MerchantDay, Slice: 1,
				Currency: r.Currency}} {
				if key.Day != 0 {
					s := want[key]
					s.Add(Kind(r.Moves), r.Amount)
					want[key] = s
				}
			}
		}
		for key, s := range saved {
			if w := want[key]; w != s {
				t.Fatalf("%v: %v written, want %v", key, s, w)
			}
			delete(want, key)
		}
		for key, s := range want {
			if !s.IsZero() {
				t.Fatalf("%v: nothing written, want %v", key, s)
			}
		}
	})
}

func BenchmarkCount(b *testing.B) {
	r := journal.Record{Kind: journal.Closed, Center: 1, Dest: 2, Moves: uint8(Debit), Amount: 500,
		Currency: 392, Day: 261122, Slice: 1}
	t, d := NewTable(nil), &Dirty{}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Center, r.Dest = uint16(i&7), uint16(i>>3&3)
		t.Count(&r, d)
		if i&255 == 0 {
			d.Rows = d.Rows[:0]
		}
	}
}
