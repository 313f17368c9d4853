"""Criterion 4: who acts against the others gains, and they lose, at most what docs/threats.md says.

Each history is played twice: with a coalition that does what it likes beside honest households, and without it.
Hypothesis is told how near every loss came to its bound, and looks for more of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from tests.properties.profit import bounds
from tests.properties.profit.arena import ANNA, BEN, OWNER, REVOKED, STRANGER, SUPPLIER, TARIFFS, Facts, arena
from tests.properties.profit.moves import Coalition, all_facts, coalitions
from verification.harness import counters
from verification.harness.context import target
from verification.harness.counters import holds


def prepare() -> None:
    """Makes the markets before the first example: what happens inside one is undone after it."""
    for tariff in TARIFFS:
        arena(tariff)


@pytest.fixture(autouse=True)
def _arenas(_property_engine: None) -> None:
    prepare()


def attack(facts: Facts, coalition: Coalition) -> None:
    """Plays a history with and without a coalition, and holds every line against its bound."""
    market = arena(facts.tariff)
    without = market.baseline(facts)
    result = market.play(facts, coalition.act, coalition.silent)
    story = [coalition.told, *result.story]
    found = list(bounds.lines(facts, coalition, without, result))
    nearest: dict[str, int] = {}
    for line in found:
        nearest[line.invariant] = max(line.loss - line.bound, nearest.get(line.invariant, line.loss - line.bound))
    for invariant, distance in nearest.items():
        target(distance, invariant)
    for line in found:
        counters.attacked(line.invariant, line.victim, line.loss, line.bound, story)
        try:
            holds(line.invariant, line.loss <= line.bound, victim=line.victim, lost=line.loss, bound=line.bound)
        except AssertionError as failure:
            failure.story = story  # type: ignore[attr-defined]
            raise


@given(facts=all_facts(), coalition=coalitions((STRANGER, REVOKED, SUPPLIER), stolen=()))
def test_strangers(facts: Facts, coalition: Coalition) -> None:
    """Who was never let in, or no longer is, and the supplier: whatever they do, nobody else is worse or better off."""
    attack(facts, coalition)


@given(facts=all_facts(), coalition=coalitions((ANNA, BEN, SUPPLIER, STRANGER), keys=False))
def test_households(facts: Facts, coalition: Coalition) -> None:
    """Households with honest meters, and the supplier's shill."""
    attack(facts, coalition)


@given(facts=all_facts(), coalition=coalitions((ANNA, BEN, REVOKED, STRANGER)))
def test_keys(facts: Facts, coalition: Coalition) -> None:
    """Households that hold their meters' keys, or those of others."""
    attack(facts, coalition)


@given(facts=all_facts(), coalition=coalitions((OWNER, ANNA, STRANGER, SUPPLIER)))
def test_the_owner(facts: Facts, coalition: Coalition) -> None:
    """The owner with a household, a stranger that it may let in, or the supplier."""
    attack(facts, coalition)


SEARCHES: tuple[Callable[..., Any], ...] = (test_strangers, test_households, test_keys, test_the_owner)
