"""A household whose device signs with a P-256 key, in the market: T-REG-10, T-REG-22, T-MET-11."""

from __future__ import annotations

import pytest

from tests.support.meters.home import Home, others, twin
from wattproof.meters import Meter, P256Meter

WRONG_METER = "accounts: wrong meter"


def test_registers_and_reports(home: Home) -> None:
    """T-REG-22: what the device signs is the market's own EIP-712 digest; all else is as with other meters."""
    home.register(home.pairing())
    assert home.stage.events() == [("Registered", {"user": home.user, "meter": home.device.address})]
    home.stage.market.authorize(home.user, 10_000, sender=home.stage.owner)
    home.stage.to("METERING")

    home.submit(5, 6, home.reading(5, 6))

    assert home.stage.market.reading(home.user, home.stage.period) == (True, 5, 6)


@pytest.mark.parametrize("kind", others(bytes(64)))
def test_the_market_refuses_other_bytes(home: Home, kind: str) -> None:
    """T-REG-22: whatever is wrong with it, it is somebody else's; at the pairing, and at a reading."""
    signature = others(home.pairing())[kind]
    with home.stage.refuses(WRONG_METER):
        home.register(signature)
    home.metering()
    signature = others(home.reading(5, 6))[kind]
    with home.stage.refuses(WRONG_METER):
        home.submit(5, 6, signature)


def test_the_market_refuses_another_message(home: Home) -> None:
    """T-REG-10: one Wh more, another half-hour, another device."""
    home.metering()
    market, user, period = home.stage.market, home.user, home.stage.period
    right = home.reading(5, 6)
    for exported, imported, signature in (
        (6, 6, right),
        (5, 7, right),
        (5, 6, home.device.sign_reading(market, user, period + 1, 5, 6)),
        (5, 6, P256Meter("another").sign_reading(market, user, period, 5, 6)),
        (5, 6, Meter("device").sign_reading(market, user, period, 5, 6)),
    ):
        with home.stage.refuses(WRONG_METER):
            home.submit(exported, imported, signature)
    home.submit(5, 6, right)


def test_a_wrong_signature_is_left_out_of_a_batch_alone(home: Home) -> None:
    """T-MET-11: the entries around it are recorded."""
    home.metering()
    stage = home.stage
    neighbours = [
        (each.address, 1, 2, each.meter.sign_reading(stage.market, each.address, stage.period, 1, 2))
        for each in (stage.prosumer, stage.consumer)
    ]
    wrong, right = ((home.user, 5, 6, each) for each in (twin(home.reading(5, 6)), home.reading(5, 6)))

    assert stage.market.submit_readings(stage.period, [neighbours[0], wrong, right, neighbours[1]]) == 0b1101

    refused = [fields for name, fields in stage.events() if name == "ReadingRefused"]
    assert refused == [{"user": home.user, "period": stage.period, "index": 1, "reason": WRONG_METER}]
