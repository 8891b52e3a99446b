package spec_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cardswitch/spec"
)

// TestSensitiveParts: of elements 48 and 55 only what may not be kept is blanked, in every dialect.
func TestSensitiveParts(t *testing.T) {
	tests := []struct {
		name    string
		element int
		was, is string // hexadecimal for element 55
	}{
		{"security code", 48, "00020060001230012003737" + "0010003739", "00020060001230012003000" +
			"0010003739"},
		{"stripe", 48, "0013010A1B2C3D4E5", "00130100000000000"},
		{"another layout", 48, "SHOP=12;CVV", "SHOP=12;CVV"},
		{"rest is no item", 48, "0002003123X737", "00020031230000"},
		{"track equivalent", 55, "9F2701805706123456789D12", "9F2701805706000000000000"},
		{"in a template", 55, "770E9F26021234" + "70075A051234567890", "770E9F26021234" +
			"70075A050000000000"},
		{"filling", 55, "000099021234009F020100", "000099020000009F020100"},
		{"long length", 55, "5A8103123456", "5A8103000000"},
		{"longer length", 55, "5682000312345600", "5682000300000000"},
		{"rest is no BER-TLV", 55, "9F2701809F", "9F27018000"},
		{"length too long", 55, "9F2701809F02FF12", "9F270180" + "00000000"},
		{"data of a magnetic stripe reader", 55, "9F6B021234" + "9F1F0112" + "9F200112" +
			"9F6001129F610112", "9F6B020000" + "9F1F0100" + "9F200100" + "9F6001009F610100"},
	}
	for name, f := range formats(t) {
		for _, test := range tests {
			t.Run(name+" "+test.name, func(t *testing.T) {
				e := &spec.Edit{}
				e.SetMTI(0x1200)
				e.Set(test.element, valueOf(t, test.element, test.was))
				raw, fault := f.Append(nil, nil, e)
				if !fault.OK() {
					t.Fatal(fault)
				}
				safe := f.index(t, f.index(t, raw).AppendSafe(nil))
				want := valueOf(t, test.element, test.is)
				if diff := cmp.Diff(want, safe.Append(nil, test.element)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func valueOf(t *testing.T, element int, text string) []byte {
	t.Helper()
	if element != 55 {
		return []byte(text)
	}
	v, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestSafeImageOfBroken: of a message with a fault only what is sound is kept, and blanked too.
func TestSafeImageOfBroken(t *testing.T) {
	const pan = "3528000000000007"
	raw := "1200" + "\x70\x00\x00\x00\x00\x00\x00\x00" + "16" + pan + "00000A" + "000000001000"
	f := formats(t)["ascii-binary"]
	var m spec.Message
	want := spec.Fault{Element: 3, Kind: spec.FaultClass}
	if got := f.Index(&m, []byte(raw+pan)); got != want {
		t.Fatalf("fault %v", got)
	}
	image := m.AppendSafe(nil)
	safe := f.index(t, image)
	if safe.Elements() != spec.Elements(2, 4) || strings.Contains(string(image), pan) {
		t.Errorf("image of elements %v", safe.Elements())
	}
	if f.Index(&m, []byte(pan)); len(m.AppendSafe(nil)) != 0 {
		t.Error("an image of what is no message")
	}
}
