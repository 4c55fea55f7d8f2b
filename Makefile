# Every target sets .venv up by itself; once that is done, nothing here needs the network but lock, judge
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
PICTURE ?=
PICTURES ?=
SEEDS ?= 20000
FIRST_SEED ?= 0
PAIRS ?=
FIRST_PAIR ?= 0
RUNS ?= 500
DOCUMENTS ?= 100000
HOUR ?=
WORLDS ?= 5000
PROVISION ?=
# Which part of the seeds, pairs and crashes a slice plays: another one with each commit.
PART ?= $(shell echo $$((0x$$(git rev-parse HEAD | cut -c1-4))))
# The tests of which a run takes one in so many points (tests/conftest.py).
SWEEPS := tests/crash tests/system/test_poison_kinds.py
# Files with tests that take too long for `make test`.
SLICED = $(shell grep --recursive --files-with-matches --include='test_*.py' pytest.mark.slice tests)
HOURS := 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23
export SYSTEM CHAOS SCENARIO FAULTS HOUR PICTURE PICTURES
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
demo: $(STAMP) ## see a bad release rolled back in the embedded cloud (SYSTEM=example, CHAOS=kill, SCENARIO=functions|complete|auth|feature|database|backups, FAULTS=quota|images-gone|one-broken, HOUR=0 to 23, PICTURE=docs/demo.svg; or PROVISION=terraform alone: apply the module, then roll back)
ifeq ($(PROVISION),terraform)
	@STEPS=demo scripts/apply-test
else ifneq ($(PROVISION),)
	@echo "PROVISION may be terraform, not $(PROVISION)" >&2; exit 2
else
	@$(BIN)/python -m local.demo
endif

.PHONY: demos
demos: $(STAMP) ## play each demo of docs/embedded-cloud.md once, two at a time, at an hour that comes from the commit (HOUR=)
	@scripts/demos

.PHONY: test
test: $(STAMP) ## run the tests (ARGS="-k traffic")
	@# For two cores: while one process waits for the embedded cloud's clock, the third goes on.
	$(BIN)/pytest --numprocesses 3 --dist worksteal $(ARGS)

.PHONY: browser-tests
browser-tests: $(STAMP) ## walk through the status page and the console with Debian's Chromium
	@scripts/browser-tests

.PHONY: check
check: $(STAMP) ## run all that must hold: style, types, import contracts, Terraform, tests, browser tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(MAKE) terraform-checks
	$(MAKE) terraform-test
	$(MAKE) test
	$(MAKE) browser-tests

.PHONY: terraform-checks
terraform-checks: ## run checkov over terraform/, in build/checkov
	@scripts/terraform-checks

.PHONY: terraform-test
terraform-test: $(STAMP) ## run terraform fmt, validate, test and a plan of each example, where there is a terraform or tofu (TERRAFORM=/path/to/it, TERRAFORM_REQUIRED=1 to fail where there is none)
	@scripts/terraform-test

.PHONY: apply-test
apply-test: $(STAMP) ## apply examples to the embedded cloud with the real Terraform and provider, change, stop and remove them (ARGS="one-project two-projects"; default: minimal; TERRAFORM and TERRAFORM_REQUIRED as for terraform-test)
	@scripts/apply-test $(ARGS)

.PHONY: format
format: $(STAMP) ## bring the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: judge
judge: $(STAMP) ## let programs of others judge the embedded cloud: Google's system tests and clients, Terraform (SERVICE="firestore pubsub storage clients terraform")
	$(BIN)/python -m tests.judge $(SERVICE)

.PHONY: bench
bench: $(STAMP) ## measure the embedded cloud against bare gRPC, a rollback of a thousand functions against its bound, and a repair of documents against two streams
	$(BIN)/python -m benchmarks

.PHONY: slice
slice: $(STAMP) ## a slice of chaos, in ten minutes: tests that take long, every single fault, mutants, a few real kills, spoilt documents, a thousand functions beside their bound; a PART of crashes, seeds and pairs, which comes from the commit
	$(BIN)/pytest --numprocesses 2 --dist worksteal --points-of 5 --part $(PART) $(SWEEPS)
	$(BIN)/pytest --numprocesses 2 --dist worksteal -m slice $(SLICED)
	$(BIN)/python -m tests.chaos seeds --count 2000 --first $$(($(PART) * 2000))
	$(BIN)/python -m tests.chaos singles
	$(BIN)/python -m tests.chaos pairs --world least --each 16 --first $$(($(PART) % 16))
	$(BIN)/python -m tests.chaos pairs --world small --each 240 --first $$(($(PART) % 240))
	$(BIN)/python -m tests.chaos mutants
	$(BIN)/python -m tests.chaos.decisions --count 300
	@$(MAKE) --jobs 2 --output-sync slice-kills slice-documents

# Real processes mostly wait: side by side the two take 96 s less.
.PHONY: slice-kills slice-documents
slice-kills: $(STAMP)
	$(BIN)/python -m benchmarks.rollback_speed
	$(BIN)/python -m tests.chaos kills --seed 10 --runs 3

slice-documents: $(STAMP)
	$(BIN)/python -m tests.chaos documents --count 2000 --kills 1 --restarts 0

.PHONY: decisions
decisions: $(STAMP) ## measure how often automatic rollbacks are right, over drawn worlds whose truth is known (WORLDS=5000, about an hour)
	$(BIN)/python -m tests.chaos.decisions --count $(WORLDS)

.PHONY: chaos
chaos: $(STAMP) ## crashes at every point, seeds, every pair of faults, mutants, kills, spoilt documents, storm, a day of backups from every hour (SEEDS= FIRST_SEED= PAIRS= FIRST_PAIR= RUNS= DOCUMENTS=)
	$(BIN)/pytest --numprocesses 2 --dist worksteal --points-of 1 $(SWEEPS)
	$(BIN)/python -m tests.chaos seeds --count $(SEEDS) --first $(FIRST_SEED)
	$(BIN)/python -m tests.chaos singles
	$(BIN)/python -m tests.chaos pairs --world least
	$(BIN)/python -m tests.chaos pairs --world small --every --first $(FIRST_PAIR) $(PAIRS:%=--count %)
	$(BIN)/python -m tests.chaos mutants
	$(BIN)/python -m tests.chaos kills --runs $(RUNS)
	$(BIN)/python -m tests.chaos documents --count $(DOCUMENTS)
	$(BIN)/python -m tests.chaos storm
	@scripts/demos $(foreach hour,$(HOURS),"SCENARIO=backups HOUR=$(hour)")
