# Everything a person does with a checkout; `make` alone lists it.
# All paths are relative, so that the checkout may lie in a path with spaces.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help up down test check lint slow bench chaos soak sim fuzz lab lab-install lock install

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
QUIET := --quiet --progress-bar off

# torch is not in the lock: each platform has its own builds. See README, "Another torch".
TORCH ?= torch==2.13.0
TORCH_FROM ?=

# Which family `make bench`, `chaos` and `soak` run, and which folder of tests `make check`; empty: all.
ONLY ?=

# Tests that start houses or servers of their own: a file of them runs in one process.
APART := tests/system tests/migrate

# What lab.lock pins, with what they need; what they share with the house has the house's version.
LAB_NAMES := import tomllib; \
  print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['lab'], \
  sep='\n')

help:
	@echo "make up      install what is missing, start the house, wait until it is READY"
	@echo "make down    stop everything, in order"
	@echo "make test    install what is missing, run the fast tests"
	@echo "make check   make lint, make test and make slow: exactly what CI runs (ONLY=migrate for one folder)"
	@echo "make lint    format, lint and types"
	@echo "make slow    the tests that start processes or take their time"
	@echo "make bench   measure (ONLY=startup, bus, shards, path, core or data for one family)"
	@echo "make chaos   kill processes by the hundred while messages flow (ONLY=bus SEED=n KILLS=n; ONLY=shards SEED=n SECONDS=n; ONLY=orders SEED=n CELLS=n)"
	@echo "make sim     the order path by seeds, under everything that can happen to it (SEEDS=n or MINUTES=n, FROM=k)"
	@echo "make soak    what holds at a hundred million rows, after hundreds of kills, for an hour of seeds (ONLY=shards, ONLY=sim MINUTES=n)"
	@echo "make fuzz    bytes of chance for all that reads what others wrote (SECONDS=n TARGET=name)"
	@echo "make lab     notebooks over what the house keeps, at an address that it prints"
	@echo "make lab-install  install what notebooks need, and start nothing"
	@echo "make lock    write requirements.lock and lab.lock anew from pyproject.toml"

up: install
	@$(BIN)/python -m services.rrr up

down:
	@if [ -e $(VENV)/.house ]; then $(BIN)/python -m services.rrr down; \
	else echo "Nothing is installed here, so nothing runs."; fi

# Tests start hundreds of short processes: where no bytecode may be kept beside the code, each of
# them would compile all that it imports. It is kept in the environment instead.
test check slow: export PYTHONDONTWRITEBYTECODE :=
test check slow: export PYTHONPYCACHEPREFIX := $(CURDIR)/$(VENV)/.pycache

test: install
	@$(BIN)/python -m pytest -n 2

ifeq ($(ONLY),)
check: lint test slow
else
check: lab-install
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow or not slow" tests/$(ONLY)
endif

lint: lab-install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

slow: lab-install
	$(BIN)/python -m pytest -n 2 -m slow --durations=5 $(APART:%=--ignore=%)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow --durations=10 $(APART)

bench: install
	@$(BIN)/python -m tests.bench $(ONLY)

chaos: install
	@$(BIN)/python -m tests.chaos $(ONLY)

soak: install
	@$(BIN)/python -m tests.soak $(ONLY)

sim: install
	@$(BIN)/python -m tests.sim

fuzz: install
	@$(BIN)/python -m tests.fuzz

# For this machine alone, behind a token that is made anew at each start; it calls nobody.
lab: lab-install
	@cd docs/lab && "$(CURDIR)/$(BIN)/jupyter" lab --no-browser --log-level=WARN \
	  --ServerApp.ip=127.0.0.1 --LabApp.extension_manager=readonly --LabApp.news_url=None \
	  --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate \
	  $$(test "$$(id -u)" -ne 0 || echo --allow-root)

lab-install: $(VENV)/.lab

# In an environment of its own, which goes again.
lock: $(VENV)/.python
	rm -rf $(VENV)/lock
	$(BIN)/python -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install $(QUIET) uv
	$(VENV)/lock/bin/uv pip compile --quiet --universal --generate-hashes --extra model --extra archive --extra pg --extra keychain --extra dev \
	  --no-header --no-annotate --upgrade --output-file requirements.lock pyproject.toml
	$(BIN)/python -c "$(LAB_NAMES)" > $(VENV)/lock/lab.in
	$(VENV)/lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	  --no-header --no-annotate --upgrade --constraints requirements.lock \
	  --output-file lab.lock $(VENV)/lock/lab.in
	rm -rf $(VENV)/lock

install: $(VENV)/.house

# The first Python that is new enough and really runs (a shim may exist and not work).
$(VENV)/.python:
	@for name in python3.13 python3.12 python3.11 python3; do \
	  "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  echo "1/4 $$("$$name" --version) -> $(VENV)"; \
	  "$$name" -m venv $(VENV) && touch $@ && exit 0; \
	  echo "make: $$name cannot make $(VENV): see above." \
	    "On Debian and Ubuntu: apt install $$name-venv" >&2; exit 78; \
	done; \
	echo "make: Python 3.11 or newer is needed; looked for python3.13, python3.12, python3.11" \
	  "and python3, found $$(python3 --version 2>/dev/null || echo none)." \
	  "Install one, then run make again." >&2; exit 78

$(VENV)/.lock: $(VENV)/.python requirements.lock
	@echo "2/4 $$(grep -c '^[a-z]' requirements.lock) packages of requirements.lock ..."
	@$(PIP) install $(QUIET) --require-hashes -r requirements.lock
	@echo "    $(VENV) has $$(du -sh $(VENV) | cut -f1)"
	@touch $@

$(VENV)/.torch: $(VENV)/.lock
	@echo "3/4 $(TORCH) (a CPU build where one is offered) ..."
	@$(PIP) install $(QUIET) $(TORCH_FROM) "$(TORCH)"
	@echo "    $(VENV) has $$(du -sh $(VENV) | cut -f1)"
	@touch $@

$(VENV)/.house: $(VENV)/.torch pyproject.toml
	@echo "4/4 rrr, from this checkout ..."
	@$(PIP) install $(QUIET) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.lab: $(VENV)/.house lab.lock
	@echo "lab: $$(grep -c '^[a-z]' lab.lock) packages of lab.lock ..."
	@$(PIP) install $(QUIET) --require-hashes -r lab.lock
	@echo "    $(VENV) has $$(du -sh $(VENV) | cut -f1)"
	@touch $@
