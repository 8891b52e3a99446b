package cardswitch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestValidateStandIn(t *testing.T) {
	with := func(change func(*StandInConfig)) func(*Config) {
		return func(c *Config) {
			s := &StandInConfig{Rules: "standin.yaml"}
			c.Centers[1].StandIn = s
			c.Complete()
			change(s)
		}
	}
	const at = issuer + ".standin"
	testSpoiled(t, map[string]spoiled{
		"defaults": {with(func(*StandInConfig) {}), nil},
		"all of it": {with(func(s *StandInConfig) {
			s.Agent, s.Country, s.ApprovalPrefix = "12345678901", "840", "S1Z"
			s.Begin, s.End = []StandInSignal{{806, 0}}, []StandInSignal{{801, 0}, {805, 1001}}
		}), nil},
		"no rules": {with(func(s *StandInConfig) { s.Rules = "" }), []string{at + ".rules"}},
		"agent":    {with(func(s *StandInConfig) { s.Agent = "x" }), []string{at + ".agent"}},
		"country":  {with(func(s *StandInConfig) { s.Country = "JP" }), []string{at + ".country"}},
		"prefix": {with(func(s *StandInConfig) { s.ApprovalPrefix = "ab" }),
			[]string{at + ".approval_prefix"}},
		"long prefix": {with(func(s *StandInConfig) { s.ApprovalPrefix = "ABCD" }),
			[]string{at + ".approval_prefix"}},
		"back": {with(func(s *StandInConfig) { s.Back = time.Millisecond }), []string{at + ".back"}},
		"failing": {with(func(s *StandInConfig) {
			s.Failing = FailingConfig{Errors: -1, Share: 101, Within: time.Millisecond,
				Codes: []int{99}, Probe: time.Millisecond, Good: -1}
		}), []string{at + ".failing.errors", at + ".failing.share", at + ".failing.within",
			at + ".failing.probe", at + ".failing.good", at + ".failing.codes"}},
		"a sign-off begins": {with(func(s *StandInConfig) { s.Begin = []StandInSignal{{802, 0}} }),
			[]string{at + ".begin, end"}},
		"one for both": {with(func(s *StandInConfig) { s.Begin = []StandInSignal{{801, 0}} }),
			[]string{at + ".end"}},
		"of a merchant": {func(c *Config) {
			c.Centers[0].StandIn = &StandInConfig{Rules: "x"}
		}, []string{merchant + ".standin"}},
	})
}

// A rule file that can't be read, or makes no sense, is known before a start.
func TestRuleFilesAreChecked(t *testing.T) {
	c := sample()
	c.Dir = t.TempDir()
	c.Complete()
	c.Centers[1].StandIn = &StandInConfig{Rules: "standin.yaml"}
	c.Complete()
	if err := c.CheckFiles(); err == nil || !strings.Contains(err.Error(), "standin.yaml") {
		t.Errorf("a missing file: %v", err)
	}
	file := filepath.Join(c.Dir, "standin.yaml")
	if err := os.WriteFile(file, []byte("rules: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.CheckFiles(); err == nil || !strings.Contains(err.Error(), "there are none") {
		t.Errorf("no rules: %v", err)
	}
}
