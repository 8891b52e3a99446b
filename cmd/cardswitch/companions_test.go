package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"cardswitch/dr/replica"
	"cardswitch/store"
	"cardswitch/store/raftlog"
	"cardswitch/store/wholefile"
	cardswitch "cardswitch/switch"
)

// What a standby may ask for: the list, and what is in it. Nothing else of the disk.
func TestCompanions(t *testing.T) {
	dir := t.TempDir()
	config := cardswitch.Defaults()
	config.Data.Dir = dir
	config.Complete()
	n := new(node)
	n.config.Store(&config)
	ask := func(what string) (string, error) {
		var out bytes.Buffer
		err := n.giveCompanion(what, &out)
		return out.String(), err
	}
	var list []companion
	listed := func() []companion {
		t.Helper()
		text, err := ask("files")
		if err != nil {
			t.Fatal(err)
		}
		list = nil
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	if got := listed(); len(got) != 0 {
		t.Errorf("a new node has %v", got)
	}
	if err := os.MkdirAll(filepath.Join(dir, "negative"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"negative/00001-0000000001.negative": "listed",
		"negative/other": "not for others", "data.key": "secret"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := wholefile.Replace(store.Disk(), config.Vault.KeyFile, []byte("wrapped")); err != nil {
		t.Fatal(err)
	}
	if got := listed(); len(got) != 2 || got[0] != (companion{"vault", 7, sumOf([]byte("wrapped"))}) ||
		got[1] != (companion{Name: "negative/00001-0000000001.negative", Size: 6}) {
		t.Errorf("it has %+v", got)
	}
	for what, want := range map[string]string{"files/vault": "wrapped",
		"files/negative/00001-0000000001.negative": "listed"} {
		if got, err := ask(what); got != want || err != nil {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	for _, what := range []string{"", "files/", "files/data.key", "files/negative/other",
		"files/negative/../data.key", "files/negative/../../x.negative", "files//etc/passwd.negative",
		"files/negative//etc/x.negative", "files/negative/..negative/../data.key"} {
		if got, err := ask(what); err == nil || got != "" {
			t.Errorf("%q gets %q", what, got)
		}
	}
}

// A witness and a stranger get nothing: only who has the journal has its files.
func TestCompanionsAreForStandbys(t *testing.T) {
	n := new(node)
	config := cardswitch.Defaults()
	config.Data.Dir = t.TempDir()
	config.Complete()
	n.config.Store(&config)
	var err error
	n.store, err = store.Open(store.Options{Dir: "data", FS: store.Memory(), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	defer n.store.Close()
	id := raftlog.Identity{Cluster: "tokyo", Node: 1, Generation: 1}
	if err := n.store.Found(id, []raftlog.Member{{ID: 1, Kind: replica.Data},
		{ID: 2, Kind: replica.Data}, {ID: 3, Kind: replica.Witness},
		{ID: 4, Kind: replica.Learner}}); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[uint64]bool{2: true, 3: false, 4: true, 5: false} {
		if err := n.serveCompanions(t.Context(), from, "files", io.Discard); (err == nil) != want {
			t.Errorf("node %d: %v", from, err)
		}
	}
}

// A key store that this node wrote, and that was never agreed on, gives way to the one that another
// node made under the same version: what that one has are the keys that centers use.
func TestTheAgreedKeyStoreIsTaken(t *testing.T) {
	s, err := store.Open(store.Options{Dir: "data", FS: store.Memory(), Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := &node{store: s, log: slog.New(slog.DiscardHandler)}
	config := cardswitch.Defaults()
	config.Keys.Store = filepath.Join(t.TempDir(), "keys.store")
	text := func(version int, keys string) []byte {
		return fmt.Appendf(nil, "{\"format\":\"cardswitch key store 1\",\"version\":%d}\n%s\n", version,
			keys)
	}
	if err := s.KeyWitness().Advance(7, text(7, "agreed")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ own, want []byte }{
		{nil, text(7, "agreed")},
		{text(6, "older"), text(7, "agreed")},
		{text(7, "never agreed"), text(7, "agreed")},
		{text(7, "agreed"), text(7, "agreed")},
		{text(8, "cut off"), text(8, "cut off")},
	} {
		_ = os.Remove(config.Keys.Store) // it may not be there
		if c.own != nil {
			err = os.WriteFile(config.Keys.Store, c.own, 0o600)
		}
		if err == nil {
			err = n.bringKeyStore(&config)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(config.Keys.Store); !bytes.Equal(got, c.want) || err != nil {
			t.Errorf("with %q of its own it leads with %q, %v", c.own, got, err)
		}
	}
}
