package cardswitch

import (
	"cmp"
	"fmt"
	"slices"

	"cardswitch/spec"
	"cardswitch/switch/settle"
)

// SettlementConfig is how the positions of a business day are made.
type SettlementConfig struct {
	// Fees are looked through in order: of those between the same two sides the first that fits a
	// merchant center and an issuer counts.
	Fees []FeeConfig `yaml:"fees,omitempty"`
}

// FeeConfig is what one side of a transaction pays the other, or the switch.
type FeeConfig struct {
	Merchant string `yaml:"merchant,omitempty"` // a center's name; "": any
	Issuer   string `yaml:"issuer,omitempty"`
	From     string `yaml:"from"` // merchant, issuer or switch
	To       string `yaml:"to"`
	PerMille string `yaml:"per_mille,omitempty"` // of sales less returns, as "12.5"
	PerItem  int    `yaml:"per_item,omitempty"`  // for each sale and return, in the smallest unit
	Payments []int  `yaml:"payments,omitempty"`  // payment divisions (支払区分) that it is for; none: all
	Round    string `yaml:"round,omitempty"`     // half (default), down, up
}

func (c *Config) validateFees(f *faults) {
	for i := range c.Settlement.Fees {
		fee, path := &c.Settlement.Fees[i], fmt.Sprintf("settlement.fees[%d]", i)
		sides := []string{settle.PartyMerchant, settle.PartyIssuer, settle.PartySwitch}
		f.oneOf(path+".from", fee.From, sides...)
		f.oneOf(path+".to", fee.To, sides...)
		if fee.From == fee.To {
			f.add(path+".to", "name the other side", "%q pays itself", fee.From)
		}
		c.validateParty(f, path+".merchant", fee.Merchant, RoleMerchant)
		c.validateParty(f, path+".issuer", fee.Issuer, RoleIssuer)
		if _, err := settle.ParseRate(fee.perMille()); err != nil {
			f.add(path+".per_mille", `write it as "12.5"`, "%q is no rate per mille", fee.PerMille)
		}
		f.between(path+".per_item", fee.PerItem, 0, 1_000_000)
		for _, division := range fee.Payments {
			if spec.PaymentName(division) == "" {
				f.add(path+".payments", "use 10, 21-25, 31-34, 61-63 or 80",
					"%d is no payment division", division)
			}
		}
		f.oneOf(path+".round", cmp.Or(fee.Round, settle.RoundHalf), settle.RoundHalf,
			settle.RoundDown, settle.RoundUp)
	}
}

func (c *Config) validateParty(f *faults, path, name, role string) {
	is := func(center CenterConfig) bool { return center.Name == name && center.Role == role }
	if name != "" && !slices.ContainsFunc(c.Centers, is) {
		f.add(path, "name one of the centers, or leave it out for any", "no %s is named %q", role,
			name)
	}
}

func (f *FeeConfig) perMille() string {
	if f.PerMille == "" {
		return "0"
	}
	return f.PerMille
}

// fees are the same for use. They were validated.
func (c *SettlementConfig) fees() (out []settle.Fee) {
	for i := range c.Fees {
		f := &c.Fees[i]
		rate, err := settle.ParseRate(f.perMille())
		if err != nil {
			continue
		}
		fee := settle.Fee{Merchant: f.Merchant, Issuer: f.Issuer, From: f.From, To: f.To,
			Rate: rate, PerItem: int64(f.PerItem), Round: f.Round}
		for _, division := range f.Payments {
			fee.Payments = append(fee.Payments, uint8(division))
		}
		out = append(out, fee)
	}
	return out
}
