// Package architecture holds the project to its structure, as docs/architecture.md draws it.
package architecture

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "swarm-scale"

// floors are the folders of the project, each with the folders whose packages it may import, apart from its own. An import
// that is not in the table runs up, or around.
var floors = map[string][]string{
	"":                   {"stack"},
	"stack":              {"app", "cluster", "cluster/engine", "cluster/standalone", "cluster/swarmmode", "infra", "settings", "topology"},
	"app":                {"app/database", "app/wayin", "cluster", "infra", "settings", "topology"},
	"app/database":       {},
	"app/wayin":          {"poll/http"},
	"cluster/standalone": {"cluster", "cluster/engine", "infra", "settings", "topology"},
	"cluster/swarmmode":  {"cluster", "cluster/engine", "infra", "settings", "topology"},
	"cluster/engine":     {"cluster", "infra", "infra/packages", "settings"},
	"cluster":            {"infra", "settings"},
	"infra":              {"infra/packages", "settings", "topology"},
	"infra/packages":     {},
	"settings":           {"topology", "poll", "poll/databaseurl"},
	"topology":           {},

	// The poll's domain, an adapter for each technology, and three programs that wire them. They know nothing of the deployment,
	// and no adapter knows another one.
	"poll":             {},
	"poll/clients":     {},
	"poll/lists":       {},
	"poll/worker":      {"poll", "poll/lists"},
	"poll/databaseurl": {},
	"poll/environment": {"poll", "poll/databaseurl"},
	"poll/http":        {"poll", "poll/clients"},
	"poll/monitoring":  {},
	"poll/postgres":    {"poll"},
	"poll/redis":       {"poll"},
	"poll/service":     {"poll/clients", "poll/environment"},
	"cmd/web-vote-app": {"poll", "poll/environment", "poll/http", "poll/lists", "poll/redis", "poll/service"},
	"cmd/vote-worker":  {"poll", "poll/worker", "poll/environment", "poll/postgres", "poll/redis", "poll/service"},
	"cmd/results-app":  {"poll", "poll/clients", "poll/environment", "poll/http", "poll/postgres", "poll/service"},
	"cmd/images":       {"app/programs", "app/wayin", "settings"},

	// The lab makes machines. To the stack they are machines like any others.
	"lab":     {"cluster/engine/install", "settings", "topology"},
	"cmd/lab": {"lab", "settings", "topology"},

	// What tests and demonstrations need may import anything. Nothing else imports it.
	"cmd/demo": {"*"},
	"test":     {"*"},
}

// pure folders touch no cloud and no machine, so nothing of theirs imports Pulumi.
var pure = []string{"topology", "settings", "poll", "app/database", "app/wayin"}

// goPackage is what go list says of a package.
type goPackage struct {
	ImportPath string
	Imports    []string
}

// packages are the project's, without their tests.
func packages(t *testing.T) []goPackage {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(output))); ; {
		var one goPackage
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
}

// within reports whether a package is in a folder.
func within(folder, path string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

// folder is the folder's path of a package of the project; ok is false for other packages.
func folder(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

// floor is the longest folder of the table that a package is in.
func floor(path string) (string, bool) {
	best, found := "", path == ""
	for name := range floors {
		if name != "" && within(name, path) && len(name) > len(best) {
			best, found = name, true
		}
	}
	return best, found
}

// TestImportsRunOneWay holds every import between the project's packages to the table.
func TestImportsRunOneWay(t *testing.T) {
	for _, one := range packages(t) {
		path, _ := folder(one.ImportPath)
		from, ok := floor(path)
		if !ok {
			t.Errorf("%s is in no folder of the table: say what it may import", path)
			continue
		}
		for _, imported := range one.Imports {
			target, ours := folder(imported)
			if !ours {
				continue
			}
			to, _ := floor(target)
			allowed := to == from || slices.ContainsFunc(floors[from], func(name string) bool {
				return name == "*" || target == name || to == name && within(name, target)
			})
			if !allowed {
				t.Errorf("%s imports %s, which it may not know", path, target)
			}
		}
	}
}

// TestTableHasNoCircle holds that the table itself runs one way.
func TestTableHasNoCircle(t *testing.T) {
	var visit func(name string, way []string)
	visit = func(name string, way []string) {
		if slices.Contains(way, name) {
			t.Fatalf("the table has a circle: %s", strings.Join(append(way, name), " → "))
		}
		for _, next := range floors[name] {
			if next != "*" {
				at, _ := floor(next)
				visit(at, append(slices.Clone(way), name))
			}
		}
	}
	for name := range floors {
		visit(name, nil)
	}
}

// TestPackagesKnowOnlyTheirTools holds that pure packages import no Pulumi, that the app knows no container engine, and that
// only infra knows a cloud.
func TestPackagesKnowOnlyTheirTools(t *testing.T) {
	for _, one := range packages(t) {
		path, _ := folder(one.ImportPath)
		at, _ := floor(path)
		for _, imported := range one.Imports {
			switch {
			case slices.ContainsFunc(pure, func(name string) bool { return within(name, path) }) && strings.HasPrefix(imported, "github.com/pulumi/"),
				at == "app" && strings.Contains(imported, "pulumi-docker"),
				at != "infra" && !within("test", path) && strings.Contains(imported, "pulumi-aws"):
				t.Errorf("%s imports %s", path, imported)
			}
		}
	}
}
