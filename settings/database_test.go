package settings_test

import (
	"fmt"
	"strings"
	"testing"

	"swarm-scale/test/certificatetest"
	"swarm-scale/topology"
)

// databaseURL is the URL of a database that somebody else keeps.
const databaseURL = "postgresql://poll:hu%2Fsh@db.example.org:5432/votes"

// elsewhere returns the settings of a stack whose database somebody else keeps.
func elsewhere(base func() map[string]string) func() map[string]string {
	return func() map[string]string {
		return broken(base(), map[string]string{"postgresPassword": "-", "postgresUrl": databaseURL})
	}
}

// onHostsWithoutStore returns the settings of a stack on four existing machines.
func onHostsWithoutStore() map[string]string {
	values := onHosts()
	values["hosts"] = strings.Replace(values["hosts"], ","+host("store", "10.0.0.5"), "", 1)
	return values
}

// TestDatabaseElsewhere holds that there is no store, and that what is of a store alone is not read.
func TestDatabaseElsewhere(t *testing.T) {
	ca := certificatetest.NewAuthority(t).PEM
	graviton := map[string]string{"storeInstanceType": "m3.medium"}
	for _, role := range []string{"manager", "loadBalancer", "frontend", "worker"} {
		graviton[role+"InstanceType"] = "t4g.small"
	}
	for name, test := range map[string]struct {
		base func() map[string]string
		set  map[string]string
		want string
	}{
		"on AWS":            {onAWS, nil, "[manager interlock frontend01 frontend02 worker01] [manager worker01 frontend01] "},
		"the default":       {onAWS, map[string]string{"stores": "1"}, "[manager interlock frontend01 frontend02 worker01] [manager worker01 frontend01] "},
		"with an authority": {onAWS, map[string]string{"postgresCa": "\n" + ca}, "[manager interlock frontend01 frontend02 worker01] [manager worker01 frontend01] " + ca},
		"on Graviton":       {onAWS, graviton, "[manager interlock frontend01 frontend02 worker01] [manager worker01 frontend01] "},
		"an own image":      {onAWS, map[string]string{"postgresImage": "postgres:17-alpine", "storeInstanceType": "large"}, "[manager interlock frontend01 frontend02 worker01] [manager worker01 frontend01] "},
		"three zones":       {onAWS, map[string]string{"zones": "3", "frontends": "3"}, "[manager interlock frontend01 frontend02 frontend03 worker01] [manager frontend02 frontend03] "},
		"standalone":        {onAWS, map[string]string{"cluster": "standalone"}, "[manager interlock frontend01 frontend02 worker01] [manager] "},
		"on machines":       {onHostsWithoutStore, nil, "[manager interlock frontend01 worker01] [manager worker01 frontend01] "},
	} {
		s, err := load(broken(elsewhere(test.base)(), test.set))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		names := func(nodes []topology.Node) []string {
			var list []string
			for _, node := range nodes {
				list = append(list, node.Name)
			}
			return list
		}
		if got := fmt.Sprint(names(s.Nodes), names(s.Managers), " ", s.Database.Authorities); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		_, hasType := s.AWS.InstanceTypes[topology.Store]
		if s.HasStores() || s.Stores() != 0 || hasType || s.PostgresPassword != "" || s.Database.URL.Reveal() != databaseURL {
			t.Errorf("%s: there are stores: %+v", name, s)
		}
		if shown := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(shown, "hu%2Fsh") {
			t.Errorf("%s: the formatted settings show the URL", name)
		}
	}
	if s, err := load(onAWS()); err != nil || !s.HasStores() || s.Stores() != 1 {
		t.Errorf("without a URL: %d stores (%v)", s.Stores(), err)
	}
}

// TestFaultsOfADatabaseElsewhere holds the faults, all at once, and that none shows the URL or a part of it.
func TestFaultsOfADatabaseElsewhere(t *testing.T) {
	for name, test := range map[string]struct {
		base  func() map[string]string
		set   map[string]string
		plain []string
		want  []string // how the faults begin
	}{
		"not encrypted": {onAWS, nil, []string{"postgresUrl"}, []string{`insecure swarm-scale:postgresUrl is "[secret]", which is in plain text`}},
		"not verified": {onAWS, map[string]string{"postgresUrl": databaseURL + "?sslmode=require"}, nil,
			[]string{`insecure swarm-scale:postgresUrl is "[secret]", which has sslmode=require, with which somebody else may answer in the database's place: write sslmode=verify-full`}},
		"all of it": {onAWS, map[string]string{"postgresUrl": "postgres://hush@/?sslmode=disable&hush=hush"}, nil, []string{
			`missing swarm-scale:postgresUrl is "[secret]", which has no password`, `missing swarm-scale:postgresUrl is "[secret]", which names no host`,
			`missing swarm-scale:postgresUrl is "[secret]", which names no database`, `insecure swarm-scale:postgresUrl is "[secret]", which has sslmode=disable`,
			`malformed swarm-scale:postgresUrl is "[secret]", which has a parameter that PostgreSQL does not know`,
		}},
		"with stores":        {onAWS, map[string]string{"stores": "3", "managers": "1"}, nil, []string{`conflict swarm-scale:stores is "3", which is of a database on the stack's own machines, and postgresUrl is set: leave it out (pulumi config rm stores), or leave postgresUrl out`}},
		"with a password":    {onAWS, map[string]string{"postgresPassword": "correct horse battery"}, nil, []string{`conflict swarm-scale:postgresPassword is "[secret]", which is of a database`}},
		"with both":          {onAWS, map[string]string{"postgresPassword": "short", "stores": "2"}, nil, []string{`conflict swarm-scale:stores`, `conflict swarm-scale:postgresPassword`}},
		"with a host for it": {onHosts, nil, nil, []string{`conflict swarm-scale:hosts[4].name is "store", which is a store, and with postgresUrl there is none: take the machine out of hosts`}},
		"with a spare one": {onHostsWithoutStore, map[string]string{"hosts": "[" + host("store03", "10.0.0.77") + "," + onHostsWithoutStore()["hosts"][1:]}, nil,
			[]string{`conflict swarm-scale:hosts[0].name is "store03"`}},
		"five managers": {onAWS, map[string]string{"managers": "5"}, nil, []string{
			`conflict swarm-scale:managers is "5", which needs 5 nodes to choose from, and there are 4: manager, worker01 and each frontend: set frontends to 3 or more, or managers to 3`}},
		"no authority":  {onAWS, map[string]string{"postgresCa": "/etc/ca.pem"}, nil, []string{`missing swarm-scale:postgresCa has no certificate in it: give the PEM`}},
		"a key":         {onAWS, map[string]string{"postgresCa": pasted(t)}, nil, []string{`insecure swarm-scale:postgresCa has a private key in it`}},
		"without a URL": {onAWS, map[string]string{"postgresUrl": "-", "postgresPassword": "correct horse battery", "postgresCa": certificatetest.NewAuthority(t).PEM}, nil, []string{`conflict swarm-scale:postgresCa is set without postgresUrl`}},
		"neither":       {onAWS, map[string]string{"postgresUrl": " "}, nil, []string{`missing swarm-scale:postgresPassword is not set`}},
	} {
		_, err := load(broken(elsewhere(test.base)(), test.set), test.plain...)
		if err == nil {
			t.Errorf("%s: no fault", name)
			continue
		}
		all := faults(t, err)
		if len(all) != len(test.want) {
			t.Errorf("%s: %v, want %d faults", name, err, len(test.want))
			continue
		}
		for i, fault := range all {
			if shown := string(fault.Kind) + " " + fault.Error(); !strings.HasPrefix(shown, test.want[i]) {
				t.Errorf("%s: %s\nwant %s", name, shown, test.want[i])
			}
		}
		for _, part := range []string{"hush", "hu%2Fsh", "hu/sh", "db.example.org", "b3BlbnNzaC1r"} {
			if strings.Contains(err.Error(), part) {
				t.Errorf("%s: a fault shows %q: %v", name, part, err)
			}
		}
	}
}
