package spec

import (
	"fmt"
	"strconv"

	"cardswitch/spec/emv"
)

// parts adds the lines of the parts of an element.
func (d *describer) parts(n int, value []byte) {
	switch n {
	case 22:
		d.pointOfService(value)
	case 30:
		d.originalAmounts(value)
	case 43:
		d.location(value)
	case 46, 66:
		d.fees(n, value)
	case 48:
		d.items(value)
	case 54:
		d.additionalAmounts(value)
	case 55:
		d.chip(value)
	case 56:
		d.original(value)
	}
}

func (d *describer) add(n int, part, name, value, meaning string) {
	d.lines = append(d.lines, Line{Element: n, Part: part, Name: name,
		Value: d.mask.known(value), Meaning: d.mask.known(meaning)})
}

func (d *describer) pointOfService(value []byte) {
	for i, c := range value {
		asks, meaning := PointOfService(i+1, c)
		if meaning == "" {
			meaning = "reserved or private"
		}
		d.add(22, strconv.Itoa(i+1), asks, string(c), meaning)
	}
}

func (d *describer) originalAmounts(value []byte) {
	o, ok := ParseOriginalAmounts(value)
	if !ok {
		return
	}
	d.add(30, "transaction", "", fmt.Sprint(o.Transaction), d.amount(o.Transaction, 49))
	d.add(30, "reconciliation", "", fmt.Sprint(o.Reconciliation), d.amount(o.Reconciliation, 50))
}

func (d *describer) location(value []byte) {
	l, ok := ParseLocation(value)
	if !ok {
		return
	}
	for _, part := range []struct {
		name string
		text []byte
	}{{"name", l.Name}, {"street", l.Street}, {"city", l.City}, {"postcode", l.Postcode},
		{"region", l.Region}, {"country", l.Country}} {
		if len(part.text) > 0 {
			d.add(43, part.name, "", d.mask.free(Katakana(part.text)), "")
		}
	}
}

func (d *describer) fees(n int, value []byte) {
	fees, count, _ := ParseFees(value)
	for i, f := range fees[:count] {
		d.add(n, strconv.Itoa(i+1), fmt.Sprintf("fee type %02d", f.Type), signedText(f.Amount),
			AmountText(f.Amount.Value, string(f.Currency[:])))
	}
}

func (d *describer) additionalAmounts(value []byte) {
	list, count, _ := ParseAdditionalAmounts(value)
	for i, a := range list[:count] {
		name := AmountName(a.Type)
		if name == "" {
			name = fmt.Sprintf("amount type %02d", a.Type)
		}
		d.add(54, strconv.Itoa(i+1), name+", "+AccountName(int(a.Account)), signedText(a.Amount),
			AmountText(a.Amount.Value, string(a.Currency[:])))
	}
}

func signedText(s Signed) string {
	if s.Debit {
		return fmt.Sprintf("D %d", s.Value)
	}
	return fmt.Sprintf("C %d", s.Value)
}

// items shows what of element 48 can be read as items; what can't be isn't shown, as nobody knows
// what it hides.
func (d *describer) items(value []byte) {
	items := ParseItems(value)
	shown := 0
	for items.Next() {
		shown = items.Offset() + len(items.Value())
		tag := items.Tag()
		text, meaning := d.mask.free(Katakana(items.Value())), ""
		switch {
		case tag.Sensitive():
			text = fmt.Sprintf("(%d characters)", len(items.Value()))
		case tag == TagPaymentDivision:
			payment, fault := ParsePayment(items.Value())
			if meaning = PaymentName(int(payment.Division)); fault != PaymentOK {
				meaning = "wrong " + fault.String()
			}
		}
		d.add(48, fmt.Sprintf("%04d", tag), tag.Name(), text, meaning)
	}
	if !items.OK() {
		d.add(48, "rest", "", fmt.Sprintf("(%d characters that aren't items)", len(value)-shown), "")
	}
}

func (d *describer) chip(value []byte) {
	objects := emv.Parse(value)
	for objects.Next() {
		tag := objects.Tag()
		text := d.mask.known(bytesText(objects.Value()))
		switch {
		case emv.Sensitive(tag):
			text = fmt.Sprintf("(%d bytes)", len(objects.Value()))
		case emv.Constructed(tag):
			text = ""
		}
		d.add(55, fmt.Sprintf("%X", tag), emv.Name(tag), text, "")
	}
	if !objects.OK() {
		d.add(55, "rest", "", "(isn't BER-TLV)", "")
	}
}

func (d *describer) original(value []byte) {
	o, ok := ParseOriginal(value)
	if !ok {
		return
	}
	d.add(56, "message type", "", o.MTI.String(), o.MTI.Name())
	d.add(56, "trace number", "", fmt.Sprintf("%06d", o.STAN), "")
	local := fmt.Sprintf("%012d", o.LocalTime)
	d.add(56, "local time", "", local, timeText("20YY-MM-DD hh:mm:ss", []byte(local)))
	d.add(56, "acquirer", "", fmt.Sprintf("%0*d", int(o.AcquirerLen), o.Acquirer), "")
}
