# Two commands do everything on a fresh machine: `make demo` and `make test`.
SHELL := /bin/bash
QUICK := target/quick/mingjian
PORT ?= 8600
DATA ?= mingjian-data
SIZE ?= full

.PHONY: demo witness-demo web build test full-test durability bench lint e2e doc-tables

## demo: build, fill a demonstration city into an embedded database, serve it
demo: web
	cargo build --profile quick --workspace --locked
	exec $(QUICK) demo --data-dir $(DATA) --port $(PORT) --size $(SIZE)

## witness-demo: two nodes on this machine that witness each other's supervision log
witness-demo: web
	cargo build --profile quick --workspace --locked
	MINGJIAN=$(QUICK) scripts/witness_demo.sh

## web: the three faces, built only when their sources changed
web: web/dist/manifest.json
web/dist/manifest.json: web/node_modules/.installed $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print 2>/dev/null)
	cd web && npm run build
	@touch $@
web/node_modules/.installed: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

## test: Rust on both databases, front-end units, stories in a browser
test:
	scripts/test.sh

## bench: figures with machine, sizes and peers' versions
bench: web
	cargo build --release --workspace --locked
	scripts/bench.sh
	scripts/bench_portal
	scripts/bench_storm

## lint: format, clippy, licences, front-end lint and types
lint: web/node_modules/.installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cd web && npm run lint && npm run typecheck

## e2e: only the browser stories, against the debug binary
e2e: web
	scripts/test.sh browser

## durability: kills, power cuts, failing disks, flipped bytes, restores, in their short forms
durability:
	cargo build --workspace --locked
	python3 tests/durability

## full-test: everything, and the long forms of kills and repeats, on both databases
full-test: test
	MJ_LONG=1 scripts/test.sh rust
	python3 tests/durability --long
