"""The search for profit finds what it is there for: the attacks that the old rules allowed, without a hint.

Each old rule is put back by its patch in `tests/properties/faults`, and the search of `tests/properties/test_profit.py`
runs against it, in a process of its own. The numbers are those of
`tests/properties/regressions/test_attacks.py`.
"""

from __future__ import annotations

import subprocess
import sys

from verification.invariants import ROOT

RULES = {
    "anybodys-reading": "1: a stranger's reading empties the supplier's balance",
    "rank-by-amount": "2: a large cheap bid displaces small dear ones",
    "late-sale": "4: who sees a shortage buys what is left, and shares with the winners",
    "tiny-purchases": "9: purchases of 1 Wh use up the trades of a quote",
}
"""The old rules, with the attack of each."""


def test_every_old_rule_is_found_to_pay() -> None:
    """The search ends with 0 only where, for each rule, the invariant that its patch names was violated."""
    search = [sys.executable, "-m", "verification.campaigns.seeded_bugs", *(f"old-rule-{rule}" for rule in RULES)]
    ran = subprocess.run(search, cwd=ROOT, capture_output=True, text=True)

    missed = [attack for rule, attack in RULES.items() if f"old-rule-{rule} " not in ran.stdout]
    assert ran.returncode == 0 and not missed, f"{missed}\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}"
    assert f"{len(RULES)} of {len(RULES)} caught" in ran.stdout
