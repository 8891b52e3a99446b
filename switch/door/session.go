package door

import (
	"time"

	"cardswitch/spec"
	"cardswitch/spec/rule"
	"cardswitch/switch/link"
)

// echoed answers an echo test: whether the connection stands is the door's to say.
func (d *Door) echoed(v *visit, in *link.Inbound) {
	var edit spec.Edit
	edit.Reset()
	edit.SetMTI(0x1814)
	edit.KeepOnly(rule.Standard().Echo(0x1814))
	edit.SetNumber(39, 800)
	out, fault := in.Message.Dialect().Append(nil, &in.Message, &edit)
	if !fault.OK() {
		v.pass(0, in) // the shard says what is wrong with it
		return
	}
	v.link.Queue(0, out, in.Prefix)
}

// manage sends network management that is owed to a merchant.
func (d *Door) manage(l *link.Link, duty link.Duty) {
	function := uint64(echo)
	if duty == link.SendSignOff {
		function = signOff
	}
	config := d.center(l.Center().Name())
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
	if l.Queue(0, out, link.Prefix{}) {
		l.Flush()
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
