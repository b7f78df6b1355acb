package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"swarm-scale/topology"
)

// Up makes the lab, and returns once SSH accepts logins on every host. It leaves running hosts alone, starts stopped ones, and
// unpauses frozen ones. If this machine lacks parts, the error names all of them.
func (l *Lab) Up(ctx context.Context) error {
	if l.fault != nil {
		return l.fault
	}
	begun := time.Now()
	if missing := l.Missing(ctx); len(missing) > 0 {
		return errors.New(strings.Join(missing, "\n"))
	}
	if err := os.MkdirAll(l.folder, 0o700); err != nil {
		return fmt.Errorf("making the lab's folder: %w", err)
	}
	if err := l.writePlan(); err != nil {
		return err
	}
	if _, err := makeKey(l.keyFile(), "swarm-scale lab"); err != nil {
		return fmt.Errorf("making the lab's SSH key: %w", err)
	}
	if err := l.makeNetwork(ctx); err != nil {
		return err
	}
	together, inside := errgroup.WithContext(ctx)
	together.Go(func() error { return l.makeMirror(inside) })
	together.Go(func() error { return l.makeHosts(inside) })
	if err := together.Wait(); err != nil {
		return err
	}
	l.say("lab: %d hosts are ready after %.1f s", len(l.hosts), time.Since(begun).Seconds())
	return nil
}

// Grow changes the number of hosts of the roles in counts, and then is Up. Missing hosts are made. Surplus hosts are removed with all
// that is on them.
func (l *Lab) Grow(ctx context.Context, counts topology.Counts) error {
	if l.fault != nil {
		return l.fault
	}
	if err := l.plan(l.counts, counts); err != nil {
		return err
	}
	return l.Up(ctx)
}

// Down removes everything that the lab has made on this machine, and its folder. If there is nothing, that is no error.
func (l *Lab) Down(ctx context.Context) error {
	if l.fault != nil && l.folder == "" {
		return l.fault
	}
	owned := "label=" + folderLabel + "=" + l.folder
	var faults []error
	for _, kind := range []struct {
		name         string
		list, remove []string
	}{
		{"containers", []string{"container", "ls", "--all", "--quiet"}, []string{"container", "rm", "--force", "--volumes"}},
		{"networks", []string{"network", "ls", "--quiet"}, []string{"network", "rm"}},
		{"images", []string{"image", "ls", "--quiet"}, []string{"image", "rm", "--force"}},
	} {
		list, err := l.docker.run(ctx, append(kind.list, "--filter", owned)...)
		if err == nil && list != "" {
			things := slices.Compact(strings.Fields(list))
			if _, err = l.docker.run(ctx, append(kind.remove, things...)...); err == nil {
				l.say("lab: removed %d %s", len(things), kind.name)
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("removing the lab's %s: %w", kind.name, err))
		}
	}
	faults = append(faults, l.forgetBase(ctx))
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if err := os.RemoveAll(l.folder); err != nil {
		return fmt.Errorf("removing the lab's folder: %w", err)
	}
	for _, host := range l.hosts {
		host.HostKey = ""
	}
	return nil
}

// makeHosts makes missing hosts, starts stopped ones, and removes surplus ones.
func (l *Lab) makeHosts(ctx context.Context) error {
	if err := l.buildHostImage(ctx); err != nil {
		return err
	}
	if err := l.removeOthers(ctx); err != nil {
		return err
	}
	together, inside := errgroup.WithContext(ctx)
	for _, host := range l.hosts {
		together.Go(func() error {
			if err := l.keepHost(inside, host); err != nil {
				return fmt.Errorf("%s: %w", host.Name, err)
			}
			return nil
		})
	}
	if err := together.Wait(); err != nil {
		return err
	}
	if err := l.writeSSHFiles(); err != nil {
		return err
	}
	for _, host := range l.hosts {
		if err := host.await(ctx); err != nil {
			return err
		}
	}
	return nil
}

// keepHost makes one host run from any state.
func (l *Lab) keepHost(ctx context.Context, host *Host) error {
	state, err := l.docker.run(ctx, "container", "ls", "--all", "--format", "{{.State}}", "--filter", "name=^/?"+host.Container()+"$")
	if err != nil {
		return err
	}
	if state != "" && state != "created" && host.HostKey == "" {
		l.say("lab: %s has lost its keys: recreating it", host.Name)
		state = "created"
	}
	switch state {
	case "running":
		return nil
	case "paused":
		return host.Unpause(ctx)
	case "exited":
		_, err := l.docker.run(ctx, "start", host.Container())
		return err
	default: // missing, or half made by an interrupted run
		if state != "" {
			if _, err := l.docker.run(ctx, "rm", "--force", "--volumes", host.Container()); err != nil {
				return err
			}
		}
		return l.makeHost(ctx, host)
	}
}

// removeOthers removes the hosts that are not in the plan.
func (l *Lab) removeOthers(ctx context.Context) error {
	list, err := l.docker.run(ctx, "container", "ls", "--all", "--format", "{{.Names}}",
		"--filter", "label="+folderLabel+"="+l.folder)
	if err != nil {
		return err
	}
	for container := range strings.FieldsSeq(list) {
		name := strings.TrimPrefix(container, namePrefix)
		if container == mirrorName || l.Host(name) != nil {
			continue
		}
		if err := l.removeHost(ctx, &Host{Name: name}); err != nil {
			return err
		}
		l.say("lab: removed %s", name)
	}
	return nil
}

// makeNetwork makes the hosts' network, unless it exists.
func (l *Lab) makeNetwork(ctx context.Context) error {
	if l.docker.exists(ctx, "network", networkName) {
		return nil
	}
	_, err := l.docker.run(ctx, "network", "create", "--subnet", l.network().String(), "--gateway", gateway.String(),
		"--opt", "com.docker.network.bridge.name="+networkName, "--label", folderLabel+"="+l.folder, networkName)
	return err
}
