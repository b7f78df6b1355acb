package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"swarm-scale/lab"
)

// nodeCertificate is where an engine has its certificate of the swarm.
const nodeCertificate = "/var/lib/docker/swarm/certificates/swarm-node.crt"

// certificatesExpired gives a worker and a manager of the swarm certificates that have expired, as those of a machine that was off for months.
// Their engines give the swarm up. `up` has them join anew.
//
// Only who has the authority's key can issue such certificates. So the swarm gets another authority first, which also changes the tokens
// with which machines join.
func certificatesExpired(s *step) {
	s.ready()
	authority := s.newAuthority()
	for _, name := range []string{"frontend02", "worker01"} {
		host := s.lab.Host(name)
		before := s.identities()
		campaign := s.crowd()
		s.run(host, "service docker stop")
		authority.expire(s, host)
		s.must(host.Kill(s.ctx))
		s.must(host.Start(s.ctx))
		s.await(name+" to give the swarm up", wellTime, func() error {
			state, err := host.Docker(s.ctx, "info", "--format", "{{.Swarm.LocalNodeState}} {{.Swarm.Error}}")
			if err == nil && !strings.HasPrefix(state, "error") {
				err = errors.New("its state is " + state)
			}
			return err
		})
		// The swarm notices that the node is down only after a while.
		s.await("the swarm to miss "+name, wellTime, func() error {
			if ready, err := s.kind.ready(s.ctx); err != nil || len(ready) == len(s.kind.members()) {
				return fmt.Errorf("it lists %v: %w", ready, err)
			}
			return nil
		})
		begun := time.Now()
		s.up()
		took := time.Since(begun)
		well := s.await("the system to be well after the certificate of "+name+" expired", wellTime, s.well)
		seen := campaign.Stop()
		for _, one := range s.replaced(before) {
			if !strings.HasPrefix(one, name+"/") {
				s.Errorf("`up` replaced %s", one)
			}
		}
		s.quiet("while "+name+" was away", seen.Silence)
		s.checked("the certificate of %s expired while it was off: its engine gives the swarm up, `up` has it join anew in %.0f s, all well %.0f s later; voters: %s",
			name, took.Seconds(), well.Seconds(), seen)
		s.settle()
	}
	s.unchanged()
}

// authority issues certificates of the swarm.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// newAuthority gives the swarm an authority whose key the test has, and waits until every node has a certificate of it.
func (s *step) newAuthority() authority {
	s.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "swarm-ca"},
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(20, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	s.must(err)
	certificate, err := x509.ParseCertificate(der)
	s.must(err)
	secret, err := x509.MarshalECPrivateKey(key)
	s.must(err)
	s.run(s.lab.Host("manager"), fmt.Sprintf("cd $(mktemp -d) && printf %%s '%s' >ca.crt && (umask 077; printf %%s '%s' >ca.key) && docker swarm ca --rotate --quiet --ca-cert ca.crt --ca-key ca.key && rm ca.key",
		block("CERTIFICATE", der), block("EC PRIVATE KEY", secret)))
	return authority{certificate: certificate, key: key}
}

// block is PEM.
func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// expire replaces the certificate of a host by one that differs only in its time.
func (a authority) expire(s *step, host *lab.Host) {
	s.Helper()
	text, err := host.Run(s.ctx, "cat "+nodeCertificate)
	s.must(err)
	found, _ := pem.Decode([]byte(text))
	if found == nil {
		s.Fatalf("%s of %s is no certificate: %s", nodeCertificate, host.Name, text)
	}
	expired, err := x509.ParseCertificate(found.Bytes)
	s.must(err)
	expired.NotBefore, expired.NotAfter = time.Now().AddDate(0, -4, 0), time.Now().AddDate(0, -1, 0)
	der, err := x509.CreateCertificate(rand.Reader, expired, a.certificate, expired.PublicKey, a.key)
	s.must(err)
	s.run(host, fmt.Sprintf("printf %%s '%s' >%s", block("CERTIFICATE", der), nodeCertificate))
}
