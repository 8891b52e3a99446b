package cardswitch

import (
	"errors"
	"fmt"
	"time"
)

// ClusterConfig says with which other nodes this one keeps the journal. Without it it is alone.
type ClusterConfig struct {
	Name string `yaml:"name"`
	// Node is this node's number. It is never given to another node again.
	Node uint64 `yaml:"node"`
	Role string `yaml:"role"` // data, witness, learner
	// Listen is where the other nodes come in, Address how they reach it; it may be left out if it is
	// the same.
	Listen  string `yaml:"listen"`
	Address string `yaml:"address"`
	// Members are those of a new cluster, this node among them. Later ones join by a command. Empty:
	// this node joined.
	Members []MemberConfig `yaml:"members"`
	// The node's certificate and its key, of the cluster's own authority: `cardswitch cluster init`.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
	CA   string `yaml:"ca"`
	// Heartbeat is how often the active node is heard, Election after how long a silence another one
	// takes over; Tick is how finely both are measured.
	Heartbeat time.Duration `yaml:"heartbeat"`
	Election  time.Duration `yaml:"election"`
	Tick      time.Duration `yaml:"tick"`
	// DiskHang is how long the active node's disk may leave a write unanswered until another node
	// takes over.
	DiskHang time.Duration `yaml:"disk_hang"`
	// LogMB is how much is kept for a member that is away.
	LogMB int `yaml:"log_mb"`
	// Shards are groups of issuers, each with a journal and an active node of its own. Empty: there is
	// one journal for all.
	Shards []ShardConfig `yaml:"shards,omitempty"`

	// Shard is the one that a configuration is of (Config.Shard), Elsewhere the issuers of the others.
	Shard     string   `yaml:"-"`
	Elsewhere []string `yaml:"-"`
}

// MemberConfig is one node of a new cluster.
type MemberConfig struct {
	Node    uint64 `yaml:"node"`
	Role    string `yaml:"role"`
	Address string `yaml:"address"`
}

// The roles of nodes.
const (
	NodeData    = "data"    // has the journal and can be the active one
	NodeWitness = "witness" // has a vote and the newest of the journal, and is never active
	NodeLearner = "learner" // has the journal and no vote, as at another site
)

// DefaultCluster is the name of a cluster that is given none, and of a node that is alone: so
// others can join it.
const DefaultCluster = "cardswitch"

// Group is the name under which the nodes agree: the cluster's, or that of a shard of it.
func (c *ClusterConfig) Group() string {
	if c.Shard == "" {
		return c.Name
	}
	return c.Name + "/" + c.Shard
}

// Same tells whether two say the same. Both may be nil.
func (c *ClusterConfig) Same(o *ClusterConfig) bool {
	if c == nil || o == nil {
		return c == o
	}
	return fmt.Sprint(*c) == fmt.Sprint(*o)
}

func (c *ClusterConfig) complete() {
	if c == nil {
		return
	}
	setDefault(&c.Name, DefaultCluster)
	setDefault(&c.Role, NodeData)
	setDefault(&c.Address, c.Listen)
	setDefault(&c.Heartbeat, 40*time.Millisecond)
	setDefault(&c.Election, 250*time.Millisecond)
	setDefault(&c.Tick, 5*time.Millisecond)
	setDefault(&c.DiskHang, 400*time.Millisecond)
	setDefault(&c.LogMB, 1024)
	for i := range c.Members {
		setDefault(&c.Members[i].Role, NodeData)
	}
}

// Validate returns every fault of a completed part, joined.
func (c *ClusterConfig) Validate() error {
	var f faults
	c.validate(&f, "cluster")
	return errors.Join(f...)
}

func (c *ClusterConfig) validate(f *faults, path string) {
	if c == nil {
		return
	}
	f.name(path+".name", c.Name)
	if c.Node == 0 {
		f.add(path+".node", "give each node a number above 0, and none a second time", "is missing")
	}
	f.oneOf(path+".role", c.Role, NodeData, NodeWitness, NodeLearner)
	f.address(path+".listen", c.Listen)
	f.address(path+".address", c.Address)
	for name, value := range map[string]string{"cert": c.Cert, "key": c.Key, "ca": c.CA} {
		f.required(path+"."+name, value, "`cardswitch cluster init` makes the files of all nodes")
	}
	f.duration(path+".tick", c.Tick, time.Millisecond, 100*time.Millisecond)
	f.duration(path+".heartbeat", c.Heartbeat, 2*c.Tick, time.Minute)
	f.duration(path+".election", c.Election, max(3*c.Heartbeat, 20*c.Tick), 10*time.Minute)
	f.duration(path+".disk_hang", c.DiskHang, 50*time.Millisecond, time.Minute)
	f.between(path+".log_mb", c.LogMB, 16, 1<<20)
	c.validateMembers(f, path+".members")
}

// validateMembers also holds that two data nodes aren't a cluster: if either ended, so would the
// service.
func (c *ClusterConfig) validateMembers(f *faults, path string) {
	if len(c.Members) == 0 {
		return
	}
	seen, voters, data := map[uint64]bool{}, 0, 0
	self := false
	for i, m := range c.Members {
		at := fmt.Sprintf("%s[%d]", path, i)
		f.oneOf(at+".role", m.Role, NodeData, NodeWitness, NodeLearner)
		f.address(at+".address", m.Address)
		if m.Node == 0 || seen[m.Node] {
			f.add(at+".node", "give each node its own number above 0", "%d is none, or is there twice",
				m.Node)
		}
		seen[m.Node] = true
		if m.Role != NodeLearner {
			voters++
		}
		if m.Role == NodeData {
			data++
		}
		if m.Node == c.Node {
			self = true
			if m.Role != c.Role || m.Address != c.Address {
				f.add(at, "say the same in both places", "is another role or address than this node's own")
			}
		}
	}
	switch {
	case !self:
		f.add(path, "add it", "this node is not among them")
	case data == 0:
		f.add(path, "at least one node must have the journal", "there is no data node")
	case voters == 2:
		f.add(path, "add a third, a witness is enough: of two, neither may go on alone",
			"there are two with a vote")
	}
}
