# The scripts do the work that a bare machine needs done, so that make itself may be missing there.
# Everything below runs by the Go that scripts/with-go finds.

GO       := ./scripts/with-go go
# What EXPERIMENT changes in the compiler is for the tests, and would have the reporter compiled anew as well.
REPORT    = ./scripts/with-go go run $(if $(EXPERIMENT),-exec 'env GOEXPERIMENT=$(EXPERIMENT)') ./internal/testreport
BIN      := $(CURDIR)/.bin
PACKAGES := ./... ./examples/... ./kerneltest/... ./socketops/prometheus/...

CHECKS    ?= 1000
FUZZTIME  ?= 10s
FUZZ      ?=
BENCHTIME ?= 1s
SUITE     ?= trixie
# More flags for the kernel matrix, as -run Send; go run ./kerneltest -h lists them.
KERNELTEST ?=
RED       ?= Guest|BrokenProbe
# The runs with a checking allocator or collector, or another liburing: the library alone, short where tests have a
# short form.
CHECKED   ?= -short ./...
WITH      ?=

.DEFAULT_GOAL := help
.PHONY: help deps demo test test-long lint lint-go lint-c lint-sh race asan efence cgocheck2 gcstress cross liburing \
	kernel-test kernel-test-slice kernel-test-red fuzz bench fresh-test docker-test docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' Makefile

deps: ## Install what building needs and this machine lacks
	@./scripts/install-deps

demo: ## Send real traffic and write the comparison to report/
	@./scripts/demo

test: ## Vet and run all tests, plainly and with -race
	@./scripts/test

test-long: ## Run the tests with random cases for CHECKS (1000) cases each, and every fuzz target for FUZZTIME
	$(REPORT) -timeout 60m $$($(GO) list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' $(PACKAGES) | \
		awk '/pgregory.net\/rapid/ { print $$1 }') -rapid.checks=$(CHECKS)
	@./scripts/fuzz $(FUZZTIME)

race: ## Run the tests with the race detector
	$(REPORT) -race $(PACKAGES)

asan: ## Run the tests with the address sanitizer
	$(REPORT) -asan -ldflags= $(CHECKED)

efence: ## Run the tests with each object on a page of its own that is never used again, and WITH=GOGC=1
	$(REPORT) -exec 'env GODEBUG=efence=1 $(WITH)' $(CHECKED)

cgocheck2: EXPERIMENT := cgocheck2
cgocheck2: ## Run the tests with all checks of pointers that are passed to C
	$(REPORT) $(CHECKED)

gcstress: ## Run the tests with the collector running all the time: GOGC=1
	$(REPORT) -exec 'env GOGC=1' $(CHECKED)

liburing: ## Run the library's tests with the liburing of SUITE (trixie; sid has the newest)
	@environment=$$(./scripts/private-liburing $(SUITE)) && eval "$$environment" && \
		echo "liburing $$(pkg-config --modversion liburing)" && ./scripts/lint-c && $(REPORT) $(CHECKED)

kernel-test: ## Run the tests on all kernels of the matrix, with io_uring and without (needs QEMU; 25 minutes)
	@./scripts/install-kerneltest-deps
	$(GO) run ./kerneltest $(KERNELTEST)

kernel-test-slice: ## Run the library's on 5.10, 6.1 and 6.12 with io_uring (8 minutes)
	@./scripts/install-kerneltest-deps
	$(GO) run ./kerneltest -kernels 5.10,6.1,6.12 -modes on -packages ./... $(KERNELTEST)

kernel-test-red: ## Show that panics, hangs, warnings and broken probes turn a run of the matrix red, or those of RED
	$(GO) test -count 1 -v -run '$(RED)' ./kerneltest

fuzz: ## Run every fuzz target of FUZZ (all packages) for FUZZTIME (10s)
	@./scripts/fuzz $(FUZZTIME) $(FUZZ)

bench: ## Run the benchmarks, each for BENCHTIME (1s)
	$(GO) test -run '^$$' -bench . -benchtime $(BENCHTIME) $(PACKAGES)

lint: lint-go lint-c lint-sh ## Run go vet, staticcheck, gofumpt, the C warnings, sh -n and the tidy test

lint-go: $(BIN)/.tools
	$(GO) vet $(PACKAGES)
	./scripts/with-go $(BIN)/staticcheck $(PACKAGES)
	@unformatted=$$($(BIN)/gofumpt -l .); [ -z "$$unformatted" ] || { echo "not gofumpt'ed: $$unformatted"; exit 1; }
	$(GO) test ./internal/tidy

lint-c:
	./scripts/lint-c

lint-sh:
	@for script in scripts/* .ci/run; do \
		sh=sh; ! head -n 1 $$script | grep -q bash || sh=bash; \
		echo "$$sh -n $$script"; $$sh -n $$script || exit 1; \
	done

# The tools are a module of their own, and may ask for a newer Go than the library, which go then fetches.
$(BIN)/.tools: tools/go.mod tools/go.sum
	GOWORK=off GOTOOLCHAIN=auto GOBIN=$(BIN) $(GO) -C tools install tool
	@touch $@

cross: ## Build the library and the examples for where there is no cgo, no Linux, or another processor
	@for target in linux/amd64 linux/arm64 darwin/arm64; do \
		echo "CGO_ENABLED=0 $$target"; \
		export CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/}; \
		$(GO) build ./... ./examples/... || exit; \
	done
	CGO_ENABLED=0 $(GO) vet ./...

fresh-test: ## Prove demo and test in bare containers (needs Docker)
	@./scripts/fresh-test

docker-test: ## Build the kernel matrix's image, and run the tests in containers of many kinds (needs Docker)
	@./scripts/docker-test

docs: ## Show the documentation of the package
	@$(GO) doc -all .

clean: ## Remove what the targets above have made
	rm -rf .bin .cache report
