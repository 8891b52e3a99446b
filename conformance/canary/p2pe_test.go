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

// A merchant whose terminals encrypt: what they encrypted is nowhere on the disk, in no log, in no
// operator's view, and in no answer, good or bad; nor is what the merchant sent in clear and may
// not, in whatever element.
func TestWhatTerminalsEncryptIsNotShown(t *testing.T) {
	g, dir, log := ground.New(), t.TempDir(), &diary{}
	w := &wallet{canary: New(), random: rand.New(rand.NewPCG(8583, 59))}
	w.canary.Text("a security code", securityCode)
	w.shown = map[string]card{"sakura": w.card(sakuraBIN, 16), "fuji": w.card(fujiBIN, 16)}
	banks(t, g, w)
	c := config(t, dir)
	c.Centers[0].Security = &cardswitch.SecurityConfig{P2PE: &cardswitch.P2PEConfig{
		Scheme: cardswitch.P2PEAES, Required: true, Element: 127}}
	ring := g.Enroll(t, c, sealed.Secret("of this test"))
	terminals := securitytest.NewTerminals(t, ring, "hq-a", true, 4)
	n := g.StartNode(t, c, slog.New(slog.NewJSONHandler(log,
		&slog.HandlerOptions{Level: slog.LevelDebug})))
	signedOn(t, n)
	m := &center{dialect: "ascii-binary", door: "hq-a.test:1", acquirer: acquirerA, t: t}
	m.open(g)
	stripped := func(q *format.Message) *format.Message {
		for _, e := range []int{2, 14, 35, 48, 52, 55} {
			q.Remove(e)
		}
		return q
	}
	sent := 0
	send := func(q *format.Message) {
		m.tell(q)
		sent++
	}
	for i, amount := range []int{1000, 1113, 1122, 1144, 1155, 1200} {
		r := terminals[i%len(terminals)]
		one := w.card(sakuraBIN, 16)
		if amount == 1113 || amount == 1122 {
			one = w.shown["sakura"] // whose answers show the card
		}
		track := one.track2()
		sale := stripped(m.message("1200", one, amount)).
			Set(127, r.Encrypt(fmt.Sprintf("35%02d%s", len(track), track)))
		send(sale)
		send(sale.Clone().As("1201"))
		send(stripped(m.message("1200", one, amount)).Set(127, sale.Get(127))) // played back
		send(stripped(m.message("1220", one, 1500)).Set(127,
			r.Encrypt(fmt.Sprintf("0216%s", one.pan))))
		send(stripped(m.message("1200", one, amount)).
			Set(127, strings.Replace(sale.Get(127), "A", "B", 3)))
	}
	for _, e := range []int{2, 35, 48, 59, 60, 63, 72, 104, 126} {
		one := w.card(sakuraBIN, 16)
		value := one.pan
		switch e {
		case 35:
			value = one.track2()
		case 48:
			value = one.items()
		}
		send(stripped(m.message("1200", one, 1000)).Set(e, value).
			Set(127, terminals[0].Encrypt("0216"+one.pan)))
	}
	var heard bytes.Buffer
	if answers := hear(t, m.Peer, &heard); answers < sent-8 {
		t.Errorf("%d answers to %d messages", answers, sent)
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
