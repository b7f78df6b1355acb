package rehearsal_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"swarm-scale/settings"
	"swarm-scale/test/harness"
	"swarm-scale/test/rehearsal"
	"swarm-scale/test/simulation"
)

// BenchmarkUp compares, for each kind of cluster with 2, 10 and 50 frontends and for
// the stack of Pulumi.production.yaml, how long `pulumi up` takes
// with the time of all steps one after another and with the longest chain of
// steps that wait for each other. All times are the simulated world's. The time
// of `pulumi up` includes the Pulumi engine's own work, divided by the scale.
//
//	go test ./test/rehearsal -run '^$' -bench Up -benchtime 1x
func BenchmarkUp(b *testing.B) {
	for _, cluster := range settings.Clusters() {
		for _, frontends := range []int{2, 10, 50} {
			b.Run(fmt.Sprintf("%s/frontends=%d", cluster, frontends), func(b *testing.B) {
				for b.Loop() {
					benchmarkUp(b, frontends == 2, func(options *harness.Options) {
						options.Config["cluster"], options.Config["loadBalancer"] = string(cluster), string(settings.HAProxy)
						options.Config["frontends"] = frontends
					})
				}
			})
		}
	}
	b.Run("production", func(b *testing.B) {
		for b.Loop() {
			benchmarkUp(b, true, func(options *harness.Options) {
				options.Settings = filepath.Join(filepath.Dir(options.Project), "Pulumi.production.yaml")
			})
		}
	})
}

// benchmarkUp measures one `pulumi up` of a stack, and prints its longest chain if that is wanted.
func benchmarkUp(b *testing.B, print bool, of func(*harness.Options)) {
	b.Helper()
	const scale = 0.1
	options, err := rehearsal.Options(rehearsal.World(scale), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	of(&options)
	options.Parallel = 1024
	s := harness.Test(b, options)
	result, err := s.Up(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	state, err := s.State()
	if err != nil {
		b.Fatal(err)
	}
	chain := harness.LongestChain(state, result.Records)
	took := result.Wall.Seconds() / scale
	b.ReportMetric(float64(len(state.Resources)), "resources")
	b.ReportMetric(took, "up-s")
	b.ReportMetric(chain.Sum.Seconds(), "sum-s")
	b.ReportMetric(chain.Longest.Seconds(), "chain-s")
	b.ReportMetric(took/chain.Longest.Seconds(), "up/chain")
	b.ReportMetric(chain.Sum.Seconds()/took, "sum/up")
	b.ReportMetric(float64(simulation.MaxParallel(result.Records)), "side-by-side")
	if print {
		b.Logf("the longest chain:\n%s", chain)
	}
}

// BenchmarkSaving compares how long `pulumi up` of 50 frontends takes in an
// instant world when the state is saved after every step and when it is saved at
// the end only. The state is a file, and each save writes all of it.
//
//	go test ./test/rehearsal -run '^$' -bench Saving -benchtime 1x
func BenchmarkSaving(b *testing.B) {
	for b.Loop() {
		took := map[bool]float64{}
		for _, atEnd := range []bool{false, true} {
			options, err := rehearsal.Options(rehearsal.World(0), b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			options.Config["frontends"] = 50
			options.SaveAtEnd = atEnd
			result, err := harness.Test(b, options).Up(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			took[atEnd] = result.Wall.Seconds()
		}
		b.ReportMetric(took[false], "every-step-s")
		b.ReportMetric(took[true], "at-end-s")
		b.ReportMetric(took[false]/took[true], "every-step/at-end")
	}
}
