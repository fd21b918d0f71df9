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
# Packages for the short run on old kernels: those that ask the kernel for much that a recent one has.
KERNEL_SLICE := .,./compat_aio,./internal/faulttest,./internal/probe,./socketops,./socketops/conformance
# Packages for the short run on arm64: the ABI and the Prep methods against C, the ring and the Sender.
ARM64_SLICE := .,./cring,./internal/cprep
# More flags for the injected errors, as -driver ring; go run ./internal/inject -h lists them.
INJECT    ?=
# The runs with a checking allocator or collector, or another liburing: the packages that share memory with the kernel
# or C, short where tests have a short form.
CHECKED   ?= -short $(SHARING)
SHARING   := . ./cring ./compat_aio ./internal/cprep ./internal/ctest ./internal/errnomatrix ./internal/faulttest \
	./internal/probe ./internal/rawring ./internal/sendq ./socketops/...
WITH      ?=
FLAGS     ?=

.DEFAULT_GOAL := help
.PHONY: help deps demo test test-long lint lint-go lint-c lint-sh race asan efence cgocheck2 gcstress \
	cross cross-slice liburing kernel-test kernel-test-slice kernel-test-arm64 kernel-test-arm64-slice \
	kernel-test-red inject inject-slice fuzz bench fresh-test docker-test docs clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-24s %s\n", $$1, $$2 }' Makefile

deps: ## Install what building needs and this machine lacks
	@./scripts/install-deps

demo: ## Send real traffic and write the comparison to report/
	@./scripts/demo

test: ## Vet and run all tests, plainly and with -race
	@./scripts/test

test-long: ## Run the tests with random cases for CHECKS (1000) cases each, every fuzz target for FUZZTIME, and cross
	$(REPORT) -timeout 60m $$($(GO) list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' $(PACKAGES) | \
		awk '/pgregory.net\/rapid/ { print $$1 }') -rapid.checks=$(CHECKS)
	@./scripts/fuzz $(FUZZTIME)
	@./scripts/cross

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

liburing: ## Run the library's tests with the liburing of SUITE (trixie; sid has the newest), and more FLAGS
	@environment=$$(./scripts/private-liburing $(SUITE)) && eval "$$environment" && \
		echo "liburing $$(pkg-config --modversion liburing)" && ./scripts/lint-c && $(REPORT) $(FLAGS) $(CHECKED)

kernel-test: ## Run the tests on all kernels of the matrix, with io_uring and without (needs QEMU; 25 minutes)
	@./scripts/install-kerneltest-deps
	$(GO) run ./kerneltest $(KERNELTEST)

kernel-test-slice: ## Run the library's on 5.10 and 6.1 with io_uring (5 minutes)
	@./scripts/install-kerneltest-deps
	$(GO) run ./kerneltest -kernels 5.10,6.1 -modes on -packages $(KERNEL_SLICE) $(KERNELTEST)

kernel-test-arm64: ## Run the tests on arm64 kernels, with io_uring and refused (needs QEMU and a cross compiler)
	@./scripts/install-kerneltest-deps arm64
	$(GO) run ./kerneltest -arch arm64 $(KERNELTEST)

kernel-test-arm64-slice: ## Run the ABI, the comparison with C, the ring and the Sender on arm64's 6.12
	@./scripts/install-kerneltest-deps arm64
	$(GO) run ./kerneltest -arch arm64 -kernels 6.12 -modes on -packages $(ARM64_SLICE) $(KERNELTEST)

kernel-test-red: ## Show that panics, hangs, warnings and broken probes turn a run of the matrix red, or those of RED
	@./scripts/install-kerneltest-deps
	$(GO) run ./kerneltest -kernels 6.12 -modes on -packages ./internal/goroutine -prepare
	$(GO) test -count 1 -v -run '$(RED)' ./kerneltest

inject: ## Have system calls of the library fail, with strace, and write the table of docs/faults.md (10 minutes)
	@./scripts/install-inject-deps
	$(GO) run ./internal/inject -page docs/faults.md $(INJECT)

inject-slice: ## The same with one error of each call for each driver (1 minute)
	@./scripts/install-inject-deps
	$(GO) run ./internal/inject -slice $(INJECT)

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
		[ -f $$script ] || continue; sh=sh; ! head -n 1 $$script | grep -q bash || sh=bash; \
		echo "$$sh -n $$script"; $$sh -n $$script || exit 1; \
	done

# The tools are a module of their own, and may ask for a newer Go than the library, which go then fetches.
$(BIN)/.tools: scripts/tools/go.mod scripts/tools/go.sum
	GOWORK=off GOTOOLCHAIN=auto GOBIN=$(BIN) $(GO) -C scripts/tools install tool
	@touch $@

cross: ## Build and vet without cgo for every system and processor of the README (half an hour)
	@./scripts/cross

cross-slice: ## The same for one target of each kind (2 minutes)
	@./scripts/cross -slice

fresh-test: ## Prove demo and test in bare containers (needs Docker)
	@./scripts/fresh-test

docker-test: ## Build the kernel matrix's image, and run the tests in containers of many kinds (needs Docker)
	@./scripts/docker-test

docs: ## Show the documentation of the package
	@$(GO) doc -all .

clean: ## Remove what the targets above have made
	rm -rf .bin .cache report
