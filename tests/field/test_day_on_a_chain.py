"""`wattproof day --rpc`: the same day as in this process, to the last base unit, as transactions on a node.

`WATTPROOF_FIELD=full` also plays the default day of ten households, and small days on hardhat.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.support.answering import answering
from tests.support.field import Ground, url
from verification.field.day_rate import batched, networked
from wattproof.chain import development
from wattproof.chain.accounts import Account
from wattproof.chain.answers import Block
from wattproof.chain.deploying import opened
from wattproof.chain.development import Development, NotDevelopment
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Node
from wattproof.chain.record import Record
from wattproof.chain.sending import Refused
from wattproof.cli import main
from wattproof.evm.anvil import Anvil
from wattproof.evm.engine import available
from wattproof.evm.node import NodeUnavailable
from wattproof.evm.npm import Hardhat
from wattproof.market.tariff import Tariff
from wattproof.outputs import BadPlace
from wattproof.simulation import chain_venue, planning
from wattproof.simulation.chain_day import ADDRESSES, DEPLOYMENT, Chain, on_chain
from wattproof.simulation.chain_venue import GAS_MONEY, OnChain, Unfit, open_market, simulated
from wattproof.simulation.day import run_day
from wattproof.simulation.households import DEFAULT_FILE, open_households
from wattproof.simulation.periods import PeriodResult
from wattproof.simulation.trading_day import Conduct, Trading, TradingDay
from wattproof.study.communities import Base, Community, Frame

FULL = os.environ.get("WATTPROOF_FIELD") == "full"

SECONDS = 240
"""The longest that a program may take; the machine may be busy."""

HEADER = "period,household,load_wh,pv_wh,forecast_load_wh,forecast_pv_wh,capacity_wh"

SUNNY_DAY = [
    f"{period},{name},{load},{pv},{forecast},{max(0, pv - 7 * (period % 3))},{capacity}"
    for period in range(10, 14)
    for name, load, pv, forecast, capacity in (
        ("sunny", 100, 1_000 - 300 * (period % 2), 90, 1_500),
        ("bright", 20, 600, 20, 700),
        ("cloudy", 500, 0, 480 + period, 550),
        ("rainy", 900, 0, 700, 9_900),
        ("misty", 30, 0, 50, 9_900),
    )
]
"""Two prosumers that do not deliver what they quote, and three consumers, of which one is bound by its connection."""


@pytest.fixture
def households(tmp_path: Path) -> Path:
    path = tmp_path / "households.csv"
    path.write_text("\n".join([HEADER, *SUNNY_DAY]) + "\n")
    return path


@pytest.fixture
def blocks(ground: Ground) -> Iterator[Development]:
    """The making of blocks on the file's node."""
    yield Development(Node(ground.url))


def told(result: PeriodResult) -> Any:
    """All of a period but addresses, and the market's number of it: that day may be another one."""
    offers = [(bid.household, bid.quote_id, bid.price, bid.volume, bid.filled) for bid in result.offers]
    return result.row(), [astuple(trade) for trade in result.trades], result.bills, offers, result.unread


def compared(there: Trading, here: Trading) -> list[PeriodResult]:
    """Runs both; what they come to is the same, period by period, party by party."""
    played, wanted = list(there), list(here)
    assert [told(result) for result in played] == [told(result) for result in wanted]
    assert there.bills == here.bills
    roles = [{"owner": day.owner, "supplier": day.supplier} | {n: m.address for n, m in day.members.items()}
             for day in (there, here)]  # fmt: skip
    assert [there.books.balances[roles[0][who]] for who in roles[0]] == [
        here.books.balances[roles[1][who]] for who in roles[0]
    ]
    return played


def on(blocks: Development, households: Any, conduct: dict[str, Conduct], tariff: Tariff = Tariff()) -> Trading:
    """The day on a market of its own."""
    return Trading(households, OnChain(blocks, open_market(blocks, 1, tariff), 1), 1, conduct)


def inside(
    path: Path, conduct: dict[str, Conduct] | None = None, tariff: Tariff | None = None, seed: int = 1
) -> TradingDay:
    """The day in this process."""
    return TradingDay(open_households(path, seed=seed), seed, tariff, available()[-1], conduct)


# ---- the same day --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "conduct",
    [
        {},
        # Quotes what it has not, says nothing, and is out; what it sold does not come.
        {"bright": Conduct(phantom=True, silent=True)},
        {
            "sunny": Conduct(quotes=1_500),
            "cloudy": Conduct(bids=1_300, decoys=400, reveals=500),
            "rainy": Conduct(shill=True),
        },
        {"misty": Conduct(farmed=2), "rainy": Conduct(partner="bright", eager=1_700)},
    ],
    ids=["plain", "revoked", "sly", "farmed"],
)
def test_the_same_bills_as_in_this_process(anvil: Anvil, households: Path, conduct: dict[str, Conduct]) -> None:
    # A node of its own: which bids are opened is drawn from their salts, and those come of the market's number of a
    # period, which is that of another day on a chain whose clock is ahead.
    there = on(Development(Node(url(anvil))), open_households(households, seed=1), conduct)
    results = compared(
        there, TradingDay(open_households(households, seed=1), 1, engine=available()[-1], conduct=conduct)
    )
    assert sum(len(result.trades) for result in results) > 8
    assert any(result.bids for result in results)
    there.close()


def test_where_no_meter_reports_nothing_is_on_sale(anvil: Anvil, households: Path) -> None:
    """No reading makes a block in METERING; without one the market would answer as of MATCHING."""
    households.write_text("\n".join([HEADER, *SUNNY_DAY[:5]]) + "\n")
    silent = {name: Conduct(silent=True) for name in ("sunny", "bright")}
    there = on(Development(Node(url(anvil))), open_households(households, seed=1), silent)
    (result,) = compared(there, inside(households, silent))
    assert result.unread == set(silent)
    assert result.sold < result.supply


def test_who_runs_out_of_money_is_topped_up_as_in_this_process(
    blocks: Development, households: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The money comes in the block in which it is needed, before the call that needs it."""
    monkeypatch.setattr(planning, "FLOAT", 1)
    tariff = Tariff(sbp=60, ssp=180, service_fee=2, rank_by_price=True)
    there = on(blocks, open_households(households, seed=1), {}, tariff)
    compared(there, inside(households, {}, tariff))
    # The account that pays the most pays in more than once.
    rainy = there.members["rainy"].address
    assert there.books.balances[rainy].deposited > 1


def test_what_does_not_fit_into_a_block_goes_on_in_the_next(
    has_anvil: None, households: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Block] = []
    monkeypatch.setattr(chain_venue, "_GAS_ELSE", 4_000_000)  # Three calls in a block.
    # The order is that of the calls where the node goes by arrival, too.
    with Anvil("--gas-limit", "13000000", "--order", "fifo", timestamp=1_750_000_000, chain_id=7_359) as node:
        there = on(Development(Node(url(node))), open_households(households, seed=1), {})
        venue = there.venue
        assert isinstance(venue, OnChain)
        venue.on_block = made.append
        compared(there, inside(households))
    seconds = [block.timestamp for block in made]
    assert seconds == sorted(set(seconds))
    assert len(made) > 2 * 4 * 5, "a step of a period should have taken several blocks"
    assert max(len(block.hashes) for block in made) < 20


@pytest.mark.skipif(not FULL, reason="the whole day takes a minute and more: WATTPROOF_FIELD=full")
def test_the_default_day(blocks: Development) -> None:
    source = open_households(DEFAULT_FILE, seed=1)
    compared(on(blocks, source, {}), inside(DEFAULT_FILE))


@pytest.mark.skipif(not FULL, reason="npm has to fetch hardhat: WATTPROOF_FIELD=full")
def test_on_hardhat(households: Path) -> None:
    try:
        with Hardhat(1_750_000_000, 31_337, "osaka", 30_000_000) as node:
            there = on(Development(Node(f"http://127.0.0.1:{node.port}")), open_households(households, seed=1), {})
            compared(there, inside(households))
    except NodeUnavailable as problem:
        pytest.skip(str(problem))


def test_control_comes_back_after_each_step(blocks: Development, households: Path) -> None:
    """So that others can follow meanwhile: the node answers, with the block that the step ended with."""
    there = on(blocks, open_households(households, seed=1), {})
    heads, names = [], []
    for step in there.steps():
        head = blocks.node.block("latest")
        assert head == blocks.head
        heads.append(blocks.head.number)
        names.append(step.name)
        assert (step.result is not None) == (step.name == "settle")
    assert sorted(heads) == heads
    assert heads[0] < heads[-1]
    assert sorted(names) == sorted(["bid", "reveal", "match", "meter", "settle"] * 4)


# ---- the command ---------------------------------------------------------------------------


def day(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`wattproof day` in a process of its own."""
    command = [sys.executable, "-m", "wattproof", "day", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=os.environ | environment)


def test_the_command_writes_the_same_tables(anvil: Anvil, households: Path, tmp_path: Path) -> None:
    anvil.rpc("evm_setAutomine", True)
    here, shown = tmp_path / "here", io.StringIO()
    assert run_day(households, 1, here, available()[-1], Console(file=shown, width=80)) == 0
    there = day("--households", str(households), "--out", str(tmp_path / "there"), "--rpc", url(anvil))

    assert there.returncode == 0, there.stderr
    assert there.stdout.replace("there", "here") == shown.getvalue()
    for name in ("bills.csv", "trades.csv", "periods.csv"):
        assert (tmp_path / "there" / name).read_bytes() == (here / name).read_bytes()
    wanted, told = (json.loads((tmp_path / place / "summary.json").read_text()) for place in ("here", "there"))
    assert told["engine"] == "chain"
    assert told["households"] == wanted["households"]
    record = Record.read(tmp_path / "there" / DEPLOYMENT)
    market = ChainMarket(Node(url(anvil)), record)
    assert market.view("quote_count") == 8
    with (tmp_path / "there" / ADDRESSES).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["household"] for row in rows] == [each["household"] for each in wanted["households"]]
    assert [market.view("account", row["address"]).capacity for row in rows] == [
        each["capacity_wh"] for each in wanted["households"]
    ]
    # The node makes its own blocks again.
    assert anvil.rpc("anvil_getAutomine") is True


def test_ctrl_c_gives_the_node_back(anvil: Anvil, tmp_path: Path) -> None:
    anvil.rpc("evm_setAutomine", True)
    command = [sys.executable, "-m", "wattproof", "day", "--rpc", url(anvil), "--out", str(tmp_path)]
    playing = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + SECONDS
        while int(anvil.rpc("eth_blockNumber"), 16) < 20 or not (tmp_path / ADDRESSES).exists():
            assert playing.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        playing.send_signal(signal.SIGINT)
        told = playing.communicate(timeout=SECONDS)
    finally:
        playing.kill()
        playing.wait()
    assert (playing.returncode, *told) == (130, "", "stopped\n")
    assert anvil.rpc("anvil_getAutomine") is True
    # What was opened there stays, and so does the file that tells where.
    assert {path.name for path in tmp_path.iterdir()} == {ADDRESSES, DEPLOYMENT}


def test_on_the_embedded_node(households: Path) -> None:
    """With what pip brings alone."""
    node = subprocess.Popen(
        [sys.executable, "-m", "wattproof", "node", "--port", "0", "--timestamp", "1750000000"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        assert node.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", node.stdout.readline())
        assert found is not None
        households.write_text("\n".join([HEADER, *SUNNY_DAY[:10]]) + "\n")
        blocks = Development(Node(f"http://127.0.0.1:{found[1]}", timeout=SECONDS))
        there = on(blocks, open_households(households, seed=1), {})
        compared(there, inside(households))
        there.close()
        assert blocks.node.call("anvil_getAutomine") is True
    finally:
        node.terminate()
        node.wait(30)


def test_a_market_that_is_there_already(ground: Ground, households: Path, tmp_path: Path) -> None:
    """Two days on it, by two seeds: what the first one's households left there stays theirs."""
    ground.record.write(tmp_path / DEPLOYMENT)
    for seed in (1, 2):
        source = open_households(households, seed=seed)
        chain = Chain(Node(ground.url), Record.read(tmp_path / DEPLOYMENT), ground.owner)
        others = tmp_path / f"out{seed}" / ADDRESSES
        others.parent.mkdir()
        others.write_text("anna,12 Elm Street\n")
        with pytest.raises(BadPlace, match="is not of an earlier run"):
            on_chain(chain, source, seed, others.parent)
        assert others.read_text() == "anna,12 Elm Street\n"
        others.write_text("household,address\nanna,0x00\n")
        there = on_chain(chain, source, seed, others.parent)
        here = inside(households, seed=seed)
        assert [result.bills for result in there] == [result.bills for result in here]
        there.close()
        assert Record.read(tmp_path / f"out{seed}" / DEPLOYMENT) == ground.record
    again = "accounts: already registered"
    with pytest.raises(Refused, match=rf"register by sunny \(was this seed played .* Take another\): {again}"):
        on_chain(chain, open_households(households, seed=2), 2)


# ---- what is refused -----------------------------------------------------------------------


def test_a_clock_that_cannot_be_set(households: Path) -> None:
    block = {name: "0x" + 64 * "0" for name in ("hash", "parentHash")}
    block |= {"number": "0x1", "timestamp": "0x6", "transactions": [], "gasLimit": "0x1c9c380", "baseFeePerGas": "0x7"}

    def answer(asked: Any) -> bytes:
        told: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
        if asked["method"] == "eth_getBlockByNumber":
            return json.dumps(told | {"result": block}).encode()
        return json.dumps(told | {"error": {"code": -32601, "message": "the method does not exist"}}).encode()

    with answering(answer=answer) as real:
        done = day("--households", str(households), "--rpc", f"http://127.0.0.1:{real.port}/secret")
        asked = [question["method"] for _, _, question in real.asked]
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "127.0.0.1: the clock of this chain cannot be set (evm_setNextBlockTimestamp: the method does not exist), so "
        "no day can be played in fast time; `wattproof operate` and `wattproof household` trade on it as time goes by\n"
    )
    assert "eth_sendRawTransaction" not in asked


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--deployment", "d.json"], "--deployment is for a day on a chain: name a node of it by --rpc"),
        (["--account", "key.json"], "--account is for a day on a chain: name a node of it by --rpc"),
        (["--rpc", "nonsense"], "the RPC address is no URL of a node"),
        (["--rpc", "http://127.0.0.1:1/secret"], "127.0.0.1 cannot be asked (Connection refused)"),
        (["--rpc", "http://127.0.0.1:1", "--deployment", "none.json"], "none.json: no such file or directory"),
        (["--rpc", "http://127.0.0.1:1", "--account", "none.json"], "none.json: no such file or directory"),
    ],
)
def test_arguments_that_cannot_be_used(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATTPROOF_KEY", raising=False)
    assert main(["day", *arguments, "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(said)
    assert told.err.count("\n") == 1
    assert "secret" not in told.err
    assert not list(tmp_path.glob("out/*"))


def test_a_market_of_somebody_else(ground: Ground, blocks: Development) -> None:
    with pytest.raises(Unfit, match=rf"owner is {ground.owner.address}, not 0x\w+: name its keystore by --account"):
        OnChain(blocks, ground.record, 1, Account.of_seed("stranger"))


def test_a_supplier_whose_key_is_not_there(ground: Ground, blocks: Development) -> None:
    record = opened(blocks.node, ground.owner, supplier=Account.of_seed("grid").address, mine=blocks.mine)
    with pytest.raises(Unfit, match=r"supplier is 0x\w+, whose key is not here"):
        OnChain(blocks, record, 1, ground.owner)


def test_a_token_that_is_not_bought_with_ether(
    ground: Ground, blocks: Development, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue = OnChain(blocks, ground.record, 1, ground.owner)
    # The lens is a contract that has no mint, as many a token.
    venue.market.token.address = ground.record.lens
    with pytest.raises(Unfit, match="gives no credit for ether"):
        venue._check()


def test_a_node_that_orders_a_block_otherwise(
    blocks: Development, households: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the fees rose, the last transaction would come first: it is noticed."""
    fees = OnChain._fees
    monkeypatch.setattr(OnChain, "_fees", lambda self, place: fees(self, 1_000 - place))
    with pytest.raises((Unfit, Refused), match="in another order than by fee or arrival"):
        on(blocks, open_households(households, seed=1), {})


def test_somebody_else_makes_blocks(ground: Ground, blocks: Development, households: Path) -> None:
    there = on(blocks, open_households(households, seed=1), {})
    steps = there.steps()
    next(steps)
    ground.anvil.mine()
    with pytest.raises(NotDevelopment, match="makes blocks by itself, or for somebody else, too"):
        list(steps)


def test_blocks_that_do_not_fit_into_a_window(
    blocks: Development, households: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_venue, "_GAS_ELSE", 16_000_000)
    with pytest.raises(Unfit, match="does not fit into its blocks: take a market with longer windows"):
        list(on(blocks, open_households(households, seed=1), {}, Tariff(period_length=60, window=3)))


# ---- ether ---------------------------------------------------------------------------------


def test_where_the_node_gives_no_ether_the_owner_does(
    blocks: Development, ground: Ground, households: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = ground.account("rich", 10**6)
    record = opened(blocks.node, owner, supplier=simulated(1, "supplier").address, mine=blocks.mine)
    monkeypatch.setattr(development, "_SET_BALANCE", ("none_setBalance",))
    there = Trading(open_households(households, seed=1), OnChain(blocks, record, 1, owner), 1)
    compared(there, inside(households))
    left = int(ground.anvil.rpc("eth_getBalance", owner.address, "latest"), 16)
    assert left < 10**6 * 10**18 - len(there.members) * GAS_MONEY


# ---- how fast --------------------------------------------------------------------------------


def test_ten_times_as_fast_as_titanoboas_network(has_anvil: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m verification.field.day_rate` prints both rates; the same calls, and the same bills."""
    community = Community(Base.of(open_households(DEFAULT_FILE, seed=1)), Frame(1, size=4, span=(24, 25)))
    ours, theirs = batched(community), networked(community)
    assert (ours.transactions, ours.bills) == (theirs.transactions, theirs.bills)
    assert ours.a_second > 10 * theirs.a_second
