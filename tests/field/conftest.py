"""What tests of the field share: an anvil of their own, a market on it, and databases."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import databases
from tests.support.field import Ground
from wattproof.evm.anvil import Anvil, binary
from wattproof.evm.node import NodeUnavailable
from wattproof.outputs import brief

# A run in the background ignores Ctrl-C, and so would all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

START = 1_750_000_000


@pytest.fixture(scope="session")
def has_anvil() -> None:
    """Skips where there is no anvil, and none can be fetched."""
    try:
        binary()
    except NodeUnavailable as problem:
        pytest.skip(str(problem))


@pytest.fixture
def anvil(has_anvil: None) -> Iterator[Anvil]:
    """A node whose blocks are made by `mine` only."""
    with Anvil(timestamp=START, chain_id=7_357) as node:
        yield node


@pytest.fixture(scope="module")
def ground(has_anvil: None) -> Iterator[Ground]:
    """A node with a market on it, for all tests of a file: each leaves the chain as it was."""
    with Anvil(timestamp=START, chain_id=7_357) as node:
        yield Ground.on(node)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[databases.PostgreSQL]:
    """A server, for all tests; skips where none can be started."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(databases.postgresql())
        except Exception as problem:  # Whatever a machine lacks for it.
            pytest.skip(f"no PostgreSQL: {brief(problem)}")
        yield server


KINDS = ("sqlite", "postgresql")
"""Of databases."""


def fresh_url(request: pytest.FixtureRequest, folder: Path) -> str:
    """The URL of a fresh database, of the kind that is the fixture's parameter."""
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'market.db'}"
    return request.getfixturevalue("postgresql").new()


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a fresh database, of either kind."""
    return fresh_url(request, tmp_path)
