# Needs Go and make; `make test` also a C compiler for the race detector, and a
# JDK and Maven for the real Cassandra and Kafka that tests run on.
# Everything else is built from pinned sources into .bin, once.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# The steps use every core themselves, and the output of one must not run into
# that of another.
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# A workspace of the machine must not change what is built and tested here.
export GOWORK := off

BIN := .bin
GOVERSION := $(shell go env GOVERSION 2>/dev/null)
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

# Settings, as in `make bench BENCHFLAGS='-run observe'` and
# `make microbench BENCH=Append PKG=./persistence/...`.
BENCHFLAGS ?=
PKG ?= ./...
BENCH ?= .
BENCHTIME ?= 1s
FUZZTIME ?= 10s
KILLS ?= 200
ROUNDS ?= 30
CHAOSTIME ?= 10m
NODES ?= 1
MEMBERS ?= 3
TESTFLAGS ?=

# Tests of whole programs: other processes do the work, and under the race detector
# would take several times as long. What they are made of is tested under it.
WHOLE := ./cmd/mesonet ./internal/bench ./internal/servers/run

# Tests of what has no goroutine, in which the race detector has nothing to find and
# takes five times as long to do so.
PURE := ./cluster/shard ./persistence/model ./persistence/model/replicated ./weather

# Tests that do less under the race detector, and all without it.
LESS := ./cluster/gossip ./weather/ingest ./weather/quarantine ./weather/station

.PHONY: help
help: ## Show this list
	@echo 'usage: make TARGET'
	@awk 'BEGIN { FS = ":.*## " } \
		/^[a-z][a-z-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the static binary bin/mesonet
	CGO_ENABLED=0 go build -trimpath \
		-ldflags '-s -w$(if $(VERSION), -X main.version=$(VERSION))' \
		-o bin/mesonet ./cmd/mesonet

# That go vet is content is the linter's to say, which runs it.
# Three packages at once under the race detector: some mostly wait for their servers.
# The slow and most telling part comes last, so that its closing lines are the
# last of the output. It must stay the last command here.
.PHONY: test
test: needs lint check ## Run everything that CI runs: lint, checks, examples, tests
	@if [ -f examples/go.mod ]; then \
		echo 'cd examples && go test ./...'; \
		cd examples && go build -o /dev/null ./... && go test ./...; \
	fi
	go test -timeout 18m $(WHOLE) $(PURE) $(LESS) $(TESTFLAGS)
	CGO_ENABLED=1 go test -race -p 3 -timeout 18m $$(go list ./... | grep -v $(patsubst ./%,-e '/%$$',$(WHOLE) $(PURE))) $(TESTFLAGS)

.PHONY: lint
lint: $(BIN)/golangci-lint $(BIN)/buf ## Check Go and .proto sources against the rules
	$(BIN)/golangci-lint run ./...
	@if [ -f examples/go.mod ]; then \
		echo 'cd examples && golangci-lint run ./...'; \
		cd examples && ../$(BIN)/golangci-lint run ./...; \
	fi
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code

.PHONY: format
format: $(BIN)/golangci-lint $(BIN)/buf ## Format Go and .proto sources
	$(BIN)/golangci-lint fmt ./...
	$(BIN)/buf format --write

# Generated code is first written to FRESH. `generate` copies from there,
# `check` compares with it, so neither a stale file nor a missing one is missed
# and a failure leaves the sources as they were.
FRESH := $(BIN)/fresh
GENERATED_IN := proto examples/proto internal/gateway
IS_GENERATED := -name '*.pb.go' -o -name '*.pb.gw.go' -o -name 'openapi.json' -o -name 'openapi.yaml'
PLUGINS := $(addprefix $(BIN)/protoc-gen-,go go-grpc grpc-gateway openapiv2)

.PHONY: fresh
fresh: $(BIN)/buf $(PLUGINS)
	@rm -rf $(FRESH)
	@mkdir -p $(addprefix $(FRESH)/,$(GENERATED_IN))
	$(BIN)/buf generate --output $(FRESH)
	$(BIN)/buf generate --template buf.gen.examples.yaml --output $(FRESH)
	$(BIN)/buf generate --template buf.gen.gateway.yaml --output $(FRESH)
	@cd $(FRESH)/internal/gateway && for f in *.swagger.*; do mv "$$f" "$${f/.swagger/}"; done

.PHONY: generate
generate: fresh ## Generate Go code from the .proto sources
	@find $(GENERATED_IN) -type f \( $(IS_GENERATED) \) | while read -r f; do \
		[ -f "$(FRESH)/$$f" ] || rm -v "$$f"; \
	done
	@cd $(FRESH) && find $(GENERATED_IN) -type f | while read -r f; do \
		mkdir -p "$(CURDIR)/$$(dirname "$$f")"; \
		cmp -s "$$f" "$(CURDIR)/$$f" || cp -v "$$f" "$(CURDIR)/$$f"; \
	done

.PHONY: check
check: check-generated check-tidy

.PHONY: check-generated
check-generated: fresh
	@diff -u --label checked-in --label generated \
		<(find $(GENERATED_IN) -type f \( $(IS_GENERATED) \) | sort) \
		<(cd $(FRESH) && find $(GENERATED_IN) -type f | sort) \
		|| { echo 'generated files are missing or left over: run `make generate`' >&2; exit 1; }
	@cd $(FRESH) && find $(GENERATED_IN) -type f | while read -r f; do \
		diff -u --label "checked-in/$$f" --label "generated/$$f" "$(CURDIR)/$$f" "$$f" \
		|| { echo "$$f is not what its source generates: run \`make generate\`" >&2; exit 1; }; \
	done
	@# Code generated from sources that are in the repository belongs there too.
	@# While a .proto file itself is new, both still wait for their commit.
	@if git rev-parse --verify --quiet HEAD >/dev/null 2>&1 \
		&& [ -z "$$(git ls-files --others --exclude-standard -- '*.proto')" ] \
		&& new="$$(git ls-files --others --exclude-standard -- '*.pb.go' '*.pb.gw.go' 'openapi.json' 'openapi.yaml')" && [ -n "$$new" ]; then \
		printf 'generated, but not in the repository: add\n%s\n' "$$new" >&2; exit 1; \
	fi

.PHONY: check-tidy
check-tidy:
	go mod tidy -diff
	@if [ -f examples/go.mod ]; then \
		echo 'cd examples && go mod tidy -diff'; \
		cd examples && go mod tidy -diff; \
	fi

.PHONY: bench
bench: ## Measure a node beside the limits of this machine (BENCHFLAGS)
	@go run $(if $(VERSION),-ldflags '-X main.version=$(VERSION)') ./internal/bench $(BENCHFLAGS)

.PHONY: microbench
microbench: ## Run the benchmarks of single packages (BENCH, BENCHTIME, PKG)
	go test -run='^$$' -bench='$(BENCH)' -benchtime=$(BENCHTIME) -benchmem $(PKG)

# Long forms of the tests that make test runs short: minutes to an hour.
.PHONY: chaos
chaos: ## Kill a server KILLS times under load, its Cassandra and nodes of a cluster in ROUNDS rounds, do the latter all harm there is for CHAOSTIME, cut links included (as root), give one a million stations, faults and panics at random; a summary at the end
	@mkdir -p $(BIN); log=$(BIN)/chaos.log; : >"$$log"; failed=0; \
	part() { \
		echo "go test $$*" | tee -a "$$log"; \
		go test -count=1 -timeout 2h "$$@" 2>&1 | tee -a "$$log" || failed=1; \
	}; \
	part ./internal/daemon -run 'TestKill|TestMemoryStays' -v -kills $(KILLS) -stations 1000000 -memory 268435456; \
	part ./cmd/mesonet -run 'TestThreeNodes$$' -v -rounds $(ROUNDS); \
	part ./cmd/mesonet -run 'TestCluster(Outages|Chaos)$$' -v -cluster-kills $(ROUNDS) -cluster-chaos $(CHAOSTIME); \
	part ./cluster/clustertest -run TestRandomFaults -cluster-seeds 500; \
	part ./actors/entity -run 'TestLoadWithFaults|TestPanicsByChance' -v -loads 30 -panics.rounds 200; \
	part ./persistence/model -run TestProtocol -v -schedules 100000; \
	part ./persistence/model/replicated -run 'TestProtocol|TestAlternatives' -v -schedules 100000 -alternatives 10000; \
	printf '\nSummary (all of it: %s)\n' "$$log"; \
	sed -nE 's/^ +[a-z_]+\.go:[0-9]+: (summary: )/  \1/p; /^go test |^--- |^(ok|FAIL|panic:)[[:space:]]/p' "$$log"; \
	exit $$failed

# Real servers to try mesonet on. They stay until they are stopped.
.PHONY: cassandra
cassandra: ## Start a real Cassandra of NODES nodes on 127.0.0.1:9042
	@go run ./internal/servers/run cassandra -nodes $(NODES)

.PHONY: cassandra-stop
cassandra-stop: ## Stop it; its data stays
	@go run ./internal/servers/run cassandra stop

.PHONY: kafka
kafka: ## Start a real Kafka on 127.0.0.1:9092
	@go run ./internal/servers/run kafka

.PHONY: kafka-stop
kafka-stop: ## Stop it; its data stays
	@go run ./internal/servers/run kafka stop

.PHONY: cluster
cluster: build cassandra ## Start MEMBERS servers on that Cassandra, and kill one before your eyes
	@go run ./internal/servers/run cluster -nodes $(MEMBERS)

.PHONY: cluster-stop
cluster-stop: ## Stop them; their data stays in Cassandra
	@go run ./internal/servers/run cluster stop

.PHONY: fuzz
fuzz: ## Run each fuzz target for a while (FUZZTIME)
	@{ grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . || echo 'no fuzz targets' >&2; } \
	| sed 's/:func / /' | sort | while read -r file name; do \
		dir=$$(dirname "$$file"); \
		echo "go test -run='^$$' -fuzz='^$$name$$' -fuzztime=$(FUZZTIME) $$dir"; \
		(cd "$$dir" && go test -run='^$$' -fuzz="^$$name\$$" -fuzztime=$(FUZZTIME) .); \
	done

.PHONY: vuln
vuln: $(BIN)/govulncheck ## Look for known vulnerabilities (asks the Go vulnerability database)
	$(BIN)/govulncheck ./...

.PHONY: clean
clean: ## Remove what make built, tools and data of servers included
	@! [ -e .servers/cluster.json ] && ! [ -e .servers/cassandra.json ] && ! [ -e .servers/kafka.json ] || { \
		echo 'make clean: would remove the data of servers that run: make cluster-stop cassandra-stop kafka-stop' >&2; exit 1; }
	rm -rf bin $(BIN) .servers
	find . -type f \( -name '*.test' -o -name '*.prof' -o -name '*.pprof' \) -delete

# Says what is missing before minutes have gone into everything else.
.PHONY: needs
needs:
	@[ -n '$(GOVERSION)' ] || { \
		echo 'make test: go is not in PATH; https://go.dev/doc/install' >&2; exit 1; }
	@cc=$$(go env CC); out=$$(mktemp); trap 'rm -f "$$out"' EXIT; \
	printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | $$cc -x c -o "$$out" - 2>/dev/null || { \
		echo "make test: the race detector needs a C compiler with its headers, and \"$$cc\" does not work." >&2; \
		echo '  Debian, Ubuntu: apt-get install gcc libc6-dev' >&2; \
		echo '  Fedora:         dnf install gcc glibc-devel' >&2; \
		echo '  macOS:          xcode-select --install' >&2; \
		echo '  Another compiler can be named: CC=clang make test' >&2; \
		exit 1; }
	@# A JDK, Maven and the servers' jars: installed where root may, or said.
	@go run ./internal/servers/run install

# Tools. They are built again when their versions change, and for another Go,
# since a linter reads only code that its own Go understands.
$(BIN)/$(GOVERSION):
	@mkdir -p $(BIN)
	@rm -f $(BIN)/go1.*
	@touch $@

$(BIN)/golangci-lint $(BIN)/buf $(BIN)/govulncheck: tools/go.mod tools/go.sum $(BIN)/$(GOVERSION)
	cd tools && go build -o ../$@ $$(go list tool | grep '/$(@F)$$')
	@touch $@

$(PLUGINS): tools/generate/go.mod tools/generate/go.sum $(BIN)/$(GOVERSION)
	cd tools/generate && go build -o ../../$@ $$(go list tool | grep '/$(@F)$$')
	@touch $@
