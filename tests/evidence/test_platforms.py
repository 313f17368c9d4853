"""A quote is traded from end to end on each node that npm has, as it comes. Skipped where npm is missing.

Ganache knows no newer rules than Shanghai's and takes contracts of 24,576 bytes: the code built for it, and for size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from verification.builds import OLDER, SHIPPED, build
from verification.gas.chain import CHAIN_ID, Party
from verification.gas.community import CAPACITY, START, Bid, Community, Report
from verification.gas.node import Driven, Node
from verification.harness.driver import profile_of
from wattproof.evm.anvil import Anvil
from wattproof.evm.node import NodeUnavailable
from wattproof.evm.npm import Ganache, Hardhat
from wattproof.market.deployment import Tariff
from wattproof.market.symbolic import meter, salt_of
from wattproof.terms.model import Phase
from wattproof.terms.places import cut

TARIFF = Tariff(sbp=6, ssp=18, service_fee=1, priority_step=500)
MONEY = 100_000  # base units that everybody but the owner deposits
GAS = 16_000_000  # below the most that a transaction may use by EIP-7825: 2 ** 24
NOBODY = "0x" + 40 * "0"

VALID, MATCHED, SETTLED = 1, 4, 8
NONE, CREATED, CONFIRMED = 0, 1, 4
SETTLING = 32


@contextlib.contextmanager
def anvil(hardfork: str) -> Iterator[Driven]:
    with Anvil(timestamp=START, chain_id=CHAIN_ID, hardfork=hardfork) as node:
        yield node


NODES: dict[str, tuple[Callable[[], Any], str]] = {
    "ganache": (lambda: Ganache(START, CHAIN_ID), OLDER),
    "anvil, prague": (lambda: anvil("prague"), SHIPPED),
    "anvil, osaka": (lambda: anvil("osaka"), SHIPPED),
    "hardhat": (lambda: Hardhat(START, CHAIN_ID), SHIPPED),
}
"""Each node, and the build of the contracts that goes onto it."""


@pytest.fixture(params=NODES)
def chain(request: pytest.FixtureRequest) -> Iterator[tuple[Node, Driven, str]]:
    """A node of its own with its chain, and the name of the build; skipped where the node is not to be had."""
    make, setting = NODES[request.param]
    try:
        with make() as driven:
            chain = Node(driven, START)
            chain.gas_limit = GAS
            yield chain, driven, setting
    except NodeUnavailable as missing:
        pytest.skip(str(missing))


class Views:
    """Asks a contract's views on a node, and knows which were asked."""

    def __init__(self, node: Driven, contract: str, address: str) -> None:
        self._node, self._address = node, address
        self._functions = {
            entry["name"]: entry
            for entry in build(contract).abi
            if entry["type"] == "function" and entry["stateMutability"] in ("view", "pure")
        }
        self.unasked = set(self._functions)

    def __call__(self, name: str, *arguments: Any) -> Any:
        """What a view answers: tuples for structs, addresses in lower case."""
        self.unasked.discard(name)
        entry = self._functions[name]
        kinds = [collapse_if_tuple(argument) for argument in entry["inputs"]]
        data = keccak(text=f"{name}({','.join(kinds)})")[:4] + encode(kinds, arguments)
        output = self._node.rpc("eth_call", {"to": self._address, "data": "0x" + data.hex()}, "latest")
        (answer,) = decode([collapse_if_tuple(result) for result in entry["outputs"]], bytes.fromhex(output[2:]))
        return answer


def test_a_quote_is_traded_from_end_to_end(chain: tuple[Node, Driven, str]) -> None:
    """Two bids win, one household buys what is left and one of the excess; all is settled, every view is as computed
    by hand, and everybody takes everything out."""
    on, node, setting = chain
    market = Community(on, TARIFF, setting=setting)
    names = ("sunny", "cloudy", "misty", "dusty", "windy")
    sunny, cloudy, misty, dusty, windy = households = [market.people[name] for name in names]
    owner, supplier = market.people["owner"], market.people["supplier"]
    look = Views(node, "MarketLens", market.lens)
    token = Views(node, "EnergyCredit", market.token)
    for name in names:
        market.admit(name, CAPACITY)
    for name in (*names, "supplier"):
        market.mint(name, MONEY)
        market.call("deposit", MONEY, sender=name)

    # Of 1,000 Wh quoted 900 are sold to two bids and 60 before delivery; of 1,030 exported the last 70 afterwards.
    period = market.next_period() + 1
    quote, _ = market.quote("sunny", period, 1_000, 9)
    bids = [Bid("cloudy", 11, 600), Bid("misty", 10, 300)]
    for bid in bids:
        market.bid(quote, *bid)
    created = int(node.rpc("eth_getBlockByNumber", "latest", False)["number"], 16) - len(bids)
    created_at = int(node.rpc("eth_getBlockByNumber", hex(created), False)["timestamp"], 16)
    seal = look("seal_of", 1, cloudy.address, 11, 600, salt_of(1, "cloudy"))
    assert look("bid", 1, cloudy.address) == (cut(seal), 0, 0, 0, CREATED)
    assert look("quote", 1) == (low(sunny), period, 1_000, 9, created_at, 0, VALID)
    assert look("in_the_way", sunny.address, period) == (False, 0, (), (), 0, False)
    # The collateral: a tenth of what the volume costs at SSP.
    assert look("account", sunny.address)[3:5] == (98_200, 1_800)
    market.to(Phase.REVEALING, period)
    for bid in bids:
        market.reveal(quote, *bid)
    assert look("account", cloudy.address)[3:5] == (92_800, 7_200)
    market.to(Phase.MATCHING, period)
    market.match(quote, winners=2, losers=0)
    assert look("remaining", 1) == 100
    market.call("buy_surplus", quote, 60, sender="dusty")
    market.to(Phase.METERING, period)
    # Cloudy takes a little more than it bought, misty less; what a meter reports above the capacity counts as that.
    reports = [Report("cloudy", 0, 615), Report("misty", 12_345, 200), Report("dusty", 0, 62), Report("windy", 0, 70)]
    market.read_all(period, reports)
    assert look("remaining", 1) == 0
    market.read("sunny", period, 1_030, 0, sender="sunny")
    assert look("remaining", 1) == 70
    market.call("buy_surplus", quote, 70, sender="windy")
    market.to(Phase.SETTLING, period)
    market.call("settle_quote", quote, sender="owner", TradeSettled=4, PerformanceRecorded=1)
    market.call("settle_account", "sunny", period, sender="owner")
    market.call("settle_accounts", period, list(names[1:]), sender="owner", PerformanceRecorded=3)

    # Every view, by hand. Revenue: 600 * 11 + 300 * 10 + 60 * 9 + 70 * 9 = 10,770; fees: 1,030 of each side.
    # The supplier: 15 * 18 from cloudy, 2 * 18 from dusty; 6 * (11,500 + 100) to misty.
    accounts = [
        account(sunny, balance=109_740, performances=1),
        account(cloudy, balance=92_530, performances=1),
        account(misty, balance=166_300, defaults=1),
        account(dusty, balance=99_364, performances=1),
        account(windy, balance=99_300),
        account(None, balance=2_060),
        account(None, balance=30_706),
    ]
    quoted = (low(sunny), period, 1_000, 9, created_at, 1_030, SETTLED)
    trades = ((low(cloudy), 600, 11), (low(misty), 300, 10), (low(dusty), 60, 9), (low(windy), 70, 9))
    placed = [(bytes(32), 11, 600, 600, CONFIRMED), (bytes(32), 10, 300, 300, CONFIRMED), (bytes(32), 0, 0, 0, NONE)]
    readings = [(True, 1_030, 0), (True, 0, 615), (True, CAPACITY, 200), (True, 0, 62), (True, 0, 70)]
    positions = [
        (0, 0, 0, 1_030, 0, True),
        (600, 600, 600, 0, 0, True),
        (300, 300, 300, 0, 0, True),
        (60, 60, 60, 0, 0, True),
        (0, 70, 70, 0, 0, True),
    ]
    everybody = [*households, owner, supplier]
    assert (look("MARKET"), look("TOKEN"), look("SUPPLIER")) == (
        market.target.lower(),
        market.token.lower(),
        low(supplier),
    )
    assert (look("SBP"), look("SSP"), look("SERVICE_FEE"), look("PRIORITY_STEP")) == (6, 18, 1, 500)
    assert (look("PERIOD_LENGTH"), look("WINDOW"), look("RANK_BY_PRICE")) == (1_800, 600, False)
    assert (look("owner"), look("pending_owner")) == (low(owner), NOBODY)
    assert look("phase", period) == SETTLING
    assert [look("account", party.address) for party in everybody] == accounts
    assert look("quote", 1) == quoted
    assert (look("quote_count"), look("quote_of", sunny.address, period), look("remaining", 1)) == (1, 1, 0)
    assert (look("supply", period), look("demand", period)) == (1_000, 900)
    assert look("trades", 1) == trades
    assert [look("bid", 1, bidder.address) for bidder in (cloudy, misty, dusty)] == placed
    assert [look("reading", household.address, period) for household in households] == readings
    assert [look("position", household.address, period) for household in households] == positions
    places = [(household.address, period) for household in households]
    bidders = [bidder.address for bidder in (cloudy, misty, dusty)]
    assert look("state", [party.address for party in everybody], bidders, [1], places, [period]) == (
        tuple(accounts),
        (quoted,),
        (0,),
        (keccak(encode(["(address,uint256,uint256)[]"], [trades])),),
        tuple(placed),
        tuple(readings),
        tuple(positions),
        (1, 0, 0, 0, 0),
        (1_000, 900, SETTLING),
        (1, int(owner.address, 16), 0, 6 * MONEY),
    )
    assert look.unasked == set()

    for party, seen in zip(everybody, accounts, strict=True):
        market.call("withdraw", seen[3], sender=party.name)
        assert token("balanceOf", party.address) == seen[3]
    assert token("balanceOf", market.target) == 0
    assert look("account", sunny.address)[3:6] == (0, 0, 0)


def low(party: Party) -> str:
    """An address as `decode` has it."""
    return party.address.lower()


def account(
    household: Party | None, balance: int, performances: int = 0, defaults: int = 0
) -> tuple[bytes, str, bool, int, int, int, int, int, int, int, int]:
    """What the lens tells of a household with nothing reserved or invoiced, or of a party that is none."""
    rest = (balance, 0, 0, performances, defaults, 0, 0)
    if household is None:
        return (bytes(32), NOBODY, False, *rest, 0)
    return (profile_of(household.name), meter(household.name).address.lower(), True, *rest, CAPACITY)
