package rehearsal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"swarm-scale/test/simulation"
)

// The types of what a swarm has, and goes with it.
const serviceType = "docker:index/service:Service"

const commandType = "command:remote:Command"

// Variable returns a variable that a script exports, or "". It may have several lines, and no quotes.
func Variable(script, name string) string {
	found := regexp.MustCompile(`(?m)^export ` + name + `=('[^']*'|.*)$`).FindStringSubmatch(script)
	if found == nil {
		return ""
	}
	return strings.Trim(found[1], "'")
}

// joined returns the swarm that a machine is in, and its place among those that joined; ok is false if it is in none. It looks for the
// scripts that have run on the machine.
func joined(w *simulation.World, machine string) (swarm string, place int, ok bool) {
	for i, command := range w.Objects(commandType) {
		name := command.URN.Name()
		script := stringOf(command.Inputs["stdin"])
		if Variable(script, "SWARM_SCALE_MACHINE") != machine {
			continue
		}
		switch {
		case name == "swarm":
			if words := strings.Fields(stringOf(command.Outputs["stdout"])); len(words) > 1 { // it has run
				return words[1], 0, true
			}
		case strings.HasSuffix(name, "-join"):
			swarm, place, ok = Variable(script, "SWARM"), i+1, true
		}
	}
	return swarm, place, ok
}

// stringOf returns a string property, also a secret one, or "".
func stringOf(property resource.PropertyValue) string {
	for property.IsSecret() {
		property = property.SecretValue().Element
	}
	if !property.IsString() {
		return ""
	}
	return property.StringValue()
}

// swarm plays the script that makes a swarm. A machine that is in one goes on with it. A new swarm has nothing.
func swarm(command simulation.Execution) (simulation.Outcome, error) {
	machine := Variable(command.Stdin, "SWARM_SCALE_MACHINE")
	id, _, ok := joined(command.World, machine)
	if !ok {
		id = fmt.Sprintf("%x", sha256.Sum256([]byte(machine)))[:25]
		for _, kind := range []string{serviceType, networkType} {
			for _, object := range command.World.Objects(kind) {
				command.World.Remove(object)
			}
		}
	}
	return simulation.Outcome{Took: 2 * time.Second, Stdout: "swarm: " + id + "\n"}, nil
}

// way plays the script that makes way for a machine, and prints the token with which it joins, and where. When the node leaves the stack, its
// services go.
func way(command simulation.Execution) (simulation.Outcome, error) {
	if command.Op == simulation.Delete {
		name := Variable(command.Stdin, "NAME")
		for _, object := range command.World.Objects(serviceType) {
			if strings.Contains(fmt.Sprint(object.Inputs["taskSpec"].Mappable()), "node.hostname=="+name+"]") {
				command.World.Remove(object)
			}
		}
		return simulation.Outcome{Took: time.Second}, nil
	}
	return simulation.Outcome{Took: time.Second, Stdout: "token: SWMTKN-1-" + Variable(command.Stdin, "ROLE") + "-" + Variable(command.Stdin, "SWARM") + " 192.168.33.11\n"}, nil
}

// age plays the script that prints since when a machine has been in its swarm.
func age(w *simulation.World, script string) (string, error) {
	_, place, ok := joined(w, Variable(script, "SWARM_SCALE_MACHINE"))
	if !ok {
		return "", errors.New("this node is not a swarm manager")
	}
	return fmt.Sprintf("2026-02-08T12:00:%02dZ\n", place%60), nil
}
