package stage

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cardswitch/dr/replica/wire"
)

// Cluster is what all nodes of one have in common.
type Cluster struct {
	name      string
	authority *wire.Authority
	ca        []byte
	key       [32]byte // of their data
}

// NewCluster makes the authority and the data key of a cluster.
func NewCluster(name string) (*Cluster, error) {
	c := &Cluster{name: name}
	rand.Read(c.key[:]) // never fails
	var err error
	if c.authority, err = wire.NewAuthority(name); err == nil {
		c.ca, _, err = c.authority.PEM()
	}
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	return c, nil
}

// KeepAuthority writes the folder that makes certificates, as cluster init leaves it.
func (c *Cluster) KeepAuthority(dir string) error {
	cert, private, err := c.authority.PEM()
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	for name, text := range map[string][]byte{"ca.pem": cert, "ca.key": private} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
	}
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	return nil
}

// Enroll writes what a stage needs to be a node: its certificate, the authority's, the data key.
func (c *Cluster) Enroll(s *Stage, n int) error {
	cert, private, err := c.authority.Issue(c.name, uint64(n))
	for name, text := range map[string][]byte{"data.key": hex.AppendEncode(nil, c.key[:]),
		"ca.pem": c.ca, "node.pem": cert, "node.key": private} {
		if err == nil {
			err = os.WriteFile(s.File(name), text, 0o600)
		}
	}
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	return nil
}

// Join makes the stages nodes of one cluster, each with a journal, and writes what they are started
// with. Members are the addresses at which they meet.
func Join(name string, stages []*Stage, members []string) error {
	c, err := NewCluster(name)
	if err != nil {
		return err
	}
	for i, s := range stages {
		if err := c.Enroll(s, i+1); err != nil {
			return err
		}
		s.Cluster = section(name, i+1, members)
		if i > 0 && len(s.Secret) > 0 {
			if err := CopyKeys(stages[0], s); err != nil {
				return err
			}
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

// CopyKeys carries the key stores and the master key from one node to another, as an operator
// would.
func CopyKeys(from, to *Stage) error {
	var failed error
	for _, name := range append(from.KeyStores(), "data/master.key") {
		err := os.MkdirAll(filepath.Dir(to.File(name)), 0o700)
		text, e := os.ReadFile(from.File(name))
		if err = errors.Join(err, e); err == nil {
			err = os.WriteFile(to.File(name), text, 0o600)
		}
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		return fmt.Errorf("stage: %w", failed)
	}
	to.Secret, to.Enrolled = nil, true
	return nil
}
