package hsm

import "fmt"

// Where says where clear material is while a module does an operation.
type Where uint8

// The places.
const (
	Absent Where = iota // the module can't do it
	Inside              // clear keys and data stay inside the module
	// KeyInside: the key stays inside, but what it protects, or a key derived from it, is in clear
	// in this process for a moment.
	KeyInside
	Process // everything is in clear in this process
)

// String is the place in words.
func (w Where) String() string {
	switch w {
	case Inside:
		return "inside"
	case KeyInside:
		return "key inside"
	case Process:
		return "in the process"
	}
	return "absent"
}

// Operation is one thing that a module is asked for.
type Operation uint8

// The operations, one a method of Module, save that a PIN translation is another matter when the
// PIN comes from a terminal.
const (
	Generate Operation = iota
	Form
	Import
	Export
	TranslateZonePIN
	TranslateTerminalPIN
	MakeMAC
	DeriveSecret
	OpenCard
	WrapDataKey
	operations
)

// Operations lists them all, in order.
func Operations() []Operation {
	all := make([]Operation, operations)
	for i := range all {
		all[i] = Operation(i)
	}
	return all
}

// String is the operation as operators read it.
func (o Operation) String() string {
	switch o {
	case Generate:
		return "generate a key"
	case Form:
		return "form a key of components"
	case Import:
		return "import a key"
	case Export:
		return "export a key"
	case TranslateZonePIN:
		return "translate a PIN"
	case TranslateTerminalPIN:
		return "translate a terminal's PIN"
	case MakeMAC:
		return "make and verify MACs"
	case DeriveSecret:
		return "derive a link's secret"
	case OpenCard:
		return "open a terminal's card data"
	case WrapDataKey:
		return "wrap a data key"
	}
	return "unknown"
}

// Caps says for each operation where clear material is.
type Caps [operations]Where

// Profile is what an installation allows.
type Profile uint8

// The profiles.
const (
	Test       Profile = iota // everything
	Production                // what PCI PIN and PCI DSS allow outside of a secure device
)

// Allows tells whether an operation may be done by a module with these capabilities. In production
// a clear PIN exists in a secure cryptographic device only (PCI PIN requirement 1), and the keys
// that lead to PINs or card data of many terminals stay inside (reference crypto.md section 2).
func (p Profile) Allows(o Operation, c Caps) bool {
	where := c[o]
	if where == Absent {
		return false
	}
	if p != Production {
		return true
	}
	switch o {
	case TranslateZonePIN, TranslateTerminalPIN:
		return where == Inside
	case OpenCard:
		return where != Process
	}
	return true
}

// Check says why an operation may not be done by a module with these capabilities: its error wraps
// ErrAbsent or ErrForbidden.
func (p Profile) Check(o Operation, c Caps) error {
	switch {
	case c[o] == Absent:
		return fmt.Errorf("%w: %v", ErrAbsent, o)
	case !p.Allows(o, c):
		return fmt.Errorf("%w: it would %v %v (hint: production needs a payment HSM for this)",
			ErrForbidden, o, c[o])
	}
	return nil
}
