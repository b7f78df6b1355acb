package lab

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"swarm-scale/topology"
)

func TestKeyIsMadeOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys", "store")
	public, err := makeKey(file, "store")
	if err != nil {
		t.Fatal(err)
	}
	again, err := makeKey(file, "store")
	if err != nil || again != public {
		t.Errorf("made again it is %q (%v), want %q", again, err, public)
	}
	private, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))); line != public {
		t.Errorf("the private key belongs to %q, want %q", line, public)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the private key has mode %v (%v), want 0600: ssh refuses others", info.Mode(), err)
	}
}

func TestSSHFilesVerifyTheHosts(t *testing.T) {
	folder := t.TempDir()
	l := New(Options{Folder: folder, Counts: topology.Counts{topology.Frontend: 1}})
	for _, host := range l.Hosts() {
		var err error
		if host.HostKey, err = makeKey(l.hostKeyFile(host.Name), host.Name); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.writeSSHFiles(); err != nil {
		t.Fatal(err)
	}

	check, err := knownhosts.New(l.knownHostsFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		host string
		key  string
		want bool
	}{{"store", "store", true}, {"store", "manager", false}} {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(l.Host(test.key).HostKey))
		if err != nil {
			t.Fatal(err)
		}
		address := &net.TCPAddr{IP: net.ParseIP(l.Host(test.host).Address), Port: 22}
		if err := check(address.String(), address, key); (err == nil) != test.want {
			t.Errorf("%s with the key of %s is accepted: %v, want %v", test.host, test.key, err, test.want)
		}
	}

	program, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is not on PATH: it reads the config")
	}
	output, err := exec.CommandContext(t.Context(), program, "-G", "-F", l.sshConfigFile(), "frontend01").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"hostname 192.168.33.20", "user ubuntu", "identityfile " + l.keyFile(), "userknownhostsfile " + l.knownHostsFile(),
		"stricthostkeychecking true", "identitiesonly yes",
	} {
		if !strings.Contains("\n"+string(output), "\n"+want+"\n") {
			t.Errorf("ssh does not take %q from the config:\n%s", want, output)
		}
	}
}
