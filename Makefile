# Two commands for newcomers: `make demo` and `make test`. Each sets up its own environment in .venv.
PYTHON ?= python3
# The build of torch to install; for a GPU machine give the one that fits its driver, such as TORCH=torch.
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.PHONY: help setup demo test test-all check format rules clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed: make PYTHON=python3.11"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet '$(TORCH)'
	$(BIN)/python -m pip install --quiet --editable '.[all]' --group dev
	touch $@

setup: $(READY)  ## make the environment in .venv

demo: $(READY)  ## the main job, end to end: draw, lint, convert, train, evaluate
	$(BIN)/dataprep demo --out demo-run

test: $(READY)  ## the tests that every change must pass
	$(BIN)/python -m pytest

test-all: $(READY)  ## the slow tests too
	$(BIN)/python -m pytest -m 'not gpu'

check: $(READY)  ## format, lint, types, import directions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

rules: $(READY)  ## write docs/rules.md from the rules' own texts
	$(BIN)/python -c 'from dataprep.reports.rule_pages import manual; print(manual(), end="")' > docs/rules.md

clean:  ## remove the environment and what the demo made
	rm -rf $(VENV) demo-run
