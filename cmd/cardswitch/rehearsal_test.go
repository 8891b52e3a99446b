package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cardswitch/dr/drill"
	"cardswitch/hsm/keyring"
	"cardswitch/switch/admin"
)

// rehearsed orders a rehearsal at a node, and tells of what happens meanwhile.
func (m *machine) rehearsed(ctx context.Context, tell func(drill.Event)) *drill.Report {
	m.t.Helper()
	text, err := json.Marshal(drill.Order{Why: "quarterly", Bounds: drill.Bounds{Lag: patience}})
	if err != nil {
		m.t.Fatal(err)
	}
	r, err := m.node.Load().Drill(ctx, string(drill.Site), text, "abe",
		func(e any) { tell(e.(drill.Event)) })
	if err != nil {
		m.t.Fatal(err)
	}
	return r.(*drill.Report)
}

// noCopy waits until a node has no copy of its journal any more.
func (m *machine) noCopy() {
	m.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		_, err := os.Lstat(m.node.Load().rehearsalFolder())
		if n := m.node.Load(); os.IsNotExist(err) && n.hurting() == "" {
			return
		}
	}
	m.t.Fatal("the copy stays")
}

// twoSites are a node that serves, with a key, and one at another site that has all of it, and
// perhaps the same master key.
func twoSites(t *testing.T, sameMaster bool) (here, far *machine) {
	t.Helper()
	list := machines(t, 2)
	here, far = list[0], list[1]
	here.on()
	here.waits("the first is active", isActive)
	keys, by := here.node.Load().active.Load().keys, keyring.By{Who: "abe", Why: "test"}
	slot, err := keyring.ParseSlot("zek:sakura/primary")
	if err == nil {
		_, err = keys.Generate(t.Context(), by, keyring.Plan{Slot: slot})
	}
	if own, to := &here.config.Keys, &far.config.Keys; err == nil && sameMaster {
		err = errors.Join(os.MkdirAll(filepath.Dir(to.Master), 0o700), copyFile(own.Master, to.Master),
			copyFile(own.PassphraseFile, to.PassphraseFile))
	}
	if err != nil {
		t.Fatal(err)
	}
	far.on()
	here.waits("the far one has all", func(s *admin.ClusterStatus) bool {
		return len(s.Members) == 2 && s.Members[1].InSync && s.Members[1].Entries == 0
	})
	far.waits("it is told how far the first is", func(s *admin.ClusterStatus) bool {
		return s.State == "learner" && s.Heard != nil && s.Heard.Record > 0
	})
	return here, far
}

// A site that couldn't serve, as it has another master key, is found out.
func TestARehearsalThatFails(t *testing.T) {
	here, far := twoSites(t, false)
	r := here.rehearsed(t.Context(), func(drill.Event) {})
	if r.Outcome != drill.Failed || !strings.Contains(r.Because, "master key") ||
		len(r.Rehearsed) != 1 || r.Rehearsed[0].Ready != 0 {
		t.Errorf("%s %s", r.Outcome, r.Because)
	}
	far.noCopy()
}

// TestAPromotionIsRehearsed: the other site promotes a copy of its journal, be it ordered there or
// at the node that serves. All is as it was afterwards.
func TestAPromotionIsRehearsed(t *testing.T) {
	here, far := twoSites(t, true)
	before, beside := here.node.Load().ClusterStatus(), filesOf(t, far.config.Data.Dir)
	nothing := func(drill.Event) {}
	for _, at := range []*machine{here, far} {
		r := at.rehearsed(t.Context(), nothing)
		if r.Outcome != drill.Passed || len(r.Rehearsed) != 1 {
			t.Fatalf("%s %s %+v", r.Outcome, r.Because, r.Checks)
		}
		x := r.Rehearsed[0]
		if x.Node != 2 || x.Generation < 2 || x.Ready <= 0 || x.Last == 0 || x.Records < x.Last ||
			!x.Removed || x.Fault != "" || x.Keys != 1 || len(x.Steps) != 6 {
			t.Errorf("%+v", x)
		}
		far.noCopy()
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := here.rehearsed(ctx, func(e drill.Event) { // who ordered it goes away
		if strings.Contains(e.Text, "promotes a copy") {
			cancel()
		}
	})
	if r.Outcome != drill.Aborted {
		t.Errorf("%s %s", r.Outcome, r.Because)
	}
	far.noCopy()
	now := here.node.Load().ClusterStatus()
	if now.State != "active" || now.Term != before.Term || now.Generation != before.Generation ||
		here.anew.Load()+far.anew.Load() > 1 { // as the far one joined
		t.Errorf("it was %+v and is %+v", before, now)
	}
	if _, ok, err := far.node.Load().store.Promoted(); ok || err != nil {
		t.Errorf("the far one was promoted itself: %v", err)
	}
	far.waits("it follows", func(s *admin.ClusterStatus) bool {
		return s.State == "learner" && s.LastSeq == here.node.Load().store.LastSeq()
	})
	for name, text := range filesOf(t, far.config.Data.Dir) {
		if was, ok := beside[name]; ok && was != text {
			t.Errorf("%s has changed", name)
		}
	}
	if _, err := here.node.Load().rehearse(t.Context(), new(drill.Harm)); err == nil {
		t.Error("a node with a vote rehearses")
	}
}

// filesOf are the small files of a data folder, save what changes by itself.
func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		switch base := e.Name(); {
		case err != nil:
			return err
		case e.IsDir() && (base == "journal" || base == "index" || base == "audit" || base == "drills"):
			return filepath.SkipDir
		case e.Type().IsRegular():
			text, err := os.ReadFile(name)
			files[name] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRoomForARehearsal(t *testing.T) {
	for _, c := range []struct {
		need, free, kept uint64
		fits             bool
	}{{100, 300, 100, true}, {101, 300, 100, false}, {0, 199, 100, false}, {5, 0, 9, true}} {
		if err := roomFor(c.need<<20, c.free<<20, c.kept<<20); (err == nil) != c.fits {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
