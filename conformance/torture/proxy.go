package torture

import (
	"net"
	"sync"
	"time"
)

// Proxy stands in a link and hurts it on demand. Whatever it is told lasts until its time is over;
// the next order takes the place of the last.
type Proxy struct {
	to       string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	way    Kind // what it does to what passes; "" nothing
	until  time.Time
	closed bool
	pairs  map[*pair]bool
}

// pair is one connection through the proxy, its two ends.
type pair struct{ near, far *net.TCPConn }

// reset ends both ends as a cut cable would: what is under way is lost.
func (p *pair) reset() {
	for _, c := range []*net.TCPConn{p.near, p.far} {
		c.SetLinger(0)
		c.Close()
	}
}

// OpenProxy listens on a free port of this machine and passes on to an address.
func OpenProxy(to string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{to: to, listener: l, pairs: make(map[*pair]bool)}
	p.running.Go(p.accept)
	return p, nil
}

// Address is where it listens.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Hurt does to the link what a kind says, for a while.
func (p *Proxy) Hurt(k Kind, d time.Duration) {
	p.mu.Lock()
	p.way, p.until = k, time.Now().Add(d)
	p.mu.Unlock()
	switch k {
	case Cut, Refuse:
		p.reset()
	case Swallow:
		time.AfterFunc(d, p.reset)
	}
}

// Heal lets everything pass from now on.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.way = ""
}

// Close ends the proxy and what passes through it.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.listener.Close()
	p.reset()
	p.running.Wait()
}

// now is what is done to what passes at this moment.
func (p *Proxy) now() (Kind, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := time.Until(p.until); p.way != "" && left > 0 && !p.closed {
		return p.way, left
	}
	return "", 0
}

func (p *Proxy) reset() {
	p.mu.Lock()
	pairs := p.pairs
	p.pairs = make(map[*pair]bool)
	p.mu.Unlock()
	for c := range pairs {
		c.reset()
	}
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		near := conn.(*net.TCPConn)
		if way, _ := p.now(); way == Refuse {
			near.SetLinger(0)
			near.Close()
			continue
		}
		p.running.Go(func() { p.join(near) })
	}
}

func (p *Proxy) join(near *net.TCPConn) {
	conn, err := net.DialTimeout("tcp", p.to, 2*time.Second)
	if err != nil {
		near.SetLinger(0)
		near.Close()
		return
	}
	c := &pair{near, conn.(*net.TCPConn)}
	p.mu.Lock()
	// Who came in just before all are refused is among them.
	closed := p.closed || p.way == Refuse && time.Now().Before(p.until)
	if !closed {
		p.pairs[c] = true
	}
	p.mu.Unlock()
	if closed {
		c.reset()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.pump(c.near, c.far) })
	both.Go(func() { p.pump(c.far, c.near) })
	both.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
}

// trickled is how much passes at a time where a link trickles.
const trickled = 64

// pump carries one direction until either end is gone, then ends both.
func (p *Proxy) pump(from, to *net.TCPConn) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 32<<10)
	for {
		way, left := p.now()
		if way == Hold {
			time.Sleep(min(left, 5*time.Millisecond))
			continue
		}
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if !p.pass(to, buffer[:n]) {
			return
		}
	}
}

// pass writes what was read, or doesn't, and says whether the way is still open.
func (p *Proxy) pass(to *net.TCPConn, data []byte) bool {
	for len(data) > 0 {
		way, left := p.now()
		part := data
		switch way {
		case Swallow:
			return true
		case Hold: // it was waiting for these bytes when the order came
			time.Sleep(min(left, 5*time.Millisecond))
			continue
		case Trickle:
			part = data[:min(len(data), trickled)]
			time.Sleep(2 * time.Millisecond)
		}
		if _, err := to.Write(part); err != nil {
			return false
		}
		data = data[len(part):]
	}
	return true
}
