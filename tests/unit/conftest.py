"""Fixtures of the unit tests. titanoboa's plugin undoes after each test whatever the test did to the chain."""

from __future__ import annotations

import pytest

from tests.support.stage import Stage


@pytest.fixture(scope="session")
def stage() -> Stage:
    """A market with a prosumer, a consumer and a neighbour; deployed once, restored after every test."""
    return Stage()
