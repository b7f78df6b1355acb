package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// docker runs the docker program of this machine.
type docker struct{}

// run returns what docker printed, without the space around it. The error has the command and docker's last words.
func (d docker) run(ctx context.Context, arguments ...string) (string, error) {
	return d.feed(ctx, nil, arguments...)
}

// feed is run with something on standard input.
func (d docker) feed(ctx context.Context, input io.Reader, arguments ...string) (string, error) {
	var output bytes.Buffer
	err := d.pipe(ctx, input, &output, arguments...)
	return strings.TrimSpace(output.String()), err
}

// pipe is feed with the output going elsewhere.
func (docker) pipe(ctx context.Context, input io.Reader, output io.Writer, arguments ...string) error {
	var complaints bytes.Buffer
	command := exec.CommandContext(ctx, "docker", arguments...)
	command.Stdin, command.Stdout, command.Stderr = input, output, &complaints
	err := command.Run()
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return errNoDocker
	}
	if words := strings.TrimSpace(complaints.String()); words != "" {
		err = errors.New(words)
	}
	return fmt.Errorf("docker %s: %w", strings.Join(arguments, " "), err)
}

var errNoDocker = errors.New("docker is not on PATH: install Docker Engine (https://docs.docker.com/engine/install)")

// exists reports whether the engine has a thing of a kind: container, image, network.
func (d docker) exists(ctx context.Context, kind, name string) bool {
	_, err := d.run(ctx, kind, "inspect", "--format", "{{.Id}}", name)
	return err == nil
}

// logs writes a container's last words, of both kinds.
func (docker) logs(ctx context.Context, output io.Writer, container string) error {
	command := exec.CommandContext(ctx, "docker", "logs", "--tail", "20", container)
	command.Stdout, command.Stderr = output, output
	return command.Run()
}
