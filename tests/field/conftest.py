"""What tests of the field share: an anvil of their own, and a market on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.field import Ground
from wattproof.evm.anvil import Anvil, binary
from wattproof.evm.node import NodeUnavailable

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
