// Package lab is six machines on one: a container for each node of the walk-through, with an SSH server and a Docker Engine
// of its own, at the walk-through's addresses and names on a network of its own. The stack of Pulumi.lab.yaml runs on them
// as it would on any machines that exist already.
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
// Everything is done by the docker program, so that a person can look with the same one: the lab's containers are
// named swarm-scale-lab-manager, swarm-scale-lab-store and so on.
package lab

import (
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
	"strconv"
	"strings"

	"swarm-scale/settings"
	"swarm-scale/topology"
)

// Names of what the lab makes on the machine's engine. The network's is the name of its interface, too, which has 15
// characters at most.
const (
	networkName  = "swarm-scale-lab"
	namePrefix   = "swarm-scale-lab-"
	hostImage    = "swarm-scale-lab-host"
	mirrorImage  = "swarm-scale-lab-mirror"
	mirrorName   = namePrefix + "mirror"
	folderLabel  = "swarm-scale.lab"       // on everything: the folder of the lab that it belongs to
	contentLabel = "swarm-scale.lab.built" // on images: what they were built from
)

// The lab's addresses: the walk-through's subnet, and the registry mirror at one that its plan leaves free.
var (
	subnet        = netip.MustParsePrefix("192.168.33.0/24")
	gateway       = netip.MustParseAddr("192.168.33.1")
	mirrorAddress = netip.MustParseAddr("192.168.33.3")
)

// loginUser is the user that SSH logs in as, Ubuntu's own.
const loginUser = "ubuntu"

// DefaultBase is the image that hosts are built on when nothing else is said.
const DefaultBase = "ubuntu:22.04"

// Options say how large the lab is and where it keeps its files.
type Options struct {
	// Folder has the lab's keys, ssh config, images and stack; absolute, or relative to the working directory. Default:
	// .lab in the folder of this module.
	Folder string
	// Counts is how many hosts of each role there are. A role that is not in it has as many as the lab had last or, in a new
	// lab, as many as the settings have by default.
	Counts topology.Counts
	// Base is the image that hosts are built on. Default: the variable LAB_BASE, or DefaultBase. Where it has a Docker
	// Engine with Consul support, an SSH server and the user ubuntu, nothing is installed.
	Base string
	// Log is told what happens, in lines. Default: nobody.
	Log io.Writer
}

// Lab is a set of hosts. Its methods are for one goroutine at a time, those of different Hosts are not.
type Lab struct {
	folder string
	counts topology.Counts
	base   string
	log    io.Writer
	docker docker
	hosts  []*Host
	fault  error // what New found wrong; Missing reports it, Up and Grow return it
}

// New is a lab, up or not. It looks at the files of an earlier one in the same folder, and at nothing else.
func New(options Options) *Lab {
	l := &Lab{folder: options.Folder, base: options.Base, log: options.Log}
	if l.log == nil {
		l.log = io.Discard
	}
	if l.base == "" {
		l.base = os.Getenv("LAB_BASE")
	}
	if l.base == "" {
		l.base = DefaultBase
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
	last, err := l.readPlan()
	if err != nil {
		l.fault = err
		return l
	}
	l.fault = l.plan(last, options.Counts)
	return l
}

// plan lays out so many hosts, where the other counts leave a role out as many as last. Those that stay keep their Host.
func (l *Lab) plan(last, counts topology.Counts) error {
	all := maps.Clone(last)
	maps.Copy(all, counts)
	nodes, err := topology.New(subnet, all)
	if err != nil {
		return err
	}
	l.counts = all
	var hosts []*Host
	for _, node := range nodes {
		host := l.Host(node.Name)
		if host == nil {
			host = &Host{Name: node.Name, Address: node.Address.String(), Role: node.Role, lab: l}
			if host.HostKey, err = l.readHostKey(node.Name); err != nil {
				return err
			}
		}
		hosts = append(hosts, host)
	}
	l.hosts = hosts
	return nil
}

// Folder is where the lab keeps its files, absolute.
func (l *Lab) Folder() string { return l.folder }

// Hosts lists the hosts in the address plan's order: manager, interlock, frontends, workers, store.
func (l *Lab) Hosts() []*Host { return l.hosts }

// Host is the host of that name, nil if there is none.
func (l *Lab) Host(name string) *Host {
	for _, host := range l.hosts {
		if host.Name == name {
			return host
		}
	}
	return nil
}

// Config are the settings of a stack that stands on this lab, by their keys without a namespace: the machines with their
// host keys, how SSH logs in there, and how many nodes of each role there are. Nothing in it is secret. The host keys are
// known once the lab is up.
func (l *Lab) Config() map[string]any {
	hosts := []any{}
	for _, host := range l.hosts {
		hosts = append(hosts, map[string]any{"name": host.Name, "address": host.Address, "hostKey": host.HostKey})
	}
	config := map[string]any{
		"platform":          "hosts",
		"hosts":             hosts,
		"sshUser":           loginUser,
		"sshPrivateKeyFile": l.keyFile(),
	}
	for role, key := range settings.CountKeys() {
		config[key] = l.counts.Of(role)
	}
	return config
}

func (l *Lab) planFile() string { return filepath.Join(l.folder, "lab.json") }

// readPlan is how many hosts of each role the lab had last, from a file with the settings' keys.
func (l *Lab) readPlan() (topology.Counts, error) {
	last := topology.Counts{}
	for role, key := range settings.CountKeys() {
		last[role], _ = strconv.Atoi(settings.Default(key))
	}
	content, err := os.ReadFile(l.planFile())
	if errors.Is(err, fs.ErrNotExist) {
		return last, nil
	}
	var kept map[string]int
	if err == nil {
		err = json.Unmarshal(content, &kept)
	}
	if err != nil {
		return last, fmt.Errorf("reading how large the lab is: %w: remove the file, or run lab down", err)
	}
	for role, key := range settings.CountKeys() {
		for written, count := range kept {
			if strings.EqualFold(written, key) { // labs of earlier versions wrote capitals
				last[role] = count
			}
		}
	}
	return last, nil
}

func (l *Lab) writePlan() error {
	kept := map[string]int{}
	for role, key := range settings.CountKeys() {
		kept[key] = l.counts.Of(role)
	}
	content, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return os.WriteFile(l.planFile(), append(content, '\n'), 0o644)
}

// moduleFolder is the folder of this project's go.mod, seen from the working directory.
func moduleFolder() (string, error) {
	output, err := exec.CommandContext(context.Background(), "go", "env", "GOMOD").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("go is not on PATH: install Go (https://go.dev/dl)")
	}
	file := strings.TrimSpace(string(output))
	if err != nil || filepath.Base(file) != "go.mod" {
		return "", fmt.Errorf("the working directory is not inside the project's source (go env GOMOD: %q %v): go there", file, err)
	}
	return filepath.Dir(file), nil
}

func (l *Lab) say(format string, arguments ...any) {
	_, _ = fmt.Fprintf(l.log, format+"\n", arguments...)
}
