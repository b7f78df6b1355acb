package infra

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-command/sdk/go/command/local"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/crypto/ssh"
)

//go:embed scripts/host-key.sh
var hostKeyScript string

// hostKey is the SSH host key pair of a machine that the stack makes.
type hostKey struct {
	private pulumi.StringOutput // OpenSSH PEM, secret
	public  pulumi.StringOutput // one line of authorized_keys
}

// newHostKey makes a key pair and keeps it, encrypted, in the state. A replaced machine has the same host key, so that
// known_hosts files stay valid.
func newHostKey(ctx *pulumi.Context, name string, options ...pulumi.ResourceOption) (hostKey, error) {
	made, err := local.NewCommand(ctx, name+"-host-key", &local.CommandArgs{
		Create:  pulumi.String(hostKeyScript),
		Logging: local.LoggingNone, // it prints a private key
	}, append(options, pulumi.AdditionalSecretOutputs([]string{"stdout"}), pulumi.IgnoreChanges([]string{"create"}))...)
	if err != nil {
		return hostKey{}, err
	}
	private := pulumi.ToSecret(made.Stdout).(pulumi.StringOutput)
	public := pulumi.Unsecret(private.ApplyT(func(pem string) (string, error) {
		key, err := ssh.ParsePrivateKey([]byte(pem))
		if err != nil {
			return "", fmt.Errorf("reading the host key made for %s: %w", name, err)
		}
		return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey()))), nil
	})).(pulumi.StringOutput)
	return hostKey{private: private, public: public}, nil
}
