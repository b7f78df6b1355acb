package swarmmode

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster/engine"
	"swarm-scale/infra"
)

// membersWait is how many seconds the members have to become ready.
const membersWait = 120

// deadWait is how many seconds a dead machine may seem alive. The swarm noticed it after 12 s.
const deadWait = 20

var (
	//go:embed scripts/swarm-age.sh
	ageScript string
	//go:embed scripts/swarm.sh
	swarmScript string
	//go:embed scripts/nodes.sh
	nodesScript string
	//go:embed scripts/way.sh
	wayScript string
	//go:embed scripts/join.sh
	joinScript string
	//go:embed scripts/members.sh
	membersScript string
	//go:embed scripts/down.sh
	downScript string
	//go:embed scripts/given-up.sh
	givenUpScript string
	//go:embed scripts/drop.sh
	dropScript string
)

// newMembers makes the swarm, and has all members join it. The resource that it returns exists once the swarm reports every member ready.
func (c *swarm) newMembers(ctx *pulumi.Context) (pulumi.Resource, error) {
	engines := []pulumi.Resource{}
	for _, node := range c.managers {
		engines = append(engines, c.engines[node.Name].Ready...)
	}
	c.manager = infra.Choose(ctx, "swarm-age", ageScript, c.managers, done(engines), oldest)
	if err := c.newSwarm(ctx, engines); err != nil {
		return nil, err
	}
	steps := []pulumi.Resource{}
	machines := pulumi.StringArray{}
	for _, node := range c.members {
		joined, err := c.join(ctx, node)
		if err != nil {
			return nil, err
		}
		c.joined[node.Name] = joined
		steps = append(steps, joined)
		machines = append(machines, pulumi.Sprintf("%s %s", node.Name, node.Identity))
	}
	variables := map[string]pulumi.StringInput{
		"SWARM": c.id,
		// The script runs again when a member becomes another machine.
		"MACHINES": c.rejoined(ctx, steps, machines.ToStringArrayOutput()),
	}
	for name, value := range c.membersVariables() {
		variables[name] = pulumi.String(value)
	}
	return c.manager.Run(ctx, "swarm-members", infra.Script{Text: nodesScript + membersScript, Variables: variables}, c.inside, pulumi.DependsOn(steps))
}

// membersVariables returns what the script that awaits the members needs, besides their machines.
func (c *swarm) membersVariables() map[string]string {
	return map[string]string{"MEMBERS": names(c.members), "MANAGERS": names(c.managers), "WAIT": strconv.Itoa(membersWait)}
}

// names returns the nodes' names, separated by spaces.
func names(nodes []*infra.Node) string {
	var list []string
	for _, node := range nodes {
		list = append(list, node.Name)
	}
	return strings.Join(list, " ")
}

// newSwarm makes the swarm, unless one of the managers is in it, and asks for its ID.
func (c *swarm) newSwarm(ctx *pulumi.Context, after []pulumi.Resource) error {
	made, err := c.manager.Run(ctx, "swarm", infra.Script{
		Text: ports() + swarmScript,
		Variables: map[string]pulumi.StringInput{
			"ADDRESS": c.manager.PrivateAddress(),
			"POOL":    pulumi.String(c.settings.SwarmPool.String()),
			"NOTES":   pulumi.String(engine.Notes),
		},
	}, c.inside, pulumi.DependsOn(after))
	if err != nil {
		return err
	}
	c.made = made
	c.id = made.Stdout.ApplyT(func(output string) string { return answer(output, "swarm: ") }).(pulumi.StringOutput)
	return nil
}

// answer returns the rest of the last line that begins so. It is empty if there is none, as in a preview.
func answer(output, begins string) string {
	rest := ""
	for line := range strings.Lines(output) {
		if found, ok := strings.CutPrefix(strings.TrimSpace(line), begins); ok {
			rest = found
		}
	}
	return rest
}

// join has a node join the swarm. A dead machine that had the node's name is removed from the swarm first. From there come the
// token to join with, which changes with the swarm's certificates, and the address of a manager that works.
func (c *swarm) join(ctx *pulumi.Context, node *infra.Node) (pulumi.Resource, error) {
	way, err := c.manager.Run(ctx, node.Name+"-way", infra.Script{
		Text: nodesScript + wayScript,
		Variables: map[string]pulumi.StringInput{
			"NAME":    pulumi.String(node.Name),
			"MACHINE": node.Identity,
			"ROLE":    pulumi.String(c.roleOf(node)),
			"LABEL":   pulumi.String(engine.Label),
			"WAIT":    pulumi.String(strconv.Itoa(deadWait)),
			"SWARM":   c.id,
		},
		When:         infra.OnCreateAndDelete,
		SecretOutput: true,
	}, c.inside, pulumi.DependsOn([]pulumi.Resource{c.made}), pulumi.DeletedWith(c.made))
	if err != nil {
		return nil, err
	}
	variables := map[string]pulumi.StringInput{
		"SWARM": c.id,
		"TOKEN": way.Stdout.ApplyT(func(output string) string { return answer(output, "token: ") }).(pulumi.StringOutput),
	}
	for name, value := range c.joinVariables(node) {
		variables[name] = pulumi.String(value)
	}
	// Replaced with the machine, because the services on the node are replaced with it.
	return node.Run(ctx, node.Name+"-join", infra.Script{Text: ports() + joinScript, Variables: variables, When: infra.OnCreateAndDelete},
		c.inside, pulumi.DependsOn(append([]pulumi.Resource{way}, c.engines[node.Name].Ready...)),
		pulumi.ReplaceWith([]pulumi.Resource{node.Machine}), pulumi.ReplacementTrigger(c.id))
}

// roleOf returns what the node is in the swarm: manager or worker.
func (c *swarm) roleOf(node *infra.Node) string {
	if slices.Contains(c.managers, node) {
		return "manager"
	}
	return "worker"
}

// joinVariables returns what a node needs to join the swarm, besides the swarm's ID and a token.
func (c *swarm) joinVariables(node *infra.Node) map[string]string {
	return map[string]string{
		"NODE_NAME": node.Name,
		"ADDRESS":   node.Address.String(),
		"NOTES":     engine.Notes,
	}
}

// rejoined returns the members' machines, one a line. Before, it has those members join anew whose engines have given the swarm up. Their
// certificates have expired while they were off, or somebody had them leave. A machine that is off is left alone. In a preview no node is
// asked.
func (c *swarm) rejoined(ctx *pulumi.Context, joined []pulumi.Resource, machines pulumi.StringArrayOutput) pulumi.StringOutput {
	manager := c.manager.Remote(ctx)
	remotes := map[string]*infra.Remote{}
	for _, node := range c.members {
		remotes[node.Name] = node.Remote(ctx)
	}
	return pulumi.All(machines, c.id, done(joined)).ApplyT(func(known []any) (string, error) {
		lines, id := strings.Join(known[0].([]string), "\n"), known[1].(string)
		if ctx.DryRun() {
			return lines, nil
		}
		down, err := manager.Run("down", nodesScript+downScript, nil)
		if err != nil {
			return lines, nil // what needs the swarm says more
		}
		anew := false
		for line := range strings.Lines(down) {
			name, former, _ := strings.Cut(answer(line, "down: "), " ")
			i := slices.IndexFunc(c.members, func(node *infra.Node) bool { return node.Name == name })
			if i < 0 {
				continue
			}
			if state, err := remotes[name].Run("given-up", givenUpScript, nil); err != nil || answer(state, "given up: ") == "" {
				continue
			}
			anew = true
			if err := c.rejoin(manager, remotes[name], c.members[i], former, id); err != nil {
				return "", fmt.Errorf("%s has to join the swarm anew: %w", name, err)
			}
		}
		if !anew {
			return lines, nil
		}
		variables := c.membersVariables()
		variables["MACHINES"] = lines
		_, err = manager.Run("swarm-members", nodesScript+membersScript, variables)
		return lines, err
	}).(pulumi.StringOutput)
}

// rejoin removes a node's former membership, an ID, from the swarm, and has the node join anew.
func (c *swarm) rejoin(manager, remote *infra.Remote, node *infra.Node, former, swarm string) error {
	token, err := manager.Run("drop", nodesScript+dropScript, map[string]string{"ID": former, "ROLE": c.roleOf(node)})
	if err != nil {
		return err
	}
	variables := c.joinVariables(node)
	variables["SWARM"], variables["TOKEN"] = swarm, answer(token, "token: ")
	_, err = remote.Run("join", ports()+joinScript, variables)
	return err
}

// oldest returns the index of the manager that has been in the swarm for longest, or 0 if none is. A manager that joined anew on another
// machine does not become the one, so that a deployment after its return changes nothing.
func oldest(answers []string) int {
	best, since := 0, time.Time{}
	for i, answer := range answers {
		lines := strings.Split(strings.TrimSpace(answer), "\n")
		joined, err := time.Parse(time.RFC3339Nano, lines[len(lines)-1]) // before it may be what the login shell says
		if err == nil && (since.IsZero() || joined.Before(since)) {
			best, since = i, joined
		}
	}
	return best
}

// done returns an output that is known once the resources exist.
func done(resources []pulumi.Resource) pulumi.Output {
	var ids pulumi.Array
	for _, resource := range resources {
		ids = append(ids, resource.(pulumi.CustomResource).ID())
	}
	return ids.ToArrayOutput()
}
