package wire

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"cardswitch/dr/replica"
	"cardswitch/store"
	"cardswitch/store/journal"
)

// member is a node with its store.
type member struct {
	*replica.Replica
	store *store.Store
	wire  *Transport
	role  replica.Role
}

func (o *town) member(id uint64) *member {
	o.t.Helper()
	s, err := store.Open(store.Options{Dir: "data", FS: store.Memory(),
		Key: bytes.Repeat([]byte{42}, journal.KeySize)})
	if err != nil {
		o.t.Fatal(err)
	}
	m := &member{store: s}
	at := fmt.Sprint("node ", id)
	m.wire, err = Connect(Config{Cluster: cluster, Generation: 1, Node: id, DataKey: s.KeyName(),
		Listen: at, Address: at, Identity: identity(o.t, o.ca, id), Net: o.m.listen, Dial: o.m.dial})
	if err != nil {
		o.t.Fatal(err)
	}
	var members []replica.Member
	for other := range uint64(3) {
		members = append(members, replica.Member{ID: other + 1, Kind: replica.Data,
			Address: fmt.Sprint("node ", other+1)})
	}
	m.Replica, err = replica.Start(replica.Config{Cluster: cluster, Generation: 1, Node: id,
		Members: members}, s, m.wire)
	if err != nil {
		o.t.Fatal(err)
	}
	s.AgreeBy(m.Replica)
	m.wire.Serve(m.Replica)
	return m
}

func (m *member) end(t *testing.T) {
	if err := m.wire.Wire().Close(); err != nil {
		t.Error(err)
	}
	m.Replica.Close()
	if err := m.store.Close(); err != nil {
		t.Error(err)
	}
}

// leader waits for the one that leads.
func leader(t *testing.T, all []*member) *member {
	t.Helper()
	for range 1000 {
		time.Sleep(10 * time.Millisecond)
		for _, m := range all {
			select {
			case m.role = <-m.Roles():
			default:
			}
			if !m.role.Leading {
				continue
			}
			if err := m.store.Lead(m.role.Term); err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	t.Fatal("nobody leads")
	return nil
}

// Three nodes agree over the wire, and go on when the one that led is gone.
func TestThreeNodesAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newTown(t)
		all := []*member{o.member(1), o.member(2), o.member(3)}
		want := uint64(0)
		for len(all) > 1 {
			m := leader(t, all)
			for range 50 {
				b := m.store.NewBatch()
				b.Append(&journal.Record{At: 1, Kind: journal.Event, Text: "agreed"})
				if err := m.store.Commit(b); err != nil {
					t.Fatal(err)
				}
				want++
			}
			time.Sleep(time.Second)
			for _, m := range all {
				if got := m.store.LastSeq(); got != want {
					t.Errorf("node %d has %d records, want %d", m.Status().Node, got, want)
				}
			}
			m.end(t)
			for i := range all {
				if all[i] == m {
					all = append(all[:i:i], all[i+1:]...)
					break
				}
			}
		}
		all[0].end(t)
		time.Sleep(time.Minute)
	})
}
