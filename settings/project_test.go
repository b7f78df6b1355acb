package settings_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"swarm-scale/settings"
)

// TestProjectFileDeclaresEverySetting holds that Pulumi.yaml has the keys and defaults of this package, and a sentence for each.
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

// TestStacksOfTheRepository holds that the settings of Pulumi.dev.yaml and Pulumi.production.yaml, and what each operator adds, are without
// faults and are the defaults but for what the stack is about: dev is the walk-through with Interlock, production survives the loss of a
// zone.
func TestStacksOfTheRepository(t *testing.T) {
	for name, differing := range map[string]map[string]string{
		"dev": {"cluster": "standalone", "loadBalancer": "interlock", "allowInterlock": "true"},
		"production": {
			"region": "us-west-2", "zones": "3", "loadBalancers": "2", "frontends": "3", "workers": "2", "voteCopies": "2", "stores": "2", "terminationProtection": "true", "networkLoadBalancer": "true",
			"postgresImage":       "postgres:16.15-trixie",
			"managerInstanceType": "t3.small", "loadBalancerInstanceType": "m5.large", "frontendInstanceType": "m5.large", "workerInstanceType": "t3.medium", "storeInstanceType": "m5.large",
		},
	} {
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile("../Pulumi." + name + ".yaml")
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
					t.Errorf("%s is not in the project's namespace", key)
				}
				if _, known := values[name]; known {
					t.Errorf("%s is for every operator to choose", key)
				}
				values[name] = fmt.Sprint(value)
			}
			got, err := load(values)
			if err != nil {
				t.Fatal(err)
			}
			want, err := load(broken(onAWS(), differing))
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("the stack differs from the defaults in more than it is about:\n%v\n%v", got, want)
			}
		})
	}
}

// update makes TestSettingsDocumentIsUpToDate write the document before it compares.
var update = flag.Bool("update", false, "write docs/settings.md from Pulumi.yaml")

// TestSettingsDocumentIsUpToDate holds that docs/settings.md matches Pulumi.yaml.
func TestSettingsDocumentIsUpToDate(t *testing.T) {
	const path = "../docs/settings.md"
	project, err := os.ReadFile("../Pulumi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := settingsDocument(project)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/settings.md differs from Pulumi.yaml: run make docs")
	}
}

// settingsDocument renders the settings of a Pulumi.yaml as tables, in the order of the file. A comment above a setting
// begins a table and is its heading.
func settingsDocument(project []byte) ([]byte, error) {
	var file struct{ Config yaml.Node }
	if err := yaml.Unmarshal(project, &file); err != nil {
		return nil, err
	}
	document := bytes.NewBufferString("# Settings\n\n" +
		"<!-- Made from Pulumi.yaml by make docs. -->\n\n" +
		"`pulumi config set KEY VALUE` sets one of them, `pulumi config` shows what is set. A secret is set with\n" +
		"`pulumi config set --secret KEY`. All mistakes are reported at once, with the remedy, before anything is touched.\n")
	for pair := range slices.Chunk(file.Config.Content, 2) {
		key := pair[0].Value
		if strings.Contains(key, ":") {
			continue // Pulumi's own
		}
		var setting struct {
			Description string
			Default     yaml.Node
		}
		if err := pair[1].Decode(&setting); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		if heading := strings.TrimPrefix(pair[0].HeadComment, "# "); heading != "" {
			fmt.Fprintf(document, "\n## %s\n\n| setting | default | what it does |\n|---|---|---|\n", heading)
		}
		value := setting.Default.Value
		if value != "" {
			value = "`" + value + "`"
		}
		fmt.Fprintf(document, "| `%s` | %s | %s |\n", key, value, setting.Description)
	}
	return document.Bytes(), nil
}
