package door

import (
	"bytes"
	"context"
	"time"

	"cardswitch/spec"
	"cardswitch/spec/rule"
	"cardswitch/switch/link"
)

// Codes are made and checked of what a door says itself to merchants, and of what they answer.
type Codes interface {
	// Has tells whether anything is agreed with a center.
	Has(center string) bool
	// Right tells whether a message is its center's.
	Right(ctx context.Context, center string, m *spec.Message) bool
	// Protect gives a message as it goes to a center.
	Protect(ctx context.Context, center string, frame []byte) ([]byte, error)
}

const (
	// mostSpeech bounds what waits of a visit for the security module. What comes then isn't answered.
	mostSpeech = 16
	codeTime   = 2 * time.Second // the module may take so long
)

// codes are those of the merchant's messages; nil: they have none.
func (v *visit) codes() Codes {
	if codes := *v.door.codes.Load(); codes != nil && codes.Has(v.link.Center().Name()) {
		return codes
	}
	return nil
}

// speaks does something that may ask the security module, after what it was given before.
func (v *visit) speaks(do func(ctx context.Context)) {
	v.speaking.Do(func() {
		v.door.visits.Go(func() {
			for {
				select {
				case do := <-v.speech:
					do()
				case <-v.ctx.Done():
					return
				}
			}
		})
	})
	select {
	case v.speech <- func() {
		ctx, cancel := context.WithTimeout(v.ctx, codeTime)
		defer cancel()
		do(ctx)
	}:
	default:
	}
}

// echoed answers an echo test: whether the connection stands is the door's to say.
func (d *Door) echoed(v *visit, in *link.Inbound) {
	codes := v.codes()
	out, fault := echoAnswer(&in.Message, codes != nil)
	switch {
	case !fault.OK():
		v.pass(0, in) // the shard says what is wrong with it
	case codes == nil:
		v.link.Queue(0, out, in.Prefix)
	default:
		frame, prefix := bytes.Clone(in.Frame), in.Prefix
		v.speaks(func(ctx context.Context) { v.echoedWith(ctx, codes, frame, prefix, out) })
	}
}

func echoAnswer(m *spec.Message, coded bool) ([]byte, spec.Fault) {
	var edit spec.Edit
	edit.Reset()
	edit.SetMTI(0x1814)
	edit.KeepOnly(rule.Standard().Echo(0x1814))
	if coded {
		for _, n := range [...]int{53, 64, 128} {
			edit.Remove(n)
		}
	}
	edit.SetNumber(39, 800)
	return m.Dialect().Append(nil, m, &edit)
}

// echoedWith answers an echo test if its code is right. If it isn't, the shard says so.
func (v *visit) echoedWith(ctx context.Context, codes Codes, frame []byte, prefix link.Prefix,
	answer []byte) {
	in := link.Inbound{Frame: frame, Prefix: prefix}
	center := v.link.Center()
	in.Fault = center.Dialect().Index(&in.Message, frame)
	if !codes.Right(ctx, center.Name(), &in.Message) {
		v.pass(0, &in)
		v.ways[0].flush()
		return
	}
	v.say(ctx, codes, answer, prefix)
}

// say sends a message of the door's own with its code.
func (v *visit) say(ctx context.Context, codes Codes, frame []byte, prefix link.Prefix) {
	center := v.link.Center().Name()
	out, err := codes.Protect(ctx, center, frame)
	if err != nil {
		v.door.log.Warn("network management can't be given a code", "center", center,
			"error", err.Error(), "hint", "see key list of the first shard")
		return
	}
	if v.link.Queue(0, out, prefix) {
		v.link.Flush()
	}
}

// checked takes an answer to the door if its code is right.
func (v *visit) checked(codes Codes, in *link.Inbound) {
	frame := bytes.Clone(in.Frame)
	v.speaks(func(ctx context.Context) {
		var m spec.Message
		center := v.link.Center()
		if fault := center.Dialect().Index(&m, frame); !fault.OK() ||
			!codes.Right(ctx, center.Name(), &m) {
			v.door.wrong.Add(1)
			return
		}
		v.heard(functionOf(&m))
	})
}

// WrongCodes counts answers to the door's own messages that weren't the merchants'.
func (d *Door) WrongCodes() uint64 { return d.wrong.Load() }

// manage sends network management that is owed to a merchant.
func (d *Door) manage(v *visit, duty link.Duty) {
	function := uint64(echo)
	if duty == link.SendSignOff {
		function = signOff
	}
	config := d.center(v.link.Center().Name())
	if config == nil {
		return
	}
	var edit spec.Edit
	edit.Reset()
	edit.SetMTI(0x1804)
	edit.SetNumber(11, uint64(d.stan.Add(1)%999_999+1))
	edit.Set(12, time.Now().AppendFormat(nil, "060102150405"))
	edit.SetNumber(24, function)
	if len(config.Identities) > 0 {
		edit.Set(93, []byte(config.Identities[0]))
	}
	edit.Set(94, []byte(d.config.Institution))
	out, fault := config.Dialect.Append(nil, nil, &edit)
	if !fault.OK() {
		d.log.Error("network management cannot be sent", "center", config.Name,
			"error", fault.Err().Error(), "hint", "check `institution` and the dialect")
		return
	}
	if codes := v.codes(); codes != nil {
		v.speaks(func(ctx context.Context) { v.say(ctx, codes, out, link.Prefix{}) })
		return
	}
	if v.link.Queue(0, out, link.Prefix{}) {
		v.link.Flush()
	}
}

func (d *Door) center(name string) *link.CenterConfig {
	list := *d.merchants.Load()
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}
