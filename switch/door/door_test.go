package door

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"cardswitch/routing"
	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/switch/link"
	"cardswitch/switch/link/linktest"
)

const (
	address  = "10.0.0.1:7101"
	eastCard = "3569990000000009"
	westCard = "5555990000000007"
)

// shard is one in a test: it writes down what it is asked.
type shard struct {
	t       *testing.T
	dialect *spec.Dialect
	mu      sync.Mutex
	place   uint64
	silent  bool // it answers nothing but sign-ons
	got     []string
	seen    []string // envelopes of the connections that came
	signed  []bool   // whether they were signed on
	conns   []net.Conn
	opens   int
	closed  bool // it takes no connections
	slow    time.Duration
}

func (s *shard) at() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.place
}

// moves has another node be active, 0 for none; what the one before has not answered is lost.
func (s *shard) moves(to uint64, silent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.place, s.silent = to, silent
}

func (s *shard) open(_ context.Context, v Visitor) (net.Conn, error) {
	if v.Center != "shop" || v.Link != "a" || v.From.String() == "" {
		return nil, fmt.Errorf("who is %+v?", v)
	}
	ours, theirs := linktest.Pipe(64 << 10)
	s.mu.Lock()
	slow := s.slow
	s.mu.Unlock()
	time.Sleep(slow)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens++
	if s.place == 0 || s.closed {
		return nil, errors.New("nowhere")
	}
	s.conns = append(s.conns, theirs)
	s.seen, s.signed = append(s.seen, v.Envelope), append(s.signed, v.SignedOn)
	go s.serve(theirs, s.place)
	return ours, nil
}

func (s *shard) serve(conn net.Conn, place uint64) {
	in := &reader{conn: conn, dialect: s.dialect}
	for {
		m, frame, err := in.next()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.got = append(s.got, fmt.Sprintf("%d: %s %s", place, m.MTI(), m.Append(nil, 11)))
		silent := s.silent && m.MTI().Class() != 8
		s.mu.Unlock()
		if silent || m.MTI().Response() == 0 {
			continue
		}
		var edit spec.Edit
		edit.Reset()
		edit.SetMTI(m.MTI().Response())
		edit.SetNumber(39, map[bool]uint64{true: 800}[m.MTI().Class() == 8])
		out, fault := s.dialect.Append(nil, m, &edit)
		if !fault.OK() {
			s.t.Error(fault.Err())
		}
		_ = frame
		if _, err := conn.Write(appendFrame(nil, out)); err != nil {
			return
		}
	}
}

// asked is what the shard was asked, by node.
func (s *shard) asked() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// house is a door with a merchant before it.
type house struct {
	t          *testing.T
	net        *linktest.Net
	door       *Door
	dialect    *spec.Dialect
	east, west *shard
	merchant   net.Conn
	in         *reader
	stan       int
	end        context.CancelFunc
	ended      chan error
}

func open(t *testing.T, signOn link.SignOn, change ...func(*Config)) *house {
	t.Helper()
	d, err := dialect.Builtin(dialect.Default)
	if err != nil {
		t.Fatal(err)
	}
	table, err := routing.Parse("routes", []byte(`ranges:
  - {prefix: "356999", destinations: [e]}
  - {prefix: "555599", destinations: [w]}`), []string{"e", "w"})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, dialect: d, east: &shard{t: t, dialect: d, place: 1},
		west: &shard{t: t, dialect: d, place: 2}, ended: make(chan error, 1)}
	n := linktest.New(64 << 10)
	h.net = n
	c := Config{Listen: n.Listen, Institution: "99999000001",
		Patience: map[string]time.Duration{"shop": 20 * time.Second},
		Routes:   Routes{table, []int{0, 1}},
		Shards: []Shard{{"east", h.east.at, h.east.open},
			{"west", h.west.at, h.west.open}},
		Centers: []link.CenterConfig{{ID: 1, Name: "shop", Role: link.Merchant, Dialect: d,
			Window: 1 << 20, SignOn: signOn, Echo: link.Echo{After: time.Minute, Wait: time.Second},
			Links: []link.LinkConfig{{ID: 1, Name: "a", Listen: address,
				From: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}}}}}
	for _, f := range change {
		f(&c)
	}
	h.door, err = New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	h.end = end
	go func() { h.ended <- h.door.Run(ctx) }()
	synctest.Wait()
	if h.merchant, err = n.Dial(ctx, address); err != nil {
		t.Fatal(err)
	}
	h.in = &reader{conn: h.merchant, dialect: d}
	return h
}

func (h *house) close() {
	h.t.Helper()
	_ = h.merchant.Close()
	h.end()
	if err := <-h.ended; err != nil {
		h.t.Error(err)
	}
}

// message makes one with the next trace number.
func (h *house) message(mti spec.MTI, elements map[int]string) []byte {
	h.t.Helper()
	h.stan++
	var edit spec.Edit
	edit.Reset()
	edit.SetMTI(mti)
	edit.Set(11, fmt.Appendf(nil, "%06d", h.stan))
	edit.Set(12, []byte("261126101500"))
	for n, value := range elements {
		edit.Set(n, []byte(value))
	}
	frame, fault := h.dialect.Append(nil, nil, &edit)
	if !fault.OK() {
		h.t.Fatal(fault.Err())
	}
	return frame
}

// say sends a message.
func (h *house) say(mti spec.MTI, elements map[int]string) {
	h.t.Helper()
	if _, err := h.merchant.Write(appendFrame(nil, h.message(mti, elements))); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) sale(card string) {
	h.t.Helper()
	h.say(0x1200, map[int]string{2: card, 3: "000000", 32: "12345678901"})
}

// hears reads messages within some time, as MTI and trace number.
func (h *house) hears(within time.Duration) (got []string) {
	h.t.Helper()
	_ = h.merchant.SetReadDeadline(time.Now().Add(within))
	for {
		m, _, err := h.in.next()
		if err != nil {
			return got
		}
		got = append(got, fmt.Sprintf("%s %s", m.MTI(), m.Append(nil, 11)))
	}
}

func (h *house) want(what string, got []string, want ...string) {
	h.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("%s: %s", what, diff)
	}
}

// Each message goes to the shard of its card; what has none goes to the first one.
func TestTheCardSaysWhichShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, link.SignOnNone)
		defer h.close()
		h.sale(eastCard)
		h.sale(westCard)
		h.sale("4000000000000002") // nobody's
		h.say(0x1420, map[int]string{2: westCard})
		h.say(0x1500, nil)
		got := h.hears(time.Second)
		slices.Sort(got)
		h.want("merchant", got, "1210 000001", "1210 000002", "1210 000003", "1430 000004",
			"1510 000005")
		h.want("east", h.east.asked(), "1: 1200 000001", "1: 1200 000003", "1: 1500 000005")
		h.want("west", h.west.asked(), "2: 1200 000002", "2: 1420 000004")
	})
}

// A sign-on goes to the first shard; the others are told when they are first asked. An echo test is
// the door's own, also while no shard is there.
func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, link.SignOnPeer)
		defer h.close()
		h.say(0x1804, map[int]string{24: "801"})
		h.want("merchant", h.hears(time.Second), "1814 000001")
		h.sale(westCard)
		h.want("merchant", h.hears(time.Second), "1210 000002")
		h.want("west", h.west.asked(), "2: 1200 000002")
		h.east.moves(0, false)
		h.say(0x1804, map[int]string{24: "831"})
		h.want("merchant", h.hears(time.Second), "1814 000003")
		h.east.moves(3, false)
		time.Sleep(2 * watch)
		h.sale(eastCard)
		h.want("merchant", h.hears(time.Second), "1210 000004")
		h.want("east", h.east.asked(), "1: 1804 000001", "3: 1200 000004")
		h.say(0x1804, map[int]string{24: "802"})
		h.want("merchant", h.hears(time.Second), "1814 000005")
		h.sale(westCard)
		h.want("merchant", h.hears(time.Second), "1210 000006")
		if east, west := h.east.signed, h.west.signed; !slices.Equal(east, []bool{false, true}) ||
			!slices.Equal(west, []bool{true, false}) {
			t.Errorf("signed on: east %v, west %v", east, west)
		}
	})
}

// A way that was opened while the merchant signed on says so before anything is asked on it.
func TestASignOnMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, link.SignOnPeer)
		defer h.close()
		h.west.mu.Lock()
		h.west.slow = time.Second / 4
		h.west.mu.Unlock()
		h.sale(westCard)
		synctest.Wait()
		h.say(0x1804, map[int]string{24: "801"})
		h.want("merchant", h.hears(2*time.Second), "1814 000002", "1210 000001")
		h.want("west", h.west.asked(), "2: 1200 000001")
		if !slices.Equal(h.west.signed, []bool{false, true}) {
			t.Errorf("signed on: %v", h.west.signed)
		}
	})
}

// What wasn't answered is asked again where the shard has moved to, in order; the other shard goes
// on meanwhile.
func TestAShardMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, link.SignOnNone)
		defer h.close()
		h.sale(westCard)
		h.want("merchant", h.hears(time.Second), "1210 000001")
		h.west.moves(2, true)
		h.sale(westCard)
		h.sale(westCard)
		h.want("merchant", h.hears(time.Second))
		h.west.moves(0, true)
		h.sale(westCard)
		h.sale(eastCard)
		h.want("merchant", h.hears(time.Second), "1210 000005")
		h.west.moves(3, false)
		h.want("merchant", h.hears(time.Second), "1210 000002", "1210 000003", "1210 000004")
		h.want("west", h.west.asked(), "2: 1200 000001", "2: 1200 000002", "2: 1200 000003",
			"2: 1200 000004", "3: 1200 000002", "3: 1200 000003", "3: 1200 000004")
		if c := h.door.Counts()[1]; c.Passed != 4 || c.Again != 3 || c.Dropped != 0 {
			t.Errorf("%+v", c)
		}
	})
}

// However many merchants wait, a node that takes a shard over isn't run down by their doors.
func TestFewTryAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, link.SignOnNone)
		defer h.close()
		h.west.closed = true
		var more []net.Conn
		for range 40 {
			conn, err := h.net.Dial(t.Context(), address)
			if err != nil {
				t.Fatal(err)
			}
			more = append(more, conn)
			h.merchant = conn
			h.sale(westCard)
		}
		time.Sleep(time.Second)
		h.west.mu.Lock()
		opens := h.west.opens
		h.west.closed = false
		h.west.mu.Unlock()
		if most := openAtOnce * int(time.Second/openPause+1); opens < 10 || opens > most {
			t.Errorf("%d tries in a second, at most %d should be", opens, most)
		}
		time.Sleep(100 * time.Millisecond)
		if got := len(h.west.asked()); got != len(more) {
			t.Errorf("%d of %d were asked", got, len(more))
		}
		for _, conn := range more {
			_ = conn.Close()
		}
	})
}

// Nothing is asked again for a merchant that has given up.
func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, link.SignOnNone)
		defer h.close()
		h.west.moves(0, false)
		h.sale(westCard)
		h.want("merchant", h.hears(21*time.Second))
		h.west.moves(2, false)
		h.want("merchant", h.hears(time.Second))
		h.want("west", h.west.asked())
	})
}

// A shard that lets a merchant go signs off: that is for the door, which asks the next one.
func TestASignOffIsTheDoors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, link.SignOnNone)
		defer h.close()
		h.sale(eastCard)
		h.want("merchant", h.hears(time.Second), "1210 000001")
		var edit spec.Edit
		edit.Reset()
		edit.SetMTI(0x1804)
		edit.SetNumber(24, signOff)
		frame, _ := h.dialect.Append(nil, nil, &edit)
		if _, err := h.east.conns[0].Write(appendFrame(nil, frame)); err != nil {
			t.Fatal(err)
		}
		if _, err := h.east.conns[0].Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the door answers or stays: %v", err)
		}
		h.want("merchant", h.hears(time.Second))
		h.sale(eastCard)
		h.want("merchant", h.hears(time.Second), "1210 000002")
		if n := len(h.east.conns); n != 2 {
			t.Errorf("%d connections", n)
		}
	})
}

// A door that sees no shard any more lets its merchants go: another node's may.
func TestCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, link.SignOnNone)
		defer h.close()
		h.east.moves(0, false)
		h.say(0x1804, map[int]string{24: "831"})
		h.want("one shard is gone", h.hears(2*time.Second), "1814 000001")
		h.west.moves(0, false)
		time.Sleep(lostAfter + 100*time.Millisecond)
		h.say(0x1804, map[int]string{24: "831"})
		h.want("all are gone", h.hears(time.Second))
		if _, err := h.merchant.Read(make([]byte, 1)); err == nil ||
			errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the connection stands: %v", err)
		}
	})
}

// At its end a door waits for what is on its way and signs its merchants off; what comes then is
// neither passed nor answered.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, link.SignOnPeer)
		h.say(0x1804, map[int]string{24: "801"})
		h.want("merchant", h.hears(time.Second), "1814 000001")
		h.west.moves(2, true)
		h.sale(westCard)
		h.want("merchant", h.hears(time.Second))
		h.end()
		synctest.Wait()
		h.sale(eastCard)
		h.want("merchant", h.hears(time.Second))
		h.west.moves(3, false)
		got := h.hears(500 * time.Millisecond)
		h.want("merchant", got, "1210 000002", "1804 000002")
		h.say(0x1814, map[int]string{24: "802", 39: "800"})
		_ = h.merchant.SetReadDeadline(time.Now().Add(time.Second))
		if _, _, err := h.in.next(); err != io.EOF {
			t.Errorf("the connection stands: %v", err)
		}
		h.want("east", h.east.asked(), "1: 1804 000001")
		h.close()
	})
}

// What comes of a shard is cut as it was put together, however it arrives; nonsense ends it.
func FuzzReader(f *testing.F) {
	d, err := dialect.Builtin(dialect.Default)
	if err != nil {
		f.Fatal(err)
	}
	var edit spec.Edit
	edit.Reset()
	edit.SetMTI(0x1814)
	edit.SetNumber(11, 1)
	good, _ := d.Append(nil, nil, &edit)
	f.Add(appendFrame(appendFrame(nil, good), good), 3)
	f.Add([]byte{0, 0}, 1)
	f.Fuzz(func(t *testing.T, text []byte, piece int) {
		ours, theirs := net.Pipe()
		go func() {
			for rest := text; len(rest) > 0; {
				n := min(max(1, piece), len(rest))
				if _, err := theirs.Write(rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
			theirs.Close()
		}()
		defer ours.Close()
		in := &reader{conn: ours, dialect: d}
		for at := 0; ; {
			_, frame, err := in.next()
			if err != nil {
				return
			}
			size := int(binary.BigEndian.Uint16(text[at:]))
			if string(frame) != string(text[at+2:at+2+size]) {
				t.Fatalf("at %d", at)
			}
			at += 2 + size
		}
	})
}
