"""Where histories begin: markets that were played to a rare state beforehand, by calls alone.

Each is made once per process and engine, in lockstep like everything else, and branched off for every history.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import boa
from boa.environment import Env

from verification.harness import counters, journal
from verification.harness.lockstep import HOUSEHOLDS, STRANGER, Lockstep
from verification.harness.worn import crowded, familiar, packed, worn
from wattproof.evm.engine import make_env, roomy_env
from wattproof.evm.revm import RevmEnv
from wattproof.market.deployment import Tariff
from wattproof.market.trace import Remark
from wattproof.terms.model import Phase

_prepared: list[tuple[object, str, Lockstep]] = []


def compare_every() -> int:
    """After how many calls the whole state is compared: every one on revm, which reads it a hundred times faster."""
    return 1 if isinstance(boa.env, RevmEnv) else 6


TOLD = 25
"""Lines of a preset that failed that are shown; all of them are written down."""

failures: dict[str, AssertionError] = {}
"""What went wrong while a preset was played. Histories then begin in "fresh", and the run fails in the end."""


@functools.cache
def environment(engine: str, oversized: bool = False) -> Env:
    """The environment that all property tests of this process share; `oversized`: for contracts that no chain takes."""
    return (roomy_env if oversized else make_env)(engine)


def prepared(name: str) -> Lockstep:
    """The market of that preset on titanoboa's current environment, or the fresh one where that preset failed.

    A machine can then still find a short history of its own for the fault that broke the preset.
    """
    for env, known, lockstep in _prepared:
        if env is boa.env and known == name:
            return lockstep
    try:
        with counters.preset(name), journal.preset(name):
            lockstep = PRESETS[name]()
            lockstep.compare(everything=True)
    except AssertionError as failure:
        trace = counters.harness.trace
        trace.beginning = max(len(trace) - TOLD, 0)
        counters.tell(failure, trace)
        if name == "fresh":
            raise
        failures[name] = failure
        if isinstance(failure, counters.Violated) and failure.invariant == counters.sought:
            raise  # It was looked for, and a search in other markets would only take time.
        lockstep = copy.copy(prepared("fresh"))
    else:
        lockstep.ended = lockstep.now
        market = lockstep.model
        waiting = [number for number, quote in market.quotes.items() if quote.is_open]
        lockstep.first = min(waiting, default=market.quote_count() + 1)
        lockstep.carried = market.quote_count() - lockstep.first + 1
    lockstep.trace.append(Remark(f"---- here the preset {name!r} ends and the history begins"))
    _prepared.append((boa.env, name, lockstep))
    return lockstep


def prepare(module: Any) -> None:
    """Plays the presets that a module's machines begin in, outside every example."""
    machines = [value for value in vars(module).values() if hasattr(value, "preset_names")]
    for name in sorted({preset for machine in machines for preset in machine.preset_names}):
        prepared(name)


CODED = {"cloudy": "cloudy's meter", "misty": "misty's meter", "mild": "mild's meter", "rainy": "rainy's key"}
"""Whose meter is a contract, or a key that has code, in some presets; mild's serves nobody yet."""


def _fresh() -> Lockstep:
    """All is as it is when a market opens; some meters are contracts."""
    return Lockstep.fresh(coded=CODED)


def _metering() -> Lockstep:
    """Bright sold 100 of 200 Wh to misty, whose meter is a contract; their period, the only one watched, is metered."""
    lockstep = _fresh()
    period, price = lockstep.next_period(), lockstep.tariff.lowest_price
    lockstep.watch(period)
    quote_id = lockstep.call("submit_quote", period, 200, price, sender="bright").result or 0
    lockstep.bid(quote_id, "misty", price, 100)
    lockstep.to(Phase.REVEALING, period)
    lockstep.reveal(quote_id, "misty", price, 100)
    lockstep.to(Phase.MATCHING, period)
    lockstep.call("match_bids", quote_id, sender=STRANGER)
    lockstep.to(Phase.METERING, period)
    return lockstep


def _no_fee() -> Lockstep:
    """A market without fee, and whose order is the paper's plain one."""
    return Lockstep.fresh(Tariff(sbp=6, ssp=18, service_fee=0, period_length=1800, window=600, priority_step=0))


def _dear() -> Lockstep:
    """Large odd prices, the largest fee that the band allows but one, and the heaviest priority step."""
    return Lockstep.fresh(
        Tariff(sbp=61, ssp=181, service_fee=59, period_length=1800, window=900, priority_step=10_000), funds=10**12
    )


def _poor() -> Lockstep:
    """Households that can afford a few small trades only."""
    return Lockstep.fresh(funds=9_000)


NARROW = {"sunny": 150, "bright": 3_000, "breezy": 250, "cloudy": 150, "misty": 64, "rainy": 1}
"""Capacities that bind: in Wh, by household."""


def _narrow() -> Lockstep:
    """Households whose connections carry little: what they quote, ask for, buy and meter comes to the capacity."""
    return Lockstep.fresh(capacities=NARROW, coded=CODED)


def _by_price() -> Lockstep:
    """A market that ranks bids by their unit price; its households stand in several tiers."""
    lockstep = Lockstep.fresh(
        Tariff(sbp=6, ssp=18, service_fee=1, period_length=1800, window=600, priority_step=2_500, rank_by_price=True),
        capacities={"bright": 3_000, "rainy": 150},
    )
    _perform(lockstep, {"breezy": 10, "cloudy": 5, "misty": 4})
    return lockstep


def _experienced() -> Lockstep:
    """Five households stand one good performance below each tier: at 4, 9, 19, 39 and 79; the sixth far above."""
    lockstep = Lockstep.fresh()
    _perform(lockstep, dict(zip(HOUSEHOLDS[:5], (4, 9, 19, 39, 79), strict=True)))
    return lockstep


def _perform(lockstep: Lockstep, goals: dict[str, int]) -> None:
    """Households buy from the sixth, trade by trade, until each has its number of good performances."""
    for turn in range(max(goals.values())):
        lockstep.trade("rainy", [name for name, goal in goals.items() if turn < goal])
    for name, goal in goals.items():
        assert lockstep.model.account(lockstep.address(name)).performances == goal


def _waivers() -> Lockstep:
    """Everybody holds waivers, from shortages inside the tolerance: the prosumers one each, the consumers more."""
    lockstep = Lockstep.fresh()
    for prosumer in HOUSEHOLDS[:3]:
        others = [name for name in HOUSEHOLDS if name != prosumer]
        lockstep.trade(prosumer, others, exported=95)
    assert all(lockstep.model.account(lockstep.address(name)).waivers >= 2 for name in HOUSEHOLDS)
    return lockstep


def _arrears() -> Lockstep:
    """Who owes and who is owed, in every way.

    The supplier owes sunny and has no money here; cloudy and misty owe the supplier and have none either; rainy owes it
    too, but got its escrow back since, so that its next withdrawal can clear what it owes. Ends in MATCHING.
    """
    lockstep = Lockstep.fresh(funds=30_000)
    t, period = lockstep.tariff, lockstep.next_period()
    later = period + 2  # Its REVEALING begins with the SETTLING of `period`.
    lockstep.watch(later)
    lockstep.to(Phase.METERING, period)
    for name, out, into in (("sunny", 900, 0), ("cloudy", 0, 5_000), ("misty", 0, 3_000), ("rainy", 0, 5)):
        lockstep.read(name, period, out, into, sender=name)
    quote_id = lockstep.call("submit_quote", later, 10, t.lowest_price, sender="bright").result or 0
    bids = (("breezy", t.highest_price), ("rainy", t.lowest_price + 2))
    for name, price in bids:
        lockstep.bid(quote_id, name, price, 10)
    lockstep.to(Phase.REVEALING, later)
    for name, price in bids:
        lockstep.reveal(quote_id, name, price, 10)
    for name in ("cloudy", "misty", "rainy", "supplier"):
        lockstep.call("withdraw", lockstep.model.account(lockstep.address(name)).balance, sender=name)
    debts = {"sunny": 5_400, "cloudy": -90_000, "misty": -54_000, "rainy": -90}
    for name, debt in debts.items():
        lockstep.call("settle_account", name, period, sender="owner")
        assert lockstep.model.account(lockstep.address(name)).grid_account == debt
    lockstep.to(Phase.MATCHING, later)
    lockstep.call("match_bids", quote_id, sender="stranger")
    assert lockstep.model.account(lockstep.address("rainy")).balance == 100
    return lockstep


def _full_book() -> Lockstep:
    """A quote on which 127 bids are opened already and six more are sealed, in REVEALING."""
    lockstep = Lockstep.fresh()
    t, period = lockstep.tariff, lockstep.next_period()
    crowd = [f"household_{number}" for number in range(127)]
    for name in crowd:
        lockstep.enrol(name, 10_000, watch=False)
    lockstep.watch(period)
    quote_id = lockstep.call("submit_quote", period, 500, t.lowest_price, sender="sunny").result or 0
    wishes = {name: (t.lowest_price + number % 3, 1 + number % 7) for number, name in enumerate(crowd)}
    lockstep.sealed = {(quote_id, name): (t.highest_price, 20) for name in HOUSEHOLDS[1:]}
    for name, wish in wishes.items():
        lockstep.bid(quote_id, name, *wish)
    for (_, name), wish in lockstep.sealed.items():
        lockstep.bid(quote_id, name, *wish)
    lockstep.to(Phase.REVEALING, period)
    for name, wish in wishes.items():
        lockstep.reveal(quote_id, name, *wish)
    return lockstep


PRESETS: dict[str, Callable[[], Lockstep]] = {
    "fresh": _fresh,
    "metering": _metering,
    "no fee": _no_fee,
    "dear": _dear,
    "poor": _poor,
    "narrow": _narrow,
    "by price": _by_price,
    "experienced": _experienced,
    "waivers": _waivers,
    "arrears": _arrears,
    "full book": _full_book,
    "worn": worn,
    "crowded": crowded,
    "packed": packed,
    "familiar": familiar,
}
"""Every preset, by name."""
