# Everything from a fresh clone: `make demo`, `make test`. Needs Python 3.11+ (PYTHON=python3.12 names another one).
PYTHON ?= python3
# Handed to pip, e.g. PIP_FLAGS="--constraint versions.txt".
PIP_FLAGS ?=
# What the demonstration runs.
DEMO ?= study experiments/quickstart

VENV := .venv
BIN := $(VENV)/bin
# A stamp is newer than pyproject.toml exactly when the environment was installed from it.
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help demo test lint check gpu-check clean

help:
	@echo "make demo       install into .venv, train two small generators, compare them on a page"
	@echo "make test       install with the development tools, run every check and test"
	@echo "make lint       ruff, pyright and the import contracts"
	@echo "make gpu-check  table of what works on the GPU (ends well where there is none)"
	@echo "make clean      remove .venv and caches; runs/ stays"

demo: $(INSTALLED)
	$(BIN)/facegen $(DEMO)

# One thread: tests are small, and threads that wait for each other on a busy machine cost ten times the work.
test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest

lint: $(INSTALLED_DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright

gpu-check: $(INSTALLED)
	$(BIN)/python benchmarks/gpu_check.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "facegen needs Python 3.11 or newer, got %d.%d: make PYTHON=python3.12 ..." % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) --editable .
	@touch $@

$(INSTALLED_DEV): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) --editable '.[dev]'
	@touch $(INSTALLED) $@
