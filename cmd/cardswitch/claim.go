package main

import (
	"fmt"

	"cardswitch/dr/replica"
	"cardswitch/store/raftlog"
	cardswitch "cardswitch/switch"
)

// A journal that was brought back from a backup lacks what came after it, and those that have it
// may still run. So with other nodes about, it begins no generation by itself, which would stop
// them all: its node can be looked at, and waits for two people like a site that is to be promoted.
// A node that is alone has nobody whom it could stop, and just starts.

// claim makes a node of a cluster of one that waits, if that is what its journal must do.
func (n *node) claim(c *cardswitch.ClusterConfig) (err error) {
	if n.claims, err = n.store.Claims(); err != nil || !n.claims {
		return err
	}
	before, err := n.store.FormerMembers()
	if err != nil {
		return err
	}
	for _, m := range before {
		if m.Kind != replica.Removed {
			n.site.before = append(n.site.before, m)
		}
	}
	if err := n.store.Claim(c.Group(), c.Node, c.Address); err != nil {
		return err
	}
	n.log.Warn("this node was brought back from a backup: it serves nobody, and stops nobody, until "+
		"two people have agreed that it goes on", "hint", "`cardswitch cluster promote`")
	return nil
}

// voters are those that might have agreed on more than this node has.
func (n *node) voters(s *replica.Status) (list []raftlog.Member) {
	if !n.claims {
		for i := range s.Members {
			list = append(list, s.Members[i].Member)
		}
		return list
	}
	for _, m := range n.config.Load().Cluster.Members {
		list = append(list, raftlog.Member{ID: m.Node, Kind: kindOf(m.Role)})
	}
	return append(list, n.site.before...)
}

// restored says in words that the node starts for the first time on a journal that was brought back
// from a backup; "" if it doesn't.
func (n *node) restored() (string, error) {
	former, err := n.store.Former()
	if err != nil || former.Node == 0 || n.store.Log().Founded() {
		return "", err
	}
	return fmt.Sprintf("to record %d; was %s", n.store.LastSeq(), formerText(&former)), nil
}

func formerText(former *raftlog.Identity) string {
	return fmt.Sprintf("node %d of cluster %s, generation %d", former.Node, former.Cluster,
		former.Generation)
}
