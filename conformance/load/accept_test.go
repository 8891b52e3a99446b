package load

import (
	"fmt"
	"testing"
	"time"

	"cardswitch/conformance/load/wire"
	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/spec/rule"
)

// The generator writes by its own code; here the switch's code says that what it writes is right.
func TestRequestKeepsTheRules(t *testing.T) {
	r, err := newRequest(0)
	if err != nil {
		t.Fatal(err)
	}
	r.setTime(time.Now())
	signOn, err := signOnMessage("99999000001", "90000000001", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	frames := map[string][]byte{"sign-on": signOn}
	for n := range uint64(100) {
		frames[fmt.Sprintf("request %d", n+1)] = r.append(nil, n+1)
	}
	for name, frame := range frames {
		body, _ := wire.Next(frame)
		var m spec.Message
		if f := d.Index(&m, body); !f.OK() {
			t.Fatalf("%s: %v", name, f.Err())
		}
		if f := rule.Standard().Check(&m); !f.OK() {
			t.Errorf("%s: %v", name, f.Err())
		}
		if name == "sign-on" {
			continue
		}
		if !m.PAN().Luhn() {
			t.Errorf("%s: the card number's check digit is wrong", name)
		}
		items := spec.ParseItems(m.Data(48))
		for items.Next() {
		}
		if !items.OK() {
			t.Errorf("%s: element 48 doesn't hold items", name)
		}
	}
}
