// Command swarm-scale is the Pulumi program of the poll: `pulumi up` in this folder runs it.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/stack"
)

func main() {
	pulumi.Run(stack.Deploy)
}
