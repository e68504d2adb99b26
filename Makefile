# Everything a contributor runs. CI runs the same targets.
GOLANGCI_LINT_VERSION := v2.15.0
GOFUMPT_VERSION       := v0.12.0
GOTESTSUM_VERSION     := v1.13.0
VERSION               := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
BIN                   := bin/curfew

.PHONY: browser build test test-long test-race test-alerts test-deploy test-cluster chaos lint schema fuzz bench demo image image-test manifests third-party release clean zones zones-check cross

build:
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $(BIN) ./cmd/curfew

# Packages at a time: some wait for the clock while others compute.
PACKAGES := -p $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))

# What the tests of the pages need: Debian's Chromium, and an accessibility checker.
AXE_VERSION := 4.14.1
browser:
	command -v chromium >/dev/null || apt-get install -y -qq --no-install-recommends chromium
	npm install --silent --no-save --no-audit --no-fund --prefix bin/npm axe-core@$(AXE_VERSION)

# A line for each package, and each test that fails in full.
GOTESTSUM := go run gotest.tools/gotestsum@$(GOTESTSUM_VERSION) --format pkgname-and-test-fails --format-hide-empty-pkg --

# Tests write as durably as the daemon does. In memory, where 8 GB of it are free and
# programs may be run, that takes a third of the time.
IN_MEMORY := free=$$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $$4 }'); \
	if [ "$${free:-0}" -gt 8000000 ] && [ "$$(awk '/^MemAvailable/ { print $$2 }' /proc/meminfo)" -gt 8000000 ]; then \
	  dir=$$(mktemp -d /dev/shm/curfew-XXXXXX); trap 'rm -rf "$$dir"' EXIT; trap 'exit 130' INT; trap 'exit 143' TERM; chmod 755 "$$dir"; \
	  printf '\043!/bin/sh\n' > "$$dir/run"; chmod +x "$$dir/run"; \
	  if "$$dir/run"; then export TMPDIR="$$dir"; fi; \
	fi;

# Every rule of every package, in a few minutes.
test:
	@$(IN_MEMORY) $(GOTESTSUM) $(PACKAGES) -parallel 4 -timeout 30m ./...

# All of it, with what takes long: more replicas, days, environments and random sequences, and
# the alerts on an evaluator of Prometheus and a control plane of Kubernetes, modules of their own.
test-long:
	CURFEW_LONG=1 $(MAKE) test
	$(MAKE) test-alerts test-cluster

test-alerts:
	cd deploy/prometheus && go vet ./... && go test -timeout 30m ./...

# SQLite is C translated to Go: watching it and what it stands on for races takes four
# times as long and finds nothing of ours.
NORACE := -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false -gcflags=modernc.org/memory=-race=false

# Every rule under the race detector.
test-race:
	@$(IN_MEMORY) $(GOTESTSUM) -race $(NORACE) $(PACKAGES) -parallel 4 -timeout 60m ./...

# What CI runs for a minute or two, in full: three replicas of the built binary for
# ten minutes, a month of faults, long sequences of changes, a year of history.
chaos:
	CURFEW_CHAOS=full go test -count=1 -v -timeout 40m -run 'TestReplicasLose|TestBinaryKilled|TestHistoryOfAYear' ./cmd/curfew ./scheduler/store
	CURFEW_CHAOS=full go test -count=1 -v -timeout 90m -run 'TestEachRunOfARandomMonth|TestWhateverIsDone|TestKilledAtAny' ./scheduler/engine

lint:
	go vet ./...
	test -z "$$(go run mvdan.cc/gofumpt@$(GOFUMPT_VERSION) -l .)"
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION) run ./...
	go mod tidy -diff
	cd deploy/prometheus && go mod tidy -diff
	cd deploy/check && go mod tidy -diff

schema:
	go run ./cmd/curfew schema > deploy/schedules.schema.json

# Each fuzz target for a while; go test takes one at a time.
FUZZTIME := 20s
fuzz:
	@set -e; for dir in $$(go list -f '{{.Dir}}' ./...); do \
	  for f in $$(grep -ho 'func Fuzz[A-Za-z]*' $$dir/*_test.go 2>/dev/null | cut -c6-); do \
	    go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$dir; \
	  done; \
	done

# A fire of a fleet prints its times next to those of a bare loop; it is run once.
bench:
	go test -run '^$$' -bench '^BenchmarkFire$$' -benchtime 1x -timeout 60m ./scheduler/engine
	go test -run '^$$' -bench . -benchtime 5s -benchmem -timeout 60m $$(go list ./... | grep -v '/scheduler/engine$$')

demo:
	go run ./cmd/curfew demo

REVISION := $(shell git rev-parse HEAD 2>/dev/null)
image: third-party
	docker build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) -t curfew:$(VERSION) .

# The image, built and run hardened, on an engine of its own with stand-ins for the base
# images: for machines that reach no registry. It needs root and Debian's apt.
image-test: third-party
	deploy/container/engine.sh bin/docker
	CURFEW_DOCKER_HOST=unix://$(CURDIR)/bin/docker/docker.sock go test -count=1 -v -timeout 30m ./deploy/container; \
	code=$$?; kill $$(cat bin/docker/docker.pid); umount -q bin/docker/exec/netns/*; exit $$code

# What is in deploy, held against Helm, Kubernetes, systemd, Compose and the API of Azure:
# a module of its own, since these are large.
test-deploy:
	cd deploy/check && go test -timeout 20m ./...

# The chart and the plain manifests on a control plane of Kubernetes, which is built from source:
# ten minutes the first time. Without cgo, so that the programs and the tests share packages.
test-cluster:
	cd deploy/check/cluster && go mod tidy -diff && CGO_ENABLED=0 go test -count=1 -timeout 60m ./...

# The plain manifests, and the files of others in the chart, made again.
manifests:
	cd deploy/check && go test -count=1 -run TestCopiesAreEqual ./... -update

third-party:
	go run ./internal/thirdparty > THIRD_PARTY

# Archives for each system, checksums, and what they are made of, in bin/release.
release:
	VERSION=$(VERSION) deploy/release.sh bin/release

# Renews the zone data that the binary carries, with the names of Windows and of
# cities. It needs Debian's apt, after apt-get update, and npm.
zones:
	rm -rf bin/zones && mkdir -p bin/zones
	cd bin/zones && apt-get -qq download tzdata && dpkg-deb -x tzdata_*.deb .
	cd bin/zones && npm pack --silent cldr-core@48.2.0 city-timezones@1.3.4 @vvo/tzdb@6.202.0 > /dev/null
	cd bin/zones && for p in cldr-core city-timezones tzdb; do mkdir $$p && tar -xzf *$$p-*.tgz -C $$p --strip-components=1; done
	go run scheduler/zone/generate.go bin/zones

# Warns when Debian has newer zone data than the binary carries.
zones-check:
	@has=$$(tail -c 5 scheduler/zone/data/zoneinfo.zip); \
	newest=$$(apt-cache policy tzdata 2>/dev/null | sed -n 's/^  Candidate: \([0-9]*[a-z]*\).*/\1/p'); \
	if [ "$$newest" \> "$$has" ]; then echo "warning: zone data $$newest is out, and the binary carries $$has; run make zones"; else echo "zone data: $$has"; fi

# Everything compiles, tests included, on each system that is supported.
cross:
	@set -e; for target in linux/amd64 linux/arm64 windows/amd64 darwin/arm64; do \
	  echo "$$target"; \
	  export CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/}; \
	  go build -o /dev/null ./cmd/curfew; go vet ./...; \
	done

clean:
	rm -rf bin
