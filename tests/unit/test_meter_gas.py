"""The gas that a contract has to say whether it signed (T-REG-23): with less than is due, the whole call is refused.

A meter that needs all but a few of its 100 000 gas is asked at every gas limit around those that decide. It says yes,
so that a batch which leaves its reading out starved it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boa
import pytest
from boa.util.abi import Address
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tests.support.meters import deployer
from tests.support.stage import CAPACITY, Stage
from wattproof.evm.engine import available, engine

DUE = 100_000
"""What a meter may use, in gas."""

RESERVED = 105_000
"""What has to be left when it is asked: annex A of the terms, and 43 of annex C."""

TOO_LITTLE = "accounts: too little gas"


def asked(meter: str, gas: int) -> Any:
    """What comes of asking the meter there, which says yes to anything, with that much gas."""
    data = keccak(text="isValidSignature(bytes32,bytes)")[:4] + encode(["bytes32", "bytes"], [bytes(32), b""])
    return boa.env.execute_code(to_address=Address(meter), data=data, gas=gas)


def busiest() -> Any:
    """The meter that needs the most gas of those that say yes within what is due."""
    idle, busy = (asked(deployer("BusyMeter").deploy(rounds).address, DUE).get_gas_used() for rounds in (0, 1_000))
    a_round = (busy - idle) // 1_000
    meter = deployer("BusyMeter").deploy((DUE - idle) // a_round)
    assert asked(meter.address, DUE).is_success
    assert not asked(meter.address, DUE - a_round).is_success
    return meter


@pytest.fixture(scope="module")
def metering() -> Iterator[tuple[Stage, str]]:
    """A stage in METERING on the fastest engine, and a user whose meter is the busiest."""
    with engine(available()[-1]):
        stage, meter, user = Stage(), busiest(), str(boa.env.generate_address("busy"))
        stage.market.register(b"busy".ljust(32), meter.address, b"", sender=user)
        stage.market.authorize(user, CAPACITY, sender=stage.owner)
        stage.to("METERING")
        yield stage, user


def particular(least: int) -> bytes:
    """The code of a meter that says yes to anything where it is asked with at least so much gas, and else reverts."""
    left = (least - 5 - 1).to_bytes(3, "big")  # GAS tells what is left after PUSH3 and itself, 5 units.
    yes = bytes.fromhex("5b 63 1626ba7e 60e0 1b 5f52 6020 5ff3")
    return bytes.fromhex("62") + left + bytes.fromhex("5a 11 600c 57 5f5f fd") + yes


@pytest.mark.parametrize("least", [DUE - 1, DUE, DUE + 1])
def test_a_meter_has_just_what_it_is_due(metering: tuple[Stage, str], least: int) -> None:
    """Not a unit less, and none more, however much the call has."""
    stage, _ = metering
    meter, user = (str(boa.env.generate_address(name)) for name in ("particular", "its owner"))
    with boa.env.anchor():
        boa.env.set_code(Address(meter), particular(least))
        assert [asked(meter, gas).is_success for gas in (least - 1, least)] == [False, True]
        data = stage.market.register.prepare_calldata(b"busy".ljust(32), meter, b"")
        done = boa.env.execute_code(to_address=stage.market.address, data=data, gas=10_000_000, sender=Address(user))
        assert reason(bytes(done.output)) == ("accounts: wrong meter" if least > DUE else "")
        assert done.is_success == (least <= DUE)


def single(stage: Stage, user: str) -> bytes:
    """The call of `submit_reading`, without a signature: the meter needs none."""
    return stage.market.submit_reading.prepare_calldata(user, stage.period, 1, 2, b"")


def batch(stage: Stage, user: str) -> bytes:
    """The call of `submit_readings` with this entry alone, which costs the least after the answer."""
    return stage.market.submit_readings.prepare_calldata(stage.period, [(user, 1, 2, b"")])


def reason(output: bytes) -> str:
    """The reason of a refusal; empty where it has none, as where the gas ran out."""
    return output[68 : 68 + int.from_bytes(output[36:68], "big")].decode() if output else ""


@pytest.mark.parametrize("kind", [single, batch])
def test_a_meter_that_says_yes_is_never_left_out(
    metering: tuple[Stage, str], kind: Callable[[Stage, str], bytes]
) -> None:
    """Every limit in steps, and one by one where the market decides: recorded, or refused as a whole.

    What is left where it asks decides first; then whether what the meter leaves suffices to record the reading.
    """
    stage, user = metering
    data = kind(stage, user)

    def outcome(gas: int) -> str:
        """What comes of the call with that gas limit; nothing of it stays."""
        with boa.env.anchor():
            done = boa.env.execute_code(to_address=stage.market.address, data=data, gas=gas, sender=stage.stranger)
            recorded = stage.market.reading(user, stage.period).present
            assert done.is_success == recorded, f"{gas} gas: {reason(bytes(done.output))!r}"
            return "recorded" if recorded else reason(bytes(done.output))

    assert outcome(RESERVED) == TOO_LITTLE  # The question is reached, with less than is due left.
    assert outcome(500_000) == "recorded"
    least = boundary(outcome, RESERVED, 500_000, lambda said: said == "recorded")
    enough = boundary(outcome, RESERVED, least, lambda said: said != TOO_LITTLE)
    assert RESERVED < enough < least < 160_000
    assert set(map(outcome, range(0, 200_000, 997))) == {"", TOO_LITTLE, "recorded"}
    for gas in range(enough - 100, enough + 600):
        assert outcome(gas) == (TOO_LITTLE if gas < enough else ""), gas
    for gas in range(least - 50, least + 50):
        assert outcome(gas) == ("" if gas < least else "recorded"), gas


def boundary(outcome: Callable[[int], str], low: int, high: int, holds: Callable[[str], bool]) -> int:
    """The least gas limit above `low` and up to `high` for which the outcome holds."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(outcome(middle)) else (middle, high)
    return high
