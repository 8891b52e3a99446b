package cardswitch

import (
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"cardswitch/routing"
	"cardswitch/spec"
	"cardswitch/switch/link"
)

// ShardConfig is a group of issuers with a journal of its own, of which any node may be the active
// one. So all nodes work, each for the issuers of its shards.
type ShardConfig struct {
	Name    string   `yaml:"name"`
	Issuers []string `yaml:"issuers"`
	// HTTP is where the shard's metrics are; of the first shard it is admin.http.
	HTTP string `yaml:"http"`
}

// Shards are the names of the shards, the first one first; none: there is one journal for all.
func (c *Config) Shards() []string {
	var names []string
	if c.Cluster != nil {
		for i := range c.Cluster.Shards {
			names = append(names, c.Cluster.Shards[i].Name)
		}
	}
	return names
}

// ShardOf is the place of an issuer's shard, -1 if it is in none.
func (c *Config) ShardOf(issuer string) int {
	return slices.IndexFunc(c.Cluster.Shards, func(s ShardConfig) bool {
		return slices.Contains(s.Issuers, issuer)
	})
}

// IsMerchant tells whether a merchant center is named so.
func (c *Config) IsMerchant(center string) bool {
	return slices.ContainsFunc(c.Centers, func(m CenterConfig) bool {
		return m.Role == RoleMerchant && m.Name == center
	})
}

// Shard is the configuration of one shard of a complete one: its issuers, all merchants, and
// folders and doors of its own. Merchants' connections come to it from the nodes' doors, which have
// them from the merchants (package door).
func (c *Config) Shard(name string) (Config, bool) {
	at := slices.Index(c.Shards(), name)
	if at < 0 {
		return Config{}, false
	}
	out, cluster := *c, *c.Cluster
	out.Cluster = &cluster
	cluster.Shard = name
	own := func(path string) string {
		return filepath.Join(filepath.Dir(path), name, filepath.Base(path))
	}
	out.Data.Dir = filepath.Join(c.Data.Dir, name)
	out.Audit.Dir = filepath.Join(c.Audit.Dir, name)
	out.Keys.Store, out.Vault.KeyFile = own(c.Keys.Store), own(c.Vault.KeyFile)
	out.Admin.Socket = c.ShardSocket(name)
	if at > 0 {
		out.Admin.HTTP = c.Cluster.Shards[at].HTTP
	}
	if c.Backup.To != "" {
		out.Backup.To = strings.TrimSuffix(c.Backup.To, "/") + "/" + name
	}
	out.Centers = nil
	for _, center := range c.Centers {
		switch {
		case center.Role == RoleMerchant:
			center = center.behindDoors()
			if at > 0 {
				center.KeyChange, center.lent = KeyChangePeer, true // their keys are the first shard's
			}
			out.Centers = append(out.Centers, center)
		case c.ShardOf(center.Name) == at:
			out.Centers = append(out.Centers, center)
		default:
			cluster.Elsewhere = append(cluster.Elsewhere, center.Name)
		}
	}
	return out, true
}

// ShardSocket is the operators' socket of a shard.
func (c *Config) ShardSocket(name string) string {
	ext := filepath.Ext(c.Admin.Socket)
	return strings.TrimSuffix(c.Admin.Socket, ext) + "-" + name + ext
}

// PassedAddress begins the address at which a shard waits for the connections of a merchant's link
// that the nodes' doors pass on to it; center and link follow.
const PassedAddress = "passed:"

// KeysAddress is that at which the first shard waits for the doors themselves (package keyorder).
const KeysAddress = PassedAddress + "keys"

// lendsKeys tells whether doors and other shards use this switch's keys of merchants: it is the
// first of several shards.
func (c *Config) lendsKeys() bool {
	return len(c.Shards()) > 0 && c.Cluster.Shard == c.Cluster.Shards[0].Name
}

// behindDoors is a merchant center as its shards see it: the nodes' doors have opened TLS, cut the
// frames and tested the connection.
func (c CenterConfig) behindDoors() CenterConfig {
	c.Links = slices.Clone(c.Links)
	c.Echo.After = 0
	// A reversal without a card goes to the first shard, which must not say that there is no such
	// original: it may be another's.
	c.Rules.Require = maps.Clone(c.Rules.Require)
	if c.Rules.Require == nil {
		c.Rules.Require = make(map[string][]int)
	}
	c.Rules.Require["1420"] = append(slices.Clone(c.Rules.Require["1420"]), 2)
	for i := range c.Links {
		l := &c.Links[i]
		l.Listen = PassedAddress + c.Name + "/" + l.Name
		l.passed = link.Protection(l.Envelope != nil, l.TLS != nil)
		l.From, l.TLS, l.Envelope = []string{"0.0.0.0/0", "::/0"}, nil, nil
		l.Framing = FramingConfig{Length: "binary2"}
		l.ReadTimeout = passedTimeout
		l.MaxConnections *= mostNodes // the same of each door
	}
	return c
}

// DoorCenters are the merchant centers as the nodes' doors serve them. Builtin gives a format that
// comes with the program; keys are those of links with an envelope.
func (c *Config) DoorCenters(builtin func(name string) (*spec.Dialect, error),
	keys link.LinkKeys) (out []link.CenterConfig, err error) {
	dialects, err := loadDialects(*c)
	if err != nil {
		return nil, err
	}
	for i := range c.Centers {
		center := &c.Centers[i]
		if center.Role != RoleMerchant {
			continue
		}
		d := dialects[center.Dialect]
		if d == nil {
			if d, err = builtin(center.Dialect); err != nil {
				return nil, fmt.Errorf("center %s: %w", center.Name, err)
			}
		}
		one := center.linkCenter()
		one.ID, one.Dialect, one.Window = uint16(i+1), d, doorWindow
		for k := range center.Links {
			l, err := center.Links[k].line(c)
			if err != nil {
				return nil, fmt.Errorf("center %s: link %s: %w", center.Name, center.Links[k].Name, err)
			}
			l.ID, l.Envelope = uint16(k+1), center.Links[k].Envelope.line(keys)
			one.Links = append(one.Links, l)
		}
		out = append(out, one)
	}
	return out, nil
}

// validateShards holds what several shards can't do, so that nothing half works: who needs counters
// or totals over all of them.
func (c *Config) validateShards(f *faults) {
	if c.Cluster == nil || len(c.Cluster.Shards) == 0 {
		return
	}
	in := make(map[string]string)
	names := make(map[string]bool)
	for i := range c.Cluster.Shards {
		s := &c.Cluster.Shards[i]
		path := fmt.Sprintf("cluster.shards[%d]", i)
		f.name(path+".name", s.Name)
		if names[s.Name] {
			f.add(path+".name", "give each shard its own name", "%q is there twice", s.Name)
		}
		names[s.Name] = true
		if len(s.Issuers) == 0 {
			f.add(path+".issuers", "name at least one issuer center", "there are none")
		}
		for _, issuer := range s.Issuers {
			switch {
			case !slices.Contains(c.Issuers(), issuer):
				f.add(path+".issuers", "name issuer centers", "no issuer center is named %q", issuer)
			case in[issuer] != "":
				f.add(path+".issuers", "an issuer is in one shard", "%s is also in %s", issuer, in[issuer])
			}
			in[issuer] = s.Name
		}
		switch {
		case i == 0 && s.HTTP != "":
			f.add(path+".http", "leave it out here", "of the first shard it is admin.http")
		case s.HTTP != "":
			f.address(path+".http", s.HTTP)
		}
		if len(c.ShardSocket(s.Name)) > mostSocket {
			f.add("admin.socket", "choose a shorter path", "with the name of a shard it is too long")
		}
	}
	for _, issuer := range c.Issuers() {
		if in[issuer] == "" {
			f.add("cluster.shards", "put each issuer into one", "%s is in no shard", issuer)
		}
	}
	for i := range c.Centers {
		center := &c.Centers[i]
		if path := fmt.Sprintf("centers[%d](%s)", i, center.Name); center.Role == RoleMerchant {
			center.validateSharded(f, path)
		} else {
			center.validateShardListen(f, path, c, i)
		}
	}
}

// validateSharded refuses what a merchant center can't have where several shards serve it.
func (c *CenterConfig) validateSharded(f *faults, path string) {
	const hint = "it can't be had with cluster.shards yet: leave it out, or have one journal"
	if s := c.Security; s != nil {
		s.validateSharded(f, path+".security", c.KeyChange)
	}
	if c.Tokens != nil {
		f.add(path+".tokens", hint, "a token doesn't say which shard's card it stands for")
	}
	if c.Reconciliation != nil {
		f.add(path+".reconciliation", hint, "a merchant's totals would be spread over the shards")
	}
	if slices.Contains(c.Rules.Relax["1420"], 2) {
		f.add(path+".rules.relax.1420", "leave 2 out: a reversal finds its shard by its card",
			"a shard would have to find a sale of another one")
	}
	if c.SignOn == SignOnUs {
		f.add(path+".sign_on", "use peer or none", "the shards would sign on one by one")
	}
	for k := range c.Links {
		at := fmt.Sprintf("%s.links[%d](%s)", path, k, c.Links[k].Name)
		if c.Links[k].Dial != "" {
			f.add(at+".dial", "use listen: every node takes the merchant's connections",
				"several nodes would dial the merchant")
		}
	}
}

// validateSharded refuses what of a merchant's security needs one journal, and keys that change
// unnamed: the shards come to a new one a moment after each other.
func (s *SecurityConfig) validateSharded(f *faults, path, keyChange string) {
	const hint = "it can't be had with cluster.shards yet: leave it out, or have one journal"
	if s.P2PE != nil {
		f.add(path+".p2pe", hint, "the counters of its terminals would be spread over the shards")
	}
	if s.PIN != nil && s.PIN.Terminals != nil {
		f.add(path+".pin.terminals", hint,
			"the counters of its terminals would be spread over the shards")
	}
	if !s.Generations && keyChange == KeyChangeUs {
		f.add(path+".generations", "set it, or let the merchant make the keys (key_change: peer)",
			"with cluster.shards messages must name their keys: not all shards know a new one at once")
	}
}

// validateShardListen refuses an address of an issuer where others of other shards, or merchants,
// come in: another node may be the one to listen there.
func (c *CenterConfig) validateShardListen(f *faults, path string, all *Config, at int) {
	for k := range c.Links {
		for i := range all.Centers {
			other := &all.Centers[i]
			same := slices.ContainsFunc(other.Links, func(l LinkConfig) bool {
				return l.Listen != "" && l.Listen == c.Links[k].Listen
			})
			if apart := other.Role == RoleMerchant ||
				all.ShardOf(other.Name) != all.ShardOf(c.Name); i != at && same && apart {
				f.add(fmt.Sprintf("%s.links[%d](%s).listen", path, k, c.Links[k].Name),
					"choose another port", "%s, which is of no or of another shard, listens there too",
					other.Name)
			}
		}
	}
}

// shardOf names the shard of an issuer, for Table.Divides.
func (c *Config) shardOf(issuer string) string {
	if at := c.ShardOf(issuer); at >= 0 {
		return "shard " + c.Cluster.Shards[at].Name
	}
	return "no shard"
}

// KeepsShards refuses routes by which cards would go to another shard than before.
func (c *Config) KeepsShards(before, after *routing.Table) error {
	return before.Keeps(after, c.shardOf)
}

// line says of a link what links must know, but for its number and envelope.
func (l *LinkConfig) line(config *Config) (link.LinkConfig, error) {
	out := link.LinkConfig{Name: l.Name, Order: l.Order, Listen: l.Listen, Dial: l.Dial,
		MaxConnections: l.MaxConnections, MaxFrame: l.MaxFrame, QueueBytes: l.QueueMB << 20,
		ReadTimeout: l.ReadTimeout, WriteTimeout: l.WriteTimeout, Passed: l.passed,
		Framing: link.Framing{Length: l.Framing.Length, Inclusive: l.Framing.Inclusive,
			TPDU: l.Framing.TPDU, Header: l.Framing.Header}}
	for _, from := range l.From {
		p, err := netip.ParsePrefix(from)
		if err != nil {
			return out, err
		}
		out.From = append(out.From, p)
	}
	if l.TLS != nil {
		out.TLS = &link.TLS{Cert: config.Path(l.TLS.Cert), Key: config.Path(l.TLS.Key),
			CA: config.Path(l.TLS.CA), Names: l.TLS.Names}
	}
	return out, nil
}

// linkCenter says of a center what links must know, but for its number, dialect and lines.
func (c *CenterConfig) linkCenter() link.CenterConfig {
	out := link.CenterConfig{Name: c.Name, Role: link.Merchant,
		Identities: append(append([]string{}, c.Acquirers...), c.Forwarders...),
		Window:     c.Window, SignOn: link.SignOnPeer,
		Echo: link.Echo{After: c.Echo.After, Wait: c.Echo.Wait, Misses: c.Echo.Misses}}
	if c.Institution != "" {
		out.Identities = append(out.Identities, c.Institution)
	}
	switch c.SignOn {
	case SignOnUs:
		out.SignOn = link.SignOnUs
	case SignOnNone:
		out.SignOn = link.SignOnNone
	}
	return out
}
