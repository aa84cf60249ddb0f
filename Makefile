# One entry for people and for CI: `make demo` runs the whole road, `make test` proves it.
PYTHON  ?= python3
VENV    ?= .venv
BIN     := $(VENV)/bin
DEMO    ?= runs/demo
WORKERS ?= 2

.PHONY: demo test test-cluster check format lint types layers notebooks clean help

help:
	@echo "make demo   simulate a planet, train, forecast, judge, draw; prints where the report is"
	@echo "make test   every test that CI runs"
	@echo "make test-cluster   trainings on a real SLURM, which it starts here; as root, with slurm-wlm and munge installed"
	@echo "make check  format, lint, types, import layers, then the tests"

demo: $(VENV)/.installed-plot
	$(BIN)/weatherml demo --output $(DEMO)

test: $(VENV)/.installed-dev layers
	$(BIN)/python -m pytest tests notebooks --nbmake --nbmake-timeout=300 --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# Outside of `make test`: some minutes of waiting for SLURM, which starts a job again after two.
test-cluster: $(VENV)/.installed-dev
	PYTHONPATH=tests $(BIN)/python tests/cluster/warned_training.py
	PYTHONPATH=tests $(BIN)/python tests/cluster/killed_task.py

check: $(VENV)/.installed-dev format lint types test

format: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

layers: $(VENV)/.installed-dev
	$(BIN)/lint-imports

# Runs the notebooks as their scripts have them, and stores them with what they show.
notebooks: $(VENV)/.installed-dev
	$(BIN)/python notebooks/execute.py notebooks/*_*.py

# A missing ensurepip (Debian without python3-venv) is mended with virtualenv, so pip alone is enough.
$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "weatherml needs Python 3.11 or newer, got $$($(PYTHON) --version); pass PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); \
	  $(PYTHON) -m pip install --quiet --target .bootstrap virtualenv && \
	  PYTHONPATH=.bootstrap $(PYTHON) -m virtualenv --quiet $(VENV) && rm -rf .bootstrap; }

$(VENV)/.installed-%: $(VENV)/pyvenv.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

# Python 3.11 has no jax that the extra `export` would hold back, so its tests run there; elsewhere they skip and jax is the newest.
$(VENV)/.installed-dev: $(VENV)/pyvenv.cfg pyproject.toml
	extras=$$($(BIN)/python -c 'import sys; print("dev" + ",export" * (sys.version_info < (3, 12)))') && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[$$extras]"
	@touch $@

clean:
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
