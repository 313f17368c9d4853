"""What was measured at other times: mutation, edges, compilers, symbolic, nodes, faults and gas.

Each leaves a file that names the bytecode it was measured on. A figure of another bytecode says nothing about this one:
it is reported as stale and shown nowhere else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verification.gas.figures import TRANSACTION_CAP
from verification.gas.lower_bound import BOOKS
from verification.measurements import FOLDER
from verification.report import schema
from verification.texts import plain
from wattproof import documents

EVIDENCE = ("mutation", "edges", "compilers", "symbolic", "nodes")

PARTS: dict[str, tuple[Path, str]] = {
    **{name: (FOLDER / f"{name}.json", "make evidence") for name in EVIDENCE},
    "faults": (FOLDER / "faults.json", "make faults"),
    "gas": (Path("out/gas.json"), "make gas"),
}
"""The file of each part, and what makes it."""


@dataclass(frozen=True)
class Part:
    """A part. `state`: present, missing, stale (of another bytecode) or unreadable; `note` says it in words."""

    name: str
    state: str
    note: str
    file: str
    command: str
    content: dict[str, Any]


def gather(tree: Path, runtime: str, own: Path | None = None) -> dict[str, Part]:
    """Every part, with its content where it was measured on the runtime bytecode of that hash.

    `own` is a folder in which the run itself measured some, as `NAME.json`: those stand in for what is not present.
    """
    found = {name: _part(tree, name, *place, runtime) for name, place in PARTS.items()}
    for name, part in found.items():
        if own is not None and part.state != "present" and (own / f"{name}.json").is_file():
            mine = _part(own, name, Path(f"{name}.json"), part.command, runtime)
            if mine.state == "present" and mine.content["figures"].get("tried") != 0:  # Its time may have been up.
                found[name] = replace(mine, note=f"measured by this run{_sampled(mine)}")
    return found


def _sampled(part: Part) -> str:
    """What a run that measures by itself leaves out of a part."""
    if part.name != "mutation":
        return ""
    tried, check = part.content["figures"].get("tried", 0), "short histories of one state machine"
    return f", on a sample: {tried} mutants, each tried with {check}; `{part.command}` tries all with all tests"


def _part(tree: Path, name: str, file: Path, command: str, runtime: str) -> Part:
    def told(state: str, note: str, content: Any = None) -> Part:
        return Part(name, state, note, str(file), command, content or {})

    try:
        content = plain(documents.parsed((tree / file).read_text(encoding="utf-8"), parse_constant=_no_number))
        measured = measured_on(content)
    except FileNotFoundError:
        return told("missing", f"not measured: {file} is not there; `{command}` makes it")
    except (OSError, ValueError) as problem:
        return told("unreadable", f"{file} cannot be read as JSON ({problem}); `{command}` makes it anew")
    if measured is None:
        note = f"{file} does not say on which bytecode it was measured; `{command}` makes it anew"
        return told("unreadable", note)
    if measured != runtime:
        note = f"measured on another bytecode ({measured[:12]}…), which says nothing of this one; `{command}` anew"
        return told("stale", note)
    part = told("present", "measured on this very bytecode", content)
    if wrong := _malformed(part):
        return told("unreadable", f"{file} is not laid out as `{command}` does it now ({wrong}); make it anew")
    return part


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _malformed(part: Part) -> str | None:
    """What of a part the report could not show, in a line: whatever it shows is made here once, to see."""
    try:
        shown = [
            (shown_of(part), "parts", part.name),
            ({part.name: seconds(part)}, "times", "parts"),
            (tally(part), "mutants"),
            (gas(part), "gas"),
            (most_gas(part), "most_gas"),
        ]
        _ = killed(part), caught(part)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as problem:
        return f"{type(problem).__name__}: {problem}"
    return next(filter(None, (schema.problem(value, *path) for value, *path in shown)), None)


def measured_on(content: Any) -> str | None:
    """The hash of the market's runtime code on which a part was measured, in plain hex; None where it does not say."""
    code = content.get("bytecode") if isinstance(content, dict) else None
    hashed = code.get("runtime") if isinstance(code, dict) else None
    return hashed.removeprefix("0x").lower() if isinstance(hashed, str) else None


# ---- what the report shows of them ------------------------------------------------------------


def shown_of(part: Part) -> dict[str, Any]:
    """A part as the document has it."""
    return {
        "state": part.state,
        "note": part.note,
        "file": part.file,
        "command": part.command,
        "versions": part.content.get("versions", {}),
        "seed": part.content.get("seed"),
        "figures": figures(part),
        "sample": part.note.startswith("measured by this run, on a sample"),
    }


def figures(part: Part) -> dict[str, Any]:
    """The plain figures of a part: numbers, texts and small tables. Those of gas are none; `gas` lists them."""
    return {} if part.name == "gas" else part.content.get("figures", {})


def seconds(part: Part) -> float | None:
    """How long it took to measure a part, None where that is not known."""
    return part.content.get("seconds")


def mutants(part: Part) -> list[dict[str, Any]]:
    """Every mutant that was run: `name`, `module`, `result`, `by`; empty where there is no part of mutants.

    `by` are the invariants, or the tests, that killed it. The run of a mutant ends with its first kill.
    """
    return [
        {
            "name": _text(mutant["mutant"]),
            "module": _text(mutant["module"]),
            "result": mutant["result"],
            "by": [_text(name) for name in killers(mutant)] if mutant["result"] == "killed" else [],
        }
        for mutant in _details(part).get("mutants", [])
        if mutant["result"] in ("killed", "survived", "undecided")
    ]


def _details(part: Part) -> dict[str, Any]:
    """What a part of mutants says beside its figures."""
    return part.content.get("details", {}) if part.name == "mutation" else {}


def killers(mutant: dict[str, Any]) -> list[str]:
    """What killed a mutant: the invariant that it violated, else those that its test is marked with, else the check."""
    return [mutant["by"]] if mutant.get("by") else mutant.get("marked") or [mutant["check"]]


def killed(part: Part) -> dict[str, dict[str, int]] | None:
    """How many mutants each invariant killed, and how many of them only it is known to kill; None: not measured."""
    if part.state != "present":
        return None
    found: dict[str, dict[str, int]] = {}
    for mutant in mutants(part):
        for name in mutant["by"]:
            tally = found.setdefault(name, {"killed": 0, "alone": 0})
            tally["killed"] += 1
            tally["alone"] += len(mutant["by"]) == 1
    return found


def caught(part: Part) -> dict[str, list[str]] | None:
    """The seeded bugs that each invariant caught, by its ID; None: not measured."""
    if part.state != "present":
        return None
    found: defaultdict[str, list[str]] = defaultdict(list)
    # Only the part of the seeded bugs has a list there.
    for bug in part.content.get("details", []) if part.name == "faults" else []:
        if bug.get("caught"):
            found[_text(bug["invariant"])].append(_text(bug["fault"]))
    return dict(found)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} stands where a text belongs")
    return value


def tally(part: Part) -> dict[str, Any]:
    """The mutants of a part by module, by what killed them, and in all, without those that are explained."""
    unkilled = explained(part)
    by_module: defaultdict[str, Counter[str]] = defaultdict(Counter)
    matrix: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for mutant in mutants(part):
        result = "explained" if mutant["name"] in unkilled and mutant["result"] == "survived" else mutant["result"]
        by_module[mutant["module"]][result] += 1
        for name in mutant["by"]:
            matrix[name][mutant["module"]] += 1
    return {
        "killed": sum(mutant["result"] == "killed" for mutant in mutants(part)),
        "of": sum(mutant["result"] == "killed" or mutant["name"] not in unkilled for mutant in mutants(part)),
        "by_module": {name: dict(sorted(results.items())) for name, results in sorted(by_module.items())},
        "matrix": {name: dict(sorted(modules.items())) for name, modules in sorted(matrix.items())},
    }


def explained(part: Part) -> set[str]:
    """The names of the mutants that are explained as equivalent."""
    return set(_details(part).get("explained", {}))


def gas(part: Part) -> list[dict[str, Any]]:
    """Gas per step: `function`, `median`, `worst`, in gas; empty where there is no part of gas.

    Of several sizes of a book or batch the largest. Deployments and whole books, which would dwarf all others, are left
    to docs/gas.md.
    """
    return [
        {"function": name, "median": row["median"], "worst": row["worst"]}
        for name, row in _largest(part)
        if not row["step"].startswith("deploy") and row["step"] not in BOOKS
    ]


def most_gas(part: Part) -> list[dict[str, Any]]:
    """What the largest books cost at most, and what a transaction may use: `step`, `worst`, `limit`, in gas."""
    return [
        {"step": name, "worst": row["worst"], "limit": TRANSACTION_CAP}
        for name, row in _largest(part)
        if row["step"] in BOOKS
    ]


def _largest(part: Part) -> list[tuple[str, dict[str, Any]]]:
    """The figures of gas by name, of each step that of its largest book or batch."""
    steps: dict[str, Any] = part.content.get("figures", {}) if part.name == "gas" else {}
    largest: dict[str, str] = {}
    for name, row in steps.items():
        step = row["step"]
        largest[step] = max(largest.get(step, name), name, key=lambda one: steps[one]["n"] or 0)
    return [(name, steps[name]) for name in largest.values()]
