"""What an auditor's first pages say of the system: scope, parties, who may call what, phases. Read from the sources.

Nothing here is written by hand: files and hashes are those that were compiled; who may call what comes from the
refusals of annex A of the terms, each of which the contract is held to (C2-REFUSE-1, C2-REFUSE-2).
"""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from verification.invariants import Invariant, clauses_cited
from wattproof.market.deployment import contracts_dir

TERMS = Path("docs/terms.md")

CALLERS: tuple[tuple[str, str], ...] = (
    (r"in SETTLING and the caller is not the owner", "the owner in SETTLING, anybody in CLOSING"),
    (r"the caller is not the owner", "the owner"),
    (r"the caller is not the named successor", "the successor that the owner named"),
    (r"the caller is not its prosumer", "the quote's prosumer"),
    (r"the caller has no bid on it", "the bidder, authorised and not in arrears"),
    (r"TRADER", "a user that is authorised and not in arrears"),
    (r"the caller is the supplier", "anybody but the supplier, once, with its meter's signature"),
    (r"SIGNATURE", "anybody, with the signature of the user's meter"),
    (r"after clearing, the caller is in arrears", "anybody who is not in arrears"),
)
"""What a refusal in annex A says of the caller, and who is left; the first that fits a call counts."""

ABOUT_THE_CALLER = re.compile(r"\b(?:caller (?:is|has)|TRADER|SIGNATURE)\b")
"""A refusal that depends on who calls."""


def system(tree: Path, rows: list[Invariant]) -> dict[str, Any]:
    """Everything of the first pages that the source tree says. Raises OSError where a document cannot be read."""
    terms = (tree / TERMS).read_text(encoding="utf-8")
    return {
        "overview": overview(),
        "parties": [
            {"party": party, "who": who}
            for party, who in _table(terms, "## Who the parties are", 2)
            if party != "party"
        ],
        "phases": [
            {"phase": phase, "from": first, "until": last, "open": what}
            for phase, first, last, what in _table(terms, "## In short", 4)
            if phase != "phase"
        ],
        "scope": scope(),
        "libraries": {"snekmate": version("snekmate")},
        "entries": entries(terms, rows),
        "gas": [row.id for row in rows if "T-GUA-10" in row.clauses],
        "blocking": [row.id for row in rows if row.kind == "liveness" or {"T-GUA-6", "T-GUA-15"} & {*row.clauses}],
    }


# ---- scope --------------------------------------------------------------------------------------


def scope() -> list[dict[str, Any]]:
    """Every Vyper file of the contracts that are verified: title, lines, lines of code, SHA-256 of the file."""
    folder = contracts_dir()
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".vy", ".vyi"))
    return [{"file": f"contracts/{path.relative_to(folder).as_posix()}", **_measured(path)} for path in files]


def _measured(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    text = content.decode("utf-8", errors="replace")
    title = re.search(r"@title (.+)", text)
    bare = re.sub(r'^\s*""".*?"""\s*$', "", text, flags=re.MULTILINE | re.DOTALL)
    code = sum(bool(line.strip()) and not line.strip().startswith("#") for line in bare.splitlines())
    return {
        "title": title[1].strip() if title else "",
        "lines": len(text.splitlines()),
        "code": code,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def overview() -> str:
    """What the market's own documentation says that it is and how its parts work together, in one line each."""
    text = (contracts_dir() / "EnergyMarket.vy").read_text(encoding="utf-8")
    head = re.search(r'"""(.*?)"""', text, re.DOTALL)
    said = re.findall(r"^@(?:notice|dev) (.*?)(?=^@|\Z)", head[1] if head else "", re.MULTILINE | re.DOTALL)
    return "\n\n".join(" ".join(part.split()) for part in said)


# ---- who may call what -----------------------------------------------------------------------------


def entries(terms: str, rows: list[Invariant]) -> list[dict[str, Any]]:
    """Every entry point: who may call it, what refuses others, under which clauses, and the invariants that hold it so.

    Those are of C4-ROLE and C4-ATTACK that cite one of the clauses, and of C4-ROLE and C4-FRAME that name the call. The
    machines that check them make no call for many entries at once: such a batch is held by C2-ACCEPT.
    """
    refusals, groups = _refusals(terms), _groups(terms)
    found = []
    for call in refusals:
        own = [one for one in refusals[call] if ABOUT_THE_CALLER.search(one[0])]
        # A batch leaves out the entries that the call for one would refuse, and gives no reason for them.
        batch = call[:-1] in refusals
        about = [*own, *(one for one in refusals.get(call[:-1], []) if ABOUT_THE_CALLER.search(one[0]))]
        clauses = clauses_cited(" ".join(clause for _, _, clause in about))
        found.append(
            {
                "call": call,
                "who": who(about),
                "reasons": list(dict.fromkeys(reason for one in own for reason in _reasons(one, groups))),
                "clauses": list(clauses),
                "invariants": [row.id for row in rows if (_accepts(row) if batch else _holds(row, call, clauses))],
            }
        )
    return found


def _accepts(row: Invariant) -> bool:
    """Whether an invariant is about whatever call is accepted, of all entry points."""
    return row.id.startswith("C2-ACCEPT-")


def _holds(row: Invariant, call: str, clauses: tuple[str, ...]) -> bool:
    """Whether an invariant of roles or frames is about a call."""
    cites = not {*clauses}.isdisjoint(row.clauses)
    named = re.search(rf"\b{call}\b", row.predicate) is not None
    return (cites and row.id.startswith(("C4-ROLE-", "C4-ATTACK-"))) or (
        named and row.id.startswith(("C4-ROLE-", "C4-FRAME-"))
    )


def who(refusals: list[tuple[str, str, str]]) -> str:
    """Who may call where these refusals are all that depends on the caller."""
    texts = " | ".join(when for when, _, _ in refusals)
    return next((said for pattern, said in CALLERS if re.search(pattern, texts)), "anybody")


def _refusals(terms: str) -> dict[str, list[tuple[str, str, str]]]:
    """By entry point when a call is refused, the reason, and the clauses, by annex A."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    call = ""
    for name, _, when, reason, clause in _table(terms, "## Annex A. Refusals", 5):
        if name == "call":
            continue
        call = name.strip("`") or call
        found.setdefault(call, []).append((when, reason, clause))
    found.pop("deployment", None)
    return found


def _groups(terms: str) -> dict[str, list[str]]:
    """By group of refusals that recur in annex A, TRADER and SIGNATURE, their reasons."""
    found: dict[str, list[str]] = {}
    group = ""
    for name, _, reason in _table(terms, "## Annex A. Refusals", 3)[1:]:
        if bold := re.match(r"\*\*(\w+)\*\*", name):
            group = bold[1]
        found.setdefault(group, []).append(_bare(reason))
    return found


def _reasons(refusal: tuple[str, str, str], groups: dict[str, list[str]]) -> list[str]:
    """The reasons of a refusal, which may be those of a group."""
    when, reason, _ = refusal
    return [_bare(reason)] if reason else groups.get(when.split()[0], [])


def _bare(reason: str) -> str:
    """A reason without the marks around it; one that contains such marks stands between two of them and spaces."""
    return reason.strip("`").strip()


def _table(text: str, heading: str, cells: int) -> list[tuple[str, ...]]:
    """The rows of the tables with that many columns under a heading, the head among them."""
    section = text.partition(f"{heading}\n")[2].partition("\n## ")[0]
    rows = [tuple(cell.strip() for cell in line.strip()[1:-1].split("|")) for line in _rows(section)]
    return [row for row in rows if len(row) == cells]


def _rows(section: str) -> list[str]:
    return [line for line in section.splitlines() if line.startswith("|") and not re.match(r"\|[-: |]+\|$", line)]
