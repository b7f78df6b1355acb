//go:build unix

package stack

import (
	"io/fs"
	"os"
	"syscall"
)

// keyMode returns a file's mode, or 0 if the file is another user's: ssh then does not look at it (authfile.c, sshkey_perm_ok).
func keyMode(path string) (fs.FileMode, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if status, ok := info.Sys().(*syscall.Stat_t); ok && int(status.Uid) != os.Getuid() {
		return 0, nil
	}
	return info.Mode(), nil
}
