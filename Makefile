# Two commands: `make up` (a fresh Debian to a checked lab) and `make test` (linters, unit tests, the real lab).
SHELL := /bin/bash
.DEFAULT_GOAL := help
LAB ?= lab.yml
MCASTLAB := .venv/bin/mcastlab

.PHONY: help up down test test-vm test-policy-vm test-nodes lint unit integration molecule e2e kills faults-attach docs lock install

help:  ## Show the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1|/' | column -t -s '|'

install:  ## Install what is missing: Debian packages and a virtual environment with locked dependencies
	@scripts/install run

up: install  ## Bring the lab up and check it
	@$(MCASTLAB) up --lab $(LAB)

down:  ## Remove what `make up` made, except the cache and the Debian packages, which are listed
	@scripts/remove $(LAB)

test:  ## Linters, unit tests, integration tests and the real lab end to end
	@scripts/install dev
	@scripts/test

test-vm:  ## The lab in two virtual machines by Vagrant and libvirt, emulated where there is no KVM: most of an hour
	@scripts/install dev libvirt
	@scripts/test-vm

test-policy-vm:  ## The tests of multicast-policy on Debian's own kernel, in a machine that is emulated: a quarter of an hour
	@scripts/install dev policy-vm
	@scripts/test-policy-vm

test-nodes:  ## What takes long of a lab with a worker: 200 pods that share addresses
	@scripts/install dev
	@.venv/bin/pytest -s tests/nodes

lint unit integration e2e:  ## One suite of `make test`
	@scripts/install dev
	@scripts/test $@

kills:  ## Kill `up` at 20 moments; half an hour; writes docs/kills.md
	@scripts/install dev
	@scripts/kills

faults-attach:  ## Faults while pods get second interfaces; a quarter of an hour; writes docs/attachment-faults.md
	@scripts/install dev
	@scripts/faults-attach

molecule:  ## Every role on hosts of its own: converge, idempotence, verify
	@scripts/install dev
	@scripts/molecule --all

docs:  ## The pages as a site, in build/site; fails on a link that leads nowhere
	@scripts/install dev
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet

lock:  ## Write the locked, hashed requirements anew from pyproject.toml
	@scripts/lock
