package keyring

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// While keys change, whoever asks gets the generation to send with, and can use it: no gap and no
// key that is gone.
func TestReadersSeeNoGap(t *testing.T) {
	r := openRing(t, nil)
	generate(t, r, "zek:sakura/a")
	generate(t, r, "zak:sakura:out")
	zak := slotOf(t, "zak:sakura:out")
	var stop atomic.Bool
	var asked atomic.Int64
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for last := uint16(0); !stop.Load(); asked.Add(1) {
				n, ok := r.LinkKeys("sakura/a")
				if !ok || n < last {
					t.Errorf("generation %d after %d, %v", n, last, ok)
					return
				}
				last = n
				prf, ok := r.PRF("sakura/a", n, time.Minute)
				if !ok {
					t.Errorf("generation %d is not accepted", n)
					return
				}
				if _, err := prf.PRF([]byte("a")); err != nil {
					t.Error(err)
					return
				}
				if _, _, err := r.Sender(zak); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 40 {
		generate(t, r, "zek:sakura/a")
		generate(t, r, "zak:sakura:out")
	}
	stop.Store(true)
	readers.Wait()
	if asked.Load() < 100 {
		t.Errorf("only %d questions were asked", asked.Load())
	}
}

func BenchmarkSender(b *testing.B) {
	r, err := Open(b.Context(), Options{Module: &twin{}})
	if err != nil {
		b.Fatal(err)
	}
	slot := Slot{Purpose: ZAK, Center: "sakura", Direction: Out}
	record, err := r.Generate(b.Context(), alice, Plan{Slot: slot})
	if err == nil {
		_, err = r.Serve(b.Context(), alice, record.ID)
	}
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := r.Sender(slot); err != nil {
			b.Fatal(err)
		}
	}
}
