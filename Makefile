# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --require-hashes --no-deps
LOCKS := requirements/base.lock requirements/torch.lock
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help env demo test test-slow lint format docs pictures wheel bench fuzz lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMP) ## make .venv with the locked versions of every extra but medmnist

$(STAMP): pyproject.toml $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@echo "Installing the locked versions into $(VENV); the first time takes a few minutes, and on Linux 7.4 GB of disk."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(INSTALL) $(LOCKS:%=-r %)
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: env ## train the small model on procedural lesions and draw a contact sheet
	$(BIN)/hqgan demo

test: env lint ## lint, check types, run the tests, two files at a time
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

test-slow: env ## run every test, the slow ones too
	$(BIN)/pytest -m ''

lint: env ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: env ## put the code into the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: env ## build the documentation, notebooks run, into build/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 HQGAN_DOCS_EXECUTE=true $(BIN)/mkdocs build --strict

pictures: env ## draw the diagrams of the documentation again
	$(BIN)/python website/pictures.py

wheel: env ## build dist/*.whl, install it into empty environments, without and with each extra
	rm -rf dist
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	$(BIN)/python tests/release/install.py dist

bench: env ## time the circuit engine against its peers, and a training step
	@$(INSTALL) -r requirements/bench.lock
	$(BIN)/python benchmarks/circuits.py --paper --json circuits.json
	$(BIN)/python benchmarks/iteration.py

fuzz: env ## random configs, trees and checkpoints against the boundary
	HQGAN_FUZZ=1 $(BIN)/pytest -m '' tests/test_fuzz.py

lock: ## resolve the locked versions again (needs uv)
	$(PYTHON) requirements/lock.py

clean: ## remove the environment and tool caches; runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist
