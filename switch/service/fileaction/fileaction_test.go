package fileaction

import (
	"testing"

	"cardswitch/switch/txn"
)

// good is an entry of an issuer about a card that isn't listed.
func good(function int, change func(*Facts)) Facts {
	f := Facts{Function: function, Owner: true, Kept: true, File: Emergency, Card: true, Fields: true}
	if change != nil {
		change(&f)
	}
	return f
}

// of is an entry of a load.
func of(number, last uint64, change func(*Facts)) Facts {
	return good(ReplaceFile, func(f *Facts) {
		f.File, f.Load, f.Number, f.Last = Regular, true, number, last
		if change != nil {
			change(f)
		}
	})
}

// TestDecide is section 5.8 of the reference, line by line: what is done, and the action code.
func TestDecide(t *testing.T) {
	urgent := func(f *Facts) { f.Urgent = true }
	regular := func(f *Facts) { f.Regular = true }
	unusable := func(f *Facts) { f.Unusable = true }
	merchant := func(f *Facts) { f.Owner, f.File = false, Unknown }
	for name, c := range map[string]struct {
		facts  Facts
		do     Do
		action uint16
	}{
		"add":                      {good(Add, nil), Enter, 300},
		"add, listed":              {good(Add, urgent), Enter, 303},
		"add, in the regular file": {good(Add, regular), Enter, 300},
		"add, doubles refused": {good(Add, func(f *Facts) { f.Urgent, f.RefuseDoubles = true, true }),
			Nothing, 308},
		"add without a card":      {good(Add, func(f *Facts) { f.Card = false }), Nothing, 304},
		"add with a wrong field":  {good(Add, func(f *Facts) { f.Fields = false }), Nothing, 304},
		"add to an unknown file":  {good(Add, func(f *Facts) { f.File = Unknown }), Nothing, 309},
		"add to the regular file": {good(Add, func(f *Facts) { f.File = Regular }), Nothing, 301},
		"add while it is loaded": {good(Add, func(f *Facts) { f.File, f.Load = Regular, true }), Nothing,
			305},
		"add of a merchant":        {good(Add, merchant), Nothing, 902},
		"change":                   {good(Change, urgent), Enter, 300},
		"change, regular":          {good(Change, regular), Enter, 300},
		"change of nothing":        {good(Change, nil), Nothing, 302},
		"change, nobody can tell":  {good(Change, unusable), Nothing, 306},
		"delete":                   {good(Delete, urgent), Remove, 300},
		"delete, regular":          {good(Delete, regular), Remove, 300},
		"delete of nothing":        {good(Delete, nil), Nothing, 302},
		"replace":                  {good(Replace, nil), Enter, 300},
		"replace, listed":          {good(Replace, urgent), Enter, 300},
		"inquiry":                  {good(Inquiry, urgent), Tell, 300},
		"inquiry of nothing":       {good(Inquiry, nil), Nothing, 302},
		"inquiry, nobody can tell": {good(Inquiry, unusable), Nothing, 306},
		"inquiry of a merchant": {good(Inquiry, func(f *Facts) { merchant(f); f.Regular = true }), Tell,
			300},
		"inquiry, no list": {good(Inquiry, func(f *Facts) { merchant(f); f.Kept = false }), Nothing,
			309},
		"inquiry with wrong fields": {good(Inquiry, func(f *Facts) { f.Fields = false }), Nothing, 302},
		"the first of a load":       {of(1, 0, nil), Stage, 300},
		"the next":                  {of(8, 7, nil), Stage, 300},
		"one twice":                 {of(7, 7, nil), Nothing, 922},
		"one too far":               {of(9, 7, nil), Nothing, 922},
		"no number":                 {of(0, 0, nil), Nothing, 922},
		"no load":                   {of(1, 0, func(f *Facts) { f.Load = false }), Nothing, 306},
		"a load that ends":          {of(8, 7, func(f *Facts) { f.Busy = true }), Nothing, 305},
		"a load of another file":    {of(8, 7, func(f *Facts) { f.File = Emergency }), Nothing, 301},
		"unassigned":                {good(300, nil), Nothing, 301},
		"card administration":       {good(309, nil), Nothing, 301},
		"no function":               {good(-1, nil), Nothing, 301},
	} {
		v := Decide(c.facts)
		if v.Do != c.do || v.Reason.Action() != c.action {
			t.Errorf("%s: does %d and answers %03d (%v), want %d and %03d", name, v.Do,
				v.Reason.Action(), v.Reason, c.do, c.action)
		}
	}
}

// TestDecideFrame: a load begins, goes on and ends once; repeats find out that it is done.
func TestDecideFrame(t *testing.T) {
	for name, c := range map[string]struct {
		frame  Frame
		step   Step
		action uint16
	}{
		"begin":           {Frame{Reason: 8000}, Begin, 800},
		"begin, recovery": {Frame{Reason: 8001}, Begin, 800},
		"begin again":     {Frame{Reason: 8000, Load: true, Same: true, Last: 5}, Begin, 800},
		"its repeat": {Frame{Reason: 8000, Load: true, Same: true, Last: 5, Repeat: true}, Stay,
			800},
		"begun just now":    {Frame{Reason: 8000, Load: true, Same: true}, Stay, 800},
		"go on":             {Frame{Reason: 8001, Load: true, Same: true, Last: 5}, Stay, 800},
		"the other kind":    {Frame{Reason: 8001, Load: true, Last: 5}, Begin, 800},
		"end":               {Frame{Reason: 8002, Load: true, Same: true, Last: 5, Number: 5}, End, 800},
		"end, another last": {Frame{Reason: 8002, Load: true, Same: true, Last: 5, Number: 6}, Stay, 922},
		"end of nothing":    {Frame{Reason: 8002, Load: true, Same: true}, Stay, 922},
		"end, none open":    {Frame{Reason: 8002, Last: 5, Number: 4, Same: true}, Stay, 902},
		"end, done":         {Frame{Reason: 8002, Last: 5, Number: 5, Same: true}, Stay, 800},
		"end, being made":   {Frame{Reason: 8002, Load: true, Busy: true, Last: 5, Number: 5}, Stay, 923},
	} {
		c.frame.Owner, c.frame.File = true, Regular
		step, why := DecideFrame(c.frame)
		if step != c.step || why.Action() != c.action {
			t.Errorf("%s: %d and %03d, want %d and %03d", name, step, why.Action(), c.step, c.action)
		}
	}
	if _, why := DecideFrame(Frame{Reason: 8000, File: Regular}); why != txn.FileNotTheirs {
		t.Error(why)
	}
	_, why := DecideFrame(Frame{Reason: 8000, Owner: true, File: Emergency})
	if why != txn.FileUnknown {
		t.Error(why)
	}
}

func TestRequest(t *testing.T) {
	for asked, want := range map[txn.Asked]txn.Act{txn.New: txn.TakeFile, txn.Pending: txn.Repeat,
		txn.Answered: txn.Repeat, txn.Differs: txn.Refuse, txn.Overtaken: txn.Refuse} {
		if d := Request(txn.Request{Asked: asked}); d.Act != want {
			t.Errorf("asked %d: %d, want %d", asked, d.Act, want)
		}
	}
}
