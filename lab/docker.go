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

// docker calls this machine's docker program.
type docker struct{}

// run returns docker's output without surrounding space. The error has the command and docker's standard error.
func (d docker) run(ctx context.Context, arguments ...string) (string, error) {
	return d.feed(ctx, nil, arguments...)
}

// feed is run with a standard input.
func (d docker) feed(ctx context.Context, input io.Reader, arguments ...string) (string, error) {
	var output bytes.Buffer
	err := d.pipe(ctx, input, &output, arguments...)
	return strings.TrimSpace(output.String()), err
}

// pipe is feed with a writer for the output.
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

// exists reports whether the engine has an object of the kind "container", "image" or "network".
func (d docker) exists(ctx context.Context, kind, name string) bool {
	_, err := d.run(ctx, kind, "inspect", "--format", "{{.Id}}", name)
	return err == nil
}

// logs writes the end of a container's log, standard output and standard error.
func (docker) logs(ctx context.Context, output io.Writer, container string) error {
	command := exec.CommandContext(ctx, "docker", "logs", "--tail", "20", container)
	command.Stdout, command.Stderr = output, output
	return command.Run()
}
