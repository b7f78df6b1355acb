package engine

import (
	_ "embed"
	"path"
	"strconv"

	"al.essio.dev/pkg/shellescape"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
)

var (
	//go:embed scripts/files.sh
	filesScript string
	//go:embed scripts/configuration.sh
	configurationScript string
)

// ConfigurationFolder returns the folder of a workload's configuration on its node. The folder is mounted, not the file, because a mounted
// file keeps its old content when it is replaced.
func ConfigurationFolder(w cluster.Workload) string { return "/etc/swarm-scale/" + w.Name }

// configure writes the workload's configuration on its node. A running workload then reads it.
func (e Engine) configure(ctx *pulumi.Context, w cluster.Workload, parent pulumi.ResourceOption) (pulumi.Resource, error) {
	return w.Node.Run(ctx, w.Name+"-configuration", infra.Script{
		Text: filesScript + configurationScript,
		Variables: map[string]pulumi.StringInput{
			"CONTAINER": pulumi.String(w.Name),
			"FOLDER":    pulumi.String(ConfigurationFolder(w)),
			"OWNER":     pulumi.String(strconv.Itoa(w.User)),
			"FILE":      pulumi.String(path.Base(w.Config.Path)),
			"INSIDE":    pulumi.String(path.Dir(w.Config.Path)),
			"CONTENT":   w.Config.Content,
			"CHECK":     pulumi.String(shellescape.QuoteCommand(w.Config.Check)),
			"RELOAD":    pulumi.String(shellescape.QuoteCommand(w.Config.Reload)),
		},
		When: infra.OnCreateAndDelete,
	}, parent, pulumi.DependsOn(e.Ready))
}
