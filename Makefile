# `make demo` shows Ortsnetz at work, `make test` checks everything; both install what they need.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

SEEDS ?= 1000
KILL_ROUNDS ?= 100
FUZZ_SECONDS ?= 60

.PHONY: help tools build release demo test lint deny audit bench bench-hostile bench-repair bench-world bench-regions \
	soak soak-seeds mutants fuzz relevance join-drill recover-drill clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 22

tools: ## install what building needs (C compiler), where it is missing
	@scripts/tools.sh build

build: tools ## build everything (development profile)
	cargo build --workspace --locked

release: tools ## build the optimised binary, target/release/ortsnetz
	cargo build --release --locked -p ortsnetz

demo: release ## start six towns that share their knowledge; Ctrl-C stops them
	@$${CARGO_TARGET_DIR:-target}/release/ortsnetz demo $(DEMO_ARGS)

test: tools lint deny ## everything CI checks: format, clippy, docs, licences, all tests
	@scripts/tools.sh network
	cargo build --workspace --all-targets --locked
	ORTSNETZ_SIM_SEEDS=$(SEEDS) ORTSNETZ_KILL_ROUNDS=$(KILL_ROUNDS) ORTSNETZ_TEST_SHEET_WORK_FACTOR=2 \
		scripts/test.sh --workspace --locked

lint: ## format, clippy and doc warnings
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items

deny: ## licences, bans and sources of all dependencies
	@scripts/tools.sh deny
	cargo deny --workspace check bans licenses sources

audit: ## known vulnerabilities (needs the advisory database)
	@scripts/tools.sh deny
	cargo deny --workspace check advisories

bench: release ## our figures; beside the other systems' where ORTSNETZ_PEERS leads to their scripts
	python3 scripts/bench.py
	$(MAKE) bench-repair
	$(MAKE) bench-world

bench-hostile: release ## what others wait, and the memory, while a partner attacks; beside the same in peace
	ORTSNETZ_BIN=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/ortsnetz \
		cargo bench --locked -p ortsnetz-tests --bench hostile

bench-repair: release ## round trips and bytes until a missing or altered record is mended
	ORTSNETZ_BIN=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/ortsnetz \
		cargo bench --locked -p ortsnetz-tests --bench repair

bench-world: release ## one node with 30 to 500 idle partners of 4,000 entries each: memory, CPU, start, search; keeps its world
	ORTSNETZ_BIN=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/ortsnetz \
		cargo bench --locked -p ortsnetz-tests --bench world

bench-regions: ## 111 to 1,010 engines with hubs that relay, in the simulator (docs/scale.md)
	cargo bench --locked -p ortsnetz-sync --bench regions

DURATION ?= 7200
soak: release ## DURATION seconds (7200) of real daemons under all faults at once; nothing lost, leaked, or grown
	ORTSNETZ_BIN=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/ortsnetz DURATION=$(DURATION) \
		cargo bench --locked -p ortsnetz-tests --bench soak

soak-seeds: release ## 20,000 simulator seeds, 500 rounds of kill -9, 100 power cuts and five minutes of partition
	ORTSNETZ_SIM_SEEDS=20000 scripts/test.sh --release --locked -p ortsnetz-sync --test sim -- --nocapture
	ORTSNETZ_KILL_ROUNDS=500 scripts/test.sh --release --locked -p ortsnetz-tests --test faults \
		kill_at_any_moment -- --nocapture
	ORTSNETZ_POWER_CUTS=100 scripts/test.sh --release --locked -p ortsnetz-store --test crash power_cut -- --nocapture
	@scripts/tools.sh network
	ORTSNETZ_PARTITION_SECONDS=300 scripts/test.sh --release --locked -p ortsnetz-tests --test network

mutants: ## changes trust and sync line by line, to see which changes no test notices (docs/testing.md); takes hours
	@command -v cargo-mutants >/dev/null || { echo "install it with: cargo install --locked cargo-mutants"; exit 1; }
	cargo mutants -p $(or $(CRATE),ortsnetz-trust) $(MUTANTS_ARGS)

fuzz: ## each fuzz target for FUZZ_SECONDS (60)
	@scripts/tools.sh fuzz
	fuzz/run.sh $(FUZZ_SECONDS)

relevance: ## how well citizens' questions find the right service, beside plain BM25 (needs ORTSNETZ_TEST_DATA)
	cargo test --locked -p ortsnetz-search --test relevance -- --nocapture

join-drill: release ## seconds from two empty directories to `identical`
	scripts/join-drill.sh

recover-drill: release ## seconds from a dead disk and the recovery sheet to `identical`, with N entries (100000)
	N=$(or $(N),100000) scripts/recover-drill.sh

clean: ## remove what was built
	cargo clean
