package cardswitch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"cardswitch/routing"
)

// Issuers are the names of the issuer centers in the configuration's order,
// which is the order of a routing table's destinations.
func (c *Config) Issuers() []string { return c.named(RoleIssuer) }

// Merchants are the names of the merchant centers in the configuration's order.
func (c *Config) Merchants() []string { return c.named(RoleMerchant) }

func (c *Config) named(role string) []string {
	var names []string
	for i := range c.Centers {
		if c.Centers[i].Role == role {
			names = append(names, c.Centers[i].Name)
		}
	}
	return names
}

// Routes reads the routing files into one table. The error names every fault
// with its file and line.
func (c *Config) Routes() (*routing.Table, error) {
	var sources []routing.Source
	for _, name := range c.Routing.Files {
		text, err := os.ReadFile(c.Path(name))
		if err != nil {
			return nil, fmt.Errorf("routing.files: %w; the name is relative to %q", err, c.Dir)
		}
		sources = append(sources, routing.Source{Name: c.Path(name), Text: text})
	}
	parser := routing.Parser{Destinations: c.Issuers(), Merchants: c.Merchants()}
	return parser.Parse(sources...)
}

// CheckFiles reads every certificate that the configuration names, so that a
// link that couldn't start is known before it should.
func (c *Config) CheckFiles() error {
	var errs []error
	for i := range c.Centers {
		for k := range c.Centers[i].Links {
			link := &c.Centers[i].Links[k]
			if link.TLS == nil {
				continue
			}
			path := fmt.Sprintf("centers[%d](%s).links[%d](%s).tls",
				i, c.Centers[i].Name, k, link.Name)
			if err := c.checkTLS(link.TLS); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", path, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (c *Config) checkTLS(t *TLSConfig) error {
	if _, err := tls.LoadX509KeyPair(c.Path(t.Cert), c.Path(t.Key)); err != nil {
		return fmt.Errorf("cert and key: %w", err)
	}
	authority, err := os.ReadFile(c.Path(t.CA))
	if err != nil {
		return fmt.Errorf("ca: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(authority) {
		return fmt.Errorf("ca: %s holds no certificate in PEM", c.Path(t.CA))
	}
	return nil
}
