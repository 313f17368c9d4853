"""Criterion 5: tokens that were fit for the market and no longer are: they begin to charge, round, grow or shrink.

`ShareToken` is honest while everybody pays in and is changed afterwards. What may leave then is computed from its rate
and its charge; what did leave is read from the token, not from the market.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import boa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties.runs import Run
from tests.properties.tokens import deployer
from verification.harness import counters, presets
from verification.harness.counters import holds
from verification.harness.lockstep import HOUSEHOLDS, START, STRANGER, TARIFF, Lens
from wattproof.market.deployment import open_market

FUNDS = 10**6
"""Base units that everybody has in the market at first."""

SHARES = 10**6
"""Shares that `ShareToken` has a rate for: at this rate a share is a base unit."""

WHOLE = 10_000
"""Of which a charge is so many."""

PEOPLE = (*HOUSEHOLDS, "supplier", STRANGER)

_opened: list[tuple[Any, Run, Any]] = []


@pytest.fixture(autouse=True)
def _market(_property_engine: None) -> None:
    """Opens the market outside every example: what happens inside one is undone after it."""
    market()


def market() -> tuple[Run, Any]:
    """A market on a share token in which everybody has `FUNDS` free, and the token."""
    for env, *known in _opened:
        if env is boa.env:
            return tuple(known)  # type: ignore[return-value]
    lockstep = presets.prepared("fresh")
    base = Run.of("Shares", lockstep)
    token = deployer("ShareToken").deploy()
    where = str(token.address)
    deployed = open_market(where, base.names["supplier"], TARIFF, base.names["owner"])
    run = Run("Shares", base.env, deployed, where, TARIFF, base.names, base.interface, Lens(deployed.lens))
    for person in PEOPLE:
        token.mint(run.names[person], FUNDS)
        run.call("deposit", FUNDS, sender=person)
    _opened.append((boa.env, run, token))
    return run, token


def balances(run: Run) -> dict[str, int]:
    """What is free on everybody's account, in base units."""
    return {who: account.balance for who, account in run.observe().accounts.items()}


class Teller:
    """Lets people withdraw, and looks at what the token then says of the market and of who was paid."""

    def __init__(self, run: Run, token: Any) -> None:
        self.run, self.token = run, token
        self.free = balances(run)
        self.paid = 0

    @property
    def held(self) -> int:
        """What the market holds, in base units."""
        return self.token.balanceOf(self.run.target)

    def pay(self, name: str, amount: int, least: int) -> bool:
        """Has somebody withdraw; whether that was accepted. Nobody else's money may have moved by it."""
        who = self.run.names[name]
        held, owned = self.held, self.token.balanceOf(who)
        done = self.run.call("withdraw_at_least", amount, least, sender=name)
        gave, received = held - self.held, self.token.balanceOf(who) - owned
        told = dict(who=name, amount=amount, least=least, gave=gave, received=received, reason=done.reason)
        covered = least <= gave <= amount and least <= received <= amount
        holds("C5-TOKEN-12", covered, when=done.accepted, **told)
        self.free[who] -= amount if done.accepted else 0
        self.paid += received
        books = balances(self.run)
        holds("C5-TOKEN-3", books == self.free, wanted=self.free, books=books, **told)
        return done.accepted


@contextlib.contextmanager
def drifted(rate: int, charge: int, on_top: int = 0, upwards: bool = False) -> Iterator[Teller]:
    """A history in which the token has become that: the teller of the market as it then is. Undone at its end."""
    run, token = market()
    counters.tallies["histories"] += 1
    with run.branch() as copy:
        copy.env.timestamp = START
        token.become(rate, charge, on_top, upwards)
        yield Teller(copy, token)


rates = st.sampled_from([SHARES, SHARES + 1, SHARES * 3 // 2, 1_234_567, 7 * SHARES + 3]) | st.integers(
    SHARES, 9 * SHARES
)
charges = st.sampled_from([0, 0, 1, 10, 25, 1_000, WHOLE - 1])
orders = st.permutations(PEOPLE)


def arriving(amount: int, rate: int, charge: int) -> int:
    """The least that can arrive of `amount` base units where shares are rounded down and a charge is taken of them."""
    moved = amount * SHARES // rate
    return max((moved - moved * charge // WHOLE) * rate // SHARES, 0)


@given(rate=rates, charge=charges, order=orders, part=st.integers(1, 4))
@example(rate=SHARES, charge=25, order=list(PEOPLE), part=1)
@example(rate=1_234_567, charge=0, order=list(PEOPLE), part=1)
def test_nobody_is_locked_in(rate: int, charge: int, order: list[str], part: int) -> None:
    """T-MON-25, T-MON-26: all that is free leaves, less the charge and a rounding; nobody waits for anybody else."""
    with drifted(rate, charge) as teller:
        grown = teller.held
        for name in order:
            for amount in (FUNDS // part, FUNDS - FUNDS // part):
                accepted = teller.pay(name, amount, arriving(amount, rate, charge))
                holds("C5-TOKEN-13", accepted, who=name, amount=amount, rate=rate, charge=charge)
        left, grown = teller.held, grown - len(PEOPLE) * FUNDS
        rounded = 2 * len(PEOPLE) * (rate // SHARES + 2)
        holds("C5-TOKEN-13", grown <= left <= grown + rounded, left=left, grown=grown, rounded=rounded)


@given(rate=st.integers(1, SHARES - 1), order=orders, charge=charges)
@example(rate=SHARES // 2, order=list(PEOPLE), charge=0)
def test_what_shrank_is_paid_out_to_who_comes_first(rate: int, order: list[str], charge: int) -> None:
    """Annex D, D17: each is paid in full as long as the market holds that much, and the next what is left."""
    with drifted(rate, charge) as teller:
        for name in order:
            amount = min(FUNDS, teller.held)
            accepted = teller.pay(name, amount, arriving(amount, rate, charge))
            holds("C5-TOKEN-14", accepted, who=name, amount=amount, rate=rate, charge=charge)
        holds("C5-TOKEN-14", teller.held <= 1, left=teller.held, rate=rate)


@given(
    rate=st.integers(1, 9 * SHARES),
    charge=charges,
    on_top=st.sampled_from([0, 1, 25, WHOLE]),
    order=orders,
    amounts=st.lists(st.integers(0, FUNDS), min_size=1, max_size=4),
    missing=st.sampled_from([0, 1, 2, 10, FUNDS]),
)
def test_others_are_paid_whatever_one_tries(
    rate: int, charge: int, on_top: int, order: list[str], amounts: list[int], missing: int
) -> None:
    """T-MON-25: rounded up, charged on top or not: what is accepted is never more than what was debited."""
    with drifted(rate, charge, on_top, upwards=True) as teller:
        surplus = teller.held - sum(teller.free.values())
        for name, amount in zip(order, amounts, strict=False):
            teller.pay(name, amount, max(amount - missing, 0))
        rest = teller.held - sum(teller.free.values())
        holds("C5-TOKEN-12", rest >= surplus, before=surplus, after=rest, rate=rate)
