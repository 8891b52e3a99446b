package cardswitch

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sample is the smallest configuration in which nothing is wrong.
func sample() Config {
	c := Defaults()
	c.Institution = "99999000001"
	c.Routing.Files = []string{"routes.yaml"}
	c.Centers = []CenterConfig{
		{
			Name: "hq-aoyama", Role: RoleMerchant, Acquirers: []string{"12345678901"},
			Links: []LinkConfig{
				{Name: "a", Listen: "127.0.0.1:7101", From: []string{"127.0.0.0/8"}},
			},
		},
		{
			Name: "issuer-sakura", Role: RoleIssuer,
			Links: []LinkConfig{
				{Name: "primary", Dial: "127.0.0.1:7201"},
				{Name: "standby", Dial: "127.0.0.1:7202", Order: 1},
			},
		},
	}
	c.Complete()
	return c
}

// second adds another merchant center that listens where the first one does.
func second(c *Config) *CenterConfig {
	c.Centers = append(c.Centers, CenterConfig{
		Name: "hq-ginza", Role: RoleMerchant, Acquirers: []string{"22222222222"},
		Links: []LinkConfig{
			{Name: "a", Listen: "127.0.0.1:7101", From: []string{"10.0.0.0/8"}},
		},
	})
	c.Complete()
	return &c.Centers[2]
}

func TestSampleIsValid(t *testing.T) {
	c := sample()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	second(&c)
	if err := c.Validate(); err != nil {
		t.Fatalf("with a shared listener: %v", err)
	}
}

// spoiled is a configuration with something broken, and the keys that Validate must name.
type spoiled struct {
	spoil func(c *Config)
	paths []string
}

const (
	merchant = "centers[0](hq-aoyama)"
	issuer   = "centers[1](issuer-sakura)"
)

func TestValidateTop(t *testing.T) {
	testSpoiled(t, map[string]spoiled{
		"node upper case": {func(c *Config) { c.Node = "Tokyo" }, []string{"node"}},
		"institution": {func(c *Config) { c.Institution = "12a" },
			[]string{"institution"}},
		"no retention": {func(c *Config) { c.Data.RetentionDays = 0 },
			[]string{"data.retention_days"}},
		"admin address": {func(c *Config) { c.Admin.HTTP = "9583" },
			[]string{"admin.http"}},
		"log level": {func(c *Config) { c.Log.Level = "loud" },
			[]string{"log.level"}},
		"no routes": {func(c *Config) { c.Routing.Files = nil },
			[]string{"routing.files"}},
		"name upper case": {func(c *Config) { c.Centers[0].Name = "HQ" },
			[]string{"centers[0](HQ).name"}},
		"name twice": {func(c *Config) { c.Centers[1].Name = "hq-aoyama" },
			[]string{"centers[1](hq-aoyama).name"}},
		"role": {func(c *Config) { c.Centers[1].Role = "bank" },
			[]string{issuer + ".role"}},
		"timezone": {func(c *Config) { c.Centers[0].Timezone = "Local" },
			[]string{merchant + ".timezone"}},
		"window": {func(c *Config) { c.Centers[0].Window = -1 },
			[]string{merchant + ".window"}},
		"T1 equals T2": {func(c *Config) { c.Centers[0].AnswerTime = 20 * time.Second },
			[]string{merchant + ".answer_time"}},
		"no acquirer": {func(c *Config) { c.Centers[0].Acquirers = nil },
			[]string{merchant + ".acquirers"}},
		"acquirer too long": {func(c *Config) { c.Centers[0].Acquirers[0] = "123456789012" },
			[]string{merchant + ".acquirers[0]"}},
		"repeat MTI": {func(c *Config) { c.Centers[0].Messages[1] = "1201" },
			[]string{merchant + ".messages[1]"}},
		"1987 MTI": {func(c *Config) { c.Centers[0].Messages[1] = "0200" },
			[]string{merchant + ".messages[1]"}},
		"1400 is 1987 too": {func(c *Config) { c.Centers[0].Messages[1] = "1400" },
			[]string{merchant + ".messages[1]"}},
		"original": {func(c *Config) { c.Centers[0].UnknownOriginal = 25 },
			[]string{merchant + ".unknown_original"}},
	})
}

func TestValidateCenters(t *testing.T) {
	testSpoiled(t, map[string]spoiled{
		"acquirer at issuer": {func(c *Config) { c.Centers[1].Acquirers = []string{"1"} },
			[]string{issuer + ".acquirers"}},
		"saf at merchant": {func(c *Config) { c.Centers[0].SAF = &SAFConfig{} },
			[]string{merchant + ".saf"}},
		"rules element": {func(c *Config) {
			c.Centers[0].Rules.Require = map[string][]int{"1200": {65}}
		}, []string{merchant + ".rules.require.1200"}},
		"rules contradict": {func(c *Config) {
			c.Centers[0].Rules.Require = map[string][]int{"1200": {37}}
			c.Centers[0].Rules.Relax = map[string][]int{"1200": {37}}
		}, []string{merchant + ".rules.relax.1200"}},
		"code retried and shelved": {func(c *Config) {
			c.Centers[1].SAF.Shelve = append(c.Centers[1].SAF.Shelve, 911)
		}, []string{issuer + ".saf.shelve"}},
		"failover": {func(c *Config) { c.Centers[1].Failover.Errors = -1 },
			[]string{issuer + ".failover.errors"}},
	})
}

func TestValidateLinks(t *testing.T) {
	testSpoiled(t, map[string]spoiled{
		"no links": {func(c *Config) { c.Centers[1].Links = nil },
			[]string{issuer + ".links"}},
		"same order": {func(c *Config) { c.Centers[1].Links[1].Order = 0 },
			[]string{issuer + ".links[1](standby).order"}},
		"same dial": {func(c *Config) { c.Centers[1].Links[1].Dial = "127.0.0.1:7201" },
			[]string{issuer + ".links[1](standby).dial"}},
		"both addresses": {func(c *Config) { c.Centers[1].Links[1].Listen = "127.0.0.1:7300" },
			[]string{issuer + ".links[1](standby)"}},
		"anyone": {func(c *Config) { c.Centers[0].Links[0].From = nil },
			[]string{merchant + ".links[0](a).from"}},
		"range": {func(c *Config) { c.Centers[0].Links[0].From[0] = "127.0.0.1" },
			[]string{merchant + ".links[0](a).from[0]"}},
		"framing": {func(c *Config) { c.Centers[0].Links[0].Framing.Length = "vli" },
			[]string{merchant + ".links[0](a).framing.length"}},
		"four digits": {func(c *Config) {
			c.Centers[0].Links[0].Framing.Length = "ascii4"
			c.Centers[0].Links[0].MaxFrame = 10_000
		}, []string{merchant + ".links[0](a).framing.length"}},
		"header": {func(c *Config) { c.Centers[0].Links[0].Framing.Header = "60000" },
			[]string{merchant + ".links[0](a).framing.header"}},
		"read before echo": {func(c *Config) { c.Centers[0].Links[0].ReadTimeout = 70 * time.Second },
			[]string{merchant + ".links[0](a).read_timeout"}},
		"half of tls": {func(c *Config) {
			c.Centers[1].Links[0].TLS = &TLSConfig{Cert: "switch.pem"}
		}, []string{issuer + ".links[0](primary).tls.key", issuer + ".links[0](primary).tls.ca"}},
		"tls for anyone": {func(c *Config) {
			c.Centers[0].Links[0].TLS = &TLSConfig{Cert: "a", Key: "b", CA: "c"}
		}, []string{merchant + ".links[0](a).tls.names"}},
		"production": {func(c *Config) { c.Production = true }, []string{
			merchant + ".links[0](a)",
			issuer + ".links[0](primary)", issuer + ".links[1](standby)"}},
		"listens on admin": {func(c *Config) { c.Admin.HTTP = "127.0.0.1:7101" },
			[]string{merchant + ".links[0](a).listen"}},
		"shared framing": {func(c *Config) { second(c).Links[0].Framing.Inclusive = true },
			[]string{"centers[2](hq-ginza).links[0](a).framing"}},
		"shared dialect": {func(c *Config) { second(c).Dialect = "ebcdic" },
			[]string{"centers[2](hq-ginza).links[0](a)"}},
		"shared addresses": {func(c *Config) {
			other := second(c)
			other.Links[0].From = []string{"127.0.0.1/32"}
			other.Acquirers = c.Centers[0].Acquirers
		}, []string{"centers[2](hq-ginza).links[0](a)"}},
		"told apart by acquirer": {func(c *Config) {
			second(c).Links[0].From = []string{"127.0.0.1/32"}
		}, nil},
		"shared tls": {func(c *Config) {
			second(c).Links[0].TLS = &TLSConfig{Cert: "a", Key: "b", CA: "c", Names: []string{"d"}}
		}, []string{"centers[2](hq-ginza).links[0](a).tls"}},
		"several at once": {func(c *Config) {
			c.Node = ""
			c.Centers[1].Dialect = ""
			c.Centers[1].Links[1].MaxFrame = 8
		}, []string{"node", issuer + ".dialect", issuer + ".links[1](standby).max_frame"}},
	})
}

func TestValidateAccess(t *testing.T) {
	roles := func(roles map[string][]string) func(*Config) {
		return func(c *Config) { c.Access.Roles = roles }
	}
	testSpoiled(t, map[string]spoiled{
		"people": {roles(map[string][]string{"sato": {Administrator, Operator},
			"abe": {Custodian}}), nil},
		"auditor": {roles(map[string][]string{"sato": {Auditor, Viewer}}), nil},
		"two hats": {roles(map[string][]string{"sato": {Custodian, Approver}}),
			[]string{"access.roles.sato"}},
		"two hats under a third": {roles(map[string][]string{
			"sato": {Administrator, Approver, Custodian}}), []string{"access.roles.sato"}},
		"a judge of their own": {roles(map[string][]string{"sato": {Auditor, Operator}}),
			[]string{"access.roles.sato"}},
		"a role that isn't": {roles(map[string][]string{"sato": {"king"}}),
			[]string{"access.roles.sato"}},
		"a role twice": {roles(map[string][]string{"sato": {Viewer, Viewer}}),
			[]string{"access.roles.sato"}},
		"no role":  {roles(map[string][]string{"sato": nil}), []string{"access.roles.sato"}},
		"no login": {roles(map[string][]string{"S to": {Viewer}}), []string{"access.roles.S to"}},
	})
}

func TestValidateKeys(t *testing.T) {
	testSpoiled(t, map[string]spoiled{
		"defaults": {func(*Config) {}, nil},
		"no such module": {func(c *Config) { c.Keys.Module, c.Keys.Master = "abacus", "" },
			[]string{"keys.module"}},
		"a master key too many": {func(c *Config) { withToken(c); c.Keys.Master = "x" },
			[]string{"keys.master"}},
		"one file": {func(c *Config) { c.Keys.Store = c.Keys.Master }, []string{"keys"}},
		"no store": {func(c *Config) { c.Keys.Store = "" }, []string{"keys.store"}},
	})
}

func TestValidateEnvelopes(t *testing.T) {
	testSpoiled(t, map[string]spoiled{
		"production in envelopes": {func(c *Config) {
			c.Production = true
			inEnvelopes(c)
		}, nil},
		"envelope's name": {func(c *Config) {
			inEnvelopes(c)
			c.Centers[0].Links[0].Envelope.ID = "hq aoyama"
		}, []string{merchant + ".links[0](a).envelope.id"}},
		"envelope's share": {func(c *Config) {
			inEnvelopes(c)
			c.Centers[0].Links[0].Envelope.Share = "yes"
			c.Centers[0].Links[0].Envelope.Epoch = time.Millisecond
		}, []string{merchant + ".links[0](a).envelope.share",
			merchant + ".links[0](a).envelope.epoch"}},
		"no room for the envelope": {func(c *Config) {
			inEnvelopes(c)
			c.Centers[0].Links[0].MaxFrame = 65_500
		}, []string{merchant + ".links[0](a).max_frame"}},
		"two links, one key": {func(c *Config) {
			inEnvelopes(c)
			c.Centers[1].Links[1].Envelope.ID = c.Centers[1].Links[0].Envelope.ID
		}, []string{"centers[1](issuer-sakura).links[1].envelope.id"}},
		"shared envelope": {func(c *Config) {
			inEnvelopes(c)
			second(c).Links[0].Envelope = nil
		}, []string{"centers[2](hq-ginza).links[0](a).envelope"}},
		"told apart by envelope": {func(c *Config) {
			inEnvelopes(c)
			other := second(c)
			other.Acquirers = c.Centers[0].Acquirers
			other.Links[0].Envelope = &EnvelopeConfig{ID: "ginza", Share: ShareNever, Epoch: time.Hour}
		}, nil},
	})
}

// inEnvelopes gives every link an envelope.
func inEnvelopes(c *Config) {
	for i := range c.Centers {
		for k := range c.Centers[i].Links {
			c.Centers[i].Links[k].Envelope = &EnvelopeConfig{}
		}
	}
	c.Complete()
}

// testSpoiled breaks one thing after the other; Validate must name exactly that.
func testSpoiled(t *testing.T, cases map[string]spoiled) {
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			c := sample()
			test.spoil(&c)
			if diff := cmp.Diff(test.paths, faultPaths(c.Validate())); diff != "" {
				t.Errorf("paths (-want +got):\n%s\n%v", diff, c.Validate())
			}
		})
	}
}

func faultPaths(err error) []string {
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var paths []string
	for _, err := range all.Unwrap() {
		var fault *ConfigError
		if errors.As(err, &fault) {
			paths = append(paths, fault.Path)
			if fault.Hint == "" {
				paths = append(paths, "without a hint")
			}
		}
	}
	return paths
}

func TestCompleteKeepsWhatIsGiven(t *testing.T) {
	c := sample()
	c.Centers[1].SAF.Retry = []int{}
	c.Centers[1].SAF.First = time.Second
	c.Centers[0].Messages = []string{"1200"}
	c.Data.KeyFile = "/keys/data.key"
	c.Complete()
	if len(c.Centers[1].SAF.Retry) != 0 || c.Centers[1].SAF.First != time.Second {
		t.Errorf("saf changed to %+v", c.Centers[1].SAF)
	}
	if len(c.Centers[0].Messages) != 1 || c.Data.KeyFile != "/keys/data.key" {
		t.Errorf("changed to %v, %s", c.Centers[0].Messages, c.Data.KeyFile)
	}
}
