package app

import "swarm-scale/cluster"

// interlock describes the walk-through's load balancer. It watches the Swarm manager's events. Containers with the host and domain
// name of the vote page are its backends. It exits if the manager does not answer, so it starts after the frontends.
func (a *App) interlock(fronts []front, _ string) (cluster.Workload, error) {
	var webs []*cluster.Running
	for _, front := range fronts {
		webs = append(webs, front.web)
	}
	return cluster.Workload{
		Name:    "interlock",
		Image:   cluster.Image{Name: "interlock", Reference: a.settings.Images.Interlock},
		Command: []string{"--swarm-url", a.cluster.ManagerURL(), "--plugin", "haproxy", "start"},
		Update:  cluster.Update{After: webs},
		// It runs its own HAProxy as root, and writes that one's configuration.
		Limits:       cluster.Limits{Memory: balancerMemory, Files: 40_960},
		Capabilities: append([]string{"KILL", "NET_BIND_SERVICE", "SYS_CHROOT"}, startsAsRoot...),
	}, nil
}
