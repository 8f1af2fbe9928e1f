# Every command a person types. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# tests start a hundred processes of ours; none of them should compile everything anew
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup check format test long demo verify simulate simulate-budget simulate-silence simulate-tokens bench first-load soak sizes screenshots serve work up lock audit migration env-example salesforce-source salesforce-check salesforce-cli-check salesforce-format salesforce-screenshots salesforce-lock clean

help:  ## list the targets
	@echo "Chronobridge: make TARGET"; echo
	@grep -hE '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-17s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml
	@echo "setting up $(VENV) from requirements.lock (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@awk '/^uv==/ { found = 1 } found { print; if (!/\\$$/) exit }' requirements.lock > $(VENV)/uv.lock
	@$(BIN)/python -m pip --quiet --disable-pip-version-check install --require-hashes --no-deps -r $(VENV)/uv.lock 2>/dev/null
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --system-certs --quiet --require-hashes --compile-bytecode -r requirements.lock
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --system-certs --quiet --no-deps -e .
	@touch $@

setup: $(READY)  ## make .venv with everything, from the lock file

check: $(READY)  ## format, lint, types, imports, deploy files: half a minute
	@$(BIN)/ruff format --check --quiet . || (echo "run: make format"; exit 1)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@said=$$($(BIN)/lint-imports --no-logo 2>&1) || (echo "$$said"; exit 1)
	@$(BIN)/codespell README.md CHANGELOG.md app workers tests deploy
	@$(BIN)/hadolint deploy/Dockerfile
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec deploy/compose.yaml
	@$(BIN)/yamllint --strict deploy/compose.yaml .pre-commit-config.yaml
	@$(BIN)/shellcheck .ci/run deploy/salesforce/checks/run deploy/make-secrets deploy/postgres-init.sh

format: $(READY)  ## let ruff format and fix what it can
	@$(BIN)/ruff check --quiet --fix-only . ; $(BIN)/ruff format --quiet .

test: $(READY)  ## every test a fresh machine can run, side by side; flows on PostgreSQL
	@$(BIN)/python -m tests.side_by_side $(ARGS)

long: $(READY)  ## what `test` runs a seeded slice of, in full; flows on SQLite; all of the stand-ins' own tests
	@$(BIN)/python -m pytest -m long -n 2 --dist worksteal $(ARGS)

demo: $(READY)  ## the whole story on this machine, stays up until Ctrl-C
	@$(BIN)/chronobridge demo $(ARGS)

verify: $(READY)  ## the promises put to the test, with real processes and faults; ARGS="--minutes 30"
	@$(BIN)/chronobridge verify $(ARGS)

simulate: $(READY)  ## SEEDS=10000: so many random histories with faults, FIRST=1 on; SEED=42: one, line by line; SORT=rough, plain or documents; DATABASE=sqlite or postgresql
	@$(BIN)/python -m tests.simulate.many $(if $(SORT),--$(SORT)) $(if $(DATABASE),--database $(DATABASE)) $(if $(SEED),--show $(SEED),--seeds $(or $(SEEDS),1000) --first $(or $(FIRST),1))

simulate-budget: $(READY)  ## HOURS=1000: four workers share DrChrono's hours and die now and then; FIRST=1, the seed
	@$(BIN)/python -m tests.simulate.budget --hours $(or $(HOURS),1000) --first $(or $(FIRST),1)

simulate-tokens: $(READY)  ## SEEDS=1,2,3: eight workers race for single-use tokens, and some die
	@$(BIN)/python -m tests.simulate.token_race --seeds $(or $(SEEDS),1)

simulate-silence: $(READY)  ## DAYS=30 BREAKS=20 FIRST=1: quiet days without an alarm, and how soon a feed that stops is found
	@$(BIN)/python -m tests.simulate.quiet --days $(or $(DAYS),30) --seeds $(or $(SEEDS),1) --breaks $(or $(BREAKS),20) --first $(or $(FIRST),1)

bench: $(READY)  ## throughput, latency and cost beside yardsticks of one run; writes bench.json; ARGS="--only idle,burst", --quick or --all
	@$(BIN)/python -m tests.load.bench $(ARGS)

first-load: $(READY)  ## PATIENTS=100000: a first load, then comparing with nothing changed: calls, seconds, memory
	@$(BIN)/python -m tests.load.first_load --patients $(or $(PATIENTS),100000)

soak: $(READY)  ## MINUTES=30: everybody at real processes on both databases, with faults and odd things; what a process holds stays flat
	@$(BIN)/python -m tests.load.soak --minutes $(or $(MINUTES),30)

sizes: $(READY)  ## DELIVERIES=1000000 DATABASE=sqlite or postgresql: bytes at the peak, and after housekeeping
	@$(BIN)/python -m tests.load.sizes --deliveries $(or $(DELIVERIES),1000000) --database $(or $(DATABASE),sqlite)

screenshots: $(READY)  ## every page of the console with demo data, into deploy/docs/images/ (needs chromium)
	@$(BIN)/python -m tests.browser.screenshots

up serve work: $(READY)  ## run the service (needs settings, see deploy/env.example)
	@$(BIN)/chronobridge $@

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11
lock: $(READY)  ## resolve pyproject.toml into requirements.lock and the images' two under deploy/, with hashes
	@$(COMPILE) --extra dev pyproject.toml -o requirements.lock
	@echo 'setuptools>=77' | $(COMPILE) --constraint requirements.lock pyproject.toml - -o deploy/requirements.lock
	@$(COMPILE) --constraint requirements.lock --extra demo pyproject.toml -o deploy/requirements.demo.lock

audit: $(READY)  ## known flaws of everything in the lock files; asks PyPI, so it needs the network
	@for lock in requirements.lock deploy/requirements.lock deploy/requirements.demo.lock; do \
		$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$lock || exit 1; done

migration: $(READY)  ## M="what it adds": a new empty migration
	@$(BIN)/alembic revision -m "$(M)"

env-example: $(READY)  ## write deploy/env.example anew from app/settings/fields.py
	@$(BIN)/python -m app.settings > $@.new && mv $@.new deploy/env.example

salesforce-source: $(READY)  ## write what of deploy/salesforce follows deploy/salesforce/mapping.toml
	@$(BIN)/chronobridge salesforce package --mapping deploy/salesforce/mapping.toml --out deploy/salesforce

salesforce-check:  ## what can be checked of the Salesforce package without an org (node, npm); ARGS=--prove: each finds a planted fault
	@deploy/salesforce/checks/run $(ARGS)

salesforce-cli-check: $(READY)  ## Salesforce's own command line deploys the package to the stand-in, and its client moves files (npm; half a gigabyte, once)
	@cd deploy/salesforce/checks/cli && npm install --no-package-lock --no-progress --loglevel error >/dev/null
	@$(BIN)/python -m pytest -m long tests/contract/salesforce/test_cli_of_salesforce.py tests/contract/salesforce/test_files_of_other_clients.py $(ARGS)

salesforce-format:  ## let prettier format the package's Apex and components, and its checks
	@cd deploy/salesforce && node_modules/.bin/prettier --write --log-level warn .

salesforce-screenshots:  ## the card on a record's page, in each of its states, into deploy/docs/images/ (needs chromium)
	@cd deploy/salesforce/checks/harness && npm ci --no-progress >/dev/null && node screenshots.mjs

salesforce-lock:  ## resolve the npm packages of these checks into their lock files, with hashes
	@cd deploy/salesforce && node checks/lock.mjs && cd checks/harness && node ../lock.mjs

clean:  ## remove .venv, var and caches
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info build bench.json
