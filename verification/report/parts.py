"""What was measured at other times: mutation, edges, compilers, symbolic, nodes, faults and gas.

Each leaves a file that names the bytecode it was measured on. A figure of another bytecode says nothing about this one:
it is reported as stale and shown nowhere else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verification.gas.lower_bound import BOOKS
from verification.measurements import FOLDER

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


def gather(tree: Path, runtime: str) -> dict[str, Part]:
    """Every part, with its content where it was measured on the runtime bytecode of that hash."""
    return {name: _part(tree, name, *place, runtime) for name, place in PARTS.items()}


def _part(tree: Path, name: str, file: Path, command: str, runtime: str) -> Part:
    content: Any = {}
    try:
        content = json.loads((tree / file).read_text())
        measured = measured_on(content)
    except FileNotFoundError:
        state, note = "missing", f"not measured: {file} is not there; `{command}` makes it"
    except ValueError as problem:
        state, note = "unreadable", f"{file} is not JSON ({problem}); `{command}` makes it anew"
    else:
        if measured is None:
            state = "unreadable"
            note = f"{file} does not say on which bytecode it was measured; `{command}` makes it anew"
        elif measured != runtime:
            state = "stale"
            note = f"measured on another bytecode ({measured[:12]}…), which says nothing of this one; `{command}` anew"
        else:
            state, note = "present", "measured on this very bytecode"
    return Part(name, state, note, str(file), command, content if state == "present" else {})


def measured_on(content: Any) -> str | None:
    """The hash of the market's runtime code on which a part was measured, in plain hex; None where it does not say."""
    code = content.get("bytecode") if isinstance(content, dict) else None
    hashed = code.get("runtime") if isinstance(code, dict) else None
    return hashed.removeprefix("0x").lower() if isinstance(hashed, str) else None


# ---- what the report shows of them ------------------------------------------------------------


def figures(part: Part) -> dict[str, Any]:
    """The plain figures of a part: numbers, texts and small tables. Those of gas are none; `gas` lists them."""
    return {} if part.name == "gas" else part.content.get("figures", {})


def mutants(part: Part) -> list[dict[str, Any]]:
    """Every mutant that was run: `name`, `module`, `result`, `by`; empty where there is no part.

    `by` are the invariants, or the tests, that killed it. The run of a mutant ends with its first kill.
    """
    return [
        {
            "name": mutant["mutant"],
            "module": mutant["module"],
            "result": mutant["result"],
            "by": killers(mutant) if mutant["result"] == "killed" else [],
        }
        for mutant in part.content.get("details", {}).get("mutants", [])
        if mutant["result"] in ("killed", "survived", "undecided")
    ]


def killers(mutant: dict[str, Any]) -> list[str]:
    """What killed a mutant: the invariant that it violated, else those that its test is marked with, else the check."""
    return [mutant["by"]] if mutant.get("by") else mutant.get("marked") or [mutant["check"]]


def explained(part: Part) -> set[str]:
    """The names of the mutants that are explained as equivalent."""
    return set(part.content.get("details", {}).get("explained", {}))


def gas(part: Part) -> list[dict[str, Any]]:
    """Gas per step: `function`, `median`, `worst`, in gas; empty where there is no part.

    Of several sizes of a book or batch the largest. Deployments and whole books, which would dwarf all others, are left
    to docs/gas.md.
    """
    figures = part.content.get("figures", {})
    largest: dict[str, str] = {}
    for name, row in figures.items():
        step = row["step"]
        if not step.startswith("deploy") and step not in BOOKS:
            largest[step] = max(largest.get(step, name), name, key=lambda one: figures[one]["n"] or 0)
    return [
        {"function": name, "median": figures[name]["median"], "worst": figures[name]["worst"]}
        for name in largest.values()
    ]
