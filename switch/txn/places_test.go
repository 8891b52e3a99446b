package txn

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"cardswitch/store/journal"
)

func TestBucketIsOneCacheLine(t *testing.T) {
	if n := unsafe.Sizeof(bucket{}); n != 64 {
		t.Errorf("a bucket has %d bytes", n)
	}
}

// Against a map: the same questions are known at every moment, however they are added, asked for
// again and forgotten, and whatever share a bucket.
func TestQuestionsAgainstAMap(t *testing.T) {
	for _, limit := range []int{1, 2, 5, 64, 1000, 1 << 14} {
		r := rand.New(rand.NewPCG(uint64(limit), 7))
		q, known := NewQuestions(limit), make(map[journal.Key]uint64)
		next := uint32(0)
		for n := range uint64(8*limit + 200) {
			k := key(next)
			switch r.IntN(8) {
			case 0:
				k = key(r.Uint32N(uint32(4*limit + 4))) // some are asked again
			case 1:
				k[1] = byte(r.Uint32N(3)) // of another center, with the same trace number
				next++
			default:
				next++
			}
			if _, again := known[k]; !again && q.Full() {
				oldest, _ := q.Oldest()
				delete(known, oldest)
				q.Forget()
			}
			known[k] = n + 1
			place := q.Add(k, Question{Txn: n + 1})
			if at := q.At(k, place); at == nil || at.Txn != n+1 {
				t.Fatalf("limit %d: what was just added isn't at its place", limit)
			}
			probe := key(r.Uint32N(next + 9))
			got, ok := q.Find(probe)
			if want, there := known[probe]; ok != there || got.Txn != want {
				t.Fatalf("limit %d: found %v %v, want %v %v", limit, got.Txn, ok, want, there)
			}
		}
		if q.Len() != len(known) {
			t.Fatalf("limit %d: %d are remembered, want %d", limit, q.Len(), len(known))
		}
		for q.Len() > 0 {
			q.Forget()
		}
		for i, b := range q.places.buckets {
			if b.used != 0 || b.passed != 0 {
				t.Fatalf("limit %d: bucket %d isn't empty in the end: %+v", limit, i, b)
			}
		}
	}
}

func TestQuestionsDontAllocate(t *testing.T) {
	q := NewQuestions(1000)
	n := uint32(0)
	if a := testing.AllocsPerRun(5000, func() {
		if q.Full() {
			q.Forget()
		}
		q.Find(key(n))
		q.Add(key(n), Question{Txn: 1})
		n++
	}); a != 0 {
		t.Errorf("%v allocations a question", a)
	}
}

// Four merchants whose trace numbers go up, a million questions remembered: as at the peak.
func BenchmarkQuestions(b *testing.B) {
	q := NewQuestions(1 << 20)
	n := uint64(0)
	for b.Loop() {
		k := journal.KeyOf(1+uint16(n&3), 0x1200, 261122000000+n>>17, uint32(n>>2)%1000000, 7, 1)
		if q.Full() {
			q.Forget()
		}
		if _, ok := q.Find(k); !ok {
			q.Add(k, Question{Txn: n})
		}
		n++
	}
}
