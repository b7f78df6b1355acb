package lab

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// hostContext is the build context of the hosts' image.
//
//go:embed host
var hostContext embed.FS

// complete returns a script that runs in an image. It prints "complete" if hosts need nothing else installed, or "incomplete".
func (l *Lab) complete() string { return l.engineKind().Functions + complete }

// complete is the script without the functions of the engine's kind.
const complete = `(set -e
	engine_fits
	for program in sshd sudo ip iptables nft curl pkill; do command -v "$program"; done
) >/dev/null 2>&1
if [ $? -eq 0 ]; then echo complete; else echo incomplete; fi`

// buildHostImage builds the image of the hosts, unless it exists with the same content. An existing image whose base has been removed
// is kept.
func (l *Lab) buildHostImage(ctx context.Context) error {
	if !l.docker.exists(ctx, "image", l.base) && l.docker.exists(ctx, "image", hostImage) {
		return nil
	}
	if err := l.pullBase(ctx); err != nil {
		return err
	}
	context, err := fs.Sub(hostContext, "host")
	if err != nil {
		return err
	}
	folder := filepath.Join(l.folder, "host")
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.CopyFS(folder, context); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "install-engine.sh"), []byte(l.engineKind().Functions), 0o644); err != nil {
		return err
	}
	return l.build(ctx, hostImage, folder, "--build-arg", "BASE="+l.base, "--build-arg", "ENGINE_VERSION="+l.engineKind().Version)
}

// baseNote is the file that exists if the lab pulled the base. Its content is the base's name.
func (l *Lab) baseNote() string { return filepath.Join(l.folder, "pulled-base") }

// pullBase pulls the base unless the machine's engine has it.
func (l *Lab) pullBase(ctx context.Context) error {
	if l.docker.exists(ctx, "image", l.base) {
		return nil
	}
	l.say("lab: pulling %s", l.base)
	if _, err := l.docker.run(ctx, "pull", "--quiet", l.base); err != nil {
		return fmt.Errorf("pulling the base of the hosts: %w", err)
	}
	return os.WriteFile(l.baseNote(), []byte(l.base), 0o644)
}

// forgetBase removes the base if the lab pulled it.
func (l *Lab) forgetBase(ctx context.Context) error {
	base, err := os.ReadFile(l.baseNote())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && l.docker.exists(ctx, "image", string(base)) {
		_, err = l.docker.run(ctx, "image", "rm", string(base))
	}
	return err
}

// build builds an image from a folder on the machine's engine, unless it exists with the same content.
func (l *Lab) build(ctx context.Context, image, folder string, arguments ...string) error {
	content, err := l.fingerprint(ctx, folder, arguments)
	if err != nil {
		return err
	}
	if built, err := l.docker.run(ctx, "image", "inspect", "--format", fmt.Sprintf("{{index .Config.Labels %q}}", contentLabel), image); err == nil && built == content {
		return nil
	}
	l.say("lab: building the image %s", image)
	arguments = append([]string{
		"build", "--quiet", "--tag", image, "--label", folderLabel + "=" + l.folder, "--label", contentLabel + "=" + content,
	}, append(arguments, folder)...)
	// The classic builder has no cache of its own. Its layers are removed with the image.
	command := exec.CommandContext(ctx, "docker", arguments...)
	command.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building the image %s failed (%w):\n%s", image, err, bytes.TrimSpace(output))
	}
	return nil
}

// fingerprint hashes what an image is built from: the files, the arguments, and the base's current ID.
func (l *Lab) fingerprint(ctx context.Context, folder string, arguments []string) (string, error) {
	hash := sha256.New()
	if base, err := l.docker.run(ctx, "image", "inspect", "--format", "{{.Id}}", l.base); err == nil {
		fmt.Fprintf(hash, "%q\n", base)
	}
	fmt.Fprintf(hash, "%q %q\n", l.folder, arguments)
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		fmt.Fprintf(hash, "%q %x\n", relative, sha256.Sum256(content))
		return err
	})
	return hex.EncodeToString(hash.Sum(nil)), err
}
