// Package database is the database on several stores: what Patroni and etcd are told, the certificates by which they know each other, and the
// image of both.
//
// Patroni keeps a PostgreSQL on each store. One of them takes writes. The others copy it, and a commit is not answered before one of them has
// it on disk. Which one takes writes stands in etcd, under a key that its holder has to renew. Whoever does not reach most of etcd's members
// takes no writes.
package database

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Ports on the cluster's network. No node publishes them.
const (
	etcdPort    = 2379
	peerPort    = 2380
	patroniPort = 8008
	serverPort  = 5432
)

// User is the ID of the user postgres in the stock image. Everything in the image runs as that user.
const User = 999

// What a container of the image is started with, or asked by.
const (
	StoreProgram   = "store.sh"       // a store
	MemberProgram  = "etcd-member.sh" // a member of etcd; its arguments are etcd's
	FoundProgram   = "etcd-found.sh"  // in the first member, once: begins etcd, and names the store that begins the database
	PrimaryProgram = "primary.sh"     // in a store: psql with the server that takes writes
	HealthyProgram = "healthy.sh"     // with the argument store or etcd: succeeds while the container need not be replaced
)

// Files and folders in the containers.
const (
	ConfigFile    = "patroni.json"        // in the folder of secrets, with the certificates
	EtcdData      = "/var/lib/etcd"       // what a member of etcd keeps
	SocketsFolder = "/var/run/postgresql" // PostgreSQL's sockets
	secretsFolder = "/run/secrets"
	copiesFolder  = "/tmp/tls" // store.sh copies them there, because PostgreSQL takes no key that a group may read
)

// What Patroni calls the stores together, and the key of etcd under which it reads what holds for all of them.
const (
	scope     = "votes"
	ConfigKey = "/service/" + scope + "/config"
)

// Roles of the database that only stores log in as, by their certificates.
const (
	replicationRole = "replicator"
	rewindRole      = "rewinder"
	superuser       = "postgres"
)

// Database is the database of a stack.
type Database struct {
	Stores []string // the stores' names on the network, the one that begins the database first
	Etcd   []string // the names of etcd's members, the one that begins it first
	Data   string   // where a store keeps its data, in the container
	Roles  []string // the roles of the programs, which log in with passwords
	Name   string   // of the database that they use
}

type object = map[string]any

// Dynamic returns what holds for all stores alike, as JSON: Patroni reads it from etcd, under ConfigKey.
//
// A store that is silent for 20 s loses its place. It renews its key every 3 s, and gives up after 5 s without an answer of etcd. With two
// stores, the one that is left takes writes alone, or nothing would be counted. With three, each commit is in two of them, always.
func (d Database) Dynamic() string {
	dynamic := object{
		"ttl": 20, "loop_wait": 3, "retry_timeout": 5,
		"primary_start_timeout":   0, // another one takes over at once
		"maximum_lag_on_failover": 0,
		"synchronous_mode":        true,
		"synchronous_mode_strict": false,
		"synchronous_node_count":  1,
		"postgresql": object{
			"use_pg_rewind": true,
			"use_slots":     true,
			"parameters": object{
				// A commit waits as long for a standby whose machine has vanished. The default is a minute.
				"wal_sender_timeout":   "5s",
				"wal_receiver_timeout": "5s",
				// A standby that was away goes on where it stopped, if no more was written meanwhile.
				"wal_keep_size": "1GB",
			},
		},
	}
	if len(d.Stores) > 2 {
		dynamic["synchronous_mode"] = "quorum"
		dynamic["synchronous_mode_strict"] = true
	}
	return strings.TrimSpace(marshal(dynamic, ""))
}

// Patroni returns the configuration of the store with that name, as JSON, which is YAML. It has no secret.
func (d Database) Patroni(store string) string {
	var etcd []string
	for _, member := range d.Etcd {
		etcd = append(etcd, fmt.Sprintf("%s:%d", member, etcdPort))
	}
	ca, certificate, key := copiesFolder+"/"+CAFile, copiesFolder+"/"+ClientFile, copiesFolder+"/"+ClientKeyFile
	byCertificate := func(role string) object {
		return object{"username": role, "sslmode": "verify-full", "sslrootcert": ca, "sslcert": certificate, "sslkey": key}
	}
	// Nobody logs in but by these lines. The superuser has no password: by the socket whoever runs as postgres logs in, by the network a store.
	access := []string{
		"local all " + superuser + " peer",
		"local replication " + replicationRole + " peer map=stores",
		"hostssl replication " + replicationRole + " all cert map=stores",
		"hostssl all " + superuser + "," + rewindRole + " all cert map=stores",
		"host " + d.Name + " " + strings.Join(d.Roles, ",") + " all scram-sha-256",
	}
	return marshal(object{
		"scope": scope,
		"name":  store,
		"etcd3": object{"hosts": etcd, "protocol": "https", "cacert": ca, "cert": certificate, "key": key},
		"restapi": object{
			"listen": fmt.Sprintf("0.0.0.0:%d", patroniPort), "connect_address": fmt.Sprintf("%s:%d", store, patroniPort),
			"certfile": copiesFolder + "/" + ServerFile, "keyfile": copiesFolder + "/" + ServerKeyFile, "cafile": ca, "verify_client": "required",
		},
		"ctl": object{"cacert": ca, "certfile": certificate, "keyfile": key},
		"bootstrap": object{
			"initdb": []any{object{"encoding": "UTF8"}, "data-checksums", object{"auth-local": "peer"}, object{"auth-host": "scram-sha-256"}},
		},
		"postgresql": object{
			"listen": fmt.Sprintf("0.0.0.0:%d", serverPort), "connect_address": fmt.Sprintf("%s:%d", store, serverPort),
			"data_dir": d.Data, "pgpass": "/tmp/pgpass",
			"use_unix_socket": true, "use_unix_socket_repl": true,
			// A store that cannot go on from what it has copies all of it from the one that takes writes.
			"remove_data_directory_on_rewind_failure":     true,
			"remove_data_directory_on_diverged_timelines": true,
			"authentication": object{
				"superuser": object{"username": superuser}, "replication": byCertificate(replicationRole), "rewind": byCertificate(rewindRole),
			},
			"parameters": object{
				"unix_socket_directories": SocketsFolder,
				"ssl":                     "on", "ssl_ca_file": ca, "ssl_cert_file": copiesFolder + "/" + ServerFile, "ssl_key_file": copiesFolder + "/" + ServerKeyFile,
			},
			"pg_hba": access,
			// Whose certificate, or which user of the container, may log in as whom.
			"pg_ident": []string{
				"stores " + storeClient + " " + superuser, "stores " + storeClient + " " + replicationRole, "stores " + storeClient + " " + rewindRole,
				"stores postgres " + replicationRole,
			},
		},
	}, "  ")
}

// EtcdArguments returns the arguments of etcd for the member with that name, all but those about how it begins.
func (d Database) EtcdArguments(member string) []string {
	ca, certificate, key := secretsFolder+"/"+CAFile, secretsFolder+"/"+ServerFile, secretsFolder+"/"+ServerKeyFile
	return []string{
		"--name=" + member,
		fmt.Sprintf("--listen-client-urls=https://0.0.0.0:%d", etcdPort),
		"--advertise-client-urls=" + clientURL(member),
		fmt.Sprintf("--listen-peer-urls=https://0.0.0.0:%d", peerPort),
		fmt.Sprintf("--initial-advertise-peer-urls=https://%s:%d", member, peerPort),
		"--client-cert-auth", "--trusted-ca-file=" + ca, "--cert-file=" + certificate, "--key-file=" + key,
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + ca, "--peer-cert-file=" + certificate, "--peer-key-file=" + key,
		// A member's address is another one after each start, and its name leads to it only some seconds later.
		"--experimental-peer-skip-client-san-verification",
		// Milliseconds, for small machines whose disks have other work, too. Patroni waits for 5 s.
		"--heartbeat-interval=300", "--election-timeout=3000",
		// Every renewed key is another revision.
		"--auto-compaction-mode=periodic", "--auto-compaction-retention=1h",
		// For its health check.
		"--listen-metrics-urls=http://127.0.0.1:2381",
		"--logger=zap", "--log-level=warn",
	}
}

// Endpoints returns the members of etcd as etcdctl takes them, in its variable ETCDCTL_ENDPOINTS.
func (d Database) Endpoints() string {
	var urls []string
	for _, member := range d.Etcd {
		urls = append(urls, clientURL(member))
	}
	return strings.Join(urls, ",")
}

func clientURL(member string) string { return fmt.Sprintf("https://%s:%d", member, etcdPort) }

// marshal returns JSON with sorted keys, and a line break at its end. The value is of texts, numbers and lists of them.
func marshal(value object, indent string) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", indent)
	_ = encoder.Encode(value)
	return text.String()
}
