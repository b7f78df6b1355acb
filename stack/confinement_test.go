package stack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// TestEveryContainerIsConfined holds that every container has limits, drops all capabilities but those that it needs, and can write
// to its volumes alone.
func TestEveryContainerIsConfined(t *testing.T) {
	startsAsRoot := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"}
	keeps := map[string][]string{
		"redis01": startsAsRoot, "redis02": startsAsRoot, "pg": startsAsRoot,
		"interlock": append([]string{"CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT"}, startsAsRoot...),
	}
	for _, balancer := range []string{"haproxy", "interlock"} {
		values := awsSettings()
		values["loadBalancer"] = balancer
		resources, err := deploy(t, values)
		if err != nil {
			t.Fatal(err)
		}
		memory := map[string]float64{} // MiB, by node
		for _, r := range resources {
			if r.token != "docker:index/container:Container" {
				continue
			}
			inputs := plain(resource.NewProperty(r.inputs)).ObjectValue()
			name := inputs["name"].StringValue()
			for key, want := range map[resource.PropertyKey]string{
				"memorySwap": "-1", "securityOpts": `["no-new-privileges:true"]`,
			} {
				if got := text(t, inputs[key]); got != want {
					t.Errorf("%s: %s is %s, want %s", name, key, got, want)
				}
			}
			capabilities := inputs["capabilities"].ObjectValue()
			if got := text(t, capabilities["drops"]); got != `["ALL"]` {
				t.Errorf("%s drops %s", name, got)
			}
			var kept []string
			if capabilities.HasValue("adds") {
				for _, add := range capabilities["adds"].ArrayValue() {
					kept = append(kept, add.StringValue())
				}
			}
			if !slices.Equal(kept, keeps[name]) {
				t.Errorf("%s keeps %v, want %v", name, kept, keeps[name])
			}
			limits := text(t, inputs["ulimits"])
			if !strings.Contains(limits, `"nofile"`) || !strings.Contains(limits, `"nproc"`) || strings.Contains(limits, ":0") {
				t.Errorf("%s has the limits %s", name, limits)
			}
			if readOnly := inputs.HasValue("readOnly") && inputs["readOnly"].BoolValue(); readOnly == (name == "interlock") {
				t.Errorf("%s: a read-only file system is %v", name, readOnly)
			}
			if got := inputs["memory"].NumberValue(); got < 64 {
				t.Errorf("%s may use %v MiB", name, got)
			}
			if !inputs.HasValue("envs") {
				continue
			}
			for _, variable := range inputs["envs"].ArrayValue() {
				if node, ok := strings.CutPrefix(variable.StringValue(), "constraint:node=="); ok {
					memory[node] += inputs["memory"].NumberValue()
				}
			}
		}
		// The Swarm manager places no container on a node without the memory for it. A t2.micro has 1 GiB, of which the kernel shows
		// 957 MiB. The manager permits 5 % more. The agent takes 48.
		for node, most := range map[string]float64{"frontend01": 957*1.05 - 48, "worker01": 957*1.05 - 48, "store": 2048} {
			if got := memory[node]; got == 0 || got > most {
				t.Errorf("the containers of %s take %v MiB, want at most %v", node, got, most)
			}
		}
	}
}
