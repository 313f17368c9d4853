"""The two engines that run the contracts: titanoboa's own py-evm (the reference) and revm (extra `fast`).

`python -m wattproof.evm.engine --rate` prints how many light transactions a second each of them makes.
"""

import argparse
import contextlib
import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

import boa
import boa.vm.py_evm as py_evm
from boa.contracts.vyper.vyper_contract import VyperContract
from boa.environment import Env
from boa.util.abi import Address
from boa.vm.fork import AccountDBFork
from eth.constants import BLANK_ROOT_HASH

from wattproof.evm import compiler_cache
from wattproof.evm.revm import EngineUnavailable, EngineUnsupported, RevmEnv

ENGINES = ("pyevm", "revm")

EIP_170 = 24_576
"""Bytes that a contract may have on a chain."""


def make_env(name: str) -> Env:
    """A fresh environment, independent of every other; equal calls give equal addresses on both engines.

    Raises:
        EngineUnavailable: no engine of this name, or its package is not installed.
    """
    if name == "pyevm":
        return _make_pyevm()
    if name == "revm":
        return RevmEnv()
    raise EngineUnavailable(f"no engine called {name!r}: choose one of {', '.join(ENGINES)}")


def roomy_env(name: str, make: Callable[[str], Env] = make_env) -> Env:
    """As `make_env`, for contracts up to four times as large as a chain takes (EIP-170): changed on purpose.

    It can be put in the place of `make_env`, which it knows as `make`.
    """
    env = make(name)
    env.evm.patch.code_size_limit = 4 * EIP_170
    return env


def available() -> tuple[str, ...]:
    """The engines whose packages are installed, the fastest last; py-evm always is."""
    try:
        RevmEnv()
    except EngineUnavailable:
        return ("pyevm",)
    return ENGINES


@contextlib.contextmanager
def engine(name: str) -> Iterator[Env]:
    """A fresh environment as titanoboa's current one inside the block; the one before is back afterwards."""
    env = make_env(name)
    with boa.swap_env(env):
        yield env


@contextlib.contextmanager
def lean_reverts() -> Iterator[None]:
    """Shortens `repr(contract)` of every Vyper contract inside the block to name and address.

    On py-evm titanoboa formats all storage of the contract for each reverting frame: 12 ms a refused call
    with 40 entries in a map, 0.6 ms without. Error texts lose their storage dump. revm does not need this.
    """
    original = VyperContract.__repr__

    def brief(self: VyperContract) -> str:
        return f"<{self.contract_name} at {self._address}>"

    VyperContract.__repr__ = brief
    try:
        yield
    finally:
        VyperContract.__repr__ = original


def storage_dump(env: Env, address: Any) -> dict[int, int]:
    """Every storage slot of a contract that is not zero: slot -> value, the same on both engines.

    Complete however a slot was written: by any call, or by `env.set_storage`. Cost on py-evm: about 1 us a
    slot, read from the journal that titanoboa never flushes. On revm: pyrevm lists slots only in the debug
    text of its whole state, so it goes by all of that, about 2 ms a megabyte: 80 kB (30 us) for a market and
    token just deployed, and 2 kB more for each call since that wrote and was not withdrawn (0.9 ms for 200).

    Args:
        address: the contract or its address.

    Raises:
        EngineUnsupported: a forked chain, or storage that py-evm was made to flush.
    """
    address = Address(getattr(address, "address", address))
    if isinstance(env, RevmEnv):
        return env.evm.storage_dump(address)
    # What titanoboa says itself, `is_forked`, is of the chain that it forked last, in whatever environment.
    if isinstance(env.evm.vm.state._account_db, AccountDBFork):
        raise EngineUnsupported("a forked chain's storage cannot be listed")
    store = env.evm.vm.state._account_db._account_stores.get(address.canonical_address)
    if store is None:
        return {}
    root = env.evm.vm.state._account_db._get_storage_root(address.canonical_address)
    if store.has_changed_root or root != BLANK_ROOT_HASH:
        raise EngineUnsupported("py-evm has flushed this account's storage: its trie cannot be listed")
    slots: dict[int, int] = {}
    for layer in (store._locked_changes._journal, store._journal_storage._journal):
        if layer._ignore_wrapped_db:
            slots.clear()
        for key, value in layer._current_values.items():
            slot = int.from_bytes(key, "big")
            if type(value) is bytes:  # RLP of an integer: itself below 128, else a length byte and the digits
                slots[slot] = value[0] if len(value) == 1 else int.from_bytes(value[1:], "big")
            else:  # one of two marks for "deleted"
                slots.pop(slot, None)
    return slots


def state_digest(env: Env, address: Any) -> bytes:
    """32 bytes that are equal exactly when a contract's storage is equal, on the same engine or the other.

    SHA-256 of the sorted slots of `storage_dump`, whose cost it has. Balance, nonce and code are not in it.
    """
    digest = hashlib.sha256()
    for slot, value in sorted(storage_dump(env, address).items()):
        digest.update(slot.to_bytes(32, "big") + value.to_bytes(32, "big"))
    return digest.digest()


_TRACERS = ((0x20, "sha3", py_evm.Sha3PreimageTracer), (0x55, "sstore", py_evm.SstoreTracer))
"""Opcodes that titanoboa traces, where the tracer keeps the plain one, and the tracer."""


def untraced(opcodes: Mapping[int, Any]) -> dict[int, Any]:
    """A copy of py-evm's table of opcodes, without the tracers that titanoboa's environments put into it."""
    plain = dict(opcodes)
    for opcode, inner, tracer in _TRACERS:
        while isinstance(plain[opcode], tracer):
            plain[opcode] = getattr(plain[opcode], inner)
    return plain


def _make_pyevm() -> Env:
    env = Env.__new__(Env)
    env._random = Random("titanoboa")  # titanoboa shares one stream among all environments
    env.__init__()
    # titanoboa stacks every environment's tracers in one shared opcode table: give this one its own
    computation = env.evm.vm.state.computation_class
    shared = computation.opcodes
    own = untraced(shared)
    for opcode, inner, tracer in _TRACERS:
        shared[opcode] = getattr(shared[opcode], inner)
        own[opcode] = tracer(own[opcode], env)
    computation.opcodes = own
    return env


_COUNTER = """
total: public(uint256)

event Added:
    amount: uint256

@external
def add(amount: uint256):
    assert amount != 0, "counter: zero"
    self.total += amount
    log Added(amount=amount)
"""


def rates(name: str, seconds: float = 1.0) -> dict[str, float]:
    """Light transactions (one slot written, one event) a second: raw, through titanoboa, and refused."""
    compiler_cache.use()
    with engine(name) as env:
        counter: Any = boa.loads(_COUNTER)
        target, data = counter.address, counter.add.prepare_calldata(1)

        def refused() -> None:
            with boa.reverts("counter: zero"):
                counter.add(0)

        def refused_lean() -> None:
            with lean_reverts():
                refused()

        return {
            "env.execute_code": _rate(lambda: env.execute_code(to_address=target, data=data), seconds),
            "contract.function()": _rate(lambda: counter.add(1), seconds),
            "refused": _rate(refused, seconds),
            "refused, lean_reverts": _rate(refused_lean, seconds),
        }


def _rate(call: Any, seconds: float) -> float:
    call()
    done, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        for _ in range(20):
            call()
        done += 20
    return done / elapsed


def main(arguments: list[str] | None = None) -> int:
    """`python -m wattproof.evm.engine --rate`."""
    parser = argparse.ArgumentParser(prog="python -m wattproof.evm.engine", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rate", action="store_true", help="measure light transactions on each engine")
    options = parser.parse_args(arguments)
    if not options.rate:
        parser.print_help()
        return 0
    for name in ENGINES:
        try:
            figures = rates(name)
        except EngineUnavailable as exc:
            print(f"{name}: {exc}")
            continue
        for what, figure in figures.items():
            print(f"{name:6} {what:24} {figure:>9,.0f} a second")
    return 0


if __name__ == "__main__":
    sys.exit(main())
