"""Plans of calls (`wattproof.simulation.planning`): who is topped up, and when."""

from __future__ import annotations

from typing import Any, cast

import pytest

from wattproof.market.deployment import Tariff
from wattproof.simulation import planning
from wattproof.simulation.accounting import Books
from wattproof.simulation.planning import Plan
from wattproof.simulation.venue import Call


class Noted:
    """A venue that notes what it is asked for, and whose market says nothing."""

    address = "market"

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.funded: list[tuple[str, int]] = []

    def fund(self, party: str, amount: int) -> None:
        self.funded.append((party, amount))

    def play(self, calls: list[Call]) -> Any:
        self.calls += [(call.sender, call.function) for call in calls]
        return iter([[] for _ in calls])


@pytest.fixture
def venue() -> Noted:
    return Noted()


@pytest.fixture
def plan(venue: Noted, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A plan for ann and bob, who have 100 base units each; a first deposit is 7."""
    monkeypatch.setattr(planning, "FLOAT", 7)
    books = Books(Tariff(), "owner", "supplier", {"ann": "ann", "bob": "bob"})
    for party in ("ann", "bob"):
        books.balances[party].free = 100
    return Plan(cast(Any, venue), books)


def test_what_earlier_calls_take_is_counted_before_they_are_made(plan: Plan, venue: Noted) -> None:
    plan.call("ann", "reveal_bid", takes=60)
    plan.call("bob", "reveal_bid", takes=60)
    plan.call("ann", "reveal_bid", takes=60)
    # Of 100 ann has 40 left, which is 20 too few: 7 and 50 times that.
    assert venue.funded == [("ann", 7 + 50 * 20)]
    assert venue.calls == []
    plan.play()
    topped_up = [("ann", "mint"), ("ann", "approve"), ("ann", "deposit")]
    assert venue.calls == [("ann", "reveal_bid"), ("bob", "reveal_bid"), *topped_up, ("ann", "reveal_bid")]


def test_what_is_paid_in_is_counted_too(plan: Plan, venue: Noted) -> None:
    plan.endow("ann")
    plan.call("ann", "submit_quote", takes=107)
    assert venue.funded == [("ann", 7)]
    plan.afford("ann", 1)
    assert venue.funded == [("ann", 7), ("ann", 57)]


def test_a_plan_is_made_once_and_then_the_books_count(plan: Plan, venue: Noted) -> None:
    plan.call("ann", "reveal_bid", takes=60)
    plan.play()
    plan.play()
    assert venue.calls == [("ann", "reveal_bid")]
    # The market said of no event that anything was taken.
    plan.call("ann", "reveal_bid", takes=100)
    assert venue.funded == []
