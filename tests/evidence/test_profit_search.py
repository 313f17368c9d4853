"""The search for profit finds what it is there for: the attacks that the old rules allowed, without a hint.

Each old rule is put back by its patch in `tests/properties/faults`, and the search of `tests/properties/test_profit.py`
runs against it, in a process of its own. The numbers are those of
`tests/properties/regressions/test_attacks.py`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("anybodys-reading", id="1: a stranger's reading empties the supplier's balance"),
        pytest.param("late-sale", id="4: who sees a shortage buys what is left, and shares with the winners"),
        pytest.param("rank-by-amount", id="2: a large cheap bid displaces small dear ones"),
        pytest.param("tiny-purchases", id="9: purchases of 1 Wh use up the trades of a quote"),
    ],
)
def test_an_old_rule_is_found_to_pay(rule: str) -> None:
    """It ends with 0 only where the invariant that the patch names was violated."""
    search = [sys.executable, "-m", "tests.properties.faults", f"old-rule-{rule}"]
    ran = subprocess.run(search, cwd=ROOT, capture_output=True, text=True)

    assert ran.returncode == 0, f"{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
