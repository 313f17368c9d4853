"""The constructor: T-PARTY-1 and T-PARTY-6 to T-PARTY-15."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_abi.abi import encode

from tests.support.stage import Stage
from wattproof.market.deployment import deployer, with_views

ZERO = "0x" + "00" * 20

SOUND = {
    "token": "0x" + "11" * 20,
    "supplier": "0x" + "22" * 20,
    "sbp": 60,
    "ssp": 180,
    "service_fee": 2,
    "period_length": 1800,
    "window": 600,
    "priority_step": 500,
    "rank_by_price": False,
}
"""Arguments that the constructor accepts, in its order."""

LARGEST = 2**256 - 1


def deploy(**changes: Any) -> Any:
    """A market deployed with the sound arguments, but for `changes`, and with a lens for its views."""
    return seen(deployer("EnergyMarket").deploy(*(SOUND | changes).values()))


def seen(market: Any) -> Any:
    """The market with its views. (A lens is deployed after the market: ask for the market's events before.)"""
    return with_views(market, deployer("MarketLens").deploy(market.address))


def test_keeps_every_argument_and_makes_the_deployer_the_owner(stage: Stage) -> None:
    """T-PARTY-1, T-PARTY-6, T-PARTY-7: the frame is what was passed, each argument in its place."""
    with boa.env.prank(stage.stranger):
        market = deployer("EnergyMarket").deploy(stage.token.address, stage.supplier, 61, 183, 3, 900, 450, 700, True)

    logs = market.get_logs()
    assert [type(log).__name__ for log in logs] == ["OwnershipTransferred"]
    assert logs[0].address == market.address
    assert (logs[0].previous_owner, logs[0].new_owner) == (ZERO, stage.stranger)
    seen(market)
    assert market.owner() == stage.stranger
    assert market.pending_owner() == ZERO
    assert market.TOKEN() == stage.token.address
    assert market.SUPPLIER() == stage.supplier
    assert (market.SBP(), market.SSP(), market.SERVICE_FEE()) == (61, 183, 3)
    assert (market.PERIOD_LENGTH(), market.WINDOW()) == (900, 450)
    assert market.PRIORITY_STEP() == 700
    assert market.RANK_BY_PRICE() is True
    assert market.frame() == (stage.token.address, stage.supplier, 61, 183, 3, 900, 450, 700, True)
    assert market.quote_count() == 0


def test_starts_empty_handed(stage: Stage) -> None:
    """T-REG-1, T-MON-4: deploying registers and pays nobody, the owner and the supplier included."""
    market = deploy()

    for party in (market.owner(), SOUND["supplier"], stage.stranger):
        account = market.account(party)
        assert (account.profile, account.meter, account.authorized) == (bytes(32), ZERO, False)
        assert (account.balance, account.reserved, account.grid_account) == (0, 0, 0)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"sbp": 1, "service_fee": 0}, id="sbp of one base unit"),
        pytest.param({"ssp": 2**96 - 1}, id="largest ssp"),
        pytest.param({"service_fee": 0}, id="no service fee"),
        # 60 + 2 * 60 = 180: the band is the one price 120.
        pytest.param({"service_fee": 60}, id="band of a single price"),
        # 180 + 2 * 0 = 180.
        pytest.param({"sbp": 180, "service_fee": 0}, id="sbp equal to ssp without a fee"),
        pytest.param({"sbp": 2**96 - 1, "ssp": 2**96 - 1, "service_fee": 0}, id="largest sbp"),
        # 1 + 2 * (2**95 - 1) = 2**96 - 1.
        pytest.param({"sbp": 1, "ssp": 2**96 - 1, "service_fee": 2**95 - 1}, id="largest fee"),
        pytest.param({"period_length": 1}, id="period of one second"),
        pytest.param({"period_length": LARGEST}, id="longest period"),
        pytest.param({"window": 1}, id="window of one second"),
        pytest.param({"window": LARGEST}, id="longest window"),
        pytest.param({"priority_step": 0}, id="no priority step"),
        pytest.param({"priority_step": 10_000}, id="largest priority step"),
        pytest.param({"rank_by_price": True}, id="ranking by price"),
    ],
)
def test_accepts_the_ends_of_every_range(changes: dict[str, int]) -> None:
    """T-PARTY-10 to T-PARTY-15, from the inside."""
    market = deploy(**changes)

    getters = {
        "sbp": market.SBP,
        "ssp": market.SSP,
        "service_fee": market.SERVICE_FEE,
        "period_length": market.PERIOD_LENGTH,
        "window": market.WINDOW,
        "priority_step": market.PRIORITY_STEP,
        "rank_by_price": market.RANK_BY_PRICE,
    }
    for name, value in changes.items():
        assert getters[name]() == value


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"token": ZERO}, "ledger: token is zero", id="T-PARTY-8"),
        pytest.param({"supplier": ZERO}, "ledger: supplier is zero", id="T-PARTY-9"),
        pytest.param({"sbp": 0}, "tariff: sbp is zero", id="T-PARTY-10"),
        pytest.param({"sbp": 0, "service_fee": 0}, "tariff: sbp is zero", id="T-PARTY-10 without a fee"),
        pytest.param({"ssp": 2**96}, "tariff: ssp out of bounds", id="T-PARTY-11 at the bound"),
        pytest.param({"ssp": LARGEST}, "tariff: ssp out of bounds", id="T-PARTY-11 largest"),
        # 60 + 2 * 61 = 182 and 61 + 2 * 60 = 181 are above 180; 60 + 2 * 60 = 180 is above 179.
        pytest.param({"service_fee": 61}, "tariff: no price band", id="T-PARTY-12 fee one too high"),
        pytest.param({"sbp": 61, "service_fee": 60}, "tariff: no price band", id="T-PARTY-12 sbp one too high"),
        pytest.param({"ssp": 179, "service_fee": 60}, "tariff: no price band", id="T-PARTY-12 ssp one too low"),
        pytest.param({"sbp": 181, "service_fee": 0}, "tariff: no price band", id="T-PARTY-12 sbp above ssp"),
        pytest.param({"ssp": 0}, "tariff: no price band", id="T-PARTY-12 ssp of zero"),
        # Sums that do not fit into 256 bits: 2 * 2**255 is 0 modulo 2**256, 2**256 - 1 + 2 * 1 is 1.
        pytest.param({"service_fee": 2**255}, "tariff: no price band", id="T-PARTY-12 twice the fee overflows"),
        pytest.param({"sbp": LARGEST, "service_fee": 1}, "tariff: no price band", id="T-PARTY-12 the sum overflows"),
        pytest.param({"period_length": 0}, "clock: period length is zero", id="T-PARTY-13"),
        pytest.param({"window": 0}, "clock: window is zero", id="T-PARTY-14"),
        pytest.param({"priority_step": 10_001}, "matching: priority step out of bounds", id="T-PARTY-15 one too high"),
        pytest.param({"priority_step": LARGEST}, "matching: priority step out of bounds", id="T-PARTY-15 largest"),
    ],
)
def test_refuses(changes: dict[str, Any], reason: str) -> None:
    """T-PARTY-8 to T-PARTY-15, from the outside."""
    with boa.reverts(reason):
        deploy(**changes)


# The band has rows of its own, below: a wrong SBP or SSP comes before it.
WRONG = {
    "token": ZERO,
    "supplier": ZERO,
    "sbp": 0,
    "ssp": 2**96,
    "period_length": 0,
    "window": 0,
    "priority_step": 10_001,
}


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        ([], "ledger: token is zero"),
        (["token"], "ledger: supplier is zero"),
        (["token", "supplier"], "tariff: sbp is zero"),
        (["token", "supplier", "sbp"], "tariff: ssp out of bounds"),
        (["token", "supplier", "sbp", "ssp"], "clock: period length is zero"),
        (["token", "supplier", "sbp", "ssp", "period_length"], "clock: window is zero"),
        (["token", "supplier", "sbp", "ssp", "period_length", "window"], "matching: priority step out of bounds"),
    ],
)
def test_names_the_first_of_several_reasons(sound: list[str], reason: str) -> None:
    """T-PARTY-16: everything is wrong but the arguments that are put right, one more in each row."""
    with boa.reverts(reason):
        deploy(**{name: value for name, value in WRONG.items() if name not in sound})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sbp": 0, "ssp": 1}, "tariff: sbp is zero"),
        ({"ssp": 2**96, "service_fee": 2**96}, "tariff: ssp out of bounds"),
        ({"service_fee": 61, "period_length": 0}, "tariff: no price band"),
    ],
)
def test_looks_at_the_band_after_its_ends_and_before_the_clock(changes: dict[str, int], reason: str) -> None:
    """T-PARTY-16, with an empty price band in every row."""
    with boa.reverts(reason):
        deploy(**changes)


def test_lets_the_owner_be_the_supplier(stage: Stage) -> None:
    """Annex C, 15: only supplier and user are kept apart."""
    with boa.env.prank(stage.owner):
        market = deploy(supplier=stage.owner)

    assert market.owner() == market.SUPPLIER() == stage.owner


def raw_deployment(arguments: bytes) -> tuple[bool, bytes]:
    """A deployment with these bytes behind the code: whether it succeeded, and what it answered."""
    _, computation = boa.env.deploy(bytecode=deployer("EnergyMarket").compiler_data.bytecode + arguments)
    return computation.is_success, bytes(computation.output)


@pytest.mark.parametrize("place", [0, 1], ids=["token", "supplier"])
@pytest.mark.parametrize("bit", [160, 255])
def test_refuses_an_address_out_of_range(place: int, bit: int) -> None:
    """T-PARTY-16: the 96 bits above an address are zero; refused without a reason."""
    words = [int(str(value), 16) if isinstance(value, str) else value for value in SOUND.values()]
    assert raw_deployment(b"".join(word.to_bytes(32, "big") for word in words))[0] is True
    words[place] |= 1 << bit

    assert raw_deployment(b"".join(word.to_bytes(32, "big") for word in words)) == (False, b"")


@pytest.mark.parametrize("value", [2, 2**255])
def test_refuses_a_ranking_that_is_neither_yes_nor_no(value: int) -> None:
    """T-PARTY-16: out of its type's range; refused without a reason."""
    words = [int(str(each), 16) if isinstance(each, str) else int(each) for each in SOUND.values()]
    words[8] = value

    assert raw_deployment(b"".join(word.to_bytes(32, "big") for word in words)) == (False, b"")


@pytest.mark.parametrize(("value", "succeeds"), [(0, True), (1, False)], ids=["no ether", "one wei"])
def test_takes_no_ether(value: int, succeeds: bool) -> None:
    """T-MON-22: ether sent along with the deployment is refused without a reason."""
    payer = boa.env.generate_address("payer")
    boa.env.set_balance(payer, value)
    arguments = encode(["address", "address"] + ["uint256"] * 6 + ["bool"], list(SOUND.values()))
    code = deployer("EnergyMarket").compiler_data.bytecode + arguments

    _, computation = boa.env.deploy(sender=payer, bytecode=code, value=value)

    assert computation.is_success is succeeds
    if not succeeds:
        assert computation.output == b""
