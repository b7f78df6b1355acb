package lab

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

func (l *Lab) keyFile() string                { return filepath.Join(l.folder, "id_ed25519") }
func (l *Lab) hostKeyFile(name string) string { return filepath.Join(l.folder, "keys", name) }
func (l *Lab) knownHostsFile() string         { return filepath.Join(l.folder, "known_hosts") }
func (l *Lab) sshConfigFile() string          { return filepath.Join(l.folder, "ssh_config") }

// makeKey makes a key pair in file and file.pub, unless it exists. It returns the public key in the form of authorized_keys.
func makeKey(file, comment string) (string, error) {
	if public, err := readPublicKey(file); err != nil || public != "" {
		return public, err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return "", err
	}
	signer, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", err
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer)))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	return line, os.WriteFile(file+".pub", []byte(line+"\n"), 0o644)
}

// readPublicKey returns a public key, or the empty text if there is no such file.
func readPublicKey(file string) (string, error) {
	content, err := os.ReadFile(file + ".pub")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(content)), err
}

func (l *Lab) readHostKey(name string) (string, error) { return readPublicKey(l.hostKeyFile(name)) }

// removeKey removes a host's key pair.
func (l *Lab) removeKey(name string) error {
	for _, file := range []string{l.hostKeyFile(name), l.hostKeyFile(name) + ".pub"} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// writeSSHFiles writes an ssh config with the hosts' names, and a known_hosts with their keys. Then "ssh -F .lab/ssh_config store"
// works.
func (l *Lab) writeSSHFiles() error {
	return errors.Join(
		os.WriteFile(l.knownHostsFile(), []byte(knownHosts(l.hosts)), 0o644),
		os.WriteFile(l.sshConfigFile(), []byte(sshConfig(l.hosts, l.keyFile(), l.knownHostsFile())), 0o644),
	)
}

func knownHosts(hosts []*Host) string {
	var text strings.Builder
	for _, host := range hosts {
		fmt.Fprintf(&text, "%s %s\n", host.Address, host.HostKey)
	}
	return text.String()
}

func sshConfig(hosts []*Host, keyFile, knownHostsFile string) string {
	var text strings.Builder
	for _, host := range hosts {
		fmt.Fprintf(&text, "Host %s\n  HostName %s\n", host.Name, host.Address)
	}
	fmt.Fprintf(&text, "Host *\n  User %s\n  IdentityFile %q\n  IdentitiesOnly yes\n  UserKnownHostsFile %q\n"+
		"  StrictHostKeyChecking yes\n  ConnectTimeout 5\n", loginUser, keyFile, knownHostsFile)
	return text.String()
}
