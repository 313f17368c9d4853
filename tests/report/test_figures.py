"""What a failed check says by itself: which figure is wrong, and by how much."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from verification.harness import counters
from verification.harness.counters import Violated, holds
from verification.harness.figures import MOST

pytestmark = pytest.mark.usefixtures("uncounted")

ID = "C3-FEE-4"


class Part(NamedTuple):
    fee: int
    payment: int
    final: bool = False


PART, OTHER, DUE, MOST_ALLOWED = Part(fee=5, payment=80), Part(fee=6, payment=81), 4, 3
ORDER = ["sunny", "misty"]
TOTAL, EMPTY, TOLD = {"delivered": 20, "fee": 20}, dict[str, int](), [-206862]
MADE: list[int] = []


def made() -> int:
    MADE.append(1)
    return 1


CHECKS: dict[str, Any] = {
    "fee 5, DUE 4 (off by 1)": lambda: holds(ID, PART.fee == DUE, part=PART, due=DUE),
    "fee 5, due 6 (off by 1)": lambda: holds(ID, PART.fee == 6),
    "fee 5, at most 3 (MOST_ALLOWED) (off by 2)": lambda: holds(ID, PART.fee <= MOST_ALLOWED),
    "payment 80, at least 81 (off by 1)": lambda: holds(ID, PART.fee == 5 and PART.payment >= 81),
    "PART: fee 5, due 6 (off by 1), payment 80, due 81 (off by 1)": lambda: holds(ID, PART == OTHER),
    "len(ORDER) 2, due 3 (off by 1)": lambda: holds(ID, len(ORDER) == 3),
    "ORDER: entry 1 'misty', due 'sunny'": lambda: holds(ID, ORDER == ["sunny", "sunny"]),
    "ORDER ['sunny', 'misty'], fee 1": lambda: holds(ID, not ORDER, fee=1),
    "fee 20, DUE 4 (off by 16)": lambda: holds(ID, TOTAL.get("fee") == DUE, total=TOTAL, due=DUE),
    "fee None, DUE 4": lambda: holds(ID, EMPTY.get("fee") == DUE, due=DUE),
    "TOLD -206862, DUE 4 (off by 206866)": lambda: holds(ID, TOLD == [DUE], told=TOLD, due=DUE),
    "TOLD [], DUE [4]": lambda: holds(ID, TOLD[1:] == [DUE], due=DUE),
    "not final, fee 7": lambda: holds(ID, PART.final, fee=7),
    "lost 9": lambda: holds(ID, made() == 2, lost=9),
    "balance contract 5, model 4": lambda: holds(ID, not {"balance": "contract 5, model 4"}),
}


@pytest.mark.parametrize("said", CHECKS)
def test_a_failed_check_says_by_how_much(said: str) -> None:
    with pytest.raises(Violated) as failed:
        CHECKS[said]()
    assert failed.value.figures == said


def test_a_check_over_several_lines_is_read() -> None:
    with pytest.raises(Violated) as failed:
        holds(
            ID,
            PART.fee
            == DUE,
            part=PART,
        )  # fmt: skip
    assert failed.value.figures == "fee 5, DUE 4 (off by 1)"


def test_calls_of_a_check_are_not_made_twice() -> None:
    MADE.clear()
    with pytest.raises(Violated):
        holds(ID, made() == 2)
    assert MADE == [1]


def test_figures_are_one_short_line_with_people_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    who = "0x" + "a1" * 20
    monkeypatch.setattr(counters, "harness", SimpleNamespace(names={who: "sunny"}))
    with pytest.raises(Violated) as failed:
        holds(ID, False, who=who, lines="one\ntwo\n", much=list(range(1_000)), more=["x" * 90] * 9)
    said = failed.value.figures
    assert said.startswith("who sunny, ")
    assert "\n" not in said and len(said) <= MOST


def test_nobody_is_half_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long record is cut when its people have their names."""
    who = "0x" + "a1" * 20
    monkeypatch.setattr(counters, "harness", SimpleNamespace(names={who: "sunny"}))
    offer = SimpleNamespace(deals=[Part(1, 2)] * 9, prosumer=who)
    record = SimpleNamespace(prosumer=who, deals=[Part(1, 2)] * 9)
    with pytest.raises(Violated) as failed:
        holds(ID, False, offer=offer, record=record)
    assert "record namespace(prosumer=sunny, deals=[Part(fee=1" in failed.value.figures
    assert "0x" not in failed.value.figures
