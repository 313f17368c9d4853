"""The contracts as each of the compiler's optimisers and code generators builds them.

What ships is `SHIPPED`. The others are built for comparison only: where two of them behave differently, one of them
was compiled wrongly.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak
from vyper.cli.vyper_compile import get_search_paths
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.output import build_abi_output
from vyper.compiler.phases import CompilerData
from vyper.compiler.settings import OptimizationLevel, Settings
from vyper.venom.function import IRFunction

from wattproof.deployment import contracts_dir

SHIPPED = "gas"

_SETTINGS: dict[str, dict[str, Any]] = {
    "gas": dict(optimize=OptimizationLevel.GAS),
    "none": dict(optimize=OptimizationLevel.NONE),
    "codesize": dict(optimize=OptimizationLevel.CODESIZE),
    "venom": dict(optimize=OptimizationLevel.GAS, experimental_codegen=True),
    "venom-codesize": dict(optimize=OptimizationLevel.CODESIZE, experimental_codegen=True),
}

SETTINGS = tuple(_SETTINGS)
"""The names of all builds: three optimisers, and the experimental code generator with two of them."""


class DoesNotCompile(RuntimeError):
    """The experimental code generator gives up; the message has what it says, and the function it stopped in."""

    def __init__(self, contract: str, setting: str, problem: BaseException) -> None:
        said = " ".join(str(problem).split())[:200]
        where = f" in {_function(problem)}" if _function(problem) else ""
        super().__init__(f"{contract}, {setting}: {type(problem).__name__}{where}{': ' if said else ''}{said}")


@dataclass(frozen=True)
class Build:
    """A contract, compiled: its name, the setting, ABI, creation and runtime code."""

    contract: str
    setting: str
    abi: list[dict[str, Any]]
    creation: bytes
    runtime: bytes

    @property
    def hashes(self) -> dict[str, str]:
        """Keccak-256 of both codes, in hex. The runtime code is without its immutables, which deployment appends."""
        return {"creation": keccak(self.creation).hex(), "runtime": keccak(self.runtime).hex()}


def _function(problem: BaseException) -> str | None:
    """The function that the code generator was at work on, from its own frames."""
    found, trace = None, problem.__traceback__
    while trace is not None:
        if isinstance(at := trace.tb_frame.f_locals.get("fn"), IRFunction):
            found = str(at.name)
        trace = trace.tb_next
    return found


@functools.cache
def build(contract: str, setting: str = SHIPPED, folder: Path | None = None) -> Build:
    """Compiles `contract` from the Vyper sources (or from `folder`).

    Raises DoesNotCompile where the experimental code generator gives up, however it does; what else is wrong is raised
    as the compiler raises it.
    """
    sources = folder or contracts_dir()
    bundle = FilesystemInputBundle(get_search_paths([str(sources.parent), str(sources)]))
    options = Settings(**_SETTINGS[setting])
    data = CompilerData(bundle.load_file(str(sources / f"{contract}.vy")), bundle, options)
    abi = build_abi_output(data)
    if not options.experimental_codegen:
        return Build(contract, setting, abi, data.bytecode, data.bytecode_runtime)
    try:
        return Build(contract, setting, abi, data.bytecode, data.bytecode_runtime)
    except Exception as problem:  # It ends in all kinds of ways: StackTooDeep, StopIteration, a panic.
        raise DoesNotCompile(contract, setting, problem) from problem
