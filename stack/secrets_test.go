package stack_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// secretVariable matches a secret in what a script of a workload's secrets is given.
var secretVariable = regexp.MustCompile(`(?m)^export SECRET_\d+='?([^'\n]*)`)

// TestNoContainerHoldsASecret holds that no input of a Docker resource has a secret, encrypted or not: `docker inspect` shows all of
// them. No command line and no replacement trigger has one, either.
func TestNoContainerHoldsASecret(t *testing.T) {
	interlock, hosts := awsSettings(), hostsSettings(t)
	haproxy := awsSettings()
	haproxy["loadBalancer"] = "haproxy"
	for name, values := range map[string]map[string]string{"interlock": interlock, "haproxy": haproxy, "hosts": hosts, "database elsewhere": elsewhere(awsSettings())} {
		t.Run(name, func(t *testing.T) {
			resources, err := deploy(t, values)
			if err != nil {
				t.Fatal(err)
			}
			secrets := []string{password, voterKey, elsewherePassword}
			for _, r := range resources {
				if r.token != "command:remote:Command" {
					continue
				}
				input := plain(r.inputs["stdin"]).StringValue()
				for _, match := range secretVariable.FindAllStringSubmatch(input, -1) {
					secrets = append(secrets, match[1])
				}
				if match := regexp.MustCompile(`stats auth stats:(\S+)`).FindStringSubmatch(input); match != nil {
					secrets = append(secrets, match[1])
				}
			}
			if len(secrets) < 6 {
				t.Errorf("the workloads have only these secrets: %q", secrets)
			}
			for _, r := range resources {
				for key, value := range r.inputs {
					if strings.HasPrefix(r.token, "command:") && key != "create" && key != "update" && key != "delete" && key != "triggers" && key != "environment" ||
						strings.HasPrefix(r.token, "pulumi:") || strings.HasPrefix(r.token, "aws:") {
						continue
					}
					for _, secret := range secrets {
						if strings.Contains(fmt.Sprint(plain(value).Mappable()), secret) {
							t.Errorf("%s %s: input %s has a secret", r.token, r.name, key)
						}
					}
				}
				for _, secret := range secrets {
					if strings.Contains(r.request.GetReplacementTrigger().String(), secret) {
						t.Errorf("%s %s: the replacement trigger has a secret", r.token, r.name)
					}
				}
			}
		})
	}
}

// TestSecretFilesAreTheUsersAlone holds which workload gets which files, and whose they are.
func TestSecretFilesAreTheUsersAlone(t *testing.T) {
	resources, err := deploy(t, awsSettings())
	if err != nil {
		t.Fatal(err)
	}
	for workload, want := range map[string]struct{ owner, files, variables string }{
		"frontend01":  {"65532", "'voter-key redis-password'", "VOTER_KEY_FILE=/run/secrets/voter-key"},
		"worker01":    {"65532", "'postgres-password redis-password'", "POSTGRES_PASSWORD_FILE=/run/secrets/postgres-password"},
		"results-app": {"65532", "postgres-password", "POSTGRES_PASSWORD_FILE=/run/secrets/postgres-password"},
		"redis01":     {"999", "redis.conf", ""},
		"pg":          {"0", "postgres-password", "POSTGRES_PASSWORD_FILE=/run/secrets/postgres-password"},
	} {
		input := plain(find(t, resources, "command:remote:Command", workload+"-secrets").inputs["stdin"]).StringValue()
		for _, line := range []string{"export OWNER=" + want.owner, "export FILES=" + want.files, "export FOLDER=/etc/swarm-scale/" + workload + ".secrets"} {
			if !strings.Contains(input, line+"\n") {
				t.Errorf("%s: the script is not given %q", workload, line)
			}
		}
		c := find(t, resources, "docker:index/container:Container", workload)
		if got := text(t, c.inputs["envs"]); !strings.Contains(got, want.variables) {
			t.Errorf("%s: the environment is %s, want %s in it", workload, got, want.variables)
		}
		if got := text(t, c.inputs["volumes"]); !strings.Contains(got, `"containerPath":"/run/secrets","hostPath":"/etc/swarm-scale/`+workload+`.secrets","readOnly":true`) {
			t.Errorf("%s: the secrets are not mounted: %s", workload, got)
		}
	}
}

// TestChangedSecretReachesItsContainers holds that a changed secret replaces the containers that read it when they start, the web
// containers in two waves, and no other. PostgreSQL is told while it runs.
func TestChangedSecretReachesItsContainers(t *testing.T) {
	t.Parallel()
	e := simulated(t, nil)
	up(t, e)
	for _, change := range []struct {
		secrets           map[string]string
		replaced, updated []string
	}{
		{map[string]string{"postgresPassword": "another horse, another battery"}, []string{"results-app", "worker01"},
			[]string{"check", "pg-roles", "pg-secrets", "results-app-secrets", "worker01-secrets"}},
		{map[string]string{"voterKey": "OTk5OTk5OTlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDE="}, []string{"frontend01", "frontend02", "redis01", "redis02", "results-app", "worker01"},
			[]string{"check", "frontend01-healthy", "frontend01-secrets", "frontend02-healthy", "frontend02-secrets", "pg-roles", "redis01-healthy", "redis01-secrets", "redis02-healthy", "redis02-secrets", "results-app-secrets", "worker01-secrets"}},
	} {
		if err := e.SetSecrets(t.Context(), change.secrets); err != nil {
			t.Fatal(err)
		}
		result := up(t, e)
		if got := steps(result)["create"]; !slices.Equal(got, change.replaced) {
			t.Errorf("the change replaces %v, want %v", got, change.replaced)
		}
		if got := steps(result)["update"]; !slices.Equal(got, change.updated) {
			t.Errorf("the change runs %v, want %v", got, change.updated)
		}
		unchanged(t, e)
		state, err := e.StateFile()
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range change.secrets {
			if strings.Contains(string(state), secret) {
				t.Errorf("the state has %q in plain text", secret)
			}
		}
	}
}
