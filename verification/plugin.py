"""What pytest does for the property tests: options, engines, profiles, and what a run has to show in the end.

What it does at each moment of a run stands in `verification.plugins`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from vyper.exceptions import VyperException

from verification.harness import counters, presets
from verification.plugins import counts, failures, further, profiles, selection
from verification.plugins.profiles import PROFILES, engine_name, rerun
from verification.plugins.selection import is_property_test
from wattproof.cli.arguments import count
from wattproof.evm import compiler_cache
from wattproof.evm.engine import ENGINES
from wattproof.market.deployment import contracts_dir, find_sources


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the property tests."""
    group = parser.getgroup("wattproof")
    group.addoption("--engine", choices=ENGINES, help="engine of the property tests (default: revm where installed)")
    group.addoption("--profile", choices=PROFILES, default="ci", help="how hard the property tests try (default: ci)")
    group.addoption(
        "--histories", type=count, metavar="N", help="histories a test, instead of the profile's own number"
    )
    group.addoption("--steps", type=count, metavar="N", help="steps of a history, instead of the profile's own number")
    group.addoption("--about", metavar="ID,FILE", help="run only what checks these invariants, and all of these files")
    group.addoption("--evidence", metavar="FILE", help="write all that was counted there, as JSON; see docs/report.md")
    group.addoption("--multiple-bugs", action="store_true", help="keep searching for other violations after the first")
    group.addoption("--call-tree", action="store_true", help="show the call tree of each step of a failing history")
    group.addoption("--oversized", action="store_true", help="take contracts larger than a chain does (EIP-170)")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the profiles, chooses one, and prepares the folder in which the processes leave their counts."""
    try:
        find_sources()
    except FileNotFoundError as problem:  # Else each test would say so, in the compiler's words.
        raise pytest.UsageError(str(problem)) from problem
    selection.of_known_invariants(str(config.getoption("keyword") or ""))
    compiler_cache.use()
    profiles.load(config)
    counts.open_folder(config)
    for part in (selection, failures, counts, further):
        config.pluginmanager.register(part)
    config.pluginmanager.register(failures.Untried(config))
    config.addinivalue_line("markers", "invariant(*ids): the invariants of invariants.md that a test checks")


@pytest.fixture(scope="session")
def property_env(pytestconfig: pytest.Config) -> Any:
    """The environment that all property tests of this process share."""
    return presets.environment(engine_name(pytestconfig), pytestconfig.getoption("oversized"))


@pytest.fixture(autouse=True)
def _property_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Puts tests of `tests/properties` on the chosen engine, and titanoboa's own back afterwards.

    The presets that a module's machines begin in are played here, outside every example: whatever happens inside one
    is undone after it.
    """
    if not is_property_test(request.node):
        yield
        return
    with boa.swap_env(request.getfixturevalue("property_env")):
        prepare(request.module)
        counters.rerun = rerun(request.config, request.node.nodeid)
        yield
        for failure in presets.failures.values():
            raise failure


def prepare(module: Any) -> None:
    """Plays the presets of a module; contracts that do not compile fail the test with what the compiler says alone."""
    try:
        presets.prepare(module)
    except (VyperException, FileNotFoundError) as problem:
        said = f"the contracts in {contracts_dir()} do not compile: {problem}"
        raise pytest.fail.Exception(said, pytrace=False) from None


@pytest.fixture
def uncounted() -> Iterator[None]:
    """What a test makes fail on purpose is no part of the run's evidence."""
    with counters.uncounted():
        yield
