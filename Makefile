# The project's commands. `make demo` and `make test` work first thing in a fresh clone: they set up .venv themselves.

PYTHON ?= python3.11
PYTHON := $(shell for p in $(PYTHON) python3.13 python3.12 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { command -v $$p; break; }; done)
BIN := .venv/bin
UV_VERSION := 0.13.8
SETUP := .venv/.set-up

.DEFAULT_GOAL := help
.PHONY: help setup demo test attack lint bench bench-gpu lock clean

help: ## Show these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(SETUP) ## Make .venv with the locked packages and the suite in it

$(SETUP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 found: make PYTHON=/path/to/python"; exit 2; }
	test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=.venv $(BIN)/uv pip sync --quiet requirements.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

demo: $(SETUP) ## Train CycleGAN on built-in faces: minutes on a laptop's CPU, a picture grid at the end
	$(BIN)/python -m suite.train experiment=cyclegan_lsgan scale=demo

# Compiled modules are kept, whatever the environment says: without them each of the many processes compiles torch anew.
test: $(SETUP) ## Run the tests, in two processes of one thread: the networks in them are small
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 2 --dist worksteal

attack: $(SETUP) ## Attack the commands with odd values, kills, flipped bits and hostile run folders, and count: half an hour
	PYTHONDONTWRITEBYTECODE= $(BIN)/python tests/attack

lint: $(SETUP) ## Check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(SETUP) ## Time a training step against a bare loop
	$(BIN)/python -m suite.bench experiment=cyclegan_lsgan
	$(BIN)/python -m suite.bench experiment=pix2pix_final data.batch_size=1
	$(BIN)/python -m suite.bench experiment=pix2pix_unet data.batch_size=1

bench-gpu: $(SETUP) ## Measure the tables of docs/speed.md on one GPU, as Markdown: nine minutes
	@$(BIN)/python -m suite.bench.sheet gpu

lock: $(SETUP) ## Pin the newest packages that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --all-extras --upgrade pyproject.toml -o requirements.lock

clean: ## Remove .venv and everything built; runs stay
	rm -rf .venv build dist .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
