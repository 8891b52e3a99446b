package spec

import "testing"

func TestParsePayment(t *testing.T) {
	const yen = "000000010000"
	tests := []struct {
		value string
		want  Payment
		fault PaymentFault
	}{
		{"10", Payment{Division: 10}, PaymentOK},
		{"21", Payment{Division: 21}, PaymentOK},
		{"2202", Payment{Division: 22, BonusCount: 2}, PaymentOK},
		{"2312", Payment{Division: 23, BonusMonths: [6]uint8{12}}, PaymentOK},
		{"24020712", Payment{Division: 24, BonusCount: 2, BonusMonths: [6]uint8{7, 12}}, PaymentOK},
		{"2501" + "07" + yen, Payment{Division: 25, BonusCount: 1, BonusMonths: [6]uint8{7},
			BonusAmounts: [6]uint64{10000}}, PaymentOK},
		{"310403", Payment{Division: 31, FirstMonth: 4, Payments: 3}, PaymentOK},
		{"32040302", Payment{Division: 32, FirstMonth: 4, Payments: 3, BonusCount: 2}, PaymentOK},
		{"33040312", Payment{Division: 33, FirstMonth: 4, Payments: 3, BonusMonths: [6]uint8{12}},
			PaymentOK},
		{"3404030112", Payment{Division: 34, FirstMonth: 4, Payments: 3, BonusCount: 1,
			BonusMonths: [6]uint8{12}}, PaymentOK},
		{"610403", Payment{Division: 61, FirstMonth: 4, Payments: 3}, PaymentOK},
		{"620403" + yen + yen, Payment{Division: 62, FirstMonth: 4, Payments: 3,
			Amounts: [6]uint64{10000, 10000}}, PaymentOK},
		{"630403" + yen, Payment{Division: 63, FirstMonth: 4, Payments: 3,
			Amounts: [6]uint64{10000}}, PaymentOK},
		{"80", Payment{Division: 80}, PaymentOK},
	}
	divisions := map[uint8]bool{}
	for _, test := range tests {
		divisions[test.want.Division] = true
		got, fault := ParsePayment([]byte(test.value))
		if fault != test.fault || got != test.want {
			t.Errorf("%s: %+v, %v, want %+v", test.value, got, fault, test.want)
		}
		if _, fault := ParsePayment([]byte(test.value + "0")); fault != WrongLength {
			if test.want.Division != 62 { // there it's an amount that isn't one
				t.Errorf("%s0: %v", test.value, fault)
			}
		}
		if _, fault := ParsePayment([]byte(test.value[:len(test.value)-1])); fault == PaymentOK {
			t.Errorf("%s without its last digit is fine", test.value)
		}
	}
	for _, d := range paymentDivisions {
		if !divisions[d.division] || PaymentName(int(d.division)) == "" {
			t.Errorf("no test of %d, or no name", d.division)
		}
	}
}

// Each fault is told as the register tells it.
func TestParsePaymentFaults(t *testing.T) {
	const yen, nothing = "000000010000", "000000000000"
	tests := []struct {
		value    string
		fault    PaymentFault
		register string
	}{
		{"", WrongDivision, "G78"},
		{"11", WrongDivision, "G78"},
		{"1x", WrongDivision, "G78"},
		{"2200", WrongBonusCount, "G70"},
		{"240707070707070707", WrongBonusCount, "G70"}, // seven months
		{"2313", WrongBonusMonth, "G71"},
		{"240100", WrongBonusMonth, "G71"},
		{"2501" + "07" + nothing, WrongBonusAmount, "G72"},
		{"311303", WrongFirstMonth, "G73"},
		{"310400", WrongPayments, "G74"},
		{"620403" + yen + nothing, WrongAmount, "G75"},
		{"620403", WrongLength, "G78"},
		{"620403" + yen + yen + yen + yen + yen + yen + yen, WrongLength, "G78"},
		{"630403" + nothing, WrongFirstAmount, "G76"},
		{"630403" + "00000000000A", WrongFirstAmount, "G76"},
		{"1010", WrongLength, "G78"},
	}
	for _, test := range tests {
		_, fault := ParsePayment([]byte(test.value))
		if fault != test.fault || fault.Register() != test.register || fault.String() == "" {
			t.Errorf("%s: %v, %s", test.value, fault, fault.Register())
		}
	}
	value := []byte("620403" + yen + yen)
	if n := testing.AllocsPerRun(100, func() { ParsePayment(value) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
