package moduletest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
	"cardswitch/hsm/vectors"
)

// code makes and verifies a published code, whole and shortened, the message in one part and in
// several.
func (b bench) code(s hsm.KeySpec, how mac.Spec, raw, message, want []byte) {
	b.t.Helper()
	b.need(hsm.MakeMAC)
	k := b.known(s, raw)
	ctx := b.t.Context()
	third := len(message) / 3
	for _, size := range []int{how.Algorithm.BlockSize(), 8, 4} {
		how.Size = size
		got, err := b.MAC(ctx, k, how, []byte("before"), message)
		if errors.Is(err, hsm.ErrAbsent) && size > 8 {
			b.t.Logf("absent: %v", err)
			continue // but a shorter one may be there
		}
		b.must(err)
		if !bytes.Equal(got, append([]byte("before"), want[:size]...)) {
			b.t.Errorf("the code is %X, not %X", got, want[:size])
		}
		got, err = b.MAC(ctx, k, how, nil, message[:third], nil, message[third:])
		b.must(err)
		if !bytes.Equal(got, want[:size]) {
			b.t.Errorf("the code in parts is %X, not %X", got, want[:size])
		}
		b.must(b.VerifyMAC(ctx, k, how, want[:size], message[:third], message[third:]))
	}
}

func testRetail(t *testing.T, open Open) {
	b := start(t, open)
	for _, c := range vectors.Load(t, "retail_mac") {
		t.Run(c.ID(), func(t *testing.T) {
			how := mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding(c.Int("pad"))}
			b.on(t).code(key(keyblock.UsageM3, keyblock.TDES, 0, keyblock.ModeC), how, c.Hex("key"),
				c.Hex("msg"), c.Hex("mac"))
		})
	}
}

func testCMAC(t *testing.T, open Open) {
	b := start(t, open)
	for _, c := range vectors.Load(t, "cmac") {
		t.Run(c.ID(), func(t *testing.T) {
			s, how := key(keyblock.UsageM6, keyblock.AES, 0, keyblock.ModeC),
				mac.Spec{Algorithm: mac.AESCMAC}
			if c.Text("alg") != "AES" {
				s.Algorithm, how.Algorithm = keyblock.TDES, mac.TDESCMAC
			}
			b.on(t).code(s, how, c.Hex("key"), c.Hex("msg"), c.Hex("mac"))
		})
	}
}

// ways is a way to make codes for each MAC key of kinds.
func ways() map[hsm.KeySpec]mac.Spec {
	all := make(map[hsm.KeySpec]mac.Spec)
	for _, s := range kinds() {
		switch {
		case s.Usage == keyblock.UsageM0 || s.Usage == keyblock.UsageM1:
			all[s] = mac.Spec{Algorithm: mac.CBC, Padding: mac.Padding2, Size: 8}
		case s.Usage == keyblock.UsageM3:
			all[s] = mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding2, Size: 8}
		case s.Usage == keyblock.UsageM6 && s.Algorithm == keyblock.TDES:
			all[s] = mac.Spec{Algorithm: mac.TDESCMAC, Size: 8}
		case s.Usage == keyblock.UsageM6:
			all[s] = mac.Spec{Algorithm: mac.AESCMAC, Size: 16}
		}
	}
	return all
}

func testVerify(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.MakeMAC)
	for s, how := range ways() {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			b, ctx := b.on(t), t.Context()
			_, k := b.generated(s)
			message := []byte("1200 a message that is to be authentic")
			code, err := b.MAC(ctx, k, how, nil, message)
			b.must(err)
			for bit := range 8 * len(code) {
				code[bit/8] ^= 1 << (bit % 8)
				b.want(fmt.Sprint("bit ", bit), b.VerifyMAC(ctx, k, how, code, message), hsm.ErrMAC)
				code[bit/8] ^= 1 << (bit % 8)
			}
			b.want("a part", b.VerifyMAC(ctx, k, how, code[:4], message), hsm.ErrMAC)
			b.want("none", b.VerifyMAC(ctx, k, how, nil, message), hsm.ErrMAC)
			b.want("too long", b.VerifyMAC(ctx, k, how, append(code, 0), message), hsm.ErrMAC)
			b.want("message", b.VerifyMAC(ctx, k, how, code, message[1:]), hsm.ErrMAC)
			b.must(b.VerifyMAC(ctx, k, how, code, message))
			how.Size = 3
			if _, err := b.MAC(ctx, k, how, nil, message); err == nil {
				t.Error("a code of 3 bytes was made")
			}
			err = b.VerifyMAC(ctx, k, how, code[:3], message)
			if err == nil || errors.Is(err, hsm.ErrMAC) {
				t.Errorf("a code of 3 bytes was looked at: %v", err)
			}
		})
	}
}

func testPRF(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.DeriveSecret)
	for _, c := range vectors.Load(t, "cmac") {
		if c.Text("alg") != "AES" {
			continue
		}
		t.Run(c.ID(), func(t *testing.T) {
			b := b.on(t)
			k := b.known(key(keyblock.UsageB3, keyblock.AES, 0, keyblock.ModeX), c.Hex("key"))
			got, err := b.PRF(t.Context(), k, c.Hex("msg"))
			b.must(err)
			if !bytes.Equal(got[:], c.Hex("mac")) {
				t.Errorf("the secret is %X, not %X", got, c.Hex("mac"))
			}
		})
	}
}

func testDataKeys(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.WrapDataKey)
	ctx := t.Context()
	_, under := b.generated(key(keyblock.UsageK0, keyblock.AES, 32, keyblock.ModeB))
	_, other := b.generated(key(keyblock.UsageK0, keyblock.AES, 32, keyblock.ModeB))
	data := make([]byte, 32)
	b.must(b.Random(ctx, data))
	wrapped, err := b.WrapData(ctx, under, data)
	b.must(err)
	back, err := b.UnwrapData(ctx, under, wrapped)
	b.must(err)
	if !bytes.Equal(back, data) || bytes.Contains(wrapped, data[:8]) {
		t.Error("the data key isn't the one that was wrapped, or was not wrapped")
	}
	_, err = b.UnwrapData(ctx, other, wrapped)
	b.want("another key", err, hsm.ErrKey)
	for i := range wrapped {
		wrapped[i] ^= 0x10
		_, err := b.UnwrapData(ctx, under, wrapped)
		b.want(fmt.Sprint("byte ", i), err, hsm.ErrKey)
		wrapped[i] ^= 0x10
	}
	for _, size := range []int{0, 1, 8, 16, len(wrapped) - 1} {
		_, err := b.UnwrapData(ctx, under, wrapped[:size])
		b.want(fmt.Sprint(size, " bytes"), err, hsm.ErrKey)
	}
	for _, size := range []int{0, 16, 31, 33, 64} {
		if _, err := b.WrapData(ctx, under, make([]byte, size)); err == nil {
			t.Errorf("a data key of %d bytes was wrapped", size)
		}
	}
}
