package pos

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Shop is one branch of the merchant.
type Shop struct {
	ID       string `yaml:"id"`       // element 42
	Name     string `yaml:"name"`     // element 43, half-width katakana as JIS X 0201 bytes
	Category string `yaml:"category"` // element 26
	Typical  int    `yaml:"typical"`  // yen of an ordinary purchase
}

// defaultShops are branches of a chain: two supermarkets, a pharmacy, a hotel, a kiosk. Where the
// dialect has half-width katakana, some of them write their names in it.
func defaultShops(katakana bool) []Shop {
	shops := []Shop{
		{"AOYAMA-00000001", "AOYAMA HONTEN\\1-1 MINAMI\\TOKYO\\107-0062  13 JPN", "5411", 3200},
		{"AOYAMA-00000002", "AOYAMA SHIBUYA\\3-3\\TOKYO\\150-0002  13 JPN", "5411", 2400},
		{"AOYAMA-00000003", "AOYAMA PHARMACY\\4-4\\YOKOHAMA\\220-0011  14 JPN", "5912", 1480},
		{"AOYAMA-00000004", "HOTEL AOYAMA\\2-2\\KYOTO\\600-8216  26 JPN", "7011", 18000},
		{"AOYAMA-00000005", "EKINAKA KIOSK\\5-5\\OSAKA\\530-0001  27 JPN", "5499", 420},
	}
	if katakana {
		shops[1].Name = "\xbc\xcc\xde\xd4\xc3\xdd\\\xbc\xcc\xde\xd4\xb8\\TOKYO\\"
		shops[4].Name = "\xb4\xb7\xc5\xb6 KIOSK\\\\OSAKA\\530-0001  27 JPN"
	}
	return shops
}

// Card is one test card.
type Card struct {
	PAN    string
	Expiry string
}

// String keeps the number of even a test card out of any output.
func (Card) String() string { return "(card)" }

// GoString does so for %#v.
func (Card) GoString() string { return "(card)" }

// cards makes the merchant's customers.
func (o *Options) cards() []Card {
	var list []Card
	for _, r := range o.Cards {
		for n := range r.Count {
			body := r.Length - len(r.Prefix) - 1
			number := r.Prefix + fmt.Sprintf("%0*d", body, 7+n*13)
			list = append(list, Card{WithCheckDigit(number), "2912"})
		}
	}
	return list
}

// WithCheckDigit appends the digit that makes a card number pass the Luhn test.
func WithCheckDigit(number string) string {
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return number + strconv.Itoa((10-sum%10)%10)
}

// amount draws a price around what the shop typically sells, in yen.
func (s Shop) amount(r *rand.Rand) int64 {
	typical := float64(max(s.Typical, 100))
	return max(10, int64(typical*math.Exp(r.NormFloat64()*0.8)))
}

// items is element 48 of a purchase: tag of four digits, length of three, value.
func items(division string, slip uint64, amount int64) string {
	var b strings.Builder
	item := func(tag int, value string) { fmt.Fprintf(&b, "%04d%03d%s", tag, len(value), value) }
	item(1, division)                                   // 支払区分
	item(2, fmt.Sprintf("%05d", slip%100000))           // 伝票番号
	item(4, "0000990")                                  // 商品コード
	item(5, strconv.FormatInt(amount-amount*10/11, 10)) // 税送料
	return b.String()
}

// division draws how the customer pays.
func division(r *rand.Rand) string {
	switch n := r.IntN(100); {
	case n < 84:
		return "10" // 一括
	case n < 90:
		return "610603" // 分割: first month, payments
	case n < 96:
		return "80" // リボ
	}
	return "21" // ボーナス
}

// entry is how the card was read: element 22, and what comes with it.
func entry(r *rand.Rand) (code string, chip, stripe bool) {
	switch n := r.IntN(100); {
	case n < 70:
		return "510101511344", true, false
	case n < 92:
		return "210101211344", false, true
	}
	return "610101611144", false, false
}
