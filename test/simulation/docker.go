package simulation

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
)

// Docker returns the simulated docker provider: containers, services, networks, volumes and images of the Docker engine, or of the
// Swarm manager, at the provider's host. The durations are assumed, for a t2.micro over SSH.
func Docker() *Package {
	return &Package{
		Name:    "docker",
		Version: "4.10.0",
		Resources: []*Resource{
			container(), service(), network(), dockerVolume(), remoteImage(), image(),
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

// providerHost returns the machine a docker provider talks to, or "".
func providerHost(c *Call) string { return hostname(text(c.Provider, "host")) }

// ping is what a bridged docker resource dials: each operation pings the Docker engine first. A preview does not where the
// provider's disableDockerDaemonCheck is set.
func ping(c *Call) []Dial {
	// The value comes as a boolean or, encoded by the SDK, as a string.
	if c.Preview && fmt.Sprint(plain(c.Provider["disableDockerDaemonCheck"]).V) == "true" {
		return nil
	}
	host := text(c.Provider, "host")
	return []Dial{{
		Host: hostname(host),
		Failed: fmt.Errorf("error pinging Docker server, please make sure that %s is reachable and has a '_ping' endpoint: "+
			"command [ssh -- docker system dial-stdio] has exited with exit status 255: Connection timed out", host),
	}}
}

// onProviderHost places an object on the machine of its provider.
func onProviderHost(c *Call) []string { return []string{providerHost(c)} }

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
			return onProviderHost(c)
		},
		Claims: func(c *Call) []Claim {
			name, scope := c.Text("name"), providerHost(c)
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
		Times: Times{Create: 2 * time.Second, Update: time.Second, Delete: 2 * time.Second},
	}
}

// serviceToken is the type of services.
const serviceToken = "docker:index/service:Service"

// service is a service of a swarm, with its container on the node that a constraint names.
func service() *Resource {
	return &Resource{
		Token:    serviceToken,
		Required: []string{"taskSpec"},
		AutoName: "name",
		Replace:  []string{"mode", "name"},
		ID:       func(*Call) string { return hexDigits(nil, 25) },
		Dials:    ping,
		On: func(c *Call) []string {
			for _, constraint := range texts(taskSpec(c, "placement", "constraints")) {
				if node, ok := strings.CutPrefix(constraint, "node.hostname=="); ok {
					return []string{node}
				}
			}
			return nil
		},
		Claims: func(c *Call) []Claim {
			name := c.Text("name")
			return []Claim{{
				Key:   "service " + name,
				Taken: fmt.Errorf("rpc error: code = AlreadyExists desc = name conflicts with an existing object: service %s already exists", name),
			}}
		},
		// Its container is stopped and the next one started. The provider waits until that is healthy: the stack has it look after 8 s and
		// after 13 s, and the first health check is after 5 s. In the lab most services were there at the second look.
		Times: Times{Create: 13 * time.Second, Update: 13 * time.Second, Delete: time.Second},
	}
}

// taskSpec returns a part of a service's description.
func taskSpec(c *Call, path ...any) resource.PropertyValue {
	value, _ := resource.PropertyPath(append([]any{"taskSpec"}, path...)).Get(resource.NewObjectProperty(c.Inputs))
	return value
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
		On:    onProviderHost,
		Claims: func(c *Call) []Claim {
			name := c.Text("name")
			return []Claim{{
				Key:   "network " + providerHost(c) + " " + name,
				Taken: fmt.Errorf("unable to create network: Error response from daemon: network with name %s already exists", name),
			}}
		},
		Times: Times{Create: time.Second, Update: time.Second, Delete: time.Second},
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
		On:         onProviderHost,
		InUse: func(c *Call, other *Object) error {
			if other.Type != containerToken {
				return nil
			}
			for _, name := range mounted(other) {
				if name == string(c.ID) {
					return fmt.Errorf("unable to remove volume: Error response from daemon: remove %s: volume is in use - [%s]", name, other.ID)
				}
			}
			return nil
		},
		Times: Times{Create: time.Second, Update: time.Second, Delete: time.Second},
	}
}

// mounted lists the names of the volumes of a container.
func mounted(container *Object) []string {
	var names []string
	if volumes := plain(container.Inputs["volumes"]); volumes.IsArray() {
		for _, volume := range volumes.ArrayValue() {
			names = append(names, text(volume.ObjectValue(), "volumeName"))
		}
	}
	return names
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
		On:         onProviderHost,
		InUse: func(c *Call, other *Object) error {
			image := text(other.Inputs, "image")
			if other.Type != containerToken || image != digest(c) && image != c.Text("name") {
				return nil
			}
			return fmt.Errorf("unable to remove Docker image: Error response from daemon: conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image",
				c.Text("name"), other.ID)
		},
		Outputs: []Output{{Name: "imageId", Value: func(c *Call) any { return digest(c) }}},
		Times:   Times{Create: 20 * time.Second, Update: time.Second, Delete: 2 * time.Second},
	}
}

// image is docker.Image, which is not bridged. Any changed input builds again in
// place; the digest of its context is one. Its repoDigest is the ID of the image
// built. It looks at no Docker engine in a preview, on Read or on Delete.
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
		On:        onProviderHost,
		Untracked: true,
		Outputs: []Output{{Name: "repoDigest", Follows: []string{"*"}, Value: func(c *Call) any {
			return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(c.Text("imageName")+" "+c.Text("build", "contextDigest"))))
		}}},
		Times: Times{Create: 8 * time.Second, Update: 8 * time.Second}, // a static binary is sent and copied
	}
}

// checkImage fills in the build's defaults and the digest of its context, as docker.Image does: a changed file is a changed
// input.
func checkImage(c *Call) []plugin.CheckFailure {
	given := plain(c.Inputs["build"])
	if given.ContainsUnknowns() {
		return nil
	}
	build := resource.PropertyMap{}
	if given.IsObject() {
		build = given.ObjectValue()
	}
	if !build.HasValue("context") {
		build["context"] = resource.NewStringProperty(".")
	}
	if !build.HasValue("dockerfile") {
		build["dockerfile"] = resource.NewStringProperty(filepath.Join(text(build, "context"), "Dockerfile"))
	}
	digest, err := c.World.contextDigest(text(build, "context"), text(build, "dockerfile"))
	if err != nil {
		return []plugin.CheckFailure{{Property: "build", Reason: err.Error()}}
	}
	build["contextDigest"] = resource.NewStringProperty(digest)
	c.Inputs["build"] = resource.NewObjectProperty(build)
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
