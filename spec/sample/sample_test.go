package sample_test

import (
	"testing"

	"cardswitch/spec"
	"cardswitch/spec/dialect"
	"cardswitch/spec/sample"
)

// TestFinancial: the sample has the size that reference figures are about, and a card number that
// passes the check digit.
func TestFinancial(t *testing.T) {
	d, err := dialect.Builtin(dialect.Default)
	if err != nil {
		t.Fatal(err)
	}
	raw, fault := d.Append(nil, nil, sample.Financial())
	var m spec.Message
	if again := d.Index(&m, raw); !fault.OK() || !again.OK() {
		t.Fatal(fault, again)
	}
	if len(raw) != 415 || m.Elements().Count() != 18 || !m.PAN().Luhn() {
		t.Errorf("%d bytes, %d elements, %v", len(raw), m.Elements().Count(), m.PAN())
	}
}
