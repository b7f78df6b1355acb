package engine

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
)

var (
	//go:embed scripts/present.sh
	presentScript string
	//go:embed scripts/present-services.sh
	presentServicesScript string
)

// callsAtOnce is how many nodes are asked side by side.
const callsAtOnce = 16

// Present starts workloads that have stopped, and returns an empty text. It fails with the names of those whose containers Pulumi has made
// and their nodes have not. A killed deployment may have stopped or deleted one to replace it, and Pulumi does not look for it. A node that
// does not answer may have all of them. In a preview no node is asked.
func Present(ctx *pulumi.Context, workloads []*cluster.Running) pulumi.StringOutput {
	if ctx.DryRun() {
		return pulumi.String("").ToStringOutput()
	}
	slots := make(chan struct{}, callsAtOnce)
	var answers pulumi.StringArray
	for node, running := range byNode(workloads) {
		remote := node.Remote(ctx)
		answers = append(answers, listed(running).ApplyT(func(workloads string) string {
			slots <- struct{}{}
			defer func() { <-slots }()
			answer, err := remote.Run("present", presentScript, map[string]string{"WORKLOADS": workloads})
			if err != nil {
				return ""
			}
			return answer
		}).(pulumi.StringOutput))
	}
	return joined(answers).ApplyT(tell).(pulumi.StringOutput)
}

// PresentServices is Present for services. A manager of their swarm is asked.
func PresentServices(ctx *pulumi.Context, manager *infra.Node, services []*cluster.Running) pulumi.StringOutput {
	if ctx.DryRun() {
		return pulumi.String("").ToStringOutput()
	}
	remote := manager.Remote(ctx)
	return listed(services).ApplyT(func(workloads string) (string, error) {
		answer, err := remote.Run("present-services", presentServicesScript, map[string]string{"WORKLOADS": workloads})
		if err != nil {
			return "", nil // the swarm does not answer, and may have all of them
		}
		return tell(answer)
	}).(pulumi.StringOutput)
}

// listed returns the workloads as the scripts take them, one a line: name and ID.
func listed(workloads []*cluster.Running) pulumi.StringOutput {
	var lines pulumi.StringArray
	for _, one := range workloads {
		lines = append(lines, pulumi.Sprintf("%s %s", one.Name, one.ID))
	}
	return joined(lines)
}

// joined joins lines.
func joined(lines pulumi.StringArray) pulumi.StringOutput {
	return lines.ToStringArrayOutput().ApplyT(func(lines []string) string { return strings.Join(lines, "\n") }).(pulumi.StringOutput)
}

// tell returns an error that names the missing workloads in the script's lines, and the remedy.
func tell(answer string) (string, error) {
	missing := missingNames(answer)
	if len(missing) == 0 {
		return "", nil
	}
	return "", fmt.Errorf("these containers are gone, by a killed deployment or somebody's hand: %s. This makes them anew: pulumi up --refresh", strings.Join(missing, ", "))
}

// byNode returns the workloads of each node.
func byNode(workloads []*cluster.Running) map[*infra.Node][]*cluster.Running {
	found := map[*infra.Node][]*cluster.Running{}
	for _, one := range workloads {
		found[one.Node] = append(found[one.Node], one)
	}
	return found
}

// missingNames returns the names in the script's lines, sorted. Before them may be what login shells say.
func missingNames(answers string) []string {
	var names []string
	for line := range strings.Lines(answers) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "missing "); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
