package lab

import (
	"context"
	_ "embed" // the mirror's Dockerfile
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// mirrorPort is the TCP port of the registry mirror.
const mirrorPort = 5000

//go:embed mirror/Dockerfile
var mirrorDockerfile []byte

func (l *Lab) imagesFolder() string { return filepath.Join(l.folder, "images") }

// makeMirror runs the registry mirror with the stock images on the lab's network.
func (l *Lab) makeMirror(ctx context.Context) error {
	changed, err := l.fetchImages(ctx)
	if err != nil {
		return err
	}
	if err := l.buildMirrorImage(ctx); err != nil {
		return err
	}
	running, err := l.docker.run(ctx, "container", "ls", "--quiet", "--filter", "name=^/?"+mirrorName+"$")
	if err != nil {
		return err
	}
	if changed || running == "" {
		if _, err := l.docker.run(ctx, "rm", "--force", mirrorName); err != nil && l.docker.exists(ctx, "container", mirrorName) {
			return err
		}
		if _, err := l.docker.run(ctx, append([]string{"run", "--detach"}, mirrorArguments(l.folder, l.imagesFolder())...)...); err != nil {
			return err
		}
	}
	return awaitMirror(ctx)
}

// mirrorArguments returns docker's arguments for the mirror's container.
func mirrorArguments(folder, images string) []string {
	return []string{
		"--name", mirrorName, "--label", folderLabel + "=" + folder,
		"--network", networkName, "--ip", mirrorAddress.String(), "--restart", "no",
		"--cap-drop", "ALL", "--read-only", "--volume", images + ":/images:ro",
		mirrorImage, "--images", "/images", "--listen", fmt.Sprintf(":%d", mirrorPort),
	}
}

// buildMirrorImage builds an image of the program cmd/lab.
func (l *Lab) buildMirrorImage(ctx context.Context) error {
	root, err := moduleFolder()
	if err != nil {
		return err
	}
	folder := filepath.Join(l.folder, "mirror")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "Dockerfile"), mirrorDockerfile, 0o644); err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
		"-o", filepath.Join(folder, "lab"), "./cmd/lab")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the registry mirror failed (%w):\n%s", err, output)
	}
	return l.build(ctx, mirrorImage, folder)
}

// awaitMirror returns once the mirror answers.
func awaitMirror(ctx context.Context) error {
	url := fmt.Sprintf("http://%s:%d/v2/", mirrorAddress, mirrorPort)
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for end := time.Now().Add(startPatience); ; {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("it answers %s", answer.Status)
		}
		if time.Now().After(end) {
			return fmt.Errorf("the registry mirror at %s does not answer after %s (%w): look at docker logs %s", url, startPatience, err, mirrorName)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
