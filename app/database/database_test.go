package database_test

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	"swarm-scale/app/database"
)

func of(stores ...string) database.Database {
	return database.Database{
		Stores: stores, Etcd: []string{"etcd01", "etcd02", "etcd03"}, Data: "/data", Roles: []string{"vote_worker", "results_app"}, Name: "postgres",
	}
}

// A commit is in two stores. With two of them, the one that is left goes on alone; with three, never.
func TestCommitsAreInTwoStores(t *testing.T) {
	for _, test := range []struct {
		stores []string
		mode   any
		strict bool
	}{
		{[]string{"pg", "pg02"}, true, false},
		{[]string{"pg", "pg02", "pg03"}, "quorum", true},
	} {
		var dynamic struct {
			TTL, LoopWait, RetryTimeout int
			Mode                        any  `json:"synchronous_mode"`
			Strict                      bool `json:"synchronous_mode_strict"`
			Count                       int  `json:"synchronous_node_count"`
			Lag                         *int `json:"maximum_lag_on_failover"`
		}
		if err := json.Unmarshal([]byte(of(test.stores...).Dynamic()), &dynamic); err != nil {
			t.Fatal(err)
		}
		if dynamic.Mode != test.mode || dynamic.Strict != test.strict || dynamic.Count != 1 || dynamic.Lag == nil || *dynamic.Lag != 0 {
			t.Errorf("%d stores: %+v", len(test.stores), dynamic)
		}
	}
}

// The programs' roles log in with passwords, the stores with certificates, and nobody else at all.
func TestNobodyElseLogsIn(t *testing.T) {
	var patroni struct {
		Name       string
		Etcd3      struct{ Hosts []string }
		REST       map[string]string `json:"restapi"`
		PostgreSQL struct {
			Access []string `json:"pg_hba"`
			Map    []string `json:"pg_ident"`
		}
	}
	text := of("pg", "pg02").Patroni("pg02")
	if err := json.Unmarshal([]byte(text), &patroni); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"local all postgres peer",
		"local replication replicator peer map=stores",
		"hostssl replication replicator all cert map=stores",
		"hostssl all postgres,rewinder all cert map=stores",
		"host postgres vote_worker,results_app all scram-sha-256",
	}
	if !slices.Equal(patroni.PostgreSQL.Access, want) {
		t.Errorf("who logs in:\n%s", strings.Join(patroni.PostgreSQL.Access, "\n"))
	}
	for _, line := range patroni.PostgreSQL.Map {
		if certificate := strings.Fields(line)[1]; certificate != "store" && line != "stores postgres replicator" {
			t.Errorf("the map has %q", line)
		}
	}
	if patroni.Name != "pg02" || patroni.REST["connect_address"] != "pg02:8008" || patroni.REST["verify_client"] != "required" ||
		!slices.Equal(patroni.Etcd3.Hosts, []string{"etcd01:2379", "etcd02:2379", "etcd03:2379"}) {
		t.Errorf("Patroni is told:\n%s", text)
	}
	if strings.Contains(text, "password") {
		t.Errorf("the configuration has a password:\n%s", text)
	}
}

func TestMembersTalkByCertificatesAlone(t *testing.T) {
	arguments := of("pg").EtcdArguments("etcd02")
	for _, want := range []string{"--name=etcd02", "--client-cert-auth", "--peer-client-cert-auth", "--advertise-client-urls=https://etcd02:2379", "--initial-advertise-peer-urls=https://etcd02:2380"} {
		if !slices.Contains(arguments, want) {
			t.Errorf("%s is not among %q", want, arguments)
		}
	}
	for _, argument := range arguments {
		if strings.Contains(argument, "http://") && argument != "--listen-metrics-urls=http://127.0.0.1:2381" {
			t.Errorf("%s is without TLS", argument)
		}
		if strings.HasPrefix(argument, "--initial-cluster") || strings.HasPrefix(argument, "--force") {
			t.Errorf("%s is for etcd-member.sh to say", argument)
		}
	}
	if got := of("pg").Endpoints(); got != "https://etcd01:2379,https://etcd02:2379,https://etcd03:2379" {
		t.Errorf("etcdctl asks %s", got)
	}
}

var seed = []byte("a seed that has enough bytes to be one")

func filesOf(t *testing.T, seed []byte, make func(*database.Authority, string) ([]database.File, error), name string) map[string]string {
	t.Helper()
	authority, err := database.NewAuthority(seed)
	if err != nil {
		t.Fatal(err)
	}
	files, err := make(authority, name)
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]string{}
	for _, file := range files {
		byName[file.Name] = file.Content
	}
	return byName
}

func certificate(t *testing.T, text string) *x509.Certificate {
	t.Helper()
	block, rest := pem.Decode([]byte(text))
	if block == nil || len(rest) > 0 {
		t.Fatalf("not one PEM block:\n%s", text)
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestCertificatesAreTheSameAndVerify holds that the same secrets make the same files, that others make others, and that each certificate is
// good for what it is for, now and in fifty years, and for nothing else.
func TestCertificatesAreTheSameAndVerify(t *testing.T) {
	store, member := (*database.Authority).Store, (*database.Authority).Member
	first, again := filesOf(t, seed, store, "pg"), filesOf(t, slices.Clone(seed), store, "pg")
	others := []map[string]string{filesOf(t, seed, store, "pg02"), filesOf(t, seed, member, "etcd01"), filesOf(t, []byte("another seed that has enough bytes"), store, "pg")}
	if len(first) != 5 {
		t.Fatalf("%d files, want 5", len(first))
	}
	for name, text := range first {
		if again[name] != text {
			t.Errorf("%s is another one the second time", name)
		}
		if strings.Contains(text, string(seed)) {
			t.Errorf("%s has the seed in it", name)
		}
		for i, other := range others {
			if other[name] == text && name != database.CAFile {
				t.Errorf("%s is the same as of another container or stack (%d)", name, i)
			}
		}
	}
	if first[database.CAFile] != others[1][database.CAFile] || first[database.CAFile] == others[2][database.CAFile] {
		t.Error("the containers of one stack have one authority, and those of another one have another")
	}
	ca := certificate(t, first[database.CAFile])
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for _, test := range []struct {
		files                        map[string]string
		certificate, key             string
		subject, name                string
		serves, calls, hasAnyoneName bool
	}{
		{first, database.ServerFile, database.ServerKeyFile, "pg", "pg", true, true, true},
		{first, database.ClientFile, database.ClientKeyFile, "store", "", false, true, false},
		{others[1], database.ServerFile, database.ServerKeyFile, "etcd01", "etcd01", true, true, true},
		{others[1], database.ClientFile, database.ClientKeyFile, "etcd", "", false, true, false},
	} {
		one := certificate(t, test.files[test.certificate])
		if _, err := tls.X509KeyPair([]byte(test.files[test.certificate]), []byte(test.files[test.key])); err != nil {
			t.Errorf("%s: %v", test.subject, err)
		}
		for usage, want := range map[x509.ExtKeyUsage]bool{x509.ExtKeyUsageServerAuth: test.serves, x509.ExtKeyUsageClientAuth: test.calls} {
			for _, at := range []time.Time{time.Now(), time.Now().AddDate(50, 0, 0)} {
				_, err := one.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{usage}, DNSName: test.name})
				if (err == nil) != want {
					t.Errorf("%s: verifying it for %v: %v", test.subject, usage, err)
				}
			}
		}
		if one.Subject.CommonName != test.subject || (len(one.DNSNames) > 0) != test.hasAnyoneName || one.IsCA {
			t.Errorf("%s: %v, %v", test.subject, one.Subject, one.DNSNames)
		}
		if _, isEd25519 := one.PublicKey.(ed25519.PublicKey); !isEd25519 {
			t.Errorf("%s has a key of another kind, whose signatures differ each time", test.subject)
		}
	}
}
