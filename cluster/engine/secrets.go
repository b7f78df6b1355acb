package engine

import (
	_ "embed"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/cluster"
	"swarm-scale/infra"
)

//go:embed scripts/secrets.sh
var secretsScript string

// SecretsFolder returns the folder of a workload's secrets on its node. It is beside the folder of its configuration. Each is mounted
// alone.
func SecretsFolder(w cluster.Workload) string { return ConfigurationFolder(w) + ".secrets" }

// writeSecrets writes the workload's secrets on its node, and removes those that it has no more.
func (e Engine) writeSecrets(ctx *pulumi.Context, w cluster.Workload, parent pulumi.ResourceOption) (pulumi.Resource, error) {
	variables := map[string]pulumi.StringInput{
		"CONTAINER": pulumi.String(w.Name),
		"FOLDER":    pulumi.String(SecretsFolder(w)),
		"OWNER":     pulumi.String(strconv.Itoa(w.User)),
	}
	var files []string
	for i, secret := range w.Secrets {
		files = append(files, secret.File)
		variables["SECRET_"+strconv.Itoa(i+1)] = infra.AsSecret(secret.Content)
	}
	variables["FILES"] = pulumi.String(strings.Join(files, " "))
	return w.Node.Run(ctx, w.Name+"-secrets", infra.Script{
		Text:      filesScript + secretsScript,
		Variables: variables,
		When:      infra.OnCreateAndDelete,
	}, parent, pulumi.DependsOn(e.Ready))
}

// SecretsVersion returns a text that changes with the secrets that the workload reads only when it starts.
func SecretsVersion(w cluster.Workload) string {
	var versions []string
	for _, secret := range w.Secrets {
		if secret.Version != "" {
			versions = append(versions, secret.File+" "+secret.Version)
		}
	}
	return strings.Join(versions, "\n")
}
