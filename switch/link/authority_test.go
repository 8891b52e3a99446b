package link

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority is a CA of our own, that signs into a folder.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.sign(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign writes name.pem and name.key. Without a CA yet, the certificate signs itself.
func (a *authority) sign(t testing.TB, name string, c *x509.Certificate) (
	*x509.Certificate, *ecdsa.PrivateKey,
) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	c.Subject = pkix.Name{CommonName: name}
	// Bubbles begin in the year 2000.
	c.NotBefore = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: der},
		name + ".key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		err := os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(block), 0o600)
		if err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// issue signs a certificate for both ends of TLS.
func (a *authority) issue(t testing.TB, name string, dns ...string) {
	t.Helper()
	a.sign(t, name, &x509.Certificate{DNSNames: dns, ExtKeyUsage: []x509.ExtKeyUsage{
		x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
}

// tls is the setting of a link with that certificate, for peers of those names.
func (a *authority) tls(name string, names ...string) *TLS {
	file := func(name string) string { return filepath.Join(a.dir, name) }
	return &TLS{Cert: file(name + ".pem"), Key: file(name + ".key"), CA: file("ca.pem"), Names: names}
}

// server is what a center of that certificate listens with.
func (a *authority) server(t testing.TB, name string) *tls.Config {
	t.Helper()
	s, err := a.tls(name, "switch").load("")
	if err != nil {
		t.Fatal(err)
	}
	return s.server
}

// peer is what a center of that certificate uses itself.
func (a *authority) peer(t testing.TB, name string) *tls.Config {
	t.Helper()
	s, err := a.tls(name, "switch").load("")
	if err != nil {
		t.Fatal(err)
	}
	return s.client
}
