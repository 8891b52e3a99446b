package journal

import (
	"bytes"
	"errors"
	"testing"

	"cardswitch/spec"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func testKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := NewKeys(bytes.Repeat([]byte{7}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pan(t testing.TB, digits string) spec.PAN {
	t.Helper()
	p, err := spec.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// drawRecord draws any record that the switch could write, and many that it wouldn't.
func drawRecord(t *rapid.T, at int64) Record {
	number := func(name string, limit uint64) uint64 {
		return rapid.Uint64Range(0, limit).Draw(t, name)
	}
	r := Record{
		At:     at + rapid.SampledFrom([]int64{0, 0, 1, -1, 1e9}).Draw(t, "at"),
		Kind:   Kind(number("kind", 11)),
		Center: uint16(number("center", 1<<16-1)), Dest: uint16(number("dest", 300)),
		STAN: uint32(number("stan", 999999)), MTI: spec.MTI(number("mti", 1<<16-1)),
		Action: uint16(number("action", 999)), Reason: uint16(number("reason", 9999)),
		Function: uint16(number("function", 999)), Currency: uint16(number("currency", 999)),
		Amount: number("amount", 1<<64-1), Processing: uint32(number("de3", 999999)),
		Day: uint32(number("day", 991231)), Slice: uint16(number("slice", 999)),
		Moves: uint8(number("moves", 255)), MerchantDay: uint32(number("merchant day", 991231)),
		Deadline: int64(number("deadline", 1<<62)),
		Advice:   number("advice", 1<<62), Text: rapid.String().Draw(t, "text"),
	}
	if rapid.Bool().Draw(t, "question") {
		r.Key = KeyOf(r.Center, r.MTI, number("de12", 999999999999), r.STAN,
			number("de32", 99999999999), uint8(number("de32len", 11)))
	}
	if digits := rapid.StringMatching(`([0-9]{1,19})?`).Draw(t, "pan"); digits != "" {
		r.PAN, _ = spec.ParsePAN(digits)
		copy(r.Card[:], digits)
	}
	copy(r.Reference[:], rapid.StringN(0, 12, 12).Draw(t, "rrn"))
	for range rapid.IntRange(0, MaxImages).Draw(t, "images") {
		r.Add(Image{Role: Role(number("role", 15)), Base: Role(number("base", 15)),
			Link: uint16(number("link", 1<<16-1)), Dialect: uint16(number("dialect", 9)),
			Data: rapid.SliceOfN(rapid.Byte(), 0, 500).Draw(t, "data"),
			Cut:  rapid.SliceOfN(rapid.Byte(), 0, 30).Draw(t, "cut")})
	}
	return r
}

var sameRecord = cmp.Options{
	cmp.Comparer(func(a, b spec.PAN) bool { return a == b }),
	cmp.Comparer(func(a, b Image) bool {
		return a.Role == b.Role && a.Base == b.Base && a.Link == b.Link &&
			a.Dialect == b.Dialect && bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Cut, b.Cut)
	}),
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	keys := testKeys(t)
	rapid.Check(t, func(t *rapid.T) {
		sealer := NewSealer(keys, 3, Hash{1})
		var w Writer
		var c Chunk
		seq, previous := rapid.Uint64Range(1, 1<<60).Draw(t, "first"), Hash{1}
		for range rapid.IntRange(1, 3).Draw(t, "chunks") {
			w.Reset(seq)
			var want []Record
			for i := range rapid.IntRange(1, 6).Draw(t, "records") {
				r := drawRecord(t, 1_700_000_000_000_000_000)
				w.Append(&r)
				r.Seq, r.Txn = seq+uint64(i), seq+uint64(i)
				want = append(want, r)
			}
			value := sealer.Seal(nil, &w)
			if err := c.Open(value, keys); err != nil {
				t.Fatal(err)
			}
			if c.Previous != previous || c.Epoch != 3 || c.First != seq {
				t.Fatalf("header %+v", c.Header)
			}
			previous, seq = c.Hash, seq+uint64(len(want))
			if diff := cmp.Diff(want, readAll(t, &c), sameRecord); diff != "" {
				t.Fatal(diff)
			}
		}
		if sealer.Last() != previous {
			t.Fatal("the sealer and the reader disagree about the chain")
		}
	})
}

func readAll(t interface{ Fatal(...any) }, c *Chunk) []Record {
	var all []Record
	for {
		var r Record
		ok, err := c.Next(&r)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return all
		}
		all = append(all, r.Clone())
	}
}

func TestTxnIsKept(t *testing.T) {
	keys := testKeys(t)
	for _, txn := range []uint64{1, 99, 100, 1 << 50} {
		var w Writer
		w.Reset(100)
		w.Append(&Record{Kind: Closed, Txn: txn})
		var c Chunk
		if err := c.Open(NewSealer(keys, 0, Hash{}).Seal(nil, &w), keys); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, &c)[0].Txn; got != txn {
			t.Errorf("txn %d came back as %d", txn, got)
		}
	}
}

// sampleChunk holds two records, one of them with a card. It is the same in every process.
func sampleChunk(t testing.TB, k *Keys) []byte {
	var w Writer
	w.Reset(7)
	r := reference(t)
	w.Append(&r)
	w.Append(&Record{Kind: Closed, Txn: 7, Action: 0, At: r.At})
	s := NewSealer(k, 1, Hash{9})
	s.nonces.next = 1
	return s.Seal(nil, &w)
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	keys := testKeys(t)
	value := sampleChunk(t, keys)
	var c Chunk
	for i := range value {
		for bit := range 8 {
			bad := bytes.Clone(value)
			bad[i] ^= 1 << bit
			if err := c.Open(bad, keys); !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d bit %d: %v", i, bit, err)
			}
		}
	}
	if err := c.Open(value, keys); err != nil {
		t.Fatal(err)
	}
}

func TestAnotherKeyOpensNothing(t *testing.T) {
	value := sampleChunk(t, testKeys(t))
	other, err := NewKeys(bytes.Repeat([]byte{8}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	var c Chunk
	if err := c.Open(value, other); !errors.Is(err, ErrDamaged) {
		t.Fatal(err)
	}
}

func TestChunkHoldsNoCardDigits(t *testing.T) {
	var w Writer
	w.Reset(1)
	number := "4539123456781234"
	w.Append(&Record{Kind: Opened, PAN: pan(t, number)})
	value := NewSealer(testKeys(t), 0, Hash{}).Seal(nil, &w)
	packed := appendPAN(nil, []byte(number))[1:]
	if bytes.Contains(value, []byte(number[6:12])) || bytes.Contains(value, packed[2:]) {
		t.Fatal("the chunk shows the card number")
	}
}

func TestNoncesDontRepeat(t *testing.T) {
	seen := map[[12]byte]bool{}
	for range 50 {
		s := NewSealer(testKeys(t), 0, Hash{})
		for i := range 6 {
			if i == 2 {
				s.nonces.next = 1<<32 - 2 // so that it wraps
			}
			var nonce [12]byte
			s.nonces.fill(nonce[:])
			if seen[nonce] {
				t.Fatal("a nonce came twice")
			}
			seen[nonce] = true
		}
	}
}

func TestHashPAN(t *testing.T) {
	k := testKeys(t)
	seen := map[[16]byte]string{}
	for _, digits := range []string{"4539123456781234", "04539123456781234", "4539123456781235",
		"0", "00", "9999999999999999999", "999999999999999999"} {
		h := k.HashPAN(pan(t, digits))
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s share a hash", digits, other)
		}
		if seen[h] = digits; h != k.HashPAN(pan(t, digits)) {
			t.Errorf("the hash of %s isn't stable", digits)
		}
	}
	if k.HashPAN(spec.PAN{}) != [16]byte{} {
		t.Error("no card has a hash")
	}
	if n := testing.AllocsPerRun(100, func() { k.HashPAN(spec.PAN{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestKeySortsByCenterThenTime(t *testing.T) {
	keys := []Key{
		KeyOf(1, 0x1200, 260101000000, 999999, 99999999999, 11),
		KeyOf(1, 0x1200, 260101000001, 1, 1, 1),
		KeyOf(2, 0x1100, 250101000000, 1, 1, 1),
	}
	for i := range keys[1:] {
		if keys[i].Compare(keys[i+1]) >= 0 {
			t.Errorf("key %d doesn't sort before the next", i)
		}
	}
	k := KeyOf(513, 0x1421, 261231235959, 123456, 12345678901, 11)
	if k != KeyOf(513, 0x1420, 261231235959, 123456, 12345678901, 11) {
		t.Error("a repeat asks another question")
	}
	if k.Center() != 513 || k.LocalTime() != 261231235959 || k.STAN() != 123456 ||
		k.Acquirer() != 12345678901 || k.AcquirerLen() != 11 || k.MTI() != 0x1420 {
		t.Errorf("%x reads back wrongly", k)
	}
}
