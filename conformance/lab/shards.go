package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cardswitch/conformance/load/cards"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/stage"
	"cardswitch/conformance/protect"
	"cardswitch/switch/admin"
)

// With shards each issuer has a journal and an active node of its own. Faults are done to the node
// where the first one is active; the others are to go on. Merchants have codes and PINs then, as
// each shard has to have their keys, which are the first one's.

// zones are what the partners do with codes and PINs, by center.
type zones map[string]*protect.Options

// merchantsName is the center of all merchants.
var merchantsName, _, _ = strings.Cut(stage.Link, "/")

// zonesOf writes the partners' keys; with one journal there are none.
func (r *run) zonesOf(secret sealed.Secret) (zones, error) {
	if !r.Shards {
		return nil, nil
	}
	centers := []string{merchantsName}
	for n := range issuers {
		centers = append(centers, issuerName(n))
	}
	z := make(zones)
	for _, center := range centers {
		file := filepath.Join(r.dir, center+".keys")
		if err := secret.WriteZone(file, center); err != nil {
			return nil, err
		}
		z[center] = &protect.Options{Keys: file, PIN: &protect.PIN{}, Generations: true}
	}
	z[merchantsName].MAC = &protect.MAC{Algorithm: "cmac"} // who has codes isn't signed on with early
	return z, nil
}

// groups are the names of the shards; "" alone is that there are none.
func (r *run) groups() []string {
	if !r.Shards {
		return []string{""}
	}
	var names []string
	for i := range issuers {
		names = append(names, shardName(i))
	}
	return names
}

func shardName(i int) string { return fmt.Sprintf("s%d", i) }

// shardsSection goes on with the section cluster of the configuration.
func shardsSection() string {
	var b strings.Builder
	b.WriteString("  shards:\n")
	for i := range issuers {
		fmt.Fprintf(&b, "    - {name: %s, issuers: [%s]}\n", shardName(i), issuerName(i))
	}
	return b.String()
}

// socket is the operators' of a group.
func (n *node) socket(group string) string {
	if group == "" {
		return n.stage.Socket()
	}
	return filepath.Join(n.stage.Dir, "admin-"+group+".sock")
}

// statusOf is what the node says of a group.
func (n *node) statusOf(ctx context.Context, group string) (s admin.ClusterStatus, err error) {
	return s, n.askOf(ctx, group, http.MethodGet, "/v1/cluster", nil, &s)
}

// transferTo has another node take a group over, as an operator would; 0 is the best one.
func (n *node) transferTo(ctx context.Context, group string, to int) error {
	return n.askOf(ctx, group, http.MethodPost, "/v1/cluster/transfer", map[string]int{"node": to},
		nil)
}

// serving are the nodes that are active, by group; an error if a group isn't whole.
func (r *run) serving(ctx context.Context) (serve []*node, err error) {
	if r.alone() {
		s, err := r.nodes[0].stands(ctx)
		if err == nil && s.State != "serving" {
			err = fmt.Errorf("the node is %s", s.State)
		}
		return r.nodes, err
	}
	for _, group := range r.groups() {
		var serves *node
		for _, n := range r.nodes {
			s, e := n.statusOf(ctx, group)
			if e == nil && s.State == active && s.InSync == nodes {
				serves = n
			}
			err = errors.Join(err, e)
		}
		if serves == nil {
			return nil, errors.Join(fmt.Errorf("no node is active with all others in sync %s", group), err)
		}
		serve = append(serve, serves)
	}
	return serve, nil
}

// spread waits until all is whole, and moves shards so that each is active at another node.
func (r *run) spread(ctx context.Context) (first *node, err error) {
	for {
		if first, err = r.whole(ctx); err != nil || !r.Shards {
			return first, err
		}
		serve, err := r.serving(ctx)
		if err != nil {
			continue // it has just changed
		}
		at := slices.IndexFunc(serve[1:], func(n *node) bool { return n == first }) + 1
		if at == 0 {
			return first, nil
		}
		to := r.nodes[first.number%nodes] // the next one; there are fewer shards than nodes
		if err := first.transferTo(ctx, shardName(at), to.number); err != nil {
			return nil, err
		}
	}
}

// answersOf gives the answers from a second before a time on: all of them, or with shards those of
// the first one, or, if shard isn't 0, of the others.
func (r *run) answersOf(shard int, at time.Time) (out []answer) {
	all := r.town.since(at.Add(-time.Second))
	if !r.Shards {
		return all
	}
	for _, a := range all {
		if (a.issuer == 0) == (shard == 0) {
			out = append(out, a)
		}
	}
	return out
}

// issuerOf is the place of the issuer of a masked card.
func issuerOf(card string) int {
	for _, r := range cards.Ranges() {
		if strings.HasPrefix(card, r.Prefix[:6]) {
			return r.Issuer
		}
	}
	return 0
}

// beside says how the other shards fared.
func (m *Measure) beside() string {
	if m.Others == 0 {
		return ""
	}
	return fmt.Sprintf("; the other shard's longest gap %s", m.Others.Round(time.Millisecond))
}
