package app

import (
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
	"swarm-scale/settings"
)

//go:embed haproxy.cfg.tmpl
var haproxyTemplate string

// haproxy describes the load balancer HAProxy. Its configuration lists the frontends. A changed one is reloaded without dropping a
// connection.
func (a *App) haproxy(fronts []front, password string) (cluster.Workload, error) {
	var nodes []*infra.Node
	for _, front := range fronts {
		nodes = append(nodes, front.web.Node)
	}
	slices.SortFunc(nodes, func(a, b *infra.Node) int { return a.Number - b.Number })
	configuration, err := haproxyConfiguration(nodes, password)
	if err != nil {
		return cluster.Workload{}, err
	}
	return cluster.Workload{
		Name:  "haproxy",
		Image: cluster.Image{Name: "haproxy", Reference: a.settings.Images.HAProxy},
		Config: &cluster.Configuration{
			Path:    "/usr/local/etc/haproxy/haproxy.cfg",
			Content: pulumi.ToSecret(pulumi.String(configuration)).(pulumi.StringOutput),
			Check:   []string{"haproxy", "-c", "-q", "-f"},
			// Not "docker kill": after any signal, engine 20.10 treats the container as stopped on purpose, and no longer restarts
			// it when it dies.
			Reload: []string{"sh", "-c", "kill -HUP 1"},
		},
	}, nil
}

// haproxyConfiguration returns haproxy.cfg for these frontends.
func haproxyConfiguration(frontends []*infra.Node, password string) (string, error) {
	parsed, err := template.New("haproxy.cfg").Parse(haproxyTemplate)
	if err != nil {
		return "", fmt.Errorf("the load balancer's configuration: %w", err)
	}
	var text strings.Builder
	err = parsed.Execute(&text, map[string]any{
		"Port": httpPort, "Frontends": frontends, "FrontendPort": frontendPort,
		"StatisticsPath": statisticsPath, "StatisticsUser": statisticsUser, "StatisticsPassword": password,
	})
	return text.String(), err
}

// statisticsPassword derives the password from the voter key, so that nobody has to choose one more secret. It does not reveal the
// key.
func statisticsPassword(key settings.Secret) string {
	raw, err := base64.StdEncoding.DecodeString(key.Reveal())
	if err != nil {
		raw = []byte(key.Reveal()) // the settings were checked, and HMAC takes any bytes as key
	}
	code := hmac.New(sha256.New, raw)
	code.Write([]byte("haproxy statistics"))
	return hex.EncodeToString(code.Sum(nil)[:12])
}
