package infra

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// recorder mocks the Pulumi engine. It keeps the inputs of registered resources by name.
type recorder map[string]resource.PropertyMap

func (r recorder) NewResource(arguments pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r[arguments.Name] = arguments.Inputs
	return arguments.Name, arguments.Inputs, nil
}

func (recorder) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }

// TestLeavingMachineIsGivenBack runs the delete command of a machine's presence with a fake ssh. A machine that answers is given
// back. One that does not answer, or is another one, is skipped. One that refuses the login is an error.
func TestLeavingMachineIsGivenBack(t *testing.T) {
	registered := recorder{}
	err := pulumi.RunErr(func(ctx *pulumi.Context) error {
		_, err := New(ctx, settings.Settings{
			Platform: settings.Hosts,
			Hosts:    []settings.Host{{Address: "192.0.2.20", HostKey: "ssh-ed25519 AAAA", User: "ubuntu", Port: 2222}},
			Nodes:    []topology.Node{{Name: "frontend01", Role: topology.Frontend, Number: 1}},
		}, Demands{GiveBack: func(*Node) Script { return Script{Text: "true"} }})
		return err
	}, pulumi.WithMocks("swarm-scale", "test", registered))
	if err != nil {
		t.Fatal(err)
	}
	presence := registered["frontend01-presence"]
	line := presence["delete"].StringValue()

	for name, test := range map[string]struct {
		ssh   string // what the fake does after it has written down its arguments
		fails bool
		says  string
	}{
		"it answers":      {"cat >/dev/null; echo given back; echo keeps an image >&2", false, "keeps an image"},
		"no answer":       {"echo 'connect to host: Connection timed out' >&2; exit 255", false, "leave: frontend01 does not answer as the machine it was, so what ran there is left there: connect to host"},
		"another machine": {"echo 'Host key verification failed.' >&2; exit 255", false, "does not answer as the machine it was"},
		"login refused": {"echo 'ubuntu@192.0.2.20: Permission denied (publickey).' >&2; exit 255", true,
			"ssh could not log in on frontend01. It said:\nubuntu@192.0.2.20: Permission denied (publickey).\nThe machine has to know"},
		"a key that others may read": {"echo 'Load key \"k\": bad permissions' >&2; echo 'ubuntu@192.0.2.20: Permission denied (publickey).' >&2; exit 255", true,
			"Load key \"k\": bad permissions\nubuntu@192.0.2.20: Permission denied (publickey).\nOthers may read"},
		"a key that ssh does not read":               {"echo 'Load key \"k\": error in libcrypto' >&2; echo 'Permission denied (publickey).' >&2; exit 255", true, "ssh does not read the key's file"},
		"no key file":                                {"echo 'Warning: Identity file k not accessible: No such file' >&2; echo 'Permission denied (publickey).' >&2; exit 255", true, "has to name the private key's file"},
		"no key file, and no answer":                 {"echo 'Warning: Identity file k not accessible: No such file' >&2; echo 'connect to host: Connection refused' >&2; exit 255", false, "does not answer as the machine it was"},
		"eight keys in the agent":                    {"echo 'Received disconnect from 192.0.2.20 port 22:2: Too many authentication failures' >&2; exit 255", true, "The machine hangs up after a few keys"},
		"an agent that asks":                         {"echo 'sign_and_send_pubkey: signing failed for ED25519 \"k\" from agent: agent refused operation' >&2; echo 'Permission denied (publickey).' >&2; exit 255", true, "The SSH agent does not sign"},
		"an own configuration that others may write": {"echo 'Bad owner or permissions on /root/.ssh/config' >&2; exit 255", true, "Bad owner or permissions on /root/.ssh/config\nMend that"},
		"no common algorithm":                        {"echo 'Unable to negotiate with 192.0.2.20 port 22: no matching host key type found. Their offer: ssh-ed25519' >&2; exit 255", true, "Unable to negotiate"},
		"a jump host's program is not there":         {"echo 'sh: 1: exec: nc: not found' >&2; echo 'Connection closed by UNKNOWN port 65535' >&2; exit 255", true, "ProxyCommand"},
		"no answer behind a jump host":               {"echo 'channel 0: open failed: connect failed: No route to host' >&2; echo 'Connection closed by UNKNOWN port 65535' >&2; exit 255", false, "does not answer as the machine it was"},
		"no word at all":                             {"exit 255", true, "ssh could not log in on frontend01"},
		"it hangs up":                                {"echo 'kex_exchange_identification: Connection closed by remote host' >&2; exit 255", false, "does not answer as the machine it was"},
		"an old ssh":                                 {"echo 'command-line: line 0: Bad configuration option: knownhostscommand' >&2; exit 255", true, "install OpenSSH's client, version 8.5"},
		"no sudo":                                    {"echo 'bash: line 1: sudo: command not found' >&2; exit 127", true, "the SSH user does not become root on frontend01. It said:\nbash: line 1: sudo: command not found\nLet it run"},
		"a sudo that asks":                           {"echo 'sudo: a password is required' >&2; exit 1", true, "the SSH user does not become root on frontend01"},
		"a sudo that warns":                          {"echo 'sudo: unable to resolve host frontend01: Name or service not known' >&2; echo no space left >&2; exit 1", true, "no space left"},
		"the script fails":                           {"echo no space left >&2; exit 1", true, "no space left"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			log := filepath.Join(folder, "asked")
			if err := os.WriteFile(filepath.Join(folder, "ssh"), []byte("#!/bin/sh\nprintf '%s\\n' \"$@\" >"+log+"\n"+test.ssh+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			command := exec.Command("/bin/sh", "-c", line)
			command.Env = []string{"PATH=" + folder + ":" + os.Getenv("PATH")}
			for name, value := range presence["environment"].ObjectValue() {
				command.Env = append(command.Env, string(name)+"="+value.StringValue())
			}
			command.Stdin = strings.NewReader(presence["stdin"].StringValue())
			output, err := command.CombinedOutput()
			if (err != nil) != test.fails || !strings.Contains(string(output), test.says) {
				t.Errorf("%v\n%s", err, output)
			}
			asked, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"-p\n2222\n", "KnownHostsCommand=/bin/echo %H ssh-ed25519 AAAA\n", "ubuntu@192.0.2.20\n", " delete give-back"} {
				if !strings.Contains(string(asked), want) {
					t.Errorf("ssh was not given %q:\n%s", want, asked)
				}
			}
		})
	}
}
