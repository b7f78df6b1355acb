package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"go.yaml.in/yaml/v3"
)

// Set changes settings for the operations to come. The value nil unsets one.
func (s *Stack) Set(config map[string]any) error { return s.writeSettings(s.settingsFile(), config) }

// SetSecrets changes secret settings for the operations to come.
func (s *Stack) SetSecrets(ctx context.Context, secrets map[string]string) error {
	if len(secrets) == 0 {
		return nil
	}
	values := auto.ConfigMap{}
	for name, value := range secrets {
		values[s.key(name)] = auto.ConfigValue{Value: value, Secret: true}
	}
	if err := s.stack.SetAllConfig(ctx, values); err != nil {
		return fmt.Errorf("set secrets: %w", err)
	}
	return nil
}

// settingsFile returns the path of the stack's settings.
func (s *Stack) settingsFile() string {
	return filepath.Join(s.dir, workFolder, "Pulumi."+s.options.Stack+".yaml")
}

// writeSettings writes the stack's settings: those in another file, none if from is empty, with config on top.
func (s *Stack) writeSettings(from string, config map[string]any) error {
	file := map[string]any{}
	if from != "" {
		text, err := os.ReadFile(from)
		if err != nil {
			return fmt.Errorf("read the stack's settings: %w", err)
		}
		if err := yaml.Unmarshal(text, &file); err != nil {
			return fmt.Errorf("parse %s: %w", from, err)
		}
	}
	values, _ := file["config"].(map[string]any)
	if values == nil {
		values = map[string]any{}
	}
	for name, value := range config {
		if value == nil {
			delete(values, s.key(name))
		} else {
			values[s.key(name)] = value
		}
	}
	file["config"] = values
	text, err := yaml.Marshal(file)
	if err != nil {
		return fmt.Errorf("encode the stack's settings: %w", err)
	}
	return os.WriteFile(s.settingsFile(), text, 0o600)
}

// key gives a setting the project's namespace if it has none.
func (s *Stack) key(name string) string {
	if strings.Contains(name, ":") {
		return name
	}
	return string(s.project.Name) + ":" + name
}
