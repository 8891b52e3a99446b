package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestItemsWalk(t *testing.T) {
	type item struct {
		Tag    ItemTag
		Value  string
		Offset int
	}
	tests := []struct {
		data string
		want []item
		ok   bool
	}{
		{"", nil, true},
		{"0002006000123", []item{{TagSlipNumber, "000123", 7}}, true},
		{"00100037390009005" + "00123", []item{{TagKID, "739", 7}, {TagCompanyCode, "00123", 17}}, true},
		{"9999000" + "0010003739", []item{{9999, "", 7}, {TagKID, "739", 14}}, true},
		{"001000373", nil, false},
		{"0010003739x", []item{{TagKID, "739", 7}}, false},
		{"0010003739" + "00A0001X", []item{{TagKID, "739", 7}}, false},
		{"0010003739" + "000299912", []item{{TagKID, "739", 7}}, false},
		{"000200", nil, false},
	}
	for _, test := range tests {
		var got []item
		items := ParseItems([]byte(test.data))
		for items.Next() {
			got = append(got, item{items.Tag(), string(items.Value()), items.Offset()})
		}
		if diff := cmp.Diff(test.want, got); diff != "" || items.OK() != test.ok || items.Next() {
			t.Errorf("%s: %v %s", test.data, items.OK(), diff)
		}
	}
	data := []byte("00100037390009005" + "00123")
	if n := testing.AllocsPerRun(100, func() {
		items := ParseItems(data)
		for items.Next() {
			items.Number()
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestItemNumber(t *testing.T) {
	for text, want := range map[string]uint64{"00123": 123, "": 0, "12A": 0,
		"18446744073709551615": 0, "9999999999999999999": 9999999999999999999} {
		data, ok := AppendItem(nil, TagKID, []byte(text))
		items := ParseItems(data)
		if !ok || !items.Next() || items.Number() != want {
			t.Errorf("%q: %d", text, items.Number())
		}
	}
	if _, ok := AppendItem(nil, TagKID, make([]byte, 993)); ok {
		t.Error("an item longer than its element")
	}
	if _, ok := AppendItem(nil, 10000, nil); ok {
		t.Error("a tag of five digits")
	}
}

// Each known item is checked for its length and its characters.
func TestCheckItems(t *testing.T) {
	tests := []struct {
		tag       ItemTag
		good, bad []string
	}{
		{TagPaymentDivision, []string{"10", "610403"}, []string{"", "1", "11", "10x", "611303"}},
		{TagSlipNumber, []string{"1", "000123"}, []string{"", "0001234", "12A"}},
		{TagProcessing, []string{"20261122ABC"}, []string{"", strings.Repeat("1", 21)}},
		{TagProductCode, []string{"0000990"}, []string{"000990", "000099A"}},
		{TagTaxShipping, []string{"100"}, []string{"", "1234567890123"}},
		{TagCancelDivision, []string{"1", "01"}, []string{"", "001"}},
		{TagOriginalSlip, []string{"000122"}, []string{"", "A"}},
		{TagTerminal, []string{"1234501000001"}, []string{"123450100000", "12345010000012"}},
		{TagCompanyCode, []string{"00123"}, []string{"0123", "0012A"}},
		{TagKID, []string{"739"}, []string{"73", "7390"}},
		{TagMemberName, []string{"\xD4\xCF\xC0\xDE TARO"}, []string{"", "\x80", "\xE0", "\x1F"}},
		{TagSecurityCode, []string{"737", "1234"}, []string{"73", "12345", "73A"}},
		{TagStripe, []string{"1A2B3C"}, []string{"", strings.Repeat("1", 73)}},
		{4711, []string{"", "\x00"}, nil},
	}
	if len(tests) != len(itemForms)+1 {
		t.Errorf("%d tests of %d items", len(tests), len(itemForms))
	}
	for _, test := range tests {
		for _, value := range test.good {
			data, _ := AppendItem([]byte("0010003739"), test.tag, []byte(value))
			if tag, ok := CheckItems(data); !ok {
				t.Errorf("%d %q: %d", test.tag, value, tag)
			}
		}
		for _, value := range test.bad {
			data, _ := AppendItem([]byte("0010003739"), test.tag, []byte(value))
			if tag, ok := CheckItems(data); ok || tag != test.tag {
				t.Errorf("%d %q: %d, %v", test.tag, value, tag, ok)
			}
		}
	}
	if tag, ok := CheckItems([]byte("0010003739x")); ok || tag != 0 {
		t.Error("the rest isn't items:", tag, ok)
	}
	for tag := range ItemTag(20) {
		if known := tag > 0 && int(tag) <= len(itemForms); (tag.Name() != "") != known {
			t.Errorf("%d is %q", tag, tag.Name())
		}
		if known := tag > 0 && int(tag) <= len(itemForms); known && itemForms[tag-1].tag != tag {
			t.Errorf("the form of %d stands in another's place", tag)
		}
	}
}

// Whatever is appended comes back.
func TestItemsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tags := rapid.SliceOfN(rapid.Uint16Range(0, 9999), 0, 8).Draw(t, "tags")
		var data []byte
		var values [][]byte
		for _, tag := range tags {
			value := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "value")
			values = append(values, value)
			data, _ = AppendItem(data, ItemTag(tag), value)
		}
		items := ParseItems(data)
		for i, tag := range tags {
			if !items.Next() || items.Tag() != ItemTag(tag) ||
				string(items.Value()) != string(values[i]) {
				t.Fatalf("item %d: %d %q", i, items.Tag(), items.Value())
			}
		}
		if items.Next() || !items.OK() {
			t.Fatal("more than was appended")
		}
	})
}

func FuzzItems(f *testing.F) {
	f.Add([]byte("00010021000020060001230009005" + "12345"))
	f.Add([]byte("0001030250212" + "000000010000" + "07" + "000000020000"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > ElementOf(48).Length {
			return // no element 48 is longer
		}
		items := ParseItems(data)
		var again []byte
		for items.Next() {
			again, _ = AppendItem(again, items.Tag(), items.Value())
			if string(data[items.Offset():][:len(items.Value())]) != string(items.Value()) {
				t.Fatal("the offset is another's")
			}
		}
		if string(again) != string(data[:len(again)]) || items.OK() != (len(again) == len(data)) {
			t.Fatalf("%q became %q", data, again)
		}
		CheckItems(data)
	})
}

// Every byte that katakana text may hold becomes one character, and comes back.
func TestKatakana(t *testing.T) {
	got := Katakana([]byte("\xD4\xCF\xC0\xDE TARO \xA1\xDF\x80\n"))
	if got != "ﾔﾏﾀﾞ TARO ｡ﾟ\uFFFD\uFFFD" {
		t.Error(got)
	}
	for c := range 256 {
		text := Katakana([]byte{byte(c)})
		back, ok := AppendKatakana([]byte("x"), text)
		allowed := isKatakana([]byte{byte(c)})
		if ok != allowed || ok && string(back) != "x"+string([]byte{byte(c)}) ||
			!ok && string(back) != "x" {
			t.Errorf("%X became %q and %q, %v", c, text, back, ok)
		}
	}
}
