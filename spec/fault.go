package spec

import "fmt"

// FaultKind says what is wrong with a message.
type FaultKind uint8

// The kinds of faults.
const (
	FaultNone       FaultKind = iota
	FaultShort                // the message ends inside the element
	FaultLength               // longer than the element may be, or not its fixed length
	FaultClass                // a character that the element's format does not allow
	FaultUnknown              // the dialect does not have this element
	FaultTrailing             // bytes after the last element
	FaultMTI                  // not a message type of the 1993 edition
	FaultBitmap               // a second bitmap that is announced and empty, or not a bitmap
	FaultMissing              // an element that this message must have
	FaultNotAllowed           // an element that this message may not have
	FaultValue                // a value that the element's table does not have
	FaultInClear              // card data in clear, of who may send none
)

// Fault names the element that is wrong and what is wrong with it. The zero Fault means that
// nothing is. Element is 0 for the MTI and for the message as a whole, 1 for the bitmap.
type Fault struct {
	Element uint8
	Kind    FaultKind
}

// OK tells that there is no fault.
func (f Fault) OK() bool { return f.Kind == FaultNone }

// String describes the fault without showing any of the message.
func (f Fault) String() string {
	switch f.Kind {
	case FaultNone:
		return "no fault"
	case FaultMTI:
		return "the message type indicator is not one of the 1993 edition"
	case FaultBitmap:
		return "the bitmap is damaged or announces a second one that is empty"
	case FaultTrailing:
		return "bytes follow after the last element"
	}
	if f.Element == 0 {
		return "the message " + faultTexts[f.Kind]
	}
	return fmt.Sprintf("element %d (%s) %s", f.Element, ElementOf(int(f.Element)).Name,
		faultTexts[f.Kind])
}

// Err is the fault as an error, nil if there is none.
func (f Fault) Err() error {
	if f.OK() {
		return nil
	}
	return faultError{f}
}

type faultError struct{ Fault }

func (e faultError) Error() string { return e.String() }

var faultTexts = [...]string{
	FaultShort:      "is cut off before its end",
	FaultLength:     "has a length that its format does not allow",
	FaultClass:      "holds a character that its format does not allow",
	FaultUnknown:    "does not exist in this dialect",
	FaultMissing:    "is missing",
	FaultNotAllowed: "is not allowed in this message",
	FaultValue:      "has a value that its code table does not have",
	FaultInClear:    "holds card data in clear, which is not allowed here",
}
