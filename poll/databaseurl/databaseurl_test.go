package databaseurl_test

import (
	"encoding/pem"
	"errors"
	"reflect"
	"strings"
	"testing"

	"swarm-scale/poll/databaseurl"
	"swarm-scale/test/certificatetest"
)

func TestURLsThatAreRead(t *testing.T) {
	for text, want := range map[string]databaseurl.Database{
		"postgresql://poll:hush@db.example.org:6432/votes":                     {Servers: []string{"db.example.org:6432"}, User: "poll", Password: "hush", Name: "votes"},
		"postgres://poll:hush@db.example.org/votes":                            {Servers: []string{"db.example.org:5432"}, User: "poll", Password: "hush", Name: "votes"},
		"postgres://poll:hush@db.example.org/votes?sslmode=verify-full":        {Servers: []string{"db.example.org:5432"}, User: "poll", Password: "hush", Name: "votes"},
		"postgresql://a%40b:%3A%2F%3F%23%25%40%20+é:x@DB1,10.0.0.7:6,[::1]/v1": {Servers: []string{"db1:5432", "10.0.0.7:6", "[::1]:5432"}, User: "a@b", Password: ":/?#%@ +é:x", Name: "v1"},
		"postgres://u:p@a:1,b:2/v%2Fw?target_session_attrs=read-write&sslmode=verify-full": {
			Servers: []string{"a:1", "b:2"}, User: "u", Password: "p", Name: "v/w"},
	} {
		if got, err := databaseurl.Parse(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v (%v), want %+v", text, got, err, want)
		}
	}
}

// Whatever is wrong, the password is not shown, also where a special character of it has put its parts elsewhere.
func TestFaultsOfURLs(t *testing.T) {
	for text, want := range map[string]string{
		"":                                         "malformed is not a URL of PostgreSQL",
		"host=db password=hush":                    "malformed is not a URL of PostgreSQL",
		"mysql://u:hush@db/votes":                  "malformed is not a URL of PostgreSQL",
		"postgres:u:hush@db/votes":                 "malformed is not a URL of PostgreSQL",
		"postgres://db/votes":                      "missing has no user and no password",
		"postgres://u@db/votes":                    "missing has no password",
		"postgres://u:@db/votes":                   "missing has no password",
		"postgres://:hush@db/votes":                "missing has no user",
		"postgres://u:hush@/votes":                 "missing names no host",
		"postgres://u:hush@:5432/votes":            "missing names no host",
		"postgres://u:hush@a,,b/votes":             "missing names no host",
		"postgres://u:hush@a:1,a:1/votes":          "malformed names a host twice",
		"postgres://u:hush@db:0/votes":             "malformed has a port that is none",
		"postgres://u:hush@db:65536/votes":         "malformed has a port that is none",
		"postgres://u:hush@db:pg/votes":            "malformed has a port that is none",
		"postgres://u:hush@::1/votes":              "missing names no host",
		"postgres://u:hush@fe80::1/votes":          "malformed has a port that is none",
		"postgres://u:hush@[10.0.0.1]/votes":       "malformed has a host that is neither an address nor a host name",
		"postgres://u:hush@[::1]5/votes":           "malformed has a host that is neither an address nor a host name",
		"postgres://u:hush@%2Frun%2Fpg/votes":      "malformed has a host that is neither an address nor a host name",
		"postgres://u:hush@db":                     "missing names no database",
		"postgres://u:hush@db/":                    "missing names no database",
		"postgres://u:hush@db/?sslmode=disable":    "missing names no database, insecure has sslmode=disable",
		"postgres://u:hush@db/a/b":                 "malformed has a / in the name of the database",
		"postgres://u:hush@db/v?sslmode=require":   "insecure has sslmode=require",
		"postgres://u:hush@db/v?sslmode=verify-ca": "insecure has sslmode=verify-ca",
		"postgres://u:hush@db/v?sslmode=hush":      "malformed has an sslmode that is none",
		"postgres://u:hush@db/v?sslrootcert=/ca":   "malformed has the parameter sslrootcert",
		"postgres://u:hush@db/v?options=-c%20hush": "malformed has the parameter options",
		"postgres://u:hush@db/v?hush=1":            "malformed has a parameter that PostgreSQL does not know",
		"postgres://u:hush%4@db/votes":             "malformed has a % in the password",
		"postgres://u:hush%0A@db/votes":            "malformed has characters in the password that cannot be printed",
		"postgres://u:hu sh@db/votes":              "malformed has a character that no URL of a database has",
		// Passwords that are not encoded.
		"postgres://u:hush@hush@db/votes": "malformed has more than one @",
		"postgres://u:hush/x@db/votes":    "missing has no user and no password, malformed has a port that is none, malformed has a / in the name of the database",
		"postgres://u:1?hush@db/votes":    "missing has no user and no password, missing names no database, malformed has a parameter that PostgreSQL does not know",
		"postgres://u:x@1?hush@db/votes":  "malformed has a host that is neither an address nor a host name, missing names no database, malformed has a parameter that PostgreSQL does not know",
		"postgres://u:1#hush@db/votes":    "malformed has a character that no URL of a database has",
	} {
		_, err := databaseurl.Parse(text)
		faults, ok := errors.AsType[databaseurl.Faults](err)
		if !ok {
			t.Errorf("%q: %v, want faults", text, err)
			continue
		}
		wants := strings.Split(want, ", ")
		if len(faults) != len(wants) {
			t.Errorf("%q: %v, want %d faults", text, err, len(wants))
			continue
		}
		for i, fault := range faults {
			if shown := string(fault.Kind) + " " + fault.Error(); !strings.HasPrefix(shown, wants[i]) || fault.Remedy == "" || strings.Contains(shown, "hush") || strings.Contains(shown, "%!") {
				t.Errorf("%q: %s, want %s", text, shown, wants[i])
			}
		}
	}
}

func TestAuthorities(t *testing.T) {
	one, other := certificatetest.NewAuthority(t).PEM, certificatetest.NewAuthority(t).PEM
	block := func(kind string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("hush")}))
	}
	for name, test := range map[string]struct {
		text, want string // empty: no fault
	}{
		"one":                     {one, ""},
		"two, with a remark":      {"# the first\n" + one + "# the second\n" + other, ""},
		"with the ends of lines":  {strings.ReplaceAll(one, "\n", "\r\n"), ""},
		"none":                    {"/etc/ssl/ca.pem", "has no certificate in it"},
		"one that is cut off":     {one[:len(one)/2], "has no certificate in it"},
		"one that is none":        {one + block("CERTIFICATE"), "has a certificate, number 2, that cannot be read"},
		"a key":                   {block("EC PRIVATE KEY"), "has a private key in it"},
		"a certificate and a key": {one + block("PRIVATE KEY"), "has a private key in it"},
		"a request":               {block("CERTIFICATE REQUEST"), "has something else than certificates in it"},
	} {
		pool, err := databaseurl.Authorities(test.text)
		switch {
		case test.want == "" && (err != nil || pool == nil):
			t.Errorf("%s: %v", name, err)
		case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "hush")):
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
