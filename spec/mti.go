package spec

import (
	"errors"
	"slices"
)

// MTI is a message type indicator: four BCD nibbles, 0x1200 for 1200.
type MTI uint16

// ParseMTI reads four decimal digits.
func ParseMTI(s string) (MTI, error) {
	if len(s) != 4 {
		return 0, errors.New("a message type indicator has four digits, such as 1200")
	}
	var m MTI
	for i := range 4 {
		if s[i]-'0' > 9 {
			return 0, errors.New("a message type indicator has digits only, such as 1200")
		}
		m = m<<4 | MTI(s[i]-'0')
	}
	return m, nil
}

// String is the four digits.
func (m MTI) String() string {
	d := m.digits()
	return string(d[:])
}

func (m MTI) digits() [4]byte {
	return [4]byte{
		'0' + byte(m.Version()), '0' + byte(m.Class()),
		'0' + byte(m.Function()), '0' + byte(m.Origin()),
	}
}

// Version is the first digit; 1 is the 1993 edition.
func (m MTI) Version() int { return int(m >> 12 & 15) }

// Class is the second digit: 1 authorization, 2 financial, ... 8 network management.
func (m MTI) Class() int { return int(m >> 8 & 15) }

// Function is the third digit: 0 request, 1 its response, 2 advice, 3 its response, 4 notification.
func (m MTI) Function() int { return int(m >> 4 & 15) }

// Origin is the fourth digit: 0 acquirer, 2 card issuer, 4 other; odd ones are repeats.
func (m MTI) Origin() int { return int(m & 15) }

// IsRepeat tells whether the message was sent before.
func (m MTI) IsRepeat() bool { return m&1 == 1 }

// IsResponse tells whether the message answers a request or an advice.
func (m MTI) IsResponse() bool { return m.Function() == 1 || m.Function() == 3 }

// Original is the MTI of the first sending: 1201 gives 1200.
func (m MTI) Original() MTI { return m &^ 1 }

// Repeat is the MTI of a second sending: 1200 gives 1201.
func (m MTI) Repeat() MTI { return m | 1 }

// Response is the MTI that answers this one, 1210 for 1200 and 1201, or 0 if nothing does.
func (m MTI) Response() MTI {
	if f := m.Function(); f != 0 && f != 2 {
		return 0
	}
	return m.Original() + 0x10
}

// Valid tells whether the 1993 edition has this message.
func (m MTI) Valid() bool {
	if m.IsResponse() {
		return !m.IsRepeat() && slices.Contains(answered[:], m-0x10)
	}
	if m.Function() == 4 {
		return slices.Contains(notifications[:], m)
	}
	return slices.Contains(answered[:], m.Original())
}

// answered are the requests and advices of the 1993 edition, as first sent.
var answered = [...]MTI{
	0x1100, 0x1120, 0x1200, 0x1220, 0x1304, 0x1324, 0x1420, 0x1422,
	0x1500, 0x1520, 0x1502, 0x1522, 0x1604, 0x1624, 0x1720, 0x1722, 0x1804, 0x1824,
}

// notifications get no answer, and are never repeated.
var notifications = [...]MTI{
	0x1140, 0x1240, 0x1344, 0x1440, 0x1442, 0x1540, 0x1542, 0x1644, 0x1740, 0x1742, 0x1844,
}
