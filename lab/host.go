package lab

import (
	"context"
	"fmt"

	"swarm-scale/topology"
)

// Host is one machine of the lab.
type Host struct {
	Name    string // the node it becomes: manager, interlock, frontend01, worker01, store …
	Address string // in its zone's subnet, both private and public
	Role    topology.Role
	Zone    int    // 1, 2, 3 …
	HostKey string // its SSH host key, "ssh-ed25519 AAAA…"; empty until the host is made; Recreate changes it

	lab *Lab
}

// stopGrace is how many seconds a host has to stop its engine, and the engine its containers.
const stopGrace = "60"

// Container returns the name of the host's container on this machine's engine.
func (h *Host) Container() string { return namePrefix + h.Name }

// Run runs a script with bash as root on the host, by docker exec. It returns the standard output without surrounding space. The
// error has the standard error. Tests look and cause failures with it.
func (h *Host) Run(ctx context.Context, script string) (string, error) {
	return h.lab.docker.run(ctx, "exec", h.Container(), "bash", "-c", script)
}

// Docker calls docker on the host's own engine, by docker exec and without the Swarm manager. It returns the standard output without
// surrounding space.
func (h *Host) Docker(ctx context.Context, arguments ...string) (string, error) {
	return h.lab.docker.run(ctx, append([]string{
		"exec", "--env", "DOCKER_HOST=unix:///var/run/docker.sock", h.Container(), "docker",
	}, arguments...)...)
}

// Stop shuts the host down. Its engine stops its containers first.
func (h *Host) Stop(ctx context.Context) error {
	_, err := h.lab.docker.run(ctx, "stop", "--time", stopGrace, h.Container())
	return err
}

// Kill is a power cut. Every process on the host ends at once. Unlike in a real one, written data that was not synchronised survives,
// because this machine keeps running.
func (h *Host) Kill(ctx context.Context) error {
	_, err := h.lab.docker.run(ctx, "kill", h.Container())
	return err
}

// Start starts a stopped host, and returns once SSH accepts logins.
func (h *Host) Start(ctx context.Context) error {
	if _, err := h.lab.docker.run(ctx, "start", h.Container()); err != nil {
		return err
	}
	return h.await(ctx)
}

// Pause freezes every process on the host. It keeps its address and does not answer.
func (h *Host) Pause(ctx context.Context) error {
	_, err := h.lab.docker.run(ctx, "pause", h.Container())
	return err
}

// Unpause ends Pause.
func (h *Host) Unpause(ctx context.Context) error {
	_, err := h.lab.docker.run(ctx, "unpause", h.Container())
	return err
}

// Recreate replaces the host by an empty one with the same address and a new host key. It returns once SSH accepts logins.
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
