package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Groups let several groups of a node share its address: who dials says first which one it means,
// by a line in clear, then all goes on as with one. A node without them hears no such line.
type Groups struct {
	listener net.Listener
	done     sync.WaitGroup

	mu   sync.Mutex
	open map[string]*group
	ends bool
}

const (
	groupMagic = "cardswitch group "
	mostGroup  = 64 // bytes of a name
	// mostNaming bounds the connections that have not said yet which group they mean.
	mostNaming = 64
)

// ListenGroups listens on an address for all groups.
func ListenGroups(address string) (*Groups, error) {
	l, err := listenTCP(address)
	if err != nil {
		return nil, fmt.Errorf("cluster.listen: %w", err)
	}
	g := &Groups{listener: l, open: make(map[string]*group)}
	g.done.Go(g.accept)
	return g, nil
}

// Close listens no more. The groups' own connections are theirs.
func (g *Groups) Close() error {
	g.mu.Lock()
	g.ends = true
	g.mu.Unlock()
	err := g.listener.Close()
	g.done.Wait()
	return err
}

// Listen is Config.Net of one group.
func (g *Groups) Listen(name string) func(address string) (net.Listener, error) {
	return func(string) (net.Listener, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.open[name] != nil {
			return nil, fmt.Errorf("group %s listens already", name)
		}
		one := &group{of: g, name: name, came: make(chan net.Conn), closed: make(chan struct{})}
		g.open[name] = one
		return one, nil
	}
}

// Dial is Config.Dial of one group.
func (g *Groups) Dial(name string) func(ctx context.Context, address string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := dialTCP(ctx, address)
		if err != nil {
			return nil, err
		}
		by, ok := ctx.Deadline()
		if !ok {
			by = time.Now().Add(shakeTime)
		}
		_ = conn.SetDeadline(by)
		if _, err := conn.Write([]byte(groupMagic + name + "\n")); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		_ = conn.SetDeadline(time.Time{})
		return conn, nil
	}
}

func (g *Groups) accept() {
	naming := make(chan struct{}, mostNaming)
	for {
		conn, err := g.listener.Accept()
		if err != nil {
			g.mu.Lock()
			ends := g.ends
			g.mu.Unlock()
			if ends {
				return
			}
			time.Sleep(100 * time.Millisecond) // as when files run out
			continue
		}
		select {
		case naming <- struct{}{}:
		default:
			_ = conn.Close()
			continue
		}
		go func() {
			defer func() { <-naming }()
			g.bring(conn)
		}()
	}
}

// bring gives a connection to the group that it means.
func (g *Groups) bring(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(shakeTime))
	name, ok := readGroup(conn)
	g.mu.Lock()
	one := g.open[name]
	g.mu.Unlock()
	if !ok || one == nil {
		_ = conn.Close() // a stranger, or a node that has other shards
		return
	}
	_ = conn.SetDeadline(time.Time{})
	select {
	case one.came <- conn:
	case <-one.closed:
		_ = conn.Close()
	}
}

// readGroup reads the line and not one byte more.
func readGroup(conn net.Conn) (string, bool) {
	var line []byte
	for one := make([]byte, 1); len(line) <= len(groupMagic)+mostGroup; {
		if _, err := conn.Read(one); err != nil {
			return "", false
		}
		if one[0] == '\n' {
			name, ok := bytes.CutPrefix(line, []byte(groupMagic))
			return string(name), ok
		}
		line = append(line, one[0])
	}
	return "", false
}

// group is the listener of one.
type group struct {
	of     *Groups
	name   string
	came   chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (o *group) Accept() (net.Conn, error) {
	select {
	case conn := <-o.came:
		return conn, nil
	case <-o.closed:
		return nil, net.ErrClosed
	}
}

func (o *group) Close() error {
	o.once.Do(func() {
		close(o.closed)
		o.of.mu.Lock()
		defer o.of.mu.Unlock()
		delete(o.of.open, o.name)
	})
	return nil
}

func (o *group) Addr() net.Addr { return o.of.listener.Addr() }
