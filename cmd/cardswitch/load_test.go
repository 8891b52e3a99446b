package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	cardswitch "cardswitch/switch"
)

// The sample is the list of keys that exist, so it must have every field of the
// configuration, and the configuration every key of the sample.
func TestSampleHasEveryKey(t *testing.T) {
	issuer := cardswitch.CenterConfig{
		Name: "a", Role: cardswitch.RoleIssuer, ForwardingID: true, Institution: "1",
		Links: []cardswitch.LinkConfig{{Name: "a", Dial: "a:1", Warm: true,
			SignOnEarly: true}},
		StandIn: &cardswitch.StandInConfig{Agent: "1", ApprovalPrefix: "S",
			End: []cardswitch.StandInSignal{{Function: 801, Reason: 1}}},
		Negative: &cardswitch.NegativeConfig{Period: time.Hour, Layout: cardswitch.LayoutConfig{
			Columns: []string{"pan"}, Separator: ",", Fields: map[string]string{"pan": "1"},
			Header: "H", Trailer: "T", Count: "1", Sum: "1", Luhn: true}},
		Reconciliation: &cardswitch.ReconciliationConfig{Checkpoint: 1,
			Holidays: []string{"2027-01-01"}},
	}
	merchant := cardswitch.CenterConfig{
		Name: "b", Role: cardswitch.RoleMerchant, FormatNotification: true,
		Acquirers: []string{"1"}, Forwarders: []string{"1"},
		Security: &cardswitch.SecurityConfig{PIN: &cardswitch.PINConfig{},
			MAC:  &cardswitch.MACConfig{Elements: []int{0}, Required: []string{"1200"}},
			P2PE: &cardswitch.P2PEConfig{Scheme: cardswitch.P2PEAES, KeySets: []string{"1234"}}},
		Tokens: &cardswitch.TokensConfig{Format: "digits", Prefix: "t", From: "1", To: "2",
			KeepLastFour: true, SingleUse: 1},
		Rules: cardswitch.RulesConfig{
			Require: map[string][]int{"1200": {37}}, Relax: map[string][]int{"1200": {43}}},
		Links: []cardswitch.LinkConfig{{
			Name: "a", Listen: "a:1", From: []string{"a"}, TLS: &cardswitch.TLSConfig{},
			Envelope: &cardswitch.EnvelopeConfig{}}},
	}
	config := cardswitch.Config{Centers: []cardswitch.CenterConfig{issuer, merchant},
		Access: cardswitch.AccessConfig{Roles: map[string][]string{"sato": {"viewer"}}}}
	config.Keys.Periods = map[string]cardswitch.PeriodConfig{"zek": {Rotate: 1, Uses: 1, Period: 1,
		Window: 1}}
	config.Settlement.Fees = []cardswitch.FeeConfig{{Merchant: "b", Issuer: "a", PerMille: "1",
		PerItem: 1}}
	config.Drills = cardswitch.DrillsConfig{Scratch: "s", Calendar: []cardswitch.DrillRule{{}}}
	config.Cluster = &cardswitch.ClusterConfig{Members: []cardswitch.MemberConfig{{}},
		Shards: []cardswitch.ShardConfig{{}}}
	config.Complete()
	text, err := yaml.Marshal(&config)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := parseYAML("config", text)
	if err != nil {
		t.Fatal(err)
	}
	if err := knownKeys().check("config", tree); err != nil {
		t.Errorf("the sample lacks:\n%v", err)
	}
	sample := knownKeys()
	// Any MTI may stand there.
	sample["keys"]["periods"] = nameTree{"zek": sample["keys"]["periods"][open]}
	sample["access"]["roles"] = nameTree{"sato": nil}
	sample["centers"]["negative"]["layout"]["fields"] = nameTree{"pan": nil}
	sample["centers"]["rules"] = nameTree{"require": {"1200": nil}, "relax": {"1200": nil}}
	if missing := missing(sample, keysOf(tree), ""); len(missing) > 0 {
		t.Errorf("the configuration lacks %v", missing)
	}
}

func missing(want, got nameTree, path string) []string {
	var list []string
	for name, below := range want {
		there, ok := got[name]
		if !ok {
			list = append(list, path+name)
			continue
		}
		list = append(list, missing(below, there, path+name+".")...)
	}
	return list
}

func TestNearest(t *testing.T) {
	among := nameTree{"listen": nil, "dial": nil, "order": nil}
	for name, want := range map[string]string{
		"lisen": "listen", "Listen": "listen", "dail": "dial", "colour": "", "ordre": "order",
	} {
		if got := nearest(name, among); got != want {
			t.Errorf("nearest to %s is %q, want %q", name, got, want)
		}
	}
}

// Whatever stands in the file, it is refused with a word or understood; and what `config show` then
// prints means the same as what was read.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(sampleConfig))
	f.Add([]byte("node: tokyo-1\ncenters:\n  - {name: a, role: issuer, answer_time: 2s}"))
	f.Add([]byte("centers: {name: a}\ndata: [1]"))
	f.Add([]byte("centers: [{links: [{tls: {names: [a]}}], rules: {require: {\"1200\": [37]}}}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		flags := pflag.NewFlagSet("fuzz", pflag.ContinueOnError)
		first, err := assemble(flags, "fuzz.yaml", text)
		if err != nil {
			return
		}
		// A fault must be found without falling over it.
		_ = first.Validate()
		shown, err := yaml.Marshal(&first.Config)
		if err != nil {
			t.Fatal(err)
		}
		second, err := assemble(flags, "fuzz.yaml", shown)
		if err != nil {
			t.Fatalf("%v in what was shown:\n%s", err, shown)
		}
		again, err := yaml.Marshal(&second.Config)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(shown), string(again)); diff != "" {
			t.Error(diff)
		}
	})
}
