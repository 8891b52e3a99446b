package mac_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"cardswitch/hsm/mac"
	"cardswitch/hsm/vectors"
)

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spec mac.Spec
		key  int
	}{
		"no algorithm":       {mac.Spec{Size: 8}, 16},
		"unknown algorithm":  {mac.Spec{Algorithm: 5, Size: 8}, 16},
		"no size":            {mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding1}, 16},
		"too short":          {mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding1, Size: 3}, 16},
		"longer than block":  {mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding1, Size: 9}, 16},
		"AES: longer":        {mac.Spec{Algorithm: mac.AESCMAC, Size: 17}, 16},
		"CMAC with padding":  {mac.Spec{Algorithm: mac.AESCMAC, Padding: mac.Padding2, Size: 8}, 16},
		"retail without":     {mac.Spec{Algorithm: mac.Retail, Size: 8}, 16},
		"unknown padding":    {mac.Spec{Algorithm: mac.CBC, Padding: 4, Size: 8}, 16},
		"retail, DES key":    {mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding1, Size: 8}, 8},
		"retail, long key":   {mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding1, Size: 8}, 32},
		"CBC, no key":        {mac.Spec{Algorithm: mac.CBC, Padding: mac.Padding1, Size: 8}, 0},
		"CBC, odd key":       {mac.Spec{Algorithm: mac.CBC, Padding: mac.Padding1, Size: 8}, 15},
		"TDES-CMAC, DES key": {mac.Spec{Algorithm: mac.TDESCMAC, Size: 8}, 8},
		"TDES-CMAC, AES key": {mac.Spec{Algorithm: mac.TDESCMAC, Size: 8}, 32},
		"AES, short key":     {mac.Spec{Algorithm: mac.AESCMAC, Size: 8}, 8},
		"AES, no key":        {mac.Spec{Algorithm: mac.AESCMAC, Size: 8}, 0},
	} {
		if m, err := mac.New(c.spec, make([]byte, c.key)); err == nil || m != nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// In use nothing is allocated, also when the message is on the caller's stack.
func TestNothingIsAllocated(t *testing.T) {
	for _, spec := range []mac.Spec{
		{Algorithm: mac.CBC, Padding: mac.Padding2, Size: 8},
		{Algorithm: mac.Retail, Padding: mac.Padding3, Size: 4},
		{Algorithm: mac.TDESCMAC, Size: 8},
		{Algorithm: mac.AESCMAC, Size: 16},
	} {
		m := prepared(t, spec, []byte("0123456789abcdef"))
		var code [16]byte
		allocations := testing.AllocsPerRun(100, func() {
			var message [300]byte
			message[7] = code[0]
			sum := m.Sum(code[:0], message[:100], message[100:])
			if !m.Verify(sum, message[:], message[:0]) {
				t.Fatal("not verified")
			}
		})
		if allocations != 0 {
			t.Errorf("%v: %v allocations", spec.Algorithm, allocations)
		}
	}
}

// A wiped Mac, and one that New never made, neither make a code nor take one.
func TestWiped(t *testing.T) {
	m := prepared(t, mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, make([]byte, 32))
	code := m.Sum(nil, []byte("text"))
	m.Wipe()
	m.Wipe()
	var none mac.Mac
	none.Wipe()
	for _, m := range []*mac.Mac{m, &none} {
		if len(m.Sum(nil, []byte("text"))) != 0 || m.Verify(code, []byte("text")) ||
			m.Verify(nil, []byte("text")) || m.KDF(make([]byte, 16), nil, nil) == nil {
			t.Error("a code is made or taken without a key")
		}
	}
}

// holder has a Mac where a printer may ask it and where it may not.
type holder struct {
	Mac     mac.Mac
	Pointer *mac.Mac
	mac     mac.Mac
	pointer *mac.Mac
}

func TestMacDoesNotPrint(t *testing.T) {
	key := []byte{0x2B, 0x7E, 0x15, 0x16, 0x28, 0xAE, 0xD2, 0xA6,
		0xAB, 0xF7, 0x15, 0x88, 0x09, 0xCF, 0x4F, 0x3C}
	m := prepared(t, mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, key)
	m.Sum(nil, []byte("text"))
	k1 := []byte{0xFB, 0xEE, 0xD6, 0x18, 0x35, 0x71, 0x33, 0x66} // RFC 4493 section 4
	h := holder{*m, m, *m, m}
	var out strings.Builder
	for _, value := range []any{m, *m, h, &h, []any{h}} {
		for verb := '!'; verb <= '~'; verb++ {
			for _, flags := range []string{"", "+", "#", "+#", "40"} {
				fmt.Fprintf(&out, "%"+flags+string(verb)+"\n", value)
			}
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "value", value)
	}
	for _, secret := range [][]byte{key[:4], k1[:4]} {
		for _, form := range []string{string(secret), hex.EncodeToString(secret),
			strings.ToUpper(hex.EncodeToString(secret)), fmt.Sprintf("% x", secret),
			strings.Trim(fmt.Sprint(secret), "[]"), strings.Trim(fmt.Sprintf("%#v", secret), "[]byte{}"),
		} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%q is seen", form)
			}
		}
	}
	if got := fmt.Sprint(*m, m); got != "AES-CMAC AES-CMAC" {
		t.Error(got)
	}
}

func TestAlgorithmsHaveNames(t *testing.T) {
	seen := make(map[string]bool)
	for a := mac.Algorithm(0); a < 6; a++ {
		if seen[a.String()] || a.String() == "" {
			t.Errorf("%d is called %q", a, a)
		}
		seen[a.String()] = true
	}
}

// The secret of a link in the vector comes by KDF from the link key.
func TestKDF(t *testing.T) {
	c := vectors.Load(t, "link_envelope")[0]
	m := prepared(t, mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, c.Hex("zek"))
	context := []byte{byte(c.Int("gen") >> 8), byte(c.Int("gen"))}
	context = append(context, c.Hex("sid")...)
	context = append(context, c.Hex("nonce_i")...)
	context = append(context, c.Hex("nonce_a")...)
	context = append(context, c.Text("link")...)
	out := make([]byte, 32)
	if err := m.KDF(out, []byte("iso8583-link/v1"), context); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out, c.Hex("link_secret")) {
		t.Errorf("%X, want %X", out, c.Hex("link_secret"))
	}
	var joined []byte
	for i := uint32(1); i <= 2; i++ {
		joined = m.Sum(joined, mac.AppendKDFInput(nil, i, 32, []byte("iso8583-link/v1"), context))
	}
	if !bytes.Equal(joined, out) {
		t.Error("what a module would compute is something else")
	}
}

func TestKDFRefuses(t *testing.T) {
	key := make([]byte, 16)
	whole := prepared(t, mac.Spec{Algorithm: mac.AESCMAC, Size: 16}, key)
	short := prepared(t, mac.Spec{Algorithm: mac.AESCMAC, Size: 8}, key)
	retail := prepared(t, mac.Spec{Algorithm: mac.Retail, Padding: mac.Padding2, Size: 8}, key)
	for name, err := range map[string]error{
		"nothing":        whole.KDF(nil, nil, nil),
		"too much":       whole.KDF(make([]byte, 1025), nil, nil),
		"zero in label":  whole.KDF(make([]byte, 16), []byte("a\x00b"), nil),
		"shortened CMAC": short.KDF(make([]byte, 16), nil, nil),
		"retail MAC":     retail.KDF(make([]byte, 16), nil, nil),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := whole.KDF(make([]byte, 17), []byte("label"), nil); err != nil {
		t.Error(err)
	}
}
