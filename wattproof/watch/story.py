"""The history behind an alarm: in words, and as lines that play it again at the REPL.

At the REPL the people have the addresses that they have on the chain, and meters stand-ins, whose keys are known there.
Of a short history all calls are played; of a long one those of the people and quotes that the last call is about.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wattproof.chain.market import ChainMarket
from wattproof.chain.record import Record
from wattproof.market.symbolic import Signed, meter, seal_bytes
from wattproof.market.trace import Gift, Made, Moment, Outcome, Remark, Scene
from wattproof.store.market import MarketStore
from wattproof.store.plain import plain
from wattproof.store.records import BlockRef, CallRow
from wattproof.watch.checker import Checked
from wattproof.watch.ledger import Finding
from wattproof.watch.snapshots import arguments_of

MAX_CALLS = 1_000
"""Calls of a history that is played whole."""

TOLD = 25
"""Calls that the story tells, the last so many."""

_FORMS = {
    "accounts: malformed signature": "truncated",
    "ecdsa: invalid signature `s` value": "high s",
    "ecdsa: invalid signature": "bad v",
}

_ALWAYS = ("register", "authorize", "deposit", "submit_reading", "submit_readings")
"""Calls of the people involved without which no other is what it was."""

_HANDOVER = ("transfer_ownership", "accept_ownership")
"""Calls that say who is the owner."""


@dataclass(frozen=True)
class Story:
    """What led to an alarm: `text` in words, `lines` for the REPL."""

    text: str
    lines: list[str]


@dataclass
class _Past:
    """A stored call, with its block and its arguments as Python has them."""

    block: BlockRef
    row: CallRow
    args: tuple[Any, ...]

    @property
    def users(self) -> set[str]:
        """Who is concerned."""
        return {self.row.sender} | {each for each in _leaves(self.args) if isinstance(each, str) and len(each) == 42}

    def quotes(self, names: Sequence[str]) -> set[int]:
        """The quotes among the arguments."""
        return {value for name, value in zip(names, self.args, strict=True) if name == "quote_id"}


def of(checked: Checked, market: ChainMarket, store: MarketStore) -> Story:
    """What led to what was found in a block, which is not stored yet.

    Where it cannot be told, the text says why: an alarm without its story is better than none.
    """
    try:
        return _of(checked, market, store)
    except Exception as problem:
        return Story(f"the story cannot be told ({type(problem).__name__}: {problem})", [])


def _of(checked: Checked, market: ChainMarket, store: MarketStore) -> Story:
    watched = checked.watched
    place = next((finding.call for finding in checked.findings if finding.call is not None), None)
    rows = list(watched.calls) if place is None else list(watched.calls[: place + 1])
    past = list(_history(market, store, watched.block, rows))
    played = past if len(past) <= MAX_CALLS else _relevant(past, market)
    quoted = [each.row.result or 0 for each in played if each.row.function == "submit_quote" and each.row.accepted]
    numbers = {number: place for place, number in enumerate(quoted, 1)} if len(played) < len(past) else {}
    text = "\n".join(_told(past[-TOLD:], checked.findings, _Writer(market.record, past, {})))
    writer = _Writer(market.record, played, numbers)
    return Story(text, list(_lines(played, checked.findings, writer, len(past) - len(played))))


def _history(market: ChainMarket, store: MarketStore, block: BlockRef, rows: list[CallRow]) -> Iterator[_Past]:
    """All calls until now but those that were no call of the market, and what came of a creation."""
    for at, calls in (*store.calls(-1, block.number), (block, rows)):
        for row in calls:
            if row.function in market.interface.functions:
                arguments = {name: plain(value) for name, value in row.arguments.items()}
                yield _Past(at, row, arguments_of(market.interface, row.function, arguments))


# ---- in words ------------------------------------------------------------------------------


def _told(past: Sequence[_Past], findings: Sequence[Finding], writer: _Writer) -> Iterator[str]:
    for each in past:
        when = datetime.datetime.fromtimestamp(each.block.timestamp, datetime.UTC)
        yield f"block {each.block.number}, {when:%Y-%m-%d %H:%M:%S} UTC: {writer.line(each)}"
    yield from (f"{finding.invariant}: {finding.what}" for finding in findings)


# ---- at the REPL ---------------------------------------------------------------------------


def _lines(past: Sequence[_Past], findings: Sequence[Finding], writer: _Writer, left_out: int) -> Iterator[str]:
    record, scene = writer.record, writer.scene
    begin = {"at": past[0].block.timestamp if past else 0, "owner": record.owner, "supplier": record.supplier}
    shown = ", ".join(f"{name}={value!r}" for name, value in (begin | asdict(record.tariff)).items())
    yield "from wattproof.play.replayed import replay"
    yield f"replay(globals(), {shown})"
    if left_out:
        yield scene.line(Remark(f"{left_out} calls of others are left out; quotes have other numbers without theirs"))
    second = 0
    for each in past:
        if each.block.timestamp != second:
            second = each.block.timestamp
            yield scene.line(Moment(second))
        if each.row.function == "deposit" and each.row.accepted:
            yield scene.line(Gift(each.row.sender, each.args[0]))
        yield writer.line(each)
    yield from (scene.line(Remark(f"{finding.invariant}: {finding.what}")) for finding in findings)
    yield "check()"


def _relevant(past: Sequence[_Past], market: ChainMarket) -> list[_Past]:
    """The calls of the people of the last call, what was done with their quotes, and how others came into those.

    Owner and supplier have to do with everybody, and so are left out of account.
    """
    names = {name: function.names for name, function in market.interface.functions.items()}
    everybodys = {market.record.owner, market.record.supplier}
    last = past[-1]
    people = last.users - everybodys
    quotes = last.quotes(names[last.row.function])
    for each in past:
        if each.row.sender in people:
            quotes |= each.quotes(names[each.row.function])
            quotes |= {each.row.result} if each.row.function == "submit_quote" and each.row.result else set()
    about = {
        number
        for number, each in enumerate(past)
        if each.users & people
        or each.quotes(names[each.row.function]) & quotes
        or (each.row.function == "submit_quote" and each.row.result in quotes)
    } | {len(past) - 1}
    others = {user for number in about for user in past[number].users} - everybodys
    admitted = {
        number
        for number, each in enumerate(past)
        if each.row.function in _HANDOVER or (each.row.function in _ALWAYS and each.users & others)
    }
    return [past[number] for number in sorted(about | admitted)]


class _Writer:
    """Writes calls as lines, with stand-ins for meters, and for seals what was sealed.

    numbers   of the quotes, where they are other ones than on the chain
    """

    def __init__(self, record: Record, past: Sequence[_Past], numbers: Mapping[int, int]) -> None:
        self.record, self._numbers = record, numbers
        self._devices: dict[str, str] = {}
        self._sealed: dict[tuple[int, str], bytes] = {}
        known: dict[str, str] = {}
        for each in past:
            if each.row.function == "register":
                name = f"meter {each.args[1]}"
                known[meter(name).address] = name
                if each.row.accepted:
                    self._devices[each.row.sender] = name
            elif each.row.function == "reveal_bid" and each.row.accepted and isinstance(each.args[3], bytes):
                number, *content = each.args
                where = (record.chain_id, record.market, self._number(number), each.row.sender)
                self._sealed[number, each.row.sender] = seal_bytes((*where, *content))
        self.scene = Scene(record.market, record.token, record.chain_id, known, ())

    def line(self, each: _Past) -> str:
        """A call."""
        row = each.row
        outcome = Outcome(row.accepted, None if row.accepted else row.reason)
        made = Made(each.block.timestamp, row.function, self._arguments(row, each.args), row.sender, outcome)
        return self.scene.line(made)

    def _number(self, quote_id: int) -> int:
        return self._numbers.get(quote_id, quote_id)

    def _arguments(self, row: CallRow, args: tuple[Any, ...]) -> tuple[Any, ...]:
        match row.function:
            case "register":
                profile, device, _ = args
                signed = self._signed(f"meter {device}", "Pairing", (row.sender, profile), row.accepted, row.reason)
                return profile, meter(f"meter {device}").address, signed
            case "submit_reading":
                user, period, *figures = args[:4]
                return user, period, *figures, self._reading(user, period, figures, row.accepted, row.reason)
            case "submit_readings":
                period, entries = args
                return period, [self._entry(period, entry, row, at) for at, entry in enumerate(entries)]
            case "submit_bid":
                number, seal = args
                return self._number(number), self._sealed.get((number, row.sender), seal)
            case "invalidate_quote" | "reveal_bid" | "match_bids" | "buy_surplus" | "settle_quote":
                return self._number(args[0]), *args[1:]
        return args

    def _entry(self, period: int, entry: Sequence[Any], row: CallRow, at: int) -> tuple[Any, ...]:
        user, exported, imported, signature = entry
        accepted = bool((row.result or 0) >> at & 1)
        reason = None if accepted or len(signature) == 65 else "accounts: malformed signature"
        signed = self._reading(user, period, (exported, imported), accepted, reason)
        return user, exported, imported, signed

    def _reading(self, user: str, period: int, figures: Sequence[int], accepted: bool, reason: str | None) -> Signed:
        device = self._devices.get(user, "another meter")
        return self._signed(device, "Reading", (user, period, *figures), accepted, reason)

    def _signed(self, device: str, kind: str, fields: tuple[Any, ...], accepted: bool, reason: str | None) -> Signed:
        """A signature that is worth what the true one was: nobody has the meter's key."""
        form = "ok" if accepted else _FORMS.get(reason or "", "ok")
        signer = device if accepted or reason != "accounts: wrong meter" else "another meter"
        return Signed(signer, kind, fields, self.record.market, self.record.chain_id, form)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each)
    else:
        yield value
