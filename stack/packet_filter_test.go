package stack_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The nodes of hostsSettings that send and receive. Those in host have containers.
var (
	hosts      = []string{"manager", "interlock", "frontend01"}
	nodes      = append(slices.Clone(hosts), "frontend02")
	bridges    = []string{"docker0", "docker_gwbridge", "br-0123456789ab"}
	addressOf  = map[string]string{"manager": "192.168.33.11", "interlock": "192.168.33.12", "frontend01": "192.168.33.20", "frontend02": "192.168.33.21", "outsider": "192.168.33.1"}
	dropsShown = regexp.MustCompile(`counter packets (\d+)`)
)

// packets is a network of nodes with their packet filters, containers behind them, and an outsider. Each is in a network namespace.
type packets struct {
	*testing.T
	prefix string // of the namespaces' names

	mutex sync.Mutex
	heard map[string]bool // what UDP listeners got
}

// newPackets makes the network. Everybody listens at the ports of the stack and at a few others, and tells who it is.
func newPackets(t *testing.T) *packets {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, program := range []string{"ip", "nft", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: real packets need it (packages iproute2, nftables)", program)
		}
	}
	p := &packets{T: t, prefix: fmt.Sprintf("filter-%d-", os.Getpid()), heard: map[string]bool{}}
	if output, err := exec.Command("ip", "netns", "add", p.prefix+"lan").CombinedOutput(); err != nil {
		t.Skipf("this machine makes no network namespaces: %s", output)
	}
	t.Cleanup(func() { p.ip("netns", "delete", p.prefix+"lan") })
	if output, err := p.command("lan", "nft", "add table inet try").CombinedOutput(); err != nil {
		t.Skipf("this machine's kernel has no nf_tables: %s", output)
	}
	p.shell("lan", "ip link add lan type bridge; ip link set lan up")
	for _, place := range append(slices.Clone(nodes), "outsider") {
		p.place(place)
		p.link("lan", place, "eth0", "lan")
		p.shell(place, "ip address add "+addressOf[place]+"/24 dev eth0; ip address add fd33::"+strings.TrimPrefix(addressOf[place], "192.168.33.")+"/64 dev eth0 nodad")
		p.listen(place)
	}
	for _, host := range hosts {
		// What Docker does: it forwards, and masquerades what leaves the machine.
		p.shell(host, `echo 1 >/proc/sys/net/ipv4/ip_forward
			nft 'add table ip nat; add chain ip nat post { type nat hook postrouting priority srcnat; }; add rule ip nat post oifname eth0 ip saddr 172.16.0.0/12 masquerade'`)
		for i, bridge := range bridges {
			container := host + "-" + bridge
			p.place(container)
			p.shell(host, "ip link add "+bridge+" type bridge; ip link set "+bridge+" up; ip address add 172."+strconv.Itoa(17+i)+".0.1/16 dev "+bridge)
			p.link(host, container, "eth0", bridge)
			p.shell(container, fmt.Sprintf("ip address add 172.%d.0.2/16 dev eth0; ip route add default via 172.%d.0.1", 17+i, 17+i))
			p.listen(container)
		}
	}
	return p
}

// place makes a network namespace.
func (p *packets) place(name string) {
	p.Helper()
	p.ip("netns", "add", p.prefix+name)
	p.Cleanup(func() { p.ip("netns", "delete", p.prefix+name) })
	// The kernel's own check of source addresses is off, as it is on some machines.
	p.shell(name, "ip link set lo up; for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$file; done")
}

// link connects a place by an interface of that name to a bridge in another place.
func (p *packets) link(at, place, name, bridge string) {
	p.Helper()
	end := fmt.Sprintf("v%d", len(p.shell(at, "ip -o link")))
	p.ip("-n", p.prefix+at, "link", "add", end, "type", "veth", "peer", "name", name, "netns", p.prefix+place)
	p.shell(at, "ip link set "+end+" master "+bridge+" up")
	p.shell(place, "ip link set "+name+" up; echo 0 >/proc/sys/net/ipv4/conf/"+name+"/rp_filter")
}

func (p *packets) ip(arguments ...string) {
	p.Helper()
	if output, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
		p.Errorf("ip %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
}

// command returns a command in a place. It sees empty folders in place of this machine's configuration, which it would change.
func (p *packets) command(place string, words ...string) *exec.Cmd {
	hide := `for folder in /etc /run /usr/local/sbin; do mount -t tmpfs none $folder; done; exec "$@"`
	return exec.Command("ip", append([]string{"netns", "exec", p.prefix + place, "bash", "-c", hide, "bash"}, words...)...)
}

// shell runs a script in a place and returns its output.
func (p *packets) shell(place, script string) string {
	p.Helper()
	output, err := p.command(place, "bash", "-euc", script).CombinedOutput()
	if err != nil {
		p.Fatalf("%s: %v\n%s", place, err, output)
	}
	return string(output)
}

// filter runs the command of these nodes' filters, as the stack registers it.
func (p *packets) filter(resources []registered, on []string) string {
	p.Helper()
	var all strings.Builder
	for _, node := range on {
		all.WriteString(p.filterWith(resources, node, "filter"))
	}
	return all.String()
}

// filterWith runs a script on a node, which calls the command of its filter by the name filter. It returns the output.
func (p *packets) filterWith(resources []registered, node, script string) string {
	p.Helper()
	output, err := p.tryFilter(resources, node, script)
	if err != nil {
		p.Fatalf("the filter of %s: %v\n%s", node, err, output)
	}
	return output
}

// tryFilter is filterWith for scripts that may fail.
func (p *packets) tryFilter(resources []registered, node, script string) (string, error) {
	p.Helper()
	registered := find(p.T, resources, "command:remote:Command", node+"-packet-filter")
	command := p.command(node, "bash", "-euc", "input=$(cat)\n"+`filter() { bash -c "$line" <<<"$input"; }`+"\n"+script)
	command.Env = append(os.Environ(), "line="+plain(registered.inputs["create"]).StringValue())
	command.Stdin = strings.NewReader(plain(registered.inputs["stdin"]).StringValue())
	output, err := command.CombinedOutput()
	return string(output), err
}

// in calls a function on a thread in a place. Sockets that it opens stay there.
func (p *packets) in(place string, do func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		result <- func() error {
			namespace, err := os.Open(filepath.Join("/run/netns", p.prefix+place))
			if err != nil {
				return err
			}
			defer func() { _ = namespace.Close() }()
			if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
				return err
			}
			return do()
		}()
	}()
	return <-result
}

// listen has a place listen at its ports. By TCP it says its name and repeats each line.
func (p *packets) listen(place string) {
	p.Helper()
	err := p.in(place, func() error {
		for _, port := range []int{22, 80, 2375, 3375, 5000, 7946, 8500, 9000} {
			listener, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
			if err != nil {
				return err
			}
			p.Cleanup(func() { _ = listener.Close() })
			go func() {
				for {
					connection, err := listener.Accept()
					if err != nil {
						return
					}
					go func() {
						defer func() { _ = connection.Close() }()
						_, _ = fmt.Fprintln(connection, place)
						_, _ = io.Copy(connection, connection)
					}()
				}
			}()
		}
		for _, port := range []int{4789, 7946, 9000} {
			listener, err := net.ListenPacket("udp", fmt.Sprintf(":%d", port))
			if err != nil {
				return err
			}
			p.Cleanup(func() { _ = listener.Close() })
			go func() {
				for buffer := make([]byte, 100); ; {
					n, _, err := listener.ReadFrom(buffer)
					if err != nil {
						return
					}
					p.mutex.Lock()
					p.heard[place+" "+string(buffer[:n])] = true
					p.mutex.Unlock()
				}
			}()
		}
		return nil
	})
	if err != nil {
		p.Fatalf("%s: %v", place, err)
	}
}

// packet is the first one that a place sends to a port.
type packet struct {
	from     string // a node, HOST-BRIDGE for a container, or outsider
	forged   string // the source address; empty: its own
	protocol string
	to       string // a node or outsider
	port     int
	six      bool // by IPv6
}

func (k packet) String() string {
	text := fmt.Sprintf("%s → %s %d/%s", k.from, k.to, k.port, k.protocol)
	if k.forged != "" {
		text += " as " + k.forged
	}
	if k.six {
		text += " by IPv6"
	}
	return text
}

func (k packet) destination() string {
	address := addressOf[k.to]
	if k.six {
		address = "fd33::" + strings.TrimPrefix(address, "192.168.33.")
	}
	return net.JoinHostPort(address, strconv.Itoa(k.port))
}

// drops counts what the filters have dropped at the nodes that the packet passes.
func (p *packets) drops(k packet) int {
	total := 0
	for _, node := range nodes {
		if k.to != node && !strings.HasPrefix(k.from, node+"-") {
			continue
		}
		output, err := exec.Command("ip", "netns", "exec", p.prefix+node, "nft", "list", "table", "inet", "swarm-scale").CombinedOutput()
		if err != nil {
			continue // no filter yet
		}
		for _, match := range dropsShown.FindAllStringSubmatch(string(output), -1) {
			number, _ := strconv.Atoi(match[1])
			total += number
		}
	}
	return total
}

// open opens a TCP connection, and returns it once the server has said its first line.
func (p *packets) open(k packet) (net.Conn, *bufio.Reader) {
	p.Helper()
	connection, err := p.dial(p.Context(), k)
	if err != nil {
		p.Fatal(err)
	}
	reader := bufio.NewReader(connection)
	if _, err := reader.ReadString('\n'); err != nil {
		_ = connection.Close()
		p.Fatal(err)
	}
	return connection, reader
}

// dial opens a connection.
func (p *packets) dial(ctx context.Context, k packet) (connection net.Conn, err error) {
	err = p.in(k.from, func() error {
		dialer := net.Dialer{}
		if k.forged != "" {
			dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(k.forged), 0))
		}
		connection, err = dialer.DialContext(ctx, k.protocol, k.destination())
		return err
	})
	return connection, err
}

// answers sends a packet, and returns who got it, or "" if a filter dropped it. It waits for one of the two, so it depends on no time.
func (p *packets) answers(k packet) string {
	p.Helper()
	before := p.drops(k)
	ctx, cancel := context.WithTimeout(p.Context(), 30*time.Second)
	defer cancel()
	answer := make(chan string, 1)
	word := fmt.Sprintf("%p", &k)
	go func() {
		connection, err := p.dial(ctx, k)
		if err != nil {
			if ctx.Err() == nil {
				p.Errorf("%s: %v", k, err)
				cancel()
			}
			return
		}
		defer func() { _ = connection.Close() }()
		if k.protocol == "udp" {
			_, _ = io.WriteString(connection, word)
			return
		}
		line, _ := bufio.NewReader(connection).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	for {
		select {
		case got := <-answer:
			return got
		case <-ctx.Done():
			p.Errorf("%s: neither arrived nor dropped", k)
			return ""
		case <-time.After(time.Millisecond):
		}
		p.mutex.Lock()
		heard := p.heard[k.to+" "+word]
		delete(p.heard, k.to+" "+word)
		p.mutex.Unlock()
		if heard {
			return k.to
		}
		if p.drops(k) > before {
			return ""
		}
	}
}

// want checks whether packets arrive.
func (p *packets) want(arrives bool, list ...packet) {
	p.Helper()
	for _, k := range list {
		if got := p.answers(k); (got == k.to) != arrives {
			p.Errorf("%s: answered by %q, want arrival: %v", k, got, arrives)
		}
	}
}

// without returns host settings that lack one machine.
func without(t *testing.T, name string) map[string]string {
	t.Helper()
	values := hostsSettings(t)
	var list []map[string]any
	if err := json.Unmarshal([]byte(values["hosts"]), &list); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(slices.DeleteFunc(list, func(host map[string]any) bool { return host["name"] == name }))
	if err != nil {
		t.Fatal(err)
	}
	values["hosts"], values["frontends"] = string(encoded), strconv.Itoa(len(list)-1-4)
	return values
}

// TestPacketFiltersWithRealPackets holds who reaches which port, on a network with the filters of a stack.
func TestPacketFiltersWithRealPackets(t *testing.T) {
	p := newPackets(t)
	resources, err := deploy(t, hostsSettings(t))
	if err != nil {
		t.Fatal(err)
	}
	before := packet{from: "outsider", protocol: "tcp", to: "frontend01", port: 2375}
	p.want(true, before) // there is no filter yet

	p.filter(resources, nodes)
	t.Run("the stack's ports", func(t *testing.T) {
		p := p.under(t)
		for _, port := range []struct {
			protocol   string
			number     int
			on         []string
			from       []string // nodes
			containers []string // hosts whose containers on docker0 may send
		}{
			{"tcp", 2375, nodes, nodes, []string{"manager"}},
			{"tcp", 7946, nodes, nodes, nil},
			{"udp", 7946, nodes, nodes, nil},
			{"udp", 4789, nodes, nodes, nil},
			{"tcp", 3375, []string{"manager"}, nodes, nil},
			{"tcp", 8500, []string{"manager"}, nodes, []string{"manager", "frontend01"}},
			{"tcp", 5000, []string{"frontend01", "frontend02"}, []string{"interlock"}, []string{"interlock"}},
		} {
			for _, to := range port.on {
				for _, from := range nodes {
					p.want(from == to || slices.Contains(port.from, from), packet{from: from, protocol: port.protocol, to: to, port: port.number})
				}
				for _, host := range hosts {
					for _, bridge := range bridges {
						may := bridge == "docker0" && slices.Contains(port.containers, host)
						p.want(may, packet{from: host + "-" + bridge, protocol: port.protocol, to: to, port: port.number})
					}
				}
				p.want(false, packet{from: "outsider", protocol: port.protocol, to: to, port: port.number},
					packet{from: "outsider", protocol: port.protocol, to: to, port: port.number, six: true})
				// Its own address by IPv6 is still its own.
				p.want(true, packet{from: to, protocol: port.protocol, to: to, port: port.number, six: true})
			}
		}
	})
	t.Run("other ports", func(t *testing.T) {
		p := p.under(t)
		for _, from := range []string{"outsider", "frontend02", "frontend01-docker0", "frontend01-docker_gwbridge"} {
			p.want(true, packet{from: from, protocol: "tcp", to: "manager", port: 22}, packet{from: from, protocol: "tcp", to: "interlock", port: 80},
				packet{from: from, protocol: "tcp", to: "manager", port: 9000}, packet{from: from, protocol: "udp", to: "frontend01", port: 9000},
				// Consul and Swarm manager are not here, so it is somebody else's.
				packet{from: from, protocol: "tcp", to: "frontend02", port: 8500}, packet{from: from, protocol: "tcp", to: "interlock", port: 3375},
				// It is no node.
				packet{from: from, protocol: "tcp", to: "outsider", port: 2375})
		}
		p.want(true, packet{from: "outsider", protocol: "tcp", to: "manager", port: 22, six: true}, packet{from: "outsider", protocol: "tcp", to: "interlock", port: 80, six: true})
	})
	t.Run("a container with a node's address", func(t *testing.T) {
		p := p.under(t)
		for _, bridge := range bridges {
			container := "frontend01-" + bridge
			p.shell(container, "ip address add "+addressOf["frontend02"]+"/32 dev lo")
			for _, to := range []string{"frontend01", "manager"} {
				for _, port := range []int{4789, 7946} {
					p.want(false, packet{from: container, forged: addressOf["frontend02"], protocol: "udp", to: to, port: port})
				}
			}
			p.shell(container, "ip address delete "+addressOf["frontend02"]+"/32 dev lo")
		}
	})
	t.Run("a port that Docker publishes", func(t *testing.T) {
		p := p.under(t)
		p.shell("frontend01", `nft 'add chain ip nat pre { type nat hook prerouting priority dstnat; }
			add rule ip nat pre fib daddr type local iifname != "docker_gwbridge" tcp dport 5000 dnat to 172.18.0.2:80'`)
		published := packet{from: "interlock", protocol: "tcp", to: "frontend01", port: 5000}
		if got := p.answers(published); got != "frontend01-docker_gwbridge" {
			t.Errorf("%s is answered by %q, want the container", published, got)
		}
		for _, from := range []string{"outsider", "frontend02", "manager", "manager-docker0", "frontend01-docker0", "frontend01-docker_gwbridge"} {
			published.from = from
			p.want(false, published)
		}
	})
	t.Run("Interlock calls the Swarm manager", func(t *testing.T) {
		p := p.under(t)
		values := hostsSettings(t)
		values["loadBalancer"], values["allowInterlock"] = "interlock", "true"
		resources, err := deploy(t, values)
		if err != nil {
			t.Fatal(err)
		}
		p.filter(resources, nodes)
		p.want(true, packet{from: "interlock-docker0", protocol: "tcp", to: "manager", port: 3375})
		p.want(false, packet{from: "interlock-docker_gwbridge", protocol: "tcp", to: "manager", port: 3375},
			packet{from: "frontend01-docker0", protocol: "tcp", to: "manager", port: 3375})
		p.filter(resources, nodes)
	})
	t.Run("what a filter cannot be made for", func(t *testing.T) { testRefusedFilter(p.under(t), resources) })
	t.Run("a machine with a firewall of its own", func(t *testing.T) { testOwnFirewall(p.under(t), resources) })
	t.Run("a node that leaves", func(t *testing.T) { testLeavingNode(p.under(t), resources) })
	t.Run("a reload", func(t *testing.T) { testReload(p.under(t), resources) })
	t.Run("a reboot", func(t *testing.T) { testReboot(p.under(t), resources) })
}

// under returns the same network for a subtest.
func (p *packets) under(t *testing.T) *packets {
	return &packets{T: t, prefix: p.prefix, heard: p.heard}
}

// testRefusedFilter holds that a machine which the others would keep out is told so before its filter changes.
func testRefusedFilter(p *packets, resources []registered) {
	for _, test := range []struct{ name, change, undo, want string }{
		{
			"no route", "ip route add unreachable " + addressOf["frontend01"], "ip route delete unreachable " + addressOf["frontend01"],
			"packet-filter: frontend02 has no route to " + addressOf["frontend01"],
		},
		{
			"another source address", "ip address add 192.168.33.99/24 dev eth0; ip route add " + addressOf["manager"] + " dev eth0 src 192.168.33.99",
			"ip route delete " + addressOf["manager"] + "; ip address delete 192.168.33.99/24 dev eth0",
			"packet-filter: frontend02 calls " + addressOf["manager"] + " from its address 192.168.33.99",
		},
	} {
		before := p.shell("frontend02", "nft list table inet swarm-scale")
		p.shell("frontend02", test.change)
		if said, err := p.tryFilter(resources, "frontend02", "filter"); err == nil || !strings.Contains(said, test.want) {
			p.Errorf("%s: %v, want %q in\n%s", test.name, err, test.want, said)
		}
		p.shell("frontend02", test.undo)
		if after := p.shell("frontend02", "nft list table inet swarm-scale"); after != before {
			p.Errorf("%s: the filter has changed:\n%s", test.name, after)
		}
	}
}

// testOwnFirewall holds that the filter closes what a machine's own firewall, such as ufw, lets in, and does not touch that firewall.
func testOwnFirewall(p *packets, resources []registered) {
	// What ufw and iptables-nft make: the table filter with a policy.
	p.shell("frontend02", `nft 'add table ip filter; add chain ip filter INPUT { type filter hook input priority filter; policy drop; }
		add rule ip filter INPUT ct state established accept
		add rule ip filter INPUT ip saddr `+addressOf["manager"]+` accept
		add rule ip filter INPUT ip saddr `+addressOf["outsider"]+` tcp dport { 22, 2375 } accept'`)
	own := func() string { return p.shell("frontend02", "nft list table ip filter") }
	policy := own()
	p.filter(resources, []string{"frontend02"})
	if got := own(); got != policy {
		p.Errorf("the filter has changed the machine's firewall:\n%s", got)
	}
	p.want(true, packet{from: "manager", protocol: "tcp", to: "frontend02", port: 2375}, packet{from: "outsider", protocol: "tcp", to: "frontend02", port: 22})
	p.want(false, packet{from: "outsider", protocol: "tcp", to: "frontend02", port: 2375})
	p.shell("frontend02", "nft delete table ip filter")
}

// testLeavingNode holds that a node which leaves is let in as long as it speaks, because its queue is drained after the filters have
// changed, and that another node's address stays.
func testLeavingNode(p *packets, resources []registered) {
	fewer, err := deploy(p.T, without(p.T, "frontend02"))
	if err != nil {
		p.Fatal(err)
	}
	stay := []string{"manager", "frontend01"}
	leaving := []packet{{from: "frontend02", protocol: "udp", to: "frontend01", port: 4789}, {from: "frontend02", protocol: "tcp", to: "manager", port: 8500}}
	for range 2 { // a second change meanwhile does not forget it
		if said := p.filter(fewer, stay); !strings.Contains(said, "those that leave: "+addressOf["frontend02"]) {
			p.Errorf("the filters do not say who leaves:\n%s", said)
		}
		p.want(true, leaving...)
	}
	p.want(true, packet{from: "manager-docker0", protocol: "tcp", to: "frontend02", port: 2375})
	p.want(false, packet{from: "frontend01-docker_gwbridge", protocol: "tcp", to: "frontend02", port: 2375})

	// What it says on an old connection counts, too.
	connection, reader := p.open(packet{from: "frontend02", protocol: "tcp", to: "manager", port: 7946})
	defer func() { _ = connection.Close() }()
	element := func(of string) string { return "inet swarm-scale nodes-members { " + of + " }" }
	expires := func() string { return p.shell("manager", "nft list set inet swarm-scale nodes-members") }
	p.shell("manager", "nft 'delete element "+element(addressOf["frontend02"])+"; add element "+element(addressOf["frontend02"]+" timeout 10m expires 1m")+"'")
	if _, err := io.WriteString(connection, "still here\n"); err != nil {
		p.Fatal(err)
	}
	if _, err := reader.ReadString('\n'); err != nil {
		p.Fatal(err)
	}
	if set := expires(); !strings.Contains(set, addressOf["frontend02"]+" timeout 10m expires 9m") {
		p.Errorf("a node that leaves spoke, and will be kept out sooner than 10 minutes later:\n%s", set)
	} else if strings.Count(set, "expires") != 1 {
		p.Errorf("nodes that stay will be kept out:\n%s", set)
	}
	for _, node := range stay { // as if it had been silent
		p.shell(node, "nft delete element "+element(addressOf["frontend02"]))
	}
	p.want(false, leaving...)
	p.want(true, packet{from: "frontend01", protocol: "tcp", to: "manager", port: 8500})

	p.filter(resources, stay) // it is back
	p.want(true, leaving...)
}

// testReload holds that a connection lives on when the filter is loaded again, and that meanwhile no packet of an outsider gets in.
func testReload(p *packets, resources []registered) {
	connection, reader := p.open(packet{from: "frontend01", protocol: "tcp", to: "manager", port: 2375})
	defer func() { _ = connection.Close() }()
	ctx, stop := context.WithCancel(p.Context())
	in, tried := make(chan string, 1), 0
	go func() {
		defer close(in)
		connection, err := p.dial(ctx, packet{from: "outsider", protocol: "udp", to: "manager", port: 4789})
		if err != nil {
			in <- err.Error()
			return
		}
		defer func() { _ = connection.Close() }()
		for ; ctx.Err() == nil; tried++ {
			_, _ = io.WriteString(connection, "from outside")
		}
	}()
	text := plain(find(p.T, resources, "command:remote:Command", "manager-packet-filter").inputs["stdin"]).StringValue()
	rules := regexp.MustCompile(`(?s)export RULES='(.*?)'\n`).FindStringSubmatch(text)
	if rules == nil {
		p.Fatalf("no rules in\n%s", text)
	}
	load := p.command("manager", "bash", "-euc", `for i in $(seq 100); do nft -f - <<<"$0"; done`, strings.ReplaceAll(rules[1], `'"'"'`, `'`))
	if output, err := load.CombinedOutput(); err != nil {
		p.Errorf("%v\n%s", err, output)
	}
	stop()
	if fault := <-in; fault != "" {
		p.Error(fault)
	}
	p.want(false, packet{from: "outsider", protocol: "udp", to: "manager", port: 4789}) // all before it have been received
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.heard["manager from outside"] || tried == 0 {
		p.Errorf("while the filter was loaded again, a packet of an outsider got in (%d were sent)", tried)
	}
	_, _ = io.WriteString(connection, "still here\n")
	if line, err := reader.ReadString('\n'); err != nil || line != "still here\n" {
		p.Errorf("the connection did not outlive the reload: %q, %v", line, err)
	}
}

// testReboot holds that the engine's unit, and a service, load the filter when it is not there, and leave it alone when it is.
func testReboot(p *packets, resources []registered) {
	said := p.filterWith(resources, "manager", `
		mkdir -p /run/systemd/system
		printf '#!/bin/sh\necho "$@" >>/usr/local/sbin/asked\n' >/usr/local/sbin/systemctl
		chmod +x /usr/local/sbin/systemctl
		export PATH=/usr/local/sbin:$PATH
		filter
		filter
		engine=$(sed -n 's/^ExecStartPre=//p' /etc/systemd/system/docker.service.d/swarm-scale-filter.conf)
		rules() { nft list table inet swarm-scale | sed 's/counter packets.*bytes [0-9]*/counter/'; }
		before=$(rules)
		nft flush ruleset
		eval "$engine"
		[ "$(rules)" = "$before" ] && echo the same filter
		nft add element inet swarm-scale nodes-members '{ 192.0.2.1 timeout 10m }'
		eval "$engine"
		nft list set inet swarm-scale nodes-members | grep -o 192.0.2.1
		service=$(sed -n 's/^ExecStart=//p' /etc/systemd/system/swarm-scale-filter.service | sed 's/sleep 5/sleep 0.1/')
		nft flush ruleset
		eval "timeout 2 $service" || true
		[ "$(rules)" = "$before" ] && echo the same filter
		cat /usr/local/sbin/asked
	`)
	for want, times := range map[string]int{
		"the same filter\n": 2, "192.0.2.1\n": 1, "daemon-reload\n": 2, "enable --quiet swarm-scale-filter\n": 1, "restart swarm-scale-filter\n": 1,
	} {
		if got := strings.Count(said, want); got != times {
			p.Errorf("%q is %d times, want %d, in\n%s", want, got, times, said)
		}
	}
}
