package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// place is where the nodes and their partners live. Every node has a network namespace of its own
// with one address, all joined by a bridge in one more namespace, in which the partners are: so a
// node can be cut from another one while both still reach everybody else. Where namespaces can't be
// made, every node has an address of the loopback network, and nobody can be cut off.
type place struct {
	name    string // of this run; "" on the loopback network
	nodes   int
	outside int // file of the partners' namespace
	why     error
}

// net7 is the network of the namespaces, .1 to .n for the nodes, .254 for the partners.
const net7 = "10.213.7."

// openPlace makes the namespaces, or says in why that it can't be.
func openPlace(nodes int, plain bool) *place {
	p := &place{nodes: nodes, outside: -1, why: errors.New("--loopback")}
	if plain {
		return p
	}
	p.name = fmt.Sprintf("cardswitch-%d-", os.Getpid())
	if p.why = p.build(); p.why != nil {
		p.close()
		p.name = ""
	}
	return p
}

func (p *place) build() (err error) {
	steps := []string{"netns add @o", "-n @o link set lo up", "-n @o link add br0 type bridge",
		"-n @o addr add " + net7 + "254/24 dev br0", "-n @o link set br0 up"}
	for n := 1; n <= p.nodes; n++ {
		for _, s := range []string{"netns add @%d",
			"-n @o link add port%d type veth peer name eth0 netns @%d",
			"-n @o link set port%d master br0", "-n @o link set port%d up",
			"-n @%d addr add " + net7 + "%d/24 dev eth0", "-n @%d link set eth0 up",
			"-n @%d link set lo up"} {
			steps = append(steps, strings.ReplaceAll(s, "%d", fmt.Sprint(n)))
		}
	}
	for _, s := range steps {
		if err := p.ip(s); err != nil {
			return err
		}
	}
	p.outside, err = unix.Open("/run/netns/"+p.name+"o", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	return err
}

// ip runs the system's ip; @ stands for the beginning of this run's names.
func (p *place) ip(words string) error {
	out, err := exec.Command("ip", strings.Fields(strings.ReplaceAll(words, "@", p.name))...).
		CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", words, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (p *place) close() {
	if p.name == "" {
		return
	}
	if p.outside >= 0 {
		_ = unix.Close(p.outside)
	}
	_ = p.ip("netns del @o")
	for n := 1; n <= p.nodes; n++ {
		_ = p.ip(fmt.Sprintf("netns del @%d", n))
	}
}

// host is the address of a node, from 1, or of the partners, 0.
func (p *place) host(node int) string {
	switch {
	case p.name == "":
		return fmt.Sprintf("127.0.0.%d", 10+node)
	case node == 0:
		return net7 + "254"
	}
	return fmt.Sprint(net7, node)
}

// from is the network that merchants come from.
func (p *place) from() string {
	if p.name == "" {
		return "127.0.0.0/8"
	}
	return net7 + "0/24"
}

// command is how a program is started at a node.
func (p *place) command(node int, program string, args ...string) (string, []string) {
	if p.name == "" {
		return program, args
	}
	return "ip", slices.Concat([]string{"netns", "exec", fmt.Sprint(p.name, node), program}, args)
}

// cut lets nothing of one node come to another.
func (p *place) cut(from, to int) error {
	if p.name == "" {
		return p.why
	}
	return p.ip(fmt.Sprintf("-n @%d route add blackhole %s/32", from, p.host(to)))
}

func (p *place) heal(from, to int) error {
	return p.ip(fmt.Sprintf("-n @%d route del blackhole %s/32", from, p.host(to)))
}

// within runs fn where the partners are: what sockets it opens stay there.
func (p *place) within(fn func() error) error {
	if p.name == "" {
		return fn()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err := unix.Setns(p.outside, unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- fn()
	}()
	return <-done
}

func (p *place) dial(ctx context.Context, address string) (c net.Conn, err error) {
	err = p.within(func() (err error) {
		c, err = (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp", address)
		return err
	})
	return c, err
}

func (p *place) listen(address string) (l net.Listener, err error) {
	err = p.within(func() (err error) {
		l, err = net.Listen("tcp", address)
		return err
	})
	return l, err
}
