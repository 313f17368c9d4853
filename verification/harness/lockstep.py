"""Contract and model side by side: every call goes to both, and they must agree on everything.

`Lockstep.call` compares acceptance or refusal with its reason, the return value and the events; `Lockstep.compare` the
whole state, as the published views tell it. Neither is ever fed with a value of the other.

Finalised quotes and accounts (a quote withdrawn or settled, with its bids and trades; what a user has of a period whose
account is settled, or in CLOSING never can be) are compared when they finalise, and again with everything else at the
end of the history, not after every call in between: that takes a third of the time.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import boa

from verification.harness import counters
from verification.harness.counters import holds
from verification.harness.driver import STRANGER, Driver
from verification.harness.meter_contracts import Says, placed
from verification.harness.state import Observation, decode
from wattproof.market import lens
from wattproof.market.abi import interface, revert_reason
from wattproof.market.deployment import Tariff, deploy
from wattproof.market.lens import STATE, Asked, answer_of, ask_model, in_words, model_of, part_of
from wattproof.market.symbolic import on_chain
from wattproof.market.trace import Gift, Made, Moment, Outcome, Scene, Trace
from wattproof.terms import model

START = 1_561_071_600
"""When every history begins, in seconds: the REPL's clock starts there, too."""

HOUSEHOLDS = ("sunny", "bright", "breezy", "cloudy", "misty", "rainy")
"""The users of every history, registered and authorised."""

NEWCOMER = "balmy"
"""A household that is not registered at the start."""

REPL_NAMES = (*HOUSEHOLDS, NEWCOMER, STRANGER, "owner", "supplier")
"""Who is a variable of its own at the REPL; everybody else is `who("name")`."""

TARIFF = Tariff(sbp=6, ssp=18, service_fee=1, period_length=1800, window=600, priority_step=500)
"""Small prices in base units per Wh, so that every percentage is rounded; the price band is [7, 17]."""

CAPACITY = 11_500
"""What a household's connection carries in a period, in Wh, if nothing else is said: 100 A at 230 V, half an hour."""

MAX_CAPACITY = 2**24 - 1
"""The largest capacity that the owner can give, in Wh."""

MAX_UINT256 = 2**256 - 1

_PHASES = {phase: phase.name or "" for phase in model.Phase}


class Lockstep(Driver[Outcome]):
    """A market, its model and the names of everybody. Build one with `Lockstep.fresh`, branch it with `branch`."""

    comparing = True
    """Whether contract and model are compared at all. Only a check of a machine's own invariants turns it off."""

    strict_presets = True
    """Whether a disagreement while a preset is played spoils the preset; see `presets`."""

    def __init__(self, tariff: Tariff) -> None:
        counters.harness = self
        self.env = boa.env
        self.tariff = tariff
        self.env.timestamp = START
        deployment = deploy(tariff, show=None)
        self.market, self.token = deployment.market, deployment.token
        self.target = str(self.market.address)
        self.chain = self.env.evm.patch.chain_id
        self.addresses: dict[str, str] = {"owner": deployment.owner, "supplier": deployment.supplier}
        self.names: dict[str, str] = {address: name for name, address in self.addresses.items()}
        self.model = model_of(
            tariff, deployment.owner, deployment.supplier, str(self.token.address), self.target, self.chain
        )
        self.code: dict[str, Says] = {}
        """What the meters say that have code, by address."""
        self.model.code_at = self.code
        self.interface = interface(self.market)
        self.lens = Lens(self.market.lens)
        self.periods: list[int] = []
        self.others: list[str] = [self.address(name) for name in ("owner", "supplier", STRANGER)]
        self.users: list[str] = []
        self.trace = Trace(tariff, self._scene())
        self.calls: list[Made] = []
        self.machine = "Lockstep"
        self.strict = Lockstep.strict_presets
        self.divergence: AssertionError | None = None
        self._seen: Any = None
        self.ended: int | None = None
        self._preset: tuple[int, bytes] | None = None
        self.first = 1
        self.carried = 0
        self.sealed: dict[tuple[int, str], tuple[int, int]] = {}
        """What was sealed in a preset and waits to be opened: price and volume by quote and bidder."""
        self._finalised: set[int | tuple[str, int]] = set()

    @classmethod
    def fresh(
        cls,
        tariff: Tariff = TARIFF,
        funds: int = 10**9,
        capacities: Mapping[str, int] = MappingProxyType({}),
        coded: Mapping[str, str] = MappingProxyType({}),
    ) -> Lockstep:
        """A market in which `HOUSEHOLDS` are registered and authorised, with `funds` base units deposited each.

        Whoever is not in `capacities` has `CAPACITY`; who is in `coded` has the meter of that name, which has code (see
        `meter_contracts`).
        """
        lockstep = cls(tariff)
        lockstep.coded = dict(coded)
        for name in HOUSEHOLDS:
            lockstep.enrol(name, funds, capacity=capacities.get(name, CAPACITY))
        lockstep.enrol(NEWCOMER, 0, register=False)
        lockstep.give("supplier", funds)
        lockstep.give(STRANGER, funds)
        for name in ("supplier", STRANGER):
            lockstep.call("deposit", funds // 2, sender=name)
        return lockstep

    @property
    def watched(self) -> list[str]:
        """Addresses whose accounts are compared: the households, then the others, who cannot trade."""
        return self.users + self.others

    # ---- people ----------------------------------------------------------------------

    def address(self, name: str) -> str:
        """The address that goes by that name; a meter that has code is placed there when it is first named."""
        if name not in self.addresses:
            if meter := placed(self.env, name):
                self.addresses[name], self.code[meter[0]] = meter
            else:
                self.addresses[name] = str(self.env.generate_address(name))
            self.names[self.addresses[name]] = name
        return self.addresses[name]

    def give(self, name: str, amount: int) -> None:
        """Gives somebody tokens outside the market and lets the market take any amount of them."""
        address = self.address(name)
        self.env.set_balance(address, self.env.get_balance(address) + amount)
        self.token.mint(value=amount, sender=address)
        self.token.approve(self.target, MAX_UINT256, sender=address)
        self.trace.append(Gift(address, amount))
        self.model.token.mint(address, amount)
        self.model.token.approve(address, self.target, MAX_UINT256)

    def enrol(self, name: str, funds: int, register: bool = True, watch: bool = True, capacity: int = CAPACITY) -> None:
        """Brings a household into the market with `funds` deposited and as much again outside."""
        address = self.address(name)
        if watch:
            self.users.append(address)
        self.give(name, 2 * funds)
        if register:
            self.admit(name, capacity)
        if funds:
            self.call("deposit", funds, sender=name)

    # ---- time ------------------------------------------------------------------------

    @property
    def now(self) -> int:
        """The block's time, in seconds."""
        return self.env.timestamp

    def at(self, second: int) -> None:
        """Moves time forward to `second`."""
        if second < self.now:
            raise ValueError(f"time runs one way: {second} is before {self.now}")
        self.env.timestamp = second
        self.trace.append(Moment(second))

    def phase(self, period: int) -> model.Phase:
        """The phase of a period, by the model."""
        return self.model.phase(period, self.now)

    # ---- calls -----------------------------------------------------------------------

    def call(self, function: str, *args: Any, sender: str) -> Outcome:
        """Makes a call of contract and model, compares all that came of it, and returns what the contract did.

        Arguments are ints, bytes, names of people or `Signed`, or lists and tuples of them. Where the two disagree,
        raises `Violated`; one that is not `strict` keeps the first disagreement in `divergence` instead, so that a
        machine's own invariants speak first.
        """
        who = self.address(sender)
        resolved = self.resolved(args)
        outcome = self._ask_contract(function, resolved, who)
        self.calls.append(Made(self.now, function, tuple(resolved), who, outcome))
        self.trace.append(self.calls[-1])
        self._count(function, outcome)
        if self.divergence is None:
            with self._deferred():
                self._agree(outcome, ask_model(self.model, function, resolved, who, self.now))
        return outcome

    def both(self, function: str, *args: Any, sender: str) -> tuple[Outcome, Outcome]:
        """What contract and model make of a call, which is not compared; arguments as in `call`."""
        who = self.address(sender)
        resolved = self.resolved(args)
        chain = self._ask_contract(function, resolved, who)
        self.trace.append(Made(self.now, function, tuple(resolved), who, chain))
        terms = ask_model(self.model, function, resolved, who, self.now)
        return chain, replace(terms, events=tuple((name, in_words(fields)) for name, fields in terms.events))

    def _ask_contract(self, function: str, args: Sequence[Any], sender: str) -> Outcome:
        data = self.interface.call(function, *on_chain(args))
        computation = self.env.execute_code(to_address=self.target, sender=sender, data=data)
        self._seen = None
        if counters.timing:
            counters.mark()
        if computation.is_error:
            return Outcome(False, revert_reason(computation.output))
        here = bytes.fromhex(self.target[2:])
        events = tuple(
            self.interface.event(topics, data)
            for _, emitter, topics, data in computation.get_raw_log_entries()
            if emitter == here
        )
        output = computation.output
        return Outcome(True, None, int.from_bytes(output, "big") if output else None, events)

    def _agree(self, chain: Outcome, terms: Outcome) -> None:
        """Compares what the contract did with what the terms say."""
        call = self.trace.last
        if not chain.accepted:
            holds("C2-REFUSE-1", not terms.accepted, call=call, contract=chain.reason, terms="accepted")
            holds("C2-REFUSE-2", chain.reason == terms.reason, call=call, contract=chain.reason, terms=terms.reason)
            return
        holds("C2-ACCEPT-1", terms.accepted, call=call, contract="accepted", terms=terms.reason)
        holds("C2-RETURN-1", chain.result == terms.result, call=call, contract=chain.result, terms=terms.result)
        said = [(name, in_words(fields)) for name, fields in terms.events]
        holds("C2-EVENT-1", list(chain.events) == said, call=call, contract=chain.events, terms=said)

    @contextmanager
    def _deferred(self) -> Iterator[None]:
        """Raises at once where the lockstep is strict; otherwise keeps the first disagreement for the end."""
        try:
            yield
        except AssertionError as divergence:
            if self.strict:
                raise
            self.divergence = divergence

    def _count(self, function: str, outcome: Outcome) -> None:
        counters.calls[f"{self.machine}.{function}"]["accepted" if outcome.accepted else outcome.reason or ""] += 1
        counters.tallies["calls"] += 1
        if self.periods:
            counters.phases[_PHASES[self.phase(self.periods[0])]] += 1

    # ---- the whole state ---------------------------------------------------------------

    def watch(self, period: int) -> None:
        """Compares readings, positions and totals of that period from now on (four periods at most)."""
        if period not in self.periods:
            self.periods.append(period)

    def compare(self, everything: bool = False) -> None:
        """Checks that the views of the contract answer as the model does; `call` says what is raised.

        What was finalised when it was last compared is left out, unless `everything` is asked for.
        """
        if self.divergence is not None:
            return
        counters.tallies["states compared"] += 1
        with self._deferred():
            for asked, output in self._answers(everything):
                wanted = answer_of(self.model, asked, self.now)
                same = output == wanted
                differences = {} if same else self.lens.differences(asked, output, wanted, self.names)
                # What is finalised may have gone wrong long before: then it is not the last call that is to blame.
                after = f"this call or one before: {self.trace.last}" if everything else self.trace.last
                for part, invariant in STATE.items():
                    differ = {place: told for place, told in differences.items() if part_of(place) == part}
                    holds(invariant, not differ, after=after, **differ)
            self._note_finalised()

    def agreed(self) -> None:
        """Raises the disagreement that was kept, if there is one."""
        if self.divergence is not None and Lockstep.comparing:
            raise self.divergence

    def observe(self) -> Observation:
        """What the contract's views tell of everybody and everything, decoded; nothing of it comes from the model."""
        return decode(self._looks())

    def _answers(self, everything: bool) -> list[tuple[Asked, bytes]]:
        """What was asked of the lens, and what it answered: a look that was taken already serves, too."""
        if not everything and not (self._seen and self._seen[0] == self._moment(False)):
            return [(asked, self.ask(asked)) for asked in self._going_on()]
        return self._looks(everything)

    def _going_on(self) -> list[Asked]:
        """All that is not finalised, as questions to the lens: mostly one."""
        finalised, periods = self._finalised, tuple(self.periods)
        quotes = [number for number in range(self.first, self.model.quote_count() + 1) if number not in finalised]
        asked = []
        for users, bidders in self.parties():
            places = tuple((user, period) for user in bidders for period in periods if (user, period) not in finalised)
            for at in range(0, max(len(quotes), 1), 8):
                asked.append(Asked(users, bidders, tuple(quotes[at : at + 8]), places, periods))
        return asked

    def _note_finalised(self) -> None:
        """Notes what was just compared and can no longer change by the terms."""
        market, finalised = self.model, self._finalised
        for number in range(self.first, market.quote_count() + 1):
            quote = market.quotes.get(number)
            if quote is None or not quote.is_open:
                finalised.add(number)
        for period in self.periods:
            closing = self.phase(period) == model.Phase.CLOSING
            for place in ((user, period) for user in self.users):
                if place not in finalised and self._is_finalised(place, closing):
                    finalised.add(place)

    def _is_finalised(self, place: tuple[str, int], closing: bool) -> bool:
        """Whether that user's account of that period is settled, or can no longer be (T-ACC-2, T-ACC-3)."""
        position = self.model.positions.get(place)
        return closing if position is None else position.settled or (closing and position.is_final)

    def parties(self) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Everybody watched, sixteen at a time as the lens takes them, with those of them that can trade."""
        watched = self.watched
        for start in range(0, len(watched), 16):
            yield tuple(watched[start : start + 16]), tuple(self.users[start : start + 16])

    def _moment(self, everything: bool) -> tuple[int, int, int, bool]:
        return self.now, len(self.periods), len(self.watched), everything

    def _looks(self, everything: bool = False) -> list[tuple[Asked, bytes]]:
        """What the lens answers now, sixteen users and eight quotes at a time; asked once between two calls.

        Quotes before `first`, which were over in the preset, are looked at only where `everything` is asked for.
        """
        key = self._moment(everything)
        if self._seen is None or self._seen[0] != key:
            looks, periods = [], tuple(self.periods)
            for users, bidders in self.parties():
                first = 1 if everything else self.first
                looks += self.lens.pages(self.env, users, bidders, first, periods, len(self.calls))
            self._seen = (key, looks)
        return self._seen[1]

    def ask(self, asked: Asked) -> bytes:
        """What the lens answers to that."""
        return self.lens.ask(self.env, asked)

    # ---- branching ---------------------------------------------------------------------

    @contextmanager
    def branch(self) -> Iterator[Lockstep]:
        """A copy to act on; when the block ends, chain and time are as they were.

        All presets share one chain and so one clock: a branch off a preset begins where that preset `ended`.
        """
        with self.env.anchor():
            if self.ended is not None:
                self.env.timestamp = self.ended
            lockstep = copy.copy(self)
            lockstep.model = pickle.loads(self._kept())
            lockstep.addresses, lockstep.names = dict(self.addresses), dict(self.names)
            lockstep.code = lockstep.model.code_at = dict(self.code)
            lockstep.periods, lockstep.users, lockstep.others = list(self.periods), list(self.users), list(self.others)
            lockstep.calls, lockstep._finalised = list(self.calls), set(self._finalised)
            lockstep.trace = self.trace.copy(lockstep._scene())
            lockstep.ended = None
            yield lockstep

    def _kept(self) -> bytes:
        """The model as it is now. Of a preset, which has ended, it is kept: many histories begin there."""
        if self.ended is None:
            return pickle.dumps(self.model)
        if self._preset is None or self._preset[0] != len(self.calls):
            self._preset = len(self.calls), pickle.dumps(self.model)
        return self._preset[1]

    def _scene(self) -> Scene:
        return Scene(self.target, str(self.token.address), self.chain, self.names, REPL_NAMES)


class Lens(lens.Lens):
    """A market's `MarketLens` on titanoboa's environment."""

    def __init__(self, contract: Any) -> None:
        super().__init__(str(contract.address), interface(contract).functions)

    def ask(self, env: Any, asked: Asked) -> bytes:
        """What it answers to that. Raises AssertionError where a view reverts."""
        data = self.request(asked)
        computation = env.execute_code(to_address=self.address, data=data, is_modifying=False)
        if computation.is_error:
            raise AssertionError(f"a view of the contract reverts: {computation.error}")
        return computation.output

    def pages(
        self,
        env: Any,
        users: tuple[str, ...],
        bidders: tuple[str, ...],
        first: int,
        periods: tuple[int, ...],
        most: int,
    ) -> Iterator[tuple[Asked, bytes]]:
        """What it answers of these users and of all quotes from `first` on, page by page.

        `most` quotes can have been made, whatever a contract says that counts them wrongly.
        """
        count = first
        while first <= count:
            asked = Asked.page(users, bidders, first, periods)
            answer = self.ask(env, asked)
            yield asked, answer
            first, count = first + 8, min(int.from_bytes(answer[-128:-96], "big"), most)
