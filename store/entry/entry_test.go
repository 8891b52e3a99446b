package entry

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// TestThinAndWhole: what is written is read, and an entry comes back from its thin form and its
// chunks byte for byte.
func TestThinAndWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		some := rapid.SliceOfN(rapid.Byte(), 0, 40)
		chunks := rapid.SliceOfN(some, 0, 5).Draw(rt, "chunks")
		b, lie := Begin(nil, len(chunks)), make(map[uint64][]byte)
		for i, c := range chunks {
			first := uint64(i*10 + 1)
			lie[first] = c
			b = AppendChunk(b, first, func(dst []byte) []byte { return append(dst, c...) })
		}
		var did [][2][]byte
		for range rapid.IntRange(0, 5).Draw(rt, "changes") {
			key, value := append([]byte{'v'}, some.Draw(rt, "key")...), some.Draw(rt, "value")
			if rapid.Bool().Draw(rt, "delete") {
				b, value = AppendDelete(b, key), nil
			} else {
				b, value = AppendSet(b, key, value), append([]byte{}, value...)
			}
			did = append(did, [2][]byte{key, value})
		}
		e, err := Parse(b)
		if err != nil {
			rt.Fatal(err)
		}
		check(rt, &e, lie, did)
		if len(chunks) > 0 && First(b) != 1 || len(chunks) == 0 && First(b) != 0 {
			rt.Fatalf("its first record is %d", First(b))
		}
		thin := Thin(nil, &e)
		if First(thin) != First(b) {
			rt.Fatalf("without its chunks its first record is %d", First(thin))
		}
		whole, err := Whole(nil, thin, func(first uint64) ([]byte, error) { return lie[first], nil })
		if err != nil || !bytes.Equal(whole, b) {
			rt.Fatalf("%x came back as %x, %v", b, whole, err)
		}
	})
}

func check(t *rapid.T, e *Entry, chunks map[uint64][]byte, did [][2][]byte) {
	if len(e.Chunks) != len(chunks) {
		t.Fatalf("%d chunks of %d", len(e.Chunks), len(chunks))
	}
	for _, c := range e.Chunks {
		if !bytes.Equal(c.Sealed, chunks[c.First]) {
			t.Fatalf("chunk %d is %x, not %x", c.First, c.Sealed, chunks[c.First])
		}
	}
	next := func(key, value []byte) {
		want := did[0]
		did = did[1:]
		same := bytes.Equal(key, want[0]) && bytes.Equal(value, want[1])
		if !same || (value == nil) != (want[1] == nil) {
			t.Fatalf("%x = %x, not %x", key, value, want)
		}
	}
	err := e.Changes.Each(next, func(key []byte) { next(key, nil) })
	if err != nil || len(did) > 0 {
		t.Fatalf("%v, %d changes are missing", err, len(did))
	}
}

func FuzzParse(f *testing.F) {
	b := AppendChunk(Begin(nil, 1), 7, func(dst []byte) []byte { return append(dst, "sealed"...) })
	f.Add(AppendDelete(AppendSet(b, []byte("vkey"), []byte("value")), []byte("q")))
	f.Add(Begin(nil, 65535))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(b)
		if err != nil {
			return
		}
		lie := make(map[uint64][]byte)
		for _, c := range e.Chunks {
			if other, ok := lie[c.First]; ok && !bytes.Equal(other, c.Sealed) {
				return // no journal has two
			}
			lie[c.First] = c.Sealed
		}
		whole, err := Whole(nil, Thin(nil, &e), func(first uint64) ([]byte, error) {
			return lie[first], nil
		})
		if err != nil || !bytes.Equal(whole, b) {
			t.Fatalf("%x came back as %x, %v", b, whole, err)
		}
		size := 0
		err = e.Changes.Each(func(key, value []byte) { size += len(key) + len(value) },
			func(key []byte) { size += len(key) })
		if size > len(b) || err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("%d bytes of changes from %d, %v", size, len(b), err)
		}
	})
}

// FuzzWhole: what a damaged log has of an entry is refused, or is an entry.
func FuzzWhole(f *testing.F) {
	b := AppendChunk(Begin(nil, 1), 7, func(dst []byte) []byte { return append(dst, "sealed"...) })
	e, err := Parse(b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(Thin(nil, &e))
	f.Fuzz(func(t *testing.T, thin []byte) {
		b, err := Whole(nil, thin, func(uint64) ([]byte, error) { return []byte("sealed"), nil })
		if err != nil {
			return
		}
		if _, err := Parse(b); err != nil {
			t.Fatalf("%x became %x: %v", thin, b, err)
		}
	})
}
