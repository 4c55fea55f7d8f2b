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
SEEDS ?= 20000
FIRST_SEED ?= 0
PAIRS ?=
FIRST_PAIR ?= 0
RUNS ?= 500
export SYSTEM CHAOS

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: $(STAMP) ## install the pinned requirements into .venv

$(STAMP):
	@scripts/set-up $@

.PHONY: demo
demo: $(STAMP) ## see a bad release rolled back in the embedded cloud (SYSTEM=example, CHAOS=kill)
	@$(BIN)/python -m local.demo

.PHONY: test
test: $(STAMP) ## run the tests (ARGS="-k traffic")
	$(BIN)/pytest --numprocesses 2 $(ARGS)

.PHONY: check
check: $(STAMP) ## run all that must hold: style, types, import contracts, tests, a slice of chaos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(MAKE) terraform-checks
	$(MAKE) test
	$(MAKE) slice

.PHONY: terraform-checks
terraform-checks: ## run checkov over terraform/, in build/checkov
	@scripts/terraform-checks

.PHONY: format
format: $(STAMP) ## bring the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: judge
judge: $(STAMP) ## let Google's own system tests judge the embedded cloud (SERVICE=firestore|pubsub)
	$(BIN)/python -m tests.judge $(SERVICE)

.PHONY: bench
bench: $(STAMP) ## measure the embedded cloud against bare gRPC, as ratios in one run
	$(BIN)/python -m benchmarks

.PHONY: slice
slice: $(STAMP) ## a slice of chaos, as long as one waits for a check: seeds, mutants, a few real kills
	$(BIN)/python -m tests.chaos seeds --count 20000
	$(BIN)/python -m tests.chaos mutants
	$(BIN)/python -m tests.chaos kills --seed 10 --runs 3

.PHONY: chaos
chaos: $(STAMP) ## seeds, every pair of faults, mutants, kills, storm (SEEDS= FIRST_SEED= PAIRS= FIRST_PAIR= RUNS=)
	$(BIN)/python -m tests.chaos seeds --count $(SEEDS) --first $(FIRST_SEED)
	$(BIN)/python -m tests.chaos pairs --every --first $(FIRST_PAIR) $(PAIRS:%=--count %)
	$(BIN)/python -m tests.chaos mutants
	$(BIN)/python -m tests.chaos kills --runs $(RUNS)
	$(BIN)/python -m tests.chaos storm
