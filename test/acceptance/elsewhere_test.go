package acceptance

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarm-scale/poll"
	"swarm-scale/test/certificatetest"
	"swarm-scale/test/postgrestest"
	"swarm-scale/test/programtest"
	"swarm-scale/test/redistest"
)

// Votes go to a database that somebody else keeps, by a URL in a file, whose user owns the database and nothing else. No log has the
// password.
func TestVotesGoToADatabaseElsewhere(t *testing.T) {
	t.Parallel()
	const password = "hu/sh @?#%é"
	authority := certificatetest.NewAuthority(t)
	s := &system{postgres: postgrestest.Start(t)}
	certificate, key := authority.Sign(t, "localhost")
	s.postgres.Encrypt(t, certificate, key)
	hand := s.postgres.Connect(t, "postgres")
	for _, statement := range []string{"CREATE ROLE poll LOGIN PASSWORD '" + password + "'", "CREATE DATABASE kept OWNER poll", "REVOKE ALL ON DATABASE kept FROM PUBLIC"} {
		if _, err := hand.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	address := fmt.Sprintf("postgresql://poll:%s@localhost:%d/kept?sslmode=verify-full", strings.ReplaceAll(url.QueryEscape(password), "+", "%20"), s.postgres.Port)
	folder := t.TempDir()
	for name, content := range map[string]string{"POSTGRES_URL_FILE": address + "\n", "POSTGRES_CA_FILE": authority.PEM} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s.database = append(s.database, name+"="+path)
	}
	redis := redistest.Start(t)
	s.redis = []*redistest.Server{redis, redistest.Start(t)}
	for i, redis := range s.redis {
		s.frontends = append(s.frontends, programtest.Start(t, programtest.WebVoteApp,
			fmt.Sprintf("WEB_VOTE_NUMBER=%02d", i+1), "REDIS_ADDRESS="+redis.Address, "VOTER_KEY="+programtest.VoterKey, "BALLOT_AGE=0"))
	}
	s.results = programtest.Start(t, programtest.ResultsApp, s.database...)
	s.startWorker(t)
	mustVote(t, s.newVoter(t, s.frontends[0]), s.frontends[0], poll.A)
	mustVote(t, s.newVoter(t, s.frontends[1]), s.frontends[1], poll.B)
	s.wantResults(t, 1, 1)

	environment := append([]string{"WORKER_NUMBER=01"}, s.database...)
	for command, want := range map[string]string{"recount": "counted 2 votes (a: 1, b: 1); the tally was right\n", "drain " + redis.Address: redis.Address + ": stored 0 votes\n"} {
		if code, out, said := programtest.RunToEnd(t, "vote-worker", strings.Fields(command), environment); code != 0 || out != want {
			t.Errorf("%s: %d, %q, want 0 and %q\n%s", command, code, out, want, said)
		}
	}
	var open int
	if err := hand.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE usename = 'poll' AND NOT ssl").Scan(&open); err != nil || open > 0 {
		t.Errorf("%d connections are not encrypted (%v)", open, err)
	}
	s.postgres.Kill()
	mustVote(t, s.newVoter(t, s.frontends[0]), s.frontends[0], poll.A) // is queued
	s.postgres.Restart(t)
	s.wantResults(t, 2, 1)
	for _, program := range []*programtest.Program{s.worker, s.results} {
		log := program.Log.String()
		if !strings.Contains(log, "poll@localhost") {
			t.Errorf("%s does not say which database was away:\n%s", program.Name, log)
		}
		for _, secret := range []string{password, "hu/sh", "hu%2Fsh"} {
			if strings.Contains(log, secret) {
				t.Errorf("the log of %s has the password:\n%s", program.Name, log)
			}
		}
	}
}
