package programs

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSameSourceGivesTheSameImage builds the programs in two folders, with different Go settings and file modes, and compares the
// image contexts.
func TestSameSourceGivesTheSameImage(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed: it lists the source files")
	}
	here, _, err := module(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listed, err := exec.Command("git", "-C", here, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "go.mod", "go.sum", "cmd", "poll").Output()
	if err != nil {
		t.Skipf("this is no git checkout (%v): git lists the source files", err)
	}
	there := filepath.Join(t.TempDir(), "another", "folder")
	for name := range strings.SplitSeq(strings.TrimSuffix(string(listed), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(here, name))
		if err != nil {
			continue // deleted and not yet committed
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(there, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(there, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	first := contexts(t, here)
	t.Setenv("GOFLAGS", "-tags=other")
	t.Setenv("GOAMD64", "v3")
	t.Setenv("CGO_ENABLED", "1")
	second := contexts(t, there)
	if first != second {
		t.Errorf("the same source gave\n%s\nand\n%s", first, second)
	}
	for _, program := range []string{WebVoteApp, VoteWorker, ResultsApp} {
		if !strings.Contains(first, program+"/"+program+" -rwxr-xr-x") || !strings.Contains(first, program+"/Dockerfile -rw-r--r--") {
			t.Errorf("the context of %s lacks a file or has a wrong mode:\n%s", program, first)
		}
	}
}

// contexts builds the programs in a folder, and lists mode and content of every file in the image contexts.
func contexts(t *testing.T, root string) string {
	t.Helper()
	t.Chdir(root)
	if _, err := Build(t.Context(), "amd64"); err != nil {
		t.Fatal(err)
	}
	var list strings.Builder
	for _, program := range []string{WebVoteApp, VoteWorker, ResultsApp} {
		folder := filepath.Join(root, buildFolder)
		err := filepath.WalkDir(filepath.Join(folder, program), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			name, err := filepath.Rel(folder, path)
			fmt.Fprintf(&list, "%s %s %x\n", name, info.Mode(), sha256.Sum256(content))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list.String()
}

func TestBuildNeedsACheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, err := Build(t.Context(), "amd64"); err == nil || !strings.Contains(err.Error(), "run pulumi in the checkout") {
		t.Errorf("outside of a checkout: %v", err)
	}
}
