package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// settingsAfter deploys with the common settings, lets somebody change the stack's settings file, and returns the settings of the
// next deployment, which has other host keys.
func settingsAfter(t *testing.T, change func(config map[string]any), asked map[string]any) (map[string]any, []string, string) {
	t.Helper()
	common := "# a comment\nconfig:\n  swarm-scale:platform: hosts\n  swarm-scale:optionA: Tea\n  swarm-scale:frontends: 2\n  swarm-scale:hosts:\n    - name: store\n"
	own := "encryptionsalt: v1:salt\n"
	lab := func(key string) map[string]any {
		return map[string]any{"frontends": 3, "hosts": []any{map[string]any{"name": "store", "hostKey": key}}}
	}
	first, err := mergeSettings([]byte(common), []byte(own), nil, lab("A"), nil)
	if err != nil || len(first.kept) > 0 {
		t.Fatalf("the first deployment keeps %q (%v)", first.kept, err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(first.settings, &file); err != nil {
		t.Fatal(err)
	}
	change(file["config"].(map[string]any))
	changed, err := yaml.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	second, err := mergeSettings([]byte(common), changed, first.written, lab("B"), asked)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		EncryptionSalt string `yaml:"encryptionsalt"`
		Config         map[string]any
	}
	if err := yaml.Unmarshal(second.settings, &got); err != nil {
		t.Fatal(err)
	}
	return got.Config, second.kept, got.EncryptionSalt
}

// TestSettingsOfTheStackAreKept holds that a deployment keeps what was set or removed on the stack, and renews what is the lab's.
func TestSettingsOfTheStackAreKept(t *testing.T) {
	secret := map[string]any{"secure": "v1:key"}
	for name, test := range map[string]struct {
		change func(map[string]any)
		asked  map[string]any
		want   map[string]any // nil: the setting is not there
		kept   string
	}{
		"nothing":                     {func(map[string]any) {}, nil, map[string]any{"optionA": "Tea", "frontends": 3, "platform": "hosts"}, ""},
		"a secret":                    {func(c map[string]any) { c["swarm-scale:voterKey"] = secret }, nil, map[string]any{"voterKey": secret}, ""},
		"a changed setting":           {func(c map[string]any) { c["swarm-scale:optionA"] = "Coffee" }, nil, map[string]any{"optionA": "Coffee"}, "swarm-scale:optionA"},
		"a new setting":               {func(c map[string]any) { c["swarm-scale:optionB"] = "Milk" }, nil, map[string]any{"optionB": "Milk", "optionA": "Tea"}, "swarm-scale:optionB"},
		"a setting of another kind":   {func(c map[string]any) { c["aws:region"] = "eu-west-1" }, nil, nil, "aws:region"},
		"a removed setting":           {func(c map[string]any) { delete(c, "swarm-scale:optionA") }, nil, map[string]any{"optionA": nil}, "swarm-scale:optionA (removed)"},
		"a number that became a text": {func(c map[string]any) { c["swarm-scale:frontends"] = "3" }, nil, map[string]any{"frontends": 3}, ""},
		"fewer frontends":             {func(c map[string]any) { c["swarm-scale:frontends"] = "1" }, nil, map[string]any{"frontends": "1"}, "swarm-scale:frontends"},
		"fewer, and now more":         {func(c map[string]any) { c["swarm-scale:frontends"] = "1" }, map[string]any{"frontends": 2}, map[string]any{"frontends": 2}, ""},
		"a host":                      {func(c map[string]any) { c["swarm-scale:hosts"] = []any{"mine"} }, nil, map[string]any{"hosts": []any{"mine"}}, "swarm-scale:hosts"},
	} {
		got, kept, salt := settingsAfter(t, test.change, test.asked)
		if salt != "v1:salt" {
			t.Errorf("%s: the salt is %q: the secrets cannot be read any more", name, salt)
		}
		for key, want := range test.want {
			if value := got["swarm-scale:"+key]; !reflect.DeepEqual(value, want) {
				t.Errorf("%s: %s is %v, want %v", name, key, value, want)
			}
		}
		if _, ok := test.want["hosts"]; !ok && !strings.Contains(fmt.Sprint(got["swarm-scale:hosts"]), "hostKey:B") {
			t.Errorf("%s: the hosts are those of before: %v", name, got["swarm-scale:hosts"])
		}
		if strings.Join(kept, " ") != test.kept {
			t.Errorf("%s: says that it keeps %q, want %q", name, kept, test.kept)
		}
	}
}

// TestSettingsOfAnEarlierVersionAreKept holds that a lab whose settings were never remembered keeps what differs from the common ones.
func TestSettingsOfAnEarlierVersionAreKept(t *testing.T) {
	merged, err := mergeSettings([]byte("config:\n  swarm-scale:optionA: Tea\n"),
		[]byte("config:\n  swarm-scale:optionA: Coffee\n  swarm-scale:frontends: 2\n"), nil, map[string]any{"frontends": 3}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(merged.settings); !strings.Contains(text, "optionA: Coffee") || !strings.Contains(text, "frontends: 3") {
		t.Errorf("the settings are\n%s", text)
	}
}

// TestDeployBuildsNothing holds that a deployment does not build the CLI for minutes, to refuse then for want of what it cannot build.
func TestDeployBuildsNothing(t *testing.T) {
	program, err := exec.LookPath("make")
	if err != nil {
		t.Skip("make is not installed")
	}
	for _, target := range []string{"lab-deploy", "lab-destroy"} {
		output, err := exec.CommandContext(t.Context(), program, "--dry-run", "--no-print-directory", "-C", "..", target).CombinedOutput()
		if err != nil || strings.Contains(string(output), "go build") {
			t.Errorf("make %s (%v) does\n%s", target, err, output)
		}
	}
}

// TestCommonSettingsAreTheLabs holds that Pulumi.lab.yaml describes the default lab.
func TestCommonSettingsAreTheLabs(t *testing.T) {
	content, err := os.ReadFile("../Pulumi.lab.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Config map[string]any }
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	l := New(Options{Folder: t.TempDir()})
	config := l.Config()
	for key, value := range file.Config {
		key = strings.TrimPrefix(key, "swarm-scale:")
		if key == "hosts" {
			continue
		}
		if config[key] != value {
			t.Errorf("Pulumi.lab.yaml has %s: %v, the lab %v", key, value, config[key])
		}
	}
	var listed []string
	for _, host := range file.Config["swarm-scale:hosts"].([]any) {
		fields := host.(map[string]any)
		listed = append(listed, fields["name"].(string)+" "+fields["address"].(string))
	}
	if got, want := strings.Join(listed, ", "), strings.Join(places(l), ", "); got != want {
		t.Errorf("Pulumi.lab.yaml lists %s, the lab has %s", got, want)
	}
	if strings.Contains(string(content), "secure") || strings.Contains(string(content), "encryptionsalt") {
		t.Error("Pulumi.lab.yaml has secrets or an encryption salt of one lab")
	}
}

func TestSecretsAreEncryptedWithTheLabsOwnPassphrase(t *testing.T) {
	for _, variable := range notForPulumi {
		t.Setenv(variable, "mine")
	}
	l := New(Options{Folder: t.TempDir()})
	stack, err := NewStack(l, &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	own := false
	for _, variable := range stack.command(t.Context(), l.Folder(), "up").Env {
		if strings.HasSuffix(variable, "=mine") {
			t.Errorf("Pulumi gets this machine's own %q", variable)
		}
		own = own || variable == "PULUMI_CONFIG_PASSPHRASE_FILE="+filepath.Join(l.Folder(), "passphrase")
	}
	if !own {
		t.Error("Pulumi is not told where the passphrase is")
	}
}

func TestDeployNeedsALab(t *testing.T) {
	folder := t.TempDir()
	pulumi := "#!/bin/sh\ntest \"$1\" = plugin || exit 1\n" +
		`echo '[{"name":"docker","kind":"resource","version":"4.10.0"},{"name":"command","kind":"resource","version":"1.2.1"}]'` + "\n"
	for name, script := range map[string]string{"pulumi": pulumi, "pulumi-language-go": "#!/bin/sh\n", "ssh": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	stack, err := NewStack(New(Options{Folder: t.TempDir()}), &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	if err := stack.Deploy(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "make lab-up") {
		t.Errorf("without a lab it fails with %v", err)
	}
	if err := stack.Destroy(t.Context()); err != nil {
		t.Errorf("destroying what was never deployed: %v", err)
	}
}

func TestAllThatIsMissingForADeploymentIsSaidAtOnce(t *testing.T) {
	folder := t.TempDir()
	stack := &Stack{lab: New(Options{Folder: t.TempDir()}), root: "..", output: &strings.Builder{}}
	t.Setenv("PATH", folder)
	err := stack.missing(t.Context())
	if err == nil || !strings.Contains(err.Error(), "ssh is not on PATH") || !strings.Contains(err.Error(), "install its whole distribution") {
		t.Errorf("without ssh and Pulumi: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "pulumi"), []byte("#!/bin/sh\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := stack.missing(t.Context()); err == nil || !strings.Contains(err.Error(), "ssh is not on PATH") || !strings.Contains(err.Error(), "pulumi-language-go is neither") {
		t.Errorf("with the CLI alone: %v", err)
	}
}

func TestLanguageHostIsLookedForWherePulumiDoes(t *testing.T) {
	distribution, elsewhere, onPath := t.TempDir(), t.TempDir(), t.TempDir()
	write := func(path string) {
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cli, link := filepath.Join(distribution, "pulumi"), filepath.Join(elsewhere, "pulumi")
	write(cli)
	if err := os.Symlink(cli, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", onPath)
	if err := languageHost(link); err == nil || !strings.Contains(err.Error(), "install the whole distribution of Pulumi") {
		t.Errorf("without one: %v", err)
	}
	write(filepath.Join(onPath, "pulumi-language-go"))
	if err := languageHost(link); err != nil {
		t.Errorf("with one on PATH: %v", err)
	}
	t.Setenv("PATH", elsewhere)
	write(filepath.Join(distribution, "pulumi-language-go"))
	if err := languageHost(link); err != nil {
		t.Errorf("with one beside the program that a link leads to: %v", err)
	}
}
