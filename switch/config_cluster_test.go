package cardswitch

import (
	"testing"
	"time"
)

// three is a cluster in which nothing is wrong.
func three() *ClusterConfig {
	return &ClusterConfig{Node: 1, Listen: "10.0.0.1:7400", Cert: "node.pem", Key: "node.key",
		CA: "ca.pem", Members: []MemberConfig{{Node: 1, Address: "10.0.0.1:7400"},
			{Node: 2, Address: "10.0.0.2:7400"},
			{Node: 3, Role: NodeWitness, Address: "10.0.0.3:7400"}}}
}

func TestClusterIsValid(t *testing.T) {
	for name, change := range map[string]func(*ClusterConfig){
		"three":  func(*ClusterConfig) {},
		"alone":  func(c *ClusterConfig) { c.Members = c.Members[:1] },
		"joined": func(c *ClusterConfig) { c.Members, c.Node = nil, 4 },
		"with a site": func(c *ClusterConfig) {
			c.Members = append(c.Members, MemberConfig{4, NodeLearner, "192.0.2.1:7400"})
		},
		"slower": func(c *ClusterConfig) { c.Heartbeat, c.Election = time.Second, 10*time.Second },
	} {
		c := sample()
		c.Cluster = three()
		change(c.Cluster)
		c.Complete()
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateCluster(t *testing.T) {
	with := func(change func(*ClusterConfig)) func(*Config) {
		return func(c *Config) {
			c.Cluster = three()
			c.Cluster.complete()
			change(c.Cluster)
		}
	}
	testSpoiled(t, map[string]spoiled{
		"no number": {with(func(c *ClusterConfig) { c.Node = 0 }),
			[]string{"cluster.node", "cluster.members"}},
		"role": {with(func(c *ClusterConfig) { c.Role = "king" }),
			[]string{"cluster.role", "cluster.members[0]"}},
		"listen":      {with(func(c *ClusterConfig) { c.Listen = "7400" }), []string{"cluster.listen"}},
		"certificate": {with(func(c *ClusterConfig) { c.Cert = "" }), []string{"cluster.cert"}},
		"two votes": {with(func(c *ClusterConfig) { c.Members = c.Members[:2] }),
			[]string{"cluster.members"}},
		"a number twice": {with(func(c *ClusterConfig) { c.Members[2].Node = 2 }),
			[]string{"cluster.members[2].node"}},
		"not among them": {with(func(c *ClusterConfig) { c.Node = 9 }),
			[]string{"cluster.members"}},
		"too short an election": {with(func(c *ClusterConfig) { c.Election = 90 * time.Millisecond }),
			[]string{"cluster.election"}},
		"no journal": {with(func(c *ClusterConfig) {
			c.Members = c.Members[2:]
			c.Role, c.Node, c.Address = NodeWitness, 3, "10.0.0.3:7400"
		}), []string{"cluster.members"}},
	})
}
