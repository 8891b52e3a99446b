package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	cardswitch "cardswitch/switch"
	"cardswitch/switch/admin"
)

// A restart is a drain in silence, as before another node takes over, after which the process
// becomes the program that lies in its place now. It keeps its number, so whoever watches over it
// sees no end, and the sockets that it listens on. The journal is closed before and opened again
// after: at no time do two have it.

// errRestart ends a node that has drained to start anew.
var errRestart = errors.New("the node restarts")

var errClustered = admin.Conflict("this node is one of a cluster", "end and start it: another one "+
	"takes over; `cardswitch cluster transfer` first shows that one can")

// restartTime bounds a restart, as who ordered it waits for it.
const restartTime = 2 * time.Minute

func newRestartCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restart",
		Short: "Let the switch start anew, as after an upgrade, without a decline",
		Long: "Lets a node that is alone finish what is in flight, close its journal, and become the\n" +
			"program that lies in its place now. The sockets that it listens on stay open: merchants\n" +
			"that connect meanwhile wait, and are refused by nobody. Before anything happens the new\n" +
			"program must read the journal and find no fault in the configuration. SIGUSR2 does the\n" +
			"same. A node of a cluster is ended and started instead: another one takes over.",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return restart(command) },
	}
}

func restart(command *cobra.Command) error {
	c, err := newClient(command)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(command.Context(), restartTime)
	defer cancel()
	var before, now cardswitch.Status
	if err := c.get(ctx, "/v1/status", nil, &before); err != nil {
		return err
	}
	began := time.Now()
	if err := c.post(ctx, "/v1/restart", nil, new(admin.Done)); err != nil {
		return err
	}
	for {
		err := clientOf(c.socket).get(ctx, "/v1/status", nil, &now)
		switch {
		case ctx.Err() != nil:
			return failed(fmt.Errorf("the node doesn't serve again within %s", restartTime),
				"its log tells why")
		case err == nil && now.Started.After(before.Started) && now.State == "serving":
			_, err := fmt.Fprintf(command.OutOrStdout(), "serving again, %s after the order\n",
				time.Since(began).Round(time.Millisecond))
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// next is the program that takes this one's place, and what it goes on with.
type next struct {
	*sockets
	path  string
	flags []string // of this `start`, as they were given
	own   []string // those that `config check` doesn't know
	// orders has what makes the node's end that of a restart, once it is wanted.
	orders chan func()
}

func newNext(command *cobra.Command) (*next, error) {
	s, errSockets := inheritSockets()
	path, errPath := os.Executable()
	if err := errors.Join(errSockets, errPath); err != nil {
		return nil, err
	}
	n := &next{sockets: s, path: path, orders: make(chan func(), 1)}
	command.Flags().Visit(func(f *pflag.Flag) {
		given := "--" + f.Name + "=" + f.Value.String()
		if f.Name == "cpuprofile" || f.Name == "debuggable" {
			n.own = append(n.own, given)
		} else {
			n.flags = append(n.flags, given)
		}
	})
	return n, nil
}

// args are those that it is started with.
func (n *next) args() []string {
	return append(append([]string{os.Args[0], "start"}, n.flags...), n.own...)
}

// listen is where the node listens.
func (n *next) listen(address string) (net.Listener, error) {
	if n == nil {
		return net.Listen("tcp", address)
	}
	return n.sockets.listen(address)
}

// exec makes this process that program. It returns only if that fails.
func (n *next) exec() error { return n.sockets.exec(n.path, n.args()) }

// try tells why the program would not start on this configuration and a journal of this level.
func (n *next) try(ctx context.Context, level uint8) error {
	run := func(words ...string) ([]byte, error) {
		command := exec.CommandContext(ctx, n.path, words...)
		command.Args[0] = os.Args[0]
		var faults strings.Builder
		command.Stderr = &faults
		out, err := command.Output()
		if err != nil {
			err = fmt.Errorf("%s %s: %w: %s", n.path, words[0], err, strings.TrimSpace(faults.String()))
		}
		return out, err
	}
	text, err := run("version", "--output=json")
	if err != nil {
		return err
	}
	var is build
	if err := json.Unmarshal(text, &is); err != nil {
		return fmt.Errorf("%s version: %w", n.path, err)
	}
	// A program from before levels were told reads the first.
	if reads := max(1, is.Forms.Reads); reads < level {
		return fmt.Errorf("%s reads journals up to level %d, this one is of level %d", n.path, reads,
			level)
	}
	_, err = run(append([]string{"config", "check"}, n.flags...)...)
	return err
}

// Restart is admin's: it begins a restart, which goes on by itself.
func (n *node) Restart(ctx context.Context) error {
	switch {
	case n.wire != nil:
		return errClustered
	case n.next == nil:
		return errors.New("this program can't start itself anew")
	}
	if err := n.next.try(ctx, n.store.Level()); err != nil {
		return fmt.Errorf("the program that would start can't: %w", err)
	}
	select {
	case n.next.orders <- n.handOver:
	default: // one is under way
	}
	return nil
}

// handOver makes the end that follows one in silence that leaves the sockets open.
func (n *node) handOver() {
	n.next.keep()
	if a := n.active.Load(); a != nil {
		a.Switch.HandOver()
	}
}

// listened are the addresses that a configuration listens on, as it names them.
func listened(c *cardswitch.Config) map[string]bool {
	all := map[string]bool{c.Admin.HTTP: true}
	for i := range c.Centers {
		for _, l := range c.Centers[i].Links {
			all[l.Listen] = true
		}
	}
	return all
}
