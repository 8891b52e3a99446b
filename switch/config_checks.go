package cardswitch

// ChecksConfig is how the switch asks issuers of its own accord whether cards are valid
// (有効性チェック): with an 1100 of function code 108, which moves nothing.
type ChecksConfig struct {
	Processing string `yaml:"processing"` // DE 3; 3xxxxx is an inquiry
	Category   string `yaml:"category"`   // DE 26
	// InFlight is how many of them wait for one issuer, beside the window, which is for others.
	InFlight int `yaml:"in_flight"`
	Rate     int `yaml:"rate"` // a second at most, whoever asks for more
}

func (c *ChecksConfig) complete() {
	setDefault(&c.Processing, "330000")
	setDefault(&c.Category, "6012")
	setDefault(&c.InFlight, 8)
	setDefault(&c.Rate, 1000)
}

func (c *ChecksConfig) validate(f *faults, path string) {
	f.digits(path+".processing", c.Processing, 6)
	f.digits(path+".category", c.Category, 4)
	if len(c.Processing) != 6 {
		f.add(path+".processing", "write six digits, as 330000", "is no processing code")
	}
	if len(c.Category) != 4 {
		f.add(path+".category", "write four digits, as 6012", "is no business code")
	}
	f.between(path+".in_flight", c.InFlight, 1, 1000)
	f.between(path+".rate", c.Rate, 1, 100_000)
}

// checksName is the center that asks them. It has no links, and no other may have its name.
const checksName = "validity-check"

// checksCenter is its configuration.
func (c *Config) checksCenter() CenterConfig {
	own := CenterConfig{Name: checksName, Role: RoleMerchant, Acquirers: []string{c.Institution},
		Messages: []string{"1100"}}
	own.complete()
	return own
}
