package model_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"pgregory.net/rapid"

	"cardswitch/conformance/load/wire"
	"cardswitch/conformance/model"
	"cardswitch/spec"
	"cardswitch/store/disktest"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/link/linktest"
)

const (
	shopAt   = "127.0.0.1:7101"
	bankAt   = "127.0.0.1:7201"
	acquirer = "10000000001"
	// answerTime is long enough that none runs out but in Silence.
	answerTime = 2 * time.Minute
	local      = "261126120000"
)

// real is the real switch between a shop and a bank that do nothing of their own.
type real struct {
	t      *rapid.T
	config cardswitch.Config
	format *spec.Dialect
	disk   *disktest.Disk
	net    *linktest.Net
	door   net.Listener

	sw    *cardswitch.Switch
	stop  context.CancelFunc
	ended chan error

	mu    sync.Mutex
	shop  net.Conn
	bank  net.Conn
	away  bool // the bank takes no connections
	deaf  bool
	asked map[model.Key]*wire.Message // requests at the bank
	about map[string]model.Key        // by reference number
	out   []model.Out
}

func newReal(t *rapid.T, dir string, format *spec.Dialect, m *model.Model) *real {
	r := &real{t: t, format: format, disk: disktest.New(), net: linktest.New(1 << 16),
		asked: map[model.Key]*wire.Message{}, about: map[string]model.Key{}, away: true}
	c := cardswitch.Defaults()
	c.Institution = "99999000001"
	c.Data = cardswitch.DataConfig{Dir: "data", KeyFile: filepath.Join(dir, "data.key"),
		CreateKey: true}
	c.Routing.Files = []string{filepath.Join(dir, "routes.yaml")}
	routes := "ranges:\n  - {prefix: \"352810\", destinations: [bank]}\n"
	if err := os.WriteFile(c.Routing.Files[0], []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
	shop := cardswitch.CenterConfig{Name: "shop", Role: cardswitch.RoleMerchant,
		Acquirers: []string{acquirer}, AnswerTime: answerTime, UnknownOriginal: 914,
		Links: []cardswitch.LinkConfig{{Name: "a", Listen: shopAt, From: []string{"127.0.0.0/8"}}}}
	if m.Tolerant {
		shop.UnknownOriginal = 400
	}
	c.Centers = []cardswitch.CenterConfig{shop, {Name: "bank", Role: cardswitch.RoleIssuer,
		AnswerTime: answerTime, Links: []cardswitch.LinkConfig{{Name: "a", Dial: bankAt}},
		SAF: &cardswitch.SAFConfig{First: 200 * time.Millisecond, Wait: time.Second,
			BackoffMax: time.Second}}}
	if m.StandIn {
		c.Centers[1].StandIn = standIn(t, dir)
	}
	c.Complete()
	r.config = c
	var err error
	if r.door, err = r.net.Listen(bankAt); err != nil {
		t.Fatal(err)
	}
	go r.accept()
	r.connect()
	r.start()
	return r
}

// back is how long a bank must be well, which is longer than two deliveries that it leaves
// unanswered lie apart.
const back = 4 * time.Second

// standIn approves all of the cards of this test, and doesn't mind a bank that is slow.
func standIn(t *rapid.T, dir string) *cardswitch.StandInConfig {
	rules := `rules:
  - name: all
    ranges: ["352810"]
    expiry: ignored
    most: 100000
    limits: [{days: 1, count: 100000}]
`
	file := filepath.Join(dir, "standin.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return &cardswitch.StandInConfig{Rules: file, Back: back,
		Failing: cardswitch.FailingConfig{Errors: 100_000, Within: time.Second}}
}

// start starts the switch, and has the shop sign on.
func (r *real) start() {
	sw, err := cardswitch.New(r.config, cardswitch.Deps{Disk: r.disk.FS(), Listen: r.net.Listen,
		Dial: r.net.Dial, Seed: 1, Questions: 4096,
		Dialect: func(string) (*spec.Dialect, error) { return r.format, nil },
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.sw, r.stop, r.ended = sw, stop, make(chan error, 1)
	ended := r.ended
	go func() { ended <- sw.Run(ctx) }()
	time.Sleep(500 * time.Millisecond)
	conn, err := r.net.Dial(ctx, shopAt)
	if err != nil {
		r.t.Fatal(err)
	}
	r.shop = conn
	go r.read(conn, r.answer)
	r.write(conn, build("1804", map[int]string{11: "000001", 12: local, 24: "801",
		93: "99999000001", 94: acquirer}))
	time.Sleep(returns)
}

// crash cuts the power: the disk keeps what was synced.
func (r *real) crash() {
	after := r.disk.Cut(func() bool { return false })
	r.shop.Close()
	r.cut()
	r.stop()
	<-r.ended
	r.disk = after
	r.connect()
	r.start()
}

func (r *real) close() {
	r.stop()
	r.shop.Close()
	r.cut()
	r.door.Close()
	<-r.ended
}

// accept is the bank.
func (r *real) accept() {
	for {
		conn, err := r.door.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		if r.away {
			conn.Close()
		} else {
			r.bank = conn
			go r.read(conn, r.request)
		}
		r.mu.Unlock()
	}
}

func (r *real) connect() { r.set(func() { r.away = false }) }

// connected waits until the switch has dialed the bank again; its pauses grow to half a minute.
func (r *real) connected() {
	for range 400 {
		up := false
		if r.set(func() { up = r.bank != nil }); up {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (r *real) cut() {
	r.set(func() {
		if r.away = true; r.bank != nil {
			r.bank.Close()
			r.bank = nil
		}
	})
}

func (r *real) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// read gives each message of a connection to handle.
func (r *real) read(conn net.Conn, handle func(net.Conn, *wire.Message)) {
	buffer := make([]byte, 0, 64<<10)
	for {
		n, err := conn.Read(buffer[len(buffer):cap(buffer)])
		if err != nil {
			return
		}
		rest := buffer[:len(buffer)+n]
		for body, next := wire.Next(rest); body != nil; body, next = wire.Next(rest) {
			rest = next
			m := &wire.Message{}
			if m.Scan(append([]byte(nil), body...)) {
				r.set(func() { handle(conn, m) })
			}
		}
		buffer = buffer[:copy(buffer[:cap(buffer)], rest)]
	}
}

// answer is what a shop does with what comes: it writes it down.
func (r *real) answer(conn net.Conn, m *wire.Message) {
	switch kind := model.Kind(m.MTI()); kind {
	case 1210, 1230, 1430:
		number := int(wire.Number(m.Data(11)))
		r.out = append(r.out, model.Out{Kind: kind, About: model.Key{Kind: kind - 10, Number: number},
			Action: int(wire.Number(m.Data(39)))})
	case 1804:
		r.write(conn, reply(m, "800"))
	}
}

// request is what a bank does with what comes: it writes it down, and answers advices at once
// unless it is deaf.
func (r *real) request(conn net.Conn, m *wire.Message) {
	kind := model.Kind(m.MTI() &^ 1)
	if kind == 1804 {
		r.write(conn, reply(m, "800"))
		return
	}
	about := r.about[string(m.Data(37))]
	r.out = append(r.out, model.Out{ToBank: true, Kind: model.Kind(m.MTI()), About: about})
	switch {
	case kind == 1200:
		r.asked[about] = m
	case !r.deaf && kind == 1220:
		r.write(conn, reply(m, "900"))
	case !r.deaf:
		r.write(conn, reply(m, "400"))
	}
}

func (r *real) write(conn net.Conn, frame []byte) { _, _ = conn.Write(frame) }

// took gives what was sent since it was asked last.
func (r *real) took() (out []model.Out) {
	r.set(func() { out, r.out = r.out, nil })
	return out
}
