package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// writtenFile has the settings that the lab wrote last. What differs from them in the stack's settings is somebody's own.
func (s *Stack) writtenFile() string { return filepath.Join(s.projectFolder(), "written.yaml") }

// writeSettings writes the stack's settings: those of Pulumi.lab.yaml, those of this lab, and what somebody set with `pulumi config
// set` on the stack. The counts come before all of them.
func (s *Stack) writeSettings(counts topology.Counts) error {
	common, err := os.ReadFile(filepath.Join(s.root, "Pulumi."+stackName+".yaml"))
	if err != nil {
		return err
	}
	own, err := os.ReadFile(s.settingsFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	written, err := os.ReadFile(s.writtenFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	asked := map[string]any{}
	for role, key := range settings.CountKeys() {
		if count, ok := counts[role]; ok {
			asked[key] = count
		}
	}
	merged, err := mergeSettings(common, own, written, s.lab.Config(), asked)
	if err != nil {
		return err
	}
	if len(merged.kept) > 0 {
		s.lab.say("lab: kept what was set on the stack with pulumi config: %s", strings.Join(merged.kept, ", "))
	}
	return errors.Join(os.WriteFile(s.settingsFile(), merged.settings, 0o600), os.WriteFile(s.writtenFile(), merged.written, 0o600))
}

// merge is the result of mergeSettings.
type merge struct {
	settings []byte   // the stack's settings file
	written  []byte   // the part that is the lab's, to be remembered
	kept     []string // keys that somebody set or removed
}

// mergeSettings returns a settings file. The common file's settings, overridden by the lab's, are in it. Where the own file differs from
// what was written there last, somebody changed it, and that stays: a value, or that there is none. Secrets and the encryption salt
// stay, too. What is asked for now overrides all.
func mergeSettings(common, own, written []byte, lab, asked map[string]any) (merge, error) {
	var given, present, last struct {
		Config map[string]any
		Rest   map[string]any `yaml:",inline"`
	}
	if err := errors.Join(yaml.Unmarshal(common, &given), yaml.Unmarshal(own, &present), yaml.Unmarshal(written, &last)); err != nil {
		return merge{}, err
	}
	namespace := func(key string) string { return settings.Namespace + ":" + key }
	ours := map[string]any{}
	maps.Copy(ours, given.Config)
	for key, value := range lab {
		ours[namespace(key)] = value
	}
	for key, value := range asked {
		ours[namespace(key)] = value
	}
	if len(written) == 0 { // by an earlier version, which set the lab's own keys each time
		last.Config = maps.Clone(given.Config)
		for key := range lab {
			if value, ok := present.Config[namespace(key)]; ok {
				last.Config[namespace(key)] = value
			}
		}
	}
	var result merge
	all := maps.Clone(ours)
	for _, key := range slices.Sorted(maps.Keys(present.Config)) {
		value := present.Config[key]
		_, isAsked := asked[strings.TrimPrefix(key, settings.Namespace+":")]
		if same(value, last.Config[key]) || same(value, ours[key]) || isAsked {
			continue
		}
		all[key] = value
		if fields, ok := value.(map[string]any); !ok || len(fields) != 1 || fields["secure"] == nil { // secrets are made here, too
			result.kept = append(result.kept, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(last.Config)) {
		_, isPresent := present.Config[key]
		_, isAsked := asked[strings.TrimPrefix(key, settings.Namespace+":")]
		if _, isOurs := ours[key]; len(own) > 0 && len(written) > 0 && isOurs && !isPresent && !isAsked {
			delete(all, key)
			result.kept = append(result.kept, key+" (removed)")
		}
	}
	file := maps.Clone(given.Rest)
	if file == nil {
		file = map[string]any{}
	}
	maps.Copy(file, present.Rest)
	file["config"] = all
	var faults [2]error
	result.settings, faults[0] = yaml.Marshal(file)
	result.written, faults[1] = yaml.Marshal(map[string]any{"config": ours})
	return result, errors.Join(faults[:]...)
}

// same reports whether two settings have the same text. Pulumi writes 2 as "2" when it changes another setting.
func same(a, b any) bool { return a != nil && b != nil && fmt.Sprint(a) == fmt.Sprint(b) }
