# Everything a person types. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# uv is used where it is; otherwise it is brought into .uv/ by pip.
UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
PYTHON := $(or $(shell command -v python3.13 2>/dev/null),python3)
RUN := .venv/bin
LANGFUSE_PORT ?= 3000
export UV_PYTHON_PREFERENCE := system
export SAM_CLI_TELEMETRY := 0

.PHONY: help setup browser demo demo-loop demo-experiment test test-unit test-contract check format build local langfuse-stand-in bench bench-verdict clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' || { echo "flywheel needs Python 3.13 (see .python-version), and '$(PYTHON)' is another one. Install it, for example: pyenv install 3.13"; exit 1; }
	@echo "uv is missing: bringing it into .uv/"
	@$(PYTHON) -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

setup: $(UV) ## bring in what the other targets need (they all call it)
	@$(UV) sync --quiet --frozen
	@UV_PROJECT_ENVIRONMENT=.local/venv/ministack $(UV) sync --quiet --frozen --no-install-project --only-group ministack
	@UV_PROJECT_ENVIRONMENT=.local/venv/sam $(UV) sync --quiet --frozen --no-install-project --only-group sam

browser: setup ## find Chromium for the tests of the pages, or bring it in
	@$(RUN)/python -m tests.browser

demo: setup ## push good and bad images through the gate, then let the loop go round, on this machine (KEEP=1 leaves the stack up)
	@exec $(RUN)/flywheel demo $(if $(KEEP),--keep)

demo-loop: setup ## the second half of the demo alone: users, samples, reviews, harvest, the next push
	@exec $(RUN)/flywheel demo --part loop $(if $(KEEP),--keep)

demo-experiment: setup ## search models, prompts and parameters on this machine; the winner goes through the gate (VERIFY=1: the full grid, too)
	@exec $(RUN)/flywheel demo --part experiment $(if $(KEEP),--keep) $(if $(VERIFY),--verify)

test: setup browser ## all tests: unit, integration, end to end
	@mkdir -p build/test
	@exec $(RUN)/python -m pytest --junitxml=build/test/junit.xml $(ARGS)

test-unit: setup ## unit tests only: no sockets, seconds
	@exec $(RUN)/python -m pytest tests/unit $(ARGS)

test-contract: setup ## what must agree with Langfuse's own contract: CONTRACT=<folder with its OpenAPI and recordings>
	@test -n "$(CONTRACT)" || { echo "usage: make test-contract CONTRACT=<folder with langfuse-openapi-4.16.0.yml and recorded/>"; exit 2; }
	@CONTRACT="$(abspath $(CONTRACT))" exec $(RUN)/python -m pytest tests/contract $(ARGS)

check: setup ## format, lint, types, template, state machines, workflows, container file
	@$(RUN)/ruff format --check --quiet .
	@$(RUN)/ruff check --quiet .
	@$(RUN)/mypy
	@$(RUN)/cfn-lint template.yaml .github/oidc-role.yaml
	@for environment in default tst prd; do AWS_DEFAULT_REGION=us-west-2 .local/venv/sam/bin/sam validate --lint --config-env $$environment; done
	@.local/venv/sam/bin/python tests/security/expand.py template.yaml build/check/template.json
	@UV_PROJECT_ENVIRONMENT=.local/venv/checkov $(UV) sync --quiet --frozen --no-install-project --only-group checkov
	@.local/venv/checkov/bin/checkov --config-file .checkov.yaml -f build/check/template.json .github/oidc-role.yaml
	@$(RUN)/python -m pytest -q tests/unit/test_statemachines.py tests/unit/test_template.py tests/unit/test_template_permissions.py tests/unit/test_template_agentcore.py tests/unit/test_template_parameters.py

format: setup ## put the code into its format
	@$(RUN)/ruff format --quiet .
	@$(RUN)/ruff check --quiet --fix .

build: setup ## sam build: functions and layers as they are deployed
	@PATH="$(CURDIR)/.local/venv/sam/bin:$$PATH" .local/venv/sam/bin/sam build --cached --parallel

local: setup ## start the local stack and deploy the template to it
	@exec $(RUN)/flywheel local up

langfuse-stand-in: setup ## an empty Langfuse stand-in in the foreground, on LANGFUSE_PORT (3000)
	@exec $(RUN)/python -m local.langfuse --port $(LANGFUSE_PORT) --db :memory:

bench: setup ## measure packages, the whole gate, the evaluate stage against alternatives, the verdict, the loop, the search (half an hour)
	@exec $(RUN)/python -m tests.bench

bench-verdict: setup ## simulate thousands of gates and days of traces; hold error rates and costs against limits (two minutes)
	@exec $(RUN)/python -m tests.bench.verdict

clean: ## stop the local stack and remove everything that was built or installed
	@if [ -x $(RUN)/flywheel ] && [ -d .local ]; then $(RUN)/flywheel local down || true; fi
	@rm -rf .local build .aws-sam .venv .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis
