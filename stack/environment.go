package stack

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
)

// agentPatience is how long an SSH agent may take to accept a connection.
const agentPatience = 5 * time.Second

// checkEnvironment returns an error that joins a line for each environment variable with which the plugins would not reach the nodes. A
// preview reaches none, so there it checks nothing.
func checkEnvironment(ctx *pulumi.Context, getenv func(string) string) error {
	if ctx.DryRun() {
		return nil
	}
	var faults []error
	for _, variable := range settings.DockerVariables() {
		if value := getenv(variable); value != "" {
			faults = append(faults, fmt.Errorf("%s is %q, and with it Pulumi would not call the machines' engines: unset %s", variable, value, variable))
		}
	}
	if socket := getenv("SSH_AUTH_SOCK"); socket != "" {
		// The command plugin asks the agent, and fails without an answer, even if it has a key.
		agent, err := net.DialTimeout("unix", socket, agentPatience)
		if err != nil {
			faults = append(faults, fmt.Errorf("SSH_AUTH_SOCK is %q, where no agent answers (%w): unset SSH_AUTH_SOCK, or start an agent: eval \"$(ssh-agent)\"", socket, err))
		} else if err := agent.Close(); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("the environment of Pulumi has to be mended first; nothing was changed:\n%w", errors.Join(faults...))
	}
	return nil
}
