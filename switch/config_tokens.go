package cardswitch

import (
	"fmt"
	"path/filepath"
	"time"

	"cardswitch/store/vault"
)

// VaultConfig says where the keys of the token vault are, and what it may do a second or minute.
type VaultConfig struct {
	KeyFile          string `yaml:"key_file"` // data keys, under the KEK of the key store
	RekeyPerSecond   int    `yaml:"rekey_per_second"`
	RevealsPerMinute int    `yaml:"reveals_per_minute"` // card numbers shown to people
}

func (v *VaultConfig) complete(data string) {
	setDefault(&v.KeyFile, filepath.Join(data, "vault.keys"))
	setDefault(&v.RekeyPerSecond, 2000)
	setDefault(&v.RevealsPerMinute, 10)
}

func (v *VaultConfig) validate(f *faults, path string) {
	f.required(path+".key_file", v.KeyFile, "name the file of the vault's data keys")
	f.between(path+".rekey_per_second", v.RekeyPerSecond, 1, 1_000_000)
	f.between(path+".reveals_per_minute", v.RevealsPerMinute, 1, 1000)
}

// TokensConfig is how tokens stand for card numbers, for a merchant who holds none. A token goes in
// an element of its own, both ways: answers carry it there and no card number, requests such as
// returns, completions and reversals may carry it there in the place of one.
type TokensConfig struct {
	Element int `yaml:"element,omitempty"`
	// Scope is whose tokens they are: centers that name the same one share them. It is the center's
	// name if nothing is said.
	Scope  string `yaml:"scope,omitempty"`
	Format string `yaml:"format,omitempty"` // opaque, digits
	Prefix string `yaml:"prefix,omitempty"` // of opaque ones
	// From and To are the range that digits begin with, which no issuer has. There are as many as the
	// card number has, and the last four are its own if KeepLastFour says so.
	From         string `yaml:"from,omitempty"`
	To           string `yaml:"to,omitempty"`
	KeepLastFour bool   `yaml:"keep_last_four,omitempty"`
	// SingleUse makes each answer's token another one, for one request within this time. 0: a card
	// has one token, for good.
	SingleUse time.Duration `yaml:"single_use,omitempty"`
}

// The formats of tokens, and where they are.
const (
	TokensOpaque = "opaque"
	TokensDigits = "digits"
	tokenElement = 126
)

func (t *TokensConfig) complete(center string) {
	setDefault(&t.Element, tokenElement)
	setDefault(&t.Scope, center)
	setDefault(&t.Format, TokensOpaque)
	if t.Format == TokensOpaque {
		setDefault(&t.Prefix, "tok-")
	}
}

// format is the same for the vault.
func (t *TokensConfig) format() (vault.Format, error) {
	if t.Format == TokensOpaque {
		return vault.Opaque(t.Prefix)
	}
	return vault.Preserving(t.From, t.To, t.KeepLastFour)
}

func (t *TokensConfig) validate(f *faults, path string) {
	f.oneOf(path+".format", t.Format, TokensOpaque, TokensDigits)
	if !privateElement(t.Element) {
		f.add(path+".element", "use a private one, such as 126", "%d can't hold a token", t.Element)
	}
	if len(t.Scope) > 64 {
		f.add(path+".scope", "use 64 bytes at most", "is too long")
	}
	if t.SingleUse < 0 || t.SingleUse > 366*24*time.Hour {
		f.add(path+".single_use", "use a time of a year at most", "%v is not possible", t.SingleUse)
	}
	if _, err := t.format(); err != nil {
		f.add(path, "see `cardswitch config sample`", "%s", err)
	}
	if t.Format == TokensOpaque && (t.From != "" || t.To != "" || t.KeepLastFour) {
		f.add(path, "leave from, to and keep_last_four out", "opaque tokens have no digits")
	}
}

// privateElement tells whether an element is one whose content partners agree on.
func privateElement(n int) bool {
	switch n {
	case 46, 48, 60, 61, 62, 63, 72, 104:
		return true
	}
	return n >= 120 && n <= 127
}

// validateTokens holds the elements of encrypted card data and of tokens apart.
func (c *CenterConfig) validateTokens(f *faults, path string) {
	if c.Tokens == nil {
		return
	}
	if c.Role != RoleMerchant {
		f.add(path+".tokens", "leave it out here", "is only for merchants")
	}
	c.Tokens.validate(f, path+".tokens")
	if p := c.p2pe(); p != nil && p.Element == c.Tokens.Element {
		f.add(path+".tokens.element", "use another one", "%d has the encrypted card data",
			c.Tokens.Element)
	}
}

// usesTokens tells whether any center has tokens.
func (c *Config) usesTokens() bool {
	for i := range c.Centers {
		if c.Centers[i].Tokens != nil {
			return true
		}
	}
	return false
}

// tokenProfile is a center's tokens, ready for use.
type tokenProfile struct {
	element int
	scope   string
	format  vault.Format
	life    time.Duration
}

func (t *TokensConfig) profile(known func(int) bool) (*tokenProfile, error) {
	if t == nil {
		return nil, nil
	}
	if !known(t.Element) {
		return nil, fmt.Errorf("tokens: its dialect has no element %d", t.Element)
	}
	format, err := t.format()
	return &tokenProfile{t.Element, t.Scope, format, t.SingleUse}, err
}
