package queue

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"cardswitch/spec"
)

func TestWhatWasWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Owed{Center: rapid.Uint16().Draw(t, "center"), Entry: Entry{
			ID: rapid.Uint64().Draw(t, "id"), Txn: rapid.Uint64().Draw(t, "txn"),
			STAN: rapid.Uint32().Draw(t, "stan"), MTI: spec.MTI(rapid.Uint16().Draw(t, "mti")),
			DE12: rapid.Uint64().Draw(t, "de12"), Reason: rapid.Uint16().Draw(t, "reason"),
			At: rapid.Int64().Draw(t, "at"), Moves: rapid.Uint8().Draw(t, "moves"),
			Source: rapid.Uint16().Draw(t, "source"), OriginalDay: rapid.Uint32().Draw(t, "day"),
			OriginalSlice: rapid.Uint16().Draw(t, "slice"),
			Amount:        rapid.Uint64().Draw(t, "amount"), Processing: rapid.Uint32().Draw(t, "de3"),
			Currency: rapid.Uint16().Draw(t, "currency"), Day: rapid.Uint32().Draw(t, "day"),
			Slice: rapid.Uint16().Draw(t, "slice")}}
		copy(want.Card[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "card"))
		got, err := Parse(want.ID, Append(nil, &want))
		if err != nil || got != want {
			t.Fatalf("%+v came back as %+v, %v", want, got, err)
		}
	})
}

// TestEntryOfBeforeTotalsIsRead: what was owed when the program was replaced is still owed, and
// counts for nothing.
func TestEntryOfBeforeTotalsIsRead(t *testing.T) {
	want := Owed{Center: 3, Entry: Entry{ID: 1, Txn: 5, STAN: 77, MTI: 0x1420, At: 9}}
	b := Append(nil, &want)[:shortest]
	b[0] = 1
	if got, err := Parse(1, b); err != nil || got != want {
		t.Fatalf("%+v came back as %+v, %v", want, got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Append(nil, &Owed{Center: 1, Entry: Entry{Txn: 5}}))
	f.Add(Append(nil, &Owed{Center: 1, Entry: Entry{Txn: 5, Moves: 2, Amount: 500,
		Processing: 200000, Currency: 392, Day: 261122, Slice: 3}}))
	f.Add(append([]byte{1}, Append(nil, &Owed{Center: 1, Entry: Entry{Txn: 5}})[1:shortest]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := Parse(1, b)
		if err != nil {
			return
		}
		again := Append(nil, &o)
		if b[0] == 1 {
			again = append([]byte{1}, again[1:shortest]...)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%x reads as %+v, which is written otherwise", b, o)
		}
	})
}
