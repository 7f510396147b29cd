# Decalog's commands. `make help` lists them; CONTRIBUTING.md says when to use which.

CARGO   ?= cargo
VENV    := .venv
PYTHON  := $(VENV)/bin/python
TOOT    := $(VENV)/toot-0.52.1
TOOT_SHA256 := b737173be5587522077c18c4024eb1741a4a30e59d3165e72fd6ce4519d2fecb
RECBOLE := recbole-1.2.1-py3-none-any.whl
RECBOLE_SHA256 := 9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407
MOVIELENS := $(VENV)/ml-100k
DATA    ?= data/demo
# Crates with guarantees that can be taken out. Nothing is built for some packages alone: others' dependencies have other features,
# and all would be compiled again.
SABOTAGED := log runtime fix gateway seal identity blob outbound learn feed
# QuickFIX's acceptance definitions, where somebody has them (see acceptance/README.md).
ifneq ($(wildcard ../shared/suites/fix44),)
export FIX_DEFINITIONS ?= $(abspath ../shared/suites/fix44)
endif

.DEFAULT_GOAL := help
.PHONY: help run build setup test test-rust test-sabotage test-ranking test-acceptance check format bench clean

help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Sets up, builds, and starts the server with demo data (in $(DATA))
	./target/release/decalog serve --demo --data $(DATA)

build: setup-rust ## Builds the server
	@$(CARGO) build --release --locked -p decalog

setup: setup-rust setup-python ## Installs what is missing for the tests; does nothing when all is there

.PHONY: setup-rust setup-python
setup-rust:
	@checks/setup.sh rust

setup-python: $(VENV)/.installed $(TOOT)
$(VENV)/.installed: acceptance/requirements.txt
	@checks/setup.sh python
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# toot's own tests come with its source only.
$(TOOT): $(VENV)/.installed
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --no-binary toot --dest $(VENV) toot==$(TOOT:$(VENV)/toot-%=%)
	echo "$(TOOT_SHA256)  $(TOOT).tar.gz" | sha256sum --check --quiet
	tar -xzf $(TOOT).tar.gz -C $(VENV) && touch $@

# The data set that PyPI's recbole carries: the wheel is read, not installed.
$(MOVIELENS): $(VENV)/.installed
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps --dest $(VENV) recbole==1.2.1
	echo "$(RECBOLE_SHA256)  $(VENV)/$(RECBOLE)" | sha256sum --check --quiet
	$(PYTHON) -m zipfile --extract $(VENV)/$(RECBOLE) $(VENV)/recbole
	mv $(VENV)/recbole/recbole/dataset_example/ml-100k $@ && rm -r $(VENV)/recbole && touch $@

test: setup test-rust test-sabotage test-ranking test-acceptance ## Runs every test of the project

test-rust: setup-rust ## Rust: units, properties, simulations
	$(CARGO) test --release --locked

test-sabotage: setup-rust ## Negative controls: with a guarantee taken out, its test must fail
	$(CARGO) test --release --locked --features "$(SABOTAGED:%=decalog-%/sabotage)" $(SABOTAGED:%=--test %) controls

test-ranking: setup-rust $(MOVIELENS) ## Ranking on other people's reactions, by held-out time
	MOVIELENS=$(abspath $(MOVIELENS)) $(CARGO) test --release --locked --test feed offline -- --ignored --nocapture

test-acceptance: build setup-python ## Real clients against the built server
	$(CARGO) build --release --locked --example echo
	$(PYTHON) -m pytest --numprocesses 2 --dist loadfile acceptance

check: setup-rust ## Format, lints, documentation, tidiness, licences, duplicate crates
	$(CARGO) fmt --check
	$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps --quiet
	python3 checks/tidy.py
	python3 checks/dependencies.py

format: ## Formats the code
	$(CARGO) fmt

bench: build ## Measures against what a user would pick instead; prints ratios
	@checks/setup.sh bench
	$(CARGO) run --release --locked -p decalog-bench -- all

clean: ## Removes what was built and installed here (not the data)
	rm -rf target $(VENV) bench/build bench/peers/target
