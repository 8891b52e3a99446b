package journal

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// reference is an opened request as the switch writes it: 415 bytes of message and its forward as a
// patch.
func reference(t testing.TB) Record {
	r := Record{Kind: Opened, At: 1_790_000_000_123_456_789, Center: 3, Dest: 9, STAN: 123456,
		MTI: 0x1200, Function: 200, Currency: 392, Day: 261122, Amount: 12800,
		PAN:  pan(t, "4539123456781234"),
		Card: testKeys(t).HashPAN(pan(t, "4539123456781234")), Deadline: 1_790_000_020_123_456_789}
	copy(r.Reference[:], "261122000123")
	r.Key = KeyOf(3, 0x1200, 261122101530, 123456, 12345678901, 11)
	r.Add(Image{Role: Request, Link: 4, Dialect: 1, Data: sampleMessage(0)})
	r.Add(Image{Role: Forward, Base: Request, Link: 12, Dialect: 1,
		Data: []byte("\x01\x00123456654321")})
	return r
}

// sampleMessage is 415 bytes shaped like a request whose varying elements vary with n.
func sampleMessage(n int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	m := fmt.Appendf(nil, "1200\x72\x34\x05\x41\x28\xe0\x98\x02"+
		"1600000000000000000000%012d%06d%012d%012d2612%s5411%011d",
		rng.IntN(100000), rng.IntN(999999), 261122000000+rng.IntN(86400), 261122000000+rng.IntN(86400),
		"51010151114C", 12345678901)
	m = fmt.Appendf(m, "%012d%06d%08d%-15s%-40s", rng.IntN(1<<40), rng.IntN(999999),
		10000000+rng.IntN(5000), fmt.Sprintf("STORE%06d", rng.IntN(900)),
		"AOYAMA 1-1-1 MINATO-KU TOKYO JP")
	m = fmt.Appendf(m, "048")
	for len(m) < 415 {
		m = append(m, byte(rng.Uint32()))
	}
	return m[:415]
}

func BenchmarkEncode(b *testing.B) {
	r := reference(b)
	var w Writer
	w.Reset(1)
	b.ReportAllocs()
	for b.Loop() {
		if w.Size() > 64<<10 {
			w.Reset(1)
		}
		w.Append(&r)
	}
}

// BenchmarkSeal reports per record: compression, hash and seal of chunks of 64 KB.
func BenchmarkSeal(b *testing.B) {
	keys := testKeys(b)
	var w Writer
	w.Reset(1)
	for n := 0; w.Size() < 64<<10; n++ {
		r := reference(b)
		r.Images[0].Data = sampleMessage(n)
		r.PAN = pan(b, fmt.Sprintf("453912%010d", n))
		r.Card = keys.HashPAN(r.PAN)
		w.Append(&r)
		w.Append(&Record{Kind: Closed, Txn: 1, At: r.At, Action: 0, Amount: 5,
			ImageCount: 2, Images: [4]Image{{Role: Answer, Base: Forward, Data: sampleMessage(n)[100:150]}}})
	}
	s := NewSealer(keys, 1, Hash{})
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = s.Seal(dst[:0], &w)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(w.Len()/2), "ns/txn")
	b.ReportMetric(float64(len(dst))/float64(w.Len()/2), "bytes/txn")
	b.ReportMetric(float64(w.Size())/float64(w.Len()/2), "raw-bytes/txn")
}

func BenchmarkOpen(b *testing.B) {
	keys := testKeys(b)
	value := sampleChunk(b, keys)
	var c Chunk
	var r Record
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Open(value, keys); err != nil {
			b.Fatal(err)
		}
		for ok := true; ok; ok, _ = c.Next(&r) {
		}
	}
}

func BenchmarkHashPAN(b *testing.B) {
	keys := testKeys(b)
	p := pan(b, "4539123456781234")
	b.ReportAllocs()
	var h [16]byte
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h = keys.HashPAN(p)
		}
	})
	_ = h
}
