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
			At: rapid.Int64().Draw(t, "at")}}
		copy(want.Card[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "card"))
		got, err := Parse(want.ID, Append(nil, &want))
		if err != nil || got != want {
			t.Fatalf("%+v came back as %+v, %v", want, got, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(Append(nil, &Owed{Center: 1, Entry: Entry{Txn: 5}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := Parse(1, b); err == nil && !bytes.Equal(Append(nil, &o), b) {
			t.Fatalf("%x reads as %+v, which is written otherwise", b, o)
		}
	})
}
