# Every target sets .venv up by itself; once that is done, nothing here needs the network but judge
# and, until build/checkov is filled, terraform-checks.

.DEFAULT_GOAL := help
BIN := .venv/bin

# The requirements that stand in .venv: another hash of the two files is another stamp.
STAMP := .venv/requirements-$(shell cat requirements.txt requirements-dev.txt | sha256sum | cut -c1-16).stamp

SYSTEM ?= cvplus
ARGS ?=
SERVICE ?=
CHAOS ?=
SCENARIO ?=
FAULTS ?=
PICTURES ?=
SEEDS ?= 20000
FIRST_SEED ?= 0
PAIRS ?=
FIRST_PAIR ?= 0
RUNS ?= 500
DOCUMENTS ?= 100000
export SYSTEM CHAOS SCENARIO FAULTS PICTURES
# Tests start hundreds of processes: what one of them has compiled is there for the others.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: $(STAMP) ## install the locked requirements into .venv

$(STAMP):
	@scripts/set-up $@

.PHONY: lock
lock: $(STAMP) ## resolve requirements*.in into locks with hashes; needs a package index (ARGS="--upgrade-package rich")
	@scripts/lock $(ARGS)

.PHONY: demo
demo: $(STAMP) ## see a bad release rolled back in the embedded cloud (SYSTEM=example, CHAOS=kill, SCENARIO=functions|complete|auth|feature|database|backups, FAULTS=quota|images-gone|one-broken)
	@$(BIN)/python -m local.demo

.PHONY: test
test: $(STAMP) ## run the tests (ARGS="-k traffic")
	@# For two cores: while one process waits for the embedded cloud's clock, the third goes on.
	$(BIN)/pytest --numprocesses 3 --dist worksteal $(ARGS)

.PHONY: browser-tests
browser-tests: $(STAMP) ## walk through the status page and the console with Debian's Chromium
	@scripts/browser-tests

.PHONY: check
check: $(STAMP) ## run all that must hold: style, types, import contracts, tests, a slice of chaos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(MAKE) terraform-checks
	$(MAKE) terraform-test
	$(MAKE) test
	$(MAKE) browser-tests
	$(MAKE) slice

.PHONY: terraform-checks
terraform-checks: ## run checkov over terraform/, in build/checkov
	@scripts/terraform-checks

.PHONY: terraform-test
terraform-test: ## run terraform validate and test, where there is a terraform (TERRAFORM=/path/to/it)
	@scripts/terraform-test

.PHONY: format
format: $(STAMP) ## bring the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: judge
judge: $(STAMP) ## let Google's own system tests judge the embedded cloud (SERVICE=firestore|pubsub)
	$(BIN)/python -m tests.judge $(SERVICE)

.PHONY: bench
bench: $(STAMP) ## measure the embedded cloud against bare gRPC, a rollback of a thousand functions against its bound, and a repair of documents against two streams
	$(BIN)/python -m benchmarks

.PHONY: slice
slice: $(STAMP) ## a slice of chaos, as long as one waits for a check: crashes at every point, seeds, faults and pairs of them, mutants, a few real kills, spoilt documents brought back, a thousand functions beside their bound
	$(BIN)/pytest --numprocesses 2 --dist worksteal --every-point $(wildcard tests/test_crash_*.py)
	$(BIN)/python -m tests.chaos seeds --count 20000
	$(BIN)/python -m tests.chaos singles
	$(BIN)/python -m tests.chaos pairs --world least
	$(BIN)/python -m tests.chaos pairs --world small --each 60
	$(BIN)/python -m tests.chaos mutants
	$(BIN)/python -m tests.chaos kills --seed 10 --runs 3
	$(BIN)/python -m tests.chaos documents --count 2000 --kills 1 --restarts 0
	$(BIN)/python -m benchmarks.rollback_speed

.PHONY: chaos
chaos: $(STAMP) ## seeds, every pair of faults, mutants, kills, spoilt documents, storm (SEEDS= FIRST_SEED= PAIRS= FIRST_PAIR= RUNS= DOCUMENTS=)
	$(BIN)/python -m tests.chaos seeds --count $(SEEDS) --first $(FIRST_SEED)
	$(BIN)/python -m tests.chaos pairs --world small --every --first $(FIRST_PAIR) $(PAIRS:%=--count %)
	$(BIN)/python -m tests.chaos mutants
	$(BIN)/python -m tests.chaos kills --runs $(RUNS)
	$(BIN)/python -m tests.chaos documents --count $(DOCUMENTS)
	$(BIN)/python -m tests.chaos documents --count 2000 --silent
	$(BIN)/python -m tests.chaos storm
