// Package lab makes six machines on one. Each is a container with an SSH server and its own Docker Engine, and has a node's name and
// address of the walk-through. The stack of Pulumi.lab.yaml runs on them as on any existing machines.
//
//	l := lab.New(lab.Options{Log: os.Stderr})
//	if missing := l.Missing(ctx); len(missing) > 0 {
//		// one line for each part that this machine lacks
//	}
//	if err := l.Up(ctx); err != nil {
//		...
//	}
//	defer l.Down(ctx)
//	version, err := l.Host("store").Docker(ctx, "version")
//
// The lab only calls the docker program, so a person can look with the same one. Its containers are named swarm-scale-lab-manager,
// swarm-scale-lab-store and so on.
package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"swarm-scale/cluster/engine/install"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

// Names of what the lab makes on the machine's engine. The network's interface has the same name, so it has at most 15 characters.
const (
	networkName  = "swarm-scale-lab"
	namePrefix   = "swarm-scale-lab-"
	hostImage    = "swarm-scale-lab-host"
	mirrorImage  = "swarm-scale-lab-mirror"
	mirrorName   = namePrefix + "mirror"
	folderLabel  = "swarm-scale.lab"       // on everything: the lab's folder
	contentLabel = "swarm-scale.lab.built" // on images: the fingerprint of their content
)

// The lab's addresses: the walk-through's subnet, which is that of the first zone, and one for the registry mirror that the address plan
// leaves free.
var (
	subnet        = netip.MustParsePrefix("192.168.33.0/24")
	gateway       = netip.MustParseAddr("192.168.33.1")
	mirrorAddress = netip.MustParseAddr("192.168.33.3")
)

// loginUser is the user that SSH logs in as, which is Ubuntu's default.
const loginUser = "ubuntu"

// DefaultBase returns the default of Options.Base: the Ubuntu for which Docker's repository has the cluster's engine.
func DefaultBase(cluster settings.Cluster) string {
	if cluster == settings.Standalone {
		return "ubuntu:22.04"
	}
	return "ubuntu:24.04"
}

// Options say how large the lab is and where it keeps its files.
type Options struct {
	// Folder is where the lab keeps its keys, ssh config, images and stack. Default: .lab in the folder of this module.
	Folder string
	// Cluster is the kind of cluster that the hosts are for. They have the engine that it needs. Default: the variable CLUSTER, or as last
	// time or, in a new lab, the settings' default.
	Cluster settings.Cluster
	// Counts is the number of hosts of each role. A role without an entry has as many as last time or, in a new lab, as the
	// settings' default.
	Counts topology.Counts
	// Zones is over how many zones the hosts are spread, 1 or 3. Default: the variable ZONES, or as last time or, in a new lab, 1.
	Zones int
	// Base is the image that hosts are built on. If it has what the script complete looks for, nothing is installed. Default: the
	// variable LAB_BASE, or DefaultBase of the cluster.
	Base string
	// Images are images in place of the settings' defaults, by the setting's key, such as "postgresImage". The mirror serves them, and
	// the stack's settings name them. A key without an entry has the image of last time or, in a new lab, the settings' default; for
	// postgresImage the variable POSTGRES_IMAGE comes before both.
	Images map[string]string
	// Log gets a line for each thing that the lab does. Default: none.
	Log io.Writer
}

// Lab is a set of hosts. One goroutine at a time may call its methods. Several may call the methods of different Hosts.
type Lab struct {
	folder  string
	cluster settings.Cluster
	former  settings.Cluster // what the lab was for last; empty: there was none
	counts  topology.Counts
	zones   int
	base    string
	images  map[string]string // in place of the settings' defaults, by key
	log     io.Writer
	docker  docker
	hosts   []*Host
	fault   error // found by New; Missing reports it, Up and Grow return it
}

// New returns a lab, up or not. It reads the files of an earlier one in the same folder, and does nothing else.
func New(options Options) *Lab {
	l := &Lab{folder: options.Folder, cluster: options.Cluster, base: options.Base, log: options.Log}
	if l.log == nil {
		l.log = io.Discard
	}
	if l.base == "" {
		l.base = os.Getenv("LAB_BASE")
	}
	if l.folder == "" {
		root, err := moduleFolder()
		if err != nil {
			l.fault = err
			return l
		}
		l.folder = filepath.Join(root, ".lab")
	}
	if l.folder, l.fault = filepath.Abs(l.folder); l.fault != nil {
		return l
	}
	last, formerZones, formerImages, err := l.readPlan()
	if err != nil {
		l.fault = err
		return l
	}
	l.cluster = cmp.Or(l.cluster, settings.Cluster(os.Getenv("CLUSTER")), l.former, settings.Cluster(settings.Default(clusterKey)))
	if !slices.Contains(settings.Clusters(), l.cluster) {
		l.fault = fmt.Errorf("the variable CLUSTER is %q: set it to %s or %s", l.cluster, settings.SwarmMode, settings.Standalone)
		return l
	}
	l.base = cmp.Or(l.base, DefaultBase(l.cluster))
	if l.zones, l.fault = chooseZones(options.Zones, formerZones); l.fault != nil {
		return l
	}
	if l.images, l.fault = chooseImages(options.Images, formerImages); l.fault != nil {
		return l
	}
	l.fault = l.plan(last, options.Counts)
	return l
}

// engineKind returns the kind of engine that the hosts have.
func (l *Lab) engineKind() install.Kind {
	if l.cluster == settings.Standalone {
		return install.WithConsul
	}
	return install.Maintained
}

// plan sets the hosts from the counts, and for roles without an entry from the last ones. A host that stays keeps its Host.
func (l *Lab) plan(last, counts topology.Counts) error {
	all := maps.Clone(last)
	maps.Copy(all, counts)
	nodes, err := topology.New(topology.Subnets(subnet, l.zones), all)
	if err != nil {
		return err
	}
	l.counts = all
	var hosts []*Host
	for _, node := range nodes {
		host := l.Host(node.Name)
		if host == nil {
			host = &Host{Name: node.Name, Address: node.Address.String(), Role: node.Role, Zone: node.Zone, lab: l}
			if host.HostKey, err = l.readHostKey(node.Name); err != nil {
				return err
			}
		}
		hosts = append(hosts, host)
	}
	l.hosts = hosts
	return nil
}

// Folder returns the absolute path of the lab's folder.
func (l *Lab) Folder() string { return l.folder }

// Hosts lists the hosts in the address plan's order: manager, interlock, frontends, workers, store.
func (l *Lab) Hosts() []*Host { return l.hosts }

// Host returns the host of that name, or nil.
func (l *Lab) Host(name string) *Host {
	for _, host := range l.hosts {
		if host.Name == name {
			return host
		}
	}
	return nil
}

// Config returns the settings of a stack on this lab, by key without namespace: the machines with their host keys, how SSH logs in,
// the number of nodes of each role, the zones if there are several, and the images that are not the settings' defaults. None is secret. The host keys are known once the lab is up.
func (l *Lab) Config() map[string]any {
	hosts := []any{}
	for _, host := range l.hosts {
		fields := map[string]any{"name": host.Name, "address": host.Address, "hostKey": host.HostKey}
		if l.zones > 1 {
			fields["zone"] = host.Zone
		}
		hosts = append(hosts, fields)
	}
	config := map[string]any{
		"platform":          "hosts",
		clusterKey:          string(l.cluster),
		"hosts":             hosts,
		"sshUser":           loginUser,
		"sshPrivateKeyFile": l.keyFile(),
	}
	for role, key := range settings.CountKeys() {
		config[key] = l.counts.Of(role)
	}
	if l.zones > 1 {
		config[zonesKey] = l.zones
	}
	for key, image := range l.images {
		config[key] = image
	}
	return config
}

// The settings of the kind of cluster and of the number of zones.
const (
	clusterKey = "cluster"
	zonesKey   = "zones"
)

func (l *Lab) planFile() string { return filepath.Join(l.folder, "lab.json") }

// readPlan returns what the lab had last: the number of hosts of each role, the number of zones, and the images in place of the settings'
// defaults. It sets the lab's former cluster. The file has the settings' keys.
func (l *Lab) readPlan() (last topology.Counts, zones int, images map[string]string, err error) {
	last, zones, images = topology.Counts{}, 1, map[string]string{}
	for role, key := range settings.CountKeys() {
		last[role], _ = strconv.Atoi(settings.Default(key))
	}
	content, err := os.ReadFile(l.planFile())
	if errors.Is(err, fs.ErrNotExist) {
		return last, zones, images, nil
	}
	var kept map[string]any
	if err == nil {
		err = json.Unmarshal(content, &kept)
	}
	if err != nil {
		return last, zones, images, fmt.Errorf("reading the lab's size from %s: %w: remove the file, or run lab down", l.planFile(), err)
	}
	for role, key := range settings.CountKeys() {
		if count, ok := kept[key].(float64); ok {
			last[role] = int(count)
		}
	}
	if count, ok := kept[zonesKey].(float64); ok {
		zones = int(count)
	}
	for _, key := range imageKeys() {
		if image, ok := kept[key].(string); ok {
			images[key] = image
		}
	}
	l.former = settings.Standalone // an earlier version knew no other
	if cluster, ok := kept[clusterKey].(string); ok {
		l.former = settings.Cluster(cluster)
	}
	return last, zones, images, nil
}

func (l *Lab) writePlan() error {
	kept := map[string]any{clusterKey: l.cluster, zonesKey: l.zones}
	for role, key := range settings.CountKeys() {
		kept[key] = l.counts.Of(role)
	}
	for key, image := range l.images {
		kept[key] = image
	}
	content, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.planFile(), append(content, '\n'), 0o644); err != nil {
		return err
	}
	l.former = l.cluster // the file says so now
	return nil
}

// moduleFolder returns the folder of the go.mod that the working directory belongs to.
func moduleFolder() (string, error) {
	output, err := exec.CommandContext(context.Background(), "go", "env", "GOMOD").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("go is not on PATH: install Go (https://go.dev/dl)")
	}
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	file := strings.TrimSpace(string(output))
	if filepath.Base(file) != "go.mod" {
		return "", fmt.Errorf("the working directory is not in a checkout of the project (go env GOMOD: %q): go there", file)
	}
	return filepath.Dir(file), nil
}

func (l *Lab) say(format string, arguments ...any) {
	_, _ = fmt.Fprintf(l.log, format+"\n", arguments...)
}
