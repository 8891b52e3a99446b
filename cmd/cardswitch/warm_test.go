package main

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"cardswitch/conformance/issuer"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// TestStandbysAreReady: nodes that follow keep a connection with an issuer on which nothing is
// said; the one that takes over signs on over that very one, and the node before keeps one again.
func TestStandbysAreReady(t *testing.T) {
	bank := openBank(t, 3)
	list := machines(t, 3)
	var members []cardswitch.MemberConfig
	for i, m := range list {
		members = append(members, cardswitch.MemberConfig{Node: uint64(i + 1),
			Role: cardswitch.NodeData, Address: m.config.Cluster.Listen})
	}
	for i, m := range list {
		m.config.Cluster.Role, m.config.Cluster.Members = cardswitch.NodeData, members
		m.linkTo(bank, i)
	}
	for _, m := range list {
		m.on()
	}
	// A busy machine may have nodes vote without being asked to, in a round or two.
	for rounds := 1; !bank.takenOver(t, list); rounds++ {
		if rounds == 10 {
			t.Fatal("whoever takes over dials")
		}
	}
	changed := list[0]
	changed.config.Centers = withoutWarm(changed.config.Centers)
	if err := changed.node.Load().reconfigure(); err != nil {
		t.Fatal(err)
	}
	changed.waits("a new configuration wants none", func(s *admin.ClusterStatus) bool {
		return len(s.Warm) == 0
	})
}

// branches is an issuer with a link for each node.
type branches struct {
	*issuer.Issuer
	dialled map[string]*atomic.Int32 // how often, by address
}

func openBank(t *testing.T, nodes int) *branches {
	b := &branches{dialled: map[string]*atomic.Int32{}}
	o := issuer.Options{Name: "bank", ListenFunc: func(at string) (net.Listener, error) {
		l, err := net.Listen("tcp", at)
		if err != nil {
			return nil, err
		}
		n := new(atomic.Int32)
		b.dialled[l.Addr().String()] = n
		return &counted{l, n}, nil
	}}
	for n := range nodes {
		o.Links = append(o.Links, issuer.Link{Name: branch(n), Listen: "127.0.0.1:0", Idle: true})
	}
	var err error
	if b.Issuer, err = issuer.Start(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func branch(place int) string { return fmt.Sprint("of-", place) }

// counted counts who connects.
type counted struct {
	net.Listener
	n *atomic.Int32
}

func (l *counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.n.Add(1)
	}
	return c, err
}

// dials is how often a node has dialled its branch.
func (b *branches) dials(place int) int32 { return b.dialled[b.Address(branch(place))].Load() }

// takenOver has another node lead, and tells whether it has signed on without dialing.
func (b *branches) takenOver(t *testing.T, list []*machine) bool {
	t.Helper()
	first := leads(t, list)
	list[first].waits("the active one keeps none ready", func(s *admin.ClusterStatus) bool {
		return !isActive(s) || s.Warm == nil
	})
	before := make([]int32, len(list))
	for i, m := range list {
		if i != first {
			m.waits("a standby is ready", func(s *admin.ClusterStatus) bool {
				return isActive(s) || ready(s)
			})
		}
		before[i] = b.dials(i)
	}
	if _, err := list[first].node.Load().Transfer(t.Context(), 0); err != nil {
		t.Log(err)
		return false
	}
	second := leads(t, list)
	for end := time.Now().Add(patience); !b.SignedOn(branch(second)); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Log("it hasn't signed on")
			return false
		}
	}
	dialled := b.dials(second) - before[second]
	t.Logf("node %d after node %d, with %d dials", second+1, first+1, dialled)
	if second == first || dialled > 0 {
		return false
	}
	list[first].waits("who led is ready", func(s *admin.ClusterStatus) bool {
		return isActive(s) || ready(s)
	})
	return true
}

// linkTo has a node dial its branch as the primary of the first issuer, and keep that ready.
func (m *machine) linkTo(b *branches, place int) {
	for c := range m.config.Centers {
		if center := &m.config.Centers[c]; center.Role == cardswitch.RoleIssuer {
			l := &center.Links[0]
			l.Dial, l.Warm, l.Envelope = b.Address(branch(place)), true, nil
			return
		}
	}
}

func withoutWarm(centers []cardswitch.CenterConfig) (out []cardswitch.CenterConfig) {
	for _, c := range centers {
		links := append([]cardswitch.LinkConfig(nil), c.Links...)
		for l := range links {
			links[l].Warm = false
		}
		c.Links = links
		out = append(out, c)
	}
	return out
}

// leads waits for the node that is the active one, and gives its place.
func leads(t *testing.T, list []*machine) int {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for i, m := range list {
			if s := m.node.Load().ClusterStatus(); isActive(&s) {
				return i
			}
		}
	}
	t.Fatal("no node is the active one")
	return -1
}

// ready tells whether all that is to be ready is.
func ready(s *admin.ClusterStatus) bool {
	for i := range s.Warm {
		if !s.Warm[i].Ready {
			return false
		}
	}
	return len(s.Warm) > 0
}
