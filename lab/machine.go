package lab

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
)

// hostArguments returns docker's arguments for a host's container.
//
// An engine in a container needs SYS_ADMIN to mount file systems, NET_ADMIN to set up networks, and system calls that Docker's
// seccomp profile blocks. It needs SYS_PTRACE for docker exec and health checks, which read the namespaces of another user's process.
// AppArmor would forbid mounting. This is less than --privileged: devices, kernel modules, the clock and raw I/O stay out of reach.
func hostArguments(host *Host, folder string) []string {
	return []string{
		"--name", host.Container(), "--hostname", host.Name, "--label", folderLabel + "=" + folder,
		"--network", networkName, "--ip", host.Address, "--restart", "no",
		"--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_PTRACE",
		"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
		"--cgroupns", "private",
		// /run is empty after a start, as on any machine. An old process ID or socket would confuse services.
		"--tmpfs", "/run:exec", "--init",
		// overlayfs cannot stand on overlayfs, so the engine's data is on a volume. It is removed with the host.
		"--volume", "/var/lib/docker",
		hostImage,
	}
}

// makeHost makes and starts an empty host.
func (l *Lab) makeHost(ctx context.Context, host *Host) (err error) {
	if host.HostKey, err = makeKey(l.hostKeyFile(host.Name), host.Name); err != nil {
		return fmt.Errorf("making its SSH host key: %w", err)
	}
	if _, err := l.docker.run(ctx, append([]string{"create"}, hostArguments(host, l.folder)...)...); err != nil {
		return err
	}
	files, err := l.hostFiles(host)
	if err != nil {
		return err
	}
	if _, err := l.docker.feed(ctx, files, "cp", "-", host.Container()+":/"); err != nil {
		return err
	}
	_, err = l.docker.run(ctx, "start", host.Container())
	return err
}

// hostFiles returns a tar archive of a host's own files: its host key, the key that may log in, and its engine's options.
func (l *Lab) hostFiles(host *Host) (*bytes.Buffer, error) {
	private, err := os.ReadFile(l.hostKeyFile(host.Name))
	if err != nil {
		return nil, err
	}
	login, err := os.ReadFile(l.keyFile() + ".pub")
	if err != nil {
		return nil, err
	}
	archive := &bytes.Buffer{}
	writer := tar.NewWriter(archive)
	for _, file := range []struct {
		name    string
		mode    int64
		content []byte
	}{
		{"etc/ssh/ssh_host_ed25519_key", 0o600, private},
		{"etc/ssh/ssh_host_ed25519_key.pub", 0o644, []byte(host.HostKey + "\n")},
		{"home/" + loginUser + "/.ssh/authorized_keys", 0o600, login},
		{"etc/default/docker", 0o644, []byte(engineOptions())},
	} {
		header := &tar.Header{Name: file.name, Mode: file.mode, Size: int64(len(file.content)), ModTime: time.Now()}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(file.content); err != nil {
			return nil, err
		}
	}
	return archive, writer.Close()
}

// engineOptions returns a host's /etc/default/docker, which the engine's init script reads. The stack writes
// /etc/docker/daemon.json, so the lab does not.
//
// The containers cannot use the host's name server. Without another one, the engine would give them a public one. No container in
// the lab needs that. The gateway refuses queries at once.
func engineOptions() string {
	return fmt.Sprintf("DOCKER_OPTS=\"--registry-mirror=http://%s:%d --dns=%s\"\n", mirrorAddress, mirrorPort, gateway)
}

// removeHost removes a host with everything on it, and its key.
func (l *Lab) removeHost(ctx context.Context, host *Host) error {
	if l.docker.exists(ctx, "container", host.Container()) {
		if _, err := l.docker.run(ctx, "rm", "--force", "--volumes", host.Container()); err != nil {
			return err
		}
	}
	host.HostKey = ""
	return l.removeKey(host.Name)
}

// startPatience is how long a host may take until SSH accepts logins. It takes a second or two.
const startPatience = time.Minute

// await returns once SSH accepts the lab's key and shows the host's key.
func (h *Host) await(ctx context.Context) error {
	private, err := os.ReadFile(h.lab.keyFile())
	if err != nil {
		return err
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return fmt.Errorf("%s: %w", h.lab.keyFile(), err)
	}
	hostKey, _, _, _, err := ssh.ParseAuthorizedKey([]byte(h.HostKey))
	if err != nil {
		return fmt.Errorf("the host key of %s: %w", h.Name, err)
	}
	client := &ssh.ClientConfig{
		User:              loginUser,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   ssh.FixedHostKey(hostKey),
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
		Timeout:           2 * time.Second,
	}
	for end := time.Now().Add(startPatience); ; {
		connection, err := ssh.Dial("tcp", net.JoinHostPort(h.Address, "22"), client)
		if err == nil {
			return connection.Close()
		}
		state, stateErr := h.lab.docker.run(ctx, "container", "inspect", "--format", "{{.State.Status}}", h.Container())
		if stateErr != nil {
			return stateErr
		}
		if state != "running" {
			var words bytes.Buffer
			_ = h.lab.docker.logs(ctx, &words, h.Container())
			return fmt.Errorf("%s is %s, and its log ends with:\n%s", h.Name, state, bytes.TrimSpace(words.Bytes()))
		}
		if time.Now().After(end) {
			return fmt.Errorf("SSH on %s at %s accepts no login after %s (%w): look at docker logs %s", h.Name, h.Address, startPatience, err, h.Container())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
