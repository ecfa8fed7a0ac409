# Every habit of the project is one target. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.PHONY: help setup images demo test lint types test-unit sdks-meanwhile test-docker test-sdk soak bench locks clean

python := .venv/bin/python
scripts := $(wildcard docker/*.sh containers/tools/*.sh) build_and_push.sh .ci/run
dockerfiles := $(wildcard containers/*/Dockerfile)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## .venv with the project in it
	@docker/ensure-python.sh >/dev/null

images: setup ## a Docker engine, the OS image, and the images base, training, processing and serving
	@docker/ensure-engine.sh
	@docker/ensure-base.sh
	@.venv/bin/sagedock build base training processing serving

demo: images ## the churn example, from raw data to two trained models, in real containers
	@$(python) examples/churn/demo.py

test: lint types test-unit sdks-meanwhile test-docker test-sdk ## all that CI runs

lint: setup ## ruff, shellcheck, hadolint
	$(python) -m ruff check
	$(python) -m ruff format --check
	.venv/bin/shellcheck --external-sources $(scripts)
	.venv/bin/hadolint --config containers/hadolint.yaml $(dockerfiles)

types: setup ## mypy --strict on src
	$(python) -m mypy

test-unit: setup ## unit and contract tests, on the oldest and the newest Python of this machine
	$(python) -m pytest -n auto --dist worksteal tests/unit
	@newest=$$(docker/ensure-python.sh newest); \
	if [ "$$newest" = .venv ]; then \
	  echo "only one supported Python is here: the tests ran on it once"; \
	else \
	  "$$newest/bin/python" -m pytest -n auto --dist worksteal tests/unit; \
	fi

# The SDKs' environments wait for the package index, tests in containers for containers: both at once.
# What fails here is done again, and told, where test-sdk needs it.
sdks-meanwhile: setup
	@docker/ensure-sdks.sh >/dev/null 2>&1 </dev/null &

test-docker: images ## tests in real containers; an engine that is missing is a failure
	$(python) -m pytest --docker --durations 15 tests/docker

test-sdk: images ## SageMaker's SDKs v2 and v3, boto3 and the AWS CLI, against real containers
	@docker/ensure-sdks.sh >/dev/null
	@docker/ensure-compose.sh
	$(python) -m pytest --docker tests/sdk

soak: images ## a live endpoint in full load, its workers killed, updated half way
	@$(python) benchmarks/soak/run.py

bench: images ## our fit(), server, batch transform, local AWS, S3, uploads and builds, beside their peers
	@benchmarks/overhead/run
	@$(python) benchmarks/serving/run.py
	@$(python) benchmarks/transform/measure.py
	@$(python) benchmarks/local_aws/run.py
	@benchmarks/s3/run
	@benchmarks/upload/run
	@$(python) benchmarks/build/run.py

locks: setup ## lock the images' requirements anew
	@containers/tools/lock.sh

clean: ## remove what was made here; images and the engine stay
	rm -rf .venv .venv-newest .venv-sdk-* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
