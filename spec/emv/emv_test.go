package emv

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func raw(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func walk(data []byte) (text string, ok bool) {
	objects := Parse(data)
	for objects.Next() {
		text += fmt.Sprintf("%d:%X=%X ", objects.Depth(), objects.Tag(), objects.Value())
	}
	return strings.TrimSpace(text), objects.OK()
}

func TestObjects(t *testing.T) {
	long := strings.Repeat("AB", 200)
	tests := []struct {
		name, data, want string
		ok               bool
	}{
		{"nothing", "", "", true},
		{"filling", "0000", "", true},
		{"one and two bytes of tag", "9A03261122 9F2701 80", "0:9A=261122 0:9F27=80", true},
		{"three bytes of tag", "DF8129 01 07", "0:DF8129=07", true},
		{"filling between", "9A03261122 00 00 9C0100", "0:9A=261122 0:9C=00", true},
		{"empty value", "8A00 9C0100", "0:8A= 0:9C=00", true},
		{"long length", "9F10 81C8" + long, "0:9F10=" + long, true},
		{"longer length", "9F10 8200C8" + long, "0:9F10=" + long, true},
		{"constructed", "71 07 86 02 8424 9F1800 9C0100",
			"0:71=860284249F1800 1:86=8424 1:9F18= 0:9C=00", true},
		{"cut off inside", "71 02 86 02 8424", "0:71=8602", false},
		{"nested", "70 08 61 03 4F 01 A0 50 01 41", "0:70=61034F01A0500141 1:61=4F01A0 " +
			"2:4F=A0 1:50=41", true},
		{"after a nested one", "70 03 4F 01 A0 9C0100", "0:70=4F01A0 1:4F=A0 0:9C=00", true},
		{"cut off in the value", "9A032611", "", false},
		{"cut off in the length", "9A", "", false},
		{"cut off in the tag", "9F", "", false},
		{"tag without end", "9F818181 01 00", "", false},
		{"length without end", "9A80", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := walk(raw(t, test.data))
			if got != test.want || ok != test.ok {
				t.Errorf("%s, %v, want %s, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

func TestDepthIsBounded(t *testing.T) {
	data := raw(t, strings.Repeat("70 82 0100 ", 30))
	for i := range 30 { // each holds all that follow
		data[4*i+2], data[4*i+3] = 0, byte(4*(29-i))
	}
	objects := Parse(data)
	count := 0
	for objects.Next() {
		count++
	}
	if objects.OK() || count != maxDepth {
		t.Errorf("%d objects, %v", count, objects.OK())
	}
}

func TestFind(t *testing.T) {
	data := raw(t, "70 03 4F 01 A0 9C0100")
	if got := Find(data, 0x4F); string(got) != "\xA0" {
		t.Errorf("%X", got)
	}
	if got := Find(data, 0x5A); got != nil {
		t.Errorf("%X", got)
	}
	if n := testing.AllocsPerRun(100, func() { Find(data, 0x9C) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestSensitiveTagsHaveNames(t *testing.T) {
	for _, tag := range []uint32{0x56, 0x57, 0x5A, 0x99, 0x9F1F, 0x9F20, 0x9F60, 0x9F61, 0x9F6B} {
		if !Sensitive(tag) || Name(tag) == "" {
			t.Errorf("%X: %v, %q", tag, Sensitive(tag), Name(tag))
		}
	}
	if Sensitive(0x9F26) || Name(0x9F26) != "application cryptogram" || Name(0xDF01) != "" {
		t.Error("9F26 or DF01")
	}
}

// Whatever the bytes, the walk ends and gives values that lie in them.
func FuzzObjects(f *testing.F) {
	f.Add([]byte("\x9A\x03\x26\x11\x22\x70\x03\x4F\x01\xA0"))
	f.Add([]byte("\x70\x82\x00\x04\x70\x82\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		objects := Parse(data)
		bytes := 0
		for objects.Next() {
			if objects.Depth() == 0 {
				bytes += 2 + len(objects.Value())
			}
		}
		if bytes > len(data) {
			t.Fatalf("%d bytes in objects of %d", bytes, len(data))
		}
		for rest, ok := data, true; ok; {
			var tag uint32
			before := len(rest)
			tag, _, rest, ok = Cut(rest)
			if ok && (tag == 0 || len(rest) > before-2) {
				t.Fatalf("tag %X, %d of %d bytes left", tag, len(rest), before)
			}
		}
	})
}
