# Everything for a fresh machine with make and Python 3.11, 3.12 or 3.13: `make demo`, `make test`.
# Variables: PYTHON (the interpreter for a new environment), VENV, DEMO (folder of the demo), WORKERS (of the tests).

VENV ?= .venv
DEMO ?= demo-output
WORKERS ?= 2
PYTHON ?=
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-all lint check doctor bench clean distclean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## Set up, then plan on the synthetic section that ships with the package
	$(BIN)/nichedose demo $(DEMO)

test: lint ## Set up, then lint, types, import layers and all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

lint: $(VENV)/.installed-dev ## Set up, then ruff, mypy and the import layers
	$(BIN)/ruff check --quiet
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports

test-all: ## Tests on the oldest and on the newest supported Python that are present
	@old=$$(tools/find-python --oldest) && new=$$(tools/find-python --newest) && \
	for python in $$(printf '%s\n' $$old $$new | sort -u); do \
	  name=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])') && \
	  echo "Python $$name" && \
	  $(MAKE) --no-print-directory test PYTHON=$$python VENV=.venv-$$name || exit 1; \
	done

check: $(VENV)/.installed ## Our numbers beside published, analytic and independent ones
	$(BIN)/nichedose check

doctor: $(VENV)/.installed ## Versions, devices, memory and self-tests
	$(BIN)/nichedose doctor

bench: $(VENV)/.installed ## Time and memory of the demo
	$(BIN)/python benchmarks/demo.py

clean: ## Remove caches and the demo's output
	rm -rf $(DEMO) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove the environments too
	rm -rf .venv .venv-*

# ---- set-up: once, and again when pyproject.toml changes ----

$(BIN)/python:
	@python=$$(tools/find-python $(or $(PYTHON),--default)) && \
	echo "Making $(VENV) with $$python ($$($$python -V))" && $$python -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing nichedose into $(VENV) (a minute or two the first time)"
	@$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	@echo "Installing nichedose with its development tools into $(VENV) (a minute or two the first time)"
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $(VENV)/.installed $@
