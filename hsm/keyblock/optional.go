package keyblock

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// OptionalID names an optional block, X9.143 table 7: two characters. Those of a partner's own
// making are digits.
type OptionalID string

// The optional blocks.
const (
	AL OptionalID = "AL" // life of an asymmetric key
	BI OptionalID = "BI" // identifier of a DUKPT base derivation key
	CT OptionalID = "CT" // certificate of a public key
	DA OptionalID = "DA" // what may be derived
	FL OptionalID = "FL" // flags
	HM OptionalID = "HM" // hash of an HMAC key
	IK OptionalID = "IK" // identifier of an AES DUKPT initial key
	KC OptionalID = "KC" // check value of the key
	KP OptionalID = "KP" // check value of the KBPK
	KS OptionalID = "KS" // key set identifier, or initial key serial number of TDES DUKPT
	KV OptionalID = "KV" // deprecated
	LB OptionalID = "LB" // label
	PB OptionalID = "PB" // padding, always the last
	PK OptionalID = "PK" // check value of the KBPK that it was exported under
	TC OptionalID = "TC" // time of the key's creation
	TS OptionalID = "TS" // time of the block's creation
	WP OptionalID = "WP" // how strong were the keys it was under before
)

const (
	optionalHead = 4  // characters: ID and length in two digits
	extendedHead = 10 // ID, "00", "04", and the length in four digits
)

// Optional is an optional block: an attribute of the key in printable ASCII.
type Optional struct {
	ID   OptionalID
	Data string // without ID and length
}

// text is the block as it is in a header. The length is that of the whole; one over 255 has four
// digits after the count of these.
func (o Optional) text() string {
	if size := optionalHead + len(o.Data); size <= 0xFF {
		return fmt.Sprintf("%s%02X%s", o.ID, size, o.Data)
	}
	return fmt.Sprintf("%s0004%04X%s", o.ID, extendedHead+len(o.Data), o.Data)
}

// readOptional reads the block at the begin of text and gives the characters it takes.
func readOptional(text string) (o Optional, size int, err error) {
	if len(text) < optionalHead {
		return o, 0, malformed("an optional block is missing")
	}
	size, ok := number(text[2:4], 16)
	head := optionalHead
	if ok && size == 0 {
		if len(text) < extendedHead || text[4:6] != "04" {
			return o, 0, malformed("the long length of an optional block isn't of four digits")
		}
		size, ok = number(text[6:10], 16)
		head = extendedHead
	}
	if !ok || size < head || size > len(text) {
		return o, 0, malformed("the length of an optional block is wrong")
	}
	return Optional{OptionalID(text[:2]), text[head:size]}, size, nil
}

// checkOptional says what is wrong with a header's optional blocks.
func checkOptional(list []Optional) error {
	for i, o := range list {
		if len(o.ID) != 2 || !upper(string(o.ID)) {
			return errors.New("the name of an optional block isn't two capitals or digits")
		}
		for _, other := range list[:i] {
			if other.ID == o.ID {
				return fmt.Errorf("the optional block %s is there twice", o.ID)
			}
		}
		if o.ID == PB && i != len(list)-1 {
			return errors.New("the padding block isn't the last")
		}
		if err := o.check(); err != nil {
			return err
		}
	}
	return nil
}

// check says what is wrong with the data: its characters for all, its form for those that the
// switch reads.
func (o Optional) check() error {
	if !printable(o.Data) {
		return fmt.Errorf("the optional block %s holds what isn't printable", o.ID)
	}
	var err error
	switch o.ID {
	case KC, KP, PK:
		_, err = parseCheckData(o.Data)
	case TC, TS:
		_, err = parseTime(o.Data)
	case AL, BI, HM, IK, KS:
		if !hexadecimal(o.Data) {
			err = errors.New("it isn't hexadecimal")
		}
	case DA:
		if !alphanumeric(o.Data) {
			err = errors.New("it isn't of letters and digits")
		}
	}
	if err != nil {
		return fmt.Errorf("the optional block %s: %w", o.ID, err)
	}
	return nil
}

// Check makes a KC, KP or PK block: the check value of a key, X9.143 section 6.3.6.7.
func Check(id OptionalID, value CheckValue) (Optional, error) {
	method := ""
	switch value.Method {
	case TDESECB:
		method = "00"
	case CMAC:
		method = "01"
	default:
		return Optional{}, fmt.Errorf("a key block can't tell a check value by %s", value.Method)
	}
	o := Optional{id, method + value.Hex}
	return o, o.check()
}

// parseCheckData reads the data of a KC, KP or PK block.
func parseCheckData(data string) (CheckValue, error) {
	value := CheckValue{Method: TDESECB}
	switch {
	case strings.HasPrefix(data, "00"):
	case strings.HasPrefix(data, "01"):
		value.Method = CMAC
	default:
		return CheckValue{}, errors.New("the method of the check value is unknown")
	}
	value.Hex = data[2:]
	return value, value.Validate()
}

// CheckValue gives the check value in a KC, KP or PK block, if the header has the block.
func (h *Header) CheckValue(id OptionalID) (value CheckValue, ok bool) {
	data, ok := h.Find(id)
	if !ok {
		return CheckValue{}, false
	}
	value, err := parseCheckData(data)
	return value, err == nil
}

// Time makes a TC or TS block, X9.143 section 6.3.6.13.
func Time(id OptionalID, t time.Time) Optional {
	return Optional{id, t.UTC().Format("20060102150405Z")}
}

// Time gives the time in a TC or TS block, if the header has the block.
func (h *Header) Time(id OptionalID) (t time.Time, ok bool) {
	data, ok := h.Find(id)
	if !ok {
		return time.Time{}, false
	}
	t, err := parseTime(data)
	return t, err == nil
}

// parseTime reads the four forms of a time: with and without marks, with and without hundredths.
func parseTime(data string) (time.Time, error) {
	layout := ""
	switch len(data) {
	case len("20060102150405Z"):
		layout = "20060102150405Z"
	case len("2006010215040500Z"):
		data, layout = data[:14]+"."+data[14:], "20060102150405.00Z"
	case len(time.DateOnly + "T" + time.TimeOnly + "Z"):
		layout = time.DateOnly + "T" + time.TimeOnly + "Z"
	case len(time.DateOnly + "T" + time.TimeOnly + ".00Z"):
		layout = time.DateOnly + "T" + time.TimeOnly + ".00Z"
	default:
		return time.Time{}, errors.New("it isn't a time")
	}
	t, err := time.Parse(layout, data)
	if err != nil {
		return time.Time{}, errors.New("it isn't a time")
	}
	return t, nil
}
