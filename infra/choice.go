package infra

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Choose returns a node that stands for one of several, for what any of them can do. Its scripts run there. choose gets the answer of each
// node to the script, or "" of one that does not answer, and returns the index of the one. The nodes are asked side by side, by every
// deployment, once after is known. In a preview they are not asked, and it is the first one.
func Choose(ctx *pulumi.Context, name, script string, nodes []*Node, after pulumi.Output, choose func(answers []string) int) *Node {
	if len(nodes) == 1 {
		return nodes[0]
	}
	answers := pulumi.StringArray{}
	addresses, keys, identities := pulumi.StringArray{}, pulumi.StringArray{}, pulumi.StringArray{}
	for _, node := range nodes {
		remote := node.Remote(ctx)
		answers = append(answers, after.ApplyT(func(any) string {
			if ctx.DryRun() {
				return ""
			}
			answer, err := remote.Run(name, script, nil)
			if err != nil {
				return ""
			}
			return answer
		}).(pulumi.StringOutput))
		addresses, keys, identities = append(addresses, node.PublicAddress), append(keys, node.HostKey), append(identities, node.Identity)
	}
	chosen := *nodes[0]
	chosen.among = nodes
	if ctx.DryRun() {
		chosen.which = pulumi.Int(0).ToIntOutput()
	} else {
		chosen.which = answers.ToStringArrayOutput().ApplyT(choose).(pulumi.IntOutput)
	}
	chosen.PublicAddress, chosen.HostKey, chosen.Identity = pick(addresses, chosen.which), pick(keys, chosen.which), pick(identities, chosen.which)
	// What depends on it must not go with the first one's machine.
	chosen.Machine, chosen.Presence, chosen.Disk = nil, nil, nil
	chosen.Reachable = nil
	for _, node := range nodes {
		chosen.Reachable = append(chosen.Reachable, node.Reachable...)
	}
	return &chosen
}

// pick returns one of the texts.
func pick(texts pulumi.StringArray, which pulumi.IntOutput) pulumi.StringOutput {
	return pulumi.All(texts, which).ApplyT(func(parts []any) string { return parts[0].([]string)[parts[1].(int)] }).(pulumi.StringOutput)
}

// index returns which of the nodes it stands for the node is, and 0 for one that stands for itself.
func (n *Node) index() pulumi.IntOutput {
	if n.among == nil {
		return pulumi.Int(0).ToIntOutput()
	}
	return n.which
}

// one returns the node that it stands for.
func (n *Node) one(index int) *Node {
	if n.among == nil {
		return n
	}
	return n.among[index]
}

// text returns something of the node that it stands for.
func (n *Node) text(of func(one *Node) string) pulumi.StringOutput {
	return n.index().ApplyT(func(index int) string { return of(n.one(index)) }).(pulumi.StringOutput)
}

// number returns something of the node that it stands for, as the command provider takes numbers.
func (n *Node) number(of func(one *Node) int) pulumi.Float64Output {
	return n.index().ApplyT(func(index int) float64 { return float64(of(n.one(index))) }).(pulumi.Float64Output)
}

// PrivateAddress returns the address at which the other nodes reach the node, or the one that it stands for.
func (n *Node) PrivateAddress() pulumi.StringOutput {
	return n.text(func(one *Node) string { return one.Address.String() })
}
