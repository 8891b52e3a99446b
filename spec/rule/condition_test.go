package rule

import (
	"testing"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/spec/sample"
)

// Elements of messages that are fine.
var (
	sale          = []int{2, 3, 4, 11, 12, 22, 24, 26, 32, 43, 49}
	approved      = []int{2, 3, 4, 11, 12, 32, 38, 39, 49}
	advice        = append([]int{25, 38, 39}, sale...)
	reversal      = []int{2, 3, 4, 11, 12, 24, 25, 32, 49, 56}
	authorization = []int{2, 3, 4, 11, 12, 22, 24, 26, 32, 49}
	answer        = []int{3, 11, 12, 32, 39}
	network       = []int{11, 12, 24, 93, 94}
	compared      = []int{11, 12, 28, 32, 39, 97}
	file          = []int{11, 12, 24, 93, 94, 101}
	none          = spec.Fault{}
)

// What a condition asks for is missing where it holds, and only there.
var conditionTests = []struct {
	name    string
	mti     spec.MTI
	has     []int
	changes map[int]string
	want    spec.Fault
}{
	{"a: extended number", 0x1200, sale, map[int]string{2: "", 34: "59" + values[2]}, none},
	{"a: track 2", 0x1200, sale, map[int]string{2: "", 35: values[35]}, none},
	{"a: account", 0x1200, sale, map[int]string{2: "", 102: "1"}, none},
	{"a: nothing", 0x1200, sale, map[int]string{2: "", 103: ""}, missing(2)},
	{"c: balance inquiry", 0x1100, authorization, map[int]string{3: "310000", 4: ""}, none},
	{"c: validity check", 0x1100, authorization, map[int]string{24: "108", 4: "", 49: ""}, none},
	{"c: only of authorizations", 0x1200, sale, map[int]string{24: "208", 4: ""}, missing(4)},
	{"c: cash", 0x1100, authorization, map[int]string{3: "010000", 4: "", 49: ""}, missing(4)},
	{"d: same currency", 0x1200, sale, map[int]string{50: "392"}, none},
	{"d: another currency", 0x1200, sale, map[int]string{50: "840"}, missing(5)},
	{"d: with its amount", 0x1200, sale, map[int]string{50: "840", 5: values[5]}, none},
	{"w: amount without currency", 0x1200, sale, map[int]string{5: values[5]}, missing(50)},
	{"w: inquiry with an amount", 0x1100, authorization, map[int]string{3: "310000", 49: ""},
		missing(49)},
	{"j: replacement", 0x1100, authorization, map[int]string{24: "102"}, missing(30)},
	{"j: with it", 0x1100, authorization, map[int]string{24: "102", 30: values[30]}, none},
	{"j: partial reversal", 0x1420, reversal, map[int]string{24: "401"}, missing(30)},
	{"j: same amount", 0x1200, sale, map[int]string{24: "201"}, none},
	{"k: partly approved", 0x1210, approved, map[int]string{39: "002"}, missing(30)},
	{"k: with it", 0x1210, approved, map[int]string{39: "002", 30: values[30]}, none},
	{"k: approved, other account", 0x1210, approved, map[int]string{39: "005"}, none},
	{"n: no approval code", 0x1210, approved, map[int]string{38: ""}, missing(38)},
	{"n: denied", 0x1210, approved, map[int]string{38: "", 39: "116"}, none},
	{"n: balance told", 0x1110, answer, map[int]string{3: "310000"}, none},
	{"p: completion", 0x1220, advice, map[int]string{24: "201"}, missing(56)},
	{"p: completion that names it", 0x1220, advice,
		map[int]string{24: "201", 56: values[56]}, none},
	{"p: completion asked for", 0x1200, sale, map[int]string{24: "201"}, none},
	{"s: no totals", 0x1510, compared, map[int]string{97: ""}, missing(74)},
	{"s: totals not available", 0x1510, compared, map[int]string{97: "", 39: "503"}, none},
	{"t: in balance", 0x1530, compared, nil, none},
	{"t: out of balance", 0x1530, compared, map[int]string{39: "501"}, none},
	{"t: totals provided", 0x1530, compared, map[int]string{39: "504"}, missing(74)},
	{"u: cutover", 0x1804, network, map[int]string{24: "821"}, missing(28)},
	{"u: with its day", 0x1804, network, map[int]string{24: "821", 28: values[28]}, none},
	{"v: checkpoint", 0x1804, network, map[int]string{24: "822", 28: values[28]}, missing(29)},
	{"v: checkpoint of totals", 0x1500, []int{11, 12, 24, 28, 32, 50}, map[int]string{24: "501"},
		missing(29)},
	{"x: key change", 0x1804, network, map[int]string{24: "811"}, missing(96)},
	{"x: key in 48", 0x1804, network, map[int]string{24: "811", 48: values[48]}, none},
	{"y: add", 0x1304, file, map[int]string{24: "301"}, missing(72)},
	{"y: delete", 0x1304, file, map[int]string{24: "303"}, none},
	{"z: could not parse", 0x1644, []int{11, 12, 24}, map[int]string{24: "650"}, missing(72)},
	{"z: bytes in 48", 0x1644, []int{11, 12, 24}, map[int]string{24: "650", 48: values[48]},
		none},

	{"function of another class", 0x1200, sale, map[int]string{24: "100"}, wrong(24)},
	{"chargeback in a reversal", 0x1420, reversal, map[int]string{24: "450"}, wrong(24)},
	{"private function", 0x1200, sale, map[int]string{24: "280"}, none},
	{"reason of another class", 0x1420, reversal, map[int]string{25: "1002"}, wrong(25)},
	{"chargeback's reason", 0x1420, reversal, map[int]string{25: "4501"}, wrong(25)},
	{"private reason", 0x1420, reversal, map[int]string{25: "4351"}, none},
	{"network's action", 0x1210, approved, map[int]string{39: "800"}, wrong(39)},
	{"reversal's action", 0x1210, approved, map[int]string{39: "400"}, wrong(39)},
	{"reversal taken as approved", 0x1430, []int{4, 11, 12, 32, 39, 49},
		map[int]string{39: "000"}, none},
	{"sale denied by a reversal", 0x1430, []int{4, 11, 12, 32, 39, 49},
		map[int]string{39: "116"}, wrong(39)},
	{"advice that refuses", 0x1220, advice, map[int]string{39: "904"}, wrong(39)},
	{"advice of a denial", 0x1220, advice, map[int]string{38: "", 39: "116"}, none},
	{"liability accepted", 0x1230, []int{3, 4, 11, 12, 32, 39, 49}, map[int]string{39: "901"},
		none},
	{"liability accepted, no amount", 0x1230, []int{3, 11, 12, 32, 39, 49},
		map[int]string{39: "901"}, missing(4)},
}

func TestCheckConditions(t *testing.T) {
	rules := Standard()
	for _, test := range conditionTests {
		t.Run(test.name, func(t *testing.T) {
			m := message(t, test.mti, test.has, test.changes)
			if got := rules.Check(m); got != test.want {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

func wrong(n uint8) spec.Fault { return spec.Fault{Element: n, Kind: spec.FaultValue} }

// What isn't used passes, unless one asks for strictness.
func TestUnused(t *testing.T) {
	has := []int{2, 3, 4, 11, 12, 24, 25, 32, 35, 49, 56}
	m := message(t, 0x1420, has, nil)
	rules := Standard()
	if fault := rules.Check(m); !fault.OK() {
		t.Error(fault)
	}
	want := spec.Fault{Element: 35, Kind: spec.FaultNotAllowed}
	if got := rules.Strict().Check(m); got != want {
		t.Error(got)
	}
	if unused := rules.Unused(0x1421); !unused.Has(35) || !unused.Has(52) || unused.Has(53) {
		t.Error("1420 doesn't use", unused)
	}
}

func TestEcho(t *testing.T) {
	rules := Standard()
	want := spec.Elements(2, 3, 4, 11, 12, 32, 37, 41, 42, 49, 59)
	for _, mti := range []spec.MTI{0x1200, 0x1201, 0x1210} {
		if got := rules.Echo(mti); got != want {
			t.Errorf("%v: %v, want %v", mti, got, want)
		}
	}
	if got := rules.Echo(0x1240); !got.IsZero() {
		t.Error("a notification has no answer, yet echoes", got)
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	rules, request, answer := Standard(), reference(t), approval(t)
	if n := testing.AllocsPerRun(100, func() {
		if !rules.Check(request).OK() || !rules.CheckAnswer(request, answer).OK() {
			t.Fatal("fault")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCheckRequest(b *testing.B) {
	rules, m := Standard(), reference(b)
	for b.Loop() {
		rules.Check(m)
	}
}

func BenchmarkCheckAnswer(b *testing.B) {
	rules, request, answer := Standard(), reference(b), approval(b)
	for b.Loop() {
		rules.Check(answer)
		rules.CheckAnswer(request, answer)
	}
}

func BenchmarkCheckPacked(b *testing.B) {
	d, err := dialect.Builtin("bcd-left")
	if err != nil {
		b.Fatal(err)
	}
	raw, fault := d.Append(nil, nil, sample.Financial())
	if !fault.OK() {
		b.Fatal(fault)
	}
	rules, m := Standard(), new(spec.Message)
	d.Index(m, raw)
	for b.Loop() {
		if !rules.Check(m).OK() {
			b.Fatal("fault")
		}
	}
}

// reference is the sale that the codec is measured by.
func reference(t testing.TB) *spec.Message {
	raw, fault := wire.Append(nil, nil, sample.Financial())
	if !fault.OK() {
		t.Fatal(fault)
	}
	m := new(spec.Message)
	if fault := wire.Index(m, raw); !fault.OK() {
		t.Fatal(fault)
	}
	return m
}

func approval(t testing.TB) *spec.Message {
	m := reference(t)
	var e spec.Edit
	e.SetMTI(0x1210)
	e.KeepOnly(Standard().Echo(0x1210))
	e.Set(38, []byte("A12345"))
	e.Set(39, []byte("000"))
	raw, fault := wire.Append(nil, m, &e)
	if !fault.OK() {
		t.Fatal(fault)
	}
	answer := new(spec.Message)
	if fault := wire.Index(answer, raw); !fault.OK() {
		t.Fatal(fault)
	}
	return answer
}

// The answer to a validity check has no approval code: what was asked says so, not the answer.
func TestCheckFor(t *testing.T) {
	rules := Standard()
	answer := message(t, 0x1110, approved, map[int]string{38: ""})
	asked := message(t, 0x1100, authorization, map[int]string{24: "108", 4: "", 49: ""})
	if got := rules.CheckFor(asked, answer); got != none {
		t.Error("of a check:", got)
	}
	asked = message(t, 0x1100, authorization, nil)
	if got := rules.CheckFor(asked, answer); got != missing(38) {
		t.Error("of an authorization:", got)
	}
}
