"""A chain beyond this process, in titanoboa's network mode: what can be found out before anything is sent to it.

What is sent there costs money and stays. So all that is about to be sent is rehearsed on a fork inside this process,
and refused where an account, its money or the chain's rules do not suffice. Outside of network mode nothing is done.
"""

from __future__ import annotations

import contextlib
import functools
import re
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import boa
from boa.environment import Env
from boa.network import NetworkEnv
from boa.rpc import RPC, RPCError
from boa.util.abi import Address as AccountAddress
from boa.vm.fork import CachingRPC
from eth.constants import ZERO_ADDRESS
from eth_utils.address import to_checksum_address
from requests.exceptions import RequestException

from wattproof.evm.anvil import HARDFORK as RULES
from wattproof.evm.rpc import Address, NodeUnusable, RpcError

FUNDING_GAS = 400_000
"""More than what credits, allowance and deposit of one account cost in all, in gas."""


_READERS = ("boa.rpc", "boa.network", "boa.vm.fork")
"""titanoboa's modules that read what nodes answer."""


class NotReady(RuntimeError):
    """A chain cannot do what is asked, and nothing was sent; the message is one line that says what to do."""


def network() -> NetworkEnv | None:
    """titanoboa's environment where it is a network."""
    return boa.env if isinstance(boa.env, NetworkEnv) else None


def only_inside(what: str) -> None:
    """Raises NotReady where titanoboa is set to a network."""
    if network() is not None:
        raise NotReady(f"{what} needs a chain inside this process: call boa.set_env(boa.Env()) first")


def account(role: str, somebody: Any) -> str:
    """The address of a contract or an account, or a text that is one. ValueError for anything else, an empty text too:
    a variable that is not set must not stand for whoever sends."""
    try:
        return str(AccountAddress(getattr(somebody, "address", somebody)))
    except (ValueError, TypeError):
        raise ValueError(f"{role} {somebody!r} is no address: write 0x and 40 hexadecimal digits") from None


# ---- asking ------------------------------------------------------------------------------


def _address(env: NetworkEnv) -> Address:
    try:
        return Address.of(env._rpc.identifier)
    except NodeUnusable:  # Of a browser's wallet, say.
        return Address("", "the node", (), ())


@contextlib.contextmanager
def _told(env: NetworkEnv) -> Iterator[None]:
    """Inside the block titanoboa asks the node: what goes wrong is told in one line, with the host alone.

    Raises RpcError where the node refuses, NodeUnusable where it does not answer as a node does.
    """
    address = _address(env)
    try:
        yield
    except Exception as problem:
        told = _in_one_line(problem, address)
        if told is None:
            raise
        raise told from None


def _in_one_line(problem: Exception, address: Address) -> RpcError | NodeUnusable | None:
    """What titanoboa raised, told in one line; None where that is not about the node."""
    sent = _on_its_way(problem, address)
    if isinstance(problem, RPCError):
        return RpcError(address.host, {"message": address.said(problem) + sent, "code": problem.code})
    if isinstance(problem, RequestException):
        return NodeUnusable(unreachable(problem, address.host) + sent)
    if (ended := _ended(problem)) is not None:
        return NodeUnusable(f"{address.host} {ended}{sent}")
    if isinstance(problem, LookupError | TypeError | ValueError | AttributeError) and _is_reading(problem):
        return NodeUnusable(f"{address.host} does not answer as a node does: is it the RPC address?{sent}")
    return None


def _ended(problem: Exception) -> str | None:
    """What titanoboa says in its own words of a transaction that did not end well; None where it is something else."""
    said = str(problem)
    if said.startswith("Timed out waiting for "):
        return "does not say in time what became of the last transaction"
    if said.startswith("txn failed: "):
        return "says that the last transaction failed, whose gas is paid"
    if said.startswith("uh oh! "):
        here, there = re.findall("0x[0-9a-fA-F]{40}", said)
        return f"created {there} in the place of {here}: does somebody else send from this account at the same time?"
    if said.startswith("panic: "):
        return "refused what went well in the rehearsal: did somebody else come first?"
    return None


def _on_its_way(problem: Exception, address: Address) -> str:
    """Which transaction was, or may have been, sent when titanoboa failed; nothing where none was."""
    for frame, _ in traceback.walk_tb(problem.__traceback__):
        if frame.f_code.co_name == "_send_txn":
            number, signed = frame.f_locals.get("tx_hash"), frame.f_locals.get("signed")
            # A node that does not answer may have taken it; one that refuses has not.
            if number is None and signed is not None and isinstance(problem, RequestException):
                number = "0x" + bytes(signed.hash).hex()
            if number is not None:
                return f"; look for transaction {address.said(number)} before you send anything again"
    return ""


def unreachable(problem: RequestException, host: str | None = None) -> str:
    """One line for an error of requests, which tells more of an address than its host; None: take that from it."""
    if host is None:
        try:
            host = Address.of(str(getattr(problem.request, "url", ""))).host
        except NodeUnusable:
            host = "the node"
    status = getattr(problem.response, "status_code", None)
    why = f"HTTP {status}" if status else type(problem).__name__
    return f"{host} cannot be asked ({why}): is the node there, and is its address right?"


def _is_reading(problem: BaseException) -> bool:
    """Whether titanoboa raised it while it read an answer; not where it waited for one, or for an account."""
    frames = [frame for frame, _ in traceback.walk_tb(problem.__traceback__)]
    if frames[-1].f_code.co_name in ("wait_for_tx_receipt", "_send_txn"):
        return False
    return any(frame.f_globals.get("__name__") in _READERS or frame.f_code.co_name == "fork_rpc" for frame in frames)


def speaking() -> contextlib.AbstractContextManager[None]:
    """Inside the block titanoboa sends or asks: on a network what goes wrong is told as by `_told`."""
    env = network()
    return contextlib.nullcontext() if env is None else _told(env)


@contextlib.contextmanager
def sending() -> Iterator[list[str]]:
    """As `speaking`, where several transactions are sent: the block notes what they did, one by one, so that where a
    later one fails it is told what stays on the chain."""
    done: list[str] = []
    try:
        with speaking():
            yield done
    except (RpcError, NodeUnusable) as problem:
        if done:
            problem.args = (f"{problem}; on the chain already: {', '.join(done)}",)
        raise


def latest() -> None:
    """On a network lets titanoboa see the chain as it is now, not as it was when it last sent something."""
    env = network()
    if env is not None:
        _keep_nothing(env)
        env._reset_fork()


def view(to: str, data: bytes, gas: int) -> Any:
    """titanoboa's computation of a view, which may fail.

    On a network it is made on titanoboa's fork, and nobody need be there to send: what nodes say of a call that reverts
    cannot be told from their other refusals.
    """
    env = network()
    if env is None:
        return boa.env.execute_code(to_address=to, data=data, gas=gas, is_modifying=False)
    with env.sender(env.eoa or ZERO_ADDRESS):
        return Env.execute_code(env, to_address=to, data=data, gas=gas, is_modifying=False)


def ask(env: NetworkEnv, method: str, *params: Any) -> Any:
    """What the node answers. Raises RpcError where it refuses, NodeUnusable where it does not answer as a node does."""
    with _told(env):
        return env._rpc.fetch_uncached(method, list(params))


def _number(env: NetworkEnv, method: str, *params: Any) -> int:
    found = ask(env, method, *params)
    try:
        return int(found, 16)
    except (TypeError, ValueError):
        raise NodeUnusable(f"{_address(env).host} does not answer {method} with a number: is it a node?") from None


# ---- the clock ---------------------------------------------------------------------------


def now(env: Env) -> int:
    """The second of the chain's last block. Raises as `ask`."""
    if not isinstance(env, NetworkEnv):
        return env.timestamp
    block = ask(env, "eth_getBlockByNumber", "latest", False)
    try:
        return int(block["timestamp"], 16)
    except (LookupError, TypeError, ValueError):
        raise NodeUnusable(f"{_address(env).host} tells no block with a timestamp: is it a node?") from None


def move_to(env: Env, second: int) -> None:
    """Moves the chain's clock. Raises NotReady where it cannot be moved: only development nodes can."""
    if not isinstance(env, NetworkEnv):
        env.timestamp = second
        return
    shown, why = now(env), ""
    if shown < second and is_development(env):
        _keep_nothing(env)
        try:
            ask(env, "evm_setNextBlockTimestamp", second)
            ask(env, "evm_mine")
        except RpcError as problem:
            why = f" ({problem})"
        shown = max(shown, now(env))
        reached = shown >= second  # A node that makes blocks by itself may be a little ahead by now.
    else:
        reached = shown == second
    if not reached:
        if second < shown:
            raise NotReady(f"the chain's clock cannot go back {shown - second} s: time runs one way")
        wait = f"wait {_date(second)}in {second - shown} s, or take a development node such as anvil"
        raise NotReady(f"the chain's clock cannot be moved{why}: {wait}")
    with _told(env):
        env._reset_fork()


def _date(second: int) -> str:
    """A second as people write it; nothing where that lies beyond all calendars."""
    try:
        return datetime.fromtimestamp(second, UTC).strftime("until %Y-%m-%d %H:%M:%S UTC, ")
    except (ValueError, OverflowError, OSError):
        return ""


def is_development(env: NetworkEnv) -> bool:
    """Whether the node is one for development, whose state and clock can be moved. Raises as `ask`."""
    with _told(env):
        return env._rpc_has_snapshot


def _keep_nothing(env: NetworkEnv) -> None:
    """Has titanoboa keep nothing on disk of a chain from here on. Raises as `ask`.

    A chain of somebody's own begins anew with its node, and every chain may go back a few blocks: what is kept of a
    block, by its number, may be another's.
    """
    if "fork_rpc" not in vars(env):
        vars(env)["fork_rpc"] = functools.partial(_fork_anew, env)
        with _told(env):
            env._reset_fork()


def _fork_anew(env: Env, rpc: RPC, *args: Any, **kwargs: Any) -> None:
    """As `Env.fork_rpc`, with nothing of what was read before."""
    loaded: dict[Any, Any] = CachingRPC._loaded
    for key in [key for key in loaded if (key[0], key[2]) == (rpc.identifier, None)]:
        del loaded[key]
    Env.fork_rpc(env, rpc, *args, **kwargs, cache_dir=None)


# ---- before anything is sent ---------------------------------------------------------------


def parties(owner: str | None, supplier: str | None) -> tuple[str, str]:
    """Who a new market's owner and supplier are; by default new addresses, on a network who sends.

    Nobody has the key of an address that is made up. Raises ValueError where one is no address; NotReady where nobody
    can be the sender, or where the supplier, which can never be changed, is not named on a chain that is not for
    development.
    """
    owner, supplier = (
        party if party is None else account(role, party) for role, party in (("owner", owner), ("supplier", supplier))
    )
    env = network()
    if env is None:
        made = boa.env.generate_address
        return owner or str(made("owner")), supplier or str(made("supplier"))
    sender = _sender(env, None)
    if supplier is None and not is_development(env):
        raise NotReady("the supplier can never be changed: name it, by deploy(supplier=...)")
    return owner or sender, supplier or sender


def _sender(env: NetworkEnv, account: str | None) -> str:
    """The account that is to send, by default titanoboa's. Raises NotReady where its key is not there."""
    account = account or env.eoa
    if account is None:
        raise NotReady(
            "there is no account to send from: boa.env.add_account(eth_account.Account.from_key(...)), "
            "or on a development node boa.env.add_accounts_from_rpc(url)"
        )
    sender = to_checksum_address(account)
    if sender not in env._accounts:
        raise NotReady(f"there is no key of {sender}, which is to send: boa.env.add_account(...) first")
    return sender


class _Rehearsal(Env):
    """A fork of a network inside this process, which writes down what is created.

    created   of each creation who sends it, its code and its gas
    """

    def __init__(self, env: NetworkEnv) -> None:
        super().__init__()
        self.eoa = env.eoa
        self.created: list[tuple[str, bytes, int]] = []
        _fork_anew(self, env._rpc, block_identifier="latest")

    def deploy(self, *args: Any, **kwargs: Any) -> Any:
        address, computation = super().deploy(*args, **kwargs)
        message = computation.msg
        words, zeros = -(-len(message.code) // 32), message.code.count(0)
        intrinsic = 53_000 + 16 * len(message.code) - 12 * zeros + 2 * words
        sender = to_checksum_address(message.sender)
        self.created.append((sender, message.code, intrinsic + computation.get_gas_used()))
        return address, computation


def check_sender(account: str | None) -> None:
    """On a network raises NotReady unless the key of an account, by default of titanoboa's, is there."""
    env = network()
    if env is not None:
        _sender(env, account)


def rehearse(play: Callable[[], Any], *senders: str | None) -> None:
    """On a network plays on a fork what is about to be sent by `senders`; None is titanoboa's account.

    Raises:
        NotReady: the key or the money of an account is not there, or the chain's rules are older than the contracts'.
        boa.BoaError: a contract refuses.
        NodeUnusable: there is no node to ask.
    """
    env = network()
    if env is None:
        return
    for account in senders:
        _sender(env, account)
    _keep_nothing(env)
    with _told(env):
        if not env.capabilities.check_evm_version(RULES):
            rules = env.capabilities.describe_capabilities()
            built = f"the contracts are built for {RULES}'s: take another chain"
            raise NotReady(f"titanoboa takes the chain's rules to be {rules}'s, {built}")
        fork = _Rehearsal(env)
        with boa.swap_env(fork):
            play()
    needed: Counter[str] = Counter()
    for sender, gas in _gas(env, fork.created):
        needed[sender] += gas
    for sender, gas in needed.items():
        _check_money(env, sender, gas)


def _gas(env: NetworkEnv, created: list[tuple[str, bytes, int]]) -> Iterator[tuple[str, int]]:
    """Who pays how much gas for each creation, by the prices of the chain, which may be others than the fork's.

    The node cannot estimate a creation that needs an earlier one: it is taken to be as much dearer as the others.
    """
    dearer = Decimal(1)
    for place, (sender, bytecode, gas) in enumerate(created):
        try:
            found = _number(env, "eth_estimateGas", {"from": sender, "data": "0x" + bytecode.hex()})
            dearer = max(dearer, Decimal(found) / gas)
        except RpcError as problem:
            if place == 0:
                raise NotReady(f"the chain would not create the contract: {problem}") from None
    for sender, _, gas in created:
        yield sender, int(gas * dearer) + 1


def check_payment(account: str, wei: int) -> None:
    """On a network raises NotReady unless an account can send, and pay that much and the gas of being funded."""
    env = network()
    if env is not None:
        _keep_nothing(env)
        _check_money(env, _sender(env, account), FUNDING_GAS, wei)


def _check_money(env: NetworkEnv, sender: str, gas: int, wei: int = 0) -> None:
    price = _price(env)
    there, needed = _number(env, "eth_getBalance", sender, "latest"), wei + gas * price
    if there < needed:
        of = f"{gas:,} gas at up to {_decimal(price, 9)} gwei"
        raise NotReady(
            f"{sender} has {_decimal(there, 18)} ether and needs up to {_decimal(needed, 18)}, of it for {of}: "
            f"send it {_decimal(needed - there, 18)} first"
        )


def _price(env: NetworkEnv) -> int:
    """The most that titanoboa offers for a unit of gas, in wei."""
    with _told(env):
        try:
            return int(env.get_eip1559_fee()[2], 16)
        except (RPCError, LookupError):
            return int(env.get_static_fee()[0], 16)


def _decimal(number: int, places: int) -> str:
    return f"{Decimal(number).scaleb(-places).normalize():f}"
