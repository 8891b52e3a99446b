package spec

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const (
	testCard  = "4539148803436467"
	testTrack = testCard + "=29125017913246800"
	testPIN   = "\x12\x34\x56\x78\x9A\xBC\xDE\xF0"
)

// guarded holds everything that guards itself, in fields that a printer may ask and in those that
// it may not.
type guarded struct {
	PAN   PAN
	Track Track
	PIN   PINBlock
	Card  *PAN
	List  []Track
	Map   map[string]PINBlock

	pan   PAN
	track Track
	pin   PINBlock
	card  *PAN
}

func secrets(t *testing.T) guarded {
	t.Helper()
	pan, err := ParsePAN(testCard)
	if err != nil {
		t.Fatal(err)
	}
	track, err := ParseTrack([]byte(testTrack))
	if err != nil {
		t.Fatal(err)
	}
	pin, err := ParsePINBlock([]byte(testPIN))
	if err != nil {
		t.Fatal(err)
	}
	return guarded{PAN: pan, Track: track, PIN: pin, Card: &pan, List: []Track{track},
		Map: map[string]PINBlock{"a": pin}, pan: pan, track: track, pin: pin, card: &pan}
}

// told gives the forms in which a print of memory would show some bytes.
func told(secret string) []string {
	decimal := strings.Trim(fmt.Sprint([]byte(secret)), "[]")
	return []string{secret, hex.EncodeToString([]byte(secret)),
		strings.ToUpper(hex.EncodeToString([]byte(secret))), decimal,
		strings.ReplaceAll(decimal, " ", ","), strings.ReplaceAll(decimal, " ", ", "),
		fmt.Sprintf("% x", secret), strings.Trim(fmt.Sprintf("%#v", []byte(secret)), "[]byte{}"),
		strings.Trim(fmt.Sprintf("%q", []byte(secret)), `"`)}
}

// Nothing of what is secret is seen through any verb of fmt, alone or in a structure, by value or
// by pointer, nor in JSON, XML or a log.
func TestSecretsDoNotPrint(t *testing.T) {
	g := secrets(t)
	var outputs []string
	for _, value := range []any{g.PAN, &g.PAN, g.Track, &g.Track, g.PIN, &g.PIN, g, &g, []any{g},
		map[string]any{"g": g}, struct{ error }{fmt.Errorf("%v", g.PAN)}} {
		for verb := '!'; verb <= '~'; verb++ {
			for _, flags := range []string{"", "+", "#", " ", "0", "-", "+#", "40", ".3"} {
				outputs = append(outputs, fmt.Sprintf("%"+flags+string(verb), value))
			}
		}
		outputs = append(outputs, fmt.Sprint(value), logged(value))
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		outputs = append(outputs, string(text))
		if text, err := xml.Marshal(value); err == nil {
			outputs = append(outputs, string(text))
		}
	}
	for _, secret := range []string{testCard[6:12], testTrack[17:30], testPIN, testPIN[:4]} {
		for _, form := range told(secret) {
			for _, output := range outputs {
				if strings.Contains(output, form) {
					t.Fatalf("%q is seen in %q", form, output)
				}
			}
		}
	}
}

func logged(value any) string {
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", value)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "value", value)
	return out.String()
}

func TestSecretsSayWhatTheyMay(t *testing.T) {
	g := secrets(t)
	for got, want := range map[string]string{
		fmt.Sprint(g.PAN):   "453914******6467",
		fmt.Sprint(g.Track): "453914******6467 and more, 34 characters",
		fmt.Sprint(g.PIN):   "(PIN block)",
		g.PAN.Reveal():      testCard, string(g.PAN.AppendReveal(nil)): testCard,
		g.PAN.Last4(): "6467", string(g.Track.AppendReveal(nil)): testTrack,
		g.Track.PAN().Reveal():                                testCard,
		fmt.Sprint(PAN{}, Track{}, PINBlock{}, PAN{}.Last4()): "",
	} {
		if strings.TrimSpace(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	text, err := json.Marshal(g.PAN)
	if err != nil || string(text) != `"453914******6467"` {
		t.Errorf("%s, %v", text, err)
	}
	if n, length := g.PAN.Number(); n != 4539148803436467 || length != 16 {
		t.Error(n, length)
	}
	track1, err := ParseTrack([]byte("B" + testCard + "^NAME/A^2912501"))
	if err != nil || track1.PAN() != g.PAN {
		t.Error(track1, err)
	}
}

func TestPANMasks(t *testing.T) {
	for digits, want := range map[string]string{
		"1234567": "*******", "12345678": "****5678", "123456789012": "********9012",
		"1234567890123": "123456***0123", "1234567890123456789": "123456*********6789",
	} {
		pan, err := ParsePAN(digits)
		if err != nil || pan.String() != want {
			t.Errorf("%s shows as %v, %v", digits, pan, err)
		}
	}
	for _, bad := range []string{"", "12345678901234567890", "12x", "１２"} {
		if _, err := ParsePAN(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestPANLuhn(t *testing.T) {
	for digits, want := range map[string]bool{testCard: true, "4111111111111111": true,
		"4111111111111112": false, "378282246310005": true, "0": false} {
		if pan, err := ParsePAN(digits); err != nil || pan.Luhn() != want {
			t.Errorf("%s: %v, %v", digits, pan.Luhn(), err)
		}
	}
}
