package link

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// relay passes what merchants send to the issuer and back, with nothing in between: the bare cost
// of links. Element 11 says which driver asked.
type relay struct {
	issuer *Center
	up     chan *Link
	asked  [1024]atomic.Pointer[Link]
}

func (r *relay) Up(l *Link)                  { r.up <- l }
func (r *relay) Down(*Link, []Unsent, error) {}

func (r *relay) Received(l *Link, in []Inbound) {
	var last *Link
	for i := range in {
		stan, _ := in[i].Message.Number(11)
		to := r.asked[stan].Load()
		if l.Center().Role() == Merchant {
			if to != l {
				r.asked[stan].Store(l)
			}
			to = r.issuer.Best()
		}
		if last != nil && to != last {
			last.Flush()
		}
		to.Queue(1, in[i].Frame, Prefix{})
		last = to
	}
	last.Flush()
}

// BenchmarkRelay is a message through two legs and an answer back over loopback TCP. The CPU time
// is of all: drivers, links and the issuer, which sends back what it reads.
func BenchmarkRelay(b *testing.B) {
	for _, load := range [][2]int{{4, 512}, {64, 8}, {1, 1}} {
		b.Run(fmt.Sprintf("%dx%d", load[0], load[1]), func(b *testing.B) {
			benchmarkRelay(b, load[0], load[1])
		})
	}
}

func benchmarkRelay(b *testing.B, links, outstanding int) {
	bank, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer bank.Close()
	go mirror(bank)
	r := &relay{up: make(chan *Link, links+1)}
	n, err := New(Config{Logger: slog.New(slog.DiscardHandler), Centers: []CenterConfig{
		merchant("m", func(c *CenterConfig) { c.Links[0].Listen = "127.0.0.1:0" }),
		issuer("i", func(c *CenterConfig) { c.Links[0].Dial = bank.Addr().String() }),
	}}, r)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer n.Wait()
	defer cancel()
	r.issuer = n.Center("i")
	if err := n.Start(ctx); err != nil {
		b.Fatal(err)
	}
	for r.issuer.Best() == nil {
		time.Sleep(time.Millisecond)
	}
	conns := make([]net.Conn, links)
	for i := range conns {
		conns[i], err = net.Dial("tcp", n.Center("m").Lines()[0].Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer conns[i].Close()
	}
	b.ReportAllocs()
	b.ResetTimer()
	began := cpu()
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			if err := drive(c, frame(purchase(b, i)), outstanding, b.N/links+1); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(cpu()-began)/float64(b.N)/1e3, "cpu-µs/op")
}

func purchase(b *testing.B, driver int) string {
	return message(b, 0x1200, map[int]string{2: "4111111111111111", 3: "000000",
		4: "000000001000", 11: fmt.Sprintf("%06d", driver), 12: "261122120000", 22: "510101511301",
		24: "200", 26: "5411", 32: "12345678901", 37: "000000000001", 41: "TERMINAL",
		42: "MERCHANT       ", 49: "392", 48: string(bytes.Repeat([]byte("x"), 240))})
}

// drive keeps so many of a message on the way until total came back.
func drive(c net.Conn, message []byte, outstanding, total int) error {
	many := bytes.Repeat(message, outstanding)
	buf := make([]byte, 256<<10)
	send, back, part := min(outstanding, total), 0, 0
	sent := 0
	for back < total {
		if _, err := c.Write(many[:send*len(message)]); err != nil {
			return err
		}
		sent += send
		n, err := c.Read(buf)
		if err != nil {
			return err
		}
		part += n
		whole := part / len(message)
		part -= whole * len(message)
		back += whole
		send = min(whole, total-sent)
	}
	return nil
}

// mirror sends back whatever comes.
func mirror(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			buf := make([]byte, 256<<10)
			for {
				n, err := c.Read(buf)
				if err != nil {
					return
				}
				if _, err := c.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
