package rule

import (
	"fmt"

	"cardswitch/spec"
)

// Rules say for every kind of message what it must carry. They never change; With makes others.
type Rules struct {
	forms  []form // forms[0]: not a message of the 1993 edition
	places [places]uint8
	strict bool
}

// Check gives the first fault of m: a mandatory element that it lacks, or one that a condition asks
// for, or a code that doesn't belong into this kind of message. What isn't used is let pass, as
// receivers do, unless the rules are Strict.
func (r *Rules) Check(m *spec.Message) spec.Fault { return r.check(m, nil) }

// CheckFor is Check for an answer whose request is known: what was asked decides what it must carry
// where the answer itself doesn't say it.
func (r *Rules) CheckFor(request, answer *spec.Message) spec.Fault {
	return r.check(answer, request)
}

func (r *Rules) check(m, request *spec.Message) spec.Fault {
	f := r.form(m.MTI())
	if f == nil {
		return spec.Fault{Kind: spec.FaultMTI}
	}
	x := facts{m: m, have: m.Elements(), action: m.ActionCode(), request: request}
	mandatory, refused := f.mandatory, false
	if refuses(x.action) && m.MTI().IsResponse() {
		mandatory, refused = mandatory.And(f.same.With(39)), true
	}
	if missing := mandatory.AndNot(x.have); !missing.IsZero() {
		return spec.Fault{Element: uint8(missing.Next(0)), Kind: spec.FaultMissing}
	}
	if r.strict {
		if unused := x.have.And(f.unused); !unused.IsZero() {
			return spec.Fault{Element: uint8(unused.Next(0)), Kind: spec.FaultNotAllowed}
		}
	}
	if fault := f.codes(&x); !fault.OK() || refused {
		return fault
	}
	x.have = x.have.Or(f.relaxed)
	return f.check(&x)
}

// refuses says that an answer with this action code couldn't take the message it answers for what
// it is, so that it may not carry more than what it echoes.
func refuses(action int) bool { return action >= 902 }

// CheckAnswer says whether answer repeats what it must of the request, and so is an answer to it.
// The two may be of different dialects. The trace number isn't compared: a switch asks by its own
// on each leg, and finds the request by it.
func (r *Rules) CheckAnswer(request, answer *spec.Message) spec.Fault {
	f := r.form(answer.MTI())
	if f == nil || request.MTI().Response() != answer.MTI() {
		return spec.Fault{Kind: spec.FaultMTI}
	}
	same := f.same.And(request.Elements())
	same.Clear(11)
	for n := same.Next(0); n != 0; n = same.Next(n) {
		if !equal(request, answer, n) && !exchanged(request, answer, n) {
			return spec.Fault{Element: uint8(n), Kind: differs(answer, n)}
		}
	}
	if f.echo.Has(3) && !f.same.Has(3) && answer.Has(3) && !sameProcessing(request, answer) {
		return spec.Fault{Element: 3, Kind: spec.FaultValue}
	}
	return f.grants(request, answer)
}

// grants says whether an approval is of what was asked: of the whole amount, or by its action code
// of a part, in the same currency. One that says no amount, or zeros, grants the whole.
func (f *form) grants(request, answer *spec.Message) spec.Fault {
	action := answer.ActionCode()
	if !spec.Approved(action) || answer.MTI().Class() > 2 || inquires(request) {
		return spec.Fault{}
	}
	asked, ok := request.Number(4)
	granted, _ := answer.Number(4)
	inPart := action == 2 || action == 6
	switch {
	case !ok || f.relaxed.Has(4):
	case inPart && (granted == 0 || granted >= asked), !inPart && granted != 0 && granted != asked:
		return spec.Fault{Element: 4, Kind: differs(answer, 4)}
	}
	if request.Has(49) && answer.Has(49) && !f.relaxed.Has(49) && !equal(request, answer, 49) {
		return spec.Fault{Element: 49, Kind: spec.FaultValue}
	}
	return spec.Fault{}
}

func differs(answer *spec.Message, n int) spec.FaultKind {
	if !answer.Has(n) {
		return spec.FaultMissing
	}
	return spec.FaultValue
}

// equal compares the canonical values of an element, which are short where answers echo them.
func equal(a, b *spec.Message, n int) bool {
	var x, y [32]byte
	return string(a.Append(x[:0], n)) == string(b.Append(y[:0], n))
}

// exchanged says that the answer names the originator as its destination and the other way round,
// as some centers do.
func exchanged(request, answer *spec.Message, n int) bool {
	if n != 93 && n != 94 {
		return false
	}
	var x, y [32]byte
	return string(request.Append(x[:0], n)) == string(answer.Append(y[:0], 93+94-n))
}

// sameProcessing compares what is done; the accounts may be filled in by the issuer.
func sameProcessing(request, answer *spec.Message) bool {
	asked, ok := request.Number(3)
	given, _ := answer.Number(3)
	return !ok || asked/10000 == given/10000
}

// Echo is the set of elements that the answer to mti, or mti itself if it is one, copies from what
// it answers if it has nothing else to say.
func (r *Rules) Echo(mti spec.MTI) spec.Bitmap { return r.answer(mti).echo }

// Same is the set of elements of which the answer to mti, or mti itself if it is one, must have the
// values of what it answers.
func (r *Rules) Same(mti spec.MTI) spec.Bitmap { return r.answer(mti).same }

// Mandatory is the set of elements that a message must always have.
func (r *Rules) Mandatory(mti spec.MTI) spec.Bitmap { return r.orEmpty(mti).mandatory }

// Unused is the set of elements that a message doesn't use.
func (r *Rules) Unused(mti spec.MTI) spec.Bitmap { return r.orEmpty(mti).unused }

// Strict gives rules that also refuse elements that a message doesn't use, to certify a partner.
func (r *Rules) Strict() *Rules {
	made := *r
	made.strict = true
	return &made
}

// With gives rules that require more elements, or relax mandatory and conditional ones, of some
// messages, named as "1200".
func (r *Rules) With(require, relax map[string][]int) (*Rules, error) {
	made := *r
	made.forms = append([]form(nil), r.forms...)
	err := made.each("require", require, func(f *form, n int) {
		f.mandatory.Set(n)
		f.unused.Clear(n)
		f.relaxed.Clear(n)
	})
	if err != nil {
		return nil, err
	}
	err = made.each("relax", relax, func(f *form, n int) {
		f.mandatory.Clear(n)
		f.unused.Clear(n)
		f.same.Clear(n)
		f.relaxed.Set(n)
	})
	if err != nil {
		return nil, err
	}
	return &made, nil
}

func (r *Rules) each(what string, changes map[string][]int, change func(*form, int)) error {
	for text, elements := range changes {
		mti, err := messageType(text)
		if err != nil {
			return fmt.Errorf("%s: %w (hint: write it as \"1200\")", what, err)
		}
		for _, n := range elements {
			if n < 2 || n > 128 {
				return fmt.Errorf("%s %s: no element %d (hint: elements are 2 to 128)", what, text, n)
			}
			change(r.form(mti), n)
		}
	}
	return nil
}

// form gives what a message must look like, nil if the 1993 edition doesn't have it.
func (r *Rules) form(mti spec.MTI) *form {
	if mti.Version() != 1 || mti.IsRepeat() && !mti.Valid() {
		return nil
	}
	at := r.places[place(mti)]
	if at == 0 {
		return nil
	}
	return &r.forms[at]
}

func (r *Rules) orEmpty(mti spec.MTI) *form {
	if f := r.form(mti); f != nil {
		return f
	}
	return &r.forms[0]
}

func (r *Rules) answer(mti spec.MTI) *form {
	if response := mti.Response(); response != 0 {
		mti = response
	}
	return r.orEmpty(mti)
}
