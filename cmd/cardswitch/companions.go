package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cardswitch/dr/replica"
	"cardswitch/dr/replica/wire"
	"cardswitch/hsm/keyring"
	"cardswitch/store"
	"cardswitch/store/wholefile"
	cardswitch "cardswitch/switch"
)

// What a takeover needs lies in the journal, save three kinds of files. The key store goes with the
// journal, for a key may be used from the moment it is saved: its newest text is agreed on like
// everything else, and written to a node's own file before it is active. The vault's key file,
// which must not lie in a log, and the regular negative files, which are large and never change,
// are fetched from the active node.

const (
	companionsEvery = 2 * time.Second
	// companionsTime bounds one fetch; a negative file may have hundreds of megabytes.
	companionsTime = 10 * time.Minute
	vaultName      = "vault"
	negativePrefix = "negative/"
)

// companion is a file that the active node has, as a standby asks for it.
type companion struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Sum  string `json:"sum"` // SHA-256; of a negative file empty: it never changes
}

// bringKeyStore makes the newest key store of the cluster this node's, if its own is older, or the
// same version of other keys: this node was deposed between its file and the agreement, and another
// one made that version. One that is ahead was cut off there too, and nobody has made that version.
func (n *node) bringKeyStore(config *cardswitch.Config) error {
	version, text, err := n.store.KeyWitness().Text()
	if err != nil || len(text) == 0 {
		return err
	}
	own, err := os.ReadFile(config.Keys.Store)
	if err == nil {
		is, err := keyring.VersionOf(own)
		if err != nil || is > version || bytes.Equal(own, text) {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	n.log.Info("the key store of another node is taken", "version", version)
	return keyring.Bring(config.Keys.Store, text)
}

// shareKeyStore sees that the journal has the key store that this node leads with, also one that
// was there before the node had others.
func (n *node) shareKeyStore(config *cardswitch.Config) error {
	_, text, err := n.store.KeyWitness().Text()
	if err != nil || len(text) > 0 {
		return err
	}
	own, err := os.ReadFile(config.Keys.Store)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	version := uint64(0)
	if err == nil {
		version, err = keyring.VersionOf(own)
	}
	if err != nil {
		return err
	}
	return n.store.KeyWitness().Advance(version, own)
}

// serveCompanions writes what a standby asks for: the list, or one of the files. Who has no journal
// gets none of them.
func (n *node) serveCompanions(ctx context.Context, from uint64, request string,
	to io.Writer) error {
	switch n.store.Log().Member(from).Kind {
	case replica.Data, replica.Learner:
		if request == wordRequest {
			return n.giveWord(from, to)
		}
		if strings.HasPrefix(request, drillRequest) {
			return n.servePractice(ctx, request, to)
		}
		return n.giveCompanion(request, to)
	}
	return fmt.Errorf("node %d keeps no journal, so it gets no files", from)
}

func (n *node) giveCompanion(request string, to io.Writer) error {
	config := n.config.Load()
	name, one := strings.CutPrefix(request, wire.Files+"/")
	switch {
	case request == wire.Files:
		list, err := companions(config)
		if err != nil {
			return err
		}
		return json.NewEncoder(to).Encode(list)
	case one && name == vaultName:
		text, err := wholefile.Read(store.Disk(), config.Vault.KeyFile)
		defer clear(text)
		if err == nil {
			_, err = to.Write(text)
		}
		return err
	case one && isNegative(name):
		f, err := os.Open(negativeFile(config, name))
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(to, f)
		return err
	}
	return fmt.Errorf("nobody serves %q", request)
}

// isNegative tells a name that negativeFile may make a path of.
func isNegative(name string) bool {
	name, ok := strings.CutPrefix(name, negativePrefix)
	return ok && strings.HasSuffix(name, ".negative") && filepath.Base(name) == name
}

func negativeFile(config *cardswitch.Config, name string) string {
	return filepath.Join(config.Data.Dir, "negative", strings.TrimPrefix(name, negativePrefix))
}

// companions are those that this node has.
func companions(config *cardswitch.Config) (list []companion, err error) {
	text, err := wholefile.Read(store.Disk(), config.Vault.KeyFile)
	defer clear(text)
	if err == nil {
		list = append(list, companion{vaultName, int64(len(text)), sumOf(text)})
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	files, err := os.ReadDir(filepath.Join(config.Data.Dir, "negative"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil && isNegative(negativePrefix+f.Name()) {
			list = append(list, companion{Name: negativePrefix + f.Name(), Size: info.Size()})
		}
	}
	return list, nil
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// fetches brings what the active node has and this one lacks, as long as this one follows. A
// witness needs none of it.
func (n *node) fetches(ctx context.Context) {
	if isWitness(n.config.Load()) {
		return
	}
	ticker := time.NewTicker(companionsEvery)
	defer ticker.Stop()
	said := ""
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if n.active.Load() == nil {
			n.followEarlyKeys(ctx)
		}
		leader := n.replica.Status().Leader
		if n.active.Load() != nil || leader == 0 || leader == n.config.Load().Cluster.Node {
			continue
		}
		text := ""
		if err := n.fetch(ctx, leader); err != nil {
			text = err.Error()
		}
		if text != said && text != "" {
			n.log.Warn("files of the active node can't be fetched", "node", leader, "error", text,
				"hint", "without them this node can't serve tokens or negative lists")
		}
		said = text
	}
}

func (n *node) fetch(ctx context.Context, leader uint64) error {
	ctx, cancel := context.WithTimeout(ctx, companionsTime)
	defer cancel()
	config := n.config.Load()
	from, err := n.wire.Wire().Stream(ctx, leader, wire.Files)
	if err != nil {
		return err
	}
	var list []companion
	err = json.NewDecoder(io.LimitReader(from, 1<<20)).Decode(&list)
	if err = errors.Join(err, from.Close()); err != nil {
		return err
	}
	own, err := companions(config)
	if err != nil {
		return err
	}
	has := make(map[string]companion)
	for _, c := range own {
		has[c.Name] = c
	}
	for _, c := range list {
		if (c.Name == vaultName || isNegative(c.Name)) && has[c.Name] != c {
			if err := n.fetchOne(ctx, config, leader, c); err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
		}
	}
	return nil
}

func (n *node) fetchOne(ctx context.Context, config *cardswitch.Config, leader uint64,
	c companion) error {
	from, err := n.wire.Wire().Stream(ctx, leader, wire.Files+"/"+c.Name)
	if err != nil {
		return err
	}
	defer from.Close()
	if c.Name == vaultName {
		text, err := io.ReadAll(io.LimitReader(from, wholefile.Most))
		defer clear(text)
		if err != nil {
			return err
		}
		if sumOf(text) != c.Sum {
			return nil // it has just changed; the next time
		}
		return n.whileFollowing(func() error {
			return wholefile.Replace(store.Disk(), config.Vault.KeyFile, text)
		})
	}
	name := negativeFile(config, c.Name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	part, err := os.OpenFile(name+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	size, err := io.Copy(part, from)
	if err = errors.Join(err, part.Sync(), part.Close()); err != nil {
		return err
	}
	if size != c.Size {
		return fmt.Errorf("%d bytes came of %d", size, c.Size)
	}
	return n.whileFollowing(func() error { return os.Rename(name+".part", name) })
}

// whileFollowing does something only while this node isn't about to be active: then its files are
// its own.
func (n *node) whileFollowing(do func() error) error {
	n.fetching.Lock()
	defer n.fetching.Unlock()
	if n.store.Epoch() != 0 {
		return nil
	}
	return do()
}
