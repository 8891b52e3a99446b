package main

import (
	"strings"
	"testing"
	"time"

	"cardswitch/store"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// promote has two people do it.
func (m *machine) promote(force bool) {
	m.t.Helper()
	err := m.node.Load().Promote(m.t.Context(), admin.Promoting{
		Wish: admin.Wish{Who: "abe", Why: "both disks burnt", Force: force}, Approver: "mori"})
	if err != nil {
		m.t.Fatal(err)
	}
}

// TestOnlyTheWitnessOfALostSiteAnswers: of what a backup is of only the witness is left, which
// can't serve. It counts as one with a vote, so people must say that they know: by force the node
// goes on, and the witness stops.
func TestOnlyTheWitnessOfALostSiteAnswers(t *testing.T) {
	list := machines(t, 3)
	here, back, witness := list[0], list[1], list[2]
	witness.config.Cluster.Role = cardswitch.NodeWitness
	for _, m := range list {
		c := m.config.Cluster
		c.Members = append(here.config.Cluster.Members[:2:2], cardswitch.MemberConfig{Node: 3,
			Role: cardswitch.NodeWitness, Address: witness.config.Cluster.Listen})
	}
	witness.on()
	here.on()
	here.waits("the first is active", isActive)
	bringBack(t, here, back)
	here.off()
	back.on()
	back.waits("the witness is known to live", func(*admin.ClusterStatus) bool {
		p := back.node.Load().Promotion()
		return p.Why == "" && len(p.Reachable) == 1 &&
			strings.Contains(p.Reachable[0], "node 3 (witness)")
	})
	back.promote(true)
	back.waits("it serves", isActive)
	if err := witness.ends(); err == nil || !strings.Contains(err.Error(), "site was promoted") {
		t.Errorf("the witness ended with %v", err)
	}
}

// TestAPromotionIsAboveWhatABackupDoesntKnow: after the backup the cluster was promoted, more than
// once; then it was lost, and a node of it comes back when the one brought back serves. It is the
// one that stops.
func TestAPromotionIsAboveWhatABackupDoesntKnow(t *testing.T) {
	list := machines(t, 2)
	here, back := list[0], list[1]
	here.on()
	here.waits("the first is active", isActive)
	bringBack(t, here, back)
	here.off()
	s, err := store.Open(here.config.StoreOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Promote(store.Promotion{Generation: 3, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	back.on()
	back.waits("it waits", isBroughtBack)
	back.promote(false)
	back.waits("it serves", isActive)
	here.on()
	if err := here.ends(); err == nil || !strings.Contains(err.Error(), "site was promoted") {
		t.Errorf("the lost node ended with %v", err)
	}
	if s := back.node.Load().ClusterStatus(); !isActive(&s) {
		t.Errorf("the one that was promoted last is %+v", s)
	}
}
