package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"cardswitch/dr/drill"
	"cardswitch/hsm/keyring"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link/warm"
)

// siteReady is what a node of the other site says it has.
type siteReady struct {
	KeyStore   uint64   `json:"key_store"` // its version; 0: none
	Master     string   `json:"master"`    // why its security module isn't open; "": it is
	Vault      bool     `json:"vault"`
	Lists      int      `json:"lists"` // regular negative files
	Links      []string `json:"links"` // CENTER/LINK of its configuration
	Backup     bool     `json:"backup"`
	Production bool     `json:"production"`
	// Warm are the connections to issuers that it keeps ready.
	Warm []warm.Status `json:"warm,omitempty"`
}

// siteHas is what this node would lead with.
func (n *node) siteHas() (*siteReady, error) {
	config := n.config.Load()
	s := &siteReady{Backup: config.Backup.To != "", Production: config.Production,
		Warm: n.warm.Status()}
	if n.module == nil {
		s.Master = "it has no security module"
	}
	version, text, err := n.store.KeyWitness().Text()
	if err != nil {
		return nil, err
	}
	if len(text) > 0 { // its own file is written when it leads
		s.KeyStore = version
	}
	own, err := os.ReadFile(config.Keys.Store)
	if err == nil {
		version, err = keyring.VersionOf(own)
		s.KeyStore = max(s.KeyStore, version)
	}
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	files, err := companions(config)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if s.Vault = s.Vault || f.Name == vaultName; f.Name != vaultName {
			s.Lists++
		}
	}
	for _, c := range config.Centers {
		for _, l := range c.Links {
			s.Links = append(s.Links, c.Name+"/"+l.Name)
		}
	}
	return s, nil
}

// Ready is drill's.
func (n ground) Ready(ctx context.Context, s *drill.State) (list []drill.Check) {
	var here siteReady
	if err := n.askNode(ctx, s.Node, "ready", nil, &here); err != nil {
		return []drill.Check{{What: "the active node says what it leads with", Found: err.Error()}}
	}
	for _, m := range s.Members {
		if m.Role != cardswitch.NodeLearner {
			continue
		}
		there, name := siteReady{}, fmt.Sprintf("node %d of the other site", m.Node)
		if err := n.askOther(ctx, m.Node, "ready", nil, &there); err != nil {
			list = append(list, drill.Check{What: name + " answers", Found: err.Error(),
				Hint: "is it started, and of this version?"})
			continue
		}
		list = append(list, compareSites(name, &here, &there)...)
	}
	return list
}

// compareSites looks at what a node of the other site would lack if it had to lead.
func compareSites(name string, here, there *siteReady) (list []drill.Check) {
	add := func(what string, ok bool, found, hint string) {
		if ok {
			hint = ""
		}
		list = append(list, drill.Check{What: name + " " + what, OK: ok, Found: found, Hint: hint})
	}
	add("has its master key", there.Master == "", orFine(there.Master),
		"hold its ceremony with the same components")
	add("has a key store", there.KeyStore > 0 || here.KeyStore == 0,
		fmt.Sprintf("version %d, the active node's is %d", there.KeyStore, here.KeyStore),
		"it is fetched with the journal; see its log")
	add("has the vault's keys", there.Vault || !here.Vault, yesNo(there.Vault),
		"they are fetched every 2 s; see its log")
	add("has the negative files", there.Lists >= here.Lists,
		fmt.Sprintf("%d, the active node has %d", there.Lists, here.Lists),
		"they are fetched every 2 s; see its log")
	var lacks []string
	for _, l := range here.Links {
		if !slices.Contains(there.Links, l) {
			lacks = append(lacks, l)
		}
	}
	found := fmt.Sprintf("%d links", len(there.Links))
	if len(lacks) > 0 {
		found = "it lacks " + strings.Join(lacks, ", ")
	}
	add("is configured with all links", len(lacks) == 0, found,
		"add them to its configuration, with the addresses of its own site")
	away := slices.ContainsFunc(there.Warm, func(s warm.Status) bool { return !s.Ready })
	found = "none are configured to (warm: true), so it isn't known whether it reaches the issuers"
	if len(there.Warm) > 0 {
		found = warmText(there.Warm)
	}
	add("reaches the issuers over links that it keeps ready", !away, found,
		"see that its network and certificates let it, and that the center allows an idle connection")
	add("makes backups too", there.Backup || !here.Backup, yesNo(there.Backup), "set backup.to there")
	return list
}

func orFine(fault string) string {
	if fault == "" {
		return "it has"
	}
	return fault
}
