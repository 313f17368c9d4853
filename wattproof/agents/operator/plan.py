"""What the operator wants to call, from what is known of the chain. Pure: it asks nobody and sends nothing.

The order is that of urgency: readings, which METERING ends; matching, which opens the sale of what is left; then
quotes, then accounts, which wait for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wattproof.agents.calls import Call, batch_label, match, settle_accounts, settle_quote
from wattproof.agents.facts import Facts
from wattproof.agents.readings import SignedReading
from wattproof.agents.timing import halfway, phase, three_quarters
from wattproof.market.clock import Clock
from wattproof.terms.model import MAX_BATCH, Phase, QuoteStatus


@dataclass(frozen=True)
class View:
    """What the operator knows: what events said, the second `now` of the newest block, whether it is the market's
    owner,
    and which readings are queued."""

    facts: Facts
    clock: Clock
    now: int
    is_owner: bool
    queued: Sequence[SignedReading] = ()

    def phase(self, period: int) -> Phase:
        """The phase of a period."""
        return phase(self.clock, period, self.now)

    def settles(self, period: int) -> bool:
        """Whether the operator may settle in a period now (T-SET-1, T-ACC-1)."""
        at = self.phase(period)
        return at == Phase.CLOSING or (self.is_owner and at == Phase.SETTLING)


def plan(view: View) -> list[Call]:
    """All that is due now and was not done, the most urgent first."""
    return [*_readings(view), *_matches(view), *_settlements(view), *_accounts(view)]


def submit_readings(period: int, readings: Sequence[SignedReading]) -> Call:
    """Handing in up to 64 readings of a period."""
    entries = tuple((one.user, one.exported, one.imported, one.signature) for one in readings)
    keys = tuple(f"read {one.user} {period}" for one in readings)
    return Call("submit_readings", (period, entries), keys, batch_label("submit_readings", period, len(readings)))


def _readings(view: View) -> Iterator[Call]:
    wanted: dict[int, dict[str, SignedReading]] = {}
    for one in view.queued:
        record = view.facts.records.get((one.user, one.period))
        if view.phase(one.period) == Phase.METERING and not (record and record.reading):
            wanted.setdefault(one.period, {}).setdefault(one.user, one)
    for period, readings in sorted(wanted.items()):
        for batch in _batches(readings.values()):
            yield submit_readings(period, batch)


def _matches(view: View) -> Iterator[Call]:
    for number, offer in sorted(view.facts.offers.items()):
        if offer.status == QuoteStatus.VALID and view.phase(offer.period) not in (Phase.BIDDING, Phase.REVEALING):
            yield match(number)


def _settlements(view: View) -> Iterator[Call]:
    for number, offer in sorted(view.facts.offers.items()):
        if offer.status == QuoteStatus.MATCHED and view.settles(offer.period):
            yield settle_quote(number)


def _accounts(view: View) -> Iterator[Call]:
    due: dict[int, list[str]] = {}
    for (user, period), record in view.facts.records.items():
        if record.is_due and view.settles(period):
            due.setdefault(period, []).append(user)
    for period, users in sorted(due.items()):
        for batch in _batches(users):
            yield settle_accounts(period, batch)


def silent(view: View) -> dict[int, list[str]]:
    """Who sold, bought or had a quote matched and has no reading, by period, as soon as three quarters of METERING are
    over: at half of it households hand in what nobody has.

    Whoever stays silent loses its authorisation (T-MET-9, T-MET-14). What is queued is as good as read.
    """
    queued = {(one.user, one.period) for one in view.queued}
    found: dict[int, list[str]] = {}
    for (user, period), record in view.facts.records.items():
        is_time = view.phase(period) == Phase.METERING and view.now >= three_quarters(
            view.clock, Phase.METERING, period
        )
        if is_time and not record.reading and (record.bought or record.stakes) and (user, period) not in queued:
            found.setdefault(period, []).append(user)
    return found


def owed_by_supplier(view: View, sbp: int, ssp: int) -> int:
    """What settling the accounts that METERING has told of, and are not settled, books in favour of users, in base
    units.

    Until its quotes are settled, a user's energy counts as received and delivered as far as it can be.
    """
    total = 0
    sold: dict[tuple[str, int], int] = {}
    for offer in view.facts.offers.values():
        if offer.status != QuoteStatus.INVALID:
            sold[offer.prosumer, offer.period] = offer.sold
    for key, record in view.facts.records.items():
        if record.settled or view.now < halfway(view.clock, Phase.METERING, key[1]):
            continue
        if not (record.reading or record.bought):
            continue
        exported, imported = record.reading or (0, record.bought)
        received = record.received if not record.stakes else record.bought
        surplus = max(0, exported - sold.get(key, 0)) + max(0, received - imported)
        total += max(0, surplus * sbp - max(0, imported - received) * ssp)
    return total


def _batches(entries: Iterable[SignedReading] | Iterable[str]) -> Iterator[list]:
    rest = list(entries)
    for at in range(0, len(rest), MAX_BATCH):
        yield rest[at : at + MAX_BATCH]
