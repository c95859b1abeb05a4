# Two commands on a machine with Python >= 3.11 and make: `make demo`, `make test`.
# Each sets up what it needs in .venv first; nothing outside this folder is touched.

PYTHON ?= python3
VENV := .venv
# Test files are shared out over this many processes: two, up to four where there are cores.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(4, max(2, os.cpu_count() or 2)))')
BIN := $(VENV)/bin
# Java brings the second engine: its tests run where it is found.
LOCK := $(if $(shell command -v java 2>/dev/null),requirements-spark.lock,requirements.lock)
STAMP := $(VENV)/.installed-$(LOCK)

# Starting from source each time would cost every command ten seconds.
unexport PYTHONDONTWRITEBYTECODE
export DO_NOT_TRACK := 1
export DAGSTER_DISABLE_TELEMETRY := yes

.PHONY: help setup demo test lint soak ui bench clean

help:
	@echo "make demo   bill three months of a sample company (about 1 M events)"
	@echo "make test   run the tests"
	@echo "make ui     open Dagster on the demo's workspace"
	@echo "make lint   ruff, mypy, sqlfluff"
	@echo "make soak   the long crash tests"
	@echo "make bench  the benchmarks (benchmarks/README.md)"

setup: $(STAMP)

$(STAMP): $(LOCK) pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

demo: setup
	$(BIN)/meterhouse demo

test: setup
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

ui: setup
	$(BIN)/meterhouse ui

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint --processes $(WORKERS) dbt_project

soak: setup
	METERHOUSE_SOAK=1 $(BIN)/python -m pytest -m soak

bench: setup
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) target logs workspace
