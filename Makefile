# `make train` and `make test` work in a fresh clone: they make .venv and install what they need.

SHELL := /bin/bash
# the first Python that torch and Sacred both run on; choose another with make PYTHON=...
PYTHON ?= $(shell for p in python3.12 python3.13 python3.11 python3; do \
	$$p -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
VERSIONS := requirements/constraints.txt
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check -q -c $(VERSIONS)
# chosen for a steady curve: docs/results.md
STEADY := lr=0.001 lr_final=0.0002 lr_anneal_time=150000 td_lambda=0.6 policy_average=0.997
TRAIN := --config=mnmpg --env-config=sc2_sim with env_args.map_name=3m t_max=200000 $(STEADY)

.PHONY: train test lint format bench clean
.DELETE_ON_ERROR:

train: .venv/installed  ## set up, run the main job for some minutes, say how it went
	$(BIN)/python run.py $(TRAIN)
	@echo
	@echo "Next: a harder map      $(BIN)/python run.py --config=qmix --env-config=sc2_sim with env_args.map_name=2s3z"
	@echo "      what there is     $(BIN)/python run.py --list"
	@echo "      every key         $(BIN)/python run.py --config=mnmpg --env-config=sc2_sim print_config"

test: .venv/installed-dev  ## set up and pass the tests
	$(BIN)/python -m pytest -n auto

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed
	$(BIN)/python -m benchmarks.throughput

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11, 3.12 or 3.13 with the venv module is needed (make PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt $(VERSIONS) | .venv/bin/python
	$(INSTALL) -r requirements.txt
	touch $@

# overcooked-ai, a game of the tests, asks for another pygame and for notebooks, which the game itself does not import
.venv/installed-dev: requirements.txt $(wildcard requirements/*.txt) | .venv/bin/python
	$(INSTALL) -r requirements/dev.txt
	$(INSTALL) --no-deps overcooked-ai==1.1.0
	touch $@ .venv/installed
