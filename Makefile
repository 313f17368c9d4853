# Everything a stranger needs: Python 3.11 or later, and make.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEV    := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: help day repl test test-one lint format clean

help:
	@echo "make day     run a trading day of ten households through the contract"
	@echo "make repl    play with a market by hand"
	@echo "make test    run all tests"
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
