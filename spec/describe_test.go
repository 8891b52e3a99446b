package spec_test

import (
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cardswitch/spec"
	"cardswitch/spec/sample"
)

func TestDescribe(t *testing.T) {
	f := formats(t)["ascii-binary"]
	raw, fault := f.Append(nil, nil, sample.Financial())
	if !fault.OK() {
		t.Fatal(fault)
	}
	want, err := os.ReadFile("testdata/golden/financial.txt")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, line := range spec.Describe(f.index(t, raw)) {
		if line.Element != 55 {
			text.WriteString(line.String() + "\n")
		}
	}
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Error(diff)
	}
}

func TestDescribeParts(t *testing.T) {
	tests := []struct {
		name   string
		mti    spec.MTI
		values map[int]string
		want   []string // of the lines of the last element
	}{
		{"original", 0x1420, map[int]string{56: "1200000123261122121844" + "1112345678901"}, []string{
			" 56  original data elements                 12000001232611221218441112345678901",
			"       message type                         1200  (financial request)",
			"       trace number                         000123",
			"       local time                           261122121844  (2026-11-22 12:18:44)",
			"       acquirer                             12345678901"}},
		{"original amounts", 0x1420, map[int]string{30: "000000012980000000000000", 49: "392"},
			[]string{" 49  currency code, transaction             392  (JPY)"}},
		{"additional amounts", 0x1210, map[int]string{54: "0002392C000000050000" +
			"1001840D000000000123"}, []string{
			" 54  amounts, additional                    0002392C0000000500001001840D000000000123",
			"       1 available balance, default account C 50000  (50000 JPY)",
			"       2 ledger balance, savings account    D 123  (1.23 USD)"}},
		{"fees", 0x1210, map[int]string{46: "01392D0000010000000000C00000000392"}, []string{
			" 46  amounts, fees                          01392D0000010000000000C00000000392",
			"       1 fee type 01                        D 100  (100 JPY)"}},
		{"sensitive items", 0x1200, map[int]string{48: "0012003737" + "00130041A2B" + "9999002XY"},
			[]string{
				" 48  additional data, private                 (30 bytes)",
				"       0012 security code セキュリティコード         (3 characters)",
				"       0013 JIS II stripe                   (4 characters)",
				"       9999                                 XY"}},
		{"no items", 0x1200, map[int]string{48: "CVV=737"}, []string{
			" 48  additional data, private                 (7 bytes)",
			"       rest                                 (7 characters that aren't items)"}},
		{"a wrong payment", 0x1200, map[int]string{48: "0001006611302"}, []string{
			" 48  additional data, private                 (13 bytes)",
			"       0001 payment division 支払区分           611302  (wrong first payment month)"}},
		{"another card in free text", 0x1200, map[int]string{63: "was 4111111111111111 before"},
			[]string{" 63  reserved private                       was 411111******1111 before"}},
		{"PIN", 0x1200, map[int]string{52: "1234567890ABCDEF"},
			[]string{" 52  PIN data                               (PIN block)"}},
		{"track", 0x1200, map[int]string{35: "4111111111111111=29125011234"}, []string{
			" 35  track 2 data                           411111******1111 and more, 28 characters"}},
		{"keys", 0x1804, map[int]string{96: "00112233"},
			[]string{" 96  key management data                      (4 bytes)"}},
	}
	f := formats(t)["ascii-binary"]
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			raw, err := spec.Build(f.Dialect, test.mti, test.values)
			if err != nil {
				t.Fatal(err)
			}
			lines := spec.Describe(f.index(t, raw))
			var got []string
			for _, line := range lines {
				if line.Element == lines[len(lines)-1].Element {
					got = append(got, line.String())
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Wherever a card number hides in a message, in whichever form, no line and no difference shows it.
func TestDescribeShowsNoCard(t *testing.T) {
	eachFormat(t, func(t *rapid.T, f wireFormat) {
		c, pan := f.drawContent(t, "message"), drawPAN(t)
		f.hide(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "places"), 2)), c, pan)
		_, raw := f.pack(t, c)
		m := f.index(t, raw)
		lines, err := json.Marshal(spec.Describe(m))
		if err != nil {
			t.Fatal(err)
		}
		differences, err := json.Marshal(spec.Diff(m, &spec.Message{}))
		if err != nil {
			t.Fatal(err)
		}
		ebcdic := []byte(pan)
		for i := range ebcdic {
			ebcdic[i] |= 0xF0
		}
		for _, form := range []string{pan, strings.ToUpper(hex.EncodeToString([]byte(pan))),
			strings.ToUpper(hex.EncodeToString(ebcdic))} {
			if strings.Contains(string(lines), form) || strings.Contains(string(differences), form) {
				t.Fatalf("%s is seen in %s\n%s", form, lines, differences)
			}
		}
	})
}

func TestDiff(t *testing.T) {
	all := formats(t)
	f, packed := all["ascii-binary"], all["bcd-left"]
	values := map[int]string{2: "3528000000000007", 4: "1000", 11: "1", 48: "0010003739"}
	build := func(f wireFormat, mti spec.MTI, changes map[int]string) *spec.Message {
		all := map[int]string{}
		for n, value := range values {
			all[n] = value
		}
		for n, value := range changes {
			if all[n] = value; value == "" {
				delete(all, n)
			}
		}
		raw, err := spec.Build(f.Dialect, mti, all)
		if err != nil {
			t.Fatal(err)
		}
		return f.index(t, raw)
	}
	a := build(f, 0x1200, nil)
	if got := spec.Diff(a, build(packed, 0x1200, nil)); got != nil {
		t.Errorf("the same in another dialect: %+v", got)
	}
	b := build(packed, 0x1201, map[int]string{2: "3528001000000006", 4: "1001", 11: "", 39: "000",
		48: "0010003740"})
	want := []spec.Difference{
		{Element: 0, Name: "message type indicator", First: "1200", Second: "1201"},
		{Element: 2, Name: "primary account number", First: "352800******0007",
			Second: "352800******0006"},
		{Element: 4, Name: "amount, transaction", First: "000000001000", Second: "000000001001"},
		{Element: 11, Name: "systems trace audit number", First: "000001"},
		{Element: 39, Name: "action code", Second: "000"},
		{Element: 48, Name: "additional data, private", First: "0010=739", Second: "0010=740"},
	}
	if diff := cmp.Diff(want, spec.Diff(a, b)); diff != "" {
		t.Error(diff)
	}
	hidden := spec.Diff(a, build(f, 0x1200, map[int]string{2: "3528001000000007"}))
	if len(hidden) != 1 || hidden[0].Note == "" || hidden[0].First != hidden[0].Second {
		t.Errorf("%+v", hidden)
	}
}
