package environment_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"swarm-scale/poll/environment"
	"swarm-scale/test/certificatetest"
)

func reader(variables map[string]string) *environment.Reader {
	return environment.NewReader(func(key string) string { return variables[key] })
}

func TestValuesAndStandards(t *testing.T) {
	r := reader(map[string]string{"SPACE": "  x ", "NUMBER": " 7", "ONE": " a:1 ", "MANY": "a:1, b:2\nc:3\n"})
	if got := r.Text("SPACE", "s"); got != "x" {
		t.Errorf("space around a value stays: %q", got)
	}
	if got := r.Text("MISSING", "s"); got != "s" {
		t.Errorf("a missing text is %q", got)
	}
	if got := r.Number("NUMBER", 1, 1, 9); got != 7 {
		t.Errorf("the number is %d", got)
	}
	if got := r.Number("MISSING", 3, 1, 9); got != 3 {
		t.Errorf("a missing number is %d", got)
	}
	if got := r.Hosts("MISSING", "pg"); !slices.Equal(got, []string{"pg"}) {
		t.Errorf("a missing host is %q", got)
	}
	if got := r.Listen("MISSING", ":80"); got != ":80" {
		t.Errorf("a missing address is %q", got)
	}
	if got := r.Address("ONE", "x"); got != "a:1" {
		t.Errorf("the address is %q", got)
	}
	if got := r.Addresses("MANY", "x"); !slices.Equal(got, []string{"a:1", "b:2", "c:3"}) {
		t.Errorf("the addresses are %q", got)
	}
	database := environment.ReadDatabase(reader(map[string]string{"POSTGRES_PASSWORD": " with spaces "}), environment.WorkerRole)
	if want := (environment.Database{Servers: []string{"pg:5432"}, User: "vote_worker", Database: "postgres",
		Password: " with spaces "}); !reflect.DeepEqual(database, want) {
		t.Errorf("the database is %+v, want %+v", database, want)
	}
	if ballot := environment.Ballot(r); ballot.Label('a') != "Cats" || ballot.Label('b') != "Dogs" {
		t.Errorf("the ballot is %+v", ballot)
	}
	if err := r.Err(); err != nil {
		t.Errorf("good values are faults: %v", err)
	}
}

// The URL of a database that somebody else keeps, and what goes with it, comes from files like any secret.
func TestDatabaseByURL(t *testing.T) {
	folder := t.TempDir()
	authority := certificatetest.NewAuthority(t).PEM
	url, ca := filepath.Join(folder, "url"), filepath.Join(folder, "ca")
	write(t, url, "postgresql://poll:hu%20sh@a.example.org,b.example.org:6432/votes?sslmode=verify-full\n")
	write(t, ca, authority)
	r := reader(map[string]string{"POSTGRES_URL_FILE": url, "POSTGRES_CA_FILE": ca})
	want := environment.Database{Servers: []string{"a.example.org:5432", "b.example.org:6432"}, User: "poll", Database: "votes", Password: "hu sh",
		TLS: true, Authorities: strings.TrimSpace(authority)}
	if got := environment.ReadDatabase(r, environment.ResultsRole); r.Err() != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the database is %+v (%v), want %+v", got, r.Err(), want)
	}
	const good = "postgres://u:hush@db/votes"
	for name, test := range map[string]struct {
		variables map[string]string
		want      []string
	}{
		"by the system's authorities": {map[string]string{"POSTGRES_URL": good}, nil},
		"a wrong URL":                 {map[string]string{"POSTGRES_URL": "postgres://u:hush@db?sslmode=require"}, []string{"POSTGRES_URL (not shown) names no database: write it as", "POSTGRES_URL (not shown) has sslmode=require"}},
		"a wrong authority":           {map[string]string{"POSTGRES_URL": good, "POSTGRES_CA": "hush"}, []string{"POSTGRES_CA (not shown) has no certificate in it: give the PEM"}},
		"an authority alone":          {map[string]string{"POSTGRES_PASSWORD": "hush", "POSTGRES_CA": "hush"}, []string{"POSTGRES_CA is set without POSTGRES_URL: leave it out"}},
		"both ways": {map[string]string{"POSTGRES_URL": good, "POSTGRES_PASSWORD": "hush", "POSTGRES_HOST": "pg"},
			[]string{"POSTGRES_URL and POSTGRES_HOST are both set: leave POSTGRES_HOST out", "POSTGRES_URL and POSTGRES_PASSWORD are both set"}},
		"no such file": {map[string]string{"POSTGRES_URL_FILE": filepath.Join(folder, "none")}, []string{"POSTGRES_URL_FILE is"}},
	} {
		r := reader(test.variables)
		environment.ReadDatabase(r, environment.WorkerRole)
		var lines []string
		if err := r.Err(); err != nil {
			lines = strings.Split(err.Error(), "\n")
		}
		if len(lines) != len(test.want) {
			t.Errorf("%s: the faults are %q, want %d", name, lines, len(test.want))
			continue
		}
		for i, line := range lines {
			if !strings.HasPrefix(line, test.want[i]) || strings.Contains(line, "hush") {
				t.Errorf("%s: the fault is %q, want %q", name, line, test.want[i])
			}
		}
	}
}

func TestFaultsNameKeyValueAndRemedy(t *testing.T) {
	tests := []struct {
		name  string
		value string
		read  func(*environment.Reader)
		wants []string // none: no fault
	}{
		{"member", "01", func(r *environment.Reader) { r.Member("worker", "KEY", "x") }, nil},
		{"member of three digits", "123", func(r *environment.Reader) { r.Member("worker", "KEY", "x") }, nil},
		{"member zero", "00", func(r *environment.Reader) { r.Member("worker", "KEY", "x") }, []string{"KEY", `"00"`, "01"}},
		{"member of one digit", "1", func(r *environment.Reader) { r.Member("worker", "KEY", "x") }, []string{"KEY", `"1"`, "01"}},
		{"member with HTML", "0<b>", func(r *environment.Reader) { r.Member("worker", "KEY", "x") }, []string{"KEY", `"0<b>"`, "01"}},
		{"member in words", "any", func(r *environment.Reader) { r.Member("worker", "KEY", "x") }, []string{"KEY", `"any"`, "01"}},
		{"member missing", "", func(r *environment.Reader) { r.Member("worker", "KEY", "this worker") }, []string{"KEY is not set", "this worker", "01"}},
		{"number too great", "10", func(r *environment.Reader) { r.Number("KEY", 1, 1, 9) }, []string{"KEY", `"10"`, "from 1 to 9"}},
		{"number in words", "ten", func(r *environment.Reader) { r.Number("KEY", 1, 1, 9) }, []string{"KEY", `"ten"`, "from 1 to 9"}},
		{"host", "db.example.com", func(r *environment.Reader) { r.Hosts("KEY", "pg") }, nil},
		{"hosts", "pg, fe80::1\npg02", func(r *environment.Reader) { r.Hosts("KEY", "pg") }, nil},
		{"host twice", "pg pg", func(r *environment.Reader) { r.Hosts("KEY", "pg") }, []string{"KEY", `"pg" twice`}},
		{"no host", ",", func(r *environment.Reader) { r.Hosts("KEY", "pg") }, []string{"KEY", `","`, "pg"}},
		{"host IPv6", "fe80::1", func(r *environment.Reader) { r.Hosts("KEY", "pg") }, nil},
		{"host with scheme", "tcp://pg", func(r *environment.Reader) { r.Hosts("KEY", "pg") }, []string{"KEY", `"tcp://pg"`, "pg"}},
		{"listen", "[::1]:8080", func(r *environment.Reader) { r.Listen("KEY", ":80") }, nil},
		{"listen without port", "localhost", func(r *environment.Reader) { r.Listen("KEY", ":80") }, []string{"KEY", `"localhost"`, ":80"}},
		{"listen on port 0", ":0", func(r *environment.Reader) { r.Listen("KEY", ":80") }, []string{"KEY", `":0"`, "1 to 65535"}},
		{"listen on a named port", ":http", func(r *environment.Reader) { r.Listen("KEY", ":80") }, []string{"KEY", `":http"`}},
		{"address without host", ":6379", func(r *environment.Reader) { r.Address("KEY", "x") }, []string{"KEY", `":6379"`, "redis01:6379"}},
		{"address missing", "", func(r *environment.Reader) { r.Address("KEY", "the queue") }, []string{"KEY is not set", "the queue", "redis01:6379"}},
		{"addresses twice", "a:1 b:2,a:1", func(r *environment.Reader) { r.Addresses("KEY", "x") }, []string{"KEY", `"a:1" twice`}},
		{"addresses without port", "a:1 redis02", func(r *environment.Reader) { r.Addresses("KEY", "x") }, []string{"KEY", `"redis02"`, "redis01:6379"}},
		{"addresses that are none", ",", func(r *environment.Reader) { r.Addresses("KEY", "x") }, []string{"KEY", `","`, "redis01:6379"}},
		{"addresses missing", "", func(r *environment.Reader) { r.Addresses("KEY", "the queues") }, []string{"KEY is not set", "the queues", "redis01:6379 redis02:6379"}},
		{"key", "MDEyMzQ1Njc=", func(r *environment.Reader) { r.Key("KEY", "a key", 8) }, nil},
		{"key too short", "MDEy", func(r *environment.Reader) { r.Key("KEY", "a key", 8) }, []string{"KEY (not shown) has 3 bytes", "openssl rand -base64 8"}},
		{"key not base64", "secret!", func(r *environment.Reader) { r.Key("KEY", "a key", 8) }, []string{"KEY (not shown, 7 characters)", "openssl"}},
		{"secret missing", "", func(r *environment.Reader) { r.Secret("KEY", "the password") }, []string{"KEY is not set", "the password"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := reader(map[string]string{"KEY": test.value})
			test.read(r)
			err := r.Err()
			if test.wants == nil {
				if err != nil {
					t.Errorf("%q is a fault: %v", test.value, err)
				}
				return
			}
			if err == nil {
				t.Fatalf("%q is no fault", test.value)
			}
			for _, want := range test.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the fault is %q, want %q in it", err, want)
				}
			}
			if strings.HasPrefix(test.name, "key") && strings.Contains(err.Error(), test.value) {
				t.Errorf("the fault shows the secret: %v", err)
			}
		})
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	r := reader(map[string]string{"A": "x", "B": "y"})
	r.Number("A", 1, 1, 2)
	r.Number("B", 1, 1, 2)
	r.Fault(nil)
	if lines := strings.Split(r.Err().Error(), "\n"); len(lines) != 2 {
		t.Errorf("the faults are %q, want two lines", lines)
	}
}

func TestMember(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{"01": "worker01", "auto": "worker-" + host} {
		r := reader(map[string]string{"WORKER_NUMBER": value})
		if name := r.Member("worker", "WORKER_NUMBER", "this worker"); r.Err() != nil || name != want {
			t.Errorf("%s: %q (%v), want %q", value, name, r.Err(), want)
		}
	}
}

func TestEveryVariableMayComeFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "value")
	for content, want := range map[string]string{"x": "x", "x\n": "x", "x\r\n": "x", " x \n\n": " x \n", "x\r": "x\r"} {
		write(t, path, content)
		r := reader(map[string]string{"KEY_FILE": path})
		if got := r.Secret("KEY", "x"); got != want || r.Err() != nil {
			t.Errorf("the content %q is the value %q (%v), want %q", content, got, r.Err(), want)
		}
	}
	for kind, test := range map[string]struct {
		content string
		read    func(*environment.Reader) any
		want    any
	}{
		"text":      {"x\n", func(r *environment.Reader) any { return r.Text("KEY", "standard") }, "x"},
		"set":       {"x\n", func(r *environment.Reader) any { return r.Set("KEY") }, true},
		"key":       {"MDEyMzQ1Njc=\n", func(r *environment.Reader) any { return string(r.Key("KEY", "x", 8)) }, "01234567"},
		"member":    {"02\n", func(r *environment.Reader) any { return r.Member("worker", "KEY", "x") }, "worker02"},
		"number":    {"7\n", func(r *environment.Reader) any { return r.Number("KEY", 1, 1, 9) }, 7},
		"hosts":     {"pg\npg02\n", func(r *environment.Reader) any { return strings.Join(r.Hosts("KEY", "x"), "+") }, "pg+pg02"},
		"listen":    {":81\n", func(r *environment.Reader) any { return r.Listen("KEY", ":80") }, ":81"},
		"address":   {"a:1\n", func(r *environment.Reader) any { return r.Address("KEY", "x") }, "a:1"},
		"addresses": {"a:1\nb:2\n", func(r *environment.Reader) any { return len(r.Addresses("KEY", "x")) }, 2},
	} {
		write(t, path, test.content)
		r := reader(map[string]string{"KEY_FILE": path})
		if got := test.read(r); got != test.want || r.Err() != nil || !r.FromFile("KEY") {
			t.Errorf("%s: %v (%v), want %v", kind, got, r.Err(), test.want)
		}
	}
}

// A file that is of no use is one fault, not a second one because the variable then has no value.
func TestFileFaults(t *testing.T) {
	folder := t.TempDir()
	empty, good, missing := filepath.Join(folder, "empty"), filepath.Join(folder, "good"), filepath.Join(folder, "missing")
	write(t, empty, "\n")
	write(t, good, "hush-hush\n")
	for name, test := range map[string]struct {
		variables map[string]string
		want      []string
	}{
		"both set": {map[string]string{"KEY": "x", "KEY_FILE": good}, []string{"KEY and KEY_FILE are both set"}},
		"missing":  {map[string]string{"KEY_FILE": missing}, []string{"KEY_FILE is", missing, "no such file", "or set KEY"}},
		"a folder": {map[string]string{"KEY_FILE": folder}, []string{"KEY_FILE is", folder, "is a directory"}},
		"empty":    {map[string]string{"KEY_FILE": empty}, []string{"KEY_FILE is", empty, "is empty"}},
	} {
		r := reader(test.variables)
		for range 2 { // however often it is read
			r.Secret("KEY", "the password")
			r.Text("KEY", "")
			r.Key("KEY", "a key", 8)
			r.Addresses("KEY", "the queues")
		}
		err := r.Err()
		if err == nil || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: the faults are %v, want one, without the content", name, err)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the fault is %q, want %q in it", name, err, want)
			}
		}
	}
}

func TestAgainReadsFilesAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "value")
	write(t, path, "a")
	first := reader(map[string]string{"KEY_FILE": path})
	if got := first.Text("KEY", ""); got != "a" {
		t.Errorf("read %q", got)
	}
	write(t, path, "b")
	if got := first.Text("KEY", ""); got != "a" {
		t.Errorf("one reader read %q after a, want one value", got)
	}
	if got := first.Again().Text("KEY", ""); got != "b" {
		t.Errorf("read %q again, want b", got)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
