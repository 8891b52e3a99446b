package model_test

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cardswitch/conformance/model"
	"cardswitch/spec"
	"cardswitch/spec/dialect"
)

// pair is the model and the real switch, which get the same.
type pair struct {
	model model.Model
	real  *real
	last  int              // trace number
	asked []model.Question // by the shop
	seen  map[model.Out]bool
}

// The real switch does step by step what the model does.
func TestTheSwitchIsTheModel(t *testing.T) {
	few(t)
	dir, format := t.TempDir(), strict(t)
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			p := &pair{seen: map[model.Out]bool{}, model: model.Model{Up: true,
				Tolerant: rapid.Bool().Draw(t, "tolerant"), StandIn: rapid.Bool().Draw(t, "standIn")}}
			p.real = newReal(t, dir, format, &p.model)
			defer p.real.close()
			t.Repeat(map[string]func(*rapid.T){
				"sale": p.sale, "advice": p.advice, "repeat": p.repeat, "reverse": p.reverse,
				"reverseAhead": p.reverseAhead, "answer": p.answer, "silence": p.silence,
				"cut": p.cut, "connect": p.connect, "deafen": p.deafen, "hear": p.hear,
				"crash": p.crash,
			})
		})
	})
}

// few plays less than rapid would by itself: each check is minutes of the switch's clock.
func few(t *testing.T) {
	t.Helper()
	checks := flag.Lookup("rapid.checks")
	if checks.Value.String() != checks.DefValue {
		return
	}
	if err := checks.Value.Set("20"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = checks.Value.Set(checks.DefValue) })
}

func strict(t *testing.T) *spec.Dialect {
	t.Helper()
	d, err := dialect.Builtin("ascii-binary")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// same demands that both sent the same, after some time.
func (p *pair) same(t *rapid.T, want []model.Out, wait time.Duration) {
	t.Helper()
	time.Sleep(wait)
	var got []model.Out
	for _, o := range p.real.took() {
		if o.ToBank && o.Kind&1 == 1 { // a repeat: of what was sent before, or the first after a restart
			o.Kind--
			if p.seen[o] && !slices.Contains(want, o) || slices.Contains(got, o) {
				continue
			}
		}
		got = append(got, o)
	}
	for _, o := range want {
		p.seen[o] = true
	}
	sorted(want)
	sorted(got)
	if !slices.Equal(want, got) {
		t.Fatalf("the model sends %v, the switch %v", want, got)
	}
}

func sorted(list []model.Out) {
	slices.SortFunc(list, func(a, b model.Out) int {
		return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
}

// settle is how long a step takes at most where nothing waits for a repeat.
const settle = 300 * time.Millisecond

// returns is how long it takes until what is owed is paid, and the bank decides itself again.
const returns = back + 6*time.Second

func (p *pair) ask(t *rapid.T, q model.Question, repeat bool) {
	if q.Kind != 1420 {
		p.real.set(func() { p.real.about[reference(q.Key)] = q.Key })
	}
	p.real.write(p.real.shop, message(q, repeat))
	p.same(t, p.model.Ask(q), settle)
}

func (p *pair) question(t *rapid.T, kind model.Kind) model.Question {
	p.last++
	q := model.Question{Key: model.Key{Kind: kind, Number: p.last}, Amount: 100 + p.last,
		Card: rapid.IntRange(0, 1).Draw(t, "card")}
	return q
}

func (p *pair) sale(t *rapid.T)   { p.begin(t, p.question(t, 1200)) }
func (p *pair) advice(t *rapid.T) { p.begin(t, p.question(t, 1220)) }

func (p *pair) begin(t *rapid.T, q model.Question) {
	p.asked = append(p.asked, q)
	p.ask(t, q, false)
}

// one draws a question that was asked before; the newest are drawn most.
func (p *pair) one(t *rapid.T, fits func(model.Question) bool) model.Question {
	var list []model.Question
	for _, q := range p.asked {
		if fits(q) {
			list = append(list, q)
		}
	}
	if len(list) == 0 {
		t.Skip("nothing was asked yet")
	}
	slices.Reverse(list)
	return list[rapid.IntRange(0, len(list)-1).Draw(t, "question")]
}

// repeat asks again, sometimes with another amount.
func (p *pair) repeat(t *rapid.T) {
	q := p.one(t, func(model.Question) bool { return true })
	if rapid.IntRange(0, 4).Draw(t, "differs") == 0 && q.Kind != 1420 {
		q.Amount++
	}
	p.ask(t, q, true)
}

func (p *pair) reverse(t *rapid.T) {
	o := p.one(t, func(q model.Question) bool { return q.Kind != 1420 })
	q := p.question(t, 1420)
	q.Card, q.Amount, q.Original = o.Card, o.Amount, o.Key
	p.begin(t, q)
}

// reverseAhead reverses a sale or an advice that comes after it, or never.
func (p *pair) reverseAhead(t *rapid.T) {
	kind := model.Kind(rapid.SampledFrom([]int{1200, 1220}).Draw(t, "kind"))
	o := p.question(t, kind)
	q := p.question(t, 1420)
	q.Card, q.Amount, q.Original = o.Card, o.Amount, o.Key
	p.begin(t, q)
	if rapid.Bool().Draw(t, "comes") {
		p.begin(t, o)
	}
}

// answer lets the bank answer a request, in time or late.
func (p *pair) answer(t *rapid.T) {
	var keys []model.Key
	for k := range p.real.asked {
		keys = append(keys, k)
	}
	if len(keys) == 0 || !p.model.Up {
		t.Skip("nothing to answer")
	}
	slices.SortFunc(keys, func(a, b model.Key) int { return cmp.Compare(b.Number, a.Number) })
	k := keys[rapid.IntRange(0, len(keys)-1).Draw(t, "request")]
	action := rapid.SampledFrom([]int{0, 116}).Draw(t, "action")
	p.real.set(func() {
		p.real.write(p.real.bank, reply(p.real.asked[k], fmt.Sprintf("%03d", action)))
	})
	p.same(t, p.model.Answer(k, action), settle)
}

func (p *pair) silence(t *rapid.T) { p.same(t, p.model.Silence(), answerTime+time.Second) }

func (p *pair) cut(t *rapid.T) {
	if !p.model.Up {
		t.Skip("it is down")
	}
	p.real.cut()
	p.same(t, p.model.Cut(), 2*time.Second) // stand-in notes it
}

func (p *pair) connect(t *rapid.T) {
	if p.model.Up {
		t.Skip("it is up")
	}
	p.real.connect()
	p.real.connected()
	p.same(t, p.model.Connect(), returns)
}

func (p *pair) deafen(t *rapid.T) {
	p.model.Deaf = true
	p.real.set(func() { p.real.deaf = true })
}

func (p *pair) hear(t *rapid.T) {
	if !p.model.Deaf {
		t.Skip("it hears")
	}
	p.real.set(func() { p.real.deaf = false })
	p.same(t, p.model.Hear(), returns)
}

func (p *pair) crash(t *rapid.T) {
	p.real.crash()
	p.same(t, p.model.Crash(), settle)
}
