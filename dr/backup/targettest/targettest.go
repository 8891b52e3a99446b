// Package targettest holds every target of backups to what a target promises.
package targettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"time"

	"cardswitch/dr/backup"
)

// Run holds an empty target to it.
func Run(t *testing.T, target backup.Target) {
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	names := func(prefix string) (list []string) {
		t.Helper()
		must(target.List(ctx, prefix, func(l backup.Listed) error {
			list = append(list, l.Name)
			if is, err := target.Size(ctx, l.Name); err != nil || is != l.Size {
				t.Errorf("%s has %d bytes, the list says %d: %v", l.Name, is, l.Size, err)
			}
			if age := time.Since(l.Modified); age > time.Hour || age < -time.Hour {
				t.Errorf("%s was modified at %s", l.Name, l.Modified)
			}
			return nil
		}))
		return list
	}
	absent(ctx, t, target)
	if list := names(""); len(list) > 0 {
		t.Fatalf("there are %q", list)
	}
	var all []string
	for i := range 23 { // several pages of a list, written by several at once
		all = append(all, fmt.Sprintf("objects/%02x/%064x", i/3, i))
	}
	all = append(all, "backups/20261126T071626.000Z-00000000", "top")
	slices.Sort(all)
	var writers sync.WaitGroup
	for _, name := range all {
		writers.Go(func() {
			if err := target.Put(ctx, name, []byte(name)); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if list := names(""); !slices.Equal(list, all) {
		t.Errorf("there are %q", list)
	}
	if list := names("objects/"); !slices.Equal(list, all[1:24]) {
		t.Errorf("below objects there are %q", list)
	}
	if list := names("objects/01/000"); len(list) != 3 {
		t.Errorf("that begin so there are %q", list)
	}
	enough := errors.New("enough")
	if err := target.List(ctx, "", func(backup.Listed) error { return enough }); err != enough {
		t.Errorf("a list that is broken off: %v", err)
	}
	contents(ctx, t, target, all[3])
	must(target.Remove(ctx, all[3]))
	must(target.Remove(ctx, all[3]))
	if _, err := target.Get(ctx, all[3]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was removed: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := target.Put(ended, "late", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func absent(ctx context.Context, t *testing.T, target backup.Target) {
	t.Helper()
	if _, err := target.Get(ctx, "objects/nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("get: %v", err)
	}
	if _, err := target.Size(ctx, "objects/nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("size: %v", err)
	}
	if err := target.Remove(ctx, "objects/nothing"); err != nil {
		t.Errorf("remove: %v", err)
	}
}

// contents writes others in the place of one: empty, and as large as can be.
func contents(ctx context.Context, t *testing.T, target backup.Target, name string) {
	t.Helper()
	for _, size := range []int{0, 1, int(backup.MaxObject)} {
		object := bytes.Repeat([]byte{0, 1, 0xff}, size/3+1)[:size]
		if err := target.Put(ctx, name, object); err != nil {
			t.Fatal(err)
		}
		got, err := target.Get(ctx, name)
		if err != nil || !bytes.Equal(got, object) {
			t.Errorf("%d bytes came back as %d: %v", size, len(got), err)
		}
		if is, err := target.Size(ctx, name); is != int64(size) || err != nil {
			t.Errorf("%d bytes are %d: %v", size, is, err)
		}
	}
}
