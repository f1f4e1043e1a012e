# Everything runs in .venv, which is made when it is missing and brought up to date when
# the requirements have changed. PYTHON=python3.12 make ... makes it with another
# interpreter; remove one that is there first.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: help demo test test-all lint
.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ': .*## ' '/^[a-z-]+: .*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(INSTALLED) ## reconstruct a simulated head; table, picture and metrics
	@$(BIN)/python -m spinet_cli.demo

test: $(INSTALLED) ## the tests, but for the slow ones, in two processes
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-all: $(INSTALLED) ## all tests
	@$(BIN)/python -m pytest -m ""

lint: $(INSTALLED) ## style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

$(INSTALLED): pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.10 to 3.13 is needed; give one as PYTHON=..." >&2; exit 1; }
	@echo "Installing into .venv; TensorFlow and PyTorch take some minutes."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet -r requirements.txt -e ".[convert]"
	@touch $@
