"""The model of a market, driven by the calls that a chain made, with the chain's own addresses, messages and seals.

Nothing of what the contract says goes into it, but what a model of the market cannot see: whether the token moved, what
code of a meter answered that nobody can ask any more, and the salt of an opening that only events tell of. Each of
these is named in `unknown`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from wattproof.market.seals import seal_of
from wattproof.market.tariff import Tariff
from wattproof.market.trace import Outcome
from wattproof.terms import model
from wattproof.terms.model import Refused
from wattproof.watch.signatures import Meters, verdict

UNKNOWN_SALT = "not told"
"""In the place of the salt where only events tell of an opening."""

UNSIGNED = "not told"
"""In the place of a signature where only events tell that a meter's was taken."""

TOKEN_MOVES = ("deposit", "withdraw", "withdraw_at_least")
"""The calls in which the token has a say."""

MARKETS_OWN = ("ledger: in arrears", "ledger: insufficient balance")
"""Reasons to refuse them that are not the token's."""

LITTLE_GAS = "accounts: too little gas"
"""A reason that depends on the gas, of which the terms know nothing (annex A)."""


@dataclass
class Outside(model.Token):
    """The token as far as the market can tell: of its own holding it knows what came and went.

    refuses   with which reason the token refuses the call that is compared; None: it moves what it is asked to
    """

    refuses: str | None = None

    def check_transfer(self, owner: str, amount: int) -> None:
        """Refuse where the token did."""
        model.require(self.refuses is None, self.refuses or "")

    def check_transfer_from(self, spender: str, owner: str, amount: int) -> None:
        """Refuse where the token did."""
        self.check_transfer(owner, amount)

    def transfer(self, owner: str, to: str, amount: int) -> None:
        """Out of the market."""
        self.balances[owner] -= amount

    def transfer_from(self, spender: str, owner: str, to: str, amount: int) -> None:
        """Into the market."""
        self.balances[to] += amount


@dataclass(frozen=True)
class Told:
    """A call as the chain made it, as far as the model is told.

    function, args   None: no call of the interface
    locked           whether it came while the market waited for the token or a meter (T-MON-21)
    """

    sender: str
    function: str | None
    args: tuple[Any, ...]
    value: int = 0
    locked: bool = False


@dataclass
class Mirror:
    """The model of one market on a chain.

    unknown   what was taken from the chain in the last call, a line each
    """

    market: model.Market
    meters: Meters = field(default_factory=Meters)
    unknown: list[str] = field(default_factory=list)

    @classmethod
    def opened(cls, tariff: Tariff, owner: str, supplier: str, token: str, market: str, chain: int) -> Mirror:
        """The model of a market that was just deployed."""
        meters = Meters()
        made = model.Market(
            owner=owner, supplier=supplier, **asdict(tariff), token=Outside(token), address=market, chain_id=chain
        )
        return cls(wired(made, meters), meters)

    @property
    def token(self) -> Outside:
        """The token, as far as it is known."""
        assert isinstance(self.market.token, Outside)
        return self.market.token

    def call(self, told: Told, chain: Outcome, now: int) -> Outcome:
        """What the terms say to a call, of which the chain made `chain`. The model goes on from there."""
        self.unknown = []
        if told.function is None or told.value or told.locked:
            return Outcome(False, None)
        if chain.reason == LITTLE_GAS and told.function in ("register", "submit_reading", "submit_readings"):
            self.unknown.append(f"{told.function}: whether there was enough gas to ask a meter's code")
            return chain
        self.meters.unknown = self.unknown
        self.meters.said = _said(told, chain)
        self.token.refuses = self._refusal_of_token(told, chain)
        try:
            result = getattr(self.market, told.function)(*self._arguments(told), sender=told.sender, now=now)
        except Refused as refused:
            return Outcome(False, refused.reason)
        finally:
            self.token.refuses = None
        return Outcome(True, None, result, tuple(self.market.events))

    def _refusal_of_token(self, told: Told, chain: Outcome) -> str | None:
        """The token's own refusal, where the call has got as far as to it and is refused with no reason of ours."""
        if told.function not in TOKEN_MOVES or chain.accepted or chain.reason in MARKETS_OWN:
            return None
        self.unknown.append(f"{told.function}: the token did not move ({chain.reason or 'without a reason'})")
        return chain.reason or ""

    def _arguments(self, told: Told) -> tuple[Any, ...]:
        """The arguments, with verdicts for signatures."""
        market, args = self.market, told.args
        match told.function:
            case "register":
                profile, meter, signature = args
                message = market.pairing_message(told.sender, profile)
                return profile, meter, _verdict(signature, message, meter)
            case "submit_reading":
                return self._reading(args[0], args[1], args[2:])
            case "submit_readings":
                period, entries = args
                rows = [self._reading(user, period, rest) for user, *rest in entries]
                return period, [(user, exported, imported, handed) for user, _, exported, imported, handed in rows]
        return args

    def _reading(self, user: str, period: int, rest: Sequence[Any]) -> tuple[Any, ...]:
        exported, imported, signature = rest
        message = self.market.reading_message(user, period, exported, imported)
        meter = self.market.account(user).meter
        return user, period, exported, imported, _verdict(signature, message, meter)

    @contextmanager
    def undone(self) -> Iterator[None]:
        """What is called inside did not last: the model is as it was, afterwards."""
        kept, self.market = self.market, copy.deepcopy(self.market)
        wired(self.market, self.meters)
        try:
            yield
        finally:
            self.market = kept


def wired(market: model.Market, meters: Meters) -> model.Market:
    """The model with the chain's seals and the meters' code."""

    def seal(fields: tuple[Any, ...]) -> bytes:
        chain_id, address, quote_id, bidder, price, volume, salt = fields
        if salt == UNKNOWN_SALT:
            kept = market.bid(quote_id, bidder).seal
            assert isinstance(kept, bytes)
            return kept
        return seal_of(chain_id, address, quote_id, bidder, price, volume, salt)

    market.seal_function, market.code_at = seal, meters
    return market


def _verdict(signature: Any, message: tuple[object, ...], meter: str) -> model.Signature:
    if signature == UNSIGNED:
        return model.Signature("ok", meter, message)
    return verdict(signature, message)


def _said(told: Told, chain: Outcome) -> Any:
    """Whether the chain took a signature, by what it made of the call."""
    if told.function != "submit_readings":
        return lambda message: chain.accepted
    taken: Mapping[tuple[Any, ...], bool] = {
        entry[:3]: bool((chain.result or 0) >> index & 1) for index, entry in reversed(list(enumerate(told.args[1])))
    }
    return lambda message: taken.get((message[3], *message[5:]), False)
