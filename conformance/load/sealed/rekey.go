package sealed

import (
	"encoding/binary"
	"fmt"
	"strings"

	"cardswitch/conformance/load/wire"
	"cardswitch/hsm/envelope"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
)

// Protection is the key block protection key of a center, 32 bytes: link keys travel under it.
func (s Secret) Protection(center string) []byte { return s.Key("kbpk:"+center, 0) }

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
	prf, check, err := c.unwrap(string(m.Data(96)))
	if err != nil {
		return err
	}
	k := envelope.Key{Generation: generation, PRF: prf}
	if err := c.end.install(c.session.Link(), k); err != nil {
		return err
	}
	answer, err := acceptance(&m, check)
	if err != nil {
		return err
	}
	if _, err := c.Write(answer); err != nil {
		return err
	}
	return c.end.use(c.session.Link(), generation)
}

// acceptance is the 1814 to a 1804/811.
func acceptance(m *wire.Message, check string) ([]byte, error) {
	var elements []wire.Element
	for _, n := range []int{11, 12, 39, 53, 93, 94, 96} {
		switch {
		case n == 39:
			elements = append(elements, wire.Element{Number: n, Value: "800"})
		case n == 96:
			elements = append(elements, wire.Element{Number: n, Value: check})
		case m.Has(n):
			elements = append(elements, wire.Element{Number: n, Value: string(m.Data(n))})
		}
	}
	return wire.Build("1814", elements...)
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
