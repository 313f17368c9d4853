"""A market on a network, by titanoboa: what cannot be done is refused before anything is sent, with what to do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boa
import pytest
from boa.network import EIP_2935_BYTECODE, EIP_2935_CONTRACT_ADDRESS
from boa.rpc import RPCError
from boa.vm.fork import CachingRPC
from eth_account import Account
from requests.exceptions import ReadTimeout, RequestException

from tests.support.answering import answering, replies
from tests.support.tokens import deployer
from wattproof import repl
from wattproof.evm import anvil, network
from wattproof.evm.anvil import Anvil
from wattproof.evm.engine import EngineUnsupported, state_digest
from wattproof.evm.network import NotReady
from wattproof.evm.node import NodeUnavailable
from wattproof.evm.rpc import NodeUnusable, RpcError
from wattproof.market import deployment
from wattproof.market.clock import Clock
from wattproof.market.deployment import Deployment, Tariff, deploy, deploy_market, fund, give, open_market
from wattproof.market.meters import Meter
from wattproof.market.tariff import PAPER
from wattproof.market.tokens import Token, UnusableToken, read_token
from wattproof.play.clock import MarketClock
from wattproof.play.session import Session
from wattproof.play.slips import told
from wattproof.terms.model import Phase

SECRET = "kKeEyY0123456789"
SENDER = Account.from_key("0x" + 32 * "11")
OTHER = "0x" + 20 * "12"
START = 1_900_000_000
ZERO = "0x" + 32 * "00"
BLOCK = {
    "number": "0x7",
    "timestamp": hex(START),
    "parentHash": ZERO,
    "hash": ZERO,
    "baseFeePerGas": "0x1",
}
LIVE: dict[str, Any] = {
    "eth_chainId": "0x539",
    "eth_getBlockByNumber": BLOCK,
    "eth_maxPriorityFeePerGas": "0x1",
    "eth_gasPrice": "0x2",
    "eth_call": "0x",
    "eth_getBalance": "0x0",
    "eth_getTransactionCount": "0x0",
    "eth_getStorageAt": ZERO,
    "eth_getCode": lambda address, _: "0x" + (EIP_2935_BYTECODE if address == EIP_2935_CONTRACT_ADDRESS else ""),
    "eth_estimateGas": "0x989680",
}
"""An empty chain, whose accounts have nothing."""

DEVELOPMENT = LIVE | {"evm_snapshot": "0x1", "evm_revert": True, "evm_setNextBlockTimestamp": None, "evm_mine": "0x0"}

MODERN = "the contracts are built for prague's"


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Sets titanoboa to a chain that answers so inside the block; fails where anything was sent to it."""
    monkeypatch.setattr(CachingRPC, "_cache_filepath", lambda self, folder, chain: tmp_path / "blocks")
    monkeypatch.setattr(CachingRPC, "_loaded", {})

    @contextlib.contextmanager
    def set_to(chain: dict[str, Any] = LIVE, account: Any = SENDER) -> Iterator[Any]:
        with answering(answer=replies(**chain)) as node:
            with boa.set_network_env(f"http://127.0.0.1:{node.port}/{SECRET}"):
                if account:
                    boa.env.add_account(account)
                yield node
            asked = [one for _, _, body in node.asked for one in (body if isinstance(body, list) else [body])]
            assert not [one["method"] for one in asked if one["method"].startswith("eth_send")]

    return set_to


On = Callable[..., Any]


def refused(do: Callable[[], Any], kind: type[Exception] = NotReady) -> str:
    """The one line that says why not."""
    with pytest.raises(kind) as problem:
        do()
    assert "\n" not in str(problem.value)
    assert SECRET not in str(problem.value)
    return str(problem.value)


def named() -> Deployment:
    return deploy(supplier=OTHER)


# ---- who sends ---------------------------------------------------------------------------


@pytest.mark.parametrize("do", [deploy, named, lambda: deploy_market(OTHER, OTHER)])
def test_somebody_must_send(do: Callable[[], Any], on: On) -> None:
    with on(account=None):
        assert "no account to send from: boa.env.add_account(" in refused(do)


@pytest.mark.parametrize(
    "do", [lambda: deploy(owner=OTHER, supplier=OTHER), lambda: deploy_market(OTHER, OTHER, owner=OTHER)]
)
def test_the_owners_key_must_be_there(do: Callable[[], Any], on: On) -> None:
    with on():
        assert f"no key of {OTHER}" in refused(do)


def test_the_supplier_is_named_where_it_is_for_ever(on: On) -> None:
    """On a chain for development it is the account that sends, and so is the owner."""
    with on():
        assert "deploy(supplier=...)" in refused(deploy)
        assert network.parties(None, OTHER) == (SENDER.address, OTHER)
    with on(DEVELOPMENT):
        assert network.parties(None, None) == (SENDER.address, SENDER.address)


# ---- money -------------------------------------------------------------------------------


@pytest.mark.parametrize("chain", [LIVE, DEVELOPMENT])
def test_who_has_nothing_sends_nothing(chain: dict[str, Any], on: On) -> None:
    with on(chain):
        said = refused(named)
    assert f"{SENDER.address} has 0 ether and needs up to 0.0" in said
    assert said.endswith(" first")


def test_enough_for_the_token_is_not_enough(on: On) -> None:
    """All of the deployment is paid, or none of it is sent."""
    with on(LIVE | {"eth_getBalance": hex(3_000_000 * 3)}):
        assert "and needs up to" in refused(named)
        refused(lambda: open_market(OTHER, OTHER, PAPER))


def test_a_chain_may_be_dearer_than_the_fork(on: On) -> None:
    """What the chain would take for a creation counts, where it is more."""
    with on():
        cheap = refused(named)
    with on(LIVE | {"eth_estimateGas": hex(100_000_000)}):
        dear = refused(named)
    needs = [float(said.partition("needs up to ")[2].partition(",")[0]) for said in (cheap, dear)]
    assert needs[1] > 5 * needs[0]


def test_a_chain_without_a_base_fee(on: On) -> None:
    with on(LIVE | {"eth_getBlockByNumber": {key: BLOCK[key] for key in BLOCK if key != "baseFeePerGas"}}):
        assert "at up to 0.000000002 gwei" in refused(named)


def test_ether_is_no_longer_fresh_on_a_network(on: On, stage: Any) -> None:
    with on():
        market = SimpleNamespace(env=boa.env)
        deployment = Deployment(market, stage.token, stage.owner, stage.supplier, stage.tariff)
        for do in (give, fund):
            assert "has 0 ether" in refused(lambda do=do: do(deployment, SENDER.address, 10))
            assert f"no key of {OTHER}" in refused(lambda do=do: do(deployment, OTHER, 10))


# ---- rules and refusals --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chain", "rules"),
    [
        ({"eth_getCode": "0x", "eth_call": LookupError("invalid opcode")}, "pre-shanghai"),
        ({"eth_getCode": "0x"}, "cancun"),
    ],
)
def test_a_chain_of_older_rules_is_refused(chain: dict[str, Any], rules: str, on: On) -> None:
    with on(LIVE | chain):
        assert f"the chain's rules to be {rules}'s, {MODERN}" in refused(named)


def test_what_the_contract_refuses_is_refused_before_the_token_is_there(on: On) -> None:
    with on(), pytest.raises(boa.BoaError, match="tariff: "):
        deploy(Tariff(sbp=2, ssp=1), supplier=OTHER)


def test_what_the_chain_would_not_create_is_refused(on: On) -> None:
    with on(LIVE | {"eth_estimateGas": LookupError("exceeds block gas limit")}):
        assert "exceeds block gas limit" in refused(named)


# ---- the clock -----------------------------------------------------------------------------


def test_a_clock_that_cannot_be_moved_says_so(on: On) -> None:
    with on():
        clock = Clock(1800, 600)
        period = clock.next_quotable()
        assert clock.now == START
        said = refused(lambda: clock.to("REVEALING", period))
        assert "the chain's clock cannot be moved: wait until 2030-03-17 " in said
        assert f"in {clock.begins('REVEALING', period) - START} s" in said
        with pytest.raises(ValueError, match="time runs one way"):
            clock.to("REVEALING", period - 4)
        with pytest.raises(NotReady, match="cannot go back 5 s: time runs one way"):
            clock.now = START - 5
        assert boa.env.timestamp == START


@pytest.mark.parametrize("period", [10**12, 2**200])
def test_a_second_beyond_all_calendars_cannot_be_waited_for(period: int, on: On) -> None:
    clock, second = Clock(1800, 600), period * 1800
    with on():
        said = refused(lambda: setattr(clock, "now", second), ValueError)
    assert said.startswith(f"second {second} is more than a century ahead: is this in milliseconds?")
    with on(LIVE | {"eth_getBlockByNumber": BLOCK | {"timestamp": hex(second - 5)}}):
        assert "cannot be moved: wait in 5 s, or take" in refused(lambda: setattr(clock, "now", second))


@pytest.mark.parametrize("method", ["evm_setNextBlockTimestamp", "evm_mine"])
def test_a_node_that_refuses_to_move_time_is_told(method: str, on: On) -> None:
    with on(DEVELOPMENT | {method: LookupError("not today")}):
        said = refused(lambda: Clock(1800, 600).to("REVEALING", START // 1800 + 5))
    assert "not today" in said


def test_a_clock_that_only_seems_to_move_is_told(on: On) -> None:
    with on(DEVELOPMENT):
        assert "cannot be moved: wait" in refused(lambda: Clock(1800, 600).to("REVEALING", START // 1800 + 5))


def test_the_time_is_that_of_the_last_block(on: On) -> None:
    chain = DEVELOPMENT | {"eth_getBlockByNumber": lambda *_: BLOCK | {"timestamp": hex(seconds[-1])}}
    chain["evm_setNextBlockTimestamp"] = lambda second: seconds.append(second)
    seconds = [START]
    with on(chain):
        clock = Clock(1800, 600)
        seconds.append(START + 5)
        assert clock.now == START + 5
        assert clock.to("REVEALING", START // 1800 + 5) == seconds[-1] == clock.now == boa.env.timestamp


@pytest.mark.parametrize("market", [None, OTHER, SimpleNamespace(address=OTHER)])
def test_a_clock_is_that_of_a_market(market: Any) -> None:
    assert f"{market!r} is no market, which has a clock" in refused(lambda: Clock.of(market), ValueError)


def test_a_markets_clock_is_its_own_chains(on: On, stage: Any) -> None:
    """Wherever titanoboa is set to meanwhile."""
    clocks = [Clock.of(stage.market), MarketClock(stage.market)]
    here = boa.env.timestamp
    with on():
        assert [clock.now for clock in clocks] == [here, here]
        clocks[0].now = here + 1
    assert boa.env.timestamp == here + 1


# ---- what needs a chain inside --------------------------------------------------------------


@pytest.mark.parametrize("do", [repl.namespace, Session])
def test_a_market_to_play_with_is_inside(do: Callable[[], Any], on: On) -> None:
    with on():
        assert "boa.set_env(boa.Env())" in refused(do)


# ---- what is named -------------------------------------------------------------------------


@pytest.mark.parametrize("party", ["", "x", "0x12", 5, "0x" + 21 * "12"])
def test_who_is_named_has_an_address(party: Any, on: On) -> None:
    """A variable that is not set does not stand for the sender: a supplier can never be changed."""
    for chain in (LIVE, DEVELOPMENT):
        with on(chain):
            for role, do in (
                ("supplier", lambda: deploy(supplier=party, show=None)),
                ("supplier", lambda: open_market(OTHER, party, PAPER)),
                ("owner", lambda: deploy(owner=party, supplier=OTHER, show=None)),
                ("owner", lambda: open_market(OTHER, OTHER, PAPER, owner=party)),
            ):
                assert refused(do, ValueError) == (
                    f"{role} {party!r} is no address: write 0x and 40 hexadecimal digits"
                )


@pytest.mark.parametrize("amount", [-1, 1.5, "1", True, None, 2**256])
def test_amounts_are_whole_base_units(amount: Any, on: On, stage: Any) -> None:
    deployment = Deployment(stage.market, stage.token, stage.owner, stage.supplier, stage.tariff)
    doing: list[Callable[[], Any]] = [
        lambda: give(deployment, SENDER.address, amount),
        lambda: fund(deployment, SENDER.address, amount),
        lambda: give(deployment, SENDER.address, 1, allowance=amount),
    ]
    for do in doing:
        assert f"{amount!r} is no whole number of base units" in refused(do, ValueError)
        with on():
            assert f"{amount!r} is no whole number of base units" in refused(do, ValueError)


def test_money_is_given_to_an_address(on: On, stage: Any) -> None:
    deployment = Deployment(stage.market, stage.token, stage.owner, stage.supplier, stage.tariff)
    for do in (give, fund):
        with on():
            assert refused(lambda do=do: do(deployment, "x", 1), ValueError).startswith("account 'x' is no address")


def test_money_is_given_in_a_market_with_its_token(stage: Any) -> None:
    for do in (give, fund):
        said = refused(lambda do=do: do(stage.market, OTHER, 1), ValueError)
        assert said.startswith("money is given by what deploy() returns, not by <")


def test_an_account_of_a_wallet_is_named_as_an_address_is(on: On, stage: Any) -> None:
    """One with its key, as `boa.env.add_account` takes it."""
    deployment = Deployment(stage.market, stage.token, stage.owner, stage.supplier, stage.tariff)
    fund(deployment, SENDER, 7)  # type: ignore[arg-type]
    assert stage.market.account(SENDER.address).balance == 7
    assert deploy_market(stage.token, SENDER, owner=SENDER, show=None).owner() == SENDER.address  # type: ignore[arg-type]
    with on():
        refused(lambda: deploy_market(OTHER, SENDER, owner=SENDER), UnusableToken)  # type: ignore[arg-type]


def test_money_is_given_on_the_chain_of_the_market(on: On, stage: Any) -> None:
    """Wherever titanoboa is set to meanwhile; so are meters read."""
    deployment = Deployment(stage.market, stage.token, stage.owner, stage.supplier, stage.tariff)
    meter = Meter("of the chain inside")
    before, signed = stage.market.account(OTHER).balance, meter.sign_pairing(stage.market, OTHER, bytes(32))
    with on():
        fund(deployment, OTHER, 7)
        assert meter.sign_pairing(stage.market, OTHER, bytes(32)) == signed
    assert stage.market.account(OTHER).balance == before + 7


@pytest.mark.parametrize(
    ("tariff", "said"),
    [
        (Tariff(sbp=0.06), "sbp=0.06 is no whole number of base units per Wh, 10000000000000 for 1 p/kWh"),  # type: ignore[arg-type]
        (Tariff(ssp="18"), "ssp='18' is no whole number of base units per Wh"),  # type: ignore[arg-type]
        (Tariff(sbp=-1), "sbp=-1 is no whole number of base units per Wh"),
        (Tariff(service_fee=None), "service_fee=None is no whole number"),  # type: ignore[arg-type]
        (Tariff(sbp=True), "sbp=True is no whole number"),
        (Tariff(ssp=2**256), "is no whole number of base units per Wh"),
        (Tariff(period_length=1800.0), "period_length=1800.0 is no whole number of seconds"),  # type: ignore[arg-type]
        (Tariff(window="10 min"), "window='10 min' is no whole number of seconds"),  # type: ignore[arg-type]
        (Tariff(priority_step=0.05), "priority_step=0.05 is no whole number of ten-thousandths"),  # type: ignore[arg-type]
        (Tariff(rank_by_price="no"), "rank_by_price is True or False, not 'no'"),  # type: ignore[arg-type]
        ((6, 18), "a tariff is written Tariff(sbp=..., ssp=...), not (6, 18)"),
    ],
)
def test_a_tariff_is_made_of_whole_numbers(tariff: Any, said: str, on: On, stage: Any) -> None:
    for do in (
        lambda: deploy(tariff, supplier=OTHER),
        lambda: deploy_market(stage.token, OTHER, tariff),
        lambda: open_market(OTHER, OTHER, tariff),
    ):
        assert said in refused(do, ValueError)
        with on():
            assert said in refused(do, ValueError)


def test_a_token_is_asked_through_a_node_that_can_be_told(on: On) -> None:
    with on() as node:
        node.status = 429
        assert "127.0.0.1" in refused(lambda: read_token(OTHER), NodeUnusable)
    with on(account=None):
        refused(lambda: read_token(OTHER), UnusableToken)


# ---- the node --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        {"status": 429},
        {"status": 502, "answer": b"<html>"},
        {"answer": b""},
        {"answer": b"{"},
        {"answer": b"[]"},
        {"answer": b'{"jsonrpc": "2.0", "id": 0, "result": null}'},
        {"answer": b'{"jsonrpc": "2.0", "id": 0, "result": {}}'},
        {"answer": b'{"jsonrpc": "2.0", "id": 0}'},
        {"answer": b'{"jsonrpc": "2.0", "id": 0, "error": "no"}'},
        {"raw": b""},
    ],
)
@pytest.mark.parametrize("do", [named, lambda: Clock(1800, 600).now, lambda: Clock(1800, 600).to("REVEALING", 2**30)])
def test_a_node_that_goes_away_is_told_by_its_host(how: dict[str, Any], do: Callable[[], Any], on: On) -> None:
    with on() as node:
        for name, value in how.items():
            setattr(node, name, value)
        assert "127.0.0.1" in refused(do, NodeUnusable)


def test_a_node_that_refuses_is_told_by_its_host(on: On) -> None:
    with on() as node:
        node.answer = replies(eth_getBlockByNumber=LookupError(f"unknown key {SECRET}"))
        assert refused(lambda: Clock(1800, 600).now, RpcError) == "127.0.0.1: -32601: unknown key …"


@pytest.mark.parametrize("url", [f"http://me:secret@127.0.0.1:9/{SECRET}?k={SECRET}", SECRET, f"http:///{SECRET}"])
def test_the_repl_shows_the_host_alone(url: str) -> None:
    """Also of what titanoboa is set to by hand."""
    with pytest.raises(RequestException) as problem:
        boa.set_network_env(url)
    said = told(problem.value) or ""
    assert said.startswith(("127.0.0.1 cannot be asked", "the node cannot be asked"))
    assert SECRET not in said
    assert "secret" not in said


@pytest.mark.parametrize("chain", [LIVE, DEVELOPMENT])
def test_nothing_is_kept_of_a_chain_that_begins_anew(chain: dict[str, Any], on: On) -> None:
    """Its blocks have the numbers of those that were there before. It need not be one whose clock can be moved."""
    balances = ["0x1"]
    with on(chain | {"eth_getBalance": lambda *_: balances[-1]}):
        refused(named)
        assert boa.env.get_balance(OTHER) == 1
        balances.append("0x2")
        boa.env._reset_fork()
        assert boa.env.get_balance(OTHER) == 2


def test_the_chain_inside_is_no_fork_afterwards(on: On, stage: Any) -> None:
    """Though titanoboa takes it for one."""
    before = state_digest(boa.env, stage.market)
    with on(), pytest.raises(EngineUnsupported, match="a forked chain's storage cannot be listed"):
        state_digest(boa.env, stage.market)
    assert state_digest(boa.env, stage.market) == before


# ---- a node for development ------------------------------------------------------------------


class Mining(Anvil):
    """An anvil that makes a block of every transaction."""

    def __init__(self) -> None:
        super().__init__(timestamp=START)
        self.arguments.remove("--no-mining")


@pytest.fixture
def poor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mining]:
    """Titanoboa is set to it, and SENDER has nothing there."""
    try:
        anvil.binary()
    except NodeUnavailable as missing:
        pytest.skip(str(missing))
    monkeypatch.setattr(CachingRPC, "_cache_filepath", lambda self, folder, chain: tmp_path / "blocks")
    with Mining() as node, boa.set_network_env(f"http://127.0.0.1:{node.port}"):
        boa.env.add_account(SENDER)
        yield node


def test_a_market_on_a_network_opens_and_its_clock_moves(poor: Mining, capsys: pytest.CaptureFixture[str]) -> None:
    assert "has 0 ether" in refused(deploy)
    assert poor.rpc("eth_blockNumber") == "0x0"
    poor.endow(SENDER.address, 10**18)
    deployment = deploy()
    market, clock = deployment.market, Clock.of(deployment.market)
    assert (deployment.owner, deployment.supplier) == (SENDER.address, SENDER.address)
    period = clock.next_quotable()
    clock.to("REVEALING", period)
    block = poor.rpc("eth_getBlockByNumber", "latest", False)
    assert int(block["timestamp"], 16) == clock.begins("REVEALING", period)
    assert market.phase(period) == Phase.REVEALING
    fund(deployment, SENDER.address, 500)
    assert market.account(SENDER.address).balance == 500
    with pytest.raises(NotReady, match="and needs up to"):
        fund(deployment, SENDER.address, 10**18)
    old = deployer("HostileToken").deploy()
    assert read_token(old) == Token(str(old.address), "tokens", None)
    assert read_token(deployment.token).symbol == "WATT"
    with pytest.raises(UnusableToken, match="does not say how many decimals it has; take another token"):
        deploy_market(old, OTHER)
    with pytest.raises(UnusableToken, match="does not answer balanceOf, so it is no ERC-20 token"):
        deploy_market(market, OTHER)


@pytest.fixture
def mining(poor: Mining) -> Mining:
    """Titanoboa is set to it, and SENDER has ether there."""
    boa.env.tx_settings.poll_timeout = 1
    poor.endow(SENDER.address, 10**18)
    return poor


def failing(monkeypatch: pytest.MonkeyPatch, method: str, how: Any) -> None:
    """From the second transaction on the node answers `method` so, or with that error."""
    rpc, sent = boa.env._rpc, []
    for name in ("fetch", "fetch_uncached"):

        def asked(called: str, params: Any, ask: Any = getattr(rpc, name)) -> Any:
            if called == "eth_sendRawTransaction":
                sent.append(params)
            if called != method or len(sent) < 2:
                return ask(called, params)
            if isinstance(how, Exception):
                raise how
            found = ask(called, params)
            return (how(found) if found else None) if callable(how) else how

        monkeypatch.setattr(rpc, name, asked)


LOOK = "; look for transaction 0x.{64} before you send anything again; on"


@pytest.mark.parametrize(
    ("method", "how", "kind", "said"),
    [
        ("eth_sendRawTransaction", RPCError("nonce too low", -32000), RpcError, "127.0.0.1: -32000: nonce too low; on"),
        ("eth_sendRawTransaction", ReadTimeout(), NodeUnusable, f"ReadTimeout.*{LOOK}"),
        ("eth_getTransactionReceipt", None, NodeUnusable, f"not say in time .*{LOOK}"),
        ("eth_getTransactionReceipt", lambda it: it | {"status": "0x0"}, NodeUnusable, f"transaction failed.*{LOOK}"),
        ("eth_getTransactionReceipt", lambda it: it | {"contractAddress": OTHER}, NodeUnusable, "created 0x1212.*; on"),
    ],
)
def test_what_was_paid_is_told_where_a_later_step_fails(
    method: str, how: Any, kind: type[Exception], said: str, mining: Mining, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, method, how)
    line = refused(lambda: open_market(OTHER, OTHER, PAPER), kind)
    assert re.search(said, line)
    there = re.search("on the chain already: EnergyMarket (0x[0-9a-fA-F]{40}), to which (.*) gives its views", line)
    assert there
    monkeypatch.undo()
    names = {"with_views": deployment.with_views, "deployer": deployment.deployer}
    assert eval(there[2], names).account(OTHER).balance == 0
    assert len(mining.rpc("eth_getCode", there[1], "latest")) > 1000


def test_money_that_moved_is_told_where_a_later_step_fails(mining: Mining, monkeypatch: pytest.MonkeyPatch) -> None:
    market, token = deployer("HostileToken").deploy(), deployment.deployer("EnergyCredit").deploy()
    opened = Deployment(market, token, OTHER, OTHER, PAPER)
    failing(monkeypatch, "eth_sendRawTransaction", RPCError("no", -32000))
    assert refused(lambda: fund(opened, SENDER.address, 500), RpcError).endswith(
        f"no; on the chain already: 500 base units of credit of {SENDER.address}"
    )
