package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cardswitch "cardswitch/switch"
)

// certificate writes a certificate for an address, of its own, and its key.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"unit-b"}, IsCA: true,
		BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestUnitsByTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	c := configuration(dir)
	c.Dir = dir
	c.Keys.Module = cardswitch.ModulePayShield
	c.Keys.PayShield = cardswitch.PayShieldConfig{Units: []string{"127.0.0.1:1", "10.0.0.1:1"},
		Beside: cardswitch.ModuleSoft, Header: 6, LMK: "01", Timeout: time.Minute,
		TLS: cardswitch.TLSConfig{Cert: "cert.pem", Key: "key.pem", CA: "cert.pem",
			Names: []string{"127.0.0.1", "unit-b"}}}
	if err := Check(c); err != nil {
		t.Fatal(err)
	}
	config, err := payShieldConfig(c, nil)
	if err != nil || config.Header != 6 || config.LMK != "01" || config.Limits.Timeout != time.Minute {
		t.Fatalf("%+v, %v", config, err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(pair.Leaf)
	server := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert}
	for _, unit := range config.Units {
		if err := shake(t, server, unit.TLS); err != nil {
			t.Errorf("%s: %v", unit.Address, err)
		}
	}
	config.Units[1].TLS.ServerName = "unit-c"
	if err := shake(t, server, config.Units[1].TLS); err == nil {
		t.Error("a unit of another name is taken")
	}
	for _, spoil := range []func(p *cardswitch.TLSConfig){
		func(p *cardswitch.TLSConfig) { p.CA = "key.pem" },
		func(p *cardswitch.TLSConfig) { p.CA = "missing" },
		func(p *cardswitch.TLSConfig) { p.Key = "missing" },
	} {
		bad := *c
		spoil(&bad.Keys.PayShield.TLS)
		if err := Check(&bad); err == nil || !strings.Contains(err.Error(), "keys.payshield.tls") {
			t.Error(err)
		}
	}
}

// shake shakes hands over loopback.
func shake(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	done := make(chan error, 1)
	go func() {
		far, err := listener.Accept()
		if err == nil {
			defer far.Close()
			err = tls.Server(far, server).HandshakeContext(t.Context())
		}
		done <- err
	}()
	near, err := tls.Dial("tcp", listener.Addr().String(), client)
	if err == nil {
		near.Close()
	}
	return errors.Join(err, <-done)
}

// In production the module beside the units waits for the ceremony of its master key, as alone.
func TestBesideUnitsTheMasterKeyComesFirst(t *testing.T) {
	c := configuration(t.TempDir())
	c.Production = true
	c.Keys.Module = cardswitch.ModulePayShield
	c.Keys.PayShield = cardswitch.PayShieldConfig{Units: []string{"127.0.0.1:1"},
		Beside: cardswitch.ModuleSoft}
	_, err := Open(t.Context(), c, Options{Logger: slog.New(slog.DiscardHandler),
		Passphrase: bytes.Repeat([]byte("w"), 20)})
	if !errors.Is(err, ErrNoMaster) {
		t.Error(err)
	}
}
