"""`wattproof diff-report A B`: what is different between two reports, and whether the second one is worse."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from verification.report import schema
from verification.report.document import at
from verification.report.entries import FALSIFIED, HELD, LEFT_OUT
from verification.texts import plain
from wattproof.market.bytecode import NoReport, load

OUTCOMES = ("held", "incomplete", "falsified")
"""What a verdict may be, from the best."""

FACTS = (
    ("revision", "/verified/revision/commit"),
    ("clean tree", "/verified/revision/clean"),
    ("creation code", "/verified/market/creation/keccak256"),
    ("runtime code", "/verified/market/runtime/keccak256"),
    ("runtime bytes", "/verified/market/runtime/bytes"),
    ("compiler", "/verified/compiler"),
    ("engine", "/verified/engine"),
    ("profile", "/effort/profile"),
    ("seed", "/effort/seed"),
    ("verdict", "/verdict/outcome"),
    ("histories", "/effort/histories"),
    ("steps", "/effort/steps"),
    ("calls accepted", "/effort/accepted"),
    ("calls refused", "/effort/refused"),
    ("checks", "/effort/checks"),
    ("mutants killed", "/mutants/killed"),
    ("mutants", "/mutants/of"),
)
"""What is compared besides the invariants, in this order."""


def read(place: Path) -> dict[str, Any]:
    """The document of a report, whole. Raises NoReport."""
    told = plain(load(place))
    if wrong := schema.problem(told):
        raise NoReport(f"{place} is no whole report ({wrong}): make it anew with `wattproof verify`")
    return told


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What is different: `facts`, `status`, `appeared`, `vanished`, `changed`, `less`, `parts`, `gas`, and `worse`.

    `left_out` are the invariants that one of the two says nothing of, as it is a report on a part; `worse` those that
    held in the first report and do not hold, or are gone, in the second, and those that are falsified in the second
    alone, of which nothing was known before; `verdict` says whether that of the second is worse, for whatever reason.
    """
    facts = [(label, at(one, pointer), at(other, pointer)) for label, pointer in FACTS]
    before, after = ({row["id"]: row for row in told["invariants"]} for told in (one, other))
    both = [name for name in before if name in after]
    status = [(name, before[name]["status"], after[name]["status"]) for name in both]
    vanished = [name for name in before if name not in after]
    said = ("statement", "predicate", "clauses", "tolerance")
    gas = {row["function"]: row for row in one["gas"]}
    was, now = (OUTCOMES.index(told["verdict"]["outcome"]) for told in (one, other))
    return {
        "facts": [fact for fact in facts if fact[1] != fact[2]],
        "status": [
            change
            for change in status
            if change[1] != change[2] and (LEFT_OUT not in change[1:] or change[2] == FALSIFIED)
        ],
        "appeared": [name for name in after if name not in before],
        "vanished": vanished,
        "changed": [name for name in both if any(before[name][key] != after[name][key] for key in said)],
        "less": [
            (name, before[name]["checked"], after[name]["checked"])
            for name in both
            if 2 * after[name]["checked"] < before[name]["checked"] and after[name]["status"] != LEFT_OUT
        ],
        "parts": [
            (name, one["parts"][name]["state"], part["state"])
            for name, part in other["parts"].items()
            if name in one["parts"] and one["parts"][name]["state"] != part["state"]
        ],
        "gas": [
            (row["function"], gas[row["function"]]["median"], row["median"])
            for row in other["gas"]
            if row["function"] in gas and gas[row["function"]]["median"] != row["median"]
        ],
        "verdict": now > was,
        "left_out": [name for name, was, now in status if LEFT_OUT in (was, now) and was != now and now != FALSIFIED],
        "worse": [name for name, was, now in status if was == HELD and now not in (HELD, LEFT_OUT)]
        + [name for name, was, now in status if now == FALSIFIED and was not in (HELD, FALSIFIED)]
        + [name for name in vanished if before[name]["status"] == "held"],
    }


def diff(first: Path, second: Path, console: Console) -> int:
    """Prints the differences. Returns 0, 1 where an invariant no longer holds, 2 where there are no two reports."""
    try:
        found = differences(read(first), read(second))
    except NoReport as problem:
        print(problem, file=sys.stderr)
        return 2
    _print(console, found)
    return 1 if found["worse"] or found["verdict"] else 0


def _print(console: Console, found: dict[str, Any]) -> None:
    def line(said: str, style: str = "") -> None:
        console.print(Text(said, style=style), soft_wrap=True)

    if not any(found.values()):
        line("The reports say the same, up to times.")
        return
    for label, was, now in found["facts"]:
        line(f"{label}: {_shown(was)} -> {_shown(now)}")
    for heading, key in (
        ("status", "status"),
        ("checked less than half as often", "less"),
        ("gas", "gas"),
        ("part", "parts"),
    ):
        for name, was, now in found[key]:
            line(f"{heading}: {name}: {was} -> {now}", "red" if name in found["worse"] and key == "status" else "")
    for heading, key in (("new", "appeared"), ("gone", "vanished"), ("says something else", "changed")):
        for name in found[key]:
            line(f"{heading}: {name}", "red" if name in found["worse"] and key == "vanished" else "")
    if found["left_out"]:
        line(f"left out: {_invariants(len(found['left_out']))} in one of the two, of which it says nothing")
    if found["worse"]:
        line(f"worse: {_stopped(found)}", "bold red")
    elif found["verdict"]:
        line("worse: the verdict of the second report, for a reason that is no invariant", "bold red")
    else:
        line("No invariant that held has stopped holding, and none is newly falsified.", "green")


def _stopped(found: dict[str, Any]) -> str:
    """How many invariants are worse, those that held before apart from those of which nothing was known."""
    unknown = sum(name in found["worse"] and was != HELD for name, was, _ in found["status"])
    held = len(found["worse"]) - unknown
    said = [
        f"{_invariants(held)} that held {'does' if held == 1 else 'do'} not hold any more" if held else "",
        f"{_invariants(unknown)} newly falsified, of which nothing was known" if unknown else "",
    ]
    return ", and ".join(filter(None, said))


def _invariants(number: int) -> str:
    return "1 invariant" if number == 1 else f"{number} invariants"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return "none" if value is None else str(value)
