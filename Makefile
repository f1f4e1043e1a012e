# Everything runs in .venv, which is made when it is missing and brought up to date when
# the requirements have changed: the program for the demo, what its tests need besides
# for the rest. PYTHON=python3.12 make ... makes it with another interpreter; remove one
# that is there first.
PYTHON ?= python3
BIN := .venv/bin
PROGRAM := .venv/program
TESTED := .venv/tests

.PHONY: help demo test test-all lint
.DEFAULT_GOAL := help

help: ## print this list
	@awk -F ': .*## ' '/^[a-z-]+: .*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(PROGRAM) ## reconstruct a simulated head; table, picture and metrics
	@$(BIN)/python -m spinet_cli.demo

test: $(TESTED) ## the tests, but for the slow ones, in two processes
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-all: $(TESTED) ## all tests
	@$(BIN)/python -m pytest -m ""

lint: $(TESTED) ## style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

$(PROGRAM): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || \
		{ echo "Python 3.10 to 3.13 is needed; give one as PYTHON=..." >&2; exit 1; }
	@echo "Installing the program into .venv; TensorFlow takes some minutes."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet -e .
	@touch $@

$(TESTED): $(PROGRAM) requirements.txt
	@echo "Installing what the tests need into .venv; PyTorch takes some minutes."
	@$(BIN)/python -m pip install --quiet -r requirements.txt -e ".[convert]"
	@touch $@
