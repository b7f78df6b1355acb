package install

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const debian = "deb http://mirror.example.org/debian bookworm main\n"

// foreign is a source of Docker's repository that names another key than ours.
const (
	foreignList    = "deb [arch=amd64 signed-by=/usr/share/keyrings/docker-archive-keyring.gpg] https://download.docker.com/linux/debian bookworm stable\n"
	foreignSources = "Types: deb\nURIs: https://download.docker.com/linux/debian\nSuites: bookworm\nComponents: stable test\nSigned-By: /etc/apt/keyrings/docker.gpg\n"
	debianSources  = "Types: deb\nURIs: http://mirror.example.org/debian\nSuites: bookworm\nComponents: main\n"
)

// TestInstallsBesideOtherSources installs an engine with the machine's own apt-get, in a folder. The machine has sources of Docker's
// repository already. apt-get reads all sources, as for an update, but fetches nothing. The machine's own stay as they are.
func TestInstallsBesideOtherSources(t *testing.T) {
	real, err := exec.LookPath("apt-get")
	if err != nil {
		t.Skip("apt-get is not installed: the engine is installed with it")
	}
	for name, files := range map[string]map[string]string{
		"none":                      {"sources.list": debian},
		"a line in a file":          {"sources.list": debian, "sources.list.d/docker.list": foreignList},
		"a line in sources.list":    {"sources.list": debian + foreignList + "deb http://security.example.org/debian-security bookworm-security main"},
		"a paragraph":               {"sources.list.d/debian.sources": debianSources, "sources.list.d/docker.sources": foreignSources},
		"one paragraph among two":   {"sources.list.d/all.sources": foreignSources + " \t\n" + debianSources},
		"the last of two":           {"sources.list.d/all.sources": "# ours\n" + debianSources + "\n\n" + foreignSources},
		"two that differ":           {"sources.list": debian, "sources.list.d/a.list": foreignList, "sources.list.d/b.sources": foreignSources},
		"of the version before":     {"sources.list": debian, "sources.list.d/docker.list": strings.ReplaceAll(foreignList, "/usr/share/keyrings/docker-archive-keyring.gpg", "/etc/apt/keyrings/docker.asc")},
		"without a key":             {"sources.list": debian, "sources.list.d/docker.list": "deb https://download.docker.com/linux/debian bookworm stable\n"},
		"with another scheme":       {"sources.list": debian, "sources.list.d/docker.list": strings.ReplaceAll(foreignList, "https:", "http:")},
		"with the key in the file":  {"sources.list.d/debian.sources": debianSources, "sources.list.d/docker.sources": strings.ReplaceAll(foreignSources, "/etc/apt/keyrings/docker.gpg", "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBFit\n -----END PGP PUBLIC KEY BLOCK-----")},
		"a file that is no source":  {"sources.list": debian, "sources.list.d/docker.list.save": foreignList},
		"files that apt ignores":    {"sources.list": debian, "sources.list.d/a+b.list": "this is no source\n", "sources.list.d/old repo.list": "nor this\n"},
		"a line without a last end": {"sources.list": debian, "sources.list.d/docker.list": strings.TrimSuffix(foreignList, "\n")},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			apt := filepath.Join(folder, "etc", "apt")
			for name, text := range files {
				write(t, filepath.Join(apt, name), text)
			}
			output, err := installIn(t, folder, real)
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			read, _ := os.ReadFile(filepath.Join(folder, "read"))
			for _, want := range []string{"'http://mirror.example.org/debian/dists/bookworm/InRelease'", "'https://download.docker.com/linux/debian/dists/bookworm/InRelease'"} {
				if !strings.Contains(string(read), want) {
					t.Errorf("apt-get did not read %q among\n%s", want, read)
				}
			}
			if closed, _ := os.ReadFile(filepath.Join(folder, "closed")); len(closed) > 0 {
				t.Errorf("apt's own user does not reach %s", closed)
			}
			if got := contents(t, apt); !maps.Equal(got, files) {
				t.Errorf("the machine's sources are now %q, want %q", got, files)
			}
		})
	}
}

// installIn runs have_engine. The folder has what is otherwise in /etc, /run and /var. Only apt-get is real, and an update only has
// it read the sources.
func installIn(t *testing.T, folder, aptGet string) (string, error) {
	t.Helper()
	programs := filepath.Join(folder, "programs")
	for name, text := range map[string]string{
		"apt-get": `#!/bin/sh
for argument; do
	shift
	case $argument in
	update) set -- "$@" --print-uris update
		# apt checks signatures as another user, who has to reach the key.
		find ` + folder + `/etc/apt ` + folder + `/run -name docker.asc '!' -perm -o+r >>` + folder + `/closed
		find ` + folder + `/run -type d '!' -perm -o+rx >>` + folder + `/closed ;;
	install) echo docker/libkv/store/consul >` + programs + `/dockerd; chmod 0755 ` + programs + `/dockerd; exit ;;
	*) set -- "$@" "$argument" ;;
	esac
done
` + aptGet + ` "$@" >` + folder + `/read
`,
		// The wanted version is the first of many.
		"apt-cache": "#!/bin/sh\necho 'docker-ce | 5:20.10.24~3-0~debian-bookworm | https://download.docker.com/linux/debian'\n" +
			"i=0\nwhile [ $i -lt 3000 ]; do echo 'docker-ce | 5:20.10.7~3-0~debian-bookworm | https://download.docker.com/linux/debian' || exit; i=$((i + 1)); done\n",
		"curl": "#!/bin/sh\nwhile [ \"$1\" != -o ]; do shift; done\necho key >\"$2\"\n",
		"dpkg": "#!/bin/sh\n[ \"$1\" = --print-architecture ] && echo amd64\n",
	} {
		write(t, filepath.Join(programs, name), text)
	}
	// dockerd may be installed on this machine.
	for _, name := range []string{"apt-config", "awk", "sed", "install", "rm", "tail", "chmod", "cat", "grep", "env", "find", "sh", "bash"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("%s is not installed: the script needs it", name)
		}
		if err := os.Symlink(path, filepath.Join(programs, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(folder, "etc", "os-release"), "ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME=Debian\n")
	write(t, filepath.Join(folder, "apt.conf"), "Dir \""+folder+"\";\nDir::State::status \"/dev/null\";\n")
	for _, name := range []string{"etc/apt/keyrings", "etc/apt/sources.list.d", "etc/apt/preferences.d", "var/log", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "run"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	functions := strings.NewReplacer("/etc/", folder+"/etc/", "/run/", folder+"/run/", "/var/", folder+"/var/").Replace(WithConsul.Functions)
	command := exec.Command("bash", "-c", "set -euo pipefail\numask 077\noutside() { \"$@\"; }\n"+functions+"\nhave_engine\n")
	command.Env = []string{"PATH=" + programs, "APT_CONFIG=" + filepath.Join(folder, "apt.conf"), "ENGINE_VERSION=" + WithConsul.Version, "NODE_NAME=store"}
	output, err := command.CombinedOutput()
	return string(output), err
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
		t.Fatal(err)
	}
}

// contents returns the files of a folder, by their paths in it.
func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, pattern := range []string{"*", "*/*"} {
		paths, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range slices.Sorted(slices.Values(paths)) {
			if content, err := os.ReadFile(path); err == nil { // else it is a folder
				name, _ := filepath.Rel(folder, path)
				files[name] = string(content)
			}
		}
	}
	return files
}
