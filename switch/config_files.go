package cardswitch

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"cardswitch/routing"
	"cardswitch/spec/dialect"
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
	if c.Cluster == nil {
		return parser.Parse(sources...)
	}
	parser.Destinations = append(parser.Destinations, c.Cluster.Elsewhere...)
	t, err := parser.Parse(sources...)
	if err == nil && len(c.Cluster.Shards) > 0 {
		err = t.Divides(c.shardOf)
	}
	return t, err
}

// CheckFiles reads every dialect and certificate that the configuration names, so that a link that
// couldn't start is known before it should.
func (c *Config) CheckFiles() error {
	extra, err := loadDialects(*c)
	errs := []error{err}
	for i := range c.Centers {
		center := &c.Centers[i]
		path := fmt.Sprintf("centers[%d](%s)", i, center.Name)
		if _, known := extra[center.Dialect]; !known && err == nil {
			if _, err := dialect.Builtin(center.Dialect); err != nil {
				errs = append(errs, fmt.Errorf("%s.dialect: %w", path, err))
			}
		}
		if center.StandIn != nil {
			if _, err := c.StandInRules(center.Name, nil); err != nil {
				errs = append(errs, fmt.Errorf("%s.%w", path, err))
			}
		}
		for k := range center.Links {
			link := &center.Links[k]
			if link.TLS == nil {
				continue
			}
			if err := c.checkTLS(link.TLS); err != nil {
				errs = append(errs, fmt.Errorf("%s.links[%d](%s).tls: %w", path, k, link.Name, err))
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
