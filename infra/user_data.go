package infra

import (
	"encoding/base64"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// cloudConfig is the part of cloud-init's configuration that a machine of ours gets at its first boot.
type cloudConfig struct {
	HostName         string            `yaml:"hostname"`
	PreserveHostName bool              `yaml:"preserve_hostname"`
	DeleteSSHKeys    bool              `yaml:"ssh_deletekeys"`
	SSHKeys          map[string]string `yaml:"ssh_keys"`
}

// userData is what EC2 hands to cloud-init: the machine's host name and the SSH host key by which it is recognised. It is
// base64, as EC2 takes it, and as secret as the private key in it.
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
