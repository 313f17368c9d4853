"""One market, block by block: its calls are made on the model, too, and all that a block touched is compared."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Block, CallFrame, Receipt, Reverted
from wattproof.chain.record import Record
from wattproof.market.abi import Interface, revert_reason
from wattproof.market.lens import STATE, Lens, answer_of, part_of
from wattproof.market.trace import Outcome
from wattproof.store.records import BlockRef, CallRow, EventRow, State, Watched
from wattproof.watch.agreement import Agreement
from wattproof.watch.calls import UNDONE, Call, Reader
from wattproof.watch.ledger import Finding, Ledger
from wattproof.watch.mirror import Mirror, Told
from wattproof.watch.signatures import KeyDisagrees
from wattproof.watch.states import Gathered
from wattproof.watch.touched import Touched, everything

OPENING = "__init__"
"""The function of the row that stands for the market's creation."""

MAX_UNDONE = 8
"""Groups of undone calls that are compared in a block: each takes a copy of the model, and anybody can make many."""

_PAGES = 50
"""Questions to the lens in one go, where everything is compared."""


@dataclass
class Standing:
    """All that a watcher remembers of a market, after a block.

    block    up to which it has come; None: before the market
    broken   the block in which market and terms differed first; None: they never did. The model has stopped there
    given    tokens that the market holds and nobody owns
    is_known whether the ledger has what everybody holds after that block
    """

    mirror: Mirror
    ledger: Ledger
    block: BlockRef | None = None
    broken: int | None = None
    given: int = 0
    is_known: bool = True


@dataclass
class _Block:
    """What is gathered of one block."""

    at: BlockRef
    agreement: Agreement = field(default_factory=Agreement)
    touched: Touched = field(default_factory=Touched)
    calls: list[CallRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    undone: int = 0


@dataclass(frozen=True)
class Checked:
    """What was found of a block.

    watched    for the store, without alarms and snapshot
    findings   what does not hold, the first first
    unseen     what was taken from the chain, as the model cannot see it, a line each
    """

    watched: Watched
    findings: Sequence[Finding]
    unseen: Sequence[str]


class Checker:
    """Checks one market through a node."""

    def __init__(self, market: ChainMarket, standing: Standing) -> None:
        self.market, self.node, self.record = market, market.node, market.record
        self.interface: Interface = market.interface
        self.lens = Lens(market.record.lens, market.lens.interface.functions)
        self.reader = Reader(market.record.market, market.interface)
        self.standing = standing
        self.is_spoilt = False
        """Whether a check broke off, so that `standing` is of no moment any more."""
        self._is_early = False
        """Whether there was no lens yet at the end of the last block that touched the market."""

    def check(
        self, block: Block, receipts: Sequence[Receipt], traces: Sequence[CallFrame] | None, full: bool = False
    ) -> Checked:
        """Compares a block, the next after that of `standing`; `full`: all that the model knows, too.

        Raises as `Node.call`, and BlockGone. Then `standing` is spoilt, and is to be made anew.
        """
        self.is_spoilt = True
        gathered = _Block(BlockRef(block.number, block.hash, block.parent, block.timestamp))
        standing = self.standing
        standing.mirror.meters.node, standing.mirror.meters.block = self.node, block.parent
        if not standing.is_known:
            self._look_up(block.parent)
        self._opening(receipts, gathered)
        calls = self.reader.read(block, receipts, traces, lambda: standing.mirror.market)
        for (_, undone), group in itertools.groupby(calls, key=lambda call: (call.transaction, call.undone)):
            if undone is not None:
                self._undone(list(group), gathered)
                continue
            for call in group:
                self._call(call, gathered)
        state = State()
        if gathered.calls or full:
            state = self._state(gathered, full)
        checks, findings = standing.ledger.taken()
        found = [*gathered.agreement.findings, *findings]
        standing.block = gathered.at
        if found and standing.broken is None:
            standing.broken = block.number
        counted = checks + gathered.agreement.checks
        self.is_spoilt = False
        watched = Watched(gathered.at, gathered.calls, gathered.events, state, (), dict(counted))
        return Checked(watched, found, gathered.unseen)

    # ---- calls -------------------------------------------------------------------------------

    def _opening(self, receipts: Sequence[Receipt], gathered: _Block) -> None:
        """The market's creation, which is no call of it: its event, and who is owner."""
        for receipt in receipts:
            if receipt.contract != self.record.market:
                continue
            frame = [("owner", self.record.owner), ("supplier", self.record.supplier)]
            arguments = dict(frame) | vars(self.record.tariff)
            sender, transaction = self.record.owner, receipt.transaction_hash
            gathered.calls.append(
                CallRow(0, transaction, sender, sender, OPENING, arguments, True, None, None, "transaction")
            )
            logs = tuple(log for log in receipt.logs if log.address == self.record.market)
            self._events(logs, transaction, 0, gathered)
            opened = Outcome(True, None, None, tuple(self.standing.mirror.market.events))
            chain = Outcome(True, None, None, tuple(self.interface.event(log.topics, log.data) for log in logs))
            gathered.agreement.compare(_opened(transaction, chain), opened, 0)
            gathered.touched.users |= {self.record.owner, self.record.supplier}

    def _undone(self, calls: Sequence[Call], gathered: _Block) -> None:
        """Calls that were undone together: the model is afterwards as it was before."""
        changes = self.standing.broken is None and any(call.outcome.accepted for call in calls)
        gathered.undone += changes
        if gathered.undone > MAX_UNDONE:
            gathered.unseen.append(f"{len(calls)} calls were undone and are not compared: too many are in this block")
            for call in calls:
                self._row(call, len(gathered.calls), False, gathered)
            return
        with self.standing.mirror.undone() if changes else contextlib.nullcontext():
            for call in calls:
                self._call(call, gathered)

    def _call(self, call: Call, gathered: _Block) -> None:
        index = len(gathered.calls)
        lasting = call.outcome.accepted and call.undone is None
        self._row(call, index, lasting, gathered)
        if lasting:
            self._events(call.logs, call.transaction, index, gathered)
        differs = self.standing.broken is not None or gathered.agreement.findings
        if not differs and call.failure is None:
            self._compare(call, index, gathered)
        elif call.failure is not None:
            gathered.unseen.append(f"{call.told.function}: it failed by itself ({call.failure})")
        if lasting:
            function, arguments = call.told.function or "", gathered.calls[index].arguments
            events = [(event.name, event.fields) for event in gathered.events if event.call == index]
            self.standing.ledger.feed(events, index)
            market = self.standing.mirror.market
            gathered.touched.call(function, arguments, call.told.sender, events, market)

    def _compare(self, call: Call, index: int, gathered: _Block) -> None:
        mirror, now = self.standing.mirror, gathered.at.timestamp
        try:
            if call.outcome.accepted or call.certain:
                gathered.agreement.compare(call, mirror.call(call.told, call.outcome, now), index)
            else:
                self._doubtful(call, index, gathered)
        except KeyDisagrees as problem:
            gathered.agreement.holds("C4-METER-1", False, str(problem), index)
        gathered.unseen += mirror.unknown
        if call.via == "events":
            gathered.unseen.append(f"{call.told.function}: told by its events alone, as the node gives no traces")

    def _doubtful(self, call: Call, index: int, gathered: _Block) -> None:
        """A transaction that was refused nobody says why: the terms are asked, and the chain at the block before."""
        mirror = self.standing.mirror
        with mirror.undone():
            terms = mirror.call(call.told, call.outcome, gathered.at.timestamp)
        if terms.accepted:
            gathered.unseen.append(f"{call.told.function}: refused, and the node does not say why (out of gas?)")
        else:
            gathered.agreement.compare(call, terms, index)

    def _row(self, call: Call, index: int, lasting: bool, gathered: _Block) -> None:
        told, outcome = call.told, call.outcome
        if told.function is None:
            function, arguments = "0x" + call.data[:4].hex(), {"data": call.data}
        else:
            function = told.function
            arguments = dict(zip(self.interface.functions[function].names, told.args, strict=True))
        undone = UNDONE if outcome.accepted and not lasting else None
        reason = undone or outcome.reason or call.failure
        row = (function, arguments, lasting, reason, outcome.result, call.via)
        gathered.calls.append(CallRow(index, call.transaction, told.sender, call.origin, *row))

    def _events(self, logs: Any, transaction: str, call: int, gathered: _Block) -> None:
        for log in logs:
            event = self.interface.events.get(log.topics[0])
            name = event.name if event else f"unknown event {log.topics[0]:#x}"
            fields = event.values(log.topics, log.data) if event else {}
            gathered.events.append(EventRow(log.index, transaction, call, name, fields))

    # ---- state -------------------------------------------------------------------------------

    def _state(self, gathered: _Block, full: bool) -> State:
        """What the block touched, as the lens tells it at the block's end; compared with the model, and with itself."""
        standing, at = self.standing, gathered.at
        compared = standing.broken is None and not gathered.agreement.findings
        if gathered.touched.users:
            # Fees and invoices change both.
            gathered.touched.users |= {standing.mirror.market.owner, self.record.supplier}
        full, self._is_early = full or self._is_early, False
        found = Gathered(self.lens, standing.mirror.market if compared else None, at.timestamp)
        for asked, answer in self._answers(gathered.touched.questions(), at.hash, gathered):
            if compared:
                self._donated(int.from_bytes(answer[-32:], "big"), gathered)
            self._agree(found.take(asked, answer), gathered, None)
        if full and compared:
            for asked, answer in self._answers(list(everything(standing.mirror.market)), at.hash, gathered):
                wanted = answer_of(standing.mirror.market, asked, at.timestamp)
                same = {} if answer == wanted else self.lens.differences(asked, answer, wanted, {})
                self._agree(same, gathered, "everything")
        found.take_trades(self.node, at.hash)
        if found.tokens is not None:
            standing.ledger.look(found.accounts, found.quotes, found.readings, found.tokens)
        return found.state(gathered.touched)

    def _look_up(self, block: str) -> None:
        """What everybody holds, and the market itself, at the end of the block before."""
        standing, market = self.standing, self.standing.mirror.market
        found = Gathered(self.lens, None, 0)
        questions = Touched(users=set(market.accounts)).questions()
        answers = self.node.views([(self.lens.address, self.lens.request(asked)) for asked in questions], block)
        for asked, answer in zip(questions, answers, strict=True):
            if isinstance(answer, bytes) and answer:
                found.take(asked, answer)
        for user, account in found.accounts.items():
            standing.ledger.held[user] = account.balance, account.reserved, account.grid_account
            standing.ledger.good[user] = account.performances
        more = (found.tokens or 0) - market.held
        if more > 0:
            market.token.balances[market.address] += more
            standing.given += more
        standing.ledger.moved = standing.ledger.invoiced = 0
        standing.ledger.taken()
        standing.is_known = True

    def _answers(self, questions: Sequence[Any], block: str, gathered: _Block) -> Iterator[tuple[Any, bytes]]:
        for start in range(0, len(questions), _PAGES):
            page = questions[start : start + _PAGES]
            answers = self.node.views([(self.lens.address, self.lens.request(asked)) for asked in page], block)
            for asked, answer in zip(page, answers, strict=True):
                if answer == b"":
                    self._is_early = True
                elif isinstance(answer, Reverted):
                    reason = revert_reason(answer.data) or "no reason given"
                    gathered.agreement.holds("C2-MARKET-1", False, f"a view of the lens reverts: {reason}")
                else:
                    yield asked, answer

    def _agree(self, differences: dict[str, str], gathered: _Block, of: str | None) -> None:
        for part, invariant in STATE.items():
            differ = [f"{place}: {told}" for place, told in differences.items() if part_of(place) == part]
            gathered.agreement.holds(invariant, not differ, "; ".join(differ) + (f" ({of})" if of else ""))

    def _donated(self, tokens: int, gathered: _Block) -> None:
        """Tokens that came without a deposit: nobody's, and no alarm (T-MON-26, C4-DONATE-1)."""
        market = self.standing.mirror.market
        more = tokens - market.held
        if more > 0:
            market.token.balances[market.address] = tokens
            self.standing.given += more
            gathered.unseen.append(f"{more} base units came into the market without a deposit: they are nobody's")


def _opened(transaction: str, outcome: Outcome) -> Call:
    return Call(Told("", OPENING, ()), transaction, "", b"", outcome, "transaction", certain=False)


def opened(record: Record) -> Standing:
    """A market that was just deployed, as the terms have it."""
    mirror = Mirror.opened(record.tariff, record.owner, record.supplier, record.token, record.market, record.chain_id)
    return Standing(mirror, Ledger(record.tariff))
