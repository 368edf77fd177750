PYTHON ?= python3
BIN := .venv/bin
LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url

.DEFAULT_GOAL := help
.PHONY: help test lint types lock

help: ## Show this list
	@awk 'BEGIN {FS=":.*## "} /^##@/ {print "\n" substr($$0,5)} /^[a-z-]+:.*## / {printf "  %-12s %s\n",$$1,$$2}' $(MAKEFILE_LIST)

.venv/installed: requirements-dev.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	touch $@

##@ Change it
test: lint types ## Everything that must be green
	$(BIN)/python -m pytest

lint: .venv/installed ## Style (ruff)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed ## Types (mypy, strict)
	$(BIN)/mypy

lock: ## Pin every dependency by version and hash (needs uv)
	$(LOCK) -o requirements.txt pyproject.toml
	$(LOCK) --extra dev -o requirements-dev.txt pyproject.toml
