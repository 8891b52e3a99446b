package link

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"
)

// secrets are what TLS needs, read from files.
type secrets struct {
	server, client *tls.Config
	names          []string
	notAfter       time.Time // of our certificate
	print          string
}

// load reads the files. Anything missing or unreadable is an error: there is no way back to plain.
func (t *TLS) load(dial string) (*secrets, error) {
	cert, errCert := os.ReadFile(t.Cert)
	key, errKey := os.ReadFile(t.Key)
	ca, errCA := os.ReadFile(t.CA)
	if err := errors.Join(errCert, errKey, errCA); err != nil {
		return nil, fmt.Errorf("read the TLS files: %w; cert, key and ca must all be there", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", t.Cert, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("ca %s holds no certificate; write PEM", t.CA)
	}
	names := t.Names
	if host, _, err := net.SplitHostPort(dial); len(names) == 0 && err == nil {
		names = []string{host}
	}
	if len(names) == 0 {
		return nil, errors.New("no names; list the DNS names the peer's certificate may have")
	}
	sum := sha256.Sum256(slices.Concat(cert, key, ca))
	s := &secrets{names: names, print: fmt.Sprintf("|%x|%q", sum, names)}
	s.notAfter = pair.Leaf.NotAfter
	s.server = &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{pair},
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              pool,
		SessionTicketsDisabled: true,
		// Batches are large: small first records would only cost system calls.
		DynamicRecordSizingDisabled: true,
	}
	s.client = s.server.Clone()
	s.client.ServerName = names[0]
	// The library checks one name only, so its check is replaced: the same, for any of the names.
	s.client.InsecureSkipVerify = true
	s.client.VerifyConnection = func(state tls.ConnectionState) error {
		return verifyServer(&state, pool, names)
	}
	return s, nil
}

func verifyServer(state *tls.ConnectionState, pool *x509.CertPool, names []string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server showed no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	leaf := state.PeerCertificates[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between}); err != nil {
		return err
	}
	if !bearsAny(leaf, names) {
		return WrongName
	}
	return nil
}

// bearsAny says whether the certificate has one of the names, or addresses.
func bearsAny(leaf *x509.Certificate, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		if ip := net.ParseIP(name); ip != nil {
			return slices.ContainsFunc(leaf.IPAddresses, ip.Equal)
		}
		return slices.ContainsFunc(leaf.DNSNames, func(bears string) bool {
			return strings.EqualFold(bears, name)
		})
	})
}
