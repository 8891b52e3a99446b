package payshield

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"cardswitch/hsm"
	"cardswitch/hsm/keyblock"
	"cardswitch/hsm/mac"
	"cardswitch/hsm/pinblock"
	"cardswitch/spec"
)

// Messages that public programs print, with their headers. The keys are of units that nobody has.
func TestCommandsAsOthersWriteThem(t *testing.T) {
	zoneKey := hsm.KeySpec{Usage: keyblock.UsageP0, Algorithm: keyblock.TDES, Size: 16,
		Mode: keyblock.ModeN, Export: keyblock.ExportE}
	shared := hsm.KeySpec{Usage: keyblock.UsageK0, Algorithm: keyblock.TDES, Size: 16,
		Mode: keyblock.ModeB, Export: keyblock.ExportE}
	block := unhex(t, "AD72F973446E84E7")
	const message = "22\x1c002000001\x1c\x1c05151009\x1cF\x1c60000"
	for _, v := range []struct{ source, want, got string }{
		{"pressure", "HEADNC", written(t, "HEAD", diagnose, nil)},
		{"smoke, LMK 0", "lKCVNC%00", written(t, "lKCV", diagnose, lmk(nil, "00"))},
		{"pressure", "HEADN0008", written(t, "HEAD", random, askRandom(8))},
		{"smoke", "KEYSA00FFFS#P0T2N00E00", written(t, "KEYS", makeKey, key1(t, zoneKey, ""))},
		{"ut-codec generateKeyEncode 2", "0000A00FFFS%01#K0T2B00E00",
			written(t, "0000", makeKey, key1(t, shared, "01"))},
		{"ut-codec formKeyFromComponentsEncode 2, with 2 components", "0006A4" + "2FFFS" +
			"S0007252TBc1E0001C9ED3207A1A79BCA1CAB8C05FEC9429E2232067D1F9E908F15E9DCA7" +
			"S0007252TBc2E000125276E9C8BC0FA0F70109274FAB9647EF89A189C019465182A345009" + "#0000",
			written(t, "0006", joinKey, askJoinKey([]string{
				"S0007252TBc1E0001C9ED3207A1A79BCA1CAB8C05FEC9429E2232067D1F9E908F15E9DCA7",
				"S0007252TBc2E000125276E9C8BC0FA0F70109274FAB9647EF89A189C019465182A345009"}, ""))},
		{"ut-codec exportKeyEncode 2, but R and a version as aws has them",
			"0004A8FFF" + sharedKey + zoneA + "R%01&N!B", written(t, "0004", exportKey,
				askExportKey(sharedKey, zoneA, keyblock.ExportN, keyblock.VersionB, "01"))},
		{"ut-codec generateKeyCheckValueEncode 3", "0011BUFFF" + sharedKey + ";FFF;001",
			written(t, "0011", checkKey, askCheckKey(sharedKey, ""))},
		{"ut-codec translatePinZpkZpkEncode 2", "0011CC" + zoneA + zoneB +
			"12AD72F973446E84E70101850103093936%01", written(t, "0011", zonePIN,
			askZonePIN(pins{zoneA, zoneB, "01", "01", pan(t, "8501030939360"), block}, "01"))},
		{"ut-codec translatePinBdkBdkZpkEncode 2", "0011G0" + baseKey + zoneA +
			"A05FFFF000001315240003A741311DA9D5D6C320101600000000000%01", written(t, "0011",
			terminalPIN, askTerminalPIN(pins{baseKey, zoneA, "01", "01", pan(t, "6000000000000"),
				unhex(t, "741311DA9D5D6C32")}, "A05", unhex(t, "FFFF000001315240003A"), "01"))},
		{"ut-codec generateMacEncode 2, but data as bytes and unpadded as thales9000 has them",
			"0002M600010FFF" + codeKey + "001E" + message, written(t, "0002", makeMAC,
				askMakeMAC(code{"1", "0", "0", 4}, codeKey, []byte(message), ""))},
		{"ut-codec verifyMacEncode 2, likewise", "0002M800010FFF" + codeKey + "0004\xAB\xCD\xEF\x12" +
			"F9369211%01", written(t, "0002", verifyMAC, askVerifyMAC(code{"1", "0", "0", 4}, codeKey,
			unhex(t, "ABCDEF12"), unhex(t, "F9369211"), "01"))},
		{"ut-codec decryptDataBlockEncode and aws, with a BDK and CBC", "0002M20100FFF" + baseKey +
			"A05FFFF000001315240003A" + "0000000000000000" + "0008\x6D\xD9\x32\xDE\x48\x52\x02\x85%01",
			written(t, "0002", decrypt, askDecrypt(baseKey, "A05", unhex(t, "FFFF000001315240003A"),
				make([]byte, 8), unhex(t, "6DD932DE48520285"), "01"))},
	} {
		if v.got != v.want {
			t.Errorf("%s:\n got %q\nwant %q", v.source, v.got, v.want)
		}
	}
}

// written is a message without its length.
func written(t *testing.T, header string, c command, fields []byte) string {
	t.Helper()
	b, err := appendMessage(nil, header, c, fields)
	if err != nil {
		t.Fatal(err)
	}
	if size := int(b[0])<<8 | int(b[1]); size != len(b)-2 {
		t.Errorf("the length is %d, not %d", size, len(b)-2)
	}
	return string(b[2:])
}

func key1(t *testing.T, s hsm.KeySpec, lmkID string) []byte {
	t.Helper()
	b, err := askMakeKey(s, lmkID)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pan(t *testing.T, digits string) spec.PAN {
	t.Helper()
	p, err := spec.ParsePAN(digits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func unhex(t *testing.T, digits string) []byte {
	t.Helper()
	s := scanner{rest: []byte(digits)}
	b := s.hex(len(digits)/2, "test value")
	if err := s.end(); err != nil {
		t.Fatal(err)
	}
	return b
}

// Answers that public programs print.
func TestAnswersAsOthersReadThem(t *testing.T) {
	answer := func(message string) []byte {
		t.Helper()
		a, err := parseAnswer(4, []byte(message))
		if err != nil || a.result != done {
			t.Fatalf("%+v, %v", a, err)
		}
		return a.rest
	}
	// pressure
	id, err := readIdentity(answer("HEADND005D672700000000001500-0023"))
	if err != nil || id != (identity{"5D67270000000000", "1500-0023"}) {
		t.Errorf("%+v, %v", id, err)
	}
	// ut-codec generateKeyDecode 2
	key, err := readKey(answer("0099A100S00072K0TB00E0001FB8A4952BFE42179AB8D79A81943DF1FAD67CF0" +
		"15117EE8528E79900D4A3E8"))
	if err != nil || key.check != "D4A3E8" || len(key.block) != 73 {
		t.Errorf("%+v, %v", key, err)
	}
	// ut-codec generateKeyCheckValueDecode 2
	check, err := readCheck(answer("0000BV002356F2"))
	if err != nil || check != "2356F2" {
		t.Errorf("%s, %v", check, err)
	}
	// ut-codec translatePinZpkZpkDecode 0 and translatePinBdkBdkZpkDecode 0
	for _, message := range []string{"0248CD00060E4A2BFA78E244FF01", "0004G100060E4A2BFA78E244FF01"} {
		block, err := readPIN(answer(message), "01")
		if err != nil || !bytes.Equal(block, unhex(t, "0E4A2BFA78E244FF")) {
			t.Errorf("%X, %v", block, err)
		}
	}
	// ut-codec generateMacDecode 0
	code, err := readMAC(answer("0048M700C57E4295"), 4)
	if err != nil || !bytes.Equal(code, unhex(t, "C57E4295")) {
		t.Errorf("%X, %v", code, err)
	}
	// ut-codec processResponse M3, with data as bytes
	data, err := readDecrypt(answer("0013M30001234567890ABCDE0008ABCDEFGH"), 8)
	if err != nil || string(data) != "ABCDEFGH" {
		t.Errorf("%s, %v", data, err)
	}
	// aws: a block of X9.143 behind R; the block is one that a unit made, openemv/tr31
	const partners = "D0112B0TN00N000037DB9B046B7B0048785690759580ABC3B9842AB4BB7717B49E92528E57" +
		"5785D8123559376A2553B27BE94F054F4E971C"
	block, check, err := readExport(answer("0004A900R" + partners + "FF5087"))
	if err != nil || block != partners || check != "FF5087" {
		t.Errorf("%s, %s, %v", block, check, err)
	}
}

// Headers of key blocks under an LMK that public programs print.
func TestHeaders(t *testing.T) {
	for _, v := range []struct {
		source, block string
		usage         string
		sizes         []int
	}{
		{"ut-codec, TDES LMK", zoneA, "P0", []int{16}},
		{"a key of an AES LMK", "S1009652TN00E0000559CA4D074FB5C95DE59E680C5A0F33E96FCDADB9EBED11DFF5" +
			"BFA5A24A60923CBD0A3EB992028CC", "52", []int{16, 24}},
		{"metalcorpe/payshield-rest-api, AES LMK", "S1012822AN00S000153767C37E3DD24D17D98C9EB003C8BDA" +
			"AEAABD6D4E62C1288358E24E910A49D1A75B157B813DA6903BDC1A5B9EA57FA0D01F4A0E2F9544E5", "22",
			[]int{32}},
	} {
		h, err := readHeader(v.block)
		if err != nil || string(h.usage) != v.usage || fmt.Sprint(h.sizes) != fmt.Sprint(v.sizes) {
			t.Errorf("%s: %+v, %v", v.source, h, err)
		}
	}
	for name, block := range map[string]string{
		"empty":            "",
		"no scheme":        zoneA[1:],
		"another scheme":   "R" + zoneA[1:],
		"short":            zoneA[:16],
		"cut":              zoneA[:60],
		"longer":           zoneA + "0",
		"another version":  "S2" + zoneA[2:],
		"length of spaces": "S0  72" + zoneA[6:],
		"a space":          zoneA[:70] + "  " + zoneA[72:],
		"a line":           zoneA[:30] + "\n" + zoneA[31:],
	} {
		if _, err := readHeader(block); !errors.Is(err, hsm.ErrKey) {
			t.Errorf("%s: error %v", name, err)
		} else {
			contains(t, name, err.Error(), "EA421618B3")
		}
	}
}

func TestUnsoundAnswers(t *testing.T) {
	read := map[string]func(rest []byte) error{
		"key":      func(b []byte) error { _, err := readKey(b); return err },
		"check":    func(b []byte) error { _, err := readCheck(b); return err },
		"export":   func(b []byte) error { _, _, err := readExport(b); return err },
		"pin":      func(b []byte) error { _, err := readPIN(b, "01"); return err },
		"mac":      func(b []byte) error { _, err := readMAC(b, 8); return err },
		"data":     func(b []byte) error { _, err := readDecrypt(b, 8); return err },
		"identity": func(b []byte) error { _, err := readIdentity(b); return err },
	}
	for _, v := range []struct{ what, rest string }{
		{"key", zoneA + "4FE9F"}, {"key", zoneA + "4FE9FDD"}, {"key", zoneA + "4fe9fd"},
		{"key", "S0999" + zoneA[5:] + "4FE9FD"}, {"key", "S0-001" + zoneA[6:] + "4FE9FD"},
		{"key", "S00003" + "4FE9FD"}, {"key", "U" + zoneA[1:] + "4FE9FD"}, {"key", ""},
		{"check", "4FE9F"}, {"check", "4FE9FG"}, {"check", "4FE9FD00"},
		{"export", zoneA + "4FE9FD"},
		{"pin", "0E4A2BFA78E244FF01"}, {"pin", "030E4A2BFA78E244FF01"},
		{"pin", "130E4A2BFA78E244FF01"}, {"pin", "060E4A2BFA78E244FF47"},
		{"pin", "060E4A2BFA78E244FF010"}, {"pin", "060E4A2BFA78E244F001"[:19]},
		{"pin", "060E4A2BFA78E244FX01"},
		{"mac", "C57E4295"}, {"mac", "C57E4295C57E42950"}, {"mac", "C57E4295C57E429-"},
		{"data", "01234567890ABCDE0010ABCDEFGH"}, {"data", "01234567890ABCDE0008ABCDEFG"},
		{"data", "01234567890ABCDE0008ABCDEFGHI"}, {"data", "0008ABCDEFGH"}, {"data", ""},
		{"identity", "5D6727"}, {"identity", "5D6727000000000X1500"},
		{"identity", "5D67270000000000\n"}, {"identity", "5D67270000000000" + strings.Repeat("1", 40)},
	} {
		err := read[v.what]([]byte(v.rest))
		if !errors.Is(err, errFormat) {
			t.Errorf("%s %q: error %v", v.what, v.rest, err)
			continue
		}
		contains(t, v.what, err.Error(), "0E4A2B", "EA4216", "C57E42", "ABCDEF")
	}
}

func TestAccountNumbers(t *testing.T) {
	for digits, want := range map[string]string{
		"5400288000106":       "540028800010",
		"4000001234567899":    "000123456789",
		"1234567890123456789": "789012345678",
		"12345678":            "000001234567",
	} {
		if got := string(appendAccount(nil, pan(t, digits))); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

func TestFormats(t *testing.T) {
	for f, want := range map[pinblock.Format]string{pinblock.Format0: "01", pinblock.Format1: "05",
		pinblock.Format3: "47"} {
		if got, err := formatCode(f); err != nil || got != want {
			t.Errorf("%v: %s, %v", f, got, err)
		}
	}
	if _, err := formatCode(pinblock.Format4); !errors.Is(err, hsm.ErrAbsent) {
		t.Errorf("error %v", err)
	}
}

// Filled up here, a message has the same code as with the padding there.
func TestPadding(t *testing.T) {
	key := make([]byte, 16)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	whole, err := mac.New(mac.Spec{Algorithm: mac.CBC, Padding: mac.Padding1, Size: 8}, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []mac.Padding{mac.Padding1, mac.Padding2, mac.Padding3} {
		own, err := mac.New(mac.Spec{Algorithm: mac.CBC, Padding: p, Size: 8}, key)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 40 {
			message := bytes.Repeat([]byte{0xA7}, n)
			filled := appendPadded([]byte("before"), p, message[:n/3], message[n/3:])[6:]
			if len(filled) == 0 || len(filled)%8 != 0 {
				t.Fatalf("padding %d of %d bytes makes %d", p, n, len(filled))
			}
			if !bytes.Equal(whole.Sum(nil, filled), own.Sum(nil, message)) {
				t.Errorf("padding %d of %d bytes: %X", p, n, filled)
			}
		}
	}
}

func TestFramesInPieces(t *testing.T) {
	var stream []byte
	var want []string
	for _, n := range []int{6, 0, 1, 300, 5000, 65535, 17} {
		m := strings.Repeat("x", n)
		stream = append(append(stream, byte(n>>8), byte(n)), m...)
		want = append(want, m)
	}
	readers := map[string]*frames{
		"whole":     newFrames(bytes.NewReader(stream)),
		"byte":      newFrames(iotest.OneByteReader(bytes.NewReader(stream))),
		"half":      newFrames(iotest.HalfReader(bytes.NewReader(stream))),
		"with data": newFrames(iotest.DataErrReader(bytes.NewReader(stream))),
	}
	for name, f := range readers {
		for i, w := range want {
			if got, err := f.next(); err != nil || string(got) != w {
				t.Fatalf("%s: message %d has %d bytes, %v", name, i, len(got), err)
			}
		}
		if _, err := f.next(); err == nil {
			t.Errorf("%s: there is more", name)
		}
		if bytes.Contains(f.buf, []byte("x")) {
			t.Errorf("%s: messages are left in the buffer", name)
		}
	}
}

func TestTooLong(t *testing.T) {
	if _, err := appendMessage(nil, "0000", random, make([]byte, 65530)); err == nil {
		t.Error("a message of 65,536 bytes")
	}
	if _, err := appendMessage(nil, "0000", random, make([]byte, 65529)); err != nil {
		t.Error(err)
	}
}
