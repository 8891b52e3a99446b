package journal

import (
	"crypto/sha256"
	"errors"
	"testing"
)

// FuzzOpen gives a reader any bytes as a chunk: it must refuse them, as only the key's owner can
// seal.
func FuzzOpen(f *testing.F) {
	// The key is of this layout of records alone: what a fuzzer has kept of earlier ones holds
	// chunks that were sealed, not forged.
	layout := sha256.Sum256(sampleChunk(f, testKeys(f)))
	keys, err := NewKeys(layout[:])
	if err != nil {
		f.Fatal(err)
	}
	sample := sampleChunk(f, keys)
	f.Add(sample)
	f.Add(sample[:headerSize+tagSize])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		var c Chunk
		err := c.Open(value, keys)
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
		if err == nil && sha256.Sum256(value) != sha256.Sum256(sample) {
			t.Fatal("a forged chunk was opened")
		}
	})
}

// FuzzRecords gives a reader any bytes as the records and card numbers of a sound chunk. What it
// makes of them must be bounded, and what it accepts must be what is written again.
func FuzzRecords(f *testing.F) {
	r := reference(f)
	var w Writer
	w.Reset(7)
	w.Append(&r)
	f.Add(w.body, w.secrets, uint32(1))
	w.Append(&Record{Kind: Closed, Txn: 7, Text: "text"})
	f.Add(w.body, w.secrets, uint32(2))
	cut := r
	cut.Images[0].Cut = []byte{1, 2, '4', '2'}
	w.Append(&cut)
	f.Add(w.body, w.secrets, uint32(3))
	w.Append(&Record{Kind: Delivered, Txn: 7, Amount: 500, Processing: 200000, Currency: 392,
		Day: 261122, Slice: 3, Moves: 1})
	f.Add(w.body, w.secrets, uint32(4))
	f.Fuzz(func(t *testing.T, body, pans []byte, count uint32) {
		if count == 0 || uint64(count) > uint64(len(body)) {
			return
		}
		c := Chunk{Header: Header{First: 7, Count: count, At: r.At}, next: 7}
		c.rest, c.sealed = reader{b: body}, reader{b: pans}
		var again Writer
		again.Reset(7)
		again.at, again.count = r.At, 0
		var read Record
		for {
			ok, err := c.Next(&read)
			if err != nil {
				if !errors.Is(err, ErrDamaged) {
					t.Fatal(err)
				}
				return
			}
			if !ok {
				break
			}
			size := len(read.Text)
			for i := range read.Images[:read.ImageCount] {
				size += len(read.Images[i].Data) + len(read.Images[i].Cut)
			}
			if size > len(body)+len(pans) {
				t.Fatalf("%d bytes were made of %d", size, len(body)+len(pans))
			}
			again.body = appendRecord(again.body, &read, read.Seq, r.At)
			again.secrets = appendSecrets(again.secrets, &read)
		}
		second := Chunk{Header: c.Header, next: 7, rest: reader{b: again.body},
			sealed: reader{b: again.secrets}}
		for range count {
			var other Record
			if ok, err := second.Next(&other); !ok || err != nil {
				t.Fatalf("what was read and written again can't be read: %v", err)
			}
		}
	})
}
