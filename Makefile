# tocsin: `make forecast` and `make test` need only python3 (3.12 or newer) and make.
# Every target makes .venv from requirements.lock first, where it is missing or out of date.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# a caller's Python settings must not reach into the environment
unexport PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE := 1

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
OUT := build
SOURCES := forecast indicators data/raw tests .ci
START := $(shell date +%s)
took = echo "$@: done in $$(( $$(date +%s) - $(START) )) s, everything included"
# the line with the wall time comes on failure too
timed = status=0; { $(1); } || status=$$?; $(took); exit $$status

STATE ?= TKM
AS_OF ?= 2016-07-01
QUESTION ?= all
HORIZON ?= 6,12,24,36
SKILL ?= all
WHICH := --state $(STATE) --as-of $(AS_OF) --question $(QUESTION) --horizon $(HORIZON)

.PHONY: help forecast test postgres systemd browser cluster checks checks-full same-bits slow doctest check check-full lint notebooks docs skill agreement paths package wheel bench lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml .ci/bootstrap .ci/find-python
	@PYTHON="$(PYTHON)" .ci/bootstrap $(VENV)
	@touch $@

forecast: $(READY) ## the founding forecast: table here, report under build/
	@$(call timed,begun=$$(date +%s); \
		$(BIN)/tocsin run $(WHICH) --report $(OUT)/$(STATE)-$(AS_OF).html && \
		echo "forecast and report: $$(( $$(date +%s) - begun )) s")

test: $(READY) ## the fast suite; needs nothing but Python
	@$(call timed,$(BIN)/python -m pytest -q -n auto --dist loadfile \
		-m "not postgres and not browser and not systemd and not cluster and not slow and not bench")

postgres: $(READY) ## the store in PostgreSQL, started for the tests
	@$(call timed,$(BIN)/python -m pytest -q -m "postgres and not slow")

systemd: $(READY) ## the units of `tocsin schedule systemd`, as systemd reads them
	@$(call timed,$(BIN)/python -m pytest -q -m systemd)

cluster: $(READY) ## backtests on a Dask cluster, workers and runs killed
	@$(call timed,$(BIN)/python -m pytest -q -m "cluster and not slow")

browser: $(READY) ## the report in headless Chromium
	@$(call timed,$(BIN)/python -m pytest -q -m browser)

checks: $(READY) ## priors, fit, sensitivity, influence and calibration of one question, sized down
	@$(call timed,$(BIN)/tocsin check --state $(STATE) --as-of $(AS_OF) --question foreign_base \
		--simulations 2 --out $(OUT)/checks.html)

checks-full: $(READY) ## the same of every question, 200 simulations each; goes on where it was stopped
	@$(call timed,$(BIN)/tocsin check --state $(STATE) --as-of $(AS_OF) --simulations 200 \
		--home $(OUT)/checks --out $(OUT)/checks-full.html)

same-bits: $(READY) ## the founding forecast twice, in new processes and empty homes
	@$(call timed,$(BIN)/python -m pytest -q -m slow tests/test_run.py)

slow: $(READY) ## the statistical checks at full size
	@$(call timed,$(BIN)/python -m pytest -q -m slow)

doctest: $(READY) ## the examples in docstrings
	@$(call timed,$(BIN)/python -m pytest -q --doctest-modules \
		--ignore=indicators/store/migrations forecast indicators)

lint: $(READY) ## style, types, spelling, docstrings
	@$(call timed,bad=0; \
		$(BIN)/ruff check $(SOURCES) || bad=1; \
		$(BIN)/ruff format --check $(SOURCES) || bad=1; \
		$(BIN)/mypy || bad=1; \
		$(BIN)/codespell || bad=1; \
		find forecast indicators -name "*.py" | sort | xargs $(BIN)/numpydoc lint || bad=1; \
		test $$bad -eq 0)

notebooks: $(READY) ## execute every notebook; an error fails
	@$(call timed,$(BIN)/python .ci/notebooks.py notebooks)

docs: $(READY) ## make what README, notebooks and data/INDICATORS.md show again
	@$(call timed,$(BIN)/python .ci/indicators_page.py && $(BIN)/python .ci/founding.py && $(BIN)/python .ci/notebooks.py notebooks --store)

skill: $(READY) ## backtest every model from 47 origins, and write README's tables (SKILL=main: a quarter of an hour)
	@$(call timed,PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python .ci/skill.py $(OUT)/skill $(SKILL))

agreement: $(READY) ## the approximate engine beside long NUTS at 24 origins, into README (about an hour; goes on if stopped)
	@$(call timed,$(BIN)/python .ci/agreement.py $(OUT)/agreement.csv)

paths: $(READY) ## score simulated futures on past origins, and write the table of ARCHITECTURE.md
	@$(call timed,$(BIN)/python .ci/paths.py $(OUT)/paths)

package: $(READY) ## validate the data package
	@$(call timed,$(BIN)/frictionless validate data/datapackage.json)

wheel: $(READY) ## build the wheel, test it in an empty environment outside the checkout
	@$(call timed,.ci/wheel-check $(BIN)/python $(SAME))

check: ## everything .ci/run runs
	@$(call timed,bash .ci/run)

check-full: ## check, and the statistical checks at full size
	@$(call timed,bash .ci/run && $(MAKE) slow && $(MAKE) checks-full)

bench: $(READY) ## timings
	@$(call timed,$(BIN)/python -m pytest -q tests/bench -m bench -p no:xdist \
		--benchmark-columns=min$(,)median$(,)rounds --benchmark-sort=name)

lock: $(READY) ## pin every package again (UPGRADE=1 takes newer ones)
	@$(call timed,UPGRADE="$(UPGRADE)" .ci/lock $(BIN)/uv)

clean: ## remove what was made, the environment included
	rm -rf $(VENV) $(OUT) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

, := ,
