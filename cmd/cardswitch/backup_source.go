package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"cardswitch/dr/backup"
	"cardswitch/store"
	cardswitch "cardswitch/switch"
)

// backupSource is what of a node goes into a backup, and where it goes. The audit log's records go
// in, to be read; its state doesn't, for it holds the key of the records to come: a restored node
// begins a log of its own.
func backupSource(c *cardswitch.Config, journal *store.Store) *backup.Source {
	s := &backup.Source{
		Journal: journal,
		Scratch: backupScratch(c),
		Program: buildInfo().Version,
		Node:    c.Node,
		Parts: []backup.Part{
			{Name: backup.NegativePart, Path: filepath.Join(c.Data.Dir, "negative")},
			{Name: backup.KeyStorePart, Path: c.Keys.Store},
			{Name: backup.VaultPart, Path: c.Vault.KeyFile},
			{Name: "audit-before", Path: c.Audit.Dir, Only: isAuditSegment},
		},
		Elsewhere: backupElsewhere(c),
	}
	s.Elsewhere[0].ID = fmt.Sprintf("%x", journal.KeyName())
	named := slices.Concat([]string{c.File}, c.Routing.Files, c.Dialects)
	for i := range c.Centers {
		if standIn := c.Centers[i].StandIn; standIn != nil {
			named = append(named, standIn.Rules)
		}
	}
	seen := map[string]bool{}
	for _, name := range named {
		part := configPart(c, name)
		if name != "" && !seen[part.Name] {
			s.Parts = append(s.Parts, part)
		}
		seen[part.Name] = true
	}
	return s
}

func backupScratch(c *cardswitch.Config) string { return filepath.Join(c.Data.Dir, "backup.part") }

func isAuditSegment(name string) bool {
	return strings.HasPrefix(name, "audit-") && strings.HasSuffix(name, ".jsonl")
}

// configPart is a file of the configuration. One beside it stays beside it.
func configPart(c *cardswitch.Config, name string) backup.Part {
	to := filepath.Base(name)
	if filepath.IsLocal(name) {
		to = filepath.ToSlash(filepath.Clean(name))
	}
	return backup.Part{Name: "config/" + to, Path: c.Path(name)}
}

// backupElsewhere is what a restored node needs and no backup holds.
func backupElsewhere(c *cardswitch.Config) []backup.Elsewhere {
	list := []backup.Elsewhere{{What: "data key", Path: c.Data.KeyFile}}
	if c.Keys.Has(cardswitch.ModuleSoft) {
		list = append(list, backup.Elsewhere{What: "master key", Path: c.Keys.Master})
	}
	if c.Keys.Has(cardswitch.ModulePKCS11) {
		list = append(list, backup.Elsewhere{What: "token " + c.Keys.PKCS11.Token})
	}
	if c.Keys.Has(cardswitch.ModulePayShield) {
		list = append(list, backup.Elsewhere{What: "payment HSMs with the same LMK"})
	}
	if c.Keys.PassphraseFile != "" {
		list = append(list, backup.Elsewhere{What: "passphrase of the master key",
			Path: c.Keys.PassphraseFile})
	}
	if c.Cluster != nil {
		list = append(list, backup.Elsewhere{What: "certificate and key of the node in its cluster",
			Path: c.Path(c.Cluster.Key)})
	}
	for i := range c.Centers {
		for k := range c.Centers[i].Links {
			if t := c.Centers[i].Links[k].TLS; t != nil {
				list = append(list, backup.Elsewhere{What: "certificate and key of " +
					c.Centers[i].Name + "/" + c.Centers[i].Links[k].Name, Path: c.Path(t.Key)})
			}
		}
	}
	return list
}
