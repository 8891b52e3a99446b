package spec

// Payment is how the holder pays: the payment division 支払区分 and what it needs. The divisions are
// those of Japanese terminals. Their layout in a message is our own: two digits for the division,
// then, each if the division has it, in this order:
//
//	first payment month 2, number of payments 2     31-34, 61-63
//	number of bonus payments 2                       22, 24, 25, 32, 34
//	first bonus month 2                              23, 33
//	up to six bonus months 2                         24, 34
//	up to six of bonus month 2 and bonus amount 12   25
//	up to six amounts 12                             62
//	first amount 12                                  63
type Payment struct {
	Division     uint8
	FirstMonth   uint8
	Payments     uint8
	BonusCount   uint8
	BonusMonths  [6]uint8
	BonusAmounts [6]uint64
	Amounts      [6]uint64 // of 62; the first one also of 63
}

// PaymentFault says what is wrong with a payment division.
type PaymentFault uint8

// The faults that a register tells apart.
const (
	PaymentOK PaymentFault = iota
	WrongDivision
	WrongBonusCount
	WrongBonusMonth
	WrongBonusAmount
	WrongFirstMonth
	WrongPayments
	WrongAmount
	WrongFirstAmount
	WrongLength
)

var paymentFaults = [...]struct{ name, register string }{
	{"", ""},
	{"payment division", "G78"},
	{"number of bonus payments", "G70"},
	{"bonus month", "G71"},
	{"bonus amount", "G72"},
	{"first payment month", "G73"},
	{"number of payments", "G74"},
	{"payment amount", "G75"},
	{"first payment amount", "G76"},
	{"length of the payment division's contents", "G78"},
}

// String names what is wrong.
func (f PaymentFault) String() string { return paymentFaults[f].name }

// Register is the error code that a register shows for it.
func (f PaymentFault) Register() string { return paymentFaults[f].register }

// paymentPart is a part of the contents of a payment division.
type paymentPart uint8

const (
	partInstallments paymentPart = 1 << iota
	partBonusCount
	partFirstBonus
	partBonusMonths
	partBonusAmounts
	partAmounts
	partFirstAmount
)

var paymentDivisions = [...]struct {
	division uint8
	name     string
	parts    paymentPart
}{
	{10, "lump sum 一括", 0},
	{21, "bonus 1 ボーナス", 0},
	{22, "bonus 2 ボーナス", partBonusCount},
	{23, "bonus 3 ボーナス", partFirstBonus},
	{24, "bonus 4 ボーナス", partBonusCount | partBonusMonths},
	{25, "bonus 5 ボーナス", partBonusCount | partBonusAmounts},
	{31, "bonus and installments 1 ボーナス併用", partInstallments},
	{32, "bonus and installments 2 ボーナス併用", partInstallments | partBonusCount},
	{33, "bonus and installments 3 ボーナス併用", partInstallments | partFirstBonus},
	{34, "bonus and installments 4 ボーナス併用",
		partInstallments | partBonusCount | partBonusMonths},
	{61, "installments 1 分割", partInstallments},
	{62, "installments 2 分割", partInstallments | partAmounts},
	{63, "installments 3 分割", partInstallments | partFirstAmount},
	{80, "revolving リボ", 0},
}

// PaymentName names a payment division, "" if there is none of that number.
func PaymentName(division int) string {
	for i := range paymentDivisions {
		if int(paymentDivisions[i].division) == division {
			return paymentDivisions[i].name
		}
	}
	return ""
}

// ParsePayment reads the value of the item TagPaymentDivision and checks that its contents are
// those of its division.
func ParsePayment(value []byte) (Payment, PaymentFault) {
	var p Payment
	r := paymentReader{rest: value}
	p.Division = uint8(r.number(2, WrongDivision))
	var parts paymentPart
	known := false
	for i := range paymentDivisions {
		if paymentDivisions[i].division == p.Division {
			parts, known = paymentDivisions[i].parts, true
		}
	}
	if !known {
		return p, WrongDivision
	}
	if parts&partInstallments != 0 {
		p.FirstMonth = r.month(WrongFirstMonth)
		p.Payments = uint8(r.positive(2, WrongPayments))
	}
	if parts&partBonusCount != 0 {
		p.BonusCount = uint8(r.positive(2, WrongBonusCount))
	}
	if parts&partFirstBonus != 0 {
		p.BonusMonths[0] = r.month(WrongBonusMonth)
	}
	if parts&(partBonusMonths|partBonusAmounts) != 0 {
		r.bonuses(&p, parts&partBonusAmounts != 0)
	}
	if parts&partAmounts != 0 {
		r.amounts(&p)
	}
	if parts&partFirstAmount != 0 {
		p.Amounts[0] = r.positive(12, WrongFirstAmount)
	}
	if r.fault == PaymentOK && len(r.rest) > 0 {
		r.fault = WrongLength
	}
	return p, r.fault
}

// paymentReader reads digits from the front and keeps the first fault.
type paymentReader struct {
	rest  []byte
	fault PaymentFault
}

func (r *paymentReader) number(digits int, fault PaymentFault) uint64 {
	if r.fault != PaymentOK {
		return 0
	}
	if len(r.rest) < digits {
		r.fault = WrongLength
		return 0
	}
	n, ok := digitsValue(r.rest[:digits])
	if !ok {
		r.fault = fault
	}
	r.rest = r.rest[digits:]
	return n
}

func (r *paymentReader) positive(digits int, fault PaymentFault) uint64 {
	n := r.number(digits, fault)
	if n == 0 && r.fault == PaymentOK {
		r.fault = fault
	}
	return n
}

func (r *paymentReader) month(fault PaymentFault) uint8 {
	n := r.positive(2, fault)
	if n > 12 && r.fault == PaymentOK {
		r.fault = fault
	}
	return uint8(n)
}

func (r *paymentReader) bonuses(p *Payment, amounts bool) {
	if int(p.BonusCount) > len(p.BonusMonths) && r.fault == PaymentOK {
		r.fault = WrongBonusCount
	}
	for i := 0; i < int(p.BonusCount) && r.fault == PaymentOK; i++ {
		p.BonusMonths[i] = r.month(WrongBonusMonth)
		if amounts {
			p.BonusAmounts[i] = r.positive(12, WrongBonusAmount)
		}
	}
}

func (r *paymentReader) amounts(p *Payment) {
	count := len(r.rest) / 12
	if (count == 0 || count > len(p.Amounts)) && r.fault == PaymentOK {
		r.fault = WrongLength
	}
	for i := 0; i < count && r.fault == PaymentOK; i++ {
		p.Amounts[i] = r.positive(12, WrongAmount)
	}
}
