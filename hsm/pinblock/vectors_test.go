package pinblock

import (
	"bytes"
	"testing"

	"cardswitch/hsm/vectors"
	"cardswitch/spec"
)

func parsePIN(t testing.TB, digits string) PIN {
	t.Helper()
	pin, err := ParsePIN([]byte(digits))
	if err != nil {
		t.Fatal(err)
	}
	return pin
}

// parsePAN of no digits is no number.
func parsePAN(t testing.TB, digits string) spec.PAN {
	t.Helper()
	if digits == "" {
		return spec.PAN{}
	}
	pan, err := spec.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return pan
}

func parseFormat(t testing.TB, number int) Format {
	t.Helper()
	f, err := ParseFormat(number)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func aesKey(t testing.TB, key []byte) *Key {
	t.Helper()
	k, err := NewAESKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func tdesKey(t testing.TB, key []byte) *Key {
	t.Helper()
	k, err := NewTDESKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestClearBlocks(t *testing.T) {
	for _, c := range vectors.Load(t, "pin_clear") {
		t.Run(c.ID(), func(t *testing.T) {
			f := parseFormat(t, c.Int("format"))
			pin, pan := parsePIN(t, c.Text("pin")), parsePAN(t, c.Text("pan"))
			var random filling
			random.draw(f)
			for i, digit := range c.Text("fill") { // the fill as printed begins behind the PIN
				random.nibbles[pin.Len()+i] = byte(bytes.IndexRune([]byte(hexDigits), digit))
			}
			block := make([]byte, f.Size())
			if !encode(block, f, &pin, pan, &random) || !bytes.Equal(block, c.Hex("block")) {
				t.Errorf("the block is %X, not %X", block, c.Hex("block"))
			}
			for _, checks := range []Checks{Structure, Digits} {
				got, err := Decode(f, checks, pan, c.Hex("block"))
				if err != nil || !got.Equal(pin) {
					t.Errorf("checks %d: opening it gives another PIN, %v", checks, err)
				}
			}
			if f == Format0 { // has nothing of chance
				if got, err := Encode(nil, f, pin, pan); err != nil || !bytes.Equal(got, block) {
					t.Errorf("Encode gives %X, %v", got, err)
				}
			}
		})
	}
}

const hexDigits = "0123456789ABCDEF"

func TestClearPrefixes(t *testing.T) {
	for _, c := range vectors.Load(t, "pin_clear_prefix") {
		t.Run(c.ID(), func(t *testing.T) {
			f := parseFormat(t, c.Int("format"))
			pin, pan := parsePIN(t, c.Text("pin")), parsePAN(t, c.Text("pan"))
			block, err := Encode(nil, f, pin, pan)
			if err != nil || !bytes.HasPrefix(block, c.Hex("prefix")) {
				t.Errorf("the block %X doesn't begin with %X, %v", block, c.Hex("prefix"), err)
			}
			if got, err := Decode(f, Digits, pan, block); err != nil || !got.Equal(pin) {
				t.Errorf("opening it gives another PIN, %v", err)
			}
		})
	}
}

// A digit that isn't one is refused only if digits are looked at; all else is refused always.
func TestInvalidBlocks(t *testing.T) {
	digitAlone := 0
	for _, c := range vectors.Load(t, "pin_invalid") {
		t.Run(c.ID(), func(t *testing.T) {
			if c.Text("expect") != "reject" {
				t.Fatalf("what is to be expected of it? %q", c.Text("expect"))
			}
			f, pan := parseFormat(t, c.Int("format")), parsePAN(t, c.Text("pan"))
			if pin, err := Decode(f, Digits, pan, c.Hex("block")); err != ErrBlock || !pin.IsZero() {
				t.Errorf("it's taken, or with another error: %v", err)
			}
			pin, err := Decode(f, Structure, pan, c.Hex("block"))
			if err == nil {
				digitAlone++
				if got := string(pin.AppendReveal(nil)); got != "A234" {
					t.Errorf("it's taken as %q without a look at the digits", got)
				}
			} else if err != ErrBlock {
				t.Error(err)
			}
		})
	}
	if digitAlone != 1 {
		t.Errorf("%d blocks are refused for a digit alone, not 1", digitAlone)
	}
}

func TestPANFieldOfFormat4(t *testing.T) {
	for _, c := range vectors.Load(t, "pin4_pan_field") {
		t.Run(c.ID(), func(t *testing.T) {
			got, err := PANField(nil, parsePAN(t, c.Text("pan")))
			if err != nil || !bytes.Equal(got, c.Hex("pan_field")) {
				t.Errorf("it's %X, not %X, %v", got, c.Hex("pan_field"), err)
			}
		})
	}
}

func TestEncipheredFormat4(t *testing.T) {
	for _, c := range vectors.Load(t, "aes_pin4") {
		t.Run(c.ID(), func(t *testing.T) {
			k := aesKey(t, c.Hex("pin_key"))
			pin, pan := parsePIN(t, c.Text("pin")), parsePAN(t, c.Text("pan"))
			if got, err := PANField(nil, pan); err != nil || !bytes.Equal(got, c.Hex("pan_field")) {
				t.Errorf("the PAN field is %X, not %X, %v", got, c.Hex("pan_field"), err)
			}
			var random filling
			random.draw(Format4)
			copy(random.tail[:], c.Hex("pin_field")[8:])
			field := make([]byte, 16)
			if !encode(field, Format4, &pin, pan, &random) || !bytes.Equal(field, c.Hex("pin_field")) {
				t.Errorf("the PIN field is %X, not %X", field, c.Hex("pin_field"))
			}
			w := k.take()
			w.random = random
			if !k.seal(w, Format4, &pin, pan) ||
				!bytes.Equal(w.field[:], c.Hex("enc_pin_block")) {
				t.Errorf("the block is %X, not %X", w.field, c.Hex("enc_pin_block"))
			}
			k.give(w)
			got, err := k.Decrypt(Format4, Digits, pan, c.Hex("enc_pin_block"))
			if err != nil || !got.Equal(pin) {
				t.Errorf("opening it gives another PIN, %v", err)
			}
		})
	}
}
