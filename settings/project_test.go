package settings_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"swarm-scale/settings"
)

// TestProjectFileDeclaresEverySetting holds Pulumi.yaml and this package together: the same keys, the same defaults, and a
// sentence for each.
func TestProjectFileDeclaresEverySetting(t *testing.T) {
	content, err := os.ReadFile("../Pulumi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var project struct {
		Name   string
		Config map[string]struct {
			Type, Description string
			Default           any
		}
	}
	if err := yaml.Unmarshal(content, &project); err != nil {
		t.Fatal(err)
	}
	if project.Name != settings.Namespace {
		t.Errorf("the project is named %q, the settings' namespace %q", project.Name, settings.Namespace)
	}
	for _, key := range settings.Keys() {
		declared, ok := project.Config[key]
		if !ok {
			t.Errorf("Pulumi.yaml does not declare %s", key)
			continue
		}
		delete(project.Config, key)
		if declared.Type == "" || !strings.HasSuffix(declared.Description, ".") {
			t.Errorf("Pulumi.yaml: %s has type %q and description %q, want a type and a sentence", key, declared.Type, declared.Description)
		}
		text := fmt.Sprint(declared.Default)
		if list, isList := declared.Default.([]any); isList {
			encoded, _ := json.Marshal(list)
			text = string(encoded)
		}
		if text != settings.Default(key) {
			t.Errorf("Pulumi.yaml: the default of %s is %q, in the program %q", key, text, settings.Default(key))
		}
	}
	for key := range project.Config {
		if !strings.Contains(key, ":") {
			t.Errorf("Pulumi.yaml declares %s, which the program does not know", key)
		}
	}
}

// TestDevStackIsTheWalkThrough checks that the dev stack's file sets only settings that exist, and only what the
// walk-through says; what it lacks is what nobody else can choose.
func TestDevStackIsTheWalkThrough(t *testing.T) {
	content, err := os.ReadFile("../Pulumi.dev.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var stack struct{ Config map[string]any }
	if err := yaml.Unmarshal(content, &stack); err != nil {
		t.Fatal(err)
	}
	values := onAWS()
	for key, value := range stack.Config {
		name, ok := strings.CutPrefix(key, settings.Namespace+":")
		if !ok {
			t.Errorf("Pulumi.dev.yaml sets %s, which is not ours", key)
		}
		if _, known := values[name]; known {
			t.Errorf("Pulumi.dev.yaml sets %s, which is for every operator to choose", key)
		}
		values[name] = fmt.Sprint(value)
	}
	dev, err := load(values)
	if err != nil {
		t.Fatal(err)
	}
	if dev.LoadBalancer != settings.Interlock {
		t.Errorf("the load balancer is %s, the walk-through's is interlock", dev.LoadBalancer)
	}
	plain, err := load(onAWS())
	if err != nil {
		t.Fatal(err)
	}
	plain.LoadBalancer = dev.LoadBalancer
	if fmt.Sprint(plain) != fmt.Sprint(dev) {
		t.Errorf("the dev stack differs from the walk-through in more than its load balancer:\n%v\n%v", dev, plain)
	}
}

// TestReadmeExplainsEverySetting holds that no setting can be added without a word for those who use it.
func TestReadmeExplainsEverySetting(t *testing.T) {
	content, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range settings.Keys() {
		if !strings.Contains(string(content), "`"+key+"`") {
			t.Errorf("README.md does not mention %s", key)
		}
	}
}
