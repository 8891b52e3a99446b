package standin

import (
	"cardswitch/switch/txn"
)

// Setting is what an operator has ordered.
type Setting uint8

const (
	// Auto: stand-in comes and goes by itself.
	Auto Setting = iota
	// On: it decides, whatever the issuer does.
	On
	// Off: it never decides.
	Off
)

// String names the setting as the operators' command does.
func (s Setting) String() string {
	switch s {
	case On:
		return "on"
	case Off:
		return "off"
	}
	return "auto"
}

// Mode is whether an issuer is stood in for. Each change is one record of the journal, whose reason
// After folds; the last one's result also stands beside the journal.
type Mode struct {
	Setting Setting
	Asked   bool       // the issuer has asked for it by an 1804
	Away    txn.Reason // why it stands in by itself: StandInSignedOff, Down or Failing; None
}

// Stands tells whether stand-in decides.
func (m Mode) Stands() bool {
	switch m.Setting {
	case On:
		return true
	case Off:
		return false
	}
	return m.Asked || m.Away != txn.None
}

// Why gives the reason for which stand-in decides; None if it doesn't.
func (m Mode) Why() txn.Reason {
	switch {
	case !m.Stands():
		return txn.None
	case m.Setting == On:
		return txn.StandInOrdered
	case m.Asked:
		return txn.StandInAsked
	}
	return m.Away
}

// After gives the mode after a change.
func (m Mode) After(change txn.Reason) Mode {
	switch change {
	case txn.StandInSignedOff, txn.StandInDown, txn.StandInFailing:
		m.Away = change
	case txn.StandInBack:
		m.Away = txn.None
	case txn.StandInAsked:
		m.Asked = true
	case txn.StandInUnasked:
		m.Asked = false
	case txn.StandInOrdered:
		m.Setting = On
	case txn.StandInForbidden:
		m.Setting = Off
	case txn.StandInReleased:
		m.Setting = Auto
	}
	return m
}

// Message reason codes of advices about stand-in (DE 25; reference iso8583-1993 section 3.3).
const (
	ByIssuersChoice   = 1000
	IssuerSignedOff   = 1001
	IssuerTimedOut    = 1002
	IssuerUnavailable = 1003
	BelowFloorLimit   = 1006
	ByAcquirersChoice = 1007
)

// Advice gives the message reason code with which a decision is told to the issuer. path is how the
// issuer could be reached at the time.
func (m Mode) Advice(d Decision, path txn.Path) uint16 {
	switch why := m.Why(); {
	case d.Reason == txn.StandInBelowFloor:
		return BelowFloorLimit
	case why == txn.StandInOrdered:
		return ByAcquirersChoice
	case why == txn.StandInAsked:
		return ByIssuersChoice
	case path == txn.SignedOff, path == txn.Clear && why == txn.StandInSignedOff:
		return IssuerSignedOff
	}
	return IssuerUnavailable
}

// Append and Parse keep a mode in four bytes.
func (m Mode) Append(b []byte) []byte {
	asked := byte(0)
	if m.Asked {
		asked = 1
	}
	return append(b, byte(m.Setting), asked, byte(m.Away>>8), byte(m.Away))
}

// ParseMode reads what Append wrote; false if it can't be that.
func ParseMode(b []byte) (Mode, bool) {
	if len(b) != 4 || b[0] > byte(Off) || b[1] > 1 {
		return Mode{}, false
	}
	m := Mode{Setting: Setting(b[0]), Asked: b[1] == 1, Away: txn.Reason(b[2])<<8 | txn.Reason(b[3])}
	switch m.Away {
	case txn.None, txn.StandInSignedOff, txn.StandInDown, txn.StandInFailing:
		return m, true
	}
	return Mode{}, false
}
