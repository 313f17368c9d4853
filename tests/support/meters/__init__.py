"""Meters that are contracts, and what a chain needs for them: small Vyper sources beside this file."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import boa

from wattproof.evm import compiler_cache


@functools.cache
def deployer(name: str) -> Any:
    """titanoboa's deployer of the contract `name` in this folder, compiled once per process."""
    compiler_cache.use()
    return boa.load_partial(str(Path(__file__).parent / f"{name}.vy"))
