package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

// values are one fitting value of every element that the tests use; codes by class of message.
var values = map[int]string{
	2: "3528000000000007", 3: "000000", 4: "000000012980", 5: "000000012980", 7: "1122031844",
	11: "000123", 12: "261122121844", 14: "2912", 22: "51010151334C", 26: "5411", 28: "261122",
	29: "001", 30: strings.Repeat("0", 24), 32: "12345678901", 33: "99999000001",
	35: "3528000000000007=29125010000000000", 37: "632612000123", 38: "A12345", 41: "T0000001",
	42: "M00000000000001", 43: `SAKURA STORE\1-2-3\TOKYO\1070062   13 JPN`, 44: "00",
	46: "0", 48: "0002006000123", 49: "392", 50: "392", 56: "1200000123261122121844" + "1112345678901",
	72: "RECORD", 74: "0000000001", 75: "0000000001", 76: "0000000001", 77: "0000000001",
	86: "0000000000000001", 87: "0000000000000001", 88: "0000000000000001",
	89: "0000000000000001", 93: "99999000001", 94: "12345678901", 96: "0123456789ABCDEF",
	97: "C0000000000000000", 101: "NEGATIVE", 102: "1234567",
}

// codesOf are a fitting function, reason and action code of each class.
var codesOf = map[int][3]string{
	1: {"100", "1510", "000"}, 2: {"200", "1004", "000"}, 3: {"301", "3000", "300"},
	4: {"400", "4000", "400"}, 5: {"500", "5000", "500"}, 6: {"600", "6000", "600"},
	7: {"700", "7000", "700"}, 8: {"801", "8100", "800"},
}

var wire = func() *spec.Dialect {
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		panic(err)
	}
	return d
}()

// message writes and indexes a message of some elements; changes give other values, "" removes.
func message(t testing.TB, mti spec.MTI, has []int, changes map[int]string) *spec.Message {
	t.Helper()
	all := map[int]string{}
	for _, n := range has {
		all[n] = values[n]
		codes := codesOf[mti.Class()]
		if mti.Class() == 4 && mti.Origin()&^1 == 2 {
			codes[0], codes[1] = "450", "4501"
		}
		switch n {
		case 24:
			all[n] = codes[0]
		case 25:
			all[n] = codes[1]
		case 39:
			all[n] = codes[2]
		}
	}
	maps.Copy(all, changes)
	var e spec.Edit
	e.SetMTI(mti)
	for n, value := range all {
		if value != "" {
			e.Set(n, []byte(value))
		}
	}
	raw, fault := wire.Append(nil, nil, &e)
	if !fault.OK() {
		t.Fatalf("%v: %v", mti, fault)
	}
	m := new(spec.Message)
	if fault := wire.Index(m, raw); !fault.OK() {
		t.Fatal(fault)
	}
	return m
}

// mandatory is what each message can't be without, copied from the reference by hand: a row a
// message, an element for each cell that is M, or ME behind the bar. What is in brackets is asked
// for by a condition that the usual value of a code fulfils.
var mandatory = `
1100 3 11 12 22 24 26 32 (2 4 49) |
1110 3 39 (38) | 11 12 32
1120 3 11 12 22 24 25 26 32 39 (2 4 49) |
1130 3 39 | 11 12 32
1140 3 11 12 22 24 25 26 32 39 (2 4 49) |
1200 3 4 11 12 22 24 26 32 43 49 (2) |
1210 3 4 39 49 (38) | 11 12 32
1220 3 4 11 12 22 24 25 26 32 39 43 49 (2 38) |
1230 4 39 49 | 3 11 12 32
1240 3 4 11 12 22 24 25 26 32 39 43 49 (2 38) |
1304 11 12 24 93 94 101 (72) |
1314 39 | 11 12 93 94
1324 11 12 24 93 94 101 (72) |
1334 39 | 11 12 93 94
1344 11 12 24 93 94 101 (72) |
1420 3 4 11 12 24 25 32 49 56 (2) |
1430 4 39 49 | 11 12 32
1440 3 4 11 12 24 25 32 49 56 (2) |
1422 3 4 11 12 24 25 32 49 56 (2) |
1432 4 39 49 | 11 12 32
1442 3 4 11 12 24 25 32 49 56 (2) |
1500 11 12 24 28 32 50 |
1510 39 (74 75 76 77 86 87 88 89 97) | 11 12 28 32
1520 11 12 24 28 32 50 74 75 76 77 86 87 88 89 97 |
1530 39 97 | 11 12 28 32
1540 11 12 24 28 32 50 74 75 76 77 86 87 88 89 97 |
1502 11 12 24 28 32 50 |
1512 39 (74 75 76 77 86 87 88 89 97) | 11 12 28 32
1522 11 12 24 28 32 50 74 75 76 77 86 87 88 89 97 |
1532 39 97 | 11 12 28 32
1542 11 12 24 28 32 50 74 75 76 77 86 87 88 89 97 |
1604 11 12 24 93 94 |
1614 39 | 11 12 93 94
1624 11 12 24 93 94 |
1634 39 | 11 12 93 94
1644 11 12 24 |
1720 11 12 24 32 |
1730 39 | 11 12 32
1722 11 12 24 32 |
1732 39 | 11 12 32
1740 11 12 24 32 |
1742 11 12 24 32 |
1804 11 12 24 93 94 |
1814 39 | 11 12 93 94
1824 11 12 24 93 94 |
1834 39 | 11 12 93 94
1844 11 12 24 93 94 |
`

type row struct {
	mti       spec.MTI
	all, same []int
}

func rows(t testing.TB) []row {
	var list []row
	for line := range strings.Lines(strings.TrimSpace(mandatory)) {
		first, second, _ := strings.Cut(strings.NewReplacer("(", "", ")", "").Replace(line), "|")
		words := strings.Fields(first)
		mti, err := spec.ParseMTI(words[0])
		if err != nil {
			t.Fatal(err)
		}
		r := row{mti: mti, all: numbers(t, words[1:]), same: numbers(t, strings.Fields(second))}
		r.all = append(r.all, r.same...)
		list = append(list, r)
	}
	return list
}

func numbers(t testing.TB, words []string) []int {
	var list []int
	for _, word := range words {
		var n int
		if _, err := fmt.Sscan(word, &n); err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

// Every message of the 1993 edition has a row, and no other.
func TestEveryMessageIsKnown(t *testing.T) {
	known := map[spec.MTI]bool{}
	for _, r := range rows(t) {
		known[r.mti] = true
	}
	rules := Standard()
	for mti := range spec.MTI(0x9999) {
		if mti.IsRepeat() && known[mti.Original()] && mti.Valid() {
			continue
		}
		if (rules.form(mti) != nil) != known[mti] || known[mti] != mti.Valid() {
			t.Errorf("%v: rules %v, known %v, valid %v",
				mti, rules.form(mti) != nil, known[mti], mti.Valid())
		}
	}
}

// A message with all of its mandatory elements is fine; without one of them, the fault names it.
func TestCheckMandatory(t *testing.T) {
	rules := Standard()
	for _, r := range rows(t) {
		for _, mti := range []spec.MTI{r.mti, r.mti.Repeat()} {
			if !mti.Valid() {
				continue
			}
			m := message(t, mti, r.all, nil)
			if fault := rules.Check(m); !fault.OK() {
				t.Errorf("%v: %v", mti, fault)
			}
			if fault := rules.Strict().Check(m); !fault.OK() {
				t.Errorf("%v, strictly: %v", mti, fault)
			}
			for _, n := range r.all {
				got := rules.Check(message(t, mti, r.all, map[int]string{n: ""}))
				if want := (spec.Fault{Element: uint8(n), Kind: spec.FaultMissing}); got != want {
					t.Errorf("%v without %d: %v", mti, n, got)
				}
			}
		}
	}
}

// An answer that refuses need only carry what it echoes.
func TestCheckRefusals(t *testing.T) {
	rules := Standard()
	for _, r := range rows(t) {
		if !r.mti.IsResponse() {
			continue
		}
		has := append([]int{39}, r.same...)
		if fault := rules.Check(message(t, r.mti, has, map[int]string{39: "904"})); !fault.OK() {
			t.Errorf("%v: %v", r.mti, fault)
		}
		for _, n := range r.same {
			got := rules.Check(message(t, r.mti, has, map[int]string{39: "904", n: ""}))
			if want := (spec.Fault{Element: uint8(n), Kind: spec.FaultMissing}); got != want {
				t.Errorf("%v without %d: %v", r.mti, n, got)
			}
		}
	}
}

// An answer must repeat what is ME, and the switch finds the request by the trace number.
func TestCheckAnswer(t *testing.T) {
	rules := Standard()
	list := rows(t)
	for _, r := range list {
		if !r.mti.IsResponse() {
			continue
		}
		asked := list[slices.IndexFunc(list, func(q row) bool {
			return q.mti.Response() == r.mti
		})]
		request := message(t, asked.mti, asked.all, nil)
		other := map[int]string{11: "999999"}
		if fault := rules.CheckAnswer(request, message(t, r.mti, r.all, other)); !fault.OK() {
			t.Errorf("%v: %v", r.mti, fault)
		}
		for _, n := range r.same {
			if n == 11 {
				continue
			}
			changed := values[n][:len(values[n])-1] + "9"
			got := rules.CheckAnswer(request, message(t, r.mti, r.all, map[int]string{n: changed}))
			if want := (spec.Fault{Element: uint8(n), Kind: spec.FaultValue}); got != want {
				t.Errorf("%v with another %d: %v", r.mti, n, got)
			}
			got = rules.CheckAnswer(request, message(t, r.mti, r.all, map[int]string{n: ""}))
			if want := (spec.Fault{Element: uint8(n), Kind: spec.FaultMissing}); got != want {
				t.Errorf("%v without %d: %v", r.mti, n, got)
			}
		}
		wrong := message(t, 0x1814, []int{11, 12, 39}, nil)
		if asked.mti.Class() != 8 && rules.CheckAnswer(request, wrong).Kind != spec.FaultMTI {
			t.Errorf("%v is answered by 1814", asked.mti)
		}
	}
}

func TestCheckAnswerToleratesWhatCentersDo(t *testing.T) {
	rules := Standard()
	sale := message(t, 0x1200, []int{3, 11, 12, 32}, map[int]string{3: "000000"})
	filled := message(t, 0x1210, []int{3, 11, 12, 32, 39}, map[int]string{3: "003000"})
	if fault := rules.CheckAnswer(sale, filled); !fault.OK() {
		t.Errorf("account types filled in: %v", fault)
	}
	other := message(t, 0x1210, []int{3, 11, 12, 32, 39}, map[int]string{3: "200000"})
	if fault := rules.CheckAnswer(sale, other); fault.Element != 3 {
		t.Errorf("a sale is answered as a return: %v", fault)
	}
	echo := message(t, 0x1804, []int{11, 12, 24, 93, 94}, nil)
	exchanged := message(t, 0x1814, []int{11, 12, 39, 93, 94},
		map[int]string{93: values[94], 94: values[93]})
	if fault := rules.CheckAnswer(echo, exchanged); !fault.OK() {
		t.Errorf("ends exchanged: %v", fault)
	}
}

func TestWith(t *testing.T) {
	rules, err := Standard().With(map[string][]int{"1200": {37, 56}},
		map[string][]int{"1200": {43, 2, 24}, "1210": {12, 38}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		mti  spec.MTI
		has  []int
		with map[int]string
		want spec.Fault
	}{
		{0x1200, []int{3, 4, 11, 12, 22, 26, 32, 37, 49, 56}, nil, spec.Fault{}},
		{0x1201, []int{3, 4, 11, 12, 22, 26, 32, 37, 49, 56}, nil, spec.Fault{}},
		{0x1200, []int{3, 4, 11, 12, 22, 26, 32, 49, 56}, nil, missing(37)},
		{0x1200, []int{3, 4, 11, 12, 22, 26, 32, 37, 49}, nil, missing(56)},
		{0x1200, []int{3, 4, 11, 12, 22, 24, 26, 32, 37, 49, 56}, map[int]string{24: "100"},
			spec.Fault{}},
		{0x1100, []int{2, 3, 4, 11, 12, 22, 26, 32, 49}, nil, missing(24)},
		{0x1210, []int{3, 4, 11, 32, 39, 49}, nil, spec.Fault{}},
	}
	for _, test := range tests {
		m := message(t, test.mti, test.has, test.with)
		if got := rules.Check(m); got != test.want {
			t.Errorf("%v %v: %v, want %v", test.mti, test.has, got, test.want)
		}
		if got := rules.Strict().Check(m); got != test.want {
			t.Errorf("%v %v strictly: %v, want %v", test.mti, test.has, got, test.want)
		}
	}
	request := message(t, 0x1200, []int{3, 11, 12, 32}, nil)
	answer := message(t, 0x1210, []int{3, 11, 12, 32, 39}, map[int]string{12: "261122000000"})
	if fault := rules.CheckAnswer(request, answer); !fault.OK() {
		t.Error("12 was relaxed:", fault)
	}
	if fault := Standard().CheckAnswer(request, answer); fault.Element != 12 {
		t.Error("the standard has changed:", fault)
	}
	for _, bad := range []map[string][]int{{"1201": {2}}, {"1400": {2}}, {"x": {2}}, {"1200": {1}},
		{"1200": {129}}} {
		if _, err := Standard().With(bad, nil); err == nil || !strings.Contains(err.Error(), "hint") {
			t.Errorf("require %v: %v", bad, err)
		}
		if _, err := Standard().With(nil, bad); err == nil {
			t.Errorf("relax %v is taken", bad)
		}
	}
}

func missing(n uint8) spec.Fault { return spec.Fault{Element: n, Kind: spec.FaultMissing} }
