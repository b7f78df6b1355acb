// Package certificatetest makes certificates for tests.
package certificatetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// Authority signs certificates. Those of one hour are enough for a test.
type Authority struct {
	PEM string // its own certificate

	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// NewAuthority returns an authority that nobody knows.
func NewAuthority(t testing.TB) Authority {
	t.Helper()
	key := newKey(t)
	template := certificate(1)
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	content := sign(t, template, template, key, key)
	own, err := x509.ParseCertificate(content)
	if err != nil {
		t.Fatal(err)
	}
	return Authority{PEM: inPEM("CERTIFICATE", content), key: key, certificate: own}
}

// Sign returns a certificate for a server of that name, and its key, both in PEM.
func (a Authority) Sign(t testing.TB, host string) (server, key string) {
	t.Helper()
	private := newKey(t)
	template := certificate(2)
	template.DNSNames, template.ExtKeyUsage = []string{host}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	text, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return inPEM("CERTIFICATE", sign(t, template, a.certificate, private, a.key)), inPEM("PRIVATE KEY", text)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func certificate(number int64) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(number), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
}

func sign(t testing.TB, template, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	content, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), byKey)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func inPEM(kind string, content []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
}
