package settings

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"swarm-scale/poll"
	"swarm-scale/topology"
)

// Bounds of the application's settings.
const (
	minPasswordLength = 12 // characters
	maxPasswordLength = 128
	minVoterKeyBytes  = 32 // once decoded: the length of an HMAC-SHA256
	walkThroughSecret = "pg8675309"
)

// loadBalancer refuses Interlock unless the settings permit it. Only the walk-through's own stack does.
func (r *reader) loadBalancer() LoadBalancer {
	kind := LoadBalancer(r.oneOf(keyLoadBalancer, string(HAProxy), string(Interlock)))
	if allowed := r.boolean(keyAllowInterlock); kind == Interlock && !allowed {
		r.fault(keyLoadBalancer, string(kind), Insecure, "is archived, and its statistics have the password that the walk-through prints",
			"set it to haproxy, or say that you mean it: pulumi config set allowInterlock true")
	}
	return kind
}

// copyFrontends is how many frontends two copies of each vote need. With two, the loss of one would leave no second queue, and nobody could vote.
const copyFrontends = 3

// voteCopies reads in how many queues each vote is.
func (r *reader) voteCopies(nodes []topology.Node) int {
	copies := max(r.number(keyVoteCopies, 1, 2), 1)
	frontends := topology.Count(nodes, topology.Frontend)
	if value := r.text(keyVoteCopies); copies > 1 && len(nodes) > 0 && frontends < copyFrontends {
		r.fault(keyVoteCopies, value, Conflict, fmt.Sprintf("needs at least %d frontends, and there are %d: with fewer, the loss of one would leave no second queue, and nobody could vote",
			copyFrontends, frontends), "set %s to %d or more, or leave %s out", keyFrontends, copyFrontends, keyVoteCopies)
	}
	return copies
}

// fitsStores reports what several stores do not work with.
func (r *reader) fitsStores(s Settings) {
	value := r.text(keyStores)
	switch stores := s.Stores(); {
	case stores < 2:
	case len(s.Nodes) > 0 && len(s.EtcdNodes()) < etcdMembers:
		r.fault(keyStores, value, Conflict, fmt.Sprintf("needs %d managers: on each of their machines is a part of etcd, and most of these parts decide which store takes writes", etcdMembers),
			"leave %s out, or set it to %d", keyManagers, etcdMembers)
	case strings.Contains(s.Images.Postgres, "alpine"):
		r.fault(keyPostgresImage, s.Images.Postgres, Conflict, "is of Alpine, and with several stores an image is built on it with Debian's packages of Patroni and etcd",
			"take one of Debian 13, such as postgres:17-trixie")
	}
}

// fitsInterlock reports what Interlock does not work with.
func (r *reader) fitsInterlock(s Settings) {
	switch {
	case s.Cluster == SwarmMode && r.boolean(keyAllowInterlock):
		r.fault(keyLoadBalancer, string(Interlock), Conflict, "does not work in swarm mode: it finds the frontends by their containers' domain names, which services do not have",
			"set it to haproxy, or cluster to %s", Standalone)
	case s.AWS.NetworkLoadBalancer:
		r.fault(keyNetworkLoadBalancer, "true", Conflict, "needs haproxy, which says whether it has a frontend; Interlock does not", "leave it out, or set %s to %s", keyLoadBalancer, HAProxy)
	case s.Cluster == Standalone && topology.Count(s.Nodes, topology.Manager) > 1:
		r.fault(keyLoadBalancer, string(Interlock), Conflict, "watches one Swarm manager, and learns of nothing while that one is away",
			"set it to haproxy, or leave %s out", keyManagers)
	case s.Architecture == arm64:
		r.fault(keyLoadBalancer, string(Interlock), Conflict, "is not published for arm64", "set it to haproxy, or take machines with %s", amd64)
	}
}

// ballot checks the options with poll.NewBallot, as the programs do. What it accepts, they accept.
func (r *reader) ballot() Ballot {
	b := Ballot{OptionA: r.text(keyOptionA), OptionB: r.text(keyOptionB)}
	_, err := poll.NewBallot(b.OptionA, b.OptionB)
	faults, _ := errors.AsType[poll.LabelFaults](err)
	for _, fault := range faults {
		key := map[poll.Choice]string{poll.A: keyOptionA, poll.B: keyOptionB}[fault.Option]
		r.fault(key, fault.Label, Malformed, fault.Problem, "%s", fault.Remedy)
	}
	return b
}

// secret reads a setting that has no default and must be encrypted. The command sets it.
func (r *reader) secret(key, purpose, command string) Secret {
	value, ok := r.source.Value(key)
	if !ok || value == "" {
		r.fault(key, "", Missing, "is not set", "%s; set it with: %s", purpose, command)
		return ""
	}
	if !r.source.IsSecret(key) {
		r.fault(key, hidden, Insecure, "is in plain text in the stack's config", "encrypt it, and choose a new one if the file was ever shared: %s", command)
	}
	return Secret(value)
}

func (r *reader) postgresPassword() Secret {
	const command = "pulumi config set --secret postgresPassword"
	password := r.secret(keyPostgresPassword, "PostgreSQL needs a password of your choice", command)
	if password == "" {
		return ""
	}
	plain := password.Reveal()
	length := utf8.RuneCountInString(plain)
	switch {
	case plain == walkThroughSecret:
		r.fault(keyPostgresPassword, hidden, Insecure, "is the one printed in the walk-through", "choose your own: %s", command)
	case length < minPasswordLength || length > maxPasswordLength:
		r.fault(keyPostgresPassword, hidden, OutOfRange, fmt.Sprintf("has %d characters", length),
			"use %d to %d: %s", minPasswordLength, maxPasswordLength, command)
	case !utf8.ValidString(plain) || strings.ContainsFunc(plain, func(c rune) bool { return !unicode.IsPrint(c) }):
		r.fault(keyPostgresPassword, hidden, Malformed, "has characters that cannot be printed, such as a line break", "use printable characters: %s", command)
	}
	return password
}

func (r *reader) voterKey() Secret {
	const command = `pulumi config set --secret voterKey "$(openssl rand -base64 32)"`
	key := r.secret(keyVoterKey, "it signs the voters' cookies, so that nobody can forge one", command)
	if key == "" {
		return ""
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key.Reveal()))
	if err != nil || len(raw) < minVoterKeyBytes {
		r.fault(keyVoterKey, hidden, Malformed, fmt.Sprintf("is not the base64 of at least %d bytes", minVoterKeyBytes), "make one: %s", command)
	} else if bytes.Count(raw, raw[:1]) == len(raw) {
		r.fault(keyVoterKey, hidden, Insecure, "repeats one byte", "make a random one: %s", command)
	}
	return Secret(strings.TrimSpace(key.Reveal()))
}
