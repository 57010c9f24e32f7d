# Everything runs in .venv, which is made here and made anew only when pyproject.toml or constraints.txt change.

PYTHON ?= python3
CHECK_SECONDS ?= 100
NIGHTLY_SECONDS ?= 3600
PYTEST_ARGS ?=
PROVE_ARGS ?=

BIN := .venv/bin
HEATPROOF := $(BIN)/heatproof
STAMP := .venv/.installed
ROOMS := model properties strategies reports ports
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Each start would compile all that it imports, seconds of it, where bytecode is not kept; the tests start hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help check prove test lint compiled bench nightly nightly-tests nightly-check clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "PYTHON=python3.12 picks the Python of a new .venv; CHECK_SECONDS, NIGHTLY_SECONDS, PROVE_ARGS and PYTEST_ARGS are heeded too."

check: $(STAMP) ## check Heat's own design for CHECK_SECONDS; the report goes to .heatproof/check
	$(call run-check,$(CHECK_SECONDS),.heatproof/check)

prove: $(STAMP) ## search all runs of Heat's own design in a small scope; PROVE_ARGS says which: heatproof prove --help
	@rm -f .heatproof/prove/verdicts.txt
	$(HEATPROOF) prove $(PROVE_ARGS) --report .heatproof/prove || { code=$$?; [ $$code -eq 1 ] && [ -e .heatproof/prove/verdicts.txt ]; }

test: $(STAMP) ## lint, then all tests
	@$(MAKE) --jobs 2 --no-print-directory lint compiled
	$(BIN)/pytest -n 2 --max-worker-restart=0 $(PYTEST_ARGS)

lint: $(STAMP) ## ruff, mypy and the rules on who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p heatproof -m conftest
	$(BIN)/lint-imports

# It takes a minute after an installation, and each test process would do the same. What goes wrong here is for the tests to tell.
compiled: $(STAMP)
	@$(HEATPROOF) prove heat --operations create --faults crash --engines 2 --shrink 0 --report .heatproof/compiled >/dev/null 2>&1 || :
	@rm -rf .heatproof/compiled

bench: $(STAMP) ## measure speed and finding power
	$(BIN)/python -m benchmarks

nightly: ## many examples, then a check of NIGHTLY_SECONDS; the second runs even where the first fails
	@$(MAKE) --keep-going nightly-tests nightly-check

nightly-tests: $(STAMP)
	$(BIN)/pytest -n 2 --max-worker-restart=0 --hypothesis-profile nightly $(PYTEST_ARGS)

nightly-check: $(STAMP)
	$(call run-check,$(NIGHTLY_SECONDS),.heatproof/nightly)

clean: ## remove .venv, caches and builds; what was found (.heatproof, .hypothesis) stays
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# heatproof check ends with 0: held, 1: violated, 2: wrong use, 3: it could not say. Python also ends with 1 when a program
# cannot even start, so it must start first, and a 1 counts only where there is a report to show for it.
define run-check
@$(HEATPROOF) --version
@rm -f $(2)/verdicts.txt
@echo "heatproof check --seconds $(1) --report $(2)"; \
$(HEATPROOF) check --seconds $(1) --report $(2) || { \
  code=$$?; \
  if [ $$code -eq 1 ] && [ -e $(2)/verdicts.txt ]; then \
    echo "Violations were found, as expected of Heat's own design. The report is in $(2); heatproof here is $(HEATPROOF)."; \
  else \
    echo "heatproof check ended with exit code $$code: this is no verdict on a design, something is wrong." >&2; \
    exit $$code; \
  fi; }
endef

# A .venv holds its own path, so one that was moved or copied is made anew, and so is one that was never finished.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { \
	  echo "heatproof needs Python 3.11 or newer, and there is no $(PYTHON) here. Name one: make $(MAKECMDGOALS) PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "heatproof needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	    "Name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@for room in $(ROOMS); do test -f heatproof/$$room/__init__.py || { \
	  echo "heatproof/$$room is not the link to $$room/ that it should be. Where git checks links out as plain files," \
	    "set 'git config core.symlinks true' and check heatproof/ out again." >&2; exit 1; }; done
	@test "$$(cat $@ 2>/dev/null)" = "$(CURDIR)" || $(PYTHON) -m venv --clear .venv || { rm -rf .venv; \
	  echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into .venv ..."
	@$(PIP) setuptools
	@$(PIP) --no-build-isolation --no-compile --editable '.[dev,heat,postgresql,mariadb]'
	@echo "$(CURDIR)" >$@
