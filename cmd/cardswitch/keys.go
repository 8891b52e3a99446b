package main

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// sampleConfig is the whole configuration with comments: what `config sample`
// prints, and the list of the keys that exist.
//
//go:embed sample.yaml
var sampleConfig string

// nameTree holds the names that a configuration may have, as a tree. A nil entry holds
// a value; open holds names that the operator chooses.
type nameTree map[string]nameTree

// open is the name that stands for any name, as the MTIs under rules.
const open = "*"

func knownKeys() nameTree {
	var root yaml.Node
	// The sample is part of the program; a test reads it.
	if err := yaml.Unmarshal([]byte(sampleConfig), &root); err != nil {
		panic(err)
	}
	known := keysOf(root.Content[0])
	center := known["centers"]
	center["rules"] = nameTree{"require": {open: nil}, "relax": {open: nil}}
	known["access"] = nameTree{"roles": {open: nil}}
	center["security"] = nameTree{"generations": nil, "pin": {"format": nil},
		"mac": {"algorithm": nil, "padding": nil, "size": nil, "elements": nil, "required": nil,
			"errors": nil},
		"p2pe": {"scheme": nil, "key": nil, "element": nil, "window": nil, "required": nil,
			"key_sets": nil, "alarm": nil}}
	center["tokens"] = nameTree{"element": nil, "scope": nil, "format": nil, "prefix": nil,
		"from": nil, "to": nil, "keep_last_four": nil, "single_use": nil}
	signal := nameTree{"function": nil, "reason": nil}
	center["standin"] = nameTree{"rules": nil, "agent": nil, "country": nil, "approval_prefix": nil,
		"back": nil, "unanswered": nil, "report_declines": nil, "begin": signal, "end": signal,
		"failing": {"errors": nil, "share": nil, "within": nil, "codes": nil, "probe": nil,
			"good": nil}}
	center["negative"]["layout"] = nameTree{"format": nil, "columns": nil, "separator": nil,
		"fields": {open: nil}, "header": nil, "trailer": nil, "count": nil, "sum": nil, "luhn": nil}
	known["cluster"] = nameTree{"name": nil, "node": nil, "role": nil, "listen": nil, "address": nil,
		"members": {"node": nil, "role": nil, "address": nil}, "cert": nil, "key": nil, "ca": nil,
		"heartbeat": nil, "election": nil, "tick": nil, "disk_hang": nil, "log_mb": nil,
		"shards": {"name": nil, "issuers": nil, "http": nil}}
	known["settlement"] = nameTree{"fees": {"merchant": nil, "issuer": nil, "from": nil, "to": nil,
		"per_mille": nil, "per_item": nil}}
	known["keys"]["periods"] = nameTree{open: {"rotate": nil, "uses": nil, "period": nil,
		"window": nil}}
	// In the sample they are comments, since they would need real files and keys.
	center["links"]["envelope"] = nameTree{"id": nil, "padding": nil, "share": nil, "legacy": nil,
		"epoch": nil}
	center["links"]["tls"] = nameTree{"cert": nil, "key": nil, "ca": nil, "names": nil}
	known["keys"]["pkcs11"] = nameTree{"library": nil, "token": nil, "pin_file": nil, "label": nil,
		"sessions": nil, "mac_in_process": nil}
	known["keys"]["payshield"] = nameTree{"units": nil, "beside": nil, "header": nil, "lmk": nil,
		"lmk_check": nil, "ksn_descriptor": nil, "connections": nil, "timeout": nil,
		"key_timeout": nil, "connect": nil,
		"tls": {"cert": nil, "key": nil, "ca": nil, "names": nil}}
	return known
}

// keysOf joins the elements of a list: the sample shows one of each kind.
func keysOf(node *yaml.Node) nameTree {
	var known nameTree
	switch node.Kind {
	case yaml.MappingNode:
		known = nameTree{}
		for i := 0; i < len(node.Content); i += 2 {
			known[node.Content[i].Value] = keysOf(node.Content[i+1])
		}
	case yaml.SequenceNode:
		for _, item := range node.Content {
			known = join(known, keysOf(item))
		}
	}
	return known
}

func join(a, b nameTree) nameTree {
	if a == nil {
		return b
	}
	for name, below := range b {
		a[name] = join(a[name], below)
	}
	return a
}

func parseYAML(file string, text []byte) (*yaml.Node, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, &failure{Code: exitUsage, What: fmt.Errorf("%s: %w", file, err),
			Hint: "the file is YAML; mind the spaces at the beginnings of lines"}
	}
	if len(root.Content) == 0 {
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	}
	return root.Content[0], nil
}

// check names every key in the file that doesn't exist, with its line and the
// key that may have been meant.
func (k nameTree) check(file string, node *yaml.Node) error {
	var unknown []error
	k.walk(node, "", func(name *yaml.Node, path string, siblings nameTree) {
		what := fmt.Errorf("%s:%d: unknown key %q", file, name.Line, path)
		if near := nearest(name.Value, siblings); near != "" {
			what = fmt.Errorf("%w; did you mean %q?", what, near)
		}
		unknown = append(unknown, what)
	})
	return errors.Join(unknown...)
}

func (k nameTree) walk(node *yaml.Node, path string, unknown func(*yaml.Node, string, nameTree)) {
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		at := strings.TrimPrefix(path+"."+name.Value, ".")
		below, ok := k[name.Value]
		if _, any := k[open]; !ok && !any {
			unknown(name, at, k)
			continue
		}
		if below != nil {
			below.walk(value, at, unknown)
		}
	}
	for i := 0; node.Kind == yaml.SequenceNode && i < len(node.Content); i++ {
		k.walk(node.Content[i], fmt.Sprintf("%s[%d]", path, i), unknown)
	}
}

// otherEnv are names with our prefix that aren't keys of the configuration.
var otherEnv = []string{envPrefix + "_CONFIG", passphraseEnv}

// checkEnv refuses what would otherwise be overlooked in silence. Centers have
// no names in the environment: they are a list.
func (k nameTree) checkEnv(environ []string) error {
	known := map[string]bool{}
	for _, path := range k.scalars("") {
		known[envName(path)] = true
	}
	for _, name := range otherEnv {
		known[name] = true
	}
	var unknown []error
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, envPrefix+"_") && !known[name] {
			unknown = append(unknown, fmt.Errorf("environment: unknown name %s", name))
		}
	}
	return errors.Join(unknown...)
}

func envName(path string) string {
	return envPrefix + "_" + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// scalars are the paths of all keys outside of centers, in order.
func (k nameTree) scalars(path string) []string {
	var paths []string
	for name, below := range k {
		at := strings.TrimPrefix(path+"."+name, ".")
		switch {
		case at == "centers":
		case below == nil:
			paths = append(paths, at)
		default:
			paths = append(paths, below.scalars(at)...)
		}
	}
	slices.Sort(paths)
	return paths
}

// nearest is the known name with the fewest changes, if there are few enough.
func nearest(name string, among nameTree) string {
	best, least := "", 2+len(name)/3
	for _, candidate := range sortedNames(among) {
		if d := distance(strings.ToLower(name), candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

func sortedNames(among nameTree) []string {
	var names []string
	for name := range among {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// distance counts the letters to change, add or take away to make b from a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := before
			if a[i] != b[j] {
				changed++
			}
			before = row[j+1]
			row[j+1] = min(changed, before+1, row[j]+1)
		}
	}
	return row[len(b)]
}
