package settings

import (
	"errors"
	"path/filepath"
	"regexp"

	"golang.org/x/crypto/ssh"
)

// userPattern matches what useradd accepts as a login name.
var userPattern = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

func (r *reader) ssh() SSHSettings {
	s := SSHSettings{User: r.matching(keySSHUser, userPattern, "is not a user name", "set it to the user that SSH logs in as, such as ubuntu")}
	path := r.text(keySSHPrivateKeyFile)
	if path == "" {
		return s
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		absolute = path
	}
	s.PrivateKeyFile = absolute
	content, err := r.source.ReadFile(absolute)
	if err != nil {
		r.fault(keySSHPrivateKeyFile, path, Unknown, "cannot be read ("+err.Error()+")", "name the private key's file, or leave it out to use the SSH agent")
		return s
	}
	if _, err := ssh.ParseRawPrivateKey(content); err != nil {
		remedy := "name an OpenSSH or PEM private key, or leave it out to use the SSH agent"
		if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
			remedy = "a deployment cannot ask for its passphrase: leave the setting out, and load the key into the SSH agent with ssh-add"
		}
		r.fault(keySSHPrivateKeyFile, path, Malformed, "holds no usable private key ("+err.Error()+")", "%s", remedy)
	}
	s.PrivateKey = Secret(content)
	return s
}
