# On a fresh machine with Python 3.11+, make and the package indexes, nothing else: each target sets itself up in
# .venv/ and touches nothing outside of this folder. A second call finds everything done.

PYTHON ?=
JOBS ?= 2
FAST ?=
DAASBENCH_DATA ?= $(CURDIR)/../shared/data
export PYTHON DAASBENCH_DATA
export UV_CACHE_DIR = $(CURDIR)/.venv/cache/uv
export PIP_CACHE_DIR = $(CURDIR)/.venv/cache/pip
export MPLCONFIGDIR = $(CURDIR)/.venv/cache/matplotlib
export XDG_CACHE_HOME = $(CURDIR)/.venv/cache

BIN = .venv/bin
DECLARED = pyproject.toml setup.py constraints.txt ci/setup ci/install

.PHONY: help run test check bench docs clean

help:  ## show this
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile | expand -t 14

run: .venv/core.done  ## measure two kernels on this machine and write report/ (run it again to continue after an interruption)
	@ci/quickstart

test: .venv/test.done  ## run the tests, JOBS=2 files of them at a time; FAST=1: those for each change, in 4 minutes
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(if $(FAST),-m "not slow")

check: .venv/test.done  ## formatting, lint, spelling, types, who may import whom, and the documentation
	@ci/check

bench: .venv/test.done  ## measure daasbench itself and its peers; write docs/benchmarks/
	@ci/bench/run

docs: .venv/test.done  ## write the generated pages anew, and render docs/ as a site in .venv/site/
	@ci/docs

clean:  ## remove what make made; measurements in results/ stay
	rm -rf .venv report build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find daasbench kernels scenarios runners reports tests ci docs -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/core.done: $(DECLARED)
	@ci/setup core

.venv/test.done: $(DECLARED)
	@ci/setup test
