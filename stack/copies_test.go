package stack_test

import (
	"slices"
	"strings"
	"testing"

	"swarm-scale/settings"
)

// TestEveryFrontendHasPartners holds who is asked for the second copy of a vote, and that a frontend which is removed is not asked any more
// before its queue is drained.
func TestEveryFrontendHasPartners(t *testing.T) {
	t.Parallel()
	for _, kind := range settings.Clusters() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			e := simulated(t, map[string]any{"cluster": string(kind), "loadBalancer": "haproxy", "frontends": 3})
			up(t, e)
			if err := e.Set(map[string]any{"frontends": 4, "voteCopies": 2, "loadBalancers": 2}); err != nil {
				t.Fatal(err)
			}
			up(t, e)
			unchanged(t, e)
			if addresses, ok := outputs(t, e)["voteAddresses"].Value.([]any); !ok || len(addresses) != 2 {
				t.Errorf("the output voteAddresses is %v, want two", outputs(t, e)["voteAddresses"].Value)
			}
			if err := e.Set(map[string]any{"frontends": 3}); err != nil {
				t.Fatal(err)
			}
			fewer := up(t, e)
			for _, name := range []string{"frontend01", "frontend02", "frontend03"} {
				inOrder(t, fewer, "update "+name+"-configuration", "delete frontend04-retirement", "delete frontend04")
			}
			inOrder(t, fewer, "update haproxy02-configuration", "delete frontend04-retirement")
			unchanged(t, e)
			destroyed(t, e)
		})
	}
}

// TestProgramsKnowHowManyCopiesThereAre holds that one number reaches frontends, workers and results page. Nobody is told of the default but the
// results page.
func TestProgramsKnowHowManyCopiesThereAre(t *testing.T) {
	values := onSwarmMode(awsSettings())
	for copies, told := range map[string][]string{"1": {"results-app"}, "2": {"frontend01", "worker01", "results-app"}} {
		values["frontends"], values["voteCopies"] = "3", copies
		resources, err := deploy(t, values)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"frontend01", "worker01", "results-app"} {
			want := ""
			if slices.Contains(told, name) {
				want = copies
			}
			container := plain(find(t, resources, serviceType, name).inputs["taskSpec"]).ObjectValue()["containerSpec"].ObjectValue()
			got := ""
			if variable := container["env"].ObjectValue()["VOTE_COPIES"]; variable.IsString() {
				got = variable.StringValue()
			}
			if got != want {
				t.Errorf("voteCopies %s: %s has VOTE_COPIES=%q, want %q", copies, name, got, want)
			}
		}
	}
}

func TestPartnersAreTheOthersInTurn(t *testing.T) {
	values := onSwarmMode(awsSettings())
	values["frontends"], values["voteCopies"] = "4", "2"
	resources, err := deploy(t, values)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"frontend01": `redis02:6379\nredis03:6379\nredis04:6379\n'`,
		"frontend03": `redis04:6379\nredis01:6379\nredis02:6379\n'`,
	} {
		script := text(t, find(t, resources, "command:remote:Command", name+"-configuration").inputs["stdin"])
		if !strings.Contains(script, want) {
			t.Errorf("%s is not told %s", name, want)
		}
	}
}
