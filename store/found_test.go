package store_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"cardswitch/store"
	"cardswitch/store/raftlog"
)

// Of a lost site's witness nothing can be listed: it has the nodes' log, and no journal.
func TestAWitnessHasNothingToBeFound(t *testing.T) {
	dir := t.TempDir()
	witness, err := store.Open(store.Options{Dir: filepath.Join(dir, "witness"), LogOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(witness.Found(raftlog.Identity{Cluster: "tokyo", Node: 3, Generation: 1},
		[]raftlog.Member{{ID: 1, Kind: raftlog.Data}, {ID: 3, Kind: raftlog.Witness}}),
		witness.Close())
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Options{Dir: filepath.Join(dir, "own"),
		KeyFile: filepath.Join(dir, "data.key"), CreateKey: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.OpenFound(filepath.Join(dir, "witness"))
	if err == nil || !strings.Contains(err.Error(), "it has no journal: a witness keeps the log") {
		t.Error(err)
	}
}
