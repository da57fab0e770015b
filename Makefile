# Every target works from a clean clone. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help check test test-kubernetes faults node-test experiment demo demo-cluster bench fuzz release image sbom deny advisories docs clean

help: ## show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

check: ## format, lints and fast tests: the inner loop
	cargo fmt --check
	cargo clippy --locked --all-targets --quiet -- -D warnings
	cargo clippy --locked --test cluster --test faults --test image --test node --quiet -- -D warnings
	cargo test --locked --quiet

test: check ## everything, on real parts: Kubernetes control plane, kubelet code, Spark (installs what is missing)
	cargo test --locked --test cluster
	cargo test --locked --test faults -- --short
	cargo test --locked --test image
	$(MAKE) --no-print-directory node-test

faults: ## restarts, rotations and crashes under load, minutes; fails where an executor is missed
	cargo test --locked --quiet --test faults

node-test: ## a node with a real kernel, kubelet and swap: the pair that shows most, cgroups equal to plans, an NRI plugin (12 minutes)
	cargo test --locked --quiet --test node

experiment: ## every arm of the experiment on such nodes, three times in random order, compared with docs/experiment: hours; goes on where it was interrupted
	cargo test --locked --quiet --test node -- experiment --resume
	cargo test --locked --quiet --test node -- compare target/experiment

test-kubernetes: ## the tests on real parts again, on the oldest and the newest Kubernetes (each built once, 10 minutes)
	for version in 1.34 1.37; do SPARK_SWAP_KUBERNETES=$$version cargo test --locked --test cluster; done

demo: ## a captured executor, before and after, over HTTPS; needs nothing but Rust
	cargo build --locked --quiet
	cargo run --locked --quiet --example demo -- target/debug/spark-swap

demo-cluster: ## the same with a real control plane and a real Spark driver
	cargo test --locked --quiet --test cluster -- --nocapture demo::

bench: ## benchmarks: time, instructions, allocations, the server beside a constant answer, and on a large cluster
	benches/run

release: ## the binary for this machine
	cargo build --locked --release

image: ## the container image as a tar, without a container engine; fails when it is too large
	SPARK_SWAP_IMAGE=$$(image/build) cargo test --locked --quiet --test image

sbom: ## what the binary is made of (CycloneDX), beside the image
	image/sbom

deny: ## licences, sources and banned crates of the dependencies (builds cargo-deny at its first use)
	image/cargo-tool deny 0.20.2 check licenses bans sources

advisories: ## known vulnerabilities of the dependencies; needs the network
	image/cargo-tool deny 0.20.2 check advisories

fuzz: ## fuzz every parser for a minute each (needs cargo-fuzz and a nightly toolchain)
	cd fuzz && for target in $$(cargo +nightly fuzz list); do cargo +nightly fuzz run $$target -- -max_total_time=60; done

docs: ## regenerate the reference pages and what of the manifests is made from the code
	UPDATE_DOCS=1 cargo test --locked --quiet --test explain --test state --test check --test server --test experiment

clean: ## remove build output (the caches outside the tree stay)
	cargo clean
