package keys

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"cardswitch/hsm"
	"cardswitch/hsm/keyring/master"
	"cardswitch/hsm/payshield"
	"cardswitch/hsm/pkcs11"
	"cardswitch/hsm/soft"
	"cardswitch/hsm/split"
	cardswitch "cardswitch/switch"
)

// unitsWait is how long a start waits for the first of the payment HSMs.
const unitsWait = 15 * time.Second

// Check says why the modules of a configuration couldn't be opened, as far as files and this build
// tell.
func Check(c *cardswitch.Config) error {
	var errs []error
	if c.Keys.Has(cardswitch.ModulePKCS11) {
		if err := pkcs11.Available(); err != nil {
			errs = append(errs, fmt.Errorf("keys.module: %w", err))
		}
		if _, err := os.Stat(c.Path(c.Keys.PKCS11.Library)); err != nil {
			errs = append(errs, fmt.Errorf("keys.pkcs11.library: %w", err))
		}
		if _, err := os.Stat(c.Path(c.Keys.PKCS11.PINFile)); err != nil {
			errs = append(errs, fmt.Errorf("keys.pkcs11.pin_file: %w", err))
		}
	}
	if c.Keys.Module == cardswitch.ModulePayShield {
		if _, err := payShieldConfig(c, nil); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// module opens the modules of a configuration, as one.
func module(ctx context.Context, c *cardswitch.Config, o *Options) (hsm.Module, error) {
	switch c.Keys.Module {
	case cardswitch.ModulePKCS11:
		return token(c)
	case cardswitch.ModulePayShield:
		return besideUnits(ctx, c, o)
	}
	return inProcess(c, o)
}

func profile(c *cardswitch.Config) hsm.Profile {
	if c.Production {
		return hsm.Production
	}
	return hsm.Test
}

// inProcess is the soft module with its master key.
func inProcess(c *cardswitch.Config, o *Options) (hsm.Module, error) {
	where := masterOptions(c, o.Passphrase)
	key, err := master.Read(where)
	switch {
	case errors.Is(err, master.ErrAbsent) && c.Production:
		return nil, ErrNoMaster
	case errors.Is(err, master.ErrAbsent):
		key, err = master.Create(where)
	}
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	return soft.New(key, profile(c))
}

// TokenConfig is the token of a configuration.
func TokenConfig(c *cardswitch.Config) pkcs11.Config {
	p := c.Keys.PKCS11
	return pkcs11.Config{Library: c.Path(p.Library), Token: p.Token, PINFile: c.Path(p.PINFile),
		Label: p.Label, Sessions: p.Sessions, MACInProcess: p.MACInProcess, Profile: profile(c)}
}

func token(c *cardswitch.Config) (hsm.Module, error) {
	m, err := pkcs11.Open(TokenConfig(c))
	if err != nil {
		return nil, fmt.Errorf("keys.pkcs11: %w", err)
	}
	return m, nil
}

// besideUnits is payment HSMs with another module for the keys that they have no commands for.
func besideUnits(ctx context.Context, c *cardswitch.Config, o *Options) (hsm.Module, error) {
	config, err := payShieldConfig(c, o)
	if err != nil {
		return nil, err
	}
	open := inProcess
	if c.Keys.PayShield.Beside == cardswitch.ModulePKCS11 {
		open = func(c *cardswitch.Config, _ *Options) (hsm.Module, error) { return token(c) }
	}
	beside, err := open(c, o)
	if err != nil {
		return nil, err
	}
	units, err := payshield.New(config)
	if err != nil {
		return nil, errors.Join(err, beside.Close())
	}
	m := split.New(units, beside)
	ctx, cancel := context.WithTimeout(ctx, unitsWait)
	defer cancel()
	if err := units.Ready(ctx); err != nil {
		for _, u := range units.Status() {
			if u.LastError != "" {
				err = fmt.Errorf("%w; %s: %s", err, u.Name, u.LastError)
			}
		}
		return nil, errors.Join(fmt.Errorf("keys.payshield: %w (hint: does a unit listen there, with "+
			"this header, LMK and TLS? its console shows them)", err), m.Close())
	}
	return m, nil
}

func payShieldConfig(c *cardswitch.Config, o *Options) (payshield.Config, error) {
	p := &c.Keys.PayShield
	config := payshield.Config{Header: p.Header, LMK: p.LMK, LMKCheck: p.LMKCheck,
		KSNDescriptor: p.KSNDescriptor, Limits: payshield.Limits{Connections: p.Connections,
			Timeout: p.Timeout, KeyTimeout: p.KeyTimeout, Connect: p.Connect}}
	if o != nil {
		config.Logger = o.Logger
	}
	for i, address := range p.Units {
		unit := payshield.Unit{Address: address}
		if p.Secure() {
			name, _, _ := net.SplitHostPort(address)
			if i < len(p.TLS.Names) {
				name = p.TLS.Names[i]
			}
			var err error
			if unit.TLS, err = unitTLS(c, name); err != nil {
				return config, fmt.Errorf("keys.payshield.tls: %w", err)
			}
		}
		config.Units = append(config.Units, unit)
	}
	return config, nil
}

// unitTLS is TLS with certificates on both sides. Units have 1.2 at least; what they have of 1.3
// differs by firmware.
func unitTLS(c *cardswitch.Config, name string) (*tls.Config, error) {
	files := &c.Keys.PayShield.TLS
	own, err := tls.LoadX509KeyPair(c.Path(files.Cert), c.Path(files.Key))
	if err != nil {
		return nil, fmt.Errorf("cert and key: %w", err)
	}
	text, err := os.ReadFile(c.Path(files.CA))
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	authority := x509.NewCertPool()
	if !authority.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca: %s holds no certificate in PEM", c.Path(files.CA))
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name, RootCAs: authority,
		Certificates: []tls.Certificate{own}}, nil
}
