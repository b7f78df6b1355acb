package stack_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/stack"
)

// TestEnvironmentThatLeadsElsewhereIsRefused holds that all such variables are told at once, before any resource, and that an SSH agent that
// answers is none.
func TestEnvironmentThatLeadsElsewhereIsRefused(t *testing.T) {
	folder := t.TempDir()
	agent, err := net.Listen("unix", filepath.Join(folder, "agent"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = agent.Close() }()
	for name, test := range map[string]struct {
		variables map[string]string
		says      []string // empty: the settings are looked at
	}{
		"an agent":              {map[string]string{"SSH_AUTH_SOCK": agent.Addr().String()}, nil},
		"an agent that is gone": {map[string]string{"SSH_AUTH_SOCK": filepath.Join(folder, "gone")}, []string{"unset SSH_AUTH_SOCK"}},
		"another engine":        {map[string]string{"DOCKER_CONTEXT": "colima"}, []string{`DOCKER_CONTEXT is "colima"`, "unset DOCKER_CONTEXT"}},
		"both": {map[string]string{"DOCKER_CERT_PATH": "/home/jane/.minikube/certs", "SSH_AUTH_SOCK": filepath.Join(folder, "gone")},
			[]string{"unset DOCKER_CERT_PATH", "unset SSH_AUTH_SOCK"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DOCKER_CONTEXT", "")
			for variable, value := range test.variables {
				t.Setenv(variable, value)
			}
			m := &mocks{lookups: map[string]string{}}
			err := pulumi.RunErr(stack.Deploy, pulumi.WithMocks("swarm-scale", "dev", m))
			if err == nil || strings.Contains(err.Error(), "the environment of Pulumi has to be mended") != (len(test.says) > 0) || len(m.resources) > 0 {
				t.Fatalf("%d resources, and %v", len(m.resources), err)
			}
			for _, want := range test.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
		})
	}
}
