package stack_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"swarm-scale/test/certificatetest"
	"swarm-scale/test/harness"
	"swarm-scale/test/rehearsal"
)

// A database that somebody else keeps.
const (
	elsewherePassword = "somebody-elses-password"
	elsewhereURL      = "postgresql://poll:" + elsewherePassword + "@db.example.org:5432/votes"
)

// elsewhere returns the settings with a database that somebody else keeps.
func elsewhere(values map[string]string) map[string]string {
	values = maps.Clone(values)
	delete(values, "postgresPassword")
	values["postgresUrl"] = elsewhereURL
	return values
}

// TestDatabaseElsewhere holds that nothing of a database is made, that the worker's machine serves the results page, and how the programs are
// told where the votes go.
func TestDatabaseElsewhere(t *testing.T) {
	standalone := awsSettings()
	standalone["loadBalancer"] = "haproxy"
	for name, values := range map[string]map[string]string{"swarm mode": onSwarmMode(awsSettings()), "standalone": standalone} {
		t.Run(name, func(t *testing.T) {
			values := elsewhere(values)
			values["workers"] = "2"
			m, err := deployWithMocks(t, values)
			if err != nil {
				t.Fatal(err)
			}
			resources := m.resources
			if asked := m.lookups["aws:ec2/getInstanceType:getInstanceType"]; !strings.Contains(asked, "t2.micro") {
				t.Errorf("AWS is asked for the instance type of a store, last %s", asked)
			}
			counts := map[string]int{}
			for _, r := range resources {
				counts[r.token]++
				for _, part := range []string{"pg", "postgres", "store", "etcd", "database"} {
					if strings.Contains(r.name, part) {
						t.Errorf("%s %s was registered", r.token, r.name)
					}
				}
				for key, value := range r.inputs {
					shown := openText(value)
					if strings.Contains(shown, elsewherePassword) || strings.Contains(shown, "db.example.org") {
						t.Errorf("%s %s: input %s has the URL in plain text", r.token, r.name, key)
					}
					if r.token == "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule" && strings.Contains(text(t, value), "5432") ||
						strings.HasSuffix(r.name, "-packet-filter") && strings.Contains(text(t, value), "5432") {
						t.Errorf("%s %s is about the database's port: %s", r.token, r.name, text(t, value))
					}
				}
			}
			// Six machines with the second worker, and two queues.
			if counts[instanceType] != 6 || counts["aws:ebs/volume:Volume"] != 2 || counts["docker:index/volume:Volume"] != 2 {
				t.Errorf("there are %d machines, %d disks and %d volumes", counts[instanceType], counts["aws:ebs/volume:Volume"], counts["docker:index/volume:Volume"])
			}
			for workload, node := range map[string]string{"worker01": "worker01", "worker02": "worker02", "results-app": "worker01", "results-app02": "worker02"} {
				secrets := find(t, resources, "command:remote:Command", workload+"-secrets")
				script := plain(secrets.inputs["stdin"]).StringValue()
				if !strings.Contains(script, "export SECRET_1="+elsewhereURL+"\n") || !strings.Contains(script, "export FILES=") || !strings.Contains(script, "postgres-url") || strings.Contains(script, "postgres-password") {
					t.Errorf("%s is not given the URL alone", workload)
				}
				if got := text(t, secrets.inputs["connection"]); !strings.Contains(got, text(t, find(t, resources, "command:remote:Command", node+"-packet-filter").inputs["connection"])) {
					t.Errorf("%s is not on %s", workload, node)
				}
				shown := shownWorkload(t, resources, workload)
				for _, want := range []string{node, "/run/secrets/postgres-url", "POSTGRES_URL_FILE", "/etc/ssl/certs"} {
					if !strings.Contains(shown, want) {
						t.Errorf("%s has no %s: %s", workload, want, shown)
					}
				}
				if strings.Contains(shown, "POSTGRES_PASSWORD") || strings.Contains(shown, "POSTGRES_CA") || strings.Contains(shown, "POSTGRES_HOST") {
					t.Errorf("%s is told of another database: %s", workload, shown)
				}
			}
			if got := text(t, find(t, resources, "command:remote:Command", "haproxy-configuration").inputs["stdin"]); !strings.Contains(got, "192.168.33.200:80") || !strings.Contains(got, "192.168.33.201:80") {
				t.Error("the load balancer does not ask the results pages on the workers' machines")
			}
			// They are let in.
			group := find(t, resources, "aws:ec2/securityGroup:SecurityGroup", "results-page")
			for _, worker := range []string{"worker01", "worker02"} {
				if got := text(t, find(t, resources, instanceType, worker).inputs["vpcSecurityGroupIds"]); !strings.Contains(got, group.name+"-id") {
					t.Errorf("nobody reaches the results page on %s: %s", worker, got)
				}
			}
		})
	}
}

// shownWorkload returns what the docker provider is told of a workload.
func shownWorkload(t *testing.T, resources []registered, name string) string {
	t.Helper()
	at := slices.IndexFunc(resources, func(r registered) bool {
		return r.name == name && (r.token == serviceType || r.token == "docker:index/container:Container")
	})
	if at < 0 {
		t.Fatalf("no workload %s was registered", name)
	}
	return text(t, resource.NewProperty(resources[at].inputs))
}

// TestAuthoritiesOfTheDatabase holds that certificates in the settings are all that the programs trust.
func TestAuthoritiesOfTheDatabase(t *testing.T) {
	values := elsewhere(onSwarmMode(awsSettings()))
	values["postgresCa"] = certificatetest.NewAuthority(t).PEM
	resources, err := deploy(t, values)
	if err != nil {
		t.Fatal(err)
	}
	for _, workload := range []string{"worker01", "results-app"} {
		if shown := shownWorkload(t, resources, workload); !strings.Contains(shown, `"POSTGRES_CA_FILE":"/run/secrets/postgres-ca"`) || strings.Contains(shown, "/etc/ssl/certs") {
			t.Errorf("%s trusts others: %s", workload, shown)
		}
		if script := plain(find(t, resources, "command:remote:Command", workload+"-secrets").inputs["stdin"]).StringValue(); !strings.Contains(script, "export SECRET_2='"+values["postgresCa"]) {
			t.Errorf("%s is not given the certificate", workload)
		}
	}
}

// simulatedElsewhere is simulated with a database that somebody else keeps.
func simulatedElsewhere(t *testing.T, differing map[string]any) *harness.Stack {
	t.Helper()
	return simulatedWith(t, differing, func(options *harness.Options) {
		options.Secrets = map[string]string{"postgresUrl": elsewhereURL, "voterKey": rehearsal.VoterKey}
	})
}

// TestStackWithADatabaseElsewhere holds the life of such a stack: a changed URL reaches the programs alone, a frontend's queue is drained before
// the frontend goes, and all queues before the stack does, because the votes outlive it. It does not get stores of its own.
func TestStackWithADatabaseElsewhere(t *testing.T) {
	t.Parallel()
	e := simulatedElsewhere(t, inSwarmMode())
	preview, err := e.Preview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := up(t, e)
	if len(steps(first)["create"]) != len(first.Records)-len(steps(first)["create machine"]) || preview.Changes() != first.Changes() {
		t.Errorf("the preview announced %v, and up made %v", preview.Counts, first.Counts)
	}
	if ssh, _ := outputs(t, e)["ssh"].Value.(map[string]any); len(ssh) != 5 || outputs(t, e)["resultsUrl"].Value == "" {
		t.Errorf("the outputs are %v", outputs(t, e))
	}
	unchanged(t, e)
	if err := e.SetSecrets(t.Context(), map[string]string{"postgresUrl": elsewhereURL + "?sslmode=verify-full"}); err != nil {
		t.Fatal(err)
	}
	changed := up(t, e)
	if got := steps(changed)["update"]; !slices.Equal(got, []string{"results-app", "results-app-secrets", "worker01", "worker01-secrets"}) {
		t.Errorf("another URL changes %v", got)
	}
	state, err := e.StateFile()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{elsewherePassword, "db.example.org"} {
		if strings.Contains(string(state), part) {
			t.Errorf("the state has %q in plain text", part)
		}
	}

	own := map[string]any{"postgresUrl": nil}
	testSecretsAreRefused(t, e, own, map[string]string{"postgresPassword": rehearsal.PostgresPassword}, "the stack's votes are in the database of postgresUrl")
	testSecretsAreRefused(t, e, map[string]any{"postgresPassword": nil}, map[string]string{"postgresUrl": elsewhereURL + "?sslmode=verify-full"}, "")

	for _, frontends := range []int{3, 2} {
		if err := e.Set(map[string]any{"frontends": frontends}); err != nil {
			t.Fatal(err)
		}
		result := up(t, e)
		if frontends == 2 {
			inOrder(t, result, "delete frontend03-retirement", "delete frontend03-way", "delete frontend03")
		}
	}
	destroyed, err := e.Destroy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, frontend := range []string{"frontend01", "frontend02"} {
		inOrder(t, destroyed, "delete "+frontend+"-retirement", "delete "+frontend+"-presence", "delete "+frontend)
		inOrder(t, destroyed, "delete "+frontend+"-retirement", "delete worker01-presence", "delete worker01")
	}
}

// TestWalkThroughWithADatabaseElsewhere holds that the walk-through's cluster works without a store, too, and that each machine takes with it only
// what ran there.
func TestWalkThroughWithADatabaseElsewhere(t *testing.T) {
	t.Parallel()
	e := simulatedElsewhere(t, nil)
	up(t, e)
	unchanged(t, e)
	e.World.MachineDead("worker01")
	replaced, err := e.Up(t.Context(), optup.Replace([]string{machineURN(t, e, "worker01")}))
	if err != nil {
		t.Fatal(err)
	}
	inOrder(t, replaced, "create worker01", "create results-app", "update check")
	if slices.ContainsFunc(done(replaced), func(step string) bool { return strings.Contains(step, "redis") || strings.Contains(step, "retirement") }) {
		t.Errorf("more than the worker's machine was replaced: %v", done(replaced))
	}
	unchanged(t, e)
	destroyed, err := e.Destroy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, frontend := range []string{"frontend01", "frontend02"} {
		inOrder(t, destroyed, "delete "+frontend+"-retirement", "delete manager-presence", "delete manager")
	}
}

// TestStoresAreKept holds that the votes of a stack's own stores are not left behind for a database that somebody else keeps.
func TestStoresAreKept(t *testing.T) {
	t.Parallel()
	var hosts []map[string]any
	for i, name := range []string{"manager", "interlock", "frontend01", "frontend02", "worker01", "store"} {
		hosts = append(hosts, map[string]any{"name": name, "address": fmt.Sprintf("10.0.0.%d", i+1), "hostKey": publicKey(t)})
	}
	machines := map[string]any{"platform": "hosts", "cluster": "swarm-mode", "loadBalancer": "haproxy", "hosts": hosts}
	for name, settings := range map[string]map[string]any{"aws": inSwarmMode(), "hosts": machines} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := simulated(t, settings)
			up(t, e)
			testSecretsAreRefused(t, e, map[string]any{"postgresPassword": nil, "hosts": hosts[:5]}, map[string]string{"postgresUrl": elsewhereURL},
				"the stack's votes are on its own stores, and would be missing in the results: leave postgresUrl out")
			testSecretsAreRefused(t, e, map[string]any{"postgresUrl": nil, "hosts": hosts}, map[string]string{"postgresPassword": rehearsal.PostgresPassword}, "")
		})
	}
}

// testSecretsAreRefused holds that preview and up refuse the settings before anything changes, and say why; with no refusal, that they change
// nothing.
func testSecretsAreRefused(t *testing.T, e *harness.Stack, config map[string]any, secrets map[string]string, refusal string) {
	t.Helper()
	if err := e.SetSecrets(t.Context(), secrets); err != nil {
		t.Fatal(err)
	}
	if err := e.Set(config); err != nil {
		t.Fatal(err)
	}
	if refusal == "" {
		unchanged(t, e)
		return
	}
	_, previewed := e.Preview(t.Context())
	refused, err := e.Up(t.Context())
	for _, err := range []error{previewed, err} {
		if err == nil || !strings.Contains(err.Error(), refusal) || strings.Contains(err.Error(), elsewherePassword) {
			t.Errorf("the refusal says: %v", err)
		}
	}
	for _, record := range refused.Records {
		t.Errorf("it was %v", record)
	}
}
