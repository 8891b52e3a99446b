package cardswitch

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"cardswitch/switch/standin"
)

// StandInConfig is when and how the switch decides for an issuer that is away (代行).
type StandInConfig struct {
	// Rules names the rule file: which cards, up to which amounts, and so on (package standin).
	Rules string `yaml:"rules"`
	// Agent is DE 58, who decided; left out it is the switch's own institution.
	Agent   string `yaml:"agent,omitempty"`
	Country string `yaml:"country"` // of the issuer, ISO 3166 numeric: others are foreign
	// ApprovalPrefix begins the approval codes (DE 38); the last digits of the trace number of the
	// advice that tells the issuer fill them up to six characters.
	ApprovalPrefix string `yaml:"approval_prefix,omitempty"`
	// Back is how long the issuer must be well before it decides again itself.
	Back time.Duration `yaml:"back"`
	// Unanswered: decide, too, on a request that the issuer was asked and left unanswered.
	Unanswered bool `yaml:"unanswered"`
	// ReportDeclines: tell the issuer of what was declined, too.
	ReportDeclines bool          `yaml:"report_declines"`
	Failing        FailingConfig `yaml:"failing"`
	// Begin and End are the 1804 by which the issuer itself asks for it, and no more.
	Begin []StandInSignal `yaml:"begin"`
	End   []StandInSignal `yaml:"end"`
}

// FailingConfig is when an issuer fails too often to be asked: so many time-outs and bad answers
// within a time that they are so large a share of all. One request is let through each probe, and
// after so many good answers in a row it is well.
type FailingConfig struct {
	Errors int           `yaml:"errors"`
	Share  int           `yaml:"share"` // percent
	Within time.Duration `yaml:"within"`
	Codes  []int         `yaml:"codes"` // action codes that are bad answers
	Probe  time.Duration `yaml:"probe"`
	Good   int           `yaml:"good"`
}

// StandInSignal is a network management message: its function code (DE 24) and, unless that is
// zero, its reason code (DE 25).
type StandInSignal struct {
	Function int `yaml:"function"`
	Reason   int `yaml:"reason,omitempty"`
}

func (s *StandInConfig) complete() {
	setDefault(&s.Country, "392")
	setDefault(&s.Back, 30*time.Second)
	setDefault(&s.Failing.Errors, 20)
	setDefault(&s.Failing.Share, 50)
	setDefault(&s.Failing.Within, 30*time.Second)
	setDefault(&s.Failing.Probe, 5*time.Second)
	setDefault(&s.Failing.Good, 3)
	if s.Failing.Codes == nil {
		s.Failing.Codes = []int{906, 907, 909, 911, 912}
	}
	if s.Begin == nil {
		// Target system unavailable; special instructions, stand-in by the issuer's choice.
		s.Begin = []StandInSignal{{Function: 803}, {Function: 805, Reason: standin.ByIssuersChoice}}
	}
	if s.End == nil {
		s.End = []StandInSignal{{Function: 801}}
	}
}

func (s *StandInConfig) validate(f *faults, path string) {
	f.required(path+".rules", s.Rules, "name the issuer's rule file")
	if s.Agent != "" {
		f.digits(path+".agent", s.Agent, 11)
	}
	if _, err := s.country(); err != nil {
		f.add(path+".country", `write three digits of ISO 3166 in quotes, as "392"`,
			"%q is no country", s.Country)
	}
	if len(s.ApprovalPrefix) > 3 || strings.ContainsFunc(s.ApprovalPrefix, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z')
	}) {
		f.add(path+".approval_prefix", "use at most three of 0-9 and A-Z, so that three digits follow",
			"%q is none", s.ApprovalPrefix)
	}
	f.duration(path+".back", s.Back, 100*time.Millisecond, 24*time.Hour)
	f.between(path+".failing.errors", s.Failing.Errors, 1, 100_000)
	f.between(path+".failing.share", s.Failing.Share, 1, 100)
	f.duration(path+".failing.within", s.Failing.Within, 100*time.Millisecond, time.Hour)
	f.duration(path+".failing.probe", s.Failing.Probe, 10*time.Millisecond, time.Hour)
	f.between(path+".failing.good", s.Failing.Good, 1, 1000)
	for _, code := range s.Failing.Codes {
		f.between(path+".failing.codes", code, 100, 999)
	}
	for _, signal := range slices.Concat(s.Begin, s.End) {
		f.between(path+".begin, end: function", signal.Function, 800, 899)
		f.between(path+".begin, end: reason", signal.Reason, 0, 9999)
		if signal.Function == 802 || signal.Function == 811 || signal.Function == 831 {
			f.add(path+".begin, end", "use 801, 803, 804, 805, 806 or a private one",
				"%d has its own meaning", signal.Function)
		}
	}
	for _, signal := range s.End {
		if slices.Contains(s.Begin, signal) {
			f.add(path+".end", "give each its own", "%d begins and ends it", signal.Function)
		}
	}
}

func (s *StandInConfig) country() (uint16, error) {
	n, err := strconv.ParseUint(s.Country, 10, 16)
	if err != nil || len(s.Country) != 3 {
		return 0, errors.New("a country has three digits")
	}
	return uint16(n), nil
}

// StandInRules reads the rules of an issuer from its rule file, or from text if it is given.
func (c *Config) StandInRules(center string, text []byte) (*standin.Rules, error) {
	for i := range c.Centers {
		one := &c.Centers[i]
		if one.Name != center || one.Role != RoleIssuer {
			continue
		}
		s := one.StandIn
		switch {
		case s == nil && text == nil:
			return nil, fmt.Errorf("center %s has no stand-in", center)
		case s == nil:
			s = new(StandInConfig)
			s.complete()
		}
		name := "the rules"
		if text == nil {
			name = s.Rules
			var err error
			if text, err = os.ReadFile(c.Path(s.Rules)); err != nil {
				return nil, fmt.Errorf("standin.rules: %w", err)
			}
		}
		zone, err := time.LoadLocation(one.Timezone)
		if err != nil {
			return nil, err
		}
		country, err := s.country()
		if err != nil {
			return nil, err
		}
		return standin.Parse(name, text, standin.Place{Home: country, Zone: zone})
	}
	return nil, fmt.Errorf("no issuer center is named %q", center)
}
