package rule

import "cardswitch/spec"

// codes checks that the function, reason and action code, where there are any, belong into this
// kind of message. Which ones of their range exist isn't asked: many are private.
func (f *form) codes(x *facts) spec.Fault {
	mti, asked := x.m.MTI(), x.have.AndNot(f.relaxed)
	if function, ok := x.m.Number(24); ok {
		x.function = int(function)
		if asked.Has(24) && !functionBelongs(mti, x.function) {
			return spec.Fault{Element: 24, Kind: spec.FaultValue}
		}
	}
	if asked.Has(25) {
		if reason, _ := x.m.Number(25); !reasonBelongs(mti, int(reason)) {
			return spec.Fault{Element: 25, Kind: spec.FaultValue}
		}
	}
	if asked.Has(39) && !actionBelongs(mti, x.action) {
		return spec.Fault{Element: 39, Kind: spec.FaultValue}
	}
	return spec.Fault{}
}

// functionBelongs: the first digit is the class. Reversals have the lower half of theirs, and
// chargebacks the upper one.
func functionBelongs(mti spec.MTI, function int) bool {
	if function/100 != mti.Class() {
		return false
	}
	if mti.Class() != 4 {
		return true
	}
	return (function >= 450) == isChargeback(mti)
}

func isChargeback(mti spec.MTI) bool { return mti.Class() == 4 && mti.Origin()&^1 == 2 }

// reasonBelongs: each class has thousands of its own.
func reasonBelongs(mti spec.MTI, reason int) bool {
	thousand := reason / 1000
	switch mti.Class() {
	case 1, 2:
		return thousand == 1 || thousand == 2
	case 4:
		return thousand == 4 && (reason >= 4500) == isChargeback(mti)
	}
	return thousand == reasonThousands[mti.Class()&7]
}

// reasonThousands are the thousands of the reason codes of the other classes; class 8 is at 0.
var reasonThousands = [8]int{0: 8, 3: 3, 5: 5, 6: 6, 7: 7}

// actionBelongs: the outcome of an authorization or a financial message is 000 to 299, and of the
// other classes the hundred of the class. Any answer may refuse with 9xx. Many centers acknowledge
// an advice with 000, reversals among them.
func actionBelongs(mti spec.MTI, action int) bool {
	hundred := action / 100
	switch {
	case hundred == 9:
		return mti.IsResponse()
	case mti.Class() <= 2:
		return hundred <= 2
	case mti.Class() == 4 && mti.IsResponse() && hundred == 0:
		return true
	}
	return hundred == mti.Class()
}
