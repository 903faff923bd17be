# One command for each thing a person does; each target sets up what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)

.PHONY: help
help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

# --- the environment -------------------------------------------------------
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The collection is linked into the environment, so that its names work wherever the environment is active.
$(VENV)/user: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	site=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
	  mkdir -p "$$site/ansible_collections/celeryops" && \
	  ln -sfn "$(CURDIR)" "$$site/ansible_collections/celeryops/cluster"
	touch $@

$(VENV)/developer: requirements-dev.txt $(VENV)/user
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	touch $@

.PHONY: venv venv-dev
venv: $(VENV)/user ## The environment that runs the collection
venv-dev: $(VENV)/developer ## The environment that tests it as well

# --- the demo: four hosts as containers, deployed over SSH -----------------
.PHONY: demo demo-info demo-down engine image java
engine:
	@tests/rig/engine.sh

# Ansible-rulebook decides in a Java program.
java:
	@. tests/rig/common.sh && need java default-jre-headless

image: venv engine
	@tests/rig/image.sh

demo: venv image ## From nothing to a running four-host cluster
	@ansible-playbook tests/rig/up.yml -i inventories/demo
	@ansible-playbook celeryops.cluster.site -i inventories/demo
	@ansible-playbook tests/rig/demo.yml -i inventories/demo
	@$(MAKE) -s demo-info

DEMO_SECRETS := $(CURDIR)/inventories/demo/.celeryops
demo-info: ## Where the demo is found and how to log in
	@test -f $(DEMO_SECRETS)/flower_password || { echo "There is no demo: run 'make demo' first." >&2; exit 1; }
	@echo "API_URL=https://127.0.0.1:8443"
	@echo "FLOWER_URL=https://127.0.0.1:8443/flower/"
	@echo "FLOWER_USER=admin"
	@echo "FLOWER_PASSWORD=$$(cat $(DEMO_SECRETS)/flower_password)"
	@echo "CA_FILE=$(DEMO_SECRETS)/ca/ca.crt"

demo-down: venv engine ## Removes the demo's hosts, network and secrets
	@ansible-playbook tests/rig/down.yml -i inventories/demo
	@rm -rf $(DEMO_SECRETS)

# --- tests -----------------------------------------------------------------
.PHONY: test test-full lint unit sanity integration molecule
test: lint unit sanity integration molecule ## What CI runs

test-full: SCENARIO = $(patsubst molecule/%/molecule.yml,%,$(wildcard molecule/*/molecule.yml))
test-full: ON_RABBITMQ =
test-full: export TESTS = full or not full
test-full: java test ## All of it, with each scenario and its longest tests

# Mypy reads no packages from site-packages that don't call themselves typed, so it has a link of its own.
TYPED := .cache/collections/ansible_collections/celeryops/cluster
$(TYPED):
	mkdir -p $(@D)
	ln -sfn "$(CURDIR)" $@

lint: venv-dev $(TYPED) ## Style, types and the project's own rules
	yamllint --strict .
	ansible-lint -q
	ruff check
	ruff format --check
	mypy
	python tests/lint
	python docs/generate.py --check
	antsibull-changelog lint

# A release brings its own Celery: the runtime has to live with the versions that are in use.
OLDER_CELERY := $(patsubst %,.cache/celery-%/complete,5.5 5.6)
.cache/celery-%/complete: requirements-dev.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet "celery[redis]~=$*.0" $$(grep ^pytest== $<)
	touch $@

unit: venv-dev $(OLDER_CELERY) $(TYPED) ## Unit tests; those of the runtime with each supported Celery
	pytest
	pytest examples/monitoring_app
	set -e; for celery in $(OLDER_CELERY); do \
	  PYTHONPATH=.cache/collections $${celery%/*}/bin/python -m pytest tests/unit/runtime; \
	done

# What is tested is the archive that users install, in a repository of its own: below a folder that git
# ignores ansible-test would find no files.
SANITY := .cache/sanity
PYTHON_VERSION = $(shell $(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
sanity: venv-dev ## ansible-test sanity on the built archive
	rm -rf $(SANITY)
	ansible-galaxy collection build --force --output-path $(SANITY)
	ansible-galaxy collection install --force --no-deps --collections-path $(SANITY) $(SANITY)/*.tar.gz
	mkdir -p ~/.ansible/test/cache
	cp --no-clobber tests/sanity/get_pip.py ~/.ansible/test/cache/get_pip_24_2.py
	cd $(SANITY)/ansible_collections/celeryops/cluster && git init --quiet && ansible-test sanity --color no --python $(PYTHON_VERSION)

TARGETS ?=
# Those that represent what RabbitMQ makes different; empty for all.
ON_RABBITMQ ?= broker_down celery_health celery_pool
integration: venv-dev image $(OLDER_CELERY) $(TYPED) ## The modules against real brokers and workers: TARGETS="celery_pool", default those that represent each
	tests/integration/rig.sh down
	tests/integration/rig.sh up
	BROKERS=onredis tests/integration/rig.sh run $(TARGETS)
	BROKERS=onrabbitmq tests/integration/rig.sh run $(or $(TARGETS),$(ON_RABBITMQ))
	tests/integration/rig.sh down
	pytest tests/integration/transports -m "$${TESTS:-not full}"

SCENARIO ?= default rabbitmq workers rolling_update
molecule: venv-dev image ## Molecule scenarios: SCENARIO=rabbitmq, default those that represent each capability
	set -e; for scenario in $(SCENARIO); do \
	  tests/quietly.sh "molecule-$$scenario" molecule test --scenario-name "$$scenario"; done

# --- the rest --------------------------------------------------------------
.PHONY: docs build bench
docs: venv-dev ## Writes docs/reference
	python docs/generate.py

build: venv ## The archive for ansible-galaxy
	ansible-galaxy collection build --force

bench: venv-dev image ## Measures the demo, the control client, then updates under load: see docs/benchmarks.md
	python tests/bench/demo.py
	python tests/bench/control.py
	python tests/bench/update.py --long
