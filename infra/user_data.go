package infra

import (
	"encoding/base64"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// cloudConfig is the part of cloud-init's configuration that the machines use.
type cloudConfig struct {
	HostName         string            `yaml:"hostname"`
	PreserveHostName bool              `yaml:"preserve_hostname"`
	DeleteSSHKeys    bool              `yaml:"ssh_deletekeys"`
	SSHKeys          map[string]string `yaml:"ssh_keys"`
}

// userData returns a machine's user data for cloud-init, in base64: its host name and its SSH host key. It has the private key,
// so it is secret.
func userData(name, privateKey, publicKey string) (string, error) {
	content, err := yaml.Marshal(cloudConfig{
		HostName:      name,
		DeleteSSHKeys: true,
		SSHKeys: map[string]string{
			"ed25519_private": strings.TrimSpace(privateKey) + "\n",
			"ed25519_public":  publicKey,
		},
	})
	if err != nil {
		return "", fmt.Errorf("writing the user data of %s: %w", name, err)
	}
	return base64.StdEncoding.EncodeToString(append([]byte("#cloud-config\n"), content...)), nil
}
