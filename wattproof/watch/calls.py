"""The calls of a market in a block, in order: those of transactions, and those of other contracts, from traces.

A call that a contract made and that was refused is one of them; so is one that was accepted and then undone, because
the call around it failed. Where a node gives no traces, the calls of contracts are read from the market's events: what
was refused inside of them, and salts, signatures and senders that no event tells of, is a gap, which is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from wattproof.chain.node import Block, CallFrame, Log, Receipt, Transaction
from wattproof.market.abi import Interface, revert_reason
from wattproof.market.trace import Outcome
from wattproof.terms import model
from wattproof.watch import from_events
from wattproof.watch.calldata import Calls, Unreadable
from wattproof.watch.mirror import Told

Via = Literal["transaction", "trace", "events"]

UNDONE = "undone by the call around it"


@dataclass(frozen=True)
class Call:
    """A call of the market as the chain made it.

    told      what the model is told
    outcome   what the market did; the events are those of `logs`
    failure   why the call ended without a word of the market's: out of gas, mostly. The terms know nothing of it
    certain   whether all is known of the outcome; else its reason and its result are not
    undone    the number of the outermost call around it that failed; None: what it did lasts
    logs      the market's own, of an accepted call that lasted
    """

    told: Told
    transaction: str
    origin: str
    data: bytes
    outcome: Outcome
    via: Via
    failure: str | None = None
    certain: bool = True
    undone: int | None = None
    logs: tuple[Log, ...] = ()


@dataclass
class _Frame:
    """A call in a trace: its own number, and the outermost call that failed with it inside."""

    frame: CallFrame
    depth: int
    locked: bool
    undone: int | None


@dataclass
class Reader:
    """Reads the calls of one market."""

    market: str
    interface: Interface
    calls: Calls = field(init=False)

    def __post_init__(self) -> None:
        self.calls = Calls(self.interface.functions)

    def concerns(self, block: Block, receipts: Sequence[Receipt], traces: Sequence[CallFrame] | None) -> bool:
        """Whether anything of a block is the market's."""
        return any(True for _ in self._touching(block, receipts, traces))

    def _touching(
        self, block: Block, receipts: Sequence[Receipt], traces: Sequence[CallFrame] | None
    ) -> Iterator[tuple[Transaction, Receipt, CallFrame | None]]:
        for index, (transaction, receipt) in enumerate(zip(block.transactions, receipts, strict=True)):
            assert isinstance(transaction, Transaction)
            if receipt.contract == self.market:  # Its creation, which is no call of it.
                continue
            trace = None if traces is None else traces[index]
            touches = transaction.to == self.market or any(log.address == self.market for log in receipt.logs)
            if touches or (trace is not None and any(True for _ in self._frames(trace))):
                yield transaction, receipt, trace

    def read(
        self,
        block: Block,
        receipts: Sequence[Receipt],
        traces: Sequence[CallFrame] | None,
        model_now: Callable[[], model.Market],
    ) -> Iterator[Call]:
        """The calls of a block, in order. `model_now`: the model, which has made those that came before."""
        for transaction, receipt, trace in self._touching(block, receipts, traces):
            logs = [log for log in receipt.logs if log.address == self.market]
            if trace is not None:
                yield from self._traced(transaction, receipt, trace, logs)
            elif transaction.to == self.market:
                yield from self._sent(transaction, receipt, logs)
            else:
                for told, of in from_events.calls(self.interface, logs, model_now()):
                    yield self._guessed(transaction, told, of)

    # ---- from traces -----------------------------------------------------------------------

    def _frames(self, trace: CallFrame, failed: bool = False) -> Iterator[_Frame]:
        """The calls of the market in a transaction, in the order in which they began."""
        number = 0

        def walk(frame: CallFrame, depth: int, locked: bool, undone: int | None) -> Iterator[_Frame]:
            nonlocal number
            number += 1
            mine = frame.kind == "CALL" and frame.to == self.market
            if mine:
                yield _Frame(frame, depth, locked, undone)
            inside = number if frame.error and undone is None else undone
            for each in frame.calls:
                yield from walk(each, depth + 1, locked or mine, inside)

        yield from walk(trace, 0, False, 0 if failed else None)

    def _traced(
        self, transaction: Transaction, receipt: Receipt, trace: CallFrame, logs: Sequence[Log]
    ) -> Iterator[Call]:
        made = []
        for each in self._frames(trace, not receipt.status and not trace.error):
            frame = each.frame
            function, args = self._said(frame.data)
            if function == "":
                continue
            told = Told(frame.sender, function, args, frame.value, each.locked)
            via: Via = "transaction" if each.depth == 0 else "trace"
            made.append((told, frame, each.undone, via))
        for number, (told, frame, undone, via) in enumerate(made):
            accepted = frame.error is None
            lasting = accepted and undone is None
            mine: tuple[Log, ...] = ()
            if lasting:
                others = [of for of, another, gone, _ in made[number + 1 :] if another.error is None and gone is None]
                mine = from_events.first(self.interface, logs, told) if others else tuple(logs)
                logs = logs[len(mine) :]
            failure = None if accepted or "revert" in (frame.error or "").lower() else frame.error
            yield Call(
                told,
                transaction.hash,
                transaction.sender,
                frame.data,
                self._outcome(accepted, frame.output, mine),
                via,
                failure,
                undone=undone,
                logs=mine,
            )

    def _said(self, data: bytes) -> tuple[str | None, tuple[Any, ...]]:
        """Function and arguments; an empty name for a view, None for what is no call of the market."""
        try:
            return self.calls.read(data) or ("", ())
        except Unreadable:
            return None, ()

    def _outcome(self, accepted: bool, output: bytes, logs: Sequence[Log]) -> Outcome:
        if not accepted:
            return Outcome(False, revert_reason(output))
        events = tuple(self.interface.event(log.topics, log.data) for log in logs)
        return Outcome(True, None, int.from_bytes(output, "big") if output else None, events)

    # ---- without traces ----------------------------------------------------------------------

    def _sent(self, transaction: Transaction, receipt: Receipt, logs: Sequence[Log]) -> Iterator[Call]:
        """A transaction to the market: all but its reason and result is known."""
        function, args = self._said(transaction.data)
        if function == "":
            return
        told = Told(transaction.sender, function, args, transaction.value)
        mine = tuple(logs) if receipt.status else ()
        outcome = self._outcome(receipt.status, b"", mine)
        yield Call(
            told,
            transaction.hash,
            transaction.sender,
            transaction.data,
            outcome,
            "transaction",
            None,
            False,
            None,
            mine,
        )

    def _guessed(self, transaction: Transaction, told: Told, logs: tuple[Log, ...]) -> Call:
        outcome = self._outcome(True, b"", logs)
        return Call(told, transaction.hash, transaction.sender, b"", outcome, "events", None, False, None, logs)
