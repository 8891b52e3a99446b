package spec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestOriginalAmounts(t *testing.T) {
	const value = "000000012980000000000100"
	o, ok := ParseOriginalAmounts([]byte(value))
	if !ok || o.Transaction != 12980 || o.Reconciliation != 100 || string(o.Append(nil)) != value {
		t.Error(o, ok)
	}
	for _, bad := range []string{"", value[1:], value + "0", "x" + value[1:], value[1:] + "x"} {
		if _, ok := ParseOriginalAmounts([]byte(bad)); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestFees(t *testing.T) {
	const one = "01392D0000010061500000C00000000840"
	const two = "99USDC00000000" + "00000000" + "D99999999" + "   "
	fees, count, ok := ParseFees([]byte(one + two))
	want := []Fee{
		{1, [3]byte{'3', '9', '2'}, Signed{true, 100}, 61500000, Signed{}, [3]byte{'8', '4', '0'}},
		{99, [3]byte{'U', 'S', 'D'}, Signed{}, 0, Signed{true, 99999999}, [3]byte{' ', ' ', ' '}},
	}
	if diff := cmp.Diff(want, fees[:count]); diff != "" || !ok {
		t.Error(ok, diff)
	}
	if back := fees[1].Append(fees[0].Append(nil)); string(back) != one+two {
		t.Errorf("%s", back)
	}
	for _, bad := range []string{one[1:], one + "0", strings.Repeat(one, 7),
		strings.Replace(one, "D", "X", 1), "x" + one[1:], strings.Replace(one, "C", "0", 1)} {
		if _, _, ok := ParseFees([]byte(bad)); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestAdditionalAmounts(t *testing.T) {
	const value = "3002392C0000000500001040392D000000000123"
	list, count, ok := ParseAdditionalAmounts([]byte(value))
	want := []AdditionalAmount{
		{30, 2, [3]byte{'3', '9', '2'}, Signed{false, 50000}},
		{10, 40, [3]byte{'3', '9', '2'}, Signed{true, 123}},
	}
	if diff := cmp.Diff(want, list[:count]); diff != "" || !ok {
		t.Error(ok, diff)
	}
	if back := list[1].Append(list[0].Append(nil)); string(back) != value {
		t.Errorf("%s", back)
	}
	for _, bad := range []string{value[1:], strings.Repeat(value, 4), "x" + value[1:],
		strings.Replace(value, "C", "X", 1)} {
		if _, _, ok := ParseAdditionalAmounts([]byte(bad)); ok {
			t.Errorf("%q is taken", bad)
		}
	}
	if AmountName(2) != "available balance" || AmountName(17) != "" {
		t.Error(AmountName(2), AmountName(17))
	}
}

func TestLocation(t *testing.T) {
	const value = `SAKURA STORE\1-2-3 MINAMI-AOYAMA\TOKYO\1070062   13 JPN`
	tests := []struct {
		value string
		want  []string
		ok    bool
	}{
		{value, []string{"SAKURA STORE", "1-2-3 MINAMI-AOYAMA", "TOKYO", "1070062", "13", "JPN"}, true},
		{`\\\` + strings.Repeat(" ", 16), []string{"", "", "", "", "", ""}, true},
		{"SAKURA STORE             TOKYO        JP",
			[]string{"SAKURA STORE", "", "TOKYO", "", "", "JP"}, true},
		{value[:len(value)-1], nil, false},
		{value + " ", nil, false},
		{`SAKURA\TOKYO`, nil, false},
		{"", nil, false},
	}
	for _, test := range tests {
		l, ok := ParseLocation([]byte(test.value))
		if ok != test.ok {
			t.Errorf("%q: %v", test.value, ok)
			continue
		}
		if !ok {
			continue
		}
		got := []string{string(l.Name), string(l.Street), string(l.City), string(l.Postcode),
			string(l.Region), string(l.Country)}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.value, diff)
		}
		if back, ok := l.Append([]byte("x")); strings.Contains(test.value, `\`) &&
			(!ok || string(back) != "x"+test.value) {
			t.Errorf("%q came back as %q, %v", test.value, back, ok)
		}
	}
	long := []byte(strings.Repeat("A", 81))
	for _, bad := range []Location{{Name: []byte(`A\B`)}, {Country: []byte("JAPA")}, {Name: long}} {
		if back, ok := bad.Append([]byte("x")); ok || string(back) != "x" {
			t.Errorf("%+v became %q", bad, back)
		}
	}
}

// Whatever bytes a partner sends, the readers of sub-layouts neither fail nor read beyond them, and
// what they take comes back as it was.
func TestLayoutsTakeAnyBytes(t *testing.T) {
	alphabet := rapid.SampledFrom([]byte(`0123456789CD\ x`))
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SliceOfN(alphabet, 0, 120).Draw(t, "value")
		if fees, n, ok := ParseFees(value); ok {
			var back []byte
			for _, f := range fees[:n] {
				back = f.Append(back)
			}
			same(t, value, back)
		}
		if list, n, ok := ParseAdditionalAmounts(value); ok {
			var back []byte
			for _, a := range list[:n] {
				back = a.Append(back)
			}
			same(t, value, back)
		}
		if o, ok := ParseOriginalAmounts(value); ok {
			same(t, value, o.Append(nil))
		}
		ParsePayment(value)
		ParseLocation(value)
	})
}

func same(t *rapid.T, value, back []byte) {
	t.Helper()
	if string(value) != string(back) {
		t.Fatalf("%q came back as %q", value, back)
	}
}
