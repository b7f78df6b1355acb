// Package programs compiles the programs and makes the build contexts of their images. They are the same for the cluster and for
// development.
package programs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The programs, by the names of their images. Each is a command in cmd/ with a Dockerfile beside it.
const (
	WebVoteApp = "web-vote-app"
	VoteWorker = "vote-worker"
	ResultsApp = "results-app"
)

// User is the ID of the user that the programs run as, in their Dockerfiles.
const User = 65532

// StartedPage is the programs' page that answers 200 once they have been ready, and from then on while they work. Queues and the database may
// be away then.
const StartedPage = "/startedz"

// buildFolder is the folder of the image contexts, relative to the folder of Pulumi.yaml.
const buildFolder = ".build"

// Contexts are the image contexts of the built programs.
type Contexts struct {
	// Platform is the programs' platform, as Docker names it: linux/amd64.
	Platform string

	root string // the project's folder
}

// Folder returns the image context of a program, relative to the project's folder. An absolute path would differ between checkouts,
// and would count as a change.
func (c *Contexts) Folder(program string) string { return "./" + buildFolder + "/" + program }

// Build compiles the programs for an architecture ("amd64") where Pulumi runs. Nodes have neither a compiler nor the memory for one.
//
// The same source gives the same bytes on every machine. The toolchain is the one in go.mod. Paths, times and the machine's Go
// settings have no effect. So an image changes only if its program does.
func Build(ctx context.Context, architecture string) (*Contexts, error) {
	root, toolchain, err := module(ctx)
	if err != nil {
		return nil, err
	}
	binaries := filepath.Join(root, buildFolder, "bin")
	if err := os.MkdirAll(binaries, 0o755); err != nil {
		return nil, fmt.Errorf("building the programs: %w", err)
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
		"-o", binaries+string(filepath.Separator), "./cmd/"+WebVoteApp, "./cmd/"+VoteWorker, "./cmd/"+ResultsApp)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=-mod=readonly", "GOEXPERIMENT=", "GOWORK=off", "GOTOOLCHAIN="+toolchain)
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the programs with %s failed (%w):\n%s", toolchain, err, bytes.TrimSpace(output))
	}
	for _, program := range []string{WebVoteApp, VoteWorker, ResultsApp} {
		if err := writeContext(root, binaries, program); err != nil {
			return nil, fmt.Errorf("preparing the image %s: %w", program, err)
		}
	}
	return &Contexts{Platform: "linux/" + architecture, root: root}, nil
}

// Add makes the image context of something else than a program, of files: their texts by their names. Those of shell scripts are executable.
func (c *Contexts) Add(name string, files map[string]string) error {
	folder := filepath.Join(c.root, c.Folder(name))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("preparing the image %s: %w", name, err)
	}
	for file, text := range files {
		mode := os.FileMode(0o644)
		if filepath.Ext(file) == ".sh" {
			mode = 0o755
		}
		if err := replaceFile(filepath.Join(folder, file), []byte(text), mode); err != nil {
			return fmt.Errorf("preparing the image %s: %w", name, err)
		}
	}
	return nil
}

// module finds this project's folder and the Go toolchain that it pins.
func module(ctx context.Context) (root, toolchain string, err error) {
	output, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", "", errors.New("go is not on PATH: install Go (https://go.dev/dl), since the programs are built where Pulumi runs")
	}
	if err != nil {
		return "", "", fmt.Errorf("go env GOMOD: %w", err)
	}
	file := strings.TrimSpace(string(output))
	if filepath.Base(file) != "go.mod" {
		return "", "", fmt.Errorf("this folder is not in a checkout of the project, from which the programs are built (go env GOMOD: %q): run pulumi in the checkout", file)
	}
	output, err = exec.CommandContext(ctx, "go", "mod", "edit", "-json", file).Output()
	if err != nil {
		return "", "", fmt.Errorf("reading %s: %w", file, err)
	}
	var content struct{ Toolchain string }
	if err := json.Unmarshal(output, &content); err != nil {
		return "", "", fmt.Errorf("reading %s: %w", file, err)
	}
	if content.Toolchain == "" {
		return "", "", fmt.Errorf("%s names no toolchain: add the line, which makes images the same everywhere", file)
	}
	return filepath.Dir(file), content.Toolchain, nil
}

// writeContext copies a program and its Dockerfile into an image context. It sets the modes, which are content of the image and
// would otherwise depend on the umask.
func writeContext(root, binaries, program string) error {
	folder := filepath.Join(root, buildFolder, program)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, file := range []struct {
		from string
		mode os.FileMode
	}{
		{filepath.Join(binaries, program), 0o755},
		{filepath.Join(root, "cmd", program, "Dockerfile"), 0o644},
	} {
		content, err := os.ReadFile(file.from)
		if err != nil {
			return err
		}
		if err := replaceFile(filepath.Join(folder, filepath.Base(file.from)), content, file.mode); err != nil {
			return err
		}
	}
	return nil
}

// replaceFile replaces a file atomically, because another run may be reading it. The temporary file is not in the file's folder,
// which is content of the image.
func replaceFile(path string, content []byte, mode os.FileMode) error {
	aside, err := os.CreateTemp(filepath.Dir(filepath.Dir(path)), "new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(aside.Name()) }()
	_, err = aside.Write(content)
	if err := errors.Join(err, aside.Chmod(mode), aside.Close()); err != nil {
		return err
	}
	return os.Rename(aside.Name(), path)
}
