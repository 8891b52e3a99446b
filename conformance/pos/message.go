package pos

import (
	"fmt"
	"strconv"

	"cardswitch/conformance/format"
	"cardswitch/conformance/ledger"
)

// message writes the request or advice of a purchase.
func (p *POS) message(b Purchase) *format.Message {
	mti, function, processing := kindCodes(b.Kind)
	m := p.stamp(format.New(mti)).
		Set(2, b.Card.PAN).
		Set(3, processing).
		Set(4, fmt.Sprintf("%012d", b.Amount)).
		Set(14, b.Card.Expiry).
		Set(24, function).
		Set(26, b.Shop.Category).
		Set(32, p.options.Acquirer).
		Set(37, p.reference()).
		Set(42, p.format.Pad(42, b.Shop.ID)).
		Set(43, b.Shop.Name).
		Set(49, "392")
	p.mu.Lock()
	code, chip, stripe := entry(p.random)
	payment := division(p.random)
	terminal := p.random.IntN(20)
	p.mu.Unlock()
	m.Set(22, code).
		Set(41, fmt.Sprintf("T%07d", terminal)).
		Set(48, items(payment, p.slip.Add(1), b.Amount)).
		Set(59, "POS"+m.Get(11))
	if m.MTI[2] == '0' {
		if stripe {
			m.Set(35, b.Card.PAN+"="+b.Card.Expiry+"101123400001")
		}
		if chip {
			m.Set(55, "\x9f\x26\x08\x11\x22\x33\x44\x55\x66\x77\x88\x9f\x36\x02\x00\x2a")
		}
	} else {
		m.Set(25, "1006").Set(38, "OFF"+m.Get(11)[3:]).Set(39, "000")
	}
	if b.Kind == ledger.Completion && b.Of != nil {
		m.Set(25, "1004").
			Set(38, p.format.Pad(38, b.Of.Receipt.Approval)).
			Set(56, ledger.Original(b.Of.Message))
		if b.Amount != b.Of.Receipt.Live { // authorized earlier, with another amount
			m.Set(24, "202").Set(30, originalAmounts(b.Of.Receipt.Live))
		}
	}
	if b.Kind == ledger.Validity { // nothing is bought
		m.Remove(48).Set(4, fmt.Sprintf("%012d", 0))
	}
	if b.Kind == ledger.Return && b.Of != nil {
		m.Set(56, ledger.Original(b.Of.Message))
	}
	for n, v := range b.With {
		m.Set(n, p.format.Pad(n, v))
	}
	return m
}

// originalAmounts is DE 30: of the transaction, and of the reconciliation, which is the same.
func originalAmounts(amount int64) string { return fmt.Sprintf("%012d%012d", amount, 0) }

func kindCodes(k ledger.Kind) (mti, function, processing string) {
	switch k {
	case ledger.Return:
		return "1200", "200", "200000"
	case ledger.Authorization:
		return "1100", "100", "000000"
	case ledger.Completion:
		return "1220", "201", "000000"
	case ledger.Offline:
		return "1220", "200", "000000"
	case ledger.Validity:
		return "1100", "108", "000000"
	}
	return "1200", "200", "000000"
}

// reference makes a retrieval reference number that no other merchant or run has.
func (p *POS) reference() string {
	return fmt.Sprintf("%s%08d", p.prefix, p.reference8.Add(1)%100000000)
}

// prefixOf is four letters or digits drawn from the merchant's origin.
func prefixOf(origin uint64) string {
	s := strconv.FormatUint(36*36*36+origin%(35*36*36*36), 36)
	upper := []byte(s)
	for i, c := range upper {
		if c >= 'a' {
			upper[i] = c - 'a' + 'A'
		}
	}
	return string(upper)
}
