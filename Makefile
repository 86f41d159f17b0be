# The house. `make help` lists what there is. Every step that installs something leaves a stamp in .venv/.stamps.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

# A real interpreter: version managers put slow wrapper scripts first on PATH.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3.11 /usr/local/bin/python3.11) \
	$(shell command -v python3.11) $(shell command -v python3))
BIN := .venv/bin
STAMPS := .venv/.stamps
APT := DEBIAN_FRONTEND=noninteractive apt-get
SRC := src tests tools examples bench

.PHONY: help run test unit root-test check bench fmt clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

run: $(STAMPS)/product $(STAMPS)/busybox ## install, then show a container at work, and leave nothing behind
	@$(BIN)/python examples/demo.py

test: $(STAMPS)/dev $(STAMPS)/busybox $(STAMPS)/test-tools ## unit tests, then the tests that need root
	@$(BIN)/python -m pytest $(PYTEST_FLAGS) tests/unit $(wildcard tests/conformance) tests/integration tests/attacks tests/e2e

unit: $(STAMPS)/dev ## unit tests only: no root, no network
	@$(BIN)/python -m pytest $(PYTEST_FLAGS) tests/unit

root-test: $(STAMPS)/dev $(STAMPS)/busybox $(STAMPS)/test-tools ## integration and end-to-end tests only
	@$(BIN)/python -m pytest $(PYTEST_FLAGS) tests/integration tests/attacks tests/e2e

check: $(STAMPS)/dev ## lint, format, types, import contracts, spelling, layout
	$(BIN)/ruff check $(SRC)
	$(BIN)/ruff format --check $(SRC)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell src tests tools examples bench docs *.md Makefile pyproject.toml
	$(BIN)/python tools/check_layout.py

bench: $(STAMPS)/product $(STAMPS)/busybox ## measure; ENGINES="a=unix:///a.sock b=unix:///b.sock" compares engines
	@$(BIN)/python bench/bench.py $(ENGINES)

fmt: $(STAMPS)/dev ## format the code and sort its imports
	$(BIN)/ruff check --fix --select I $(SRC)
	$(BIN)/ruff format $(SRC)

clean: ## remove what the other targets made, .venv included
	rm -rf .venv build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(SRC) -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMPS)/venv:
	@test -n "$(PYTHON)" || { echo "no Python 3.11 found; set PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than Python 3.11; set PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ $(APT) -qq update && $(APT) -qq -y install --no-install-recommends python3.11-venv; }
	$(PYTHON) -m venv .venv
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/product: pyproject.toml $(STAMPS)/venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	@touch $@

$(STAMPS)/dev: pyproject.toml $(STAMPS)/product
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@

# A dynamic busybox, as Debian's `busybox` package has it, cannot run in an empty root.
$(STAMPS)/busybox: | $(STAMPS)/venv
	@{ command -v busybox >/dev/null && ! head -c 4096 "$$(command -v busybox)" | grep -aq ld-linux; } || \
		{ $(APT) -qq update && $(APT) -qq -y install --no-install-recommends busybox-static; }
	@touch $@

# Only the tests look at the kernel's state with other people's programs.
$(STAMPS)/test-tools: | $(STAMPS)/venv
	@{ command -v ip && command -v nft && command -v iptables && command -v runc && command -v crun && \
		ldconfig -p | grep -F libseccomp.so.2; } >/dev/null || \
		{ $(APT) -qq update && $(APT) -qq -y install --no-install-recommends \
		iproute2 nftables iptables libseccomp2 runc crun; }
	@touch $@
