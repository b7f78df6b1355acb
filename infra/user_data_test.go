package infra

import (
	"encoding/base64"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestCloudInitGetsNameAndHostKey(t *testing.T) {
	private := "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\nBBBB==\n-----END OPENSSH PRIVATE KEY-----\n"
	encoded, err := userData("frontend01", private, "ssh-ed25519 CCCC")
	if err != nil {
		t.Fatal(err)
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	// Without this first line cloud-init ignores the rest.
	if !strings.HasPrefix(string(text), "#cloud-config\n") {
		t.Errorf("the user data begins with %.20q", text)
	}
	var read struct {
		HostName string            `yaml:"hostname"`
		Delete   bool              `yaml:"ssh_deletekeys"`
		Keys     map[string]string `yaml:"ssh_keys"`
	}
	if err := yaml.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if read.HostName != "frontend01" || !read.Delete || read.Keys["ed25519_private"] != private || read.Keys["ed25519_public"] != "ssh-ed25519 CCCC" {
		t.Errorf("cloud-init reads %+v", read)
	}
}
