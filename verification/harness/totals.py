"""The sum of what the processes of a run counted: one way to add, for pytest's own summary and for the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from wattproof.outputs import PART

COUNTED = ("checked", "vacuous", "violated", "calls", "phases", "tallies", "lengths", "spent")
"""What is counted, by name; see `counters`."""


def nearer(attack: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether an attack came nearer to its bound than another one: by the share of it, then by the loss.

    Of two that are alike the one with the shorter story counts, so that it does not matter which was found first.
    """
    share, before = attack["lost"] * other["bound"], other["lost"] * attack["bound"]
    if share != before:
        return share > before
    return _order(attack) < _order(other)


def _order(attack: Mapping[str, Any]) -> tuple[Any, ...]:
    return -attack["lost"], len(attack["story"]), attack["victim"], attack["story"]


def keep(worst: dict[str, dict[str, Any]], found: Mapping[str, dict[str, Any]]) -> None:
    """Puts every attack into `worst` that came nearer to the bound of its invariant than the one there."""
    for invariant, attack in found.items():
        if invariant not in worst or nearer(attack, worst[invariant]):
            worst[invariant] = attack


def add(total: dict[str, Any], part: Mapping[str, Any]) -> None:
    """Adds numbers to numbers, dictionary by dictionary."""
    for name, value in part.items():
        if isinstance(value, Mapping):
            add(total.setdefault(name, {}), value)
        else:
            total[name] = total.get(name, 0) + value


def merged(snapshots: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The sum of the snapshots: what was counted in every test and, once, in every preset; all keys in order.

    Beside the sums the tests, presets and failures, and the worst attack on each invariant.
    """
    tests: dict[str, Any] = {}
    presets: dict[str, Any] = {}
    failures: list[Any] = []
    worst: dict[str, dict[str, Any]] = {}
    for part in snapshots:
        for name, test in part["tests"].items():
            known = tests.get(name, {"outcome": "unfinished"})
            # To a process that crashed its last test is unfinished; another one knows how it ended.
            tests[name] = known | test if known["outcome"] == "unfinished" else test | known
        presets |= part["presets"]
        failures += part["failures"]
        keep(worst, part.get("attacks", {}))
    total: dict[str, Any] = {name: {} for name in COUNTED}
    for part in (*tests.values(), *presets.values()):
        add(total, {name: part[name] for name in COUNTED if name in part})
    order = sorted(failures, key=lambda failure: (failure["test"], failure["when"]))
    return _sorted(total | {"tests": tests, "presets": presets, "failures": order, "attacks": worst})


def accepted_and_refused(calls: Iterable[Mapping[str, int]]) -> tuple[int, int]:
    """How many calls were accepted and how many refused, by the outcomes of each entry point."""
    total: Counter[str] = sum(map(Counter, calls), Counter())
    return total["accepted"], total.total() - total["accepted"]


COUNTS = rf"collected|[0-9]+\.(json|moves)|{PART}"
"""The files in the folder of a run's counts and journals, also of one that was killed: a regular expression."""


def read(folder: Path) -> list[dict[str, Any]]:
    """The snapshots that the processes of a run left in a folder."""
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def _sorted(value: Any) -> Any:
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value
