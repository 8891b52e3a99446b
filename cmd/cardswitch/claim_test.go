package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cardswitch/store"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// bringBack puts the journal of a node that runs into a machine's data folder, as `backup restore`
// does.
func bringBack(t *testing.T, from, to *machine) {
	t.Helper()
	dir := to.config.Data.Dir
	_, err := from.node.Load().store.Checkpoint(filepath.Join(dir, "journal"))
	if err == nil {
		err = store.Disown(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func isBroughtBack(s *admin.ClusterStatus) bool { return s.State == admin.BroughtBack }

// refusedBy waits until a node was refused by another one, of what was brought back.
func (m *machine) refusedBy(other uint64) {
	m.t.Helper()
	text := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, p := range m.node.Load().wire.Wire().Status() {
			if text = p.LastError; p.Node == other && strings.Contains(text, "was brought back") {
				return
			}
		}
	}
	m.t.Fatalf("node %d hasn't refused it: %s", other, text)
}

// TestABackupStopsNobodyByItself: a journal that is brought back with the cluster's certificates
// leaves alone the node that still runs, whoever dials, also when it is started again. Once two
// people have agreed, it serves, and the other one stops for good.
func TestABackupStopsNobodyByItself(t *testing.T) {
	list := machines(t, 2)
	here, back := list[0], list[1]
	here.on()
	here.waits("the first is active", isActive)
	before := here.node.Load().ClusterStatus()
	bringBack(t, here, back)
	for range 2 { // it stays so
		back.on()
		back.waits("it waits", isBroughtBack)
		back.refusedBy(1)
		here.refusedBy(2)
		var p admin.Promotion
		back.waits("the other one is known to live", func(*admin.ClusterStatus) bool {
			p = back.node.Load().Promotion() // of the last two seconds
			return len(p.Reachable) > 0
		})
		if p.Why != "" || len(p.Reachable) != 1 || !strings.Contains(p.Former, "generation 1") {
			t.Errorf("%+v", p)
		}
		if s := back.node.Load().standby(); s.Reason != admin.WhyBroughtBack {
			t.Errorf("%+v", s)
		}
		if s := back.node.Load().ClusterStatus(); s.Leader != 0 || s.LeaseMS != 0 {
			t.Errorf("it leads: %+v", s)
		}
		back.off()
	}
	now := here.node.Load().ClusterStatus()
	if now.State != "active" || now.Term != before.Term || now.Generation != before.Generation {
		t.Errorf("the node that runs was %+v and is %+v", before, now)
	}
	back.on()
	err := back.node.Load().Promote(t.Context(), admin.Promoting{
		Wish: admin.Wish{Who: "abe", Why: "it is to go", Force: true}, Approver: "mori"})
	if err != nil {
		t.Fatal(err)
	}
	back.waits("it serves", isActive)
	if s := back.node.Load().ClusterStatus(); s.Generation < 2 {
		t.Errorf("%+v", s)
	}
	if err := here.ends(); err == nil || !strings.Contains(err.Error(), "another site was promoted") {
		t.Errorf("the old node ended with %v", err)
	}
	back.off()
	back.on() // nobody is asked again
	back.waits("it serves again", isActive)
	w, err := back.node.Load().active.Load().Window(here.config.Data.Dir, false,
		cardswitch.Resolution{Who: "abe", Why: "found"})
	if err != nil || w.Common == 0 || w.Last < w.Common {
		t.Errorf("what came after the backup is %+v, %v", w, err)
	}
}

// A node that is alone has nobody whom it could stop: it just starts. As one of a cluster the same
// journal waits.
func TestABackupOfANodeThatIsAlone(t *testing.T) {
	list := machines(t, 2)
	here, back := list[0], list[1]
	here.config.Cluster, back.config.Cluster = nil, nil
	here.on()
	here.waits("it is active", isActive)
	bringBack(t, here, back)
	here.off()
	for range 2 {
		back.on()
		back.waits("it is active", isActive)
		back.off()
	}
	s, err := store.Open(back.config.StoreOptions())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if claims, err := s.Claims(); !claims || err != nil {
		t.Errorf("with others about, nobody would be asked: %v", err)
	}
	if err := s.Claim(cardswitch.DefaultCluster, lone, "10.0.0.1:7400"); err != nil {
		t.Fatal(err)
	}
	if votes := s.Log().Member(lone).Kind; votes != kindOf(cardswitch.NodeLearner) {
		t.Errorf("it is a %s", votes)
	}
	if err := s.Promote(store.Promotion{Generation: 3, At: time.Now()}); err != nil {
		t.Error(err)
	}
	if claims, err := s.Claims(); claims || err != nil {
		t.Errorf("it waits still: %v", err)
	}
}
