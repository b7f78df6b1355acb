package app

import (
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"text/template"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/infra"
	"swarm-scale/settings"
	"swarm-scale/topology"
)

var (
	//go:embed haproxy.cfg.tmpl
	haproxyTemplate string
	//go:embed scripts/haproxy.sh
	haproxyScript string
)

// haproxyFolder is where the configuration is on the load balancer's node; the container sees it as its own.
const haproxyFolder = "/etc/swarm-scale/haproxy"

// newHAProxy runs the load balancer that is maintained. Its configuration is a file on its node that lists the frontends:
// more of them, or fewer, change the file, and the running process takes it up without dropping a connection.
func (a *App) newHAProxy(ctx *pulumi.Context, node *infra.Node, password string) (*docker.Container, error) {
	image, err := a.pull(ctx, node, "haproxy", a.settings.Images.HAProxy)
	if err != nil {
		return nil, err
	}
	configuration, err := haproxyConfiguration(a.machines.Of(topology.Frontend), password)
	if err != nil {
		return nil, err
	}
	written, err := node.Run(ctx, "haproxy-configuration", infra.Script{
		Text: haproxyScript,
		Variables: map[string]pulumi.StringInput{
			"FOLDER":        pulumi.String(haproxyFolder),
			"CONFIGURATION": pulumi.ToSecret(pulumi.String(configuration)).(pulumi.StringOutput),
		},
		When: infra.OnCreateAndDelete,
	}, a.inside, pulumi.DependsOn(a.cluster.Engines[node.Name].Ready))
	if err != nil {
		return nil, err
	}
	return a.placeOutside(ctx, loadBalancer, node, container{name: "haproxy", image: image}, []pulumi.Resource{written}, func(arguments *docker.ContainerArgs) {
		arguments.Volumes = docker.ContainerVolumeArray{docker.ContainerVolumeArgs{
			HostPath:      pulumi.String(haproxyFolder),
			ContainerPath: pulumi.String("/usr/local/etc/haproxy"),
			ReadOnly:      pulumi.Bool(true),
		}}
	})
}

// haproxyConfiguration is the text of haproxy.cfg for these frontends.
func haproxyConfiguration(frontends []*infra.Node, password string) (string, error) {
	parsed, err := template.New("haproxy.cfg").Parse(haproxyTemplate)
	if err != nil {
		return "", fmt.Errorf("the load balancer's configuration: %w", err)
	}
	var text strings.Builder
	err = parsed.Execute(&text, map[string]any{
		"Frontends": frontends, "Port": frontendPort,
		"StatisticsPath": statisticsPath, "StatisticsUser": statisticsUser, "StatisticsPassword": password,
	})
	return text.String(), err
}

// statisticsPassword is made from the voter key, so that nobody has to choose, keep and rotate one more secret; the key
// cannot be found from it.
func statisticsPassword(key settings.Secret) string {
	raw, err := base64.StdEncoding.DecodeString(key.Reveal())
	if err != nil {
		raw = []byte(key.Reveal()) // the settings were checked; any bytes make a good key
	}
	code := hmac.New(sha256.New, raw)
	code.Write([]byte("haproxy statistics"))
	return hex.EncodeToString(code.Sum(nil)[:12])
}
