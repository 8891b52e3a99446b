package canary

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ground"
	"cardswitch/conformance/load/sealed"
	cardswitch "cardswitch/switch"
	"cardswitch/switch/security/securitytest"
)

// tap notes everything that a merchant's connection brings.
type tap struct {
	io.Reader
	heard *bytes.Buffer
}

func (t tap) Read(b []byte) (int, error) {
	n, err := t.Reader.Read(b)
	t.heard.Write(b[:n])
	return n, err
}

// hear reads messages until nothing comes any more.
func hear(t *testing.T, p *ground.Peer, heard *bytes.Buffer) (answers int) {
	t.Helper()
	in := tap{p, heard}
	for {
		_ = p.SetReadDeadline(time.Now().Add(1500 * time.Millisecond))
		var head [2]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return answers
		}
		if _, err := io.CopyN(io.Discard, in, int64(binary.BigEndian.Uint16(head[:]))); err != nil {
			t.Fatal(err)
		}
		answers++
	}
}

// encrypting is a merchant whose terminals encrypt, and who holds no card numbers.
type encrypting struct {
	*center
	terminals []*securitytest.Terminal
	sent      int
}

func (m *encrypting) send(q *format.Message) {
	m.tell(q)
	m.sent++
}

// bare is a message without what the merchant may not send in clear.
func (m *encrypting) bare(mti string, c card, amount int) *format.Message {
	q := m.message(mti, c, amount)
	for _, e := range []int{2, 14, 35, 48, 52, 55} {
		q.Remove(e)
	}
	return q
}

// trade sends sales, repeats, what is played back, advices, and garbled ones.
func (m *encrypting) trade(w *wallet) {
	for i, amount := range []int{1000, 1113, 1122, 1144, 1155, 1200} {
		r, one := m.terminals[i%len(m.terminals)], w.card(sakuraBIN, 16)
		if amount == 1113 || amount == 1122 {
			one = w.shown["sakura"] // whose answers show the card
		}
		track := one.track2()
		sale := m.bare("1200", one, amount).
			Set(127, r.Encrypt(fmt.Sprintf("35%02d%s", len(track), track)))
		m.send(sale)
		m.send(sale.Clone().As("1201"))
		m.send(m.bare("1200", one, amount).Set(127, sale.Get(127))) // played back
		m.send(m.bare("1220", one, 1500).Set(127, r.Encrypt("0216"+one.pan)))
		m.send(m.bare("1200", one, amount).Set(127, strings.Replace(sale.Get(127), "A", "B", 3)))
	}
}

// tokens sells something and goes on with the token that the answer carries.
func (m *encrypting) tokens(w *wallet) {
	one := w.card(sakuraBIN, 16)
	sale := m.bare("1200", one, 1000).Set(127, m.terminals[3].Encrypt("0216"+one.pan))
	a, err := m.Ask(sale, 10*time.Second)
	if err != nil || a.Get(39) != "000" || !strings.HasPrefix(a.Get(126), "tok-") {
		m.t.Fatalf("answered %v, token %q", err, a.Get(126))
	}
	m.send(m.bare("1200", one, 1100).Set(126, a.Get(126)))
	m.send(m.bare("1220", one, 1500).Set(126, a.Get(126)))
	m.send(m.reversal(sale).Remove(2).Remove(48).Set(126, a.Get(126)))
	m.send(m.bare("1200", one, 1100).Set(126, "tok-"+strings.Repeat("x", 28)))
}

// inClear sends card data where none may be.
func (m *encrypting) inClear(w *wallet) {
	for _, e := range []int{2, 35, 48, 59, 60, 63, 72, 104, 125} {
		one := w.card(sakuraBIN, 16)
		value := one.pan
		switch e {
		case 35:
			value = one.track2()
		case 48:
			value = one.items()
		}
		m.send(m.bare("1200", one, 1000).Set(e, value).
			Set(127, m.terminals[0].Encrypt("0216"+one.pan)))
	}
}

// A merchant whose terminals encrypt, and who gets tokens: what they encrypted is nowhere on the
// disk, in no log, in no operator's view, and in no answer, good or bad; nor is what the merchant
// sent in clear and may not, in whatever element.
func TestWhatTerminalsEncryptIsNotShown(t *testing.T) {
	g, dir, log := ground.New(), t.TempDir(), &diary{}
	w := &wallet{canary: New(), random: rand.New(rand.NewPCG(8583, 59))}
	w.canary.Text("a security code", securityCode)
	w.shown = map[string]card{"sakura": w.card(sakuraBIN, 16), "fuji": w.card(fujiBIN, 16)}
	banks(t, g, w)
	c := config(t, dir)
	c.Centers[0].Security = &cardswitch.SecurityConfig{P2PE: &cardswitch.P2PEConfig{
		Scheme: cardswitch.P2PEAES, Required: true}}
	c.Centers[0].Tokens = &cardswitch.TokensConfig{}
	ring := g.Enroll(t, c, sealed.Secret("of this test"))
	n := g.StartNode(t, c, slog.New(slog.NewJSONHandler(log,
		&slog.HandlerOptions{Level: slog.LevelDebug})))
	signedOn(t, n)
	m := &encrypting{terminals: securitytest.NewTerminals(t, ring, "hq-a", true, 4),
		center: &center{dialect: "ascii-binary", door: "hq-a.test:1", acquirer: acquirerA, t: t}}
	m.open(g)
	m.tokens(w)
	m.trade(w)
	m.inClear(w)
	var heard bytes.Buffer
	if answers := hear(t, m.Peer, &heard); answers < m.sent-8 {
		t.Errorf("%d answers to %d messages", answers, m.sent)
	}
	if n.Status().Counts.Approved < 4 {
		t.Error("hardly anything was approved: the traffic shows less than it should")
	}
	looking := &places{t: t, canary: w.canary}
	looking.look("the answers", heard.Bytes())
	looking.api(n.Socket, w.card(sakuraBIN, 16).pan, []uint64{1, 2, 3, 4, 5, 6, 7, 8})
	m.Close()
	n.Stop()
	found, err := w.canary.Folder(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
	looking.tables(c.Data.Dir)
	looking.look("the log", log.text.Bytes())
}
