package stage

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"cardswitch/dr/replica/wire"
)

// Join makes the stages nodes of one cluster, each with a journal, and writes what they are started
// with. Members are the addresses at which they meet. The data key and the key store are common:
// those of the first are copied, as an operator would carry them.
func Join(name string, stages []*Stage, members []string) error {
	authority, err := wire.NewAuthority(name)
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	ca, _, err := authority.PEM()
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	var key [32]byte
	rand.Read(key[:]) // never fails
	for i, s := range stages {
		cert, private, err := authority.Issue(name, uint64(i+1))
		if err != nil {
			return fmt.Errorf("stage: %w", err)
		}
		for file, text := range map[string][]byte{"data.key": hex.AppendEncode(nil, key[:]),
			"ca.pem": ca, "node.pem": cert, "node.key": private} {
			if err := os.WriteFile(s.File(file), text, 0o600); err != nil {
				return fmt.Errorf("stage: %w", err)
			}
		}
		s.Cluster = section(name, i+1, members)
		if i > 0 && len(s.Secret) > 0 {
			if err := copyKeys(stages[0], s); err != nil {
				return fmt.Errorf("stage: %w", err)
			}
			s.Secret, s.Enrolled = nil, true
		}
		if err := s.Write(); err != nil {
			return err
		}
	}
	return nil
}

// section is the section cluster of a node's configuration.
func section(name string, n int, members []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster:\n  name: %s\n  node: %d\n  listen: %q\n  cert: node.pem\n"+
		"  key: node.key\n  ca: ca.pem\n  members:\n", name, n, members[n-1])
	for i, address := range members {
		fmt.Fprintf(&b, "    - {node: %d, role: data, address: %q}\n", i+1, address)
	}
	return b.String()
}

func copyKeys(from, to *Stage) error {
	failed := os.MkdirAll(to.File("data"), 0o700)
	for _, name := range []string{"data/keys", "data/master.key"} {
		text, err := os.ReadFile(from.File(name))
		if err == nil {
			err = os.WriteFile(to.File(name), text, 0o600)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}
