package database

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// The files of a container's certificates, in its folder of secrets.
const (
	CAFile        = "ca.crt"
	ServerFile    = "server.crt" // for those who call it by its name
	ServerKeyFile = "server.key"
	ClientFile    = "client.crt" // by which it is known where it calls
	ClientKeyFile = "client.key"
)

// What clients' certificates say. PostgreSQL lets only stores in by them.
const (
	storeClient = "store"
	etcdClient  = "etcd"
)

// Certificates are valid from the first day to the last one. They are never renewed: whoever knows the secrets that they are made of can make
// them, so that an early end would protect from nothing.
var (
	firstDay = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	lastDay  = time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC)
)

// File is a file with a certificate or a private key, in PEM.
type File struct{ Name, Content string }

// Authority signs the certificates of the stores and of etcd's members. The same seed makes the same certificates, bit for bit.
type Authority struct {
	seed        []byte
	certificate *x509.Certificate
	key         ed25519.PrivateKey
	pem         string
}

// NewAuthority makes an authority from a seed of 32 bytes or more that nobody can guess.
func NewAuthority(seed []byte) (*Authority, error) {
	a := &Authority{seed: seed}
	var err error
	if a.key, err = a.keyOf("authority"); err != nil {
		return nil, err
	}
	template := template(a.key, "swarm-scale database")
	template.IsCA, template.KeyUsage, template.MaxPathLenZero = true, x509.KeyUsageCertSign, true
	signed, err := x509.CreateCertificate(nil, template, template, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("the database's certificate authority: %w", err)
	}
	if a.certificate, err = x509.ParseCertificate(signed); err != nil {
		return nil, fmt.Errorf("the database's certificate authority: %w", err)
	}
	a.pem = encode("CERTIFICATE", signed)
	return a, nil
}

// Store returns the files of a store with that name.
func (a *Authority) Store(name string) ([]File, error) { return a.files(name, storeClient) }

// Member returns the files of a member of etcd with that name.
func (a *Authority) Member(name string) ([]File, error) { return a.files(name, etcdClient) }

func (a *Authority) files(name, client string) ([]File, error) {
	files := []File{{CAFile, a.pem}}
	for _, one := range []struct {
		purpose, subject, certificate, key string
		names                              []string
	}{
		{"server " + name, name, ServerFile, ServerKeyFile, []string{name, "localhost"}},
		// Without a name in it: etcd would ask whether the name leads to the caller's address.
		{"client " + client + " " + name, client, ClientFile, ClientKeyFile, nil},
	} {
		key, err := a.keyOf(one.purpose)
		if err != nil {
			return nil, err
		}
		template := template(key, one.subject)
		template.DNSNames = one.names
		template.KeyUsage = x509.KeyUsageDigitalSignature
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		if one.names != nil { // etcd's members call each other, and themselves, with their servers' certificates
			template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		}
		signed, err := x509.CreateCertificate(nil, template, a.certificate, key.Public(), a.key)
		if err != nil {
			return nil, fmt.Errorf("the certificate of %s: %w", name, err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("the key of %s: %w", name, err)
		}
		files = append(files, File{one.certificate, encode("CERTIFICATE", signed)}, File{one.key, encode("PRIVATE KEY", private)})
	}
	return files, nil
}

// keyOf derives the key for a purpose. Ed25519 signs without chance.
func (a *Authority) keyOf(purpose string) (ed25519.PrivateKey, error) {
	seed, err := hkdf.Key(sha256.New, a.seed, nil, "swarm-scale "+purpose, ed25519.SeedSize)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of %s: %w", purpose, err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// template returns what every certificate has. Nothing in it is left to chance, or to the version of Go.
func template(key ed25519.PrivateKey, subject string) *x509.Certificate {
	id := sha256.Sum256(key.Public().(ed25519.PublicKey))
	return &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(id[:16]),
		SubjectKeyId:          id[:20],
		Subject:               pkix.Name{CommonName: subject},
		NotBefore:             firstDay,
		NotAfter:              lastDay,
		BasicConstraintsValid: true,
	}
}

func encode(kind string, content []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}))
}
