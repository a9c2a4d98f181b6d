# The commands of the README. `make run` and `make test` need nothing but Python 3.11 to 3.13, git and make.

SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
  if command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; \
  then echo $$p; break; fi; done)
BIN := .venv/bin
ARGS ?=
# Byte code and numba's cache make every start a second faster: keep them where a machine switches them off.
unexport PYTHONDONTWRITEBYTECODE
export DAGSTER_HOME ?= $(CURDIR)/dagster_home

.PHONY: setup run test ui check bench clean

define install
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11, 3.12 or 3.13 on the PATH; install one and run make again"; exit 1; }
	@test -x $(BIN)/python || { echo "making .venv with $(PYTHON)"; $(PYTHON) -m venv .venv; }
	@echo "installing dependencies (a minute or two on a fresh machine)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable "$(1)" \
	  2> >(grep -v -e "is ignored: it is neither" -e "^WARNING: Running pip as" >&2)
	@touch $@
endef

# What `make run` and `make ui` need.
.venv/.run: pyproject.toml constraints.txt
	$(call install,.)

# What the checks, the tests and the benchmarks need on top.
.venv/.test: pyproject.toml constraints.txt
	$(call install,.[test])
	@touch .venv/.run

.venv/.bench: pyproject.toml constraints.txt
	$(call install,.[bench])
	@touch .venv/.run .venv/.test

setup: .venv/.test

run: .venv/.run
	@$(BIN)/ace-assets run $(ARGS)

ui: .venv/.run
	@$(BIN)/ace-assets recover
	@echo "the Dagster UI: http://127.0.0.1:3000   (Ctrl-C ends it)"
	@$(BIN)/python -m dagster dev --workspace workspace.yaml --host 127.0.0.1 --port 3000 --log-level warning

test: .venv/.test
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: .venv/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/.bench
	@for script in tests/bench/bench_*.py; do echo; echo "== $$script"; $(BIN)/python -m $$(echo $${script%.py} | tr / .) $(ARGS) || exit 1; done

clean:
	rm -rf .venv dist build
