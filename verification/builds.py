"""The contracts as each of the compiler's optimisers and code generators builds them, and for which rules.

What ships is `SHIPPED`, for the compiler's own rules, Prague's. `OLDER` is what is deployed where a node knows no newer
rules than Shanghai's. The others are built for comparison only: where two of them behave differently, one of them was
compiled wrongly.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak
from vyper.cli.vyper_compile import get_search_paths
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.output import build_abi_output
from vyper.compiler.phases import CompilerData
from vyper.compiler.settings import OptimizationLevel, Settings, anchor_settings
from vyper.venom.function import IRFunction

from wattproof.evm.engine import EIP_170
from wattproof.market.abi import Interface
from wattproof.market.deployment import contracts_dir, deployer

CONTRACTS = ("EnergyCredit", "EnergyMarket", "MarketLens")
"""What is deployed for a market, in this order; the token may be any other."""

SHIPPED = "gas"
OLDER = "shanghai-codesize"

Suite = tuple["Build", "Build", "Build"]
"""The builds of `CONTRACTS`."""

_SETTINGS: dict[str, dict[str, Any]] = {
    "gas": dict(optimize=OptimizationLevel.GAS),
    "none": dict(optimize=OptimizationLevel.NONE),
    "codesize": dict(optimize=OptimizationLevel.CODESIZE),
    "venom": dict(optimize=OptimizationLevel.GAS, experimental_codegen=True),
    "venom-codesize": dict(optimize=OptimizationLevel.CODESIZE, experimental_codegen=True),
    "shanghai": dict(optimize=OptimizationLevel.GAS, evm_version="shanghai"),
    "shanghai-codesize": dict(optimize=OptimizationLevel.CODESIZE, evm_version="shanghai"),
}

SETTINGS = ("gas", "none", "codesize", "venom", "venom-codesize", OLDER)
"""The builds that are compared: three optimisers, the experimental code generator with two of them, older rules."""


class DoesNotCompile(RuntimeError):
    """The experimental code generator gives up; the message has what it says, and the function it stopped in."""

    def __init__(self, contract: str, setting: str, problem: BaseException) -> None:
        said = " ".join(str(problem).split())[:200]
        where = f" in {_function(problem)}" if _function(problem) else ""
        super().__init__(f"{contract}, {setting}: {type(problem).__name__}{where}{': ' if said else ''}{said}")


@dataclass(frozen=True)
class Build:
    """A contract, compiled: its name, the setting, ABI, creation and runtime code, and how many bytes of immutables.

    The deployment appends the immutables to the runtime code.
    """

    contract: str
    setting: str
    abi: list[dict[str, Any]]
    creation: bytes
    runtime: bytes
    immutables: int

    @functools.cached_property
    def interface(self) -> Interface:
        """What encodes its calls and reads its events."""
        return Interface(self.abi)

    @property
    def size(self) -> int:
        """Bytes of what is deployed."""
        return len(self.runtime) + self.immutables

    @property
    def free(self) -> int:
        """Bytes that it is below what a chain takes (EIP-170); negative where it is above."""
        return EIP_170 - self.size

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


def compiled(source: Path, folder: Path, settings: Settings | None = None) -> CompilerData:
    """What the compiler makes of a file that imports from the sources in `folder`, once it is asked for."""
    bundle = FilesystemInputBundle(get_search_paths([str(folder.parent), str(folder)]))
    return CompilerData(bundle.load_file(str(source)), bundle, settings or Settings())


@functools.cache
def build(contract: str, setting: str = SHIPPED, folder: Path | None = None) -> Build:
    """Compiles `contract` from the Vyper sources (or from `folder`).

    Raises DoesNotCompile where the experimental code generator gives up, however it does; what else is wrong is raised
    as the compiler raises it.
    """
    options = Settings(**_SETTINGS[setting])
    if setting == SHIPPED and folder is None:
        data = deployer(contract).compiler_data  # the same, and titanoboa keeps it on disk
    else:
        sources = folder or contracts_dir()
        data = compiled(sources / f"{contract}.vy", sources, options)
    # Outside of this, vyper takes every contract for its own rules, whatever the settings say.
    with anchor_settings(data.settings), warnings.catch_warnings():
        # The market's array of all its words (contracts/market/records.vy) is meant to be that large.
        warnings.filterwarnings("ignore", "Use of large arrays")
        try:
            return Build(
                contract,
                setting,
                build_abi_output(data),
                data.bytecode,
                data.bytecode_runtime,
                data.global_ctx.immutable_section_bytes,
            )
        except Exception as problem:  # It ends in all kinds of ways: StackTooDeep, StopIteration, a panic.
            if not options.experimental_codegen:
                raise
            raise DoesNotCompile(contract, setting, problem) from problem


def suite(setting: str = SHIPPED, folder: Path | None = None) -> Suite:
    """Token, market and lens, built the same way from the same folder. Raises as `build` does."""
    token, market, lens = (build(contract, setting, folder) for contract in CONTRACTS)
    return token, market, lens
