package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"golang.org/x/sync/errgroup"

	"swarm-scale/lab"
	"swarm-scale/lab/names"
	"swarm-scale/poll"
	"swarm-scale/settings"
	"swarm-scale/stack"
	"swarm-scale/test/eventually"
	"swarm-scale/test/harness"
	"swarm-scale/test/voters"
	"swarm-scale/topology"
)

const (
	// The next three are when a test gives up. How long it took is in the table. They leave room for a small machine, which runs six
	// hosts and the voters.

	// stepTime is for a step. It is then cancelled.
	stepTime = 20 * time.Minute
	// wellTime is for the system to be well after the end of a failure.
	wellTime = 5 * time.Minute
	// countTime is for votes to be counted once the system is well.
	countTime = 5 * time.Minute
	// shortSilence is how long voters may wait for a good answer while every part that they need is up.
	shortSilence = 2 * time.Second
)

// The secrets of the stack. Nothing else is at stake in a lab.
const (
	postgresPassword = "correct horse battery staple"
	voterKey         = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

// system is the lab, the stack on it, and its voters.
type system struct {
	source   string // a copy of this module's source, from which the programs are built
	kind     clusterKind
	lab      *lab.Lab
	pulumi   *harness.Stack
	voters   *voters.Crowd
	names    *names.Server  // where voters and viewers look up the names of the pages
	zones    int            // of the lab
	single   bool           // one node manages the cluster, whatever there is of the rest
	balancer string         // haproxy or interlock
	outputs  auto.OutputMap // of the last `pulumi up`
	upTook   time.Duration  // of the first `pulumi up`, on a fresh lab
	chain    harness.Chain
	report   Report
	log      *os.File // the output of Pulumi and the lab
	lines    lineWatch
}

// lacking has a line for every part that a run needs and this machine lacks.
func lacking(ctx context.Context, l *lab.Lab) []string {
	lines := l.Missing(ctx)
	if _, err := harness.FindCLI(); err != nil {
		lines = append(lines, err.Error())
	}
	if _, err := exec.LookPath("ssh"); err != nil {
		lines = append(lines, "ssh is not on PATH: install OpenSSH 8.5 or newer, by which the docker provider reaches the hosts")
	}
	folder, err := harness.PluginFolder()
	if err != nil {
		return append(lines, err.Error())
	}
	// The plugins have the versions of the libraries that the stack is written with.
	for plugin, module := range map[string]string{
		"docker": "github.com/pulumi/pulumi-docker/sdk/v4", "command": "github.com/pulumi/pulumi-command/sdk",
	} {
		output, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", module).Output()
		if err != nil {
			lines = append(lines, fmt.Sprintf("go list fails for the version of %s: %v", module, err))
			continue
		}
		version := strings.TrimSpace(string(output))
		if _, err := os.Stat(filepath.Join(folder, "resource-"+plugin+"-"+version, "pulumi-resource-"+plugin)); err != nil {
			lines = append(lines, fmt.Sprintf("the plugin %s %s is not installed: pulumi plugin install resource %s %s", plugin, version, plugin, version))
		}
	}
	return lines
}

// copySource copies this module's source, with uncommitted changes, and returns the copy's folder.
func copySource(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	listed, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("this is no git checkout, in which git lists the source files: %v", err)
	}
	folder := t.TempDir()
	for name := range strings.SplitSeq(strings.TrimSuffix(string(listed), "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			continue // deleted and not yet committed
		}
		if err := os.MkdirAll(filepath.Join(folder, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// open prepares an empty stack on the lab.
func (s *system) open(t *testing.T) {
	t.Helper()
	config := s.lab.Config() // with the kind of cluster
	config["loadBalancer"] = s.balancer
	// All of the test's voters come from one address.
	config["votesPerAddress"], config["newVotersPerAddress"] = "1000000", "1000000"
	s.pulumi = harness.Test(t, harness.Options{
		Program: stack.Deploy, Project: filepath.Join(s.source, "Pulumi.yaml"), Stack: "lab",
		Config: config, Secrets: map[string]string{"postgresPassword": postgresPassword, "voterKey": voterKey},
		Plugins: true, Parallel: 32, Log: io.MultiWriter(s.log, &s.lines),
	})
}

// step runs one step and reports its outcome. The next step runs even if this one fails.
func (s *system) step(t *testing.T, name string, run func(*step)) {
	row := Row{Step: name, Outcome: Skipped}
	begun := time.Now()
	t.Run(name, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), stepTime)
		defer cancel()
		st := &step{T: t, system: s, ctx: ctx, row: &row}
		defer func() {
			switch {
			case t.Failed():
				row.Outcome = Failed
			case !t.Skipped():
				row.Outcome = Passed
			}
		}()
		_, _ = fmt.Fprintf(s.log, "\n===== %s\n", name)
		run(st)
	})
	row.Took = time.Since(begun)
	s.report.Rows = append(s.report.Rows, row)
}

// step is one step of the run.
type step struct {
	*testing.T
	*system
	ctx context.Context
	row *Row
}

// checked reports a check that passed, with figures.
func (s *step) checked(format string, arguments ...any) {
	s.Helper()
	line := fmt.Sprintf(format, arguments...)
	s.row.Checked = append(s.row.Checked, line)
	s.Log(line)
}

// must ends the step on an error.
func (s *step) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// await waits until a condition returns no error, and ends the step if that takes too long.
func (s *step) await(what string, within time.Duration, condition func() error) time.Duration {
	s.Helper()
	took, err := s.wait(within, condition)
	if err != nil {
		s.Fatalf("waited %s for: %s: %v", within, what, err)
	}
	return took
}

// wait waits until a condition returns no error. It looks once a second: most conditions run programs on the hosts.
func (s *step) wait(within time.Duration, condition func() error) (time.Duration, error) {
	last := time.Time{}
	return eventually.Wait(s.ctx, within, func() error {
		select {
		case <-s.ctx.Done():
		case <-time.After(time.Until(last.Add(time.Second))):
		}
		last = time.Now()
		return condition()
	})
}

// crowd has voters vote until the campaign is stopped. Most of the time they read their ballots, so it takes many of them to notice each
// second without an answer.
func (s *step) crowd() *voters.Campaign { return s.voters.Start(s.ctx, 30, 30*time.Millisecond) }

// up runs `pulumi up` and ends the step if it fails.
func (s *step) up(options ...optup.Option) *harness.Result {
	s.Helper()
	result, err := s.pulumi.Up(s.ctx, options...)
	if err != nil {
		s.Fatalf("%v\n(%.0f s)", err, result.Wall.Seconds())
	}
	s.outputs, err = s.pulumi.Outputs(s.ctx)
	s.must(err)
	return result
}

// ready makes the system well before the step begins. It repairs what an earlier step has left as a person would: with
// `pulumi up --refresh`, then with empty machines in place of those that do not recover.
func (s *step) ready() {
	s.Helper()
	for _, host := range s.lab.Hosts() {
		if _, err := host.Run(s.ctx, "true"); err != nil {
			s.must(host.Start(s.ctx))
		}
	}
	_, err := s.wait(30*time.Second, s.well)
	if err == nil {
		return
	}
	s.Logf("an earlier step has left this, which pulumi up --refresh has to repair: %v", err)
	if _, err := s.pulumi.Up(s.ctx, optup.Refresh()); err != nil {
		s.Logf("%v", err)
		s.up() // a swarm's manager that is gone is asked by a refresh, and not by an up
	}
	if _, err = s.wait(30*time.Second, s.well); err == nil {
		return
	}
	for _, host := range s.lab.Hosts() {
		lost := s.missing(s.ctx, host, s.expected()[host.Name])
		if len(lost) == 0 {
			continue
		}
		s.Logf("%v on %s do not run: replacing the host by an empty one", lost, host.Name)
		s.must(host.Recreate(s.ctx))
		if host.Role == topology.Store {
			s.voters.Forget()
		}
	}
	s.tellHosts()
	if _, err := s.pulumi.Up(s.ctx); err != nil {
		s.up() // goes on where the first one stopped
	}
	s.await("the system to be well", wellTime, s.well)
}

// settle waits until every vote is counted, and compares the results with the voters' books.
func (s *step) settle() {
	s.Helper()
	s.must(s.voters.Settle(s.ctx))
	took, err := s.voters.AwaitResults(s.ctx, s.results(), countTime)
	if err != nil {
		s.Error(err)
		return
	}
	tally := s.tally()
	s.checked("the results show the voters' own books, %d to %d, after %.1f s", tally.A, tally.B, took.Seconds())
}

// tally is the only tally that the voters' books allow.
func (s *step) tally() poll.Tally {
	s.Helper()
	bounds := s.voters.Books().Bounds()
	tally, exact := bounds.Exact()
	if !exact {
		s.Errorf("the books allow several tallies: %s", bounds)
	}
	return tally
}

// results returns where the results page is: on the store, or of several behind the load balancers.
func (s *system) results() voters.Site {
	if s.stores() > 1 {
		return voters.Site{URL: "http://" + settings.ResultsHost}
	}
	return voters.Site{URL: "http://" + s.lab.Host("store").Address}
}

// unchanged checks that another `pulumi up` changes nothing.
func (s *step) unchanged() {
	s.Helper()
	result := s.up()
	s.noChanges("a second `up`", result)
}

// noChanges checks that an operation changed nothing.
func (s *step) noChanges(what string, result *harness.Result) {
	s.Helper()
	for _, st := range result.Steps {
		if st.Op != apitype.OpSame && st.Op != apitype.OpRefresh && st.Op != apitype.OpRead {
			s.Errorf("%s does %s to %s because of %v", what, st.Op, st.Name, st.Because)
		}
	}
	if n := result.Changes(); n != 0 {
		s.Errorf("%s makes %d changes: %v", what, n, result.Counts)
		return
	}
	s.checked("%s: no change to %d resources, %.0f s", what, result.Counts[apitype.OpSame], result.Wall.Seconds())
}

// container is the part of docker inspect that the checks need.
type container struct {
	ID    string `json:"Id"`
	Name  string
	State struct {
		Running bool
		Status  string
		Pid     int
	}
	Config struct {
		Hostname, Domainname string
		Env                  []string
		Labels               map[string]string
	}
	HostConfig struct {
		RestartPolicy struct{ Name string }
		PortBindings  map[string][]struct{ HostIP, HostPort string }
	}
	NetworkSettings struct {
		Networks map[string]struct{ IPAddress string }
	}
}

// containers returns the containers on a host's own engine, by the names of their workloads. Of several it is the one that runs.
func (s *system) containers(ctx context.Context, host *lab.Host) (map[string]container, error) {
	found := map[string]container{}
	ids, err := host.Docker(ctx, "ps", "--all", "--quiet")
	if err != nil || ids == "" {
		return found, err
	}
	text, err := host.Docker(ctx, append([]string{"inspect"}, strings.Fields(ids)...)...)
	if err != nil && text == "" { // one that has gone meanwhile is an error
		return found, err
	}
	var list []container
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return found, fmt.Errorf("docker inspect on %s: %w", host.Name, err)
	}
	for _, one := range list {
		if _, ok := found[one.name()]; !ok || one.State.Running {
			found[one.name()] = one
		}
	}
	return found, nil
}

// container returns a workload's container on a host, which has to be there.
func (s *step) container(host *lab.Host, name string) container {
	s.Helper()
	found, err := s.containers(s.ctx, host)
	s.must(err)
	one, ok := found[name]
	if !ok {
		s.Fatalf("%s has no container of %s, only %v", host.Name, name, slices.Sorted(maps.Keys(found)))
	}
	return one
}

// expected returns the names of the workloads that belong on each host.
func (s *system) expected() map[string][]string {
	all := map[string][]string{}
	for _, host := range s.lab.Hosts() {
		names := s.kind.own(host.Role)
		switch host.Role {
		case topology.LoadBalancer:
			names = append(names, s.balancer+strings.TrimPrefix(host.Name, string(topology.LoadBalancer)))
		case topology.Frontend:
			names = append(names, host.Name, "redis"+strings.TrimPrefix(host.Name, "frontend"))
		case topology.Worker:
			names = append(names, host.Name)
		case topology.Store:
			number := strings.TrimPrefix(host.Name, string(topology.Store))
			names = append(names, "pg"+number, "results-app"+number)
		case topology.Manager:
		}
		all[host.Name] = names
	}
	if s.stores() > 1 {
		for i, node := range s.kind.etcd() {
			all[node.Name] = append(all[node.Name], "etcd"+topology.Suffix(i+1))
		}
	}
	return all
}

// balancers sets the addresses of the pages' names: those of the load balancers on these hosts.
func (s *system) balancers(t *testing.T, hosts ...string) {
	t.Helper()
	var addresses []netip.Addr
	for _, host := range hosts {
		address, err := netip.ParseAddr(s.lab.Host(host).Address)
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, address)
	}
	for _, name := range []string{settings.VoteHost, settings.ResultsHost} {
		s.names.Set(name, addresses...)
		// For Go's resolvers, this machine's /etc/hosts comes first.
		got, err := s.names.Resolver().LookupNetIP(t.Context(), "ip", name)
		if err != nil || !slices.Equal(got, addresses) {
			t.Fatalf("%s is at %v (%v), want %v: if this machine's /etc/hosts has the name, remove it there", name, got, err, addresses)
		}
	}
}

// stores is how many stores there are.
func (s *system) stores() int {
	return len(s.named(func(role topology.Role) bool { return role == topology.Store }))
}

// nodes are the hosts as nodes of the stack.
func (s *system) nodes() []topology.Node {
	var nodes []topology.Node
	numbers := map[topology.Role]int{}
	for _, host := range s.lab.Hosts() {
		numbers[host.Role]++
		nodes = append(nodes, topology.Node{Name: host.Name, Role: host.Role, Number: numbers[host.Role], Zone: host.Zone})
	}
	return nodes
}

// managers are the nodes that manage the cluster, in swarm mode.
func (s *system) managers() []topology.Node {
	if s.single {
		return topology.Managers(s.nodes(), 1, 1)
	}
	return topology.Managers(s.nodes(), 3, s.zones)
}

// named returns the names of the hosts whose roles are wanted.
func (s *system) named(wanted func(topology.Role) bool) []string {
	var names []string
	for _, host := range s.lab.Hosts() {
		if wanted(host.Role) {
			names = append(names, host.Name)
		}
	}
	return names
}

// frontends returns the names of the web containers.
func (s *system) frontends() []string {
	return s.named(func(role topology.Role) bool { return role == topology.Frontend })
}

// well returns an error unless every container runs where it belongs, the cluster lists every member as working, every frontend
// answers through the load balancer, and the results are live.
//
// It asks the voters' side first, which costs little. Calls of docker on six hosts keep a small machine from what is awaited.
func (s *step) well() error {
	results, err := s.voters.ReadResults(s.ctx, s.results())
	if err != nil {
		return err
	}
	if !results.Live {
		return fmt.Errorf("the results are not live")
	}
	seen := s.voters.Look(s.ctx, 4*len(s.frontends()))
	if answering := slices.Sorted(maps.Keys(seen.Containers)); seen.Bad > 0 || !slices.Equal(answering, s.frontends()) {
		return fmt.Errorf("through the load balancer %v answer, want %v: %s", answering, s.frontends(), seen)
	}
	if err := s.inStep(s.ctx); err != nil {
		return err
	}
	ready, err := s.kind.ready(s.ctx)
	want := s.kind.members()
	slices.Sort(want)
	if err == nil && !slices.Equal(ready, want) {
		err = fmt.Errorf("%s lists as working %v, want %v", s.kind.facts().node, ready, want)
	}
	if err != nil {
		return err
	}
	together, ctx := errgroup.WithContext(s.ctx)
	for name, want := range s.expected() {
		together.Go(func() error {
			if missing := s.missing(ctx, s.lab.Host(name), want); len(missing) > 0 {
				return fmt.Errorf("%v do not run on %s", missing, name)
			}
			return nil
		})
	}
	return together.Wait()
}

// missing returns those of a host's workloads that do not run there or are not healthy. On a host whose engine does not answer none does.
func (s *system) missing(ctx context.Context, host *lab.Host, workloads []string) []string {
	listed, _ := host.Docker(ctx, "ps", "--format", `{{or (.Label "`+serviceLabel+`") .Names}} {{.Status}}`)
	var running []string
	for line := range strings.Lines(listed) {
		name, status, _ := strings.Cut(line, " ")
		if !strings.Contains(status, "(health: starting)") && !strings.Contains(status, "(unhealthy)") {
			running = append(running, name)
		}
	}
	return slices.DeleteFunc(slices.Clone(workloads), func(name string) bool { return slices.Contains(running, name) })
}

// identities returns the IDs of all containers, by host and name.
func (s *step) identities() map[string]map[string]string {
	s.Helper()
	all := map[string]map[string]string{}
	for _, host := range s.lab.Hosts() {
		found, err := s.containers(s.ctx, host)
		s.must(err)
		all[host.Name] = map[string]string{}
		for name, one := range found {
			all[host.Name][name] = one.ID
		}
	}
	return all
}

// replaced lists, as host/name, the containers with another ID than before.
func (s *step) replaced(before map[string]map[string]string) []string {
	s.Helper()
	var list []string
	for host, containers := range s.identities() {
		for name, id := range containers {
			if before[host][name] != id {
				list = append(list, host+"/"+name)
			}
		}
	}
	slices.Sort(list)
	return list
}
