package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// hostMemory is how many MiB a host and its containers need under load.
const hostMemory = 300

// Missing has one line for every part that this machine lacks, with the remedy. If it is empty, the lab can go up. Hosts that are up
// need nothing more.
func (l *Lab) Missing(ctx context.Context) []string {
	if l.fault != nil {
		return []string{l.fault.Error()}
	}
	engine, err := l.engine(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	missing := engine.faults()
	up, err := l.docker.run(ctx, "container", "ls", "--quiet", "--filter", "label="+folderLabel+"="+l.folder)
	if err != nil {
		return append(missing, err.Error())
	}
	if up != "" && l.former != l.cluster {
		missing = append(missing, fmt.Sprintf("cluster: the lab is up for %s, and its machines have that one's engine: take it down first (make lab-down)", l.former))
	}
	fresh := len(l.hosts) + 1 - len(strings.Fields(up)) // the mirror counts as a host, to be on the safe side
	if free, err := freeMemory("/proc/meminfo"); err == nil && fresh > 0 && free < fresh*hostMemory {
		missing = append(missing, fmt.Sprintf("memory: %d MiB are free, the lab needs %d (%d for each host): close something, or ask for fewer hosts",
			free, fresh*hostMemory, hostMemory))
	}
	missing = append(missing, l.missingNetwork(ctx)...)
	missing = append(missing, l.missingBase(ctx)...)
	return append(missing, l.missingImages(ctx)...)
}

// engineInfo is the part of docker info that matters here.
type engineInfo struct {
	OperatingSystem string
	OSType          string
	SecurityOptions []string
	ServerVersion   string
}

func (l *Lab) engine(ctx context.Context) (engineInfo, error) {
	var info engineInfo
	output, err := l.docker.run(ctx, "info", "--format", "{{json .}}")
	if err == nil {
		err = json.Unmarshal([]byte(output), &info)
	}
	// Without an engine, docker info succeeds with the client's part alone.
	if err == nil && info.ServerVersion == "" {
		_, err = l.docker.run(ctx, "version", "--format", "{{.Server.Version}}")
	}
	if errors.Is(err, errNoDocker) {
		return info, err
	}
	if err != nil {
		return info, fmt.Errorf("docker does not reach an engine: start it, and check that you may use it (%s)", firstLine(err.Error()))
	}
	return info, nil
}

// faults has a line for everything about the engine that makes the hosts' addresses unreachable.
func (e engineInfo) faults() []string {
	var faults []string
	if e.OSType != "linux" || strings.HasPrefix(e.OperatingSystem, "Docker Desktop") {
		faults = append(faults, fmt.Sprintf("engine: %s runs in a virtual machine that hides its containers' addresses: "+
			"use Docker Engine on Linux, in a virtual machine of your own if need be", e.OperatingSystem))
	}
	for _, option := range e.SecurityOptions {
		if strings.Contains(option, "name=rootless") {
			faults = append(faults, "engine: a rootless engine hides its containers' addresses: use one that runs as root (docker context use default)")
		}
	}
	return faults
}

// freeMemory returns how many MiB are available without swapping.
func freeMemory(file string) (int, error) {
	opened, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer func() { _ = opened.Close() }()
	for lines := bufio.NewScanner(opened); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == "MemAvailable:" {
			kib, err := strconv.Atoi(fields[1])
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("%s has no MemAvailable", file)
}

// missingNetwork has a line for everything that uses the lab's addresses already.
func (l *Lab) missingNetwork(ctx context.Context) []string {
	wanted := l.network()
	description, err := l.docker.run(ctx, "network", "inspect", "--format",
		fmt.Sprintf("{{(index .IPAM.Config 0).Subnet}} {{index .Labels %q}}", folderLabel), networkName)
	if err == nil {
		present, owner, _ := strings.Cut(description, " ")
		if owner != l.folder {
			return []string{fmt.Sprintf("network: the lab of %s is up, and a machine has room for one: take it down there with make lab-down", owner)}
		}
		if present != wanted.String() {
			return []string{fmt.Sprintf("network: the lab has %s, and with ZONES=%d it needs %s: take it down first (make lab-down)", present, l.zones, wanted)}
		}
		return nil
	}
	var missing []string
	for _, taken := range append(interfaces(), routes("/proc/net/route")...) {
		if taken.prefix.Overlaps(wanted) {
			missing = append(missing, fmt.Sprintf("network: %s has %s, and the lab needs %s: remove it as long as the lab is up (ip address, docker network ls)",
				taken.by, taken.prefix, wanted))
		}
	}
	return missing
}

// taken is an address range that the machine uses.
type taken struct {
	by     string
	prefix netip.Prefix
}

// interfaces lists the address ranges of the machine's interfaces.
func interfaces() []taken {
	var found []taken
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, one := range all {
		addresses, err := one.Addrs()
		if err != nil {
			continue
		}
		for _, address := range addresses {
			if prefix, err := netip.ParsePrefix(address.String()); err == nil {
				found = append(found, taken{"the interface " + one.Name, prefix.Masked()})
			}
		}
	}
	return found
}

// routes lists the machine's routes through a gateway, without the default one, which a VPN may have as two halves. The lab's own route
// is narrower, and comes before them.
func routes(file string) []taken {
	opened, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer func() { _ = opened.Close() }()
	var found []taken
	for lines := bufio.NewScanner(opened); lines.Scan(); {
		// Iface Destination Gateway Flags RefCnt Use Metric Mask …, addresses as the processor stores them.
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 || fields[2] == "00000000" {
			continue
		}
		destination, mask := littleEndian(fields[1]), littleEndian(fields[7])
		ones, bits := net.IPMask(mask[:]).Size()
		if bits == 0 || ones <= 1 {
			continue
		}
		found = append(found, taken{"a route by the interface " + fields[0], netip.PrefixFrom(netip.AddrFrom4(destination), ones)})
	}
	return found
}

func littleEndian(text string) [4]byte {
	number, err := strconv.ParseUint(text, 16, 32)
	if err != nil {
		return [4]byte{}
	}
	return [4]byte{byte(number), byte(number >> 8), byte(number >> 16), byte(number >> 24)}
}

// missingBase has a line if the hosts' image cannot be built.
func (l *Lab) missingBase(ctx context.Context) []string {
	built, have := l.docker.exists(ctx, "image", hostImage), l.docker.exists(ctx, "image", l.base)
	if built && !have {
		return nil
	}
	if have {
		answer, err := l.docker.run(ctx, "run", "--rm", "--network", "none", "--entrypoint", "bash", l.base, "-c", l.complete())
		if err != nil {
			_, words, _ := strings.Cut(err.Error(), l.complete()+": ")
			return []string{fmt.Sprintf("base %s: docker cannot run a container of it: correct that first (%s)", l.base, firstLine(words))}
		}
		if answer == "complete" {
			return nil
		}
	} else {
		reference, err := name.ParseReference(l.base)
		if err == nil {
			err = inRegistry(ctx, reference)
		}
		if err != nil {
			return []string{fmt.Sprintf("base %s: neither this machine's engine nor its registry has the image (%v): "+
				"docker load it, connect this machine to the internet, or name another base in the variable LAB_BASE", l.base, err)}
		}
	}
	if built {
		return nil
	}
	if err := reaches(ctx, packages); err != nil {
		return []string{fmt.Sprintf("packages: the base %s lacks a Docker Engine that fits or another program, and Docker Engine %s cannot be installed from %s (%v): "+
			"connect this machine to the internet, or name a base that has them in the variable LAB_BASE", l.base, l.engineKind().Version, packages, err)}
	}
	return nil
}

// packages is the URL that the engine is installed from.
const packages = "https://download.docker.com/linux/ubuntu/"

func reaches(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, registryPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
