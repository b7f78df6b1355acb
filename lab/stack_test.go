package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestMergedSettingsKeepTheSecrets(t *testing.T) {
	common := "# a comment\nconfig:\n  swarm-scale:platform: hosts\n  swarm-scale:optionA: Tea\n  swarm-scale:hosts:\n    - name: store\n"
	own := "encryptionsalt: v1:salt\nconfig:\n  swarm-scale:voterKey:\n    secure: v1:key\n  swarm-scale:optionA: Coffee\n"
	merged, err := mergeSettings([]byte(common), []byte(own), map[string]any{
		"frontends": 3, "hosts": []any{map[string]any{"name": "store", "hostKey": "ssh-ed25519 A"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		EncryptionSalt string `yaml:"encryptionsalt"`
		Config         map[string]any
	}
	if err := yaml.Unmarshal(merged, &got); err != nil {
		t.Fatal(err)
	}
	if got.EncryptionSalt != "v1:salt" {
		t.Errorf("the salt is %q: the secrets cannot be read any more", got.EncryptionSalt)
	}
	hosts := got.Config["swarm-scale:hosts"].([]any)
	for what, ok := range map[string]bool{
		"the secret is kept":                        got.Config["swarm-scale:voterKey"].(map[string]any)["secure"] == "v1:key",
		"the common file's setting is taken":        got.Config["swarm-scale:optionA"] == "Tea" && got.Config["swarm-scale:platform"] == "hosts",
		"the lab's setting is taken":                got.Config["swarm-scale:frontends"] == 3,
		"the lab's hosts replace the common file's": len(hosts) == 1 && hosts[0].(map[string]any)["hostKey"] == "ssh-ed25519 A",
	} {
		if !ok {
			t.Errorf("want that %s:\n%s", what, merged)
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
	t.Setenv("PULUMI_CONFIG_PASSPHRASE", "")
	l := New(Options{Folder: t.TempDir()})
	stack, err := NewStack(l, &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	own := false
	for _, variable := range stack.command(t.Context(), l.Folder(), "up").Env {
		if strings.HasPrefix(variable, "PULUMI_CONFIG_PASSPHRASE=") {
			t.Errorf("Pulumi gets %q, which overrides the file", variable)
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
