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
