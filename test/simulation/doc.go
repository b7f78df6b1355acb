// Package simulation stands in for the aws, docker and command providers, so
// that the real Pulumi engine can run the real program with no cloud, no
// machine and no network.
//
// It models what decides how a deployment goes: the names of resource types and
// properties, which values are unknown during a preview, which changed input
// updates a resource and which replaces it, what a provider refuses, which
// machine an operation has to reach, and how long each operation takes. It runs
// no shell script, builds no image and sends no packet. So it shows that a
// program has the right shape; only the real providers show that it works.
//
// The parts:
//
//   - Package describes one provider by data. AWS, Docker and Command return
//     one each.
//   - World holds what "exists", the faults to come and a record of every
//     change. All providers of one stack share it.
//   - Attach serves the packages over gRPC in this process. The Pulumi engine
//     finds them by PULUMI_DEBUG_PROVIDERS.
//
// Package test/harness drives the Pulumi engine with them.
package simulation
