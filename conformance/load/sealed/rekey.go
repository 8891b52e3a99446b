package sealed

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"cardswitch/conformance/load/wire"
	"cardswitch/hsm/envelope"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
)

// Protection is the key block protection key of a center, 32 bytes: link keys travel under it.
func (s Secret) Protection(center string) []byte { return s.Key("kbpk:"+center, 0) }

// KeyFault is what a partner does wrong with a new key.
type KeyFault int

// The faults.
const (
	TakeKey   KeyFault = iota // none
	IgnoreKey                 // it never hears of it
	LoseKey                   // the connection ends before anything is answered
	MuteKey                   // it takes the key, and its answer is lost with the connection
	RefuseKey                 // it says no
	WrongKey                  // it has understood another key
)

// isKeyChange tells a 1804 with function code 811.
func isKeyChange(message []byte) bool {
	if len(message) < 4 || string(message[:4]) != "1804" {
		return false
	}
	var m wire.Message
	return m.Scan(message) && string(m.Data(24)) == "811"
}

// takeKey takes the link key that a 1804/811 brings and answers it; from then on we send under it.
func (c *Conn) takeKey(message []byte) error {
	var m wire.Message
	m.Scan(message)
	order := m.Data(53)
	if len(order) != 6 || order[1] != 3 {
		return fmt.Errorf("a key change that isn't of a link key: %x", order)
	}
	generation := binary.BigEndian.Uint16(order[4:])
	fault := c.end.faultOfNext()
	switch fault {
	case IgnoreKey:
		return nil
	case LoseKey:
		return io.ErrUnexpectedEOF
	case RefuseKey:
		return c.answer(&m, "921", "")
	}
	prf, check, err := c.unwrap(string(m.Data(96)))
	if err != nil {
		return err
	}
	if fault == WrongKey {
		return c.answer(&m, "800", "0123456789")
	}
	k := envelope.Key{Generation: generation, PRF: prf}
	if _, _, known := c.end.key(c.session.Link(), generation); !known { // else sent again
		if err := c.end.install(c.session.Link(), k); err != nil {
			return err
		}
	}
	if fault == MuteKey {
		return io.ErrUnexpectedEOF
	}
	if err := c.answer(&m, "800", check); err != nil {
		return err
	}
	return c.end.use(c.session.Link(), generation)
}

// faultOfNext counts a key that was brought.
func (e *End) faultOfNext() KeyFault {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.brought++
	if e.Fault == nil {
		return TakeKey
	}
	return e.Fault(e.brought)
}

// answer sends the 1814 to a 1804/811.
func (c *Conn) answer(m *wire.Message, action, check string) error {
	var elements []wire.Element
	for _, n := range []int{11, 12, 39, 53, 93, 94, 96} {
		switch {
		case n == 39:
			elements = append(elements, wire.Element{Number: n, Value: action})
		case n == 96 && check == "":
		case n == 96:
			elements = append(elements, wire.Element{Number: n, Value: check})
		case m.Has(n):
			elements = append(elements, wire.Element{Number: n, Value: string(m.Data(n))})
		}
	}
	frame, err := wire.Build("1814", elements...)
	if err == nil {
		_, err = c.Write(frame)
	}
	return err
}

// unwrap gives the link key of a key block, and its check value.
func (c *Conn) unwrap(block string) (*prf, string, error) {
	center, _, _ := strings.Cut(c.session.Link(), "/")
	_, key, err := keyblock.Unwrap(c.end.secret.Protection(center), block, keyblock.Want{
		Versions: []keyblock.Version{keyblock.VersionD}, Usages: []keyblock.Usage{keyblock.UsageB3},
		Algorithms: []keyblock.Algorithm{keyblock.AES}, Modes: []keyblock.Mode{keyblock.ModeX},
		Exports: []keyblock.Export{keyblock.ExportN}, Context: keyblock.ContextExchange})
	if err != nil {
		return nil, "", err
	}
	defer key.Wipe()
	check, err := key.CheckValue(keyblock.CMAC, 5)
	if err != nil {
		return nil, "", err
	}
	p := new(prf)
	err = key.Use(func(raw []byte) (err error) {
		p.mac, err = mac.New(mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, raw)
		return err
	})
	return p, check.Hex, err
}
