package cardswitch

import (
	"testing"
	"time"

	"cardswitch/hsm/keyring"
)

func TestValidatePeriods(t *testing.T) {
	hours := func(rotate, period time.Duration) PeriodConfig {
		return PeriodConfig{Rotate: rotate * time.Hour, Period: period * time.Hour}
	}
	testSpoiled(t, map[string]spoiled{
		"sound": {func(c *Config) {
			c.Keys.Periods = map[string]PeriodConfig{"zek": hours(1, 3), "zpk": {Uses: 1000}}
		}, nil},
		"no such purpose": {func(c *Config) {
			c.Keys.Periods = map[string]PeriodConfig{"zmk": hours(1, 3)}
		}, []string{"keys.periods.zmk"}},
		"ends before the next one": {func(c *Config) {
			c.Keys.Periods = map[string]PeriodConfig{"zak": hours(48, 0)}
		}, []string{"keys.periods.zak.period"}},
		"window": {func(c *Config) {
			c.Keys.Periods = map[string]PeriodConfig{"zak": {Window: time.Millisecond}}
		}, []string{"keys.periods.zak.window"}},
	})
}

func TestPeriodsKeepTheDefaults(t *testing.T) {
	k := KeysConfig{Periods: map[string]PeriodConfig{"zpk": {Uses: 7, Window: time.Minute}}}
	want := keyring.DefaultPolicy(keyring.ZPK)
	want.Uses, want.Window = 7, time.Minute
	if got := k.Policy(keyring.ZPK); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := k.Policy(keyring.ZEK); got != keyring.DefaultPolicy(keyring.ZEK) {
		t.Errorf("%+v", got)
	}
}
