package postgres_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarm-scale/poll"
	"swarm-scale/poll/postgres"
	"swarm-scale/test/certificatetest"
	"swarm-scale/test/eventually"
	"swarm-scale/test/postgrestest"
)

// systemsServer is the variable with the server that a second run of TestDatabaseProvesItsName is to recognise by the system's authorities.
const systemsServer = "TEST_SYSTEMS_SERVER"

// A database that somebody else keeps is used only if it proves to be the one that was named: by a certificate of a known authority, for the
// host by which it is called. Nothing makes the programs do without.
func TestDatabaseProvesItsName(t *testing.T) {
	if server := os.Getenv(systemsServer); server != "" {
		address := postgres.Address{Servers: []string{server}, User: "postgres", Database: "postgres", Password: postgrestest.Password, TLS: true}
		if _, err := newScoreboard(t, address).Tally(t.Context()); err != nil {
			t.Error(err)
		}
		return
	}
	server, plain := postgrestest.Start(t), postgrestest.Start(t)
	known, stranger := certificatetest.NewAuthority(t), certificatetest.NewAuthority(t)
	certificate, key := known.Sign(t, "localhost")
	server.Encrypt(t, certificate, key)
	hand := server.Connect(t, "postgres")
	eventually.Succeeds(t, patience, "the server offers TLS", func() error {
		var on string
		err := hand.QueryRow(t.Context(), "SHOW ssl").Scan(&on)
		if err == nil && on != "on" {
			err = errors.New("it is " + on)
		}
		return err
	})
	byName, byAddress := fmt.Sprintf("localhost:%d", server.Port), server.Address()
	for name, test := range map[string]struct {
		servers     []string
		authorities string
		refused     string // what the error says; empty: the server is used
	}{
		"its authority and name":         {[]string{byName}, known.PEM, ""},
		"one of two authorities":         {[]string{byName}, stranger.PEM + known.PEM, ""},
		"another name":                   {[]string{byAddress}, known.PEM, "cannot validate certificate for 127.0.0.1"},
		"another authority":              {[]string{byName}, stranger.PEM, "certificate signed by unknown authority"},
		"the system's authorities":       {[]string{byName}, "", "certificate signed by unknown authority"},
		"no TLS":                         {[]string{fmt.Sprintf("localhost:%d", plain.Port)}, known.PEM, "server refused TLS"},
		"the second of two":              {[]string{byAddress, byName}, known.PEM, ""},
		"the second of two, without TLS": {[]string{byAddress, plain.Address()}, known.PEM, "server refused TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			address := addressOf(server, "postgres")
			address.Servers, address.TLS, address.Authorities = test.servers, true, test.authorities
			votes := newVotes(t, address)
			vote := poll.Vote{Voter: poll.NewVoterID(), Choice: poll.A, CastAt: poll.TimestampOf(time.Now())}
			_, err := votes.Save(t.Context(), []poll.Vote{vote})
			_, readErr := newScoreboard(t, address).Tally(t.Context())
			if test.refused == "" {
				if err != nil || readErr != nil {
					t.Fatalf("%v, %v", err, readErr)
				}
				var open int
				if err := hand.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE application_name = 'test' AND NOT ssl").Scan(&open); err != nil || open > 0 {
					t.Errorf("%d connections are not encrypted (%v)", open, err)
				}
				return
			}
			for _, err := range []error{err, readErr} {
				if !errors.Is(err, poll.ErrUnavailable) || !strings.Contains(err.Error(), test.refused) || strings.Contains(err.Error(), postgrestest.Password) {
					t.Errorf("the error is %v, want ErrUnavailable and %q", err, test.refused)
				}
			}
		})
	}
	if _, err := postgres.NewVotes(postgres.Address{Servers: []string{byName}, TLS: true, Authorities: "none"}, "test", 1); err == nil || !strings.Contains(err.Error(), "give their PEM") {
		t.Errorf("authorities that are none: %v", err)
	}

	// Go reads the system's authorities once, so another process has to.
	file := filepath.Join(t.TempDir(), "authorities.pem")
	if err := os.WriteFile(file, []byte(known.PEM), 0o600); err != nil {
		t.Fatal(err)
	}
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDatabaseProvesItsName$", "-test.v")
	again.Env = append(os.Environ(), systemsServer+"="+byName, "SSL_CERT_FILE="+file, "SSL_CERT_DIR="+t.TempDir())
	if output, err := again.CombinedOutput(); err != nil || !strings.Contains(string(output), "PASS: TestDatabaseProvesItsName") {
		t.Errorf("with the system's authorities: %v\n%s", err, output)
	}
}
