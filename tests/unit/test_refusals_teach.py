"""Every refusal of annex A comes with a sentence that says what is missing, and the sentence is true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import pytest

from wattproof import CallRefused, Market, Tariff
from wattproof.play.hints import HINTS

TERMS = Path(__file__).parents[2] / "docs" / "terms.md"

QUOTED = "sunny.quote(2, 9)"
BID = f"{QUOTED}; cloudy.bid(1, 1.5, 11)"
OPEN = f'{BID}; clock.to("REVEALING"); cloudy.reveal(1)'
MATCHED = f'{OPEN}; clock.to("MATCHING"); market.match_bids(1)'
METERING = f'{MATCHED}; clock.to("METERING")'
READ = f"{METERING}; sunny.meter.read(exported=1.9); cloudy.meter.read(imported=1.5)"
SETTLING = f'{READ}; clock.to("SETTLING")'
SEALED = (
    f'{QUOTED}; market.submit_bid(1, market.seal_of(1, cloudy, {{}}, bytes(32)), sender=cloudy); clock.to("REVEALING")'
)
OPENS = "market.reveal_bid(1, {}, sender=cloudy)"
PAIRS = "market.register(bytes(32), {}, {}, sender=stranger)"
PERIOD = "period 867263 (2019-06-21 00:30 +0100)"

CASES = [
    # (what was done before, the call, the reason, the sentence)
    (
        "",
        "sunny.quote(2, 9, 1)",
        "clock: wrong phase",
        "1 (1970-01-01 01:30 +0100) is in CLOSING; submit_quote needs B",
    ),
    (
        BID,
        "cloudy.reveal(1)",
        "clock: wrong phase",
        f"{PERIOD} is in BIDDING; reveal_bid needs REVEALING, which begins at 2019-06-21 00:10:00 +0100 (1561072200): "
        "clock.to('REVEALING', 867263)",
    ),
    (
        "",
        "sunny.quote(2, 9, 10**7)",
        "quotes: period too far ahead",
        "seven days ahead, now up to 867598 (2019-06-28 0",
    ),
    ("", "sunny.quote(2, 6)", "quotes: price out of band", "6.00 p/kWh is not from 6.20 p/kWh to 17.80 p/kWh"),
    ("", "sunny.quote(12, 9)", "quotes: volume out of bounds", "12.000 kWh is not from 0.001 kWh to 11.500 kWh"),
    (QUOTED, "sunny.quote(1, 9)", "quotes: already quoted", "once for a period, and sunny has, with quote 1"),
    (
        f"{QUOTED}; sunny.invalidate(1)",
        "sunny.quote(1, 9)",
        "quotes: already quoted",
        "once for a period, and sunny has, with",
    ),
    ("sunny.withdraw()", "sunny.quote(2, 9)", "ledger: insufficient balance", "0.00 p is free, 3.60 p is needed"),
    (QUOTED, "cloudy.invalidate(1)", "quotes: not the prosumer", "quote 1 is sunny's"),
    ("", "sunny.invalidate(1)", "quotes: unknown quote", "nothing was quoted yet"),
    (QUOTED, "cloudy.bid(3, 1, 9)", "quotes: unknown quote", "quotes are numbered from 1 to 1"),
    (f"{QUOTED}; sunny.invalidate(1)", "sunny.invalidate(1)", "quotes: not valid", "quote 1 is INVALID"),
    (QUOTED, "sunny.bid(1, 1, 9)", "bids: own quote", "quote 1 is sunny's"),
    (BID, "cloudy.bid(1, 1, 9)", "bids: already bid", "cloudy's bid on quote 1 stands"),
    (OPEN, "cloudy.reveal(1)", "bids: nothing to open", "cloudy's bid on quote 1 is opened already, and RESERVED"),
    (f'{BID}; clock.to("REVEALING")', OPENS.format("1, 1, bytes(32)"), "bids: seal does not match", "are not those"),
    (
        f'{BID}; clock.to("REVEALING")',
        'market.reveal_bid(1, 9, 9, bytes(32), sender="misty")',
        "bids: nothing to open",
        "misty sealed no bid on quote 1",
    ),
    (
        SEALED.format("1, 1"),
        OPENS.format("1, 1, bytes(32)"),
        "bids: price out of bounds",
        "0.0000000000001 p/kWh is not from 9.00 p/kWh to 17.80 p/kWh",
    ),
    (
        SEALED.format("1, 0"),
        OPENS.format("1, 0, bytes(32)"),
        "bids: volume out of bounds",
        "0.000 kWh is not from 0.001 kWh to 2.000 kWh",
    ),
    (BID, "misty.buy(1)", "quotes: not matched", "quote 1 is VALID: match_bids first"),
    (MATCHED, "sunny.buy(1)", "surplus: own quote", "quote 1 is sunny's"),
    (f"{MATCHED}; misty.buy(1)", "mild.buy(1)", "surplus: volume is zero", "0.000 kWh is left"),
    (MATCHED, "misty.buy(1, 0.6)", "surplus: not enough left", "0.500 kWh is left"),
    (MATCHED, "misty.buy(1, 0.01)", "surplus: volume too small", "0.500 kWh is left, the least is 0.032 kWh"),
    (METERING, "misty.buy(1)", "surplus: volume is zero", "0.000 kWh is left; what sunny exported is known once its"),
    (METERING, "misty.buy(1, 1)", "surplus: no reading yet", "sunny.meter.read(exported=...)"),
    (
        'sunny.quote(11, 9); bright.quote(11, 9); clock.to("MATCHING"); market.match_bids(1); market.match_bids(2); '
        "cloudy.buy(1)",
        "cloudy.buy(2)",
        "positions: beyond the capacity",
        "the connection carries 11.500 kWh in a period",
    ),
    (READ, "sunny.meter.read(1)", "metering: already read", "sunny has one: 1.900 kWh exported, 0.000 kWh imported"),
    (
        SETTLING,
        "market.settle_quote(1, sender=sunny)",
        "settlement: owner only",
        "from 2019-06-21 01:20:00 +0100 (1561076400), in CLOSING, anybody",
    ),
    (
        f"{SETTLING}; owner.settle()",
        "market.settle_account(cloudy, 867263, sender=owner)",
        "settlement: already settled",
        f"cloudy's account for {PERIOD} is finalised",
    ),
    (
        SETTLING,
        "market.settle_account(mild, 867263, sender=owner)",
        "settlement: nothing to settle",
        f"mild has no reading for {PERIOD}, and bought nothing",
    ),
    (
        SETTLING,
        "market.settle_account('sunny', 867263, sender=owner)",
        "settlement: quotes still open",
        "the quotes of the period come first: market.settle_quote(1), then owner.settle()",
    ),
    (
        f"{READ}; clock.now = 1800 * (867263 + 431)",
        "sunny.quote(2, 9, 867263 + 432)",
        "positions: earlier not settled",
        f"sunny's record of {PERIOD} lies where that of 867695 (2019-06-30 00:30 +0100) would, and is not settled; "
        "anybody may: market.settle_quote(1); market.settle_account(sunny, 867263)",
    ),
    ("", "market.deposit(5, sender=sunny)", "erc20: insufficient allowance", "sunny lets the market take 0.00 p"),
    (
        "",
        "market.deposit(5)",
        "erc20: insufficient allowance",
        "who is nobody here: name who makes it, as in sender=su",
    ),
    (
        "",
        "token.transfer(misty, 5, sender=sunny)",
        "erc20: transfer amount exceeds balance",
        "sunny holds 0.00 p outside",
    ),
    ("", "sunny.deposit(10**60)", "ledger: too many tokens", "and holds 110000.00 p"),
    ("", "sunny.withdraw(10_001)", "ledger: insufficient balance", "10000.00 p is free, 10001.00 p is needed"),
    (
        "",
        "market.withdraw_at_least(5, 6, sender=sunny)",
        "ledger: token moved another amount",
        "at least 0.0000000000000006 p cannot arrive of 0.0000000000000005 p",
    ),
    ("", "market.submit_quote(1, 2, 3)", "accounts: not authorised", "name who makes it, as in sender=sunny"),
    ("", "market.submit_quote(1, 2, 3, sender=owner)", "accounts: not authorised", "owner is not registered"),
    (
        "market.revoke(sunny, sender=owner)",
        "sunny.quote(2, 9)",
        "accounts: not authorised",
        "owner.authorize(sunny) lets",
    ),
    (
        "market.revoke(sunny, sender=owner)",
        "market.revoke('sunny', sender=owner)",
        "accounts: not authorised",
        "owner.authorize(sunny) lets it in",
    ),
    ("", "owner.authorize(stranger, 1)", "accounts: not registered", "has no meter: market.register(profile, meter"),
    ("", "market.authorize(sunny, 2**24, sender=owner)", "accounts: capacity out of bounds", "to 16777.215 kWh"),
    (
        "",
        "owner.authorize(sunny, 5)",
        "accounts: capacity cannot fall",
        "sunny has 11.500 kWh, and 5.000 kWh was asked",
    ),
    ("", "owner.authorize(sunny)", "accounts: already authorised", "sunny is, with 11.500 kWh in a period"),
    ("", "market.authorize(sunny, 1)", "ownable: caller is not the owner", "that is owner, sender=owner; this call"),
    (
        "market.transfer_ownership(misty, sender=owner)",
        "market.accept_ownership(sender=cloudy)",
        "ownable_2step: caller is not the new owner",
        "the new owner is to be misty: sender=misty",
    ),
    (
        "",
        "market.accept_ownership()",
        "ownable_2step: caller is not the new owner",
        "nobody is named: market.transfer_o",
    ),
    ("", "market.register(bytes(32), owner, b'', sender=supplier)", "accounts: supplier cannot register", "other side"),
    (
        "",
        "market.register(bytes(32), owner, b'', sender=sunny)",
        "accounts: already registered",
        "sunny has a meter, 0x",
    ),
    ("", PAIRS.format("'0x' + 40 * '0'", "b''"), "accounts: meter is zero", "name the meter's address"),
    ("", PAIRS.format("sunny.meter.address", "b''"), "accounts: meter already paired", "sunny's meter serves another"),
    ("", PAIRS.format("stranger", "b'1'"), "accounts: malformed signature", "has 65 bytes, this one 1; a meter signs"),
    (
        "",
        PAIRS.format("stranger", "bytes(65)"),
        "ecdsa: invalid signature",
        "meter.sign_pairing(market, user, profile)",
    ),
    (
        f"{METERING}; market.revoke(misty, sender=owner)",
        "misty.meter.read(1)",
        "accounts: not authorised",
        "owner.authorize(misty) lets it in",
    ),
    (
        METERING,
        "market.submit_reading(cloudy, 867263, 0, 1, cloudy.meter.sign_reading(market, cloudy, 867263, 0, 2))",
        "accounts: wrong meter",
        "a meter signs exactly what is submitted: meter.sign_reading(market, user, ...)",
    ),
]

RARE = {
    "ledger: in arrears",
    "ledger: token refused",
    "accounts: too little gas",
    "bids: book is full",
    "surplus: too many trades",
    "ecdsa: invalid signature `s` value",
}
"""Reasons that take a long history, or another token, to meet."""


@pytest.fixture(scope="module")
def opened() -> Market:
    return Market()


@pytest.fixture
def names(opened: Market) -> Iterator[dict[str, Any]]:
    """The market and its people; what is done with them is undone."""
    people = {name: opened[name] for name in ("owner", "supplier", *opened.households)}
    with boa.env.anchor():
        stranger = boa.env.generate_address()
        yield {"market": opened, "token": opened.token, "clock": opened.clock, "stranger": stranger, **people}
    for household in opened.households.values():
        household._sealed.clear()


@pytest.mark.parametrize(("before", "call", "reason", "sentence"), CASES)
def test_a_refusal_says_what_is_missing(
    before: str, call: str, reason: str, sentence: str, names: dict[str, Any]
) -> None:
    exec(before, names)
    with pytest.raises(CallRefused) as refused:
        exec(call, names)
    assert refused.value.reason == reason
    assert sentence in (refused.value.hint or "")
    assert str(refused.value) == f"{reason} ({refused.value.hint})"
    assert "\n" not in str(refused.value)


def test_every_reason_of_the_terms_has_a_sentence() -> None:
    annex = TERMS.read_text().split("## Annex A")[1].split("## Annex B")[0]
    rows = annex[annex.index("| call |") :].split("| `register` |")[1]  # what is before concerns the deployment
    groups = annex[: annex.index("| call |")]
    reasons = {reason.strip() for reason in re.findall(r"\| `{1,2}(\w+: .+?)`{1,2} \|", groups + "`register` |" + rows)}
    assert len(reasons) > 40
    assert reasons <= HINTS.keys()
    tried = {reason for _, _, reason, _ in CASES}
    assert reasons - tried == RARE
    assert HINTS.keys() == reasons | {
        "erc20: insufficient allowance",
        "erc20: transfer amount exceeds balance",
        "erc20: burn amount exceeds balance",
    }


def test_a_market_in_small_units_is_told_in_small_units() -> None:
    """Seven base units are not 0.00 p/kWh."""
    market = Market(tariff=Tariff(sbp=6, ssp=18, service_fee=1))
    sunny = market["sunny"]
    with pytest.raises(CallRefused) as refused:
        market.submit_quote(market.clock.next_quotable(), 20, 6, sender=sunny)
    assert refused.value.hint == "6 base units/Wh is not from 7 base units/Wh to 17 base units/Wh"
    market.submit_quote(market.clock.next_quotable(), 20, 7, sender=sunny)
    (event,) = market.events()
    assert repr(event).splitlines()[-2:] == ["  volume    20 Wh", "  price     7 base units/Wh"]
