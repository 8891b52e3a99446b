package soft

import (
	"context"
	"sync"

	"cardswitch/hsm"
	"cardswitch/hsm/mac"
)

// codes is prepared Macs of one key that make one kind of codes. A Mac is for one goroutine at a
// time; the pool gives each processor its own without a lock.
type codes struct {
	how  mac.Spec
	pool sync.Pool // of *mac.Mac
}

// drain wipes what the pool gives back. Those that the garbage collector or another goroutine has
// aren't reached: the one clears, the other drops them after use.
func (c *codes) drain() {
	for m, ok := c.pool.Get().(*mac.Mac); ok; m, ok = c.pool.Get().(*mac.Mac) {
		m.Wipe()
	}
}

// take gives a prepared Mac, and where it is to be given back to.
func (k *key) take(how mac.Spec) (*codes, *mac.Mac, error) {
	c := k.kind(how)
	if c == nil {
		return nil, nil, errUnloaded
	}
	if m, ok := c.pool.Get().(*mac.Mac); ok {
		return c, m, nil
	}
	var m *mac.Mac
	err := k.hold(func(raw []byte) (err error) {
		m, err = mac.New(how, raw)
		return err
	})
	return c, m, err
}

// give puts a Mac back, or wipes it if the key is no more.
func (k *key) give(c *codes, m *mac.Mac) {
	if k.gone.Load() {
		m.Wipe()
		return
	}
	c.pool.Put(m)
}

// kind finds the pool for a kind of codes, or makes it; nil when the key is unloaded. There are no
// more than the lengths and paddings of one algorithm: some ten.
func (k *key) kind(how mac.Spec) *codes {
	if c := find(k.codes.Load(), how); c != nil {
		return c
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	list := k.codes.Load()
	if c := find(list, how); c != nil || list == nil {
		return c
	}
	c := &codes{how: how}
	longer := append(append(make([]*codes, 0, len(*list)+1), *list...), c)
	k.codes.Store(&longer)
	return c
}

func find(list *[]*codes, how mac.Spec) *codes {
	if list == nil {
		return nil
	}
	for _, c := range *list {
		if c.how == how {
			return c
		}
	}
	return nil
}

// coder gives a key that may make or verify such codes.
func (m *Module) coder(ctx context.Context, loaded hsm.Key, use hsm.Use, how mac.Spec) (
	*key, error) {
	if err := m.start(ctx, hsm.MakeMAC); err != nil {
		return nil, err
	}
	k, err := m.own(loaded)
	if err != nil {
		return nil, err
	}
	return k, k.spec.PermitMAC(use, how)
}

// MAC appends the code of the parts to dst. It doesn't allocate if dst has room.
func (m *Module) MAC(ctx context.Context, key hsm.Key, how mac.Spec, dst []byte,
	parts ...[]byte) ([]byte, error) {
	k, err := m.coder(ctx, key, hsm.ToMakeMAC, how)
	if err != nil {
		return nil, err
	}
	c, code, err := k.take(how)
	if err != nil {
		return nil, err
	}
	dst = code.Sum(dst, parts...)
	k.give(c, code)
	return dst, nil
}

// VerifyMAC is nil if code is the code of the parts. It doesn't allocate.
func (m *Module) VerifyMAC(ctx context.Context, key hsm.Key, how mac.Spec, code []byte,
	parts ...[]byte) error {
	k, err := m.coder(ctx, key, hsm.ToVerifyMAC, how)
	if err != nil {
		return err
	}
	c, own, err := k.take(how)
	if err != nil {
		return err
	}
	right := own.Verify(code, parts...)
	k.give(c, own)
	if !right {
		return hsm.ErrMAC
	}
	return nil
}

// PRF is AES-CMAC of a message.
func (m *Module) PRF(ctx context.Context, key hsm.Key, message []byte) (out [16]byte, err error) {
	if err := m.start(ctx, hsm.DeriveSecret); err != nil {
		return out, err
	}
	k, err := m.mine(key, hsm.ToPRF)
	if err != nil {
		return out, err
	}
	c, code, err := k.take(mac.Spec{Algorithm: mac.AESCMAC, Size: len(out)})
	if err != nil {
		return out, err
	}
	code.Sum(out[:0], message)
	k.give(c, code)
	return out, nil
}
