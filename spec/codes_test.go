package spec

import "testing"

func TestCodeNames(t *testing.T) {
	tests := []struct {
		kind string
		name func(int) string
		code int
		want string
	}{
		{"action", ActionName, 0, "approved"},
		{"action", ActionName, 85, "approved, private code"},
		{"action", ActionName, 116, "insufficient funds"},
		{"action", ActionName, 185, "denied, private code"},
		{"action", ActionName, 209, "stolen card, pick up"},
		{"action", ActionName, 911, "card issuer timed out"},
		{"action", ActionName, 960, "liability refused"},
		{"action", ActionName, 135, ""},
		{"action", ActionName, -1, ""},
		{"function", FunctionName, 200, "original financial request"},
		{"function", FunctionName, 831, "echo test"},
		{"function", FunctionName, 441, "other reversal function"},
		{"function", FunctionName, 181, "private authorization function"},
		{"function", FunctionName, 832, ""},
		{"reason", ReasonName, 4021, "time-out waiting for the answer"},
		{"reason", ReasonName, 4351, "private reason of a reversal"},
		{"reason", ReasonName, 1002, "card issuer timed out on the request"},
		{"reason", ReasonName, 1512, ""},
		{"processing", ProcessingName, 0, "goods and services"},
		{"processing", ProcessingName, 200000, "return"},
		{"processing", ProcessingName, 11000, "cash, from savings account to default account"},
		{"processing", ProcessingName, 402010, "transfer between own accounts, from cheque account " +
			"to savings account"},
		{"processing", ProcessingName, 920000, "national or private transaction"},
		{"processing", ProcessingName, 9_000_000, ""},
	}
	for _, test := range tests {
		if got := test.name(test.code); got != test.want {
			t.Errorf("%s %d is %q, want %q", test.kind, test.code, got, test.want)
		}
	}
	for code := range 1000 {
		if Approved(code) != (code < 100) || PickUp(code) != (code/100 == 2) {
			t.Errorf("%d: %v %v", code, Approved(code), PickUp(code))
		}
	}
	if Approved(-1) || PickUp(-1) {
		t.Error("no action code approves")
	}
}

func TestMTIName(t *testing.T) {
	for mti, want := range map[MTI]string{
		0x1100: "authorization request", 0x1201: "financial request repeat",
		0x1210: "financial request response", 0x1230: "financial advice response",
		0x1324: "file action advice", 0x1420: "reversal advice", 0x1421: "reversal advice repeat",
		0x1422: "chargeback advice", 0x1520: "acquirer reconciliation advice",
		0x1502: "issuer reconciliation request", 0x1644: "administrative notification",
		0x1740: "acquirer fee collection notification", 0x1814: "network management request response",
		0x1400: "", 0x0200: "", 0x1211: "",
	} {
		if got := mti.Name(); got != want {
			t.Errorf("%v is %q, want %q", mti, got, want)
		}
	}
	for mti := range MTI(0x2000) {
		if mti.Valid() != (mti.Name() != "") {
			t.Errorf("%v: valid %v, %q", mti, mti.Valid(), mti.Name())
		}
	}
}

// The reference's worked sample, 21010121314C, reads as it says there.
func TestPointOfService(t *testing.T) {
	want := [...]string{"magnetic stripe", "PIN", "no", "merchant's premises, attended", "present",
		"yes", "magnetic stripe", "PIN", "authorizing agent", "none", "printing and display",
		"12 digits"}
	for i, c := range []byte("21010121314C") {
		asks, got := PointOfService(i+1, c)
		if got != want[i] || asks == "" {
			t.Errorf("position %d (%s): %q, want %q", i+1, asks, got, want[i])
		}
	}
	for _, position := range []int{0, 13, -1} {
		if asks, _ := PointOfService(position, '0'); asks != "" {
			t.Errorf("position %d asks %q", position, asks)
		}
	}
}
