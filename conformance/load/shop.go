package load

import (
	"fmt"

	"cardswitch/conformance/load/wire"
)

// elements are those of a sale at a department store: 18, 415 bytes with MTI and bitmap.
func elements(card, acquirer string, s shop) []wire.Element {
	return []wire.Element{
		{Number: 2, Value: card},
		{Number: 3, Value: "000000"},
		{Number: 4, Value: "000000000000"},
		{Number: 7, Value: "0101000000"},
		{Number: 11, Value: "000001"},
		{Number: 12, Value: "260101000000"},
		{Number: 14, Value: "3112"},
		{Number: 22, Value: "510101513344"},
		{Number: 24, Value: "200"},
		{Number: 26, Value: "5311"},
		{Number: 32, Value: acquirer},
		{Number: 37, Value: "000000000001"},
		{Number: 41, Value: s.terminal},
		{Number: 42, Value: s.merchant},
		{Number: 43, Value: s.name},
		{Number: 48, Value: additionalData},
		{Number: 49, Value: "392"},
		{Number: 59, Value: cookie},
	}
}

// additionalData is DE 48 as Japanese links use it: items of a tag, a length and a value. Lump sum,
// slip, serial number, goods, tax and shipping, terminal, company, KID.
const additionalData = "000100210" + "0002006004711" + "00030100000001234" + "00040071234567" +
	"0005012000000001000" + "00080131234567890123" + "000900512345" + "0010003739"

// Where the varied items' values begin in it.
const (
	slipAt     = 9 + 7
	serialAt   = slipAt + 6 + 7
	goodsAt    = serialAt + 10 + 7
	terminalAt = goodsAt + 7 + 7 + 12 + 7
)

// cookie is what a register's maker has carried and wants back, DE 59.
const cookie = "REGISTER 07, FLOOR 2, CASHIER 0123, SESSION 0123456789ABCDEF0123456789ABCDEF/0001"

// Where its varied part begins, and how long it is.
const (
	cookieAt   = 44
	cookieSize = 32
)

// shop is where a sale is made.
type shop struct {
	terminal string // DE 41
	merchant string // DE 42
	name     string // DE 43: name, street, city, post code, region and country
}

// shopCount is a prime, so that shops and cards meet in all combinations.
const shopCount = 997

func shops() []shop {
	towns := []string{"AOYAMA", "GINZA", "SHIBUYA", "UENO", "NAMBA", "UMEDA", "SAKAE", "TENJIN"}
	list := make([]shop, 0, shopCount)
	for i := range shopCount {
		town := towns[i%len(towns)]
		list = append(list, shop{
			terminal: fmt.Sprintf("T%07d", i*7+1),
			merchant: fmt.Sprintf("%-6.6s%09d", town, i+1),
			name: fmt.Sprintf(`%-6.6s DEPT %05d\%d-%d-%d %-11.11s\%-9.9s\%03d-%04d  JPNJPN`,
				town, i+1, i%9+1, i%8+1, i%7+1, town+"-CHO", town+"-KU", 100+i%900, i),
		})
	}
	return list
}
