package settings

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/distribution/reference"
	"golang.org/x/crypto/ssh"

	"swarm-scale/poll"
	"swarm-scale/topology"
)

// Source is where the raw values come from. Every key is without the namespace.
type Source struct {
	// Value returns a setting's text and whether it is set at all. Lists are JSON.
	Value func(key string) (string, bool)
	// IsSecret reports whether a setting that is set is kept encrypted.
	IsSecret func(key string) bool
	// ReadFile returns the content of a file of the machine on which Pulumi runs; os.ReadFile is one.
	ReadFile func(path string) ([]byte, error)
}

// Bounds of what a setting may be.
const (
	minPasswordLength  = 12   // characters
	maxPasswordLength  = 128  // characters
	minVoterKeyBytes   = 32   // bytes once decoded: as many as HMAC-SHA256 gives back
	minDiskSize        = 8    // GiB: the size of Canonical's own image
	maxDiskSize        = 1024 // GiB
	walkThroughSecret  = "pg8675309"
	defaultSSHPort     = 22
	maxInstanceTypeLen = 32
)

var (
	regionPattern       = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	zonePattern         = regexp.MustCompile(`^[a-z]{2}(-[a-z0-9]+)+-[0-9][a-z]$`)
	amiPattern          = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)
	instanceTypePattern = regexp.MustCompile(`^[a-z][a-z0-9-]*\.[a-z0-9-]+$`)
	userPattern         = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)
	hostNamePattern     = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*$`)
)

// Load reads every setting, fills in the defaults and checks all of it at once. The error joins one Fault for everything
// that is wrong; Settings is then not to be used.
func Load(source Source) (Settings, error) {
	r := &reader{source: source}
	s := Settings{
		Platform:     Platform(r.oneOf(keyPlatform, string(AWS), string(Hosts))),
		Frontends:    r.number(keyFrontends, 1, topology.MaxFrontends),
		Workers:      r.number(keyWorkers, 1, topology.MaxWorkers),
		SSH:          r.ssh(),
		Architecture: r.oneOf(keyArchitecture, "amd64", "arm64"),
		LoadBalancer: LoadBalancer(r.oneOf(keyLoadBalancer, string(HAProxy), string(Interlock))),
		Ballot:       r.ballot(),
		AppendFsync:  r.oneOf(keyAppendFsync, "always", "everysec"),
		Images: Images{
			Redis:     r.image(keyRedisImage),
			Postgres:  r.image(keyPostgresImage),
			Consul:    r.image(keyConsulImage),
			Swarm:     r.image(keySwarmImage),
			HAProxy:   r.image(keyHAProxyImage),
			Interlock: r.image(keyInterlockImage),
		},
		PostgresPassword: r.postgresPassword(),
		VoterKey:         r.voterKey(),
	}
	// A count that is no count has its fault already; the plan below then goes on with the default, to find the others.
	frontends, workers := max(s.Frontends, 1), max(s.Workers, 1)
	switch s.Platform {
	case AWS:
		s.AWS = r.aws()
		s.Nodes = r.addresses(s.AWS.Subnet, frontends, workers)
	case Hosts:
		s.Hosts, s.Nodes = r.hosts(topology.Names(frontends, workers), s.SSH.User)
	}
	return s, errors.Join(r.faults...)
}

// reader takes settings one by one and keeps the faults it finds on the way.
type reader struct {
	source Source
	faults []error
}

func (r *reader) fault(key, value, problem, remedy string, arguments ...any) {
	r.faults = append(r.faults, Fault{Key: key, Value: value, Problem: problem, Remedy: fmt.Sprintf(remedy, arguments...)})
}

// text is a setting's text without surrounding space, or its default where it is not set or empty.
func (r *reader) text(key string) string {
	if value, ok := r.source.Value(key); ok && strings.TrimSpace(value) != "" {
		return strings.TrimSpace(value)
	}
	return defaults[key]
}

func (r *reader) oneOf(key string, choices ...string) string {
	value := r.text(key)
	if !slices.Contains(choices, value) {
		r.fault(key, value, "is not known here", "set it to %s", strings.Join(choices, " or "))
		return ""
	}
	return value
}

// number is zero where the text is none between least and most.
func (r *reader) number(key string, least, most int) int {
	value := r.text(key)
	number, err := strconv.Atoi(value)
	if err != nil || number < least || number > most {
		r.fault(key, value, "is not a whole number in range", "set it to %d … %d", least, most)
		return 0
	}
	return number
}

func (r *reader) boolean(key string) bool {
	return r.oneOf(key, "true", "false") == "true"
}

// matching is a text that fits a pattern; an empty one is returned as it is.
func (r *reader) matching(key string, pattern *regexp.Regexp, problem, remedy string) string {
	value := r.text(key)
	if value != "" && !pattern.MatchString(value) {
		r.fault(key, value, problem, "%s", remedy)
	}
	return value
}

func (r *reader) image(key string) string {
	value := r.text(key)
	named, err := reference.ParseNormalizedNamed(value)
	if err != nil {
		r.fault(key, value, "is not an image name", "write it as name:version, such as %s", defaults[key])
		return value
	}
	_, digested := named.(reference.Digested)
	tagged, isTagged := named.(reference.Tagged)
	if !digested && (!isTagged || tagged.Tag() == "latest") {
		r.fault(key, value, "does not say which version", "pin one, such as %s, so that what runs changes only when you say so", defaults[key])
	}
	return value
}

// ballot checks the options by the programs' own rule, so that what is accepted here is accepted there.
func (r *reader) ballot() Ballot {
	b := Ballot{OptionA: r.text(keyOptionA), OptionB: r.text(keyOptionB)}
	_, err := poll.NewBallot(b.OptionA, b.OptionB)
	faults, _ := errors.AsType[poll.LabelFaults](err)
	for _, fault := range faults {
		key := map[poll.Choice]string{poll.A: keyOptionA, poll.B: keyOptionB}[fault.Option]
		r.fault(key, fault.Label, fault.Problem, "%s", fault.Remedy)
	}
	return b
}

// secret is a setting that has to be kept encrypted and that has no default.
func (r *reader) secret(key, purpose, command string) Secret {
	value, ok := r.source.Value(key)
	if !ok || value == "" {
		r.fault(key, "", "is not set", "%s; set it with: %s", purpose, command)
		return ""
	}
	if !r.source.IsSecret(key) {
		r.fault(key, "[secret]", "stands in plain text in the stack's config", "encrypt it (and choose a new one, if the file was ever shared): %s", command)
	}
	return Secret(value)
}

func (r *reader) postgresPassword() Secret {
	const command = "pulumi config set --secret postgresPassword"
	password := r.secret(keyPostgresPassword, "PostgreSQL needs a password of your choice", command)
	if password == "" {
		return ""
	}
	plain := password.Reveal()
	length := utf8.RuneCountInString(plain)
	switch {
	case plain == walkThroughSecret:
		r.fault(keyPostgresPassword, "[secret]", "is the one printed in the walk-through", "choose your own: %s", command)
	case length < minPasswordLength || length > maxPasswordLength:
		r.fault(keyPostgresPassword, "[secret]", fmt.Sprintf("has %d characters", length),
			"use %d to %d: %s", minPasswordLength, maxPasswordLength, command)
	case !utf8.ValidString(plain) || strings.ContainsFunc(plain, func(c rune) bool { return !unicode.IsPrint(c) }):
		r.fault(keyPostgresPassword, "[secret]", "has characters that cannot be printed, such as a line break", "use plain text: %s", command)
	}
	return password
}

func (r *reader) voterKey() Secret {
	const command = `pulumi config set --secret voterKey "$(openssl rand -base64 32)"`
	key := r.secret(keyVoterKey, "it signs the voters' cookies, so that nobody can make one up", command)
	if key == "" {
		return ""
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(key.Reveal()))
	if err != nil || len(raw) < minVoterKeyBytes {
		r.fault(keyVoterKey, "[secret]", fmt.Sprintf("is not the base64 of at least %d bytes", minVoterKeyBytes), "make one: %s", command)
	} else if bytes.Count(raw, raw[:1]) == len(raw) {
		r.fault(keyVoterKey, "[secret]", "is one byte over and over", "make a random one: %s", command)
	}
	return Secret(strings.TrimSpace(key.Reveal()))
}

func (r *reader) ssh() SSHSettings {
	s := SSHSettings{User: r.matching(keySSHUser, userPattern, "is not a user name", "set it to the user that SSH logs in as, such as ubuntu")}
	path := r.text(keySSHPrivateKeyFile)
	if path == "" {
		return s
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		absolute = path
	}
	s.PrivateKeyFile = absolute
	content, err := r.source.ReadFile(absolute)
	if err != nil {
		r.fault(keySSHPrivateKeyFile, path, "cannot be read ("+err.Error()+")", "name the private key's file, or leave the setting away to use the SSH agent")
		return s
	}
	if _, err := ssh.ParseRawPrivateKey(content); err != nil {
		remedy := "name an OpenSSH or PEM private key, or leave the setting away to use the SSH agent"
		if _, locked := err.(*ssh.PassphraseMissingError); locked {
			remedy = "its passphrase cannot be asked for in the middle of a deployment: leave the setting away and load the key into the SSH agent with ssh-add"
		}
		r.fault(keySSHPrivateKeyFile, path, "holds no private key that can be used ("+err.Error()+")", "%s", remedy)
	}
	s.PrivateKey = Secret(content)
	return s
}

func (r *reader) aws() AWSSettings {
	a := AWSSettings{
		Region:           r.matching(keyRegion, regionPattern, "is not a region", "set it to one such as us-west-1"),
		AvailabilityZone: r.matching(keyAvailabilityZone, zonePattern, "is not an availability zone", "set it to one such as us-west-1b, or leave it away"),
		VPC:              r.network(keyVPC),
		Subnet:           r.network(keySubnet),
		KeyPair:          r.text(keyKeyPair),
		OperatorCIDR:     r.operatorCIDR(),
		AMI:              r.matching(keyAMI, amiPattern, "is not an image of EC2", "set it to one such as ami-0123456789abcdef0, or leave it away for the newest Ubuntu 22.04"),
		InstanceTypes:    map[topology.Role]string{},
		DiskSize:         r.number(keyDiskSize, minDiskSize, maxDiskSize),
	}
	if a.KeyPair == "" {
		r.fault(keyKeyPair, "", "is not set", "name an EC2 key pair of %s: pulumi config set keyPair NAME (aws ec2 describe-key-pairs lists them)", a.Region)
	}
	if a.AvailabilityZone != "" && a.Region != "" && !strings.HasPrefix(a.AvailabilityZone, a.Region) {
		r.fault(keyAvailabilityZone, a.AvailabilityZone, "is not in the region "+a.Region, "choose a zone of that region, or leave it away")
	}
	if a.VPC.IsValid() && a.Subnet.IsValid() && (!a.VPC.Contains(a.Subnet.Addr()) || a.Subnet.Bits() < a.VPC.Bits()) {
		r.fault(keySubnet, a.Subnet.String(), fmt.Sprintf("is not inside vpcCidr %s", a.VPC), "choose a part of that range, such as its first /24")
	}
	for _, role := range []topology.Role{topology.Manager, topology.LoadBalancer, topology.Frontend, topology.Worker, topology.Store} {
		key := instanceTypeKeys[role]
		kind := r.matching(key, instanceTypePattern, "is not an instance type", "set it to one such as "+defaults[key])
		if len(kind) > maxInstanceTypeLen {
			r.fault(key, kind, "is not an instance type", "set it to one such as %s", defaults[key])
		}
		a.InstanceTypes[role] = kind
	}
	return a
}

// network is an address range that a VPC or a subnet can have: IPv4, /16 to /28 (VPC user guide), no host bits set.
func (r *reader) network(key string) netip.Prefix {
	value := r.text(key)
	prefix, err := netip.ParsePrefix(value)
	switch {
	case err != nil || !prefix.Addr().Is4():
		r.fault(key, value, "is not an IPv4 range", "write it as %s", defaults[key])
		return netip.Prefix{}
	case prefix.Masked() != prefix:
		r.fault(key, value, "has bits set behind its prefix length", "write it as %s", prefix.Masked())
	case prefix.Bits() < 16 || prefix.Bits() > 28:
		r.fault(key, value, "is not of a size that AWS allows", "use a prefix length from /16 to /28")
	}
	return prefix.Masked()
}

func (r *reader) operatorCIDR() netip.Prefix {
	anywhere := r.boolean(keyAllowSSHFromAnywhere)
	value := r.text(keyOperatorCIDR)
	if value == "" {
		r.fault(keyOperatorCIDR, "", "is not set", "give the range from which you log in: pulumi config set operatorCidr YOUR-ADDRESS/32")
		return netip.Prefix{}
	}
	prefix, err := netip.ParsePrefix(value)
	switch {
	case err != nil || !prefix.Addr().Is4():
		r.fault(keyOperatorCIDR, value, "is not an IPv4 range", "write it as ADDRESS/32, such as 203.0.113.7/32")
	case prefix.Masked() != prefix:
		r.fault(keyOperatorCIDR, value, "has bits set behind its prefix length", "write it as %s, or as %s/32 for one address", prefix.Masked(), prefix.Addr())
	case prefix.Bits() == 0 && !anywhere:
		r.fault(keyOperatorCIDR, value, "opens SSH to the whole internet", "give your own range, or say that you mean it: pulumi config set allowSshFromAnywhere true")
	}
	return prefix
}

func (r *reader) addresses(subnet netip.Prefix, frontends, workers int) []topology.Node {
	if !subnet.IsValid() {
		return nil
	}
	nodes, err := topology.New(subnet, frontends, workers)
	if err != nil {
		r.fault(keySubnet, subnet.String(), "does not hold every node", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return nodes
}

// hosts are the listed machines in the order of the nodes they become. Machines for nodes that the counts do not ask for
// are spares: they are checked, and left alone.
func (r *reader) hosts(nodes []topology.Node, user string) ([]Host, []topology.Node) {
	var listed []Host
	decoder := json.NewDecoder(strings.NewReader(r.text(keyHosts)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&listed); err != nil {
		r.fault(keyHosts, "", "is not a list of machines ("+err.Error()+")",
			"give every machine as {name, address, hostKey} and, where they differ from the default, privateAddress, port and user")
		return nil, nil
	}
	places := make([]topology.Node, len(listed))
	for i := range listed {
		places[i] = r.host(fmt.Sprintf("%s[%d]", keyHosts, i), &listed[i], user)
	}
	if err := topology.CheckUnique(slices.DeleteFunc(slices.Clone(places), func(node topology.Node) bool {
		return node.Name == "" || !node.Address.IsValid()
	})); err != nil {
		r.fault(keyHosts, "", "names something twice", "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	var chosen []Host
	for i, node := range nodes {
		at := slices.IndexFunc(listed, func(host Host) bool { return host.Name == node.Name })
		if at < 0 {
			r.fault(keyHosts, "", "has no machine named "+node.Name, "add one, or ask for fewer frontends or workers")
			continue
		}
		chosen = append(chosen, listed[at])
		nodes[i].Address = places[at].Address
	}
	return chosen, nodes
}

// host fills in one machine's defaults, checks it and says which node of which address it becomes.
func (r *reader) host(key string, host *Host, user string) topology.Node {
	node := topology.Node{Name: host.Name}
	if !slices.ContainsFunc(topology.Names(topology.MaxFrontends, topology.MaxWorkers), func(known topology.Node) bool { return known.Name == host.Name }) {
		r.fault(key+".name", host.Name, "is not a node of the cluster", "use manager, interlock, store, frontend01 … frontend%d or worker01 … worker%d",
			topology.MaxFrontends, topology.MaxWorkers)
	}
	if host.User == "" {
		host.User = user
	}
	if !userPattern.MatchString(host.User) {
		r.fault(key+".user", host.User, "is not a user name", "set it to the user that SSH logs in as")
	}
	if host.Port == 0 {
		host.Port = defaultSSHPort
	}
	if host.Port < 1 || host.Port > 65535 {
		r.fault(key+".port", strconv.Itoa(host.Port), "is not a TCP port", "set it to 1 … 65535, or leave it away for %d", defaultSSHPort)
	}
	if _, err := netip.ParseAddr(host.Address); err != nil && !hostNamePattern.MatchString(host.Address) {
		r.fault(key+".address", host.Address, "is neither an address nor a host name", "set it to where SSH reaches the machine")
	}
	if host.PrivateAddress == "" {
		host.PrivateAddress = host.Address
	}
	address, err := netip.ParseAddr(host.PrivateAddress)
	if err != nil || !address.Is4() {
		r.fault(key+".privateAddress", host.PrivateAddress, "is not an IPv4 address", "set it to the address by which the other machines reach this one")
	}
	node.Address = address
	host.HostKey = strings.TrimSpace(host.HostKey)
	if public, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(host.HostKey)); err != nil || len(rest) > 0 {
		r.fault(key+".hostKey", host.HostKey, "is not an SSH host key", "set it to the line that `ssh-keyscan -t ed25519 %s` prints, without the name in front", host.Address)
	} else {
		host.HostKey = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
	}
	return node
}
