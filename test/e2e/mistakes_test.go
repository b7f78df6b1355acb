package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"swarm-scale/lab"
)

// mistake is something wrong with the settings or the hosts.
type mistake struct {
	name  string
	make  func()       // makes it
	mend  func()       // undoes it
	says  []string     // parts of the error
	fresh bool         // whether `up` only notices it if nothing is deployed
	told  func(string) // gets the whole error; may be nil
}

// mistakes makes one mistake after another on hosts without a deployment. Each has to give an error that helps. Once all are undone,
// `up` completes from where it stopped.
func mistakes(s *step) {
	for _, host := range s.lab.Hosts() {
		if _, err := host.Run(s.ctx, "true"); err != nil {
			s.must(host.Start(s.ctx))
		}
	}
	s.empty() // the step before may have failed to
	s.voters.Forget()
	s.leftovers(s.lab.Host("worker01"))
	for _, m := range s.beforeAnyData() {
		s.mistake(m)
	}
	result := s.up()
	s.await("the system to be well after all mistakes were mended", wellTime, s.well)
	s.checked("all mended: `up` completes in %.0f s", result.Wall.Seconds())
	s.vote(60)

	// The image of PostgreSQL reads its password variable only while there is no data.
	for _, password := range []string{"another battery horse staple", postgresPassword} {
		s.must(s.pulumi.SetSecrets(s.ctx, map[string]string{"postgresPassword": password}))
		result = s.up()
		s.await("the system to be well with another password", wellTime, s.well)
	}
	s.checked("password changed after the data exists: `up` sets it in %.0f s, no vote lost", result.Wall.Seconds())
	s.vote(20)
	s.unchanged()
}

// empty destroys the stack if the state has any resource.
func (s *step) empty() {
	s.Helper()
	state, err := s.pulumi.State()
	s.must(err)
	if len(state.Resources) > 0 {
		_, err := s.pulumi.Destroy(s.ctx)
		s.must(err)
	}
}

// leftovers checks that `up` refuses a host that has something of an earlier deployment, and clears the host with the line in the
// error.
func (s *step) leftovers(host *lab.Host) {
	s.Helper()
	if len(s.left(host)) == 0 {
		return // the step that leaves something there did not run
	}
	var line string
	s.mistake(mistake{
		name: "a host that was off when another deployment was destroyed",
		make: func() {},
		mend: func() {},
		says: []string{host.Name + " still has what another deployment left there"},
		told: func(text string) {
			for one := range strings.Lines(text) {
				if one = strings.TrimSpace(one); strings.HasPrefix(one, "sudo rm ") {
					line = one
				}
			}
		},
	})
	if line == "" {
		s.Fatalf("`up` gives no line that clears %s", host.Name)
	}
	s.run(host, "export DOCKER_HOST=unix:///var/run/docker.sock\n"+line)
}

// mistake makes a mistake, checks the error of `up`, and undoes the mistake.
func (s *step) mistake(m mistake) {
	s.Helper()
	if m.fresh {
		s.empty()
	}
	m.make()
	begun := time.Now()
	_, err := s.pulumi.Up(s.ctx)
	took := time.Since(begun)
	m.mend()
	if err == nil {
		s.Errorf("%s: `up` succeeds, after %.0f s", m.name, took.Seconds())
		return
	}
	if m.told != nil {
		m.told(err.Error())
	}
	missing := slices.DeleteFunc(slices.Clone(m.says), func(part string) bool { return strings.Contains(err.Error(), part) })
	if len(missing) > 0 {
		s.Errorf("%s: the error does not say %q:\n%v", m.name, missing, err)
		return
	}
	s.Logf("%s: %v", m.name, err)
	s.checked("%s: `up` says so after %.0f s (%s)", m.name, took.Seconds(), strings.Join(m.says, ", "))
}

// run runs a script on a host, which has to succeed.
func (s *step) run(host *lab.Host, script string) {
	s.Helper()
	_, err := host.Run(s.ctx, script)
	s.must(err)
}

// beforeAnyData returns the mistakes for hosts without data.
func (s *step) beforeAnyData() []mistake {
	s.Helper()
	config := s.lab.Config()
	host := s.lab.Host
	// fake puts a program of that name before the real one on PATH.
	fake := func(name, program, text string) (put, remove func()) {
		path := "/usr/local/sbin/" + program
		return func() { s.run(host(name), "printf '#!/bin/sh\n"+text+"\n' >"+path+" && chmod 0755 "+path) },
			func() { s.run(host(name), "rm -f "+path) }
	}
	oldKernel, kernel := fake("frontend02", "uname", "echo 3.13.0-24-generic")
	says, refusal := s.kind.wrongEngine()
	wrongEngine, engine := fake("worker01", "dockerd", "echo "+says)
	return []mistake{{
		name: "an address that two machines have",
		make: func() {
			s.must(s.pulumi.Set(map[string]any{"hosts": s.addressOf("frontend02", host("frontend01").Address)}))
		},
		mend: func() { s.must(s.pulumi.Set(map[string]any{"hosts": config["hosts"]})) },
		says: []string{"swarm-scale:hosts", "twice", host("frontend01").Address},
	}, {
		name: "an SSH key that nobody knows", fresh: true,
		make: func() { s.must(s.pulumi.Set(map[string]any{"sshPrivateKeyFile": s.strangeKey()})) },
		mend: func() { s.must(s.pulumi.Set(map[string]any{"sshPrivateKeyFile": config["sshPrivateKeyFile"]})) },
		says: []string{"ssh could not log in on manager", host("manager").Address, "swarm-scale:sshPrivateKeyFile"},
	}, {
		name: "a kernel that is too old (a fake uname says so)", fresh: true,
		make: oldKernel, mend: kernel,
		says: []string{"frontend02 has kernel 3.13.0-24-generic", "3.16 or newer"},
	}, {
		name: "an engine that this kind of cluster cannot use (a fake dockerd says so)", fresh: true,
		make: wrongEngine, mend: engine,
		says: append([]string{"worker01 has " + says}, refusal...),
	}, {
		name: "a host that is off",
		make: func() { s.must(host("store").Kill(s.ctx)) },
		mend: func() { s.must(host("store").Start(s.ctx)) },
		says: []string{"store", host("store").Address},
	}, {
		name: "a port that is taken",
		make: func() { s.run(host("frontend01"), "/usr/sbin/sshd -p 5000 -o PidFile=/run/port-taken.pid") },
		mend: func() { s.run(host("frontend01"), "kill $(cat /run/port-taken.pid)") },
		says: []string{"frontend01", "5000", "address already in use"},
	}}
}

// addressOf returns the lab's hosts, with another address for one of them.
func (s *step) addressOf(name, address string) []any {
	hosts := slices.Clone(s.lab.Config()["hosts"].([]any))
	for i, one := range hosts {
		entry := one.(map[string]any)
		if entry["name"] == name {
			hosts[i] = map[string]any{"name": name, "address": address, "hostKey": entry["hostKey"]}
		}
	}
	return hosts
}

// strangeKey makes an SSH key that no host accepts.
func (s *step) strangeKey() string {
	s.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	s.must(err)
	block, err := ssh.MarshalPrivateKey(private, "")
	s.must(err)
	file := filepath.Join(s.TempDir(), "id_ed25519")
	s.must(os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	return file
}
