package link

import (
	"context"
	"fmt"
	"slices"
)

// Reconfigure takes the new centers. Lines that are the same stay untouched, new ones start, those
// gone are drained. On an error nothing has changed.
func (n *Network) Reconfigure(centers []CenterConfig) error {
	config := Config{Centers: centers}
	config.complete()
	if err := config.Validate(); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	plan, err := n.plan(config.Centers)
	if err != nil {
		return err
	}
	lines := plan.all()
	if n.ctx != nil && !n.stopped() {
		opened, err := n.open(lines)
		if err != nil {
			return err
		}
		n.assign(lines, opened)
	}
	gone := linesOf(n.centers)
	n.leaving = append(n.leaving, n.centers...)
	n.centers = nil
	for _, e := range plan {
		e.apply()
		n.centers = append(n.centers, e.center)
	}
	n.leaving = slices.DeleteFunc(n.leaving, func(c *Center) bool {
		return slices.Contains(n.centers, c)
	})
	for _, line := range lines {
		n.begin(line, nil)
	}
	for _, line := range gone {
		if !slices.Contains(lines, line) {
			line.retire()
		}
	}
	return nil
}

// plan is what the centers and lines will be.
type plan []planned

type planned struct {
	center *Center
	config *CenterConfig
	lines  []*Line
}

func (p plan) all() []*Line {
	var out []*Line
	for _, e := range p {
		out = append(out, e.lines...)
	}
	return out
}

// plan makes new centers and lines, and takes over those that are the same.
func (n *Network) plan(configs []CenterConfig) (plan, error) {
	var out plan
	for i := range configs {
		config := &configs[i]
		at := slices.IndexFunc(n.centers, func(c *Center) bool { return c.name == config.Name })
		e := planned{config: config}
		if at >= 0 {
			e.center = n.centers[at]
		} else {
			e.center = newCenter(n, config)
		}
		if e.center.role != config.Role {
			return nil, fmt.Errorf("center %s: it can't become a %s; give the new one a new name",
				config.Name, config.Role)
		}
		for j := range config.Links {
			line, err := newLine(e.center, config, &config.Links[j])
			if err != nil {
				return nil, fmt.Errorf("center %s: link %s: %w", config.Name, config.Links[j].Name, err)
			}
			e.lines = append(e.lines, e.center.same(line))
		}
		out = append(out, e)
	}
	return out, nil
}

// same is the line that is there already, if it is the same as the new one.
func (c *Center) same(line *Line) *Line {
	for _, old := range c.Lines() {
		if old.print == line.print {
			return old
		}
	}
	return line
}

// apply gives the center its config and lines.
func (p *planned) apply() {
	p.center.mu.Lock()
	p.center.take(p.config)
	p.center.lines.Store(&p.lines)
	p.center.mu.Unlock()
	p.center.rank()
}

// open listens on the addresses of lines that nobody listens on yet; all of them or none.
func (n *Network) open(lines []*Line) (map[string]*port, error) {
	opened := map[string]*port{}
	for _, line := range lines {
		address := line.address()
		if address == "" || n.ports[address] != nil || opened[address] != nil {
			continue
		}
		listener, err := n.listen(line.config.Listen)
		if err != nil {
			for _, p := range opened {
				p.listener.Close()
			}
			return nil, fmt.Errorf("link %s: %w; is another program listening there?",
				line.config.Name, err)
		}
		opened[address] = &port{network: n, address: address, listener: listener}
	}
	return opened, nil
}

// assign gives the ports their lines, starts those just opened and closes those without any.
func (n *Network) assign(lines []*Line, opened map[string]*port) {
	shares := map[string][]*Line{}
	for _, line := range lines {
		if address := line.address(); address != "" {
			shares[address] = append(shares[address], line)
		}
	}
	for address, p := range n.ports {
		if len(shares[address]) == 0 {
			delete(n.ports, address)
			p.closed.Store(true)
			p.listener.Close()
		}
	}
	for address, share := range shares {
		p := n.ports[address]
		if p == nil {
			p = opened[address]
			n.ports[address] = p
		}
		p.lines.Store(&share)
		for _, line := range share {
			line.port = p
		}
		if opened[address] != nil {
			n.done.Add(1)
			go p.accept()
		}
	}
}

// begin starts the dialer of a line that has none yet, with a connection if there is one.
func (n *Network) begin(line *Line, ready *Idle) {
	if line.config.Dial == "" || line.dialing || n.ctx == nil || n.stopped() {
		return
	}
	ctx, cancel := context.WithCancel(n.ctx)
	line.dialing, line.hangUp = true, cancel
	n.done.Add(1)
	go func() {
		defer n.done.Done()
		line.keep(ctx, ready)
	}()
}
