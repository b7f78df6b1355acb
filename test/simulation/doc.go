// Package simulation stands in for the aws, docker and command providers, so
// that the real Pulumi engine can run the real program with no cloud, no
// machine and no network.
//
// Everything here is simulated. It models what decides how a deployment goes:
// the names of resource types and properties, which values are unknown during a
// preview, which changed input updates a resource and which replaces it, what a
// provider refuses, which machine an operation has to reach, and how long each
// operation takes. It checks nothing of reality: no shell script is run, no
// image is built, no packet crosses a security group. A program that passes
// here has the right shape; that it works is for the real providers to say.
//
// The parts:
//
//   - Package describes one provider by data: AWS, Docker and Command do.
//   - World holds what "exists", the faults asked for and a record of every
//     operation. All providers of one run share it.
//   - Attach serves the packages over gRPC, in this process, for the engine to
//     attach to by PULUMI_DEBUG_PROVIDERS.
//
// Package test/harness drives the Pulumi engine with them.
package simulation
