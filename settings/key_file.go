package settings

import (
	"bytes"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// OpenSSH's own format begins and ends with these lines (sshkey.c, MARK_BEGIN and MARK_END). It accepts nothing before the first one, and
// the line ends belong to them. Programs in Go are less strict, so without this check some steps log in and others do not.
const (
	opensshBegin = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
	opensshEnd   = "\n-----END OPENSSH PRIVATE KEY-----\n"
)

// keyFormat records a fault if ssh does not read a private key of this kind that Go reads.
func (r *reader) keyFormat(path string, content []byte, kind string) {
	if !bytes.Contains(content, []byte("BEGIN OPENSSH PRIVATE KEY")) {
		// PEM. ssh reads the other kinds as Go does.
		if kind == ssh.KeyAlgoED25519 {
			r.fault(keySSHPrivateKeyFile, path, Malformed, "has an Ed25519 key as PKCS #8, and OpenSSH before 9.6 does not read it", "use a key made by ssh-keygen -t ed25519")
		}
		return
	}
	const remedy = `write it anew: sed -i -e 's/\r$//' -e '$a\' %s`
	switch {
	case bytes.Contains(content, []byte("-\r")):
		r.fault(keySSHPrivateKeyFile, path, Malformed, "has the line ends of Windows, with which ssh does not read it", remedy, path)
	case !bytes.HasPrefix(content, []byte(opensshBegin)):
		r.fault(keySSHPrivateKeyFile, path, Malformed, "has something before its first line, with which ssh does not read it",
			"the file has to begin with %s", strings.TrimSpace(opensshBegin))
	case !bytes.Contains(content, []byte(opensshEnd)):
		r.fault(keySSHPrivateKeyFile, path, Malformed, "has no end of its last line, without which ssh does not read it", remedy, path)
	}
}

// keyMode records a fault if others may read the key's file. ssh then does not use it.
func (r *reader) keyMode(path string) {
	if r.source.Mode == nil {
		return
	}
	mode, err := r.source.Mode(path)
	if err != nil {
		return // it cannot be read either, which is a fault already
	}
	if mode.Perm()&0o077 != 0 {
		r.fault(keySSHPrivateKeyFile, path, Insecure, fmt.Sprintf("has the mode %#o, with which ssh does not use it", uint32(mode.Perm())), "let nobody else read it: chmod 600 %s", path)
	}
}
