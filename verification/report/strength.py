"""How much a verdict is worth, in a few sentences that stand beside it."""

from __future__ import annotations

from typing import Any

from verification.report.facts import number


def strength(document: dict[str, Any], left_out: str) -> str:
    """How much the verdict is worth: how often it was tried, that this is no proof, and what else was measured.

    `left_out` says why the run did not measure the cheap parts itself; empty where it did.
    """
    effort, parts = document["effort"], document["parts"]
    present = [name for name, part in parts.items() if part["state"] == "present"]
    absent = [name for name in parts if name not in present]
    said = f"Tested, not proved: {number(effort['histories'])} histories, {_checks(document)}."
    also = ", ".join(f"{name} (a sample)" if parts[name]["sample"] else name for name in present)
    said += (
        f" Of {len(parts)} other measurements {len(present)} were made on this bytecode{f': {also}' if also else ''}."
    )
    if not absent:
        return said
    why = f" ({left_out} leaves out what a whole run measures itself)" if left_out else ""
    commands = " and ".join(f"`{command}`" for command in dict.fromkeys(parts[name]["command"] for name in absent))
    return (
        f"{said} Not measured{why}: {', '.join(absent)}; {commands} {'does' if ' and ' not in commands else 'do'} it."
    )


def _checks(document: dict[str, Any]) -> str:
    """How often it was checked. Machines check their other invariants on the way: those of a part are counted apart."""
    total = number(document["effort"]["checks"])
    if not document["selection"]["asked"]:
        return f"{total} checks"
    own = sum(row["checked"] for row in document["invariants"] if row["status"] != "left out")
    return f"{number(own)} checks of what was asked for, {total} of all"
