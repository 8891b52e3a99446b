package keyblock

import (
	"crypto/aes"
	"strings"
	"testing"
)

func TestCheckValuesMatch(t *testing.T) {
	whole := CheckValue{CMAC, "08793E25AB"}
	for value, want := range map[CheckValue]bool{
		whole: true, {CMAC, "08793E"}: true, {CMAC, "0879"}: true, {CMAC, "08793E25AC"}: false,
		{CMAC, "08793F"}: false, {TDESECB, "08793E"}: false, {CMAC, ""}: false, {CMAC, "08"}: false,
		{CMAC, "08793e"}: false, {"", "08793E"}: false, {}: false, {CMAC, "08793E25ABCD"}: false,
	} {
		if value.Matches(whole) != want || whole.Matches(value) != want {
			t.Errorf("%v: not %v", value, want)
		}
	}
}

func TestCheckValueMethods(t *testing.T) {
	des, tdes := newKey(t, DES, raw16[:8]), newKey(t, TDES, raw16)
	aes, hmac := newKey(t, AES, raw16), newKey(t, HMAC, raw16)
	for _, c := range []struct {
		key    Key
		method CheckMethod
		most   int // bytes; 0: the method isn't for the key
	}{
		{des, TDESECB, 3}, {tdes, TDESECB, 3}, {tdes, CMAC, 5}, {aes, CMAC, 5}, {aes, AESECB, 3},
		{aes, AESECBOnes, 3}, {des, CMAC, 0}, {aes, TDESECB, 0}, {tdes, AESECB, 0},
		{tdes, AESECBOnes, 0}, {hmac, CMAC, 0}, {hmac, TDESECB, 0}, {aes, "", 0}, {aes, "md5", 0},
	} {
		for size := -1; size <= 16; size++ {
			value, err := c.key.CheckValue(c.method, size)
			if ok := size >= 2 && size <= c.most; (err == nil) != ok || ok && len(value.Hex) != 2*size {
				t.Errorf("%v by %q with %d bytes: %v, %v", c.key, c.method, size, value, err)
			}
		}
	}
}

// The old methods for AES encrypt a block, of zeros or of bytes 01.
func TestOldAESCheckValues(t *testing.T) {
	c, err := aes.NewCipher(raw32)
	if err != nil {
		t.Fatal(err)
	}
	for method, fill := range map[CheckMethod]string{AESECB: "\x00", AESECBOnes: "\x01"} {
		block := []byte(strings.Repeat(fill, 16))
		c.Encrypt(block, block)
		value, err := newKey(t, AES, raw32).CheckValue(method, 3)
		if err != nil || value.Hex != hexOf(block[:3]) {
			t.Errorf("%s: %v, %v", method, value, err)
		}
		if _, err := Check(KC, value); err == nil {
			t.Errorf("%s: a key block tells it", method)
		}
	}
}

func TestParseCheckValue(t *testing.T) {
	for text, want := range map[string]string{
		"08793e": "08793E", " 08 79 3E 25 AB ": "08793E25AB", "0879 3E25": "08793E25",
		"": "", "08": "", "08793": "", "08793E25ABCD": "", "zz": "", "08-79-3E": "",
	} {
		value, err := ParseCheckValue(CMAC, text)
		if (err == nil) != (want != "") || want != "" && value != (CheckValue{CMAC, want}) {
			t.Errorf("%q: %v, %v", text, value, err)
		}
	}
	if _, err := ParseCheckValue(TDESECB, "08793E25"); err == nil {
		t.Error("a value of four bytes is taken for a TDES key")
	}
}

func TestCombine(t *testing.T) {
	odd := func(text string) Key {
		raw := []byte(text)
		setOddParity(raw)
		return newKey(t, TDES, raw)
	}
	one, two, three := odd("first component."), odd("second component"), odd("third component!")
	key, err := Combine(true, one, two, three)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Combine(false, three, one, two)
	if err != nil || !sameDES(rawOf(t, key), rawOf(t, plain)) || !hasOddParity(rawOf(t, key)) {
		t.Errorf("the order or the parity makes another key: %v", err)
	}
	for i, b := range rawOf(t, plain) {
		if b != rawOf(t, one)[i]^rawOf(t, two)[i]^rawOf(t, three)[i] {
			t.Fatal("not the XOR")
		}
	}
	even, wiped := newKey(t, TDES, make([]byte, 16)), newKey(t, TDES, raw16)
	wiped.Wipe()
	aes := newKey(t, AES, raw16)
	for reason, c := range map[string]struct {
		oddParity  bool
		components []Key
	}{
		"2 to 9 components, not 0":          {false, nil},
		"2 to 9 components, not 1":          {false, []Key{one}},
		"2 to 9 components, not 10":         {false, make([]Key, 10)},
		"there is no key":                   {false, []Key{wiped, one}},
		"no key, or it was wiped":           {false, []Key{one, wiped}},
		"component 2 has another algorithm": {false, []Key{one, aes}},
		"component 3 has another algorithm": {false, []Key{one, two, newKey(t, TDES, raw24)}},
		"component 3 is the same":           {false, []Key{one, two, one}},
		"component 2 is all zero":           {false, []Key{one, even}},
		"component 2 doesn't have odd":      {true, []Key{one, even}},
		"keys of AES have no parity":        {true, []Key{aes, newKey(t, AES, raw32[:16])}},
		"keys of RSA have no components":    {false, []Key{newKey(t, RSA, raw16), one}},
		"cancel each other out":             {false, []Key{one, two, xor(t, one, two)}},
	} {
		key, err := Combine(c.oddParity, c.components...)
		if err == nil || !strings.Contains(err.Error(), reason) || !key.IsZero() {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

func xor(t *testing.T, a, b Key) Key {
	t.Helper()
	key, err := Combine(false, a, b)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
