"""The figures of the README, which nobody edits by hand: gathered from what was measured, kept in `docs/figures.json`.

`make readme` gathers what lies in `out/` and writes the README's table anew; a test compares the table with the kept
figures and with the contracts. What was measured on another bytecode than theirs names it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from typing import Any

from verification.builds import SETTINGS, build
from verification.invariants import ROOT, invariants
from verification.report.parts import PARTS, measured_on
from wattproof import documents
from wattproof.cli.ending import guarded
from wattproof.outputs import write

FIGURES = ROOT / "docs" / "figures.json"
README = ROOT / "README.md"

_TABLE = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)

ROWS: dict[str, tuple[str, str]] = {
    "faults": ("`make faults`", "{caught} of {faults} seeded bugs caught by the invariant that they violate"),
    "mutation": (
        "`wattproof mutate`",
        "{mutants} mutants of {lines}: {killed} killed, {explained as equivalent} explained as equivalent, "
        "{survived unexplained} survived, {undecided}{do not compile} do not compile, "
        "the others have the same code as another{not whole}",
    ),
    "edges": (
        "`wattproof edges`",
        "{edges run} of {edges} edges of the market's own code in the bytecode run, "
        "{edges explained as unreachable} cannot be; {lines run} of {lines} lines; "
        "not held to it: {library edges run} of {edges of library code} edges of the library, "
        "{further edges of the lens run} of {further edges of the lens} of what the compiler checks in the lens",
    ),
    "compilers": (
        "`wattproof compilers`",
        "{histories} histories, {calls} calls: {differences} between the builds {built}{not built}",
    ),
    "nodes": ("`wattproof nodes`", "{histories} histories, {transactions} transactions: {differences} between nodes"),
    "symbolic": (
        "`wattproof prove`",
        "{proved} claims proved, {wrong variants refuted} wrong variants refuted; {bytecode}",
    ),
}
"""By part the command that measures it, and what the README says of its figures."""


def gathered(known: dict[str, Any]) -> dict[str, Any]:
    """The known figures, with what lies in `out/` in the place of older ones.

    Raises ValueError with what to do where something there cannot be used.
    """
    found = dict(known)
    for part, (_, said) in ROWS.items():
        file, command = PARTS[part]
        path = ROOT / file
        if path.is_file():
            try:
                told = documents.parsed(path.read_text(encoding="utf-8"))
                found[part] = {"bytecode": measured_on(told), "figures": told["figures"]}
                said.format_map(_told(part, told["figures"]))
            except (KeyError, TypeError, ValueError) as problem:
                why = f"{type(problem).__name__}: {problem}"
                raise ValueError(f"{file} is not what `{command}` writes ({why}): make it anew") from problem
    return found


def table(figures: dict[str, Any], current: str) -> str:
    """The README's table; `current` is the hash of the market's runtime code now, in plain hex."""
    lines = [f"| | on the bytecode of now, {current[:8]}, where no other is named |", "|---|---|"]
    lines.append(f"| `make test` | checks {len(invariants())} invariants |")
    for part, (command, said) in ROWS.items():
        if entry := figures.get(part):
            shown = said.format_map({name: _shown(value) for name, value in _told(part, entry["figures"]).items()})
            older = "" if entry["bytecode"] == current else f" (on bytecode {str(entry['bytecode'])[:8]}, not of now)"
            lines.append(f"| {command} | {shown}{older} |")
    return "\n".join(lines) + "\n"


def _told(part: str, figures: dict[str, Any]) -> dict[str, Any]:
    """The figures of a part, with what they come to in words where the table says that."""
    if part == "mutation":
        undecided = f"{_shown(figures['undecided'])} undecided, " if figures["undecided"] else ""
        return figures | {"undecided": undecided, "not whole": "" if figures["complete"] else "; the run was not whole"}
    if part == "nodes":
        return figures | {"differences": _differences(figures["differences"])}
    if part == "symbolic":
        done, of = figures["bytecode checks that terminate"], figures["bytecode checks"]
        halmos = f"halmos decided {done} of {of} checks of the bytecode"
        return figures | {"bytecode": halmos if of else "the bytecode was not tried (no halmos)"}
    return figures if part != "compilers" else _of_compilers(figures)


def _differences(number: int) -> str:
    return {0: "no difference", 1: "1 difference"}.get(number, f"{_shown(number)} differences")


def _of_compilers(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures of the compilers, with which builds were compared and which could not be made."""
    built = list(dict.fromkeys(run.partition(" on ")[0] for run in figures["runs"]))
    failed = [setting for setting in SETTINGS if setting not in built]
    more = f"; {', '.join(failed)} could not be built" if failed else ""
    differences = _differences(figures["other differences"])
    return figures | {"built": ", ".join(built), "not built": more, "differences": differences}


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _kept() -> dict[str, Any]:
    """The figures that were gathered last. Raises ValueError where they cannot be read."""
    if not FIGURES.is_file():
        return {}
    try:
        found = json.loads(FIGURES.read_text(encoding="utf-8"))
        table(found, "")
    except (AttributeError, LookupError, TypeError, ValueError) as problem:
        why = f"{type(problem).__name__}: {problem}"
        raise ValueError(f"{FIGURES} is not what `make readme` writes ({why}): `git restore` it") from problem
    return found


def main() -> int:
    """Gathers the figures and writes the table. Returns 0, or 2 where a figure cannot be used."""
    argparse.ArgumentParser(
        prog="python -m verification.readme", description=(__doc__ or "").split("\n")[0]
    ).parse_args()
    try:
        figures = gathered(_kept())
        text = README.read_text(encoding="utf-8")
        if len(_TABLE.findall(text)) != 1:
            raise ValueError(
                f"{README} has no place for the table: `<!-- figures -->` before `<!-- end of figures -->`"
            )
        written = table(figures, build("EnergyMarket").hashes["runtime"])
        renewed = _TABLE.sub(lambda _: written, text)
    except ValueError as problem:
        print(problem, file=sys.stderr)
        return 2
    write(FIGURES, json.dumps(figures, indent=1, sort_keys=True) + "\n")
    write(README, renewed)
    print(f"the figures of {README.name} are those of {FIGURES.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(guarded(main))
