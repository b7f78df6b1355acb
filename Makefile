# What there is to do: `make help`. Everything a target needs that is not there, it installs or builds first; the pinned
# versions are in tools/*/go.mod.

BIN := $(CURDIR)/.bin
export PATH := $(BIN):$(PATH)
PULUMI_VERSION := $(shell sed -n 's,.*github.com/pulumi/pulumi/pkg/v3 v\([^ ]*\).*,\1,p' tools/pulumi/go.mod)
SCRIPTS := $(shell git ls-files '*.sh' .ci/run)

.PHONY: help
help: ## What there is to do
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: demo
demo: pulumi ## The whole system comes up and goes away again, on simulated clouds
	@go run ./cmd/demo

.PHONY: test
test: packages pulumi $(BIN)/gotestsum ## All tests, against real Redis, PostgreSQL, browser and Pulumi engine
	gotestsum --format pkgname -- -timeout 40m ./...

# golangci-lint runs go vet and staticcheck as two of its linters, and gofmt.
.PHONY: lint
lint: packages $(BIN)/golangci-lint $(BIN)/actionlint ## The linters of .golangci.yml, shellcheck, actionlint
	golangci-lint run ./...
	cd tools/recording && golangci-lint run ./...
	shellcheck -x $(SCRIPTS)
	actionlint

# The poll and its programs. The other commands would have the cloud's whole library built again for the detector.
RACE := ./poll/... ./cmd/web-vote-app ./cmd/vote-worker ./cmd/results-app
.PHONY: race
race: packages $(BIN)/gotestsum ## The programs' tests under the race detector (needs a C compiler; PACKAGES=./test/chaos)
	@if command -v $${CC:-gcc} >/dev/null; then set -x; \
		gotestsum --format pkgname -- -race -timeout 40m $(or $(PACKAGES),$(RACE)); \
	else echo "skipped: the race detector needs a C compiler: apt-get install gcc libc6-dev"; fi

.PHONY: docs
docs: ## docs/settings.md anew from Pulumi.yaml, and the tables of ports in docs/hosts.md and docs/walk-through.md
	go test ./settings -count 1 -run TestSettingsDocument -args -update
	go test ./stack -count 1 -run TestPortsDocument -args -update

.PHONY: recording
recording: pulumi ## docs/pictures/demo.svg anew: what make demo shows
	@mkdir -p .build docs/pictures
	go build -o .build/demo ./cmd/demo
	cd tools/recording && go build -o ../../.build/recording .
	.build/recording -output docs/pictures/demo.svg .build/demo

.PHONY: pictures
pictures: packages ## docs/pictures/vote.png and results.png anew: the two pages, as a test in a browser sees them
	@mkdir -p .build/screenshots docs/pictures
	SCREENSHOTS=$(CURDIR)/.build/screenshots go test ./test/acceptance -count 1 -run 'TestVotePageInBrowser$$|TestResultsPageMovesByItself$$'
	cp .build/screenshots/voted-laptop.png docs/pictures/vote.png
	cp .build/screenshots/results-laptop.png docs/pictures/results.png

.PHONY: chain
chain: pulumi ## How long `pulumi up` takes for 2, 10 and 50 frontends, against the longest chain of steps
	go test ./test/rehearsal -v -run '^$$' -bench Up -benchtime 1x -timeout 40m

.PHONY: images
images: ## The programs and their image contexts for compose.yaml, as `pulumi up` makes them
	@tools/compose/secrets.sh .secrets .env
	go run ./cmd/images

.PHONY: chaos
chaos: packages ## Everything is killed and paused while votes come in; the tally must be the voters' books. EVENTS=100 SEED=0
	go test ./test/chaos -v -run 'TestChaos$$' -timeout 60m -events $(or $(EVENTS),100) -seed $(or $(SEED),0)

# STEPS chooses steps by their names, CLUSTER a kind of cluster, WRITE=1 writes the summary into the document, KEEP=1 leaves the lab up.
.PHONY: e2e
e2e: pulumi ## The whole system for real, on a lab of its own; docs/e2e.md says how long (CLUSTER=swarm-mode STEPS='^1_' WRITE=1)
	E2E=1 E2E_KEEP=$(KEEP) E2E_REPORT=$(if $(WRITE),$(CURDIR)/docs/e2e.md) \
		go test ./test/e2e -v -count 1 -timeout 300m -run 'TestWholeSystem/^$(or $(CLUSTER),.*)$$$(if $(STEPS),/($(STEPS)))'

# Go names a test's step by its words with underscores: 8_destroy$ leaves out "8 destroy, one host dead".
.PHONY: e2e-short
e2e-short: ## Its main steps: up, voting, nothing changes, a changed program, killed, lost, more and fewer, destroy
	@$(MAKE) --no-print-directory e2e CLUSTER='(swarm-mode|standalone)' \
		STEPS='^1_|^2_voting_through_haproxy|^3_|^4_a|^5_containers|^6_hosts|^7_more|^8_destroy$$$$'

COUNTS = --frontends $(or $(FRONTENDS),0) --workers $(or $(WORKERS),0) --stores $(or $(STORES),0) --loadBalancers $(or $(LOAD_BALANCERS),0)
.PHONY: lab-up
lab-up: ## Six machines on this one, which has Docker (FRONTENDS=n WORKERS=n STORES=n LOAD_BALANCERS=n ZONES=3; docs/lab.md)
	@go run ./cmd/lab up $(COUNTS)

.PHONY: lab-deploy
lab-deploy: ## `pulumi up` on them, then how to vote
	@go run ./cmd/lab deploy $(COUNTS)

.PHONY: lab-destroy
lab-destroy: ## `pulumi destroy` on them
	@go run ./cmd/lab destroy

.PHONY: lab-status
lab-status: ## What the six machines are doing
	@go run ./cmd/lab status

.PHONY: lab-cut
lab-cut: ## Cut a zone off from the others (ZONE=2)
	@go run ./cmd/lab cut $(ZONE)

.PHONY: lab-join
lab-join: ## End that (ZONE=2)
	@go run ./cmd/lab join $(ZONE)

.PHONY: lab-down
lab-down: ## Take the six machines away, with everything on them
	@go run ./cmd/lab down

# How fast the poll is. The figures go into docs/performance.md with `make bench million DOCUMENT=docs/performance.md`.
BENCH = go test -c -o .build/bench.test ./test/bench && cd test/bench && ../../.build/bench.test -test.v -test.timeout 60m -full \
	$(if $(DOCUMENT),-document $(abspath $(DOCUMENT)))

.PHONY: bench
bench: packages ## How fast votes are taken, stored and shown, against this machine's own limits: five minutes, best with nothing else running
	@mkdir -p .build
	@$(BENCH) -test.run 'Accept|Store|Results|Viewers|Memory|ImageSize|Attack'

.PHONY: million
million: packages ## A million votes by 700,000 voters through the whole application, counted exactly
	@mkdir -p .build
	@$(BENCH) -test.run Million -million 1000000

.PHONY: clean
clean: ## Remove what was built here
	rm -rf .bin .build

# The Pulumi CLI: the one on PATH, or else the pinned one. The version has to be stamped in, because the Automation API
# refuses a CLI that does not know its own.
.PHONY: pulumi
pulumi:
	@command -v pulumi >/dev/null || { \
		echo "building the Pulumi CLI $(PULUMI_VERSION), once: about five minutes on two cores"; \
		mkdir -p $(BIN) && cd tools/pulumi && go build -o $(BIN)/pulumi \
			-ldflags "-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$(PULUMI_VERSION)" \
			github.com/pulumi/pulumi/pkg/v3/cmd/pulumi; }

$(BIN)/gotestsum: tools/check/go.mod
	cd tools/check && go build -o $@ gotest.tools/gotestsum

# It has a module of its own, since it would decide about the versions of everything that the other tools are made of.
$(BIN)/golangci-lint: tools/golangci/go.mod
	@echo "building golangci-lint, once: some minutes on two cores"
	cd tools/golangci && go build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(BIN)/actionlint: tools/check/go.mod
	cd tools/check && go build -o $@ github.com/rhysd/actionlint/cmd/actionlint

# What the tests run against, from the distribution's packages. Where they cannot be installed, the tests that need them
# say so and are skipped.
.PHONY: packages
packages:
	@tools/packages.sh
