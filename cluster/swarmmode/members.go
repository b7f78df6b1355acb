package swarmmode

import (
	_ "embed"
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
)

// tokens let a machine join the swarm. They are secret.
type tokens struct{ worker, manager pulumi.StringOutput }

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
	steps, names := []pulumi.Resource{}, []string{}
	machines := pulumi.StringArray{}
	for _, node := range c.members {
		joined, err := c.join(ctx, node)
		if err != nil {
			return nil, err
		}
		steps, names = append(steps, joined), append(names, node.Name)
		machines = append(machines, pulumi.Sprintf("%s %s", node.Name, node.Identity))
	}
	var managers []string
	for _, node := range c.managers {
		managers = append(managers, node.Name)
	}
	return c.manager.Run(ctx, "swarm-members", infra.Script{
		Text: nodesScript + membersScript,
		Variables: map[string]pulumi.StringInput{
			"MEMBERS":  pulumi.String(strings.Join(names, " ")),
			"MANAGERS": pulumi.String(strings.Join(managers, " ")),
			"WAIT":     pulumi.String(strconv.Itoa(membersWait)),
			"SWARM":    c.id,
			// The script runs again when a member becomes another machine.
			"MACHINES": machines.ToStringArrayOutput().ApplyT(func(lines []string) string { return strings.Join(lines, "\n") }).(pulumi.StringOutput),
		},
	}, c.inside, pulumi.DependsOn(steps))
}

// newSwarm makes the swarm, unless one of the managers is in it. It is asked for the swarm's ID and for the tokens.
func (c *swarm) newSwarm(ctx *pulumi.Context, after []pulumi.Resource) error {
	made, err := c.manager.Run(ctx, "swarm", infra.Script{
		Text: ports() + swarmScript,
		Variables: map[string]pulumi.StringInput{
			"ADDRESS": c.manager.PrivateAddress(),
			"POOL":    pulumi.String(c.settings.SwarmPool.String()),
			"NOTES":   pulumi.String(engine.Notes),
		},
		SecretOutput: true,
	}, c.inside, pulumi.DependsOn(after))
	if err != nil {
		return err
	}
	c.made = made
	word := func(index int) pulumi.StringOutput {
		return made.Stdout.ApplyT(func(output string) string { return answer(output)[index] }).(pulumi.StringOutput)
	}
	c.id = pulumi.Unsecret(word(0)).(pulumi.StringOutput)
	c.tokens = tokens{worker: word(1), manager: word(2)}
	return nil
}

// answer returns the three words of the last line that begins with "swarm:". They are empty if there is none, as in a preview.
func answer(output string) [3]string {
	var words [3]string
	for line := range strings.Lines(output) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "swarm: "); ok {
			copy(words[:], strings.Fields(rest))
		}
	}
	return words
}

// join has a node join the swarm. A dead machine that had the node's name is removed from the swarm first.
func (c *swarm) join(ctx *pulumi.Context, node *infra.Node) (pulumi.Resource, error) {
	way, err := c.manager.Run(ctx, node.Name+"-way", infra.Script{
		Text: nodesScript + wayScript,
		Variables: map[string]pulumi.StringInput{
			"NAME":    pulumi.String(node.Name),
			"MACHINE": node.Identity,
			"WAIT":    pulumi.String(strconv.Itoa(deadWait)),
			"SWARM":   c.id,
		},
		When: infra.OnCreateAndDelete,
	}, c.inside, pulumi.DependsOn([]pulumi.Resource{c.made}), pulumi.DeletedWith(c.made))
	if err != nil {
		return nil, err
	}
	token := c.tokens.worker
	if c.manages(node) {
		token = c.tokens.manager
	}
	var addresses []string
	for _, manager := range c.managers {
		addresses = append(addresses, managementAddress(manager))
	}
	return node.Run(ctx, node.Name+"-join", infra.Script{
		Text: ports() + joinScript,
		Variables: map[string]pulumi.StringInput{
			"NODE_NAME": pulumi.String(node.Name),
			"ADDRESS":   pulumi.String(node.Address.String()),
			"MANAGERS":  pulumi.String(strings.Join(addresses, " ")),
			"SWARM":     c.id,
			"TOKEN":     token,
			"NOTES":     pulumi.String(engine.Notes),
		},
		When: infra.OnCreateAndDelete,
	}, c.inside, pulumi.DependsOn(append([]pulumi.Resource{way}, c.engines[node.Name].Ready...)))
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
