package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"swarm-scale/poll/environment"
)

// replace gives a file new content as whoever lists the queues does: by another file that takes its name.
func replace(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestListIsReadAgainFromItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queues")
	variables := map[string]string{"WORKER_NUMBER": "01", "POSTGRES_PASSWORD": "x", "REDIS_ADDRESSES_FILE": path}
	replace(t, path, "redis01:6379\n")
	env := environment.NewReader(func(key string) string { return variables[key] })
	settings := readSettings(env)
	if err := env.Err(); err != nil || settings.list == nil || !slices.Equal(settings.queues, []string{"redis01:6379"}) {
		t.Fatalf("the settings are %+v (%v)", settings, err)
	}
	for _, step := range []struct {
		content string
		want    []string
		faults  []string
	}{
		{"redis01:6379\nredis02:6379\n", []string{"redis01:6379", "redis02:6379"}, nil},
		{"redis01:6379 redis02\n", nil, []string{"REDIS_ADDRESSES", `"redis02"`, "host:port"}},
		{"\n", nil, []string{"REDIS_ADDRESSES_FILE", path, "is empty"}},
		{"", nil, []string{"REDIS_ADDRESSES_FILE", path, "is empty"}},
		{"redis02:6379", []string{"redis02:6379"}, nil},
	} {
		replace(t, path, step.content)
		got, err := settings.list()
		if step.faults == nil && (err != nil || !slices.Equal(got, step.want)) {
			t.Errorf("%q: the queues are %q (%v), want %q", step.content, got, err, step.want)
		}
		for _, want := range step.faults {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: the fault is %v, want %q in it", step.content, err, want)
			}
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := settings.list(); err == nil || !strings.Contains(err.Error(), "REDIS_ADDRESSES_FILE") {
		t.Errorf("without the file: %v", err)
	}
}

func TestListThatIsNoFileIsReadOnce(t *testing.T) {
	variables := map[string]string{"WORKER_NUMBER": "01", "POSTGRES_PASSWORD": "x", "REDIS_ADDRESSES": "redis01:6379 redis02:6379"}
	env := environment.NewReader(func(key string) string { return variables[key] })
	if settings := readSettings(env); env.Err() != nil || settings.list != nil || len(settings.queues) != 2 {
		t.Errorf("the settings are %+v (%v)", settings, env.Err())
	}
}
