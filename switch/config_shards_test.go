package cardswitch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sharded is a configuration with two shards in which nothing is wrong.
func sharded() Config {
	c := sample()
	c.Centers = append(c.Centers, CenterConfig{Name: "issuer-momiji", Role: RoleIssuer,
		Links: []LinkConfig{{Name: "primary", Dial: "127.0.0.1:7203"}}})
	c.Cluster = three()
	c.Cluster.Shards = []ShardConfig{{Name: "east", Issuers: []string{"issuer-sakura"}},
		{Name: "west", Issuers: []string{"issuer-momiji"}, HTTP: "127.0.0.1:9584"}}
	c.Complete()
	return c
}

func TestShardsAreValid(t *testing.T) {
	c := sharded()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.Centers[0].Security = &SecurityConfig{MAC: &MACConfig{}, PIN: &PINConfig{}}
	c.Complete()
	if err := c.Validate(); err != nil {
		t.Errorf("a merchant that makes its keys: %v", err)
	}
	c.Centers[0].KeyChange, c.Centers[0].Security.Generations = KeyChangeUs, true
	if err := c.Validate(); err != nil {
		t.Errorf("a merchant whose messages name their keys: %v", err)
	}
	for name, lent := range map[string]bool{"east": false, "west": true} {
		if shard, _ := c.Shard(name); shard.Centers[0].lent != lent {
			t.Errorf("%s: the merchant's keys are another's: %v", name, !lent)
		}
	}
}

// Whatever several shards can't do is refused before anything starts.
func TestValidateShards(t *testing.T) {
	for name, spoil := range map[string]struct {
		do   func(*Config)
		want string
	}{
		"a name twice": {func(c *Config) { c.Cluster.Shards[1].Name = "east" },
			"cluster.shards[1].name"},
		"no name":      {func(c *Config) { c.Cluster.Shards[1].Name = "" }, "cluster.shards[1].name"},
		"nobody in it": {func(c *Config) { c.Cluster.Shards[1].Issuers = nil }, "cluster.shards[1]"},
		"a merchant in it": {func(c *Config) { c.Cluster.Shards[1].Issuers[0] = "hq-aoyama" },
			"cluster.shards[1].issuers"},
		"in two": {func(c *Config) {
			c.Cluster.Shards[1].Issuers = append(c.Cluster.Shards[1].Issuers, "issuer-sakura")
		}, "also in east"},
		"metrics of the first": {func(c *Config) { c.Cluster.Shards[0].HTTP = "127.0.0.1:1" },
			"cluster.shards[0].http"},
		"metrics nowhere": {func(c *Config) { c.Cluster.Shards[1].HTTP = "here" },
			"cluster.shards[1].http"},
		"long socket": {func(c *Config) { c.Admin.Socket = "/" + strings.Repeat("a", 104) },
			"admin.socket"},
		"terminals' keys": {func(c *Config) {
			c.Centers[0].Security = &SecurityConfig{Generations: true,
				PIN: &PINConfig{Terminals: &TerminalsConfig{}}}
		}, ".security.pin.terminals"},
		"terminals' cards": {func(c *Config) {
			c.Centers[0].Security = &SecurityConfig{Generations: true, P2PE: &P2PEConfig{}}
		}, ".security.p2pe"},
		"keys without names": {func(c *Config) {
			c.Centers[0].KeyChange = KeyChangeUs
			c.Centers[0].Security = &SecurityConfig{MAC: &MACConfig{}}
		}, ".security.generations"},
		"tokens": {func(c *Config) { c.Centers[0].Tokens = &TokensConfig{} }, ".tokens"},
		"reconciliation": {func(c *Config) {
			c.Centers[0].Reconciliation = &ReconciliationConfig{}
		}, "spread over"},
		"reversals without cards": {func(c *Config) {
			c.Centers[0].Rules.Relax = map[string][]int{"1420": {2}}
		}, ".rules.relax.1420"},
		"sign-on": {func(c *Config) { c.Centers[0].SignOn = SignOnUs }, ".sign_on"},
		"dial": {func(c *Config) {
			c.Centers[0].Links[0].Listen, c.Centers[0].Links[0].Dial = "", "127.0.0.1:1"
		}, "links[0](a).dial"},
		"an issuer at the merchants'": {func(c *Config) {
			c.Centers[2].Links[0].Dial, c.Centers[2].Links[0].Listen = "", "127.0.0.1:7101"
		}, "links[0](primary).listen"},
	} {
		c := sharded()
		spoil.do(&c)
		c.Complete()
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), spoil.want) {
			t.Errorf("%s: %v, want %q", name, err, spoil.want)
		}
	}
}

// A shard has its issuers, all merchants, and nothing on disk with another one.
func TestShard(t *testing.T) {
	c := sharded()
	if _, ok := c.Shard("north"); ok {
		t.Error("there is no shard north")
	}
	c.Backup.To = "s3://bucket/all/"
	c.Centers[0].KeyChange, c.Centers[0].Links[0].Envelope = KeyChangeUs, &EnvelopeConfig{}
	c.Complete()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	west, ok := c.Shard("west")
	if !ok {
		t.Fatal("no shard west")
	}
	if diff := cmp.Diff([]string{"issuer-momiji"}, west.Issuers()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"issuer-sakura"}, west.Cluster.Elsewhere); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"hq-aoyama"}, west.Merchants()); diff != "" {
		t.Error(diff)
	}
	if l := west.Centers[0].Links[0]; l.Listen != PassedAddress+"hq-aoyama/a" || l.TLS != nil {
		t.Errorf("a merchant comes in at %q", l.Listen)
	}
	if l := west.Centers[0].Links[0]; l.Envelope != nil || l.passed != "envelope" {
		t.Errorf("what the doors have opened is in an envelope: %+v", l)
	}
	if west.Centers[0].KeyChange == KeyChangeUs || west.lendsKeys() {
		t.Error("another than the first shard changes the merchants' keys")
	}
	if need := west.Centers[0].Rules.Require["1420"]; !slices.Contains(need, 2) {
		t.Error("a reversal may come without its card")
	}
	if c.Centers[0].Links[0].Listen != "127.0.0.1:7101" || len(c.Centers[0].Rules.Require) > 0 {
		t.Error("the whole configuration was changed")
	}
	east, _ := c.Shard("east")
	if east.Centers[0].KeyChange != KeyChangeUs || !east.lendsKeys() || c.lendsKeys() {
		t.Error("the first shard doesn't change the merchants' keys")
	}
	paths := func(c *Config) []string {
		return []string{c.Data.Dir, c.Audit.Dir, c.Keys.Store, c.Vault.KeyFile, c.Admin.Socket,
			c.Admin.HTTP, c.Backup.To, c.Cluster.Group()}
	}
	for i, p := range paths(&west) {
		if p == paths(&east)[i] || p == paths(&c)[i] {
			t.Errorf("west and another have %s", p)
		}
	}
	if west.Data.KeyFile != c.Data.KeyFile || west.Keys.Master != c.Keys.Master {
		t.Error("the data key and the master key are the machine's")
	}
	if west.Backup.To != "s3://bucket/all/west" {
		t.Error(west.Backup.To)
	}
}

// The table of a shard knows the others' issuers, and takes none of their cards for its own.
func TestRoutesOfAShard(t *testing.T) {
	c := sharded()
	c.Dir = t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(c.Dir, "routes.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`ranges: [{prefix: "453500", destinations: [issuer-momiji]},
  {any: true, destinations: [issuer-sakura]}]`)
	for name, own := range map[string]string{"east": "issuer-sakura", "west": "issuer-momiji"} {
		shard, _ := c.Shard(name)
		table, err := shard.Routes()
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Destination(0); got != own {
			t.Errorf("%s: the first destination is %s", name, got)
		}
	}
	write(`ranges: [{prefix: "453500", destinations: [issuer-momiji, issuer-sakura]}]`)
	const want = "shard west and of shard east"
	if _, err := c.Routes(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a route of two shards: %v", err)
	}
}
