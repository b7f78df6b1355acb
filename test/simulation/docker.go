package simulation

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
)

// dockerTimes says where the durations of Docker come from.
const dockerTimes = "assumed for a t2.micro over ssh"

// Docker returns the simulated docker provider: containers, networks, volumes
// and images of the engine, or the Swarm, at the provider's host.
func Docker() *Package {
	return &Package{
		Name:    "docker",
		Version: "4.10.0",
		Resources: []*Resource{
			container(), network(), dockerVolume(), remoteImage(), image(),
		},
	}
}

// hostname returns the machine in a host string such as
// "ssh://ubuntu@192.168.33.11:22" or "tcp://192.168.33.11:3375", or "".
func hostname(host string) string {
	parsed, err := url.Parse(host)
	if err != nil {
		return ""
	}
	return parsed.Hostname()
}

// engineHost returns the machine a docker provider talks to, or "".
func engineHost(c *Call) string { return hostname(text(c.Provider, "host")) }

// ping is the dialling of a bridged docker resource: each operation first pings
// the engine, unless the provider is told not to.
func ping(c *Call) []Dial {
	c.World.mu.Lock()
	skip := c.Preview && c.World.noPing
	c.World.mu.Unlock()
	if skip || c.Preview && text(c.Provider, "disableDockerDaemonCheck") == "true" ||
		c.Preview && truth(c.Provider, "disableDockerDaemonCheck") {
		return nil
	}
	host := text(c.Provider, "host")
	return []Dial{{
		Host: hostname(host),
		Failed: fmt.Errorf("error pinging Docker server, please make sure that %s is reachable and has a '_ping' endpoint: "+
			"command [ssh -- docker system dial-stdio] has exited with exit status 255: Connection timed out", host),
	}}
}

// onEngine places an object on the machine of its provider.
func onEngine(c *Call) []string { return []string{engineHost(c)} }

// nodeConstraint is how a container asks a Swarm for a node, among its environment.
const nodeConstraint = "constraint:node=="

// placedOn returns the node a container asks the Swarm for, or "".
func placedOn(c *Call) string {
	for _, variable := range texts(c.Inputs["envs"]) {
		if node, ok := strings.CutPrefix(variable, nodeConstraint); ok {
			return node
		}
	}
	return ""
}

// containerToken is the type of containers.
const containerToken = "docker:index/container:Container"

func container() *Resource {
	return &Resource{
		Token:    containerToken,
		Required: []string{"image"},
		AutoName: "name",
		// From the provider's schema, 5.0: willReplaceOnChanges.
		Replace: []string{
			"capabilities", "cgroupParent", "cgroupnsMode", "command", "cpus", "deviceRequests", "devices", "dns",
			"dnsOpts", "dnsSearches", "domainname", "entrypoints", "envs", "gpus", "groupAdds", "hostname", "hosts",
			"image", "ipcMode", "labels", "logDriver", "logOpts", "mounts", "name", "networkMode",
			"networksAdvanced", "pidMode", "platform", "ports", "privileged", "publishAllPorts", "readOnly",
			"runtime", "securityOpts", "shmSize", "stdinOpen", "stopSignal", "stopTimeout", "storageOpts", "sysctls",
			"tty", "ulimits", "uploads", "user", "usernsMode", "volumes", "workingDir",
		},
		ID:    func(*Call) string { return hexDigits(nil, 64) },
		Dials: ping,
		On: func(c *Call) []string {
			if node := placedOn(c); node != "" {
				return []string{node}
			}
			return onEngine(c)
		},
		Claims: func(c *Call) []Claim {
			name, scope := c.Text("name"), engineHost(c)
			if placedOn(c) != "" {
				scope = "the Swarm"
			}
			return []Claim{{
				Key: "container " + scope + " " + name,
				Taken: fmt.Errorf("unable to create container: Error response from daemon: Conflict. "+
					"The container name %q is already in use", "/"+name),
			}}
		},
		// It is stopped before it is removed, and only the removal takes no notice.
		Missing: func(c *Call) error {
			return fmt.Errorf("error stopping container %[1]s: Error response from daemon: No such container: %[1]s", c.ID)
		},
		Outputs: []Output{
			constant("bridge", ""), constant("containerLogs", ""), constant("exitCode", 0),
			{Name: "networkDatas", Value: func(c *Call) any {
				return []any{map[string]any{"networkName": c.Text("networkMode"), "ipAddress": fmt.Sprintf("10.0.0.%d", c.World.serial()%250+2)}}
			}},
			constant("command", []any{}), constant("entrypoints", []any{}), constant("envs", []any{}),
			{Name: "hostname", Value: func(c *Call) any { return string(c.ID)[:12] }},
			constant("init", false), constant("ipcMode", "private"), constant("labels", []any{}),
			constant("logDriver", "json-file"), constant("platform", "linux"), constant("runtime", "runc"),
			constant("securityOpts", []any{}), constant("shmSize", 64), constant("stopSignal", "SIGTERM"),
			constant("stopTimeout", 10), constant("networkMode", "bridge"),
		},
		Times: Times{Create: 2 * time.Second, Update: time.Second, Delete: 2 * time.Second, Source: dockerTimes},
	}
}

func network() *Resource {
	return &Resource{
		Token:    "docker:index/network:Network",
		AutoName: "name",
		Replace: []string{
			"attachable", "driver", "ingress", "internal", "ipamConfigs", "ipamDriver", "ipamOptions", "ipv6",
			"labels", "name", "options",
		},
		ID:    func(*Call) string { return hexDigits(nil, 64) },
		Dials: ping,
		On:    onEngine,
		Claims: func(c *Call) []Claim {
			name := c.Text("name")
			return []Claim{{
				Key:   "network " + engineHost(c) + " " + name,
				Taken: fmt.Errorf("unable to create network: Error response from daemon: network with name %s already exists", name),
			}}
		},
		Outputs: []Output{
			constant("driver", "bridge"), constant("internal", false), constant("ipamConfigs", []any{}),
			constant("options", map[string]any{}),
			{Name: "scope", Value: func(c *Call) any {
				if c.Text("driver") == "overlay" {
					return "global"
				}
				return "local"
			}},
		},
		Times: Times{Create: time.Second, Update: time.Second, Delete: time.Second, Source: dockerTimes},
	}
}

func dockerVolume() *Resource {
	return &Resource{
		Token:      "docker:index/volume:Volume",
		AutoName:   "name",
		Replace:    []string{"driver", "driverOpts", "labels", "name"},
		ID:         func(c *Call) string { return c.Text("name") },
		PerMachine: true,
		Dials:      ping,
		On:         onEngine,
		InUse: func(c *Call, other *Object) error {
			if other.Type != containerToken {
				return nil
			}
			name := string(c.ID)
			for _, mounts := range []struct{ list, source resource.PropertyKey }{{"volumes", "volumeName"}, {"mounts", "source"}} {
				list := plain(other.Inputs[mounts.list])
				if !list.IsArray() {
					continue
				}
				for _, mount := range list.ArrayValue() {
					if mount.IsObject() && text(mount.ObjectValue(), string(mounts.source)) == name {
						return fmt.Errorf("unable to remove volume: Error response from daemon: remove %s: volume is in use - [%s]", name, other.ID)
					}
				}
			}
			return nil
		},
		Outputs: []Output{
			constant("driver", "local"),
			{Name: "mountpoint", Value: func(c *Call) any { return "/var/lib/docker/volumes/" + c.Text("name") + "/_data" }},
		},
		Times: Times{Create: time.Second, Update: time.Second, Delete: time.Second, Source: dockerTimes},
	}
}

func remoteImage() *Resource {
	digest := func(c *Call) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(c.Text("name")))) }
	return &Resource{
		Token:      "docker:index/remoteImage:RemoteImage",
		Required:   []string{"name"},
		Replace:    []string{"name", "platform", "pullTriggers", "triggers"},
		ID:         func(c *Call) string { return digest(c) + c.Text("name") },
		PerMachine: true,
		Dials:      ping,
		On:         onEngine,
		InUse: func(c *Call, other *Object) error {
			image := text(other.Inputs, "image")
			if other.Type != containerToken || truth(c.OldOutputs, "keepLocally") || truth(c.OldOutputs, "forceRemove") ||
				image != digest(c) && image != c.Text("name") {
				return nil
			}
			return fmt.Errorf("unable to remove Docker image: Error response from daemon: conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image",
				c.Text("name"), other.ID)
		},
		Outputs: []Output{
			{Name: "imageId", Value: func(c *Call) any { return digest(c) }},
			{Name: "repoDigest", Value: func(c *Call) any {
				repository, _, _ := strings.Cut(c.Text("name"), ":")
				return repository + "@" + digest(c)
			}},
		},
		Times: Times{Create: 20 * time.Second, Update: time.Second, Delete: 2 * time.Second, Source: dockerTimes},
	}
}

// image is docker.Image, which is not bridged: any change of its inputs, the
// digest of its context among them, builds again in place; its repoDigest is
// the ID of the image built; it looks at no engine in a preview, on Read or on
// Delete.
func image() *Resource {
	return &Resource{
		Token:      "docker:index/image:Image",
		Required:   []string{"imageName"},
		Defaults:   map[string]any{"buildOnPreview": false},
		Check:      checkImage,
		ID:         func(c *Call) string { return c.Text("imageName") },
		PerMachine: true,
		Dials: func(c *Call) []Dial {
			if c.Preview || c.Op == Read || c.Op == Delete {
				return nil
			}
			return ping(c)
		},
		On:        onEngine,
		Untracked: true,
		Outputs: []Output{
			{Name: "repoDigest", Follows: []string{"*"}, Value: func(c *Call) any {
				return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(fmt.Sprint(
					c.Text("build", "contextDigest"), c.Text("build", "platform"), c.Text("build", "target"),
					argsOf(c.Inputs), text(c.Inputs, "imageName")))))
			}},
			{Name: "baseImageName", Follows: []string{"imageName"}, Value: func(c *Call) any { return c.Text("imageName") }},
			{Name: "context", Follows: []string{"build"}, Value: func(c *Call) any { return c.Text("build", "context") }},
			{Name: "dockerfile", Follows: []string{"build"}, Value: func(c *Call) any { return c.Text("build", "dockerfile") }},
			{Name: "platform", Follows: []string{"build"}, Value: func(c *Call) any { return c.Text("build", "platform") }},
			{Name: "registryServer", Follows: []string{"registry"}, Value: func(c *Call) any { return c.Text("registry", "server") }},
		},
		Times: Times{Create: 8 * time.Second, Update: 8 * time.Second, Source: dockerTimes + ": a static binary is sent and copied"},
	}
}

// argsOf lists the build arguments in order.
func argsOf(inputs resource.PropertyMap) []string {
	args, ok := resource.PropertyPath{"build", "args"}.Get(resource.NewObjectProperty(inputs))
	if !ok || !args.IsObject() {
		return nil
	}
	var list []string
	for key, value := range args.ObjectValue() {
		list = append(list, fmt.Sprint(key, "=", strings.Join(texts(value), ",")))
	}
	slices.Sort(list)
	return list
}

// checkImage fills in the build's defaults and the digest of its context, as
// docker.Image does: a changed file is a changed input.
func checkImage(c *Call) []plugin.CheckFailure {
	build := resource.PropertyMap{}
	if given := plain(c.Inputs["build"]); given.IsObject() {
		build = given.ObjectValue().Copy()
	} else if given.ContainsUnknowns() {
		return nil
	}
	for key, value := range map[resource.PropertyKey]string{
		"context": ".", "platform": "linux/" + runtime.GOARCH,
	} {
		if !build.HasValue(key) {
			build[key] = resource.NewStringProperty(value)
		}
	}
	if !build.HasValue("dockerfile") {
		build["dockerfile"] = resource.NewStringProperty(filepath.Join(text(build, "context"), "Dockerfile"))
	}
	c.Inputs["build"] = resource.NewObjectProperty(build)
	if build["context"].ContainsUnknowns() || build["dockerfile"].ContainsUnknowns() {
		return nil
	}
	digest, err := c.World.contextDigest(text(build, "context"), text(build, "dockerfile"))
	if err != nil {
		return []plugin.CheckFailure{{Property: "build", Reason: err.Error()}}
	}
	build["contextDigest"] = resource.NewStringProperty(digest)
	return nil
}

// contextDigest hashes the names, modes and contents of the files of a build
// context, and the Dockerfile. Unlike the real provider it takes no notice of
// .dockerignore.
func (w *World) contextDigest(context, dockerfile string) (string, error) {
	w.mu.Lock()
	root := w.root
	w.mu.Unlock()
	if !filepath.IsAbs(context) {
		context = filepath.Join(root, context)
	}
	if !filepath.IsAbs(dockerfile) {
		dockerfile = filepath.Join(root, dockerfile)
	}
	hash := sha256.New()
	if err := hashFile(hash, dockerfile); err != nil {
		return "", fmt.Errorf("could not open dockerfile at relative path %q: %w", dockerfile, err)
	}
	err := filepath.WalkDir(context, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(context, path)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintln(hash, name, info.Mode()) // A hash takes anything.
		if !info.Mode().IsRegular() {
			return nil
		}
		return hashFile(hash, path)
	})
	if err != nil {
		return "", fmt.Errorf("hash the build context: %w", err)
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}

// hashFile adds a file's contents to a hash.
func hashFile(hash io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(hash, file)
	return err
}
