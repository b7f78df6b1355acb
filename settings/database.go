package settings

import (
	"errors"
	"fmt"

	"swarm-scale/poll/databaseurl"
	"swarm-scale/topology"
)

// database reads where somebody else keeps the database, if somebody does. It checks URL and certificates with package databaseurl, as the
// programs do. What it accepts, they accept.
func (r *reader) database() Database {
	var database Database
	if r.text(keyPostgresURL) != "" {
		const command = "pulumi config set --secret " + keyPostgresURL
		r.secret(keyPostgresURL, "", command)
		database.URL = Secret(r.text(keyPostgresURL))
		_, err := databaseurl.Parse(database.URL.Reveal())
		r.databaseFaults(keyPostgresURL, hidden, err)
	}
	if text := r.text(keyPostgresCA); text != "" {
		database.Authorities = text + "\n"
		_, err := databaseurl.Authorities(text)
		r.databaseFaults(keyPostgresCA, "", err)
		if database.URL == "" {
			r.fault(keyPostgresCA, "", Conflict, "is set without "+keyPostgresURL+", whose database it is for",
				"leave it out (pulumi config rm %s), or set %s", keyPostgresCA, keyPostgresURL)
		}
	}
	return database
}

// databaseFaults records what is wrong with a URL or with certificates.
func (r *reader) databaseFaults(key, value string, err error) {
	faults, _ := errors.AsType[databaseurl.Faults](err)
	for _, fault := range faults {
		r.fault(key, value, Kind(fault.Kind), fault.Problem, "%s", fault.Remedy)
	}
}

// withoutStores reports the settings of a database of the stack's own, although somebody else keeps it. The default is no fault: Pulumi does
// not tell whether somebody has set it. Others, such as postgresImage, are not read, like those of any other part that is not there.
func (r *reader) withoutStores() {
	for _, key := range []string{keyStores, keyPostgresPassword} {
		value := r.text(key)
		if value == defaults[key] {
			continue
		}
		if key == keyPostgresPassword {
			value = hidden
		}
		r.fault(key, value, Conflict, fmt.Sprintf("is of a database on the stack's own machines, and %s is set", keyPostgresURL),
			"leave it out (pulumi config rm %s), or leave %s out", key, keyPostgresURL)
	}
}

// storesAmong records a fault for each listed machine that would be a store, if there is none. Other machines without a node are spares.
func (r *reader) storesAmong(listed []Host) {
	for i, host := range listed {
		for _, node := range topology.Room() {
			if node.Name == host.Name && node.Role == topology.Store {
				r.fault(fmt.Sprintf("%s[%d].name", keyHosts, i), host.Name, Conflict, fmt.Sprintf("is a store, and with %s there is none", keyPostgresURL),
					"take the machine out of %s, or leave %s out", keyHosts, keyPostgresURL)
			}
		}
	}
}
