package hostile

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

	cardswitch "cardswitch/switch"
)

// authority is a CA of our own, that signs into a folder.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.sign(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue signs a certificate with one DNS name for both ends of TLS.
func (a *authority) issue(t *testing.T, name, dns string) {
	t.Helper()
	a.sign(t, name, &x509.Certificate{DNSNames: []string{dns}, ExtKeyUsage: []x509.ExtKeyUsage{
		x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
}

func (a *authority) sign(t *testing.T, name string, c *x509.Certificate) (
	*x509.Certificate, *ecdsa.PrivateKey,
) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
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

// link is the setting of the switch's link, for peers of that name.
func (a *authority) link(name, peer string) *cardswitch.TLSConfig {
	return &cardswitch.TLSConfig{Cert: filepath.Join(a.dir, name+".pem"),
		Key: filepath.Join(a.dir, name+".key"), CA: filepath.Join(a.dir, "ca.pem"),
		Names: []string{peer}}
}

// pair is a peer's certificate.
func (a *authority) pair(t *testing.T, name string) tls.Certificate {
	t.Helper()
	c, err := tls.LoadX509KeyPair(filepath.Join(a.dir, name+".pem"),
		filepath.Join(a.dir, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wrongCertificates are those of merchants that connect to a TLS link.
func (y *yard) wrongCertificates(t *testing.T) {
	ours, foreign := newAuthority(t), newAuthority(t)
	ours.issue(t, "switch", "switch.test")
	ours.issue(t, "thief", "thief.test")
	foreign.issue(t, "shop", "shop.test")
	c := merchant("bad", badID)
	c.Links[0].TLS = ours.link("switch", "shop.test")
	y.configure(t, c)
	for cause, certificates := range map[string][][]tls.Certificate{
		"TLS handshake failed":   {nil, {foreign.pair(t, "shop")}},
		"wrong certificate name": {{ours.pair(t, "thief")}},
	} {
		for _, list := range certificates {
			before := y.refused("bad")[cause]
			conn := tls.Client(y.call(t).Conn, &tls.Config{Certificates: list,
				InsecureSkipVerify: true}) // the peer doesn't care who we are
			_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
			_, err := conn.Write([]byte{0, 4, '1', '8', '0', '4'})
			if err == nil {
				_, err = conn.Read(make([]byte, 1))
			}
			if err == nil {
				t.Errorf("%s: it gets in", cause)
			}
			eventually(t, cause, func() bool { return y.refused("bad")[cause] == before+1 })
		}
	}
	plain := y.call(t)
	put(plain, frame(t, plain, sale(1, cards()[0], badID)))
	eventually(t, "a plain connection is refused", func() bool {
		return y.refused("bad")["TLS handshake failed"] == 3
	})
}

// falseBank is an issuer whose certificate isn't the one that we dial for.
func (y *yard) falseBank(t *testing.T) {
	ours, foreign := newAuthority(t), newAuthority(t)
	ours.issue(t, "switch", "switch.test")
	foreign.issue(t, "bank", "bank.test")
	ours.issue(t, "thief", "thief.test")
	for _, pair := range []tls.Certificate{foreign.pair(t, "bank"), ours.pair(t, "thief")} {
		b := y.listen(t)
		c := evilBank("evil")
		c.Links[0].TLS = ours.link("switch", "bank.test")
		y.configure(t, c)
		conn := tls.Server(b.accept(t), &tls.Config{Certificates: []tls.Certificate{pair}})
		_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
		if err := conn.Handshake(); err == nil {
			if n, err := conn.Read(make([]byte, 1)); err == nil {
				t.Errorf("a false bank is sent %d bytes", n)
			}
		}
		eventually(t, "the failure is counted", func() bool {
			return y.line("evil").Counters.DialFailures > 0
		})
		y.configure(t)
		conn.Close()
		b.Close()
	}
}
