package protect

import (
	"errors"
	"math/rand/v2"
	"sync"

	"cardswitch/conformance/format"
	"cardswitch/hsm/mac"
	"cardswitch/spec/keying"
)

// Guard protects the messages of one center. Many connections may use it.
type Guard struct {
	options *Options
	format  *format.Format

	mu        sync.Mutex
	terminals map[string]*terminal // by element 41
}

// ErrCode is a message with a wrong code, or none.
var ErrCode = errors.New("its code (element 64 or 128) is wrong or missing")

const codeSize = 8

// Pack writes a message as it goes to the switch: element 53 names the keys, the code is last.
func (g *Guard) Pack(m *format.Message) ([]byte, error) {
	m = m.Clone().Remove(64).Remove(128)
	names := keying.Control{Format: keying.NoPIN}
	order := ""
	switch {
	case !g.options.Generations:
	case m.MTI[1] == '8':
		order = m.Get(53)
	case m.Has(52): // dressed: it names the keys of its PIN
		var err error
		if names, err = keying.Parse([]byte(m.Get(53))); err != nil {
			return nil, err
		}
	}
	if g.options.MAC == nil {
		return g.format.Pack(g.name(m, names, order))
	}
	key, generation, err := g.options.keys.newest("zak:in")
	if err != nil {
		return nil, err
	}
	names.ZAK = generation
	m = g.name(m, names, order)
	n := 64
	if e := m.Elements(); len(e) > 0 && e[len(e)-1] > 64 {
		n = 128
	}
	raw, err := g.format.Pack(m.Set(n, string(make([]byte, codeSize))))
	if err != nil {
		return nil, err
	}
	code, err := g.code(key, raw, n)
	if err != nil {
		return nil, err
	}
	return g.format.Pack(m.Set(n, string(code)))
}

// name sets element 53.
func (g *Guard) name(m *format.Message, names keying.Control, order string) *format.Message {
	if !g.options.Generations {
		return m
	}
	var value []byte
	var err error
	if order != "" {
		value, err = names.AppendChange(nil, []byte(order))
	} else if names.ZPK != 0 || names.ZAK != 0 {
		value, err = names.Append(nil)
	}
	if err != nil || value == nil {
		return m.Remove(53)
	}
	return m.Set(53, string(value))
}

// code is that of a message whose element n, the last, has room for it.
func (g *Guard) code(key, raw []byte, n int) ([]byte, error) {
	place, err := g.format.Wire(n, string(make([]byte, codeSize)))
	if err != nil {
		return nil, err
	}
	way, err := mac.New(g.options.MAC.way(), key)
	if err != nil {
		return nil, err
	}
	defer way.Wipe()
	code := make([]byte, codeSize)
	copy(code, way.Sum(nil, raw[:len(raw)-len(place)]))
	return code, nil
}

// Check holds the code of a message from the switch. What it says of keys is taken out of element
// 53, so that an order to change one is read as if it stood alone.
func (g *Guard) Check(raw []byte, m *format.Message) error {
	var names keying.Control
	_, named, err := g.options.keys.newest("zak:out")
	if g.options.Generations && m.Has(53) {
		var order []byte
		value := []byte(m.Get(53))
		if names, err = keying.Parse(value); err != nil {
			names, order, err = keying.ParseChange(value)
		}
		if err != nil {
			return err
		}
		if named = names.ZAK; order != nil {
			m.Set(53, string(order))
		}
	}
	if g.options.MAC == nil {
		return nil
	}
	elements := m.Elements()
	n := 0
	if len(elements) > 0 {
		n = elements[len(elements)-1]
	}
	key := g.options.keys.get("zak:out", named)
	if n != 64 && n != 128 || key == nil {
		return errors.Join(ErrCode, err)
	}
	code, err := g.code(key, raw, n)
	if err != nil || string(code) != m.Get(n) {
		return errors.Join(ErrCode, err)
	}
	return nil
}

// chance tells whether something is to happen that happens so often, 0 to 1.
func chance(share float64) bool { return rand.Float64() < share }
