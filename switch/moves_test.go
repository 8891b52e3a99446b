package cardswitch_test

import (
	"testing"
	"testing/synctest"

	"cardswitch/store/journal"
	"cardswitch/store/queue"
	"cardswitch/store/registry"
)

// What an outcome moves in the totals is in its record, or on the queue with the advice whose
// delivery moves it.
func TestRecordsSayWhatTheyMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, nil)
		bank, shop := y.open()
		shop.send("1200", sale(1, 500))
		bank.answer(bank.read("1200"), map[int]string{38: "A00001", 39: "000"})
		shop.read("1210")
		shop.send("1420", reversal(2, 1, 500))
		shop.read("1430")
		var owed []queue.Entry
		books := y.sw.Journal()
		id, _ := books.Registry().Lookup(registry.Center, "issuer-a")
		for e, err := range books.Queue(id) {
			if err != nil {
				t.Fatal(err)
			}
			owed = append(owed, e)
		}
		if len(owed) != 1 || owed[0].Source == 0 || owed[0].Amount != 500 || owed[0].Currency != 392 {
			t.Errorf("owed %+v", owed)
		}
		err := books.Replay(1, func(r *journal.Record) error {
			if r.Kind == journal.Opened && (r.Amount != 500 || r.Currency != 392) {
				t.Errorf("opened with %d of currency %d", r.Amount, r.Currency)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		y.close(shop, bank)
	})
}
