package lab

import (
	"context"
	"fmt"

	"swarm-scale/topology"
)

// Host is one machine of the lab.
type Host struct {
	Name    string // the node it becomes: manager, interlock, frontend01, worker01, store …
	Address string // in 192.168.33.0/24, its private and its public one
	Role    topology.Role
	HostKey string // its SSH host key, "ssh-ed25519 AAAA…"; empty until it has been made; Recreate changes it

	lab *Lab
}

// stopGrace is how many seconds a host has to stop its engine in good order, and the engine its containers.
const stopGrace = "60"

// Container is the name of the host's container on this machine's engine.
func (h *Host) Container() string { return namePrefix + h.Name }

// Run has bash run a script on the host as root, past SSH, and returns what it printed on standard output, without the
// space around it. It is for looking, and for making trouble. The error has what the script printed on standard error.
func (h *Host) Run(ctx context.Context, script string) (string, error) {
	return h.lab.docker.run(ctx, "exec", h.Container(), "bash", "-c", script)
}

// Docker asks the host's own engine, past SSH and past the Swarm manager, and returns what docker printed on standard
// output, without the space around it.
func (h *Host) Docker(ctx context.Context, arguments ...string) (string, error) {
	return h.lab.docker.run(ctx, append([]string{
		"exec", "--env", "DOCKER_HOST=unix:///var/run/docker.sock", h.Container(), "docker",
	}, arguments...)...)
}

// Stop shuts the host down in good order: its engine stops its containers, then it is off.
func (h *Host) Stop(ctx context.Context) error {
	_, err := h.lab.docker.run(ctx, "stop", "--time", stopGrace, h.Container())
	return err
}

// Kill is a power cut: everything on the host ends at once, with no warning. What it had written to its disk is there when
// it starts again, even if it was not yet synchronised: the disk is this machine's, which has power.
func (h *Host) Kill(ctx context.Context) error {
	_, err := h.lab.docker.run(ctx, "kill", h.Container())
	return err
}

// Start turns a stopped host on and returns when SSH lets in.
func (h *Host) Start(ctx context.Context) error {
	if _, err := h.lab.docker.run(ctx, "start", h.Container()); err != nil {
		return err
	}
	return h.await(ctx)
}

// Pause freezes everything on the host: it stays reachable, and does not answer.
func (h *Host) Pause(ctx context.Context) error {
	_, err := h.lab.docker.run(ctx, "pause", h.Container())
	return err
}

// Unpause lets a frozen host go on.
func (h *Host) Unpause(ctx context.Context) error {
	_, err := h.lab.docker.run(ctx, "unpause", h.Container())
	return err
}

// Recreate puts an empty machine in the host's place, at the same address, with a new host key. It returns when SSH lets in.
func (h *Host) Recreate(ctx context.Context) error {
	if err := h.lab.removeHost(ctx, h); err != nil {
		return err
	}
	if err := h.lab.makeHost(ctx, h); err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	if err := h.lab.writeSSHFiles(); err != nil {
		return err
	}
	return h.await(ctx)
}
