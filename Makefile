# Everything a stranger needs: Python 3.11 or later, and make.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEV    := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: help day repl test test-one faults deep rate lint format clean

help:
	@echo "make day     run a trading day of ten households through the contract"
	@echo "make repl    play with a market by hand"
	@echo "make test    run all tests"
	@echo "make faults  break the contract in 43 places and see each one caught"
	@echo "make rate    checked steps a second of the state machines, on each engine"
	@echo "make deep    run the state machines for hours: make deep BUDGET=8h"
	@echo "make lint    check the format of the Python and Vyper sources"
	@echo "make format  format them"
	@echo "make clean   remove the virtual environment and what runs leave behind"

$(READY): pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Wattproof needs Python 3.11 or later; name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing Wattproof into $(VENV) (a minute or two, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable '.[test]'
	@touch $@

$(DEV): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable '.[dev]'
	@touch $@

day: $(READY)
	@$(BIN)/wattproof day --out out/day

repl: $(READY)
	@$(BIN)/wattproof repl

test: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist worksteal

# One test, as a failure's last line names it.
test-one: $(READY)
	@$(BIN)/python -m pytest '$(TEST)' --engine $(or $(ENGINE),pyevm) --profile $(or $(PROFILE),ci)

faults: $(READY)
	@$(BIN)/python -m tests.properties.faults --json out/faults.json

deep: $(READY)
	@$(BIN)/python -m tests.properties.deep --budget $(or $(BUDGET),2h)

rate: $(READY)
	@for engine in revm pyevm; do $(BIN)/python -m pytest -q --engine $$engine --profile quick \
		tests/properties/test_terms.py::TestTerms | grep -E '^engine|checked steps'; done

lint: $(DEV)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@for file in $(VYPER); do $(BIN)/mamushi --check --quiet -l 110 $$file || exit 1; done

format: $(DEV)
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	@for file in $(VYPER); do $(BIN)/mamushi --quiet -l 110 $$file || exit 1; done

# mamushi 0.1.2 cannot parse comments inside `exports`, so EnergyMarket.vy is formatted by hand.
VYPER := $(wildcard contracts/market/*.vy) contracts/EnergyCredit.vy

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis out report build dist
