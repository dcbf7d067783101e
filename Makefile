# make demo    age a portrait, restore it, look at out/demo/   (make demo PHOTO=my.jpg: yours)
# make test    lint, types and the whole test suite
# make check   the fast half of it, for every commit
#
# make ... VENV=folder PYTHON=python3.12 use another virtual environment or interpreter.

VENV ?= .venv
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do $$p -c '' 2>/dev/null && echo $$p && break; done)
PHOTO ?=

PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
# basicsr builds from source and imports torch and numpy while doing so. Built in isolation, pip
# would download a second torch for it; built here, it takes the one that is installed first.
BASICSR := basicsr==1.4.2
BUILD := torch torchvision numpy cython setuptools wheel

# A process for each core, of one thread each: several threads in each would wait for one another.
.PHONY: demo test check install

demo: $(VENV)/.installed
	$(VENV)/bin/oldfix demo $(if $(PHOTO),"$(PHOTO)")

test: $(VENV)/.test-installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --numprocesses auto

check: $(VENV)/.test-installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --numprocesses auto tests/core tests/files tests/cli

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install $(BUILD)
	$(PIP) install --no-build-isolation $(BASICSR)
	$(PIP) install --editable .
	touch $@

$(VENV)/.test-installed: $(VENV)/.installed
	$(PIP) install --editable '.[test]'
	touch $@
