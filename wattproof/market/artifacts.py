"""What compiling a contract comes to, its ABI and the code that creates it, kept on disk by what the sources say.

Even where titanoboa has kept a contract, it reads and checks the source anew, for seconds; whoever only speaks with a
market that lies on a chain needs none of that.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from wattproof.evm import compiler_cache
from wattproof.market.abi import Interface
from wattproof.market.deployment import deployer, find_sources


@dataclass(frozen=True)
class Artifact:
    """A compiled contract: its ABI, and its creation code without the constructor's arguments."""

    abi: list[dict[str, Any]]
    bytecode: bytes


@functools.cache
def artifact(name: str) -> Artifact:
    """The compiled contract `name`. Raises FileNotFoundError where the sources are not there."""
    abi, bytecode = compiler_cache.kept(f"{name} in {_sources()}", lambda: _compiled(name))
    return Artifact(abi, bytecode)


@functools.cache
def interface_of(name: str) -> Interface:
    """The interface of the contract `name`. Raises FileNotFoundError where the sources are not there."""
    return Interface(artifact(name).abi)


def _compiled(name: str) -> tuple[list[dict[str, Any]], bytes]:
    from vyper.compiler.output import build_abi_output

    data = deployer(name).compiler_data
    return build_abi_output(data), data.bytecode


@functools.cache
def _sources() -> str:
    """Of all sources, and of the library that they stand on; the compiler's version is in the cache's own place."""
    found, folder = hashlib.sha256(version("snekmate").encode()), find_sources()
    for path in sorted(folder.rglob("*.vy*")):
        content = path.read_bytes()
        found.update(f"{path.relative_to(folder)} {len(content)} ".encode() + content)
    return found.hexdigest()
