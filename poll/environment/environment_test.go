package environment_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"swarm-scale/poll/environment"
)

func reader(variables map[string]string) *environment.Reader {
	return environment.NewReader(func(key string) string { return variables[key] })
}

func TestStandardValues(t *testing.T) {
	r := reader(map[string]string{"SPACE": "  x ", "NUMBER": " 7", "MANY": "a:1, b:2"})
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
	if got := r.Host("MISSING", "pg"); got != "pg" {
		t.Errorf("a missing host is %q", got)
	}
	if got := r.Listen("MISSING", ":80"); got != ":80" {
		t.Errorf("a missing address is %q", got)
	}
	if got := r.Addresses("MANY"); !slices.Equal(got, []string{"a:1", "b:2"}) {
		t.Errorf("the addresses are %q", got)
	}
	if got := r.Addresses("MISSING", "c:3"); !slices.Equal(got, []string{"c:3"}) {
		t.Errorf("missing addresses are %q", got)
	}
	database := environment.ReadDatabase(reader(map[string]string{"POSTGRES_PASSWORD": " with spaces "}))
	if want := (environment.Database{Host: "pg", Port: 5432, User: "postgres", Database: "postgres",
		Password: " with spaces "}); database != want {
		t.Errorf("the database is %+v, want %+v", database, want)
	}
	if ballot := environment.Ballot(r); ballot.Label('a') != "Cats" || ballot.Label('b') != "Dogs" {
		t.Errorf("the ballot is %+v", ballot)
	}
	if err := r.Err(); err != nil {
		t.Errorf("good values are faults: %v", err)
	}
}

func TestFaultsNameKeyValueAndRemedy(t *testing.T) {
	tests := []struct {
		name  string
		value string
		read  func(*environment.Reader)
		wants []string // none: no fault
	}{
		{"ordinal", "01", func(r *environment.Reader) { r.Ordinal("KEY", "x") }, nil},
		{"ordinal of three digits", "123", func(r *environment.Reader) { r.Ordinal("KEY", "x") }, nil},
		{"ordinal zero", "00", func(r *environment.Reader) { r.Ordinal("KEY", "x") }, []string{"KEY", `"00"`, "01"}},
		{"ordinal of one digit", "1", func(r *environment.Reader) { r.Ordinal("KEY", "x") }, []string{"KEY", `"1"`, "01"}},
		{"ordinal with HTML", "0<b>", func(r *environment.Reader) { r.Ordinal("KEY", "x") }, []string{"KEY", `"0<b>"`, "01"}},
		{"ordinal missing", "", func(r *environment.Reader) { r.Ordinal("KEY", "this worker") }, []string{"KEY is not set", "this worker", "01"}},
		{"number too great", "10", func(r *environment.Reader) { r.Number("KEY", 1, 1, 9) }, []string{"KEY", `"10"`, "from 1 to 9"}},
		{"number in words", "ten", func(r *environment.Reader) { r.Number("KEY", 1, 1, 9) }, []string{"KEY", `"ten"`, "from 1 to 9"}},
		{"host", "db.example.com", func(r *environment.Reader) { r.Host("KEY", "pg") }, nil},
		{"host IPv6", "fe80::1", func(r *environment.Reader) { r.Host("KEY", "pg") }, nil},
		{"host with scheme", "tcp://pg", func(r *environment.Reader) { r.Host("KEY", "pg") }, []string{"KEY", `"tcp://pg"`, "pg"}},
		{"listen", "[::1]:8080", func(r *environment.Reader) { r.Listen("KEY", ":80") }, nil},
		{"listen without port", "localhost", func(r *environment.Reader) { r.Listen("KEY", ":80") }, []string{"KEY", `"localhost"`, ":80"}},
		{"listen on port 0", ":0", func(r *environment.Reader) { r.Listen("KEY", ":80") }, []string{"KEY", `":0"`, "1 to 65535"}},
		{"listen on a named port", ":http", func(r *environment.Reader) { r.Listen("KEY", ":80") }, []string{"KEY", `":http"`}},
		{"address without host", ":6379", func(r *environment.Reader) { r.Address("KEY", "x") }, []string{"KEY", `":6379"`, "redis01:6379"}},
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
	for value, want := range map[string][2]string{"01": {"worker01", "01"}, "auto": {"worker-" + host, ""}} {
		reader := environment.NewReader(func(string) string { return value })
		name, number := reader.Member("worker", "WORKER_NUMBER", "this worker")
		if err := reader.Err(); err != nil || name != want[0] || number != want[1] {
			t.Errorf("%s: %q, %q (%v), want %q", value, name, number, err, want)
		}
	}
	reader := environment.NewReader(func(string) string { return "any" })
	reader.Member("worker", "WORKER_NUMBER", "this worker")
	if err := reader.Err(); err == nil || !strings.Contains(err.Error(), `WORKER_NUMBER is "any"`) {
		t.Errorf("any: %v", err)
	}
}
