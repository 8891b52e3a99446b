package cardswitch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

func (c *CenterConfig) validate(f *faults, path string, production bool) {
	f.name(path+".name", c.Name)
	f.oneOf(path+".role", c.Role, RoleMerchant, RoleIssuer)
	f.name(path+".dialect", c.Dialect)
	if c.Institution != "" {
		f.digits(path+".institution", c.Institution, 11)
	}
	// "Local" would mean another time on another machine, and after a takeover.
	if _, err := time.LoadLocation(c.Timezone); err != nil || c.Timezone == "Local" {
		f.add(path+".timezone", "use a name as Asia/Tokyo", "%q is unknown", c.Timezone)
	}
	// Our trace number on a leg has six digits, so more could not be told apart.
	f.between(path+".window", c.Window, 1, 500_000)
	f.duration(path+".answer_time", c.AnswerTime, 10*time.Millisecond, 5*time.Minute)
	f.oneOf(path+".sign_on", c.SignOn, SignOnPeer, SignOnUs, SignOnNone)
	f.oneOf(path+".key_change", c.KeyChange, KeyChangeUs, KeyChangePeer)
	f.duration(path+".echo.after", c.Echo.After, 10*time.Millisecond, time.Hour)
	f.duration(path+".echo.wait", c.Echo.Wait, 10*time.Millisecond, 5*time.Minute)
	f.between(path+".echo.misses", c.Echo.Misses, 1, 100)
	c.Rules.validate(f, path+".rules")
	if c.Security != nil {
		c.Security.validate(f, path+".security", c.Role)
	}
	if c.Reconciliation != nil {
		c.Reconciliation.validate(f, path+".reconciliation", c.Role)
	}
	c.validateTokens(f, path)
	if c.Adjustments != nil {
		c.Adjustments.validate(f, path+".adjustments", c.Role)
	}
	switch c.Role {
	case RoleMerchant:
		c.validateMerchant(f, path)
	case RoleIssuer:
		c.validateIssuer(f, path)
	}
	c.validateLinks(f, path, production)
}

func (c *CenterConfig) validateMerchant(f *faults, path string) {
	if len(c.Acquirers) == 0 {
		f.add(path+".acquirers", "list the values of DE 32 it may use", "there are none")
	}
	for i, id := range c.Acquirers {
		f.digits(fmt.Sprintf("%s.acquirers[%d]", path, i), id, 11)
	}
	for i, id := range c.Forwarders {
		f.digits(fmt.Sprintf("%s.forwarders[%d]", path, i), id, 11)
	}
	f.noTwice(path+".acquirers", c.Acquirers)
	f.noTwice(path+".forwarders", c.Forwarders)
	f.noTwice(path+".messages", c.Messages)
	for i, mti := range c.Messages {
		f.requestMTI(fmt.Sprintf("%s.messages[%d]", path, i), mti)
	}
	if c.UnknownOriginal != 914 && c.UnknownOriginal != 400 {
		f.add(path+".unknown_original", "use 914 (not found) or 400 (accepted)",
			"%d is unknown", c.UnknownOriginal)
	}
	const hint = "leave it out here"
	if c.ForwardingID {
		f.add(path+".forwarding_id", hint, "is only for issuers")
	}
	if c.Failover != nil {
		f.add(path+".failover", hint, "is only for issuers")
	}
	if c.SAF != nil {
		f.add(path+".saf", hint, "is only for issuers")
	}
	if c.StandIn != nil {
		f.add(path+".standin", hint, "is only for issuers")
	}
	if c.Negative != nil {
		f.add(path+".negative", hint, "is only for issuers")
	}
}

func (c *CenterConfig) validateIssuer(f *faults, path string) {
	const hint = "leave it out here"
	if len(c.Acquirers) > 0 {
		f.add(path+".acquirers", hint, "is only for merchants")
	}
	if len(c.Forwarders) > 0 {
		f.add(path+".forwarders", hint, "is only for merchants")
	}
	if len(c.Messages) > 0 {
		f.add(path+".messages", hint, "is only for merchants")
	}
	if c.UnknownOriginal != 0 {
		f.add(path+".unknown_original", hint, "is only for merchants")
	}
	if c.FormatNotification {
		f.add(path+".format_notification", hint, "is only for merchants")
	}
	if c.Failover != nil {
		c.Failover.validate(f, path+".failover")
	}
	if c.SAF != nil {
		c.SAF.validate(f, path+".saf")
	}
	if c.StandIn != nil {
		c.StandIn.validate(f, path+".standin")
	}
	if c.Negative != nil {
		c.Negative.validate(f, path+".negative")
	}
}

func (o *FailoverConfig) validate(f *faults, path string) {
	f.between(path+".errors", o.Errors, 1, 100_000)
	f.duration(path+".within", o.Within, 10*time.Millisecond, time.Hour)
	f.duration(path+".slow", o.Slow, time.Millisecond, 5*time.Minute)
	f.duration(path+".hold", o.Hold, 10*time.Millisecond, 24*time.Hour)
}

func (s *SAFConfig) validate(f *faults, path string) {
	f.duration(path+".first", s.First, 10*time.Millisecond, time.Hour)
	f.duration(path+".wait", s.Wait, 10*time.Millisecond, 10*time.Minute)
	f.duration(path+".backoff_max", s.BackoffMax, s.First, 24*time.Hour)
	f.between(path+".alarm_after", s.AlarmAfter, 1, 1000)
	f.between(path+".in_flight", s.InFlight, 1, 10_000)
	for _, code := range slices.Concat(s.Retry, s.Shelve) {
		if code < 0 || code > 999 {
			f.add(path, "action codes have three digits", "%d is no action code", code)
		}
	}
	for _, code := range s.Retry {
		if slices.Contains(s.Shelve, code) {
			f.add(path+".shelve", "an advice is either sent again or shelved",
				"%d is also in retry", code)
		}
	}
}

func (r *RulesConfig) validate(f *faults, path string) {
	check := func(path string, elements map[string][]int) {
		for _, mti := range slices.Sorted(maps.Keys(elements)) {
			f.mti(path+"."+mti, mti)
			for _, n := range elements[mti] {
				// Element 1 and 65 are the bitmap's own business.
				if n < 2 || n == 65 || n > 128 {
					f.add(path+"."+mti, "use 2 to 128", "%d is no data element", n)
				}
			}
		}
	}
	check(path+".require", r.Require)
	check(path+".relax", r.Relax)
	for _, mti := range slices.Sorted(maps.Keys(r.Require)) {
		for _, n := range r.Require[mti] {
			if slices.Contains(r.Relax[mti], n) {
				f.add(path+".relax."+mti, "decide for one", "%d is also in require", n)
			}
		}
	}
}

func (f *faults) mti(path, value string) bool {
	if len(value) != 4 || strings.Trim(value, "0123456789") != "" || value[0] != '1' {
		f.add(path, `write four digits of the 1993 edition in quotes, as "1200"`,
			"%q is no MTI", value)
		return false
	}
	return true
}

// requestMTI is an MTI that a merchant center may begin with. Repeats come with
// their originals, answers are never asked for.
func (f *faults) requestMTI(path, value string) {
	if !f.mti(path, value) {
		return
	}
	known := []string{
		"1100", "1120", "1140", "1200", "1220", "1240", "1304", "1324", "1420", "1440",
		"1500", "1502", "1504", "1520", "1522", "1524", "1604", "1624", "1644",
		"1804", "1824", "1844",
	}
	switch {
	case slices.Contains(known, value):
	case value[3] == '1' || value[3] == '5':
		f.add(path, "list the original, its repeat comes with it", "%s is a repeat", value)
	default:
		f.add(path, "list what the center may begin with, as 1200",
			"%s is not a message a merchant center sends", value)
	}
}
