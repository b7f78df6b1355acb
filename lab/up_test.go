package lab

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestHostRunsFromAnyState(t *testing.T) {
	const list = "container ls --all"
	for _, test := range []struct {
		state string
		key   bool
		want  []string // docker's commands after the one that asks for the state
	}{
		{"running", true, nil},
		{"paused", true, []string{"unpause"}},
		{"exited", true, []string{"start"}},
		{"created", true, []string{"rm", "create", "cp", "start"}},
		{"dead", true, []string{"rm", "create", "cp", "start"}},
		{"running", false, []string{"rm", "create", "cp", "start"}},
		{"", false, []string{"create", "cp", "start"}},
	} {
		t.Run(test.state, func(t *testing.T) {
			calls := fakeDocker(t, `"`+list+`"*) echo `+test.state+` ;; cp*) cat >/dev/null ;;`)
			l := New(Options{Folder: t.TempDir()})
			if _, err := makeKey(l.keyFile(), "login"); err != nil {
				t.Fatal(err)
			}
			host := l.Host("store")
			if test.key {
				var err error
				if host.HostKey, err = makeKey(l.hostKeyFile(host.Name), host.Name); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.keepHost(t.Context(), host); err != nil {
				t.Fatal(err)
			}
			var verbs []string
			for _, call := range calls() {
				verb, _, _ := strings.Cut(call, " ")
				if !strings.HasPrefix(call, list) {
					verbs = append(verbs, verb)
				}
			}
			if !slices.Equal(verbs, test.want) {
				t.Errorf("docker's commands are %q, want %q", verbs, test.want)
			}
			if host.HostKey == "" {
				t.Error("the host has no key")
			}
		})
	}
}

func TestHostIsNotPrivileged(t *testing.T) {
	host := New(Options{Folder: t.TempDir()}).Host("frontend02")
	arguments := strings.Join(hostArguments(host, "/labs/one"), " ") + " "
	for _, want := range []string{
		"--name swarm-scale-lab-frontend02 ", "--hostname frontend02 ", "--ip 192.168.33.21 ", "--network swarm-scale-lab ",
		"--label swarm-scale.lab=/labs/one ", "--volume /var/lib/docker ", "--restart no ",
	} {
		if !strings.Contains(arguments, want) {
			t.Errorf("a host's container lacks %q: %s", want, arguments)
		}
	}
	for _, more := range []string{"--privileged", "--cap-add ALL", "--device", "--pid", "--publish"} {
		if strings.Contains(arguments, more) {
			t.Errorf("a host's container has %s, which it does not need", more)
		}
	}
}

func TestHostGetsItsKeyAndOptions(t *testing.T) {
	l := New(Options{Folder: t.TempDir()})
	login, err := makeKey(l.keyFile(), "login")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Host("store")
	if host.HostKey, err = makeKey(l.hostKeyFile(host.Name), host.Name); err != nil {
		t.Fatal(err)
	}
	archive, err := l.hostFiles(host)
	if err != nil {
		t.Fatal(err)
	}
	private, err := os.ReadFile(filepath.Join(l.Folder(), "keys", "store"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"etc/ssh/ssh_host_ed25519_key":     string(private),
		"etc/ssh/ssh_host_ed25519_key.pub": host.HostKey + "\n",
		"home/ubuntu/.ssh/authorized_keys": login + "\n",
		"etc/default/docker":               "DOCKER_OPTS=\"--registry-mirror=http://192.168.33.3:5000 --dns=192.168.33.1\"\n",
	}
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if string(content) != want[header.Name] {
			t.Errorf("%s has %q, want %q", header.Name, content, want[header.Name])
		}
		delete(want, header.Name)
		if header.Name == "etc/ssh/ssh_host_ed25519_key" && header.Mode != 0o600 {
			t.Errorf("the host's private key has mode %o, want 600: sshd refuses others", header.Mode)
		}
	}
	if len(want) > 0 {
		t.Errorf("the host does not get %v", want)
	}
}

func TestDownRemovesWhatIsTheLabs(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "lab")
	label := "--filter label=swarm-scale.lab=" + folder
	calls := fakeDocker(t, `"container ls --all --quiet `+label+`") echo c1; echo c2 ;;
"network ls --quiet `+label+`") echo n1 ;;
"image ls --quiet `+label+`") echo i1; echo i1 ;;
"image inspect"*) echo id ;;`)
	l := New(Options{Folder: folder})
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.baseNote(), []byte("ubuntu:22.04"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"container rm --force --volumes c1 c2", "network rm n1", "image rm --force i1", "image rm ubuntu:22.04"} {
		if !slices.Contains(calls(), want) {
			t.Errorf("docker was not called: %s\n%s", want, strings.Join(calls(), "\n"))
		}
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the lab's folder is still there (%v)", err)
	}
	if err := l.Down(t.Context()); err != nil {
		t.Errorf("with nothing to remove: %v", err)
	}
}

func TestDownKeepsTheFolderIfDockerFails(t *testing.T) {
	fakeDocker(t, `*) echo "no engine" >&2; exit 1 ;;`)
	folder := t.TempDir()
	err := New(Options{Folder: folder}).Down(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no engine") {
		t.Errorf("down fails with %v, want docker's own words", err)
	}
	if _, err := os.Stat(folder); err != nil {
		t.Errorf("the folder is gone: %v", err)
	}
}
