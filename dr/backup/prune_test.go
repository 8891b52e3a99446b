package backup

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestKeepChoosesByPeriods(t *testing.T) {
	var ids []string
	at := time.Date(2026, 11, 1, 0, 30, 0, 0, time.UTC)
	for n := range 24 * 26 { // every hour of 26 days
		ids = append(ids, newID(at.Add(time.Duration(n)*time.Hour), "00000000"))
	}
	kept, err := Keep{Last: 2, Hourly: 4, Daily: 3, Weekly: 2, Monthly: 5}.choose(ids)
	must(t, err)
	var days []string
	for _, id := range ids {
		if kept[id] {
			days = append(days, id[:11])
		}
	}
	want := []string{"20261122T23", "20261124T23", "20261125T23", "20261126T20", "20261126T21",
		"20261126T22", "20261126T23"}
	// The newest of November is that of the day; Sunday the 22nd ends a week.
	if !slices.Equal(days, want) {
		t.Errorf("kept %q, not %q", days, want)
	}
	if _, err := (Keep{}).choose([]string{"photos"}); err == nil {
		t.Error("something else was taken for a backup")
	}
}

// Whatever is asked, the newest stays, at most so many stay, and those that stay once, stay again.
func TestKeepProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		few := rapid.IntRange(0, 4)
		k := Keep{Last: few.Draw(rt, "last"), Hourly: few.Draw(rt, "hourly"),
			Daily: few.Draw(rt, "daily"), Weekly: few.Draw(rt, "weekly"),
			Monthly: few.Draw(rt, "monthly")}
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var ids []string
		for range rapid.IntRange(1, 60).Draw(rt, "backups") {
			at = at.Add(time.Duration(rapid.IntRange(1, 100).Draw(rt, "hours")) * time.Hour)
			ids = append(ids, newID(at, "00000000"))
		}
		kept, err := k.choose(ids)
		if err != nil || !kept[ids[len(ids)-1]] {
			rt.Fatalf("%v: the newest goes", err)
		}
		if most := max(k.Last, 1) + k.Hourly + k.Daily + k.Weekly + k.Monthly; len(kept) > most {
			rt.Fatalf("%d are kept, %d at most", len(kept), most)
		}
		var left []string
		for _, id := range ids {
			if kept[id] {
				left = append(left, id)
			}
		}
		again, err := k.choose(left)
		if err != nil || len(again) != len(left) {
			rt.Fatalf("of %d kept, %d are kept again: %v", len(left), len(again), err)
		}
	})
}

// What a prune leaves can be restored, and what it took away is gone.
func TestPrune(t *testing.T) {
	ctx, target := context.Background(), folderOf(t)
	y, r := newYard(t, 1), testRepository(t, target)
	var made []Manifest
	var were []string
	for range 5 {
		y.trade(20)
		y.restart()
		were = append(were, books(t, y.store))
		made = append(made, y.backup(r, Options{}))
	}
	must(t, r.Prove(ctx, made[1].ID))
	before := objects(t, target)
	p, err := r.Prune(ctx, Keep{Last: 2}, true)
	must(t, err)
	if len(p.Removed) != 2 || p.Objects == 0 || len(objects(t, target)) != len(before) {
		t.Errorf("dry: %+v", p)
	}
	p, err = r.Prune(ctx, Keep{Last: 2}, false)
	must(t, err)
	if want := []string{made[0].ID, made[2].ID}; !slices.Equal(p.Removed, want) {
		t.Errorf("%q were removed, not %q", p.Removed, want)
	}
	if after := objects(t, target); len(after) != len(before)-p.Objects-2 {
		t.Errorf("%d objects of %d are left, %d were removed", len(after), len(before), p.Objects)
	}
	for _, i := range []int{1, 3, 4} {
		s, _ := restored(t, r, &made[i])
		if books(t, s) != were[i] {
			t.Errorf("backup %d is something else", i)
		}
	}
	if _, err := r.Find(ctx, made[0].ID); err == nil {
		t.Error("the first is still there")
	}
}

// Nothing is removed while it isn't sure that the newest backup is whole.
func TestPruneKeepsTheLastGoodOne(t *testing.T) {
	ctx, target := context.Background(), folderOf(t)
	y, r := newYard(t, 2), testRepository(t, target)
	y.trade(5)
	y.backup(r, Options{})
	y.trade(5)
	newest := y.backup(r, Options{})
	all := objects(t, target)
	for name := range usedBy(t, r, &newest) {
		if name == aboutName {
			continue
		}
		must(t, os.Remove(target.path(name)))
		if strings.HasPrefix(name, manifestFolder) { // then the older one is the newest
			must(t, os.WriteFile(target.path(name), all[name][:20], 0o600))
		}
		if p, err := r.Prune(ctx, Keep{Last: 1}, false); err == nil {
			t.Errorf("without %s, %+v", name, p)
		}
		must(t, os.WriteFile(target.path(name), all[name], 0o600))
	}
	if left := objects(t, target); len(left) != len(all) {
		t.Errorf("%d objects of %d are left", len(left), len(all))
	}
}

// A prune that ends at any moment leaves backups that can be restored.
func TestPruneInterrupted(t *testing.T) {
	ctx := context.Background()
	for left := 0; ; left++ {
		target := folderOf(t)
		y, r := newYard(t, 3), testRepository(t, target)
		for range 2 {
			y.trade(5)
			y.backup(r, Options{})
		}
		was := books(t, y.store)
		r.target = &lossy{target, left}
		_, err := r.Prune(ctx, Keep{Last: 1}, false)
		r.target = target
		m, found := r.Find(ctx, "")
		must(t, found)
		s, _ := restored(t, r, &m)
		if books(t, s) != was {
			t.Errorf("after %d removals it is something else", left)
		}
		if err == nil {
			break
		}
	}
}

// lossy is a target that fails after so many removals.
type lossy struct {
	Target
	left int
}

func (l *lossy) Remove(ctx context.Context, name string) error {
	if l.left--; l.left < 0 && !strings.HasPrefix(name, claimFolder) {
		return fmt.Errorf("%w while it removed %s", errKilled, name)
	}
	return l.Target.Remove(ctx, name)
}
