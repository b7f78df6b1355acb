package lab

import (
	"context"
	_ "embed" // the scripts that cut a host off and join it again
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"golang.org/x/sync/errgroup"

	"swarm-scale/topology"
)

// zonesVariable is the variable with the number of zones.
const zonesVariable = "ZONES"

// severalZones is how many zones a stack has if it has several.
const severalZones = 3

// chooseZones returns the number of zones: the one that is asked for, or that of the variable, or the former one.
func chooseZones(asked, former int) (int, error) {
	zones, from := asked, "the number of zones"
	if zones == 0 {
		zones, from = former, "the former number of zones"
		if text := os.Getenv(zonesVariable); text != "" {
			var err error
			if zones, err = strconv.Atoi(text); err != nil {
				return 0, fmt.Errorf("the variable %s is %q: set it to 1 or %d", zonesVariable, text, severalZones)
			}
			from = "the variable " + zonesVariable
		}
	}
	if zones != 1 && zones != severalZones {
		return 0, fmt.Errorf("%s is %d: set it to 1 or %d", from, zones, severalZones)
	}
	return zones, nil
}

// network returns the smallest range that has the subnets of all zones. It is the range of the lab's docker network.
func (l *Lab) network() netip.Prefix {
	subnets := topology.Subnets(subnet, l.zones)
	all := subnets[0]
	for !all.Contains(subnets[len(subnets)-1].Addr()) {
		all = netip.PrefixFrom(all.Addr(), all.Bits()-1).Masked()
	}
	return all
}

// Cut cuts a zone off. No packet passes between its hosts and those of other zones until Join. The lab still reaches them, and they
// the lab's registry mirror. A host that is off, or that starts meanwhile, is not cut off. Call Cut again once it runs.
func (l *Lab) Cut(ctx context.Context, zone int) error {
	if l.fault != nil {
		return l.fault
	}
	var others []string
	for i, other := range topology.Subnets(subnet, l.zones) {
		if i+1 != zone {
			others = append(others, other.String())
		}
	}
	variables := fmt.Sprintf("LAB=%s OTHERS=%s\n", shellescape.Quote(gateway.String()+" "+mirrorAddress.String()), shellescape.Quote(strings.Join(others, " ")))
	return l.inZone(ctx, zone, variables+cutScript)
}

// Join ends Cut.
func (l *Lab) Join(ctx context.Context, zone int) error {
	if l.fault != nil {
		return l.fault
	}
	return l.inZone(ctx, zone, joinScript)
}

//go:embed zones/cut.sh
var cutScript string

//go:embed zones/join.sh
var joinScript string

// inZone runs a script on every host of a zone that is not off.
func (l *Lab) inZone(ctx context.Context, zone int, script string) error {
	if zone < 1 || zone > l.zones {
		return fmt.Errorf("zone %d is not one of the lab's, which has %d", zone, l.zones)
	}
	if l.zones == 1 {
		return fmt.Errorf("the lab has one zone, which is apart from no other: bring it up with %s=%d", zonesVariable, severalZones)
	}
	list, err := l.docker.run(ctx, "container", "ls", "--format", "{{.Names}}", "--filter", "label="+folderLabel+"="+l.folder)
	if err != nil {
		return err
	}
	on := strings.Fields(list)
	together, inside := errgroup.WithContext(ctx)
	for _, host := range l.hosts {
		if host.Zone != zone || !slices.Contains(on, host.Container()) {
			continue
		}
		together.Go(func() error {
			if _, err := host.Run(inside, script); err != nil {
				return fmt.Errorf("%s: %w", host.Name, err)
			}
			return nil
		})
	}
	return together.Wait()
}
