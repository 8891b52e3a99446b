package protect

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync"

	"cardswitch/conformance/format"
	"cardswitch/hsm/dukpt"
	"cardswitch/spec/p2pe"
)

// terminal counts the messages that one terminal encrypts. Its name is drawn: a simulator that is
// started again has other terminals, for a counter is used once.
type terminal struct {
	mu      sync.Mutex
	serial  [10]byte // its KSN, with the counter
	counter uint32
}

// The KSN of TDES DUKPT ends in a counter of 21 bits, of which ten may be ones (ANSI X9.24-1).
const (
	counterBits = 21
	mostOnes    = 10
)

func (g *Guard) terminal(name string) *terminal {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.terminals[name]
	if t == nil {
		t = new(terminal)
		t.serial = [10]byte{0xFF, 0xFF}
		_, _ = rand.Read(t.serial[2:7])
		g.terminals[name] = t
	}
	return t
}

// next is the KSN of another message.
func (t *terminal) next() (dukpt.TDESKSN, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.counter++; bits.OnesCount32(t.counter) > mostOnes; t.counter++ {
	}
	serial := t.serial
	last := binary.BigEndian.Uint32(serial[6:]) &^ (1<<counterBits - 1)
	binary.BigEndian.PutUint32(serial[6:], last|t.counter&(1<<counterBits-1))
	return dukpt.ParseTDESKSN(serial[:])
}

// derive is the key of a message for one use.
func (g *Guard) derive(ksn dukpt.TDESKSN, use dukpt.Usage) (*dukpt.Key, error) {
	key, _, err := g.options.keys.newest("bdk")
	if err != nil {
		return nil, err
	}
	base, err := dukpt.NewTDESBDK(key)
	if err != nil {
		return nil, err
	}
	defer base.Wipe()
	return base.Key(ksn, use)
}

// hideCard encrypts number, expiry and track, and takes them out in clear.
func (g *Guard) hideCard(m *format.Message, ksn dukpt.TDESKSN) error {
	items := fmt.Sprintf("02%02d%s", len(m.Get(2)), m.Get(2))
	for _, n := range []int{14, 35} {
		if v := m.Get(n); v != "" {
			items += fmt.Sprintf("%02d%02d%s", n, len(v), v)
		}
	}
	plain := append([]byte(items), 0x80)
	for len(plain)%8 != 0 {
		plain = append(plain, 0)
	}
	key, err := g.derive(ksn, dukpt.DataRequest)
	if err != nil {
		return err
	}
	defer key.Wipe()
	data, err := key.EncryptData(nil, nil, plain)
	if err != nil {
		return err
	}
	sealed := p2pe.Sealed{KSN: ksn.AppendTo(nil), Data: data}
	m.Remove(2).Remove(14).Remove(35).Set(g.options.P2PE.Element, string(sealed.Append(nil)))
	return nil
}
