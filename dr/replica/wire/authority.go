package wire

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Authority signs the certificates of one cluster's nodes. Its key makes nodes: keep it apart.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// certificateYears is how long certificates are valid. A cluster that nobody tends shouldn't stop
// by itself, and one that is tended issues new ones sooner.
const certificateYears = 10

// NewAuthority makes one for a cluster.
func NewAuthority(cluster string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: serial(),
		Subject: pkix.Name{CommonName: authorityOf + cluster},
		IsCA:    true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:  x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(certificateYears, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{cert, key}, err
}

// authorityOf stands before the cluster's name in the authority's certificate.
const authorityOf = "cardswitch cluster "

// Cluster is the name of the authority's cluster.
func (a *Authority) Cluster() string {
	return strings.TrimPrefix(a.cert.Subject.CommonName, authorityOf)
}

func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return new(big.Int).SetBytes(b[:])
}

// ParseAuthority reads what PEM wrote.
func ParseAuthority(cert, key []byte) (*Authority, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA {
		return nil, errors.New("it is no authority's certificate")
	}
	return &Authority{pair.Leaf, signer}, nil
}

// PEM is the certificate and the key, each as a file's text.
func (a *Authority) PEM() (cert, key []byte, err error) {
	key, err = keyPEM(a.key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), key, err
}

func keyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

// nodeName is what a certificate says of its bearer.
func nodeName(cluster string, node uint64) *url.URL {
	return &url.URL{Scheme: "cardswitch", Host: url.PathEscape(cluster),
		Path: "/node/" + strconv.FormatUint(node, 10)}
}

// Issue makes a node's key and certificate, as PEM.
func (a *Authority) Issue(cluster string, node uint64) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{SerialNumber: serial(),
		Subject:     pkix.Name{CommonName: fmt.Sprintf("node %d of %s", node, cluster)},
		URIs:        []*url.URL{nodeName(cluster, node)},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: a.cert.NotAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyPEM(private)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key, err
}

// Identity is what a node proves itself with.
type Identity struct {
	own   tls.Certificate
	roots *x509.CertPool
}

// NewIdentity takes a certificate, its key and that of the authority, as PEM.
func NewIdentity(cert, key, ca []byte) (*Identity, error) {
	own, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the authority's file holds no certificate")
	}
	i := &Identity{own, roots}
	if err := i.trusts(own.Leaf, nil); err != nil {
		return nil, fmt.Errorf("the node's certificate: %w", err)
	}
	return i, nil
}

// NotAfter is when the node's certificate ends.
func (i *Identity) NotAfter() time.Time { return i.own.Leaf.NotAfter }

// trusts checks a certificate against the cluster's authority.
func (i *Identity) trusts(leaf *x509.Certificate, more []*x509.Certificate) error {
	between := x509.NewCertPool()
	for _, c := range more {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: i.roots, Intermediates: between,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err
}

// proven is the node of the cluster that the other end has proven to be, 0 if it is none.
func (i *Identity) proven(state *tls.ConnectionState, cluster string) uint64 {
	if len(state.PeerCertificates) == 0 {
		return 0
	}
	leaf := state.PeerCertificates[0]
	if i.trusts(leaf, state.PeerCertificates[1:]) != nil || len(leaf.URIs) != 1 {
		return 0
	}
	var node uint64
	path := leaf.URIs[0].Path
	if n, err := fmt.Sscanf(path, "/node/%d", &node); n != 1 || err != nil {
		return 0
	}
	if leaf.URIs[0].String() != nodeName(cluster, node).String() {
		return 0
	}
	return node
}

// protocols binds a connection to its group. A node has one certificate for all of them, and the
// line that names the group goes ahead in clear: whoever changed it on the way would have the
// messages of one group taken by another.
func protocols(group string) []string {
	if group == "" {
		return nil
	}
	return []string{"cardswitch/" + group}
}

// server asks for a certificate. Whether it is good is judged with the hello, so that who is
// refused is told why.
func (i *Identity) server(group string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{i.own},
		ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true,
		NextProtos: protocols(group), DynamicRecordSizingDisabled: true}
}

// client takes none but one node of the cluster.
func (i *Identity) client(cluster, group string, node uint64) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{i.own},
		NextProtos: protocols(group), DynamicRecordSizingDisabled: true,
		// The names in these certificates are nodes, not hosts, so the library's check is replaced.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if is := i.proven(&state, cluster); is != node {
				return fmt.Errorf("who answers isn't node %d of cluster %q by its certificate; "+
					"see cluster.members and the certificates", node, cluster)
			}
			return nil
		}}
}
