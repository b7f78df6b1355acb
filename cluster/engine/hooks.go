package engine

import (
	_ "embed"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
)

var (
	//go:embed scripts/leftovers.sh
	leftoversScript string
	//go:embed scripts/gone.sh
	goneScript string
)

// What docker calls the things whose names an interrupted deployment may have taken.
const (
	container = "container"
	service   = "service"
	network   = "network"
)

// word returns what docker calls a resource of the docker provider.
func word(kind tokens.Type) string {
	switch kind {
	case "docker:index/container:Container":
		return container
	case "docker:index/service:Service":
		return service
	}
	return network
}

// constraint is how a container asks the Swarm manager for a node. It is among the container's environment.
const constraint = "constraint:node=="

// Constraint returns the variable with which a container asks the Swarm manager for a node.
func Constraint(node *infra.Node) string { return constraint + node.Name }

// passing matches what is over in a moment.
//
// An engine may make a call to Consul from a wrong network namespace. When an overlay network of an engine is deleted, one of its threads stays
// in the namespace of that network (libnetwork, watchMiss), and later calls may be made from there. The next call is made from another thread
// as a rule. An engine that cannot read a network in Consul says that there is none. If it could not write all of a container's endpoint, it
// says the next time that there is one; leftovers.sh removes it.
//
// A swarm has no leader for a moment when the one that it had is replaced, or crashes. Engine 26.1.5 has crashed when a service was deleted
// while one of its tasks was just forgotten with a lost node (swarmkit, SetServiceTasksRemove).
var passing = regexp.MustCompile(`connect: network is unreachable|network \S+ not found|endpoint with name \S+ already exists in network` +
	`|rpc error: code = (Unavailable|DeadlineExceeded)|The swarm does not have a leader`)

const (
	passingTries = 8
	passingPause = 3 * time.Second
)

// NewHooks returns the hooks of containers and networks at a docker endpoint, an engine or Swarm manager that is called on the node.
// They let a deployment go on where an earlier one was killed. Pulumi does not know what it was just making, and does not notice
// what it has just deleted. And they repeat what an engine fails to do for a cause that is passing.
//
// No hook runs before a deletion, because `pulumi destroy` would then need the program.
func NewHooks(ctx *pulumi.Context, name string, node *infra.Node, endpoint string) (*pulumi.ResourceHookBinding, error) {
	remote := node.Remote(ctx)
	makeWay := func(kind tokens.Type, inputs resource.PropertyMap) error {
		_, err := remote.Run("leftovers", leftoversScript, map[string]string{
			"ENDPOINT":  endpoint,
			"KIND":      word(kind),
			"NAME":      text(inputs["name"]),
			"LABEL":     Label,
			"GRACE":     strconv.Itoa(StopGrace),
			"NODE_NAME": node.Name,
		})
		return err
	}
	leftovers, err := ctx.RegisterResourceHook("leftovers-"+name, func(arguments *pulumi.ResourceHookArgs) error {
		return makeWay(arguments.Type, arguments.NewInputs)
	}, nil)
	if err != nil {
		return nil, err
	}
	again, err := ctx.RegisterErrorHook("again-"+name, func(arguments *pulumi.ErrorHookArgs) (bool, error) {
		if !passing.MatchString(arguments.Errors[0]) || len(arguments.Errors) >= passingTries {
			return false, nil
		}
		time.Sleep(passingPause)
		if arguments.FailedOperation == "create" {
			return makeWay(arguments.Type, arguments.NewInputs) == nil, nil
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	gone, err := ctx.RegisterErrorHook("gone-"+name, func(arguments *pulumi.ErrorHookArgs) (bool, error) {
		others := slices.DeleteFunc(slices.Clone(arguments.Errors), passing.MatchString)
		// Only the first failure: a second one has another cause.
		if arguments.FailedOperation != "delete" || word(arguments.Type) == network || len(others) != 1 {
			return false, nil
		}
		output, err := remote.Run("gone", goneScript, map[string]string{
			"ENDPOINT":  endpoint,
			"KIND":      word(arguments.Type),
			"ID":        string(arguments.ID),
			"NAME":      text(arguments.OldInputs["name"]),
			"IMAGE":     text(arguments.OldInputs["image"]),
			"PLACEMENT": placement(arguments.OldInputs["envs"]),
			"LABEL":     Label,
		})
		return err == nil && saysRetry(output), nil // the failure itself is told
	})
	if err != nil {
		return nil, err
	}
	return &pulumi.ResourceHookBinding{BeforeCreate: []*pulumi.ResourceHook{leftovers}, OnError: []*pulumi.ErrorHook{again, gone}}, nil
}

// saysRetry reports whether a script's last line is "retry". Before it may be what the login shell says.
func saysRetry(output string) bool {
	output = strings.TrimSpace(output)
	return output[strings.LastIndex(output, "\n")+1:] == "retry"
}

// placement returns the variable with which a container's environment asks the Swarm manager for a node, or "".
func placement(environment resource.PropertyValue) string {
	variables := resource.FromResourcePropertyValue(environment)
	if !variables.IsArray() {
		return ""
	}
	for _, variable := range variables.AsArray().All {
		if variable.IsString() && strings.HasPrefix(variable.AsString(), constraint) {
			return variable.AsString()
		}
	}
	return ""
}

// text returns a string property, also a secret one, or "".
func text(property resource.PropertyValue) string {
	if value := resource.FromResourcePropertyValue(property); value.IsString() {
		return value.AsString()
	}
	return ""
}
