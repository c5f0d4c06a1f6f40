# Everything here is run from the repository's own folder and stays in it: .venv/ and .local/.

.DEFAULT_GOAL := help

VENV   := .venv
BIN    := $(VENV)/bin
# Once an environment is made, its Python is meant, until another is named.
PYTHON ?= $(if $(wildcard $(VENV)/.ready-*),$(BIN)/python,python3)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
READY  := $(VENV)/.ready-$(VERSION)
# What a game day is made of. Only some tests need others, and say so themselves.
SERVERS := temporal postgres valkey-server nginx prometheus alertmanager

.PHONY: help setup demo gameday test crash fuzz lint format types bench pictures lock clean

help: ## Say what can be made (this)
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(READY) ## Make the virtual environment, and find or fetch the programs
	$(BIN)/python -m deploy.local.programs $(SERVERS)

demo: $(READY) ## Break a real component and watch the response (ARGS="..." for its options)
	@$(BIN)/python -m deploy.local.programs $(SERVERS) >/dev/null
	$(BIN)/responder demo $(ARGS)

gameday: $(READY) ## Break one thing after the other, and score the answers (ARGS="redis …" for some)
	@$(BIN)/python -m deploy.local.programs $(SERVERS) >/dev/null
	$(BIN)/responder gameday $(ARGS)

JOBS ?= 3
SLOW := benchmark or crash_full or fuzz_full
# Real processes on a busy machine may miss a deadline: tried again, and shown as "rerun".
AGAIN := --reruns 2 --reruns-delay 1 -rR
# But never what was said or done twice, or wrongly: `assert wrong() == []` fails at once.
ONCE := --rerun-except "== \[\]"

# Side by side but for these: they watch a platform that must have the machine to itself.
ALONE := tests/e2e tests/gameday/test_database.py

test: setup ## Run all tests (ARGS="..." for pytest, which then runs once)
ifdef ARGS
	$(BIN)/python -m pytest -m "not ($(SLOW))" $(ARGS)
else
	$(BIN)/python -m pytest -q -n $(JOBS) --no-loadscope-reorder $(AGAIN) -m "not ($(SLOW))" $(ALONE:%=--ignore %)
	$(BIN)/python -m pytest -q $(AGAIN) $(ONCE) -m "not ($(SLOW) or crash)" $(ALONE)
endif

crash: setup ## Kill every part at every phase, one at a time; takes half an hour
	$(BIN)/python -m pytest -m "crash or crash_full" tests/e2e $(ARGS)

fuzz: setup ## Throw what nobody should send at every door, for long
	$(BIN)/python -m pytest -m "fuzz_full or not ($(SLOW))" tests/fuzz $(ARGS)

lint: $(READY) ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY) ## Put the code into its format, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY) ## Check the types
	$(BIN)/mypy

bench: $(READY) ## Measure, and keep it in tests/benchmarks/RESULTS.md (ARGS="first" for a part)
	$(BIN)/python -m tests.benchmarks $(ARGS)

pictures: $(READY) ## Take the pictures of docs/pictures anew; needs Chromium
	$(BIN)/python -m tests.pictures $(ARGS)

# uv has an environment of its own: it makes the lock, nothing here runs on it.
lock: ## Choose the newest versions allowed, and lock them with their hashes
	@$(PYTHON) -m venv .local/uv
	@.local/uv/bin/pip install --quiet uv
	.local/uv/bin/uv pip compile --quiet --upgrade --generate-hashes --universal \
		--python-version 3.11 --no-emit-index-url --no-emit-find-links \
		--all-extras --group dev --group build --custom-compile-command "make lock" \
		--output-file requirements.lock pyproject.toml

clean: ## Remove the virtual environment, the programs and all that was made
	rm -rf $(VENV) .local reports build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find activities workflows workers starters deploy tests -name __pycache__ -prune -exec rm -rf {} +

# The embedded PostgreSQL refuses root and is run as nobody, who must be able to walk to it:
# hence the umask, whatever the caller's own is.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || { \
		echo "This needs Python 3.11, 3.12 or 3.13; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." >&2; \
		echo "Install one, then name it:  make $(or $(MAKECMDGOALS),setup) PYTHON=python3.12" >&2; \
		exit 1; }
	[ -e $@ ] || { umask 022 && $(PYTHON) -m venv --clear $(VENV); }
	umask 022 && $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	umask 022 && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
