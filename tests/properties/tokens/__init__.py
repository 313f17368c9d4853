"""Tokens for the property tests, beside the hostile one of `tests/support/tokens`."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import boa


@functools.cache
def deployer(name: str) -> Any:
    """titanoboa's deployer of the contract `name` in this folder, compiled once per process."""
    return boa.load_partial(str(Path(__file__).parent / f"{name}.vy"))
