package security_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"cardswitch/switch/security"
)

// Jobs of a lane keep their order; another lane doesn't wait for them.
func TestLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := security.NewLanes(100)
		var joined sync.WaitGroup
		for range 4 {
			joined.Go(l.Work)
		}
		began := time.Now()
		var order []int
		slow := security.Pair{1, 11}
		for i := range 10 {
			l.Submit(slow, false, func() {
				time.Sleep(time.Second)
				order = append(order, i)
			})
		}
		var quick time.Duration
		l.Submit(security.Pair{2, 12}, false, func() { quick = time.Since(began) })
		synctest.Wait()
		if quick != 0 || l.Waiting() != 10 || !l.Busy(slow) {
			t.Errorf("the other lane waited %v, %d wait", quick, l.Waiting())
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for i, n := range order {
			if i != n {
				t.Fatalf("the order is %v", order)
			}
		}
		if len(order) != 10 || l.Waiting() != 0 || l.Busy(slow) {
			t.Errorf("%d jobs are done, %d wait", len(order), l.Waiting())
		}
		l.Close()
		joined.Wait()
	})
}

// Four at once do four times as much.
func TestLanesWorkBesideEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := security.NewLanes(100)
		var joined sync.WaitGroup
		for range 4 {
			joined.Go(l.Work)
		}
		var done atomic.Int32
		for i := range 40 {
			in := security.Pair{uint64(i), uint64(i)}
			l.Submit(in, false, func() { time.Sleep(time.Second); done.Add(1) })
		}
		time.Sleep(10*time.Second + time.Millisecond)
		if done.Load() != 40 {
			t.Errorf("%d jobs of a second are done by four in ten seconds", done.Load())
		}
		l.Close()
		joined.Wait()
	})
}

// What finds no room is refused, or waits; nothing waits for ever.
func TestLanesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := security.NewLanes(2)
		var joined sync.WaitGroup
		for range 2 {
			l.Submit(security.Pair{1, 1}, false, func() { time.Sleep(time.Second) })
		}
		if l.Submit(security.Pair{2, 2}, false, func() {}) {
			t.Error("a third job is taken")
		}
		took := make(chan bool, 2)
		for range 2 {
			go func() { took <- l.Submit(security.Pair{2, 2}, true, func() {}) }()
		}
		synctest.Wait()
		if len(took) != 0 {
			t.Error("who would wait doesn't")
		}
		joined.Go(l.Work)
		time.Sleep(3 * time.Second)
		if !<-took || !<-took || l.Waiting() != 0 {
			t.Errorf("%d wait", l.Waiting())
		}
		l.Close()
		joined.Wait()
		if l.Submit(security.Pair{1, 1}, true, func() {}) {
			t.Error("a job is taken after the end")
		}
	})
}

// A message waits behind those of its terminal and behind those of its card, whatever other lanes
// they are in, and every job is done.
func TestLanesOfTerminalsAndCards(t *testing.T) {
	type one struct {
		in   security.Pair
		took time.Duration
	}
	rapid.Check(t, func(rt *rapid.T) {
		jobs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) one {
			return one{security.Pair{rapid.Uint64Range(1, 3).Draw(t, "terminal"),
				rapid.Uint64Range(1, 9).Draw(t, "card")},
				time.Duration(rapid.IntRange(0, 3).Draw(t, "took")) * time.Second}
		}), 1, 60).Draw(rt, "jobs")
		var mu sync.Mutex
		last, done, overtook := map[uint64]int{}, 0, 0
		synctest.Test(t, func(t *testing.T) {
			l := security.NewLanes(1000)
			var joined sync.WaitGroup
			for range 3 {
				joined.Go(l.Work)
			}
			for i, j := range jobs {
				l.Submit(j.in, false, func() {
					mu.Lock()
					for _, lane := range j.in {
						if last[lane] > i {
							overtook++
						}
						last[lane] = i
					}
					mu.Unlock()
					time.Sleep(j.took)
					mu.Lock()
					done++
					mu.Unlock()
				})
			}
			time.Sleep(time.Hour)
			if l.Waiting() != 0 || l.Busy(security.Pair{1, 2}) {
				t.Errorf("%d wait", l.Waiting())
			}
			l.Close()
			joined.Wait()
		})
		if done != len(jobs) || overtook != 0 {
			rt.Fatalf("%d of %d are done, %d too early", done, len(jobs), overtook)
		}
	})
}
