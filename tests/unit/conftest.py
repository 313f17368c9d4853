"""Fixtures of the unit tests. titanoboa's plugin undoes after each test whatever the test did to the chain."""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest

from tests.support.meters.home import Home, moved_in
from tests.support.stage import Stage
from tests.support.tokens import Hostile
from wattproof.evm.engine import available, engine


@pytest.fixture(scope="session")
def stage() -> Stage:
    """A market with a prosumer, a consumer and a neighbour; deployed once, restored after every test."""
    return Stage()


@pytest.fixture(scope="module")
def fastest() -> Iterator[None]:
    """The fastest engine, for modules whose histories or full books take minutes on py-evm."""
    with engine(available()[-1]):
        yield


@pytest.fixture
def swift() -> Iterator[Stage]:
    """A market on the fastest engine, for one test that takes a minute on py-evm."""
    with engine(available()[-1]):
        yield Stage()


@pytest.fixture(scope="module")
def hostile(stage: Stage) -> Hostile:
    """A market with a hostile token, honest so far, in which the caller has deposited 500 of its 1000."""
    hostile = Hostile(stage)
    hostile.market.deposit(500, sender=hostile.caller)
    return hostile


@pytest.fixture(scope="module", params=available())
def each_engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each engine in turn, as it is: without the precompile for P-256."""
    with engine(request.param):
        yield


@pytest.fixture(scope="module")
def _home(each_engine: None) -> Home:
    return moved_in()


@pytest.fixture
def home(_home: Home) -> Iterator[Home]:
    """A household with a device on P-256 that has not registered; whatever a test does is undone."""
    with boa.env.anchor():
        yield _home
