package saf

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cardswitch/store/queue"
)

// Whatever happens, each card's advices go out in the order in which they were owed, one at a time,
// nothing is lost, and nothing goes out before it is due.
func TestOrderPerCard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := New()
		owed := map[byte][]uint64{} // per card, not yet done
		flying := map[uint64]*Item{}
		held := map[uint64]uint64{} // item by the transaction it waits for
		var id uint64
		now := int64(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0:
				id++
				card := byte(rapid.IntRange(1, 4).Draw(t, "card"))
				item := &Item{Entry: queue.Entry{ID: id, Card: [16]byte{card}}, Due: now}
				if rapid.IntRange(0, 5).Draw(t, "held") == 0 {
					item.After = 1000 + id
					held[id] = item.After
				}
				q.Add(item)
				owed[card] = append(owed[card], id)
			case 1:
				for _, item := range q.Take(nil, now, rapid.IntRange(1, 3).Draw(t, "limit")) {
					if want := owed[item.Card[0]][0]; item.ID != want {
						t.Fatalf("card %d: %d went before %d", item.Card[0], item.ID, want)
					}
					if item.Due > now || held[item.ID] != 0 || flying[item.ID] != nil {
						t.Fatalf("item %d went too early or twice", item.ID)
					}
					flying[item.ID] = item
				}
			case 2:
				for _, item := range flying {
					delete(flying, item.ID)
					owed[item.Card[0]] = owed[item.Card[0]][1:]
					q.Remove(item)
					break
				}
			case 3:
				for _, item := range flying {
					delete(flying, item.ID)
					q.Retry(item, now+int64(rapid.IntRange(0, 10).Draw(t, "wait")))
					break
				}
			case 4:
				now += 3
				for k, v := range held {
					delete(held, k)
					q.Release(v)
					break
				}
			}
			if q.InFlight() != len(flying) {
				t.Fatalf("in flight: %d, want %d", q.InFlight(), len(flying))
			}
		}
		for _, v := range held {
			q.Release(v)
		}
		for _, item := range flying {
			q.Retry(item, now)
		}
		empties(t, q, owed, now+1000)
	})
}

// empties takes everything that is left, card by card in order.
func empties(t *rapid.T, q *Queue, owed map[byte][]uint64, now int64) {
	for q.Len() > 0 {
		taken := q.Take(nil, now, 1)
		if len(taken) == 0 {
			t.Fatalf("%d items never become due", q.Len())
		}
		if want := owed[taken[0].Card[0]][0]; taken[0].ID != want {
			t.Fatalf("at the end: %d went before %d", taken[0].ID, want)
		}
		owed[taken[0].Card[0]] = owed[taken[0].Card[0]][1:]
		q.Remove(taken[0])
	}
	for card, left := range owed {
		if len(left) > 0 {
			t.Fatalf("card %d: lost %v", card, left)
		}
	}
}

func TestBackoff(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for attempts, want := range []time.Duration{5, 10, 20, 40, 60, 60, 60} {
		want *= time.Second
		for range 50 {
			got := Backoff(5*time.Second, time.Minute, attempts, random)
			if got < want*3/4 || got > want*5/4 {
				t.Fatalf("after %d attempts: %v, want about %v", attempts, got, want)
			}
		}
	}
}
