package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"cardswitch/conformance/count"
	"cardswitch/conformance/envelope"
	"cardswitch/conformance/issuer"
	"cardswitch/conformance/keyblock"
	"cardswitch/conformance/ledger"
	testcards "cardswitch/conformance/load/cards"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/stage"
	"cardswitch/conformance/pos"
	"cardswitch/conformance/protect"
	simwire "cardswitch/conformance/wire"
	"cardswitch/dr/replica/wire"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
)

// One machine with two shards: merchants at its door reach the issuers of both, and what the
// operators ask is asked of the shard that they name.
func TestHouse(t *testing.T) {
	dir, err := os.MkdirTemp("", "cs") // a socket's name must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	secret := sealed.Secret("of this test")
	issuers, links := twoIssuers(t, secret)
	config := shardedStage(t, dir, links, secret)
	h, err := newHouse(t.Context(), config, cardswitch.Deps{Log: slog.New(slog.DiscardHandler)},
		func() (cardswitch.Config, error) { return config, nil })
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.run(ctx) }()
	var ranges []pos.Range
	for _, r := range testcards.Ranges() {
		ranges = append(ranges, pos.Range{Prefix: r.Prefix, Count: 50})
	}
	m, err := pos.Start(t.Context(), pos.Options{Acquirer: "90000000001", Peer: stage.Institution,
		Addresses: []string{config.Centers[0].Links[0].Listen}, Total: 60, Cards: ranges, Seed: 1,
		AnswerTime: time.Minute, Envelope: cover(secret, stage.Link),
		Protect: zone(t, secret, "merchants"),
		KBPK:    keyblock.Protection(secret.Protection("merchants"))})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	testZone(t, h, m, issuers)
	testKeys(t, h, m)
	testTheirKeys(t, h, m, &config)
	testReload(t, h, filepath.Join(dir, "routes.yaml"))
	for n, c := range h.door.Counts() {
		if c.Passed < 10 || c.Dropped != 0 {
			t.Errorf("shard %d: %+v", n, c)
		}
	}
	testShardCommands(t, filepath.Join(dir, "cardswitch.yaml"))
	m.Close()
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	books := count.Books{Issuers: make(map[string][]ledger.Posting)}
	books.Receipts = m.Receipts().All()
	for n, i := range issuers {
		if s := i.Stats(); s.RightPINs < 10 || s.WrongPINs+s.UnreadablePINs != 0 {
			t.Errorf("issuer %d has got the PINs otherwise: %+v", n, s)
		}
		name := fmt.Sprintf("issuer-%d", n)
		if books.Issuers[name] = i.Ledger().All(); len(books.Issuers[name]) < 10 {
			t.Errorf("%s has %d postings", name, len(books.Issuers[name]))
		}
	}
	books.Switch = journalsOf(t, &config)
	if c := books.Count(); !c.OK() {
		t.Errorf("%+v", c)
	}
}

// twoIssuers are simulated, with one link each.
func twoIssuers(t *testing.T, secret sealed.Secret) (issuers []*issuer.Issuer, links [][]string) {
	t.Helper()
	for n := range 2 {
		name := fmt.Sprintf("issuer-%d", n)
		i, err := issuer.Start(t.Context(), issuer.Options{Name: name, Peer: stage.Institution, Seed: 1,
			Protect: zone(t, secret, name), Links: []issuer.Link{{Name: "l0", Listen: "127.0.0.1:0",
				Envelope: cover(secret, name+"/l0")}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(i.Close)
		issuers, links = append(issuers, i), append(links, []string{i.Address("l0")})
	}
	return issuers, links
}

// zone is what a center's simulator does with codes and PINs.
func zone(t *testing.T, secret sealed.Secret, center string) *protect.Options {
	t.Helper()
	file := filepath.Join(t.TempDir(), center)
	if err := secret.WriteZone(file, center); err != nil {
		t.Fatal(err)
	}
	o := &protect.Options{Keys: file, PIN: &protect.PIN{}, Generations: true}
	if center == "merchants" {
		o.MAC = &protect.MAC{Algorithm: "cmac"}
	}
	return o
}

// cover is an envelope around a center's link.
func cover(secret sealed.Secret, link string) *simwire.Envelope {
	return &simwire.Envelope{Link: link, Keys: map[uint16]envelope.Key{1: secret.Key(link, 1)}}
}

// testReload has a house take the same again, and refuse that cards change their shards.
func testReload(t *testing.T, h *house, routes string) {
	t.Helper()
	if err := h.reconfigure(); err != nil {
		t.Error(err)
	}
	moved := strings.NewReplacer("issuer-0", "issuer-1", "issuer-1", "issuer-0")
	text, err := os.ReadFile(routes)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(routes, []byte(moved.Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.reconfigure(); err == nil || !strings.Contains(err.Error(), "would go elsewhere") {
		t.Errorf("cards move to another shard by a reload: %v", err)
	}
}

// journalsOf is what the journals of all shards say of each transaction.
func journalsOf(t *testing.T, config *cardswitch.Config) map[string]count.Entry {
	t.Helper()
	all := make(map[string]count.Entry)
	for _, name := range config.Shards() {
		shard, _ := config.Shard(name)
		s, err := store.Open(store.Options{Dir: shard.Data.Dir, KeyFile: shard.Data.KeyFile})
		if err != nil {
			t.Fatal(err)
		}
		entries, err := count.FromJournal(s, cardswitch.NewArchive(s.Registry()).Dialect)
		if err != nil {
			t.Fatal(err)
		}
		for rrn, e := range entries {
			if _, twice := all[rrn]; twice {
				t.Errorf("two shards have %s", rrn)
			}
			all[rrn] = e
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	return all
}

// testShardCommands asks what an operator asks.
func testShardCommands(t *testing.T, file string) {
	t.Helper()
	ask := func(words ...string) (string, error) {
		root := newRootCommand()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(io.Discard)
		root.SetArgs(append(words, "--config", file))
		err := root.ExecuteContext(t.Context())
		return out.String(), err
	}
	out, _ := ask("cluster", "status") // not redundant: there is one node
	for _, want := range []string{"SHARD", "s0     1", "s1     1", "1, active"} {
		if !strings.Contains(out, want) {
			t.Errorf("cluster status: no %q in\n%s", want, out)
		}
	}
	if out, err := ask("status", "--shard", "s1"); err != nil || !strings.Contains(out, "serving") {
		t.Errorf("status --shard s1: %v\n%s", err, out)
	}
	if _, err := ask("status"); err == nil || !strings.Contains(fmt.Sprint(err), "several shards") {
		t.Errorf("status of no shard: %v", err)
	}
	if _, err := ask("status", "--shard", "north"); err == nil {
		t.Error("status of a shard that isn't there")
	}
	if _, err := ask("start", "--shard", "s1"); err == nil {
		t.Error("a node of one shard starts")
	}
}

// shardedStage writes the configuration of one machine with a shard for each of two issuers.
func shardedStage(t *testing.T, dir string, links [][]string,
	secret sealed.Secret) cardswitch.Config {
	t.Helper()
	s, err := stage.New("", dir, links)
	if err != nil {
		t.Fatal(err)
	}
	ports, err := stage.Ports(1)
	if err != nil {
		t.Fatal(err)
	}
	s.Acquirers = []string{"90000000001"}
	s.Secret, s.Codes, s.Shards = secret, true, []string{"s0", "s1"}
	s.Cluster = fmt.Sprintf(`cluster:
  name: tokyo
  node: 1
  listen: %q
  cert: node.pem
  key: node.key
  ca: ca.pem
  members: [{node: 1, role: data, address: %q}]
  shards:
    - {name: s0, issuers: [issuer-0]}
    - {name: s1, issuers: [issuer-1]}
`, ports[0], ports[0])
	if err := s.Write(); err != nil {
		t.Fatal(err)
	}
	authority, err := wire.NewAuthority("tokyo")
	if err == nil {
		err = writeIdentity(authority, "tokyo", 1, dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(s.File("cardswitch.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := cardswitch.Defaults()
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	config.Dir = dir
	config.Complete()
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	return config
}
