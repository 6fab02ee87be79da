# DarkSwap: everything that is run more than once. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

home := $(or $(HOME),$(shell echo ~))
export PATH := $(PATH):$(home)/.cargo/bin

# One build directory for all clones of a user, so that a fresh clone compiles its own crates only.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(home)/.cache)/darkswap/target

# In continuous integration the lock file is taken as it is.
locked := $(if $(CI),--locked)
clippy := cargo clippy $(locked) --workspace --all-targets -- -D warnings
doc := RUSTDOCFLAGS='-D warnings' cargo doc $(locked) --workspace --no-deps
simulator := cargo run $(locked) --release --

# $(call step,heading,command): the command under its heading, and the time that it took. A failure ends the recipe.
define step
@printf '\n== %s\n   %s\n' '$(1)' "$(2)"; code=0; $(2) || code=$$?; \
if [ $$code -eq 0 ]; then printf -- '-- %s: done in %d s\n' '$(1)' $$SECONDS; \
else printf -- '-- %s: FAILED after %d s (exit code %d)\n' '$(1)' $$SECONDS $$code; exit $$code; fi
endef

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: test quickstart bench report lint fuzz browser chain
test: tools ## everything: format, lints, all tests, then the scenario suite in a release build
	@$(call alone,do-test)

quickstart: tools ## one scenario of the real node, with its report
	@$(call alone,do-quickstart)

bench: tools ## the benchmarks
	@$(call alone,do-bench)

report: tools ## render the report of the last run again
	@$(call alone,do-report)

lint: tools ## format check, clippy and documentation, without tests
	@$(call alone,do-lint)

fuzz: tools ## every decoder of bytes from peers, fuzzed for ten seconds each
	@$(call alone,do-fuzz)

browser: tools ## the browser tests: js-libp2p in Chromium against the node
	@$(call alone,do-browser)

chain: tools ## the tests against a real bitcoind, electrs and ord
	@$(call alone,do-chain)

.PHONY: fmt
fmt: tools ## format all code
	@cargo fmt --all
	@cargo fmt --manifest-path node/fuzz/Cargo.toml

.PHONY: do-test do-quickstart do-bench do-report do-lint do-fuzz do-browser do-browser-tests do-chain
do-lint: ours
	$(call step,format,cargo fmt --all --check)
	$(call step,format of the fuzz targets,cargo fmt --manifest-path node/fuzz/Cargo.toml --check)
	$(call step,lints,$(clippy))
	$(call step,documentation,$(doc))

# The node's program, which `cargo test` builds for the node's own tests. Tests that find its name here do not build it again.
program := DARKSWAP_BIN=$(CARGO_TARGET_DIR)/debug/darkswap

# Tests run unoptimised with optimised dependencies (profile dev): they compile fast and keep every assertion.
do-test: do-lint
	$(call step,chain tools,cargo run $(locked) --package darkswap-regtest -- setup)
	$(call step,sweep set-up,sim/setup.sh)
	$(call step,tests,$(program) cargo test $(locked) --workspace)
	$(call step,fuzzing,node/fuzz/run.sh)
	@$(MAKE) do-browser-tests
	$(call step,release build,cargo build $(locked) --release)
	$(call step,scenarios,$(simulator) run scenarios)
	@printf '\n== all steps passed\n'

do-quickstart: ours
	@$(simulator) run scenarios/quickstart.yaml

do-fuzz:
	$(call step,fuzzing,node/fuzz/run.sh)

do-browser: ours
	$(call step,node,cargo build $(locked) --package darkswap-node)
	@$(MAKE) do-browser-tests

# They drive the binary that the tests have built.
do-browser-tests:
	$(call step,browser set-up,browser-tests/setup.sh)
	$(call step,browser types,npm --prefix browser-tests run --silent typecheck)
	$(call step,browser tests,$(program) npm --prefix browser-tests --silent test)

do-chain: ours
	$(call step,chain tools,cargo run $(locked) --package darkswap-regtest -- setup)
	$(call step,node,cargo build $(locked) --package darkswap-node)
	$(call step,chain tests,$(program) cargo test $(locked) --package darkswap-regtest)

do-bench: ours
	@cargo bench $(locked) --package darkswap-sim

do-report: ours
	@$(simulator) report runs/latest

# cargo takes what another clone compiled for this clone's own as long as the file times fit. So the build directory belongs to one
# clone at a time: `ours` removes the crates of the clone before, `alone` keeps other clones out meanwhile.
lock := $(CARGO_TARGET_DIR)/.darkswap-lock
owner := $(CARGO_TARGET_DIR)/.darkswap-owner

define alone
mkdir -p '$(CARGO_TARGET_DIR)'; \
command -v flock >/dev/null || exec $(MAKE) $(1); \
flock --nonblock '$(lock)' true || echo 'waiting for another make that uses $(CARGO_TARGET_DIR)'; \
exec flock --close '$(lock)' $(MAKE) $(1)
endef

.PHONY: ours
ours:
	@if [ "$$(cat '$(owner)' 2>/dev/null || true)" != '$(CURDIR)' ]; then \
		cargo clean --quiet --workspace; \
		cargo clean --quiet --workspace --release; \
		printf '%s\n' '$(CURDIR)' > '$(owner)'; \
	fi

# What is missing is installed where that touches this user only, and named where it touches the system.
.PHONY: tools
tools:
	@command -v cargo >/dev/null || { \
		echo 'cargo is missing. Install Rust: https://rustup.rs (the version is chosen by rust-toolchain.toml).' >&2; exit 1; }
	@command -v cc >/dev/null || { \
		echo 'a C compiler and linker is missing. Debian, Ubuntu: apt-get install build-essential. macOS: xcode-select --install.' >&2; exit 1; }
	@for component in rustfmt clippy; do \
		case $$component in rustfmt) command=fmt;; *) command=$$component;; esac; \
		cargo $$command --version >/dev/null 2>&1 || rustup component add $$component || { \
			echo "$$component is missing. Install it: rustup component add $$component." >&2; exit 1; }; \
	done
