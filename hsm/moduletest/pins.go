package moduletest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"cardswitch/hsm"
	"cardswitch/hsm/dukpt"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/pinblock"
	"cardswitch/hsm/vectors"
)

const (
	zoneTDES = "0123456789ABCDEFFEDCBA9876543210"
	zoneAES  = "AF8CB133A78F8DC2D1359F18527593FB"
)

// zone is a zone key whose bytes the test knows as well.
type zone struct {
	inside hsm.Key
	clear  *pinblock.Key
}

// zoneOf is a zone key for a format.
func (b bench) zoneOf(f pinblock.Format) zone {
	b.t.Helper()
	s, digits, prepare := key(keyblock.UsageP0, keyblock.TDES, 0, keyblock.ModeB), zoneTDES,
		pinblock.NewTDESKey
	if f == pinblock.Format4 {
		s.Algorithm, digits, prepare = keyblock.AES, zoneAES, pinblock.NewAESKey
	}
	raw := unhex(b.t, digits)
	clear, err := prepare(raw)
	b.must(err)
	return zone{b.known(s, raw), clear}
}

// holds opens a block that the module made.
func (b bench) holds(z zone, f pinblock.Format, digits, number string, block []byte) {
	b.t.Helper()
	pin, err := z.clear.Decrypt(f, pinblock.Digits, pan(b.t, number), block)
	b.must(err)
	if !bytes.Equal(pin.AppendReveal(nil), []byte(digits)) {
		b.t.Errorf("another PIN came out, of %d digits", pin.Len())
	}
}

func testZonePIN(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.TranslateZonePIN)
	formats := []pinblock.Format{pinblock.Format0, pinblock.Format1, pinblock.Format3,
		pinblock.Format4}
	for _, from := range formats {
		for _, to := range formats {
			if !from.MayBecome(to) {
				continue
			}
			t.Run(fmt.Sprint(from, " to ", to), func(t *testing.T) {
				b := b.on(t)
				source, target := b.zoneOf(from), b.zoneOf(to)
				for _, digits := range []string{"1234", "0000", "98765", "123456789012"} {
					for _, number := range []string{"4012345678909", "6212345678901234567"} {
						pin, err := pinblock.ParsePIN([]byte(digits))
						b.must(err)
						block, err := source.clear.Encrypt(nil, from, pin, pan(t, number))
						b.must(err)
						got, err := b.TranslatePIN(t.Context(), hsm.PINTranslation{From: source.inside,
							FromFormat: from, To: target.inside, ToFormat: to, PAN: pan(t, number),
							Block: block})
						b.must(err)
						b.holds(target, to, digits, number, got)
					}
				}
			})
		}
	}
}

// Whatever is wrong with a block, the answer is the same: else it could be guessed digit by digit.
func testInvalidPIN(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.TranslateZonePIN)
	z := b.zoneOf(pinblock.Format0)
	raw := unhex(t, zoneTDES)
	k, err := keyblock.NewKey(keyblock.TDES, raw)
	b.must(err)
	cipher, err := k.Cipher()
	b.must(err)
	said := make(map[string]bool)
	refused := func(what, number string, block []byte) {
		_, err := b.TranslatePIN(t.Context(), hsm.PINTranslation{From: z.inside, To: z.inside,
			FromFormat: pinblock.Format0, ToFormat: pinblock.Format0, PAN: pan(t, number), Block: block})
		b.want(what, err, hsm.ErrPIN)
		said[fmt.Sprint(err)] = true
	}
	for _, c := range vectors.Load(t, "pin_invalid") {
		if c.ID() == "pin_invalid-006" {
			continue // a digit A: digits aren't looked at, as that would be an oracle
		}
		block := c.Hex("block")
		cipher.Encrypt(block, block)
		refused(c.ID(), c.Text("pan"), block)
	}
	refused("zeros", "4012345678909", make([]byte, 8))
	refused("short", "4012345678909", make([]byte, 7))
	refused("long", "4012345678909", make([]byte, 16))
	refused("none", "4012345678909", nil)
	refused("short number", "401234", make([]byte, 8))
	if len(said) != 1 {
		t.Errorf("the answers differ: %v", said)
	}
}

// A block without a card number could be bound to any, so nothing becomes one.
func testNeverToFormat1(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.TranslateZonePIN)
	tdes, aes := b.zoneOf(pinblock.Format0), b.zoneOf(pinblock.Format4)
	number := pan(t, "4012345678909")
	pin, err := pinblock.ParsePIN([]byte("1234"))
	b.must(err)
	for _, f := range []pinblock.Format{pinblock.Format0, pinblock.Format1, pinblock.Format3} {
		block, err := tdes.clear.Encrypt(nil, f, pin, number)
		b.must(err)
		for name, wrong := range map[string]hsm.PINTranslation{
			"to format 1":  {FromFormat: f, ToFormat: pinblock.Format1},
			"to no format": {FromFormat: f},
			"from none":    {ToFormat: pinblock.Format0},
			"TDES key":     {FromFormat: f, ToFormat: pinblock.Format4},
			"AES key":      {FromFormat: f, ToFormat: pinblock.Format0, To: aes.inside},
		} {
			wrong.From, wrong.PAN, wrong.Block = tdes.inside, number, block
			if wrong.To == nil {
				wrong.To = tdes.inside
			}
			if got, err := b.TranslatePIN(t.Context(), wrong); err == nil || got != nil {
				t.Errorf("%v, %s: it was made", f, name)
			}
		}
	}
}

// The standard's own terminal: X9.24-1:2009 annex A.4.
func testTDESTerminal(t *testing.T, open Open) {
	b := start(t, open)
	s := key(keyblock.UsageB0, keyblock.TDES, 0, keyblock.ModeX)
	for _, c := range vectors.Load(t, "tdes_dukpt") {
		t.Run("PIN "+c.ID(), func(t *testing.T) {
			b := b.on(t)
			b.need(hsm.TranslateTerminalPIN)
			z := b.zoneOf(pinblock.Format0)
			got, err := b.TranslatePIN(t.Context(), hsm.PINTranslation{From: b.known(s, c.Hex("bdk")),
				KSN: c.Hex("ksn"), KeyType: dukpt.TDEA2, FromFormat: pinblock.Format0, To: z.inside,
				ToFormat: pinblock.Format0, PAN: pan(t, c.Text("pan")), Block: c.Hex("enc_pin_block")})
			b.must(err)
			b.holds(z, pinblock.Format0, c.Text("pin"), c.Text("pan"), got)
		})
		t.Run("data "+c.ID(), func(t *testing.T) {
			b := b.on(t)
			b.need(hsm.OpenCard)
			got, err := b.OpenP2PE(t.Context(), hsm.P2PE{Base: b.known(s, c.Hex("bdk")),
				KSN: c.Hex("ksn"), KeyType: dukpt.TDEA2, Data: c.Hex("enc_data_request")}, []byte("card "))
			b.must(err)
			if want := "card " + c.Text("data_ascii"); string(bytes.TrimRight(got, "\x00")) != want {
				t.Errorf("the data is %q, not %q", got, want)
			}
		})
	}
}

// aesBDK is the BDK whose terminal 1234567890123456 the supplement of X9.24-3 has keys of.
const aesBDK = "FEDCBA9876543210F1F1F1F1F1F1F1F1"

func testAESTerminal(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.TranslateTerminalPIN)
	published := 0
	for _, c := range vectors.Load(t, "aes_pin4") {
		if !c.Has("ksn") || c.Text("ksn") == "" {
			continue
		}
		published++
		t.Run(c.ID(), func(t *testing.T) {
			b := b.on(t)
			base := b.known(key(keyblock.UsageB0, keyblock.AES, 0, keyblock.ModeX), unhex(t, aesBDK))
			for _, to := range []pinblock.Format{pinblock.Format0, pinblock.Format4} {
				z := b.zoneOf(to)
				got, err := b.TranslatePIN(t.Context(), hsm.PINTranslation{From: base,
					KSN: c.Hex("ksn"), KeyType: dukpt.AES128, FromFormat: pinblock.Format4, To: z.inside,
					ToFormat: to, PAN: pan(t, c.Text("pan")), Block: c.Hex("enc_pin_block")})
				b.must(err)
				b.holds(z, to, c.Text("pin"), c.Text("pan"), got)
			}
		})
	}
	if published < 8 {
		t.Errorf("only %d blocks have a serial number", published)
	}
}

func testAESData(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.OpenCard)
	for _, c := range vectors.Load(t, "aes_dukpt_use") {
		for direction, field := range map[hsm.Direction]string{
			hsm.FromTerminal: "cbc_enc", hsm.ToTerminal: "cbc_dec_key_enc"} {
			t.Run(c.ID()+" "+field, func(t *testing.T) {
				b := b.on(t)
				base := b.known(key(keyblock.UsageB0, keyblock.AES, 0, keyblock.ModeX), unhex(t, aesBDK))
				data := c.Hex(field)
				got, err := b.OpenP2PE(t.Context(), hsm.P2PE{Base: base, KSN: c.Hex("ksn"),
					KeyType: dukpt.AES128, Direction: direction, Data: data}, nil)
				b.must(err)
				if string(bytes.TrimRight(got, "\x00")) != c.Text("data_ascii") {
					t.Errorf("the data is %q", got)
				}
				// The initial value of CBC is added to the first block.
				got, err = b.OpenP2PE(t.Context(), hsm.P2PE{Base: base, KSN: c.Hex("ksn"), IV: data[:16],
					KeyType: dukpt.AES128, Direction: direction, Data: data[16:]}, nil)
				b.must(err)
				if string(bytes.TrimRight(got, "\x00")) != c.Text("data_ascii")[16:] {
					t.Errorf("the second block is %q", got)
				}
			})
		}
	}
}

// What no terminal sends is refused: a serial number or data of another length, a counter that
// isn't used, a key that the base key doesn't give.
func testWrongTerminal(t *testing.T, open Open) {
	b := start(t, open)
	b.need(hsm.OpenCard)
	ksn := unhex(t, "123456789012345600000001")
	base := b.known(key(keyblock.UsageB0, keyblock.AES, 0, keyblock.ModeX), unhex(t, aesBDK))
	right := hsm.P2PE{Base: base, KSN: ksn, KeyType: dukpt.AES128, Data: make([]byte, 16)}
	_, err := b.OpenP2PE(t.Context(), right, nil)
	b.must(err)
	for name, f := range map[string]func(p *hsm.P2PE){
		"no KSN":       func(p *hsm.P2PE) { p.KSN = nil },
		"KSN of TDES":  func(p *hsm.P2PE) { p.KSN = unhex(t, "FFFF9876543210E00001") },
		"long KSN":     func(p *hsm.P2PE) { p.KSN = append(bytes.Clone(ksn), 1) },
		"counter zero": func(p *hsm.P2PE) { p.KSN = unhex(t, "123456789012345600000000") },
		"17 bits":      func(p *hsm.P2PE) { p.KSN = unhex(t, "12345678901234560001FFFF") },
		"no type":      func(p *hsm.P2PE) { p.KeyType = 0 },
		"HMAC":         func(p *hsm.P2PE) { p.KeyType = dukpt.HMAC128 },
		"stronger":     func(p *hsm.P2PE) { p.KeyType = dukpt.AES256 },
		"direction":    func(p *hsm.P2PE) { p.Direction = 9 },
		"IV":           func(p *hsm.P2PE) { p.IV = make([]byte, 8) },
		"no data":      func(p *hsm.P2PE) { p.Data = nil },
		"half a block": func(p *hsm.P2PE) { p.Data = make([]byte, 24) },
	} {
		wrong := right
		f(&wrong)
		if got, err := b.OpenP2PE(t.Context(), wrong, []byte("dst")); err == nil || got != nil ||
			errors.Is(err, hsm.ErrUnavailable) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
