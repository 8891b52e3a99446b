package p2pe_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"cardswitch/spec/p2pe"
)

const pan = "4111111111111111"

func filled(text string) []byte {
	b := append([]byte(text), 0x80)
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

// The layout is a contract with partners: these never change.
func TestOpen(t *testing.T) {
	track1 := "B" + pan + "^TARO^2912101123"
	for name, c := range map[string]struct{ text, expiry, track1, track2 string }{
		"number alone":      {"0216" + pan, "", "", ""},
		"number and expiry": {"0216" + pan + "14042912", "2912", "", ""},
		"track 2":           {"3525" + pan + "=29121011", "2912", "", pan + "=29121011"},
		"track 2 with D":    {"3525" + pan + "D29121011", "2912", "", pan + "D29121011"},
		"all": {"0216" + pan + "14042912" + "3525" + pan + "=29121011" +
			fmt.Sprintf("45%02d", len(track1)) + track1, "2912", track1, pan + "=29121011"},
	} {
		card, err := p2pe.Open(filled(c.text))
		if err != nil || card.PAN.Reveal() != pan || string(card.Expiry) != c.expiry ||
			string(card.Track1) != c.track1 || string(card.Track2) != c.track2 {
			t.Errorf("%s: %v", name, err)
		}
		for _, print := range []string{fmt.Sprint(card), fmt.Sprintf("%+v %#v %x", card, card, card)} {
			if strings.Contains(print, "4111") || strings.Contains(print, "2912") {
				t.Errorf("%s prints %s", name, print)
			}
		}
	}
}

func TestNoCard(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "expiry alone": "14042912", "a wrong check digit": "02164111111111111112",
		"a short number": "0208" + "41111111", "another item": "0216" + pan + "9904abcd",
		"twice": "0216" + pan + "0216" + pan, "not in order": "14042912" + "0216" + pan,
		"cut": "0216" + pan[:15], "month 13": "0216" + pan + "14042913",
		"the track of another card":   "0216" + pan + "3525" + "5555555555554444=29121011",
		"the track of another expiry": "0216" + pan + "14042911" + "3525" + pan + "=29121011",
		"a track without expiry":      "3517" + pan + "=",
		"a number that isn't digits":  "0216" + "411111111111111x",
		"track 1 of another format":   "4529A" + pan + "^TARO^29121",
	} {
		if _, err := p2pe.Open(filled(text)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	for name, plain := range map[string][]byte{"no filling": []byte("0216" + pan + "1404"),
		"none": nil, "zeros": make([]byte, 8), "a block too many": append(filled("0216"+pan),
			make([]byte, 16)...)} {
		if _, err := p2pe.Open(plain); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestParse(t *testing.T) {
	buffer := make([]byte, 200)
	s, err := p2pe.Parse([]byte("010AFFFF9876543210E000010011223344556677"), buffer)
	if err != nil || fmt.Sprintf("%X %X", s.KSN, s.Data) != "FFFF9876543210E00001 0011223344556677" {
		t.Fatalf("%X %v", s, err)
	}
	for name, text := range map[string]string{"empty": "", "version 2": "02000011223344556677",
		"no data": "0100", "half a block": "010000112233", "odd": "010000112233445566778",
		"a KSN of 9":    "0109112233445566778899" + "0011223344556677",
		"small letters": "0100aabbccddeeff0011",
		"a KSN cut":     "010CFFFF", "spaces": "0100 0112233445566 7",
		"too long": "0100" + strings.Repeat("00", 176)} {
		if _, err := p2pe.Parse([]byte(text), buffer); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// What is read is written as it was.
func FuzzParse(f *testing.F) {
	f.Add([]byte("010AFFFF9876543210E000010011223344556677"))
	f.Add([]byte("01000011223344556677"))
	f.Fuzz(func(t *testing.T, value []byte) {
		s, err := p2pe.Parse(value, make([]byte, 200))
		if err == nil && !bytes.Equal(s.Append(nil), value) {
			t.Errorf("%q is written as %q", value, s.Append(nil))
		}
	})
}

// What is no card is refused without a panic, and a card is of the parts that it says.
func FuzzOpen(f *testing.F) {
	f.Add(filled("0216" + pan + "14042912"))
	f.Add(filled("3525" + pan + "=29121011"))
	f.Add(filled("0216" + pan + "4534B" + pan + "^TARO^2912101123"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		c, err := p2pe.Open(plain)
		if err != nil {
			return
		}
		if !c.PAN.Luhn() || c.PAN.Len() < 12 {
			t.Errorf("%X is a card", plain)
		}
	})
}
