# Everything a stranger needs: Python 3.11 or later, and make.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEV    := $(VENV)/.dev
LIVE   := $(VENV)/.live

.DEFAULT_GOAL := help
.PHONY: help live day study repl gas test packages verify test-one faults field deep profit rate evidence readme docs lint format clean

help:
	@echo "make live    see it all in a browser: a chain, a trading day on it, the watcher, the data API and the page"
	@echo "             (MORE='--db postgresql://... --port 8081'; Ctrl-C ends all of it)"
	@echo "make day     run a trading day of ten households through the contract"
	@echo "make study   play the paper's case study on the contract: figures, indices, claims"
	@echo "make repl    play with a market by hand"
	@echo "make gas     measure what every call costs by three sets of rules, on nodes (needs npm);"
	@echo "             UPDATE=1 writes the snapshot, BEFORE=FOLDER measures other contracts beside it"
	@echo "make test    run all tests"
	@echo "make packages  build wheel and sdist, and try both on each Python that is here"
	@echo "make verify  run the day, unit and property tests, and write the invariant report into report/"
	@echo "             PROFILE=quick in two minutes; ONLY=C3-FEE or ONLY=matching for a part; CHANGED=main for what changed"
	@echo "make evidence  mutants, edges, compilers, proofs, nodes; an hour: BUDGET=30m of it for the mutants"
	@echo "make faults  break the contract in every way of tests/properties/faults and see each one caught"
	@echo "make field   test what runs in the field with all of its kills, requests and days, half an hour (needs npm)"
	@echo "make rate    checked steps a second of the state machines, on each engine"
	@echo "make deep    run the state machines for hours: make deep BUDGET=8h"
	@echo "make profit  search for attacks that pay, and write the worst ones into out/profit.json: make profit BUDGET=1h"
	@echo "make docs    build the documentation site into out/docs"
	@echo "make lint    check the format of the Python and Vyper sources"
	@echo "make format  format them"
	@echo "make test-one TEST=...  one test, as a failure's last line names it"
	@echo "make readme  write the README's figures anew, from what was measured last"
	@echo "make clean   remove the virtual environment and what runs leave behind"

RIGHT_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Wattproof needs Python 3.11 or later; name one with: make PYTHON=/path/to/python3.11"; exit 1; }

$(READY): pyproject.toml verification/pyproject.toml requirements.txt
	@$(RIGHT_PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing Wattproof into $(VENV) (a minute or two, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable . --editable verification
	@touch $@

$(DEV): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable '.[dev]' --editable verification
	@touch $@

$(LIVE): $(READY)
	@echo "installing what live needs: database, web server, pandas (a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable '.[live]' --editable verification
	@touch $@

# The program itself, not a shell around it: Ctrl-C and SIGTERM are its own.
live: $(LIVE)
	@exec $(BIN)/wattproof live $(MORE)

day: $(READY)
	@$(BIN)/wattproof day --out out/day

study: $(READY)
	@$(BIN)/wattproof study --out out/study

repl: $(READY)
	@$(BIN)/wattproof repl

gas: $(READY)
	@$(BIN)/wattproof gas $(if $(UPDATE),--update) $(if $(BEFORE),--before '$(BEFORE)')

test: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(TESTS)

# The wheel and the sdist, tried on each supported Python that is here: five minutes.
packages:
	@$(RIGHT_PYTHON)
	@$(PYTHON) tools/packages.py $(if $(WITHIN),--within $(WITHIN))

# A hundred histories a test unless a profile or a number is named: make verify PROFILE=deep, make verify HISTORIES=150.
# make ends with 2 whatever fails; a job that tells falsified from broken calls .venv/bin/wattproof verify itself.
verify: $(READY)
	@$(BIN)/wattproof verify --profile $(or $(PROFILE),ci) \
		$(if $(or $(HISTORIES),$(if $(PROFILE),,100)),--histories $(or $(HISTORIES),100)) --jobs $(or $(JOBS),2) --out $(or $(OUT),report) \
		$(if $(ONLY),--only '$(ONLY)') $(if $(CHANGED),--changed '$(CHANGED)') $(MORE)

# One test, as a failure's last line names it.
test-one: $(READY)
	@test -n '$(TEST)' || { echo "name a test: make test-one TEST=tests/properties/test_matching.py::TestMatching"; exit 2; }
	@$(BIN)/python -m pytest '$(TEST)' --engine $(or $(ENGINE),pyevm) --profile $(or $(PROFILE),ci) $(MORE)

faults: $(READY)
	@$(BIN)/python -m verification.campaigns.seeded_bugs --json out/evidence/faults.json

deep: $(READY)
	@$(BIN)/python -m verification.campaigns.deep --budget $(or $(BUDGET),2h)

profit: $(READY)
	@$(BIN)/python -m verification.campaigns.deep --budget $(or $(BUDGET),1h) --tests tests/properties/test_profit.py \
		--attacks out/profit.json

field: $(LIVE)
	@WATTPROOF_KILLS=50 WATTPROOF_FIELD=full WATTPROOF_REQUESTS=10000 $(BIN)/python -m pytest -n 2 --dist loadfile tests/field

rate: $(READY)
	@for run in "revm --profile ci" "pyevm --profile quick"; do \
		said=$$($(BIN)/python -m pytest -q --engine $$run tests/properties/test_terms.py::TestTerms 2>&1) \
		|| { echo "$$said"; exit 1; }; echo "$$said" | grep -E '^engine|checked steps'; done

# halmos has an environment of its own, as it insists on another z3; it needs Python 3.12 or later.
HALMOS := $(VENV)/halmos/bin/halmos
PYTHON12 ?= $(shell for python in python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && { echo $$python; break; }; done)
$(HALMOS):
	@if [ -n "$(PYTHON12)" ]; then echo "installing halmos into $(VENV)/halmos" && $(PYTHON12) -m venv $(VENV)/halmos \
		&& $(VENV)/halmos/bin/python -m pip install --quiet --disable-pip-version-check halmos==0.3.3; \
		else echo "no Python 3.12 or later here: the proofs go without halmos"; fi

# All five parts, each with its file in out/evidence/; one that fails does not keep the others from running. Arguments
# that cannot be used are told before the first.
PARTS := "prove" "nodes" "compilers" "edges" "mutate --budget $(or $(BUDGET),30m) --jobs 2"
evidence: $(READY) $(HALMOS)
	@for part in $(PARTS); do $(BIN)/wattproof $$part --help >/dev/null || exit 2; done
	@failed=; for part in $(PARTS); do echo "wattproof $$part"; \
		WATTPROOF_HALMOS="$$(ls $(HALMOS) 2>/dev/null)" $(BIN)/wattproof $$part || failed="$$failed $${part%% *}"; done; \
		test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

# The README's figures, from what was measured last.
readme: $(READY)
	@$(BIN)/python -m verification.readme

# The documentation as a site; a link that leads nowhere fails it.
docs: $(DEV)
	@$(BIN)/mkdocs build --quiet --strict --site-dir out/docs && echo "documentation: out/docs/index.html"

lint: $(DEV)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports --no-cache && $(BIN)/pyright
	@for file in $(VYPER); do $(BIN)/mamushi --check --quiet -l 110 $$file || exit 1; done

format: $(DEV)
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	@for file in $(VYPER); do $(BIN)/mamushi --quiet -l 110 $$file || exit 1; done

# mamushi 0.1.2 breaks off on EnergyMarket.vy's long `initializes` lists (findings/mamushi-initializes-list.sh), so it is
# formatted by hand.
VYPER := $(wildcard contracts/market/*.vy) contracts/EnergyCredit.vy

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis out report build dist
