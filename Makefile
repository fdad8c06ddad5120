# Each target needs only Python 3.11, make, git and apt; `make setup` brings the rest.
RUN = .venv/bin/

.DEFAULT_GOAL = help
.PHONY: help setup browser check lint format types layers test demo bench up down clean

help: ## Show the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

setup: ## Install uv, the locked environment, and the programs and jars of the stack
	@sh infra/setup.sh

browser: setup ## Install the browser that tests of the console need
	$(RUN)python -m infra.stack tests

check: lint format types layers ## Lint, formatting, types, layers

lint: setup
	$(RUN)ruff check

format: setup
	$(RUN)ruff format --check

types: setup
	$(RUN)mypy

layers: setup
	$(RUN)lint-imports

test: browser up ## Every test: those on stacks, one after the other, and the rest beside them
	$(RUN)pytest -n 2 --dist loadgroup --no-loadscope-reorder

demo: setup ## The whole system on generated payments, for a minute
	$(RUN)sluice demo

bench: up ## Throughput and latency on this machine
	$(RUN)sluice bench

up: setup ## Start the local stack
	$(RUN)sluice up

down: setup ## Stop the local stack
	$(RUN)sluice down

clean: setup ## Stop the stack and delete its data
	$(RUN)sluice down --wipe
