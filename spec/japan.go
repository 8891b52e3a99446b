package spec

// ItemTag names a Japanese item of element 48.
type ItemTag uint16

// The items that Japanese centers add in element 48, each as a tag of four digits, a length of
// three and the value. No public paper fixes the tags: these are our own, told to each partner.
const (
	TagPaymentDivision ItemTag = 1  // 支払区分 and what it needs, see Payment
	TagSlipNumber      ItemTag = 2  // 伝票番号
	TagProcessing      ItemTag = 3  // 処理通番
	TagProductCode     ItemTag = 4  // 商品コード, seven digits
	TagTaxShipping     ItemTag = 5  // 税送料
	TagCancelDivision  ItemTag = 6  // 取消区分
	TagOriginalSlip    ItemTag = 7  // the slip number of what is cancelled or returned
	TagTerminal        ItemTag = 8  // thirteen digits, too long for element 41
	TagCompanyCode     ItemTag = 9  // 会社コード, five digits
	TagKID             ItemTag = 10 // three digits
	TagMemberName      ItemTag = 11 // half-width katakana, bytes 20-7E and A1-DF
	TagSecurityCode    ItemTag = 12 // the card verification value; never kept
	TagStripe          ItemTag = 13 // the JIS II stripe; never kept
)

// Sensitive says that the value may neither be shown nor kept.
func (t ItemTag) Sensitive() bool { return t == TagSecurityCode || t == TagStripe }

// itemForm is what a value may hold; most 0 means that any length will do.
type itemForm struct {
	tag         ItemTag
	name        string
	least, most int
	digits      bool
}

var itemForms = [...]itemForm{
	{TagPaymentDivision, "payment division 支払区分", 2, 0, true},
	{TagSlipNumber, "slip number 伝票番号", 1, 6, true},
	{TagProcessing, "processing serial number 処理通番", 1, 20, false},
	{TagProductCode, "product code 商品コード", 7, 7, true},
	{TagTaxShipping, "tax and shipping 税送料", 1, 12, true},
	{TagCancelDivision, "cancel division 取消区分", 1, 2, true},
	{TagOriginalSlip, "original slip number 元伝票番号", 1, 6, true},
	{TagTerminal, "terminal identification 端末番号", 13, 13, true},
	{TagCompanyCode, "company code 会社コード", 5, 5, true},
	{TagKID, "KID", 3, 3, true},
	{TagMemberName, "member name 会員名", 1, 40, false},
	{TagSecurityCode, "security code セキュリティコード", 3, 4, true},
	{TagStripe, "JIS II stripe", 1, 72, false},
}

// Name is what people call the item, or "" for one that isn't known.
func (t ItemTag) Name() string {
	if t == 0 || int(t) > len(itemForms) {
		return ""
	}
	return itemForms[t-1].name
}

// itemHead is how many bytes stand before a value: its tag and its length.
const itemHead = 4 + 3

// Items walks through the items of element 48 without allocating:
//
//	items := spec.ParseItems(data)
//	for items.Next() {
//		… items.Tag(), items.Value() …
//	}
//	if !items.OK() { … } // the rest isn't items
type Items struct {
	rest  []byte
	value []byte
	at    int // where value begins
	seen  int // bytes before rest
	tag   ItemTag
	bad   bool
}

// ParseItems begins to walk through a canonical value of element 48.
func ParseItems(data []byte) Items { return Items{rest: data} }

// Next goes on to the next item; false at the end, or where the rest isn't an item.
func (it *Items) Next() bool {
	if len(it.rest) == 0 || it.bad {
		return false
	}
	if len(it.rest) < itemHead {
		it.bad = true
		return false
	}
	tag, length, ok := itemNumbers(it.rest)
	if !ok || length > len(it.rest)-itemHead {
		it.bad = true
		return false
	}
	it.tag = ItemTag(tag)
	it.value = it.rest[itemHead : itemHead+length]
	it.at = it.seen + itemHead
	it.seen = it.at + length
	it.rest = it.rest[itemHead+length:]
	return true
}

func itemNumbers(head []byte) (tag, length int, ok bool) {
	for i := range itemHead {
		digit := int(head[i] - '0')
		if digit > 9 {
			return 0, 0, false
		}
		if i < 4 {
			tag = tag*10 + digit
		} else {
			length = length*10 + digit
		}
	}
	return tag, length, true
}

// OK says that everything up to here was items.
func (it *Items) OK() bool { return !it.bad }

// Tag is the tag of the item at hand.
func (it *Items) Tag() ItemTag { return it.tag }

// Value is the value of the item at hand, part of what ParseItems got.
func (it *Items) Value() []byte { return it.value }

// Offset is where the value of the item at hand begins.
func (it *Items) Offset() int { return it.at }

// Number is the value as a number, 0 if it isn't one of at most nineteen digits.
func (it *Items) Number() uint64 {
	n, ok := digitsValue(it.value)
	if !ok {
		return 0
	}
	return n
}

// CheckItems walks through a value of element 48 and gives the first known item whose value isn't
// as it must be, or 0 and false if the rest from somewhere on isn't items.
func CheckItems(data []byte) (ItemTag, bool) {
	items := ParseItems(data)
	for items.Next() {
		if !validItem(items.Tag(), items.Value()) {
			return items.Tag(), false
		}
	}
	return 0, items.OK()
}

func validItem(tag ItemTag, value []byte) bool {
	if tag == 0 || int(tag) > len(itemForms) {
		return true // private ones pass
	}
	form := itemForms[tag-1]
	if len(value) < form.least || form.most > 0 && len(value) > form.most {
		return false
	}
	if form.digits && !digits(value, '0') {
		return false
	}
	if tag == TagPaymentDivision {
		_, fault := ParsePayment(value)
		return fault == PaymentOK
	}
	return tag != TagMemberName || isKatakana(value)
}

// AppendItem appends an item; false, and nothing appended, if the value is too long.
func AppendItem(dst []byte, tag ItemTag, value []byte) ([]byte, bool) {
	if len(value) > 999-itemHead || tag > 9999 {
		return dst, false
	}
	dst = appendDigits(dst, uint64(tag), 4)
	dst = appendDigits(dst, uint64(len(value)), 3)
	return append(dst, value...), true
}
