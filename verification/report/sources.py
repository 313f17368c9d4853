"""What the source tree says of itself: claims, clauses and contract lines, and what is compiled."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from verification.invariants import Invariant, criteria, invariants, points, rests_on
from wattproof.market.deployment import contracts_dir, deployer

# ---- what is claimed -------------------------------------------------------------------------


@dataclass(frozen=True)
class Claims:
    """What the documents of the source tree say, as it was when it was read."""

    rows: list[Invariant]
    criteria: dict[int, tuple[str, str]]
    assumptions: list[str]
    not_shown: list[str]
    risks: list[str]
    clauses: dict[str, str]
    threats: dict[str, list[dict[str, str]]]
    letters: list[dict[str, str]]
    unsearched: str


def claims(tree: Path) -> Claims:
    """Reads the documents. Raises OSError or ValueError where one cannot be read, or claims nothing."""
    rows = list(invariants(tree).values())
    if not rows:
        raise ValueError(f"{tree / 'invariants.md'} names no invariant")
    titles = criteria(tree)
    if lost := sorted({row.criterion for row in rows} - titles.keys()):
        raise ValueError(f"{tree / 'invariants.md'} has invariants of criterion {lost[0]}, and no heading for it")
    assumptions = points("Assumptions", tree)
    for said in assumptions:
        rests_on(said, rows[0])  # One that does not say what needs it is told now, and not at the end of a run.
    return Claims(
        rows=rows,
        criteria=titles,
        assumptions=[unlinked(said) for said in assumptions],
        not_shown=[unlinked(said) for said in points("What is not shown", tree)],
        risks=[unlinked(said) for said in points("Residual risks", tree)],
        clauses=clauses(tree),
        threats=threats(tree),
        letters=letters(tree),
        unsearched=unsearched(tree),
    )


# ---- docs/threats.md ---------------------------------------------------------------------


def threats(tree: Path) -> dict[str, list[dict[str, str]]]:
    """By invariant the lines of `docs/threats.md`: against `whom`, the `victim`, and what it `loses` at most."""
    found: dict[str, list[dict[str, str]]] = {}
    whom = ""
    for line in (tree / "docs" / "threats.md").read_text().splitlines():
        if line.startswith("## "):
            whom = line.removeprefix("## ").strip()
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and re.fullmatch(r"C\d-[A-Z]+-\d+", cells[2]):
            found.setdefault(cells[2], []).append({"whom": whom, "victim": cells[0], "loses": cells[1]})
    return found


def letters(tree: Path) -> list[dict[str, str]]:
    """The letters in which `docs/threats.md` tells what is lost at most, and what each `means`."""
    text = (tree / "docs" / "threats.md").read_text()
    rows = re.search(r"^\| letter \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows[1].splitlines()] if rows else []
    return [{"letter": letter, "means": means} for letter, means in cells]


def unsearched(tree: Path) -> str:
    """What `docs/threats.md` says that the search for profit does not show, as one line without links."""
    text = (tree / "docs" / "threats.md").read_text()
    said = re.search(r"^What is not shown: (.+?)(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    return unlinked(" ".join(said[1].split())) if said else ""


def unlinked(text: str) -> str:
    """Markdown without its links, which lead somewhere only where its document lies: a report lies elsewhere."""
    return re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", text)


# ---- terms and contract ----------------------------------------------------------------------


def clauses(tree: Path) -> dict[str, str]:
    """Every clause of the terms, by name, as Markdown in one line."""
    text = (tree / "docs" / "terms.md").read_text()
    found = re.findall(r"^\s*[-*]?\s*\*\*(T-[A-Z]+-\d+)\*\*(.*?)(?=^\s*[-*]?\s*\*\*T-|^#|\Z)", text, re.M | re.S)
    return {name: " ".join(said.split()) for name, said in found}


GONE = "no longer in the source"
"""What is said of code that invariants.md names and that is not there."""


@dataclass(frozen=True)
class Lines:
    """A function of a contract: its file, its first and last line and its text; the whole file where none is named."""

    file: str
    function: str
    first: int
    last: int
    text: str


def lines(tree: Path, reference: str) -> Lines:
    """The lines that a reference `file:function` names, with the comments and decorators right above them.

    Raises ValueError where there is no such file or function, and OSError where the file cannot be read.
    """
    file, _, function = reference.partition(":")
    # The contracts that were run may lie in a folder that stands in for the source tree's.
    inside = file.startswith("contracts/")
    path = contracts_dir() / file.removeprefix("contracts/") if inside else tree / file
    if not path.is_file():
        raise ValueError(f"{GONE}: there is no file {file}")
    text = path.read_text().splitlines()
    if not function:
        return Lines(file, "", 1, max(len(text), 1), "")
    begins = next((at for at, line in enumerate(text) if re.match(rf"def {re.escape(function)}\(", line)), None)
    if begins is None:
        raise ValueError(f"{GONE}: {file} has no function {function}")
    first = begins
    while first and (text[first - 1].startswith(("@", "#")) and not text[first - 1].startswith("# ---")):
        first -= 1
    last = begins
    for at in range(begins + 1, len(text)):
        if text[at][:1] not in ("", " ", ")"):  # a long signature's bracket stands at the margin, too
            break
        last = at if text[at].strip() else last
    return Lines(file, function, first + 1, last + 1, "\n".join(text[first : last + 1]))


def names_test(tree: Path, reference: str) -> bool:
    """Whether the test that a reference `file::name` names stands in its file. Raises OSError or ValueError."""
    file, _, name = reference.partition("::")
    path = tree / file
    return path.is_file() and re.search(rf"\b{re.escape(name)}\b", path.read_text()) is not None


# ---- bytecode, versions ------------------------------------------------------------------------


def compiler() -> dict[str, str]:
    """Version and settings of the compiler."""
    from vyper.evm.opcodes import DEFAULT_EVM_VERSION

    settings = deployer("EnergyMarket").compiler_data.settings
    return {
        "vyper": version("vyper"),
        "evm_version": settings.evm_version or DEFAULT_EVM_VERSION,
        "optimiser": str(settings.optimize),
        "code_generator": "experimental" if settings.experimental_codegen else "default",
    }
