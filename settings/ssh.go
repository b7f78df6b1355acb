package settings

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"
)

// userPattern matches the login names of POSIX, of directories ("jane@example.org", "EXAMPLE\jane"), and of machines ("backup$").
// None of them is an option of ssh, and none needs more than quotes in a shell.
var userPattern = regexp.MustCompile(`^([A-Za-z0-9.-]+\\)?[A-Za-z0-9_][A-Za-z0-9_.+-]*\$?(@[A-Za-z0-9][A-Za-z0-9.-]*)?$`)

// encryptedPKCS8 is the first line of a key with a passphrase in the format PKCS #8 (RFC 7468).
const encryptedPKCS8 = "-----BEGIN ENCRYPTED PRIVATE KEY-----"

// maxUserLength is Linux's LOGIN_NAME_MAX, with its closing zero byte.
const maxUserLength = 256

// userName records a fault unless the text is a login name.
func (r *reader) userName(key, value string) {
	if !userPattern.MatchString(value) || len(value) >= maxUserLength {
		r.fault(key, value, Malformed, "is not a user name", "set it to the user that SSH logs in as, such as ubuntu, john.doe or jane@example.org")
	}
}

// absolute returns a file's absolute path. As in ssh's own configuration, ~ is the user's home.
func absolute(path string) string {
	if inHome, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			path = filepath.Join(home, inHome)
		}
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	return absolute
}

func (r *reader) ssh() SSHSettings {
	s := SSHSettings{User: r.text(keySSHUser)}
	r.userName(keySSHUser, s.User)
	path := r.text(keySSHPrivateKeyFile)
	if path == "" {
		return s
	}
	if isPrivateKey(path) {
		r.fault(keySSHPrivateKeyFile, path, Insecure, "is a private key and not its file", "name the file, and make a new key pair if somebody else has seen this one")
		return s
	}
	absolute := absolute(path)
	s.PrivateKeyFile = absolute
	content, err := r.source.ReadFile(absolute)
	if err != nil {
		r.fault(keySSHPrivateKeyFile, path, Unknown, "cannot be read ("+err.Error()+")", "name the private key's file, or leave it out to use the SSH agent")
		return s
	}
	signer, err := ssh.ParsePrivateKey(content)
	if err != nil {
		remedy := "name an OpenSSH or PEM private key, or leave it out to use the SSH agent"
		if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked || bytes.Contains(content, []byte(encryptedPKCS8)) {
			remedy = "a deployment cannot ask for its passphrase: leave the setting out, and load the key into the SSH agent with ssh-add"
		}
		r.fault(keySSHPrivateKeyFile, path, Malformed, "holds no usable private key ("+err.Error()+")", "%s", remedy)
	} else {
		r.keyFormat(path, content, signer.PublicKey().Type())
	}
	r.keyMode(absolute)
	s.PrivateKey = Secret(content)
	return s
}
