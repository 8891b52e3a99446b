package lab

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"cardswitch/conformance/load/process"
	"cardswitch/conformance/load/sealed"
	"cardswitch/conformance/load/stage"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// nodes is how many there are: each has the journal and can be the active one.
const nodes = 3

// Ports at each node's own address.
const (
	merchantPort = "7101"
	memberPort   = "7400"
	metricsPort  = "9100"
)

const clusterName = "lab"

// node is one member of the cluster.
type node struct {
	number  int
	machine int // where it runs; numbers are used up, machines aren't
	run     *run
	program string
	stage   *stage.Stage
	child   *process.Child // nil: it was ended by us
}

// layOut writes the files of all nodes. Their key stores are copies of the first one's, as an
// operator would carry them; the data key is common.
func (r *run) layOut(ctx context.Context, links [][]string, secret sealed.Secret) error {
	cluster, err := stage.NewCluster(clusterName)
	if err != nil {
		return err
	}
	if err := cluster.KeepAuthority(r.authority()); err != nil {
		return err
	}
	for n := 1; n <= r.number(); n++ {
		s, err := r.stageOf(n, n, links)
		if err != nil {
			return err
		}
		r.mountDisk(s.Dir)
		s.Secret, s.Cluster = secret, r.section(n)
		if r.Shards {
			s.Shards, s.Codes = r.groups(), true
		}
		if n > 1 {
			if err := stage.CopyKeys(r.nodes[0].stage, s); err != nil {
				return err
			}
		}
		if err := s.Write(); err != nil {
			return err
		}
		if err := cluster.Enroll(s, n); err != nil {
			return err
		}
		r.nodes = append(r.nodes, &node{number: n, machine: n, run: r, stage: s,
			program: cmp.Or(r.Old, r.Program)})
	}
	return ctx.Err()
}

// authority is the folder with which certificates are made.
func (r *run) authority() string { return filepath.Join(r.dir, "authority") }

// stageOf is what all nodes have in common.
func (r *run) stageOf(number, machine int, links [][]string) (*stage.Stage, error) {
	dir := filepath.Join(r.dir, fmt.Sprintf("node-%d", number))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := stage.New(r.Program, dir, links)
	if err != nil {
		return nil, err
	}
	host := r.place.host(machine)
	s.Merchants, s.HTTP = net.JoinHostPort(host, merchantPort), net.JoinHostPort(host, metricsPort)
	s.From = r.place.from()
	s.MerchantTime, s.IssuerTime, s.Hold = answerTime*3/4, answerTime/2, answerTime/8
	s.Repeat, s.BackOff = answerTime/4, answerTime
	s.Warm = !r.Cold && !r.alone() && r.Old == "" // an older program may not know it
	for m := range merchants {
		s.Acquirers = append(s.Acquirers, acquirer(m))
	}
	return s, nil
}

// section is the cluster section of a node's configuration.
func (r *run) section(n int) string {
	if r.alone() {
		return ""
	}
	var b strings.Builder
	b.WriteString(r.identity(n, n) + "  members:\n")
	for m := 1; m <= r.number(); m++ {
		fmt.Fprintf(&b, "    - {node: %d, role: %s, address: %q}\n", m, roleOf(m), r.member(m))
	}
	fmt.Fprintf(&b, "  role: %s\n", roleOf(n))
	if r.Shards {
		b.WriteString(shardsSection())
	}
	fmt.Fprintf(&b, "access: {roles: {%s: [operator]}}\n", secondName)
	return b.String()
}

// identity is the part of it that says who a node is, and where others find it.
func (r *run) identity(number, machine int) string {
	return fmt.Sprintf("cluster:\n  name: %s\n  node: %d\n  listen: %q\n  cert: node.pem\n"+
		"  key: node.key\n  ca: ca.pem\n", clusterName, number, r.member(machine))
}

func roleOf(n int) string {
	if n == far {
		return cardswitch.NodeLearner
	}
	return cardswitch.NodeData
}

func (r *run) member(n int) string { return net.JoinHostPort(r.place.host(n), memberPort) }

// start starts the process, again if it was ended.
func (n *node) start(ctx context.Context) error {
	program, args := n.run.place.command(n.machine, n.program, "start", "--config",
		n.stage.File("cardswitch.yaml"))
	child, err := process.Start(ctx, fmt.Sprintf("node %d", n.number), program, args...)
	if err != nil {
		return err
	}
	n.child = child
	child.Mute()
	return nil
}

func (n *node) kill() {
	if n.child != nil {
		n.child.Kill()
		n.child = nil
	}
}

// died gives the words of a node that ended by itself.
func (n *node) died() (words string, ended bool) {
	if n.child == nil {
		return "", false
	}
	select {
	case <-n.child.Ended():
		return fmt.Sprintf("node %d: %s", n.number, n.child.Words()), true
	default:
		return "", false
	}
}

// status is what the node says of the cluster.
func (n *node) status(ctx context.Context) (s admin.ClusterStatus, err error) {
	return n.statusOf(ctx, n.run.groups()[0])
}

// transfer has another node take over, as an operator would.
func (n *node) transfer(ctx context.Context) error {
	return n.transferTo(ctx, n.run.groups()[0], 0)
}

// ask asks the node on its operators' socket. One that stands still doesn't answer.
func (n *node) ask(ctx context.Context, method, path string, order, into any) error {
	return n.askOf(ctx, n.run.groups()[0], method, path, order, into)
}

// askOf asks the node of one group; "" is the only one.
func (n *node) askOf(ctx context.Context, group, method, path string, order, into any) error {
	return n.askBy(ctx, new(net.Dialer).DialContext, n.socket(group), method, path, order, into)
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

func (n *node) askBy(ctx context.Context, dial dialer, socket, method, path string,
	order, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*dialTime)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dial(ctx, "unix", socket)
		}}}
	var body bytes.Buffer
	if order != nil {
		if err := json.NewEncoder(&body).Encode(order); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://node"+path, &body)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("node %d: %s: %s", n.number, response.Status, text)
	case into == nil:
		return nil
	}
	return json.Unmarshal(text, into)
}
