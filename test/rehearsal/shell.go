package rehearsal

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"swarm-scale/infra"
	"swarm-scale/test/simulation"
)

// The docker provider's types of what a hook looks at.
const (
	containerType = "docker:index/container:Container"
	networkType   = "docker:index/network:Network"
)

// Shell plays the scripts that run at once in a world: leftovers.sh, gone.sh and present.sh of cluster/engine, and those of
// cluster/swarmmode and cluster/standalone. None of the swarm's nodes has given up there. Each manager that is there knows Consul's leader.
func Shell(w *simulation.World) infra.Shell {
	return func(_ context.Context, login infra.Login, script string) (string, error) {
		user, address, _ := strings.Cut(login.Arguments[len(login.Arguments)-1], "@")
		if user == "" || !w.Reachable(address) {
			return "", fmt.Errorf("ssh: connect to host %s port 22: Connection timed out", address)
		}
		variable := func(name string) string { return Variable(script, name) }
		switch {
		case strings.Contains(login.Command, "last-words"):
			return "  its log ends:   the queue refuses writes\n", nil
		case strings.Contains(login.Command, "swarm-age"):
			return age(w, script)
		case strings.Contains(login.Command, "consul-leader"):
			return "\"192.168.33.11:8300\"", nil
		case strings.HasSuffix(login.Command, " down"):
			return "", nil
		case strings.Contains(login.Command, "leftovers"):
			kind := map[string]string{"container": containerType, "service": serviceType, "network": networkType}[variable("KIND")]
			return "", clear(w, kind, variable("NAME"))
		case strings.Contains(login.Command, "present"):
			return missing(w, script), nil
		case strings.Contains(login.Command, "gone"):
			return stand(w, resource.ID(variable("ID"))), nil
		}
		return "", fmt.Errorf("package rehearsal does not know the script of %q", login.Command)
	}
}

// clear removes what has the name, unless it is a container without the stack's label.
func clear(w *simulation.World, kind, name string) error {
	for _, object := range w.Objects(kind) {
		if value := object.Inputs["name"]; !value.IsString() || value.StringValue() != name {
			continue
		}
		if kind != networkType && !object.Inputs.HasValue("labels") {
			return fmt.Errorf("leftovers: %s has a container named %s that is not this stack's", object.Machine, name)
		}
		w.Remove(object)
	}
	return nil
}

// missing has a line for each workload that the script asks for and the world has not.
func missing(w *simulation.World, script string) string {
	_, asked, _ := strings.Cut(script, "export WORKLOADS='")
	asked, _, _ = strings.Cut(asked, "'\n")
	there := map[string]bool{}
	for _, kind := range []string{containerType, serviceType} {
		for _, object := range w.Objects(kind) {
			there[string(object.ID)] = true
		}
	}
	var lines strings.Builder
	for line := range strings.Lines(asked) {
		if name, id, _ := strings.Cut(strings.TrimSpace(line), " "); !there[id] {
			fmt.Fprintln(&lines, "missing", name)
		}
	}
	return lines.String()
}

// stand puts a container in the place of one that is gone.
func stand(w *simulation.World, id resource.ID) string {
	containers := w.Objects(containerType)
	for _, object := range containers {
		if object.ID == id {
			return ""
		}
	}
	if len(containers) == 0 {
		return ""
	}
	instead := containers[0]
	instead.ID, instead.Inputs = id, resource.PropertyMap{"name": resource.NewProperty(string(id))}
	w.Put(instead)
	return "retry\n"
}
