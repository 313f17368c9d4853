"""The first screen of a report, as pairs of a label and a figure with the place in the document that it is from."""

from __future__ import annotations

from typing import Any

Row = tuple[str, str, str]
"""A label, what is shown, and the JSON pointer of the value; empty where it is made of several."""


def number(value: Any) -> str:
    """A figure with thin groups of thousands."""
    return f"{value:,}".replace(",", " ") if isinstance(value, int) and not isinstance(value, bool) else str(value)


def clock(seconds: float) -> str:
    """A time in minutes and seconds."""
    return f"{int(seconds) // 60} min {int(seconds) % 60} s" if seconds >= 60 else f"{seconds:.1f} s"


def some(names: list[str], most: int = 5) -> str:
    """The first of the names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def first_screen(told: dict[str, Any]) -> list[tuple[str, list[Row]]]:
    """What was verified, and how hard."""
    verified, effort, times = told["verified"], told["effort"], told["times"]
    revision, compiler, market = verified["revision"], verified["compiler"], verified["market"]
    what: list[Row] = [
        ("revision", revision["commit"] or f"unknown: {revision['note']}", "/verified/revision/commit"),
        ("source tree", _tree(revision), "/verified/revision/clean"),
        ("contracts", verified["contracts"], "/verified/contracts"),
        ("creation code", "0x" + market["creation"]["keccak256"], "/verified/market/creation/keccak256"),
        ("runtime code", "0x" + market["runtime"]["keccak256"], "/verified/market/runtime/keccak256"),
        ("runtime size", f"{number(market['runtime']['bytes'])} bytes", "/verified/market/runtime/bytes"),
        ("compiler", f"vyper {compiler['vyper']}", "/verified/compiler/vyper"),
        ("EVM version", compiler["evm_version"], "/verified/compiler/evm_version"),
        ("optimiser", compiler["optimiser"], "/verified/compiler/optimiser"),
        ("engine", verified["engine"], "/verified/engine"),
    ]
    asked = "" if effort["histories_asked"] is None else f", {effort['histories_asked']} histories a test"
    seed = "derandomised" if effort["seed"] is None else str(effort["seed"])
    hard: list[Row] = [
        ("profile", f"{effort['profile']}{asked}", "/effort/profile"),
        ("seed", seed, "/effort/seed"),
        ("histories", number(effort["histories"]), "/effort/histories"),
        ("steps", number(effort["steps"]), "/effort/steps"),
        ("calls accepted", number(effort["accepted"]), "/effort/accepted"),
        ("calls refused", number(effort["refused"]), "/effort/refused"),
        ("checks of invariants", number(effort["checks"]), "/effort/checks"),
        ("unit tests", number(effort["unit_tests"]), "/effort/unit_tests"),
        ("time", clock(times["seconds"]["all"]), "/times/seconds/all"),
    ]
    other: list[Row] = [("mutation score", _mutation(told), "/mutants/killed"), ("edge coverage", _edges(told), "")]
    return [("What was verified", what), ("How hard", hard), ("How strong the tests are", other)]


def _tree(revision: dict[str, Any]) -> str:
    if revision["clean"] is None:
        return f"unknown: {revision['note']}" if revision["commit"] else "unknown"
    if revision["clean"]:
        return "clean"
    return f"not clean: {'; '.join(filter(None, (revision['note'], some(revision['changed']))))}"


def _mutation(told: dict[str, Any]) -> str:
    part = told["parts"]["mutation"]
    if part["state"] != "present":
        return _absent(part)
    killed, of = told["mutants"]["killed"], told["mutants"]["of"]
    percent = f" ({1000 * killed // of / 10:.1f} %)" if of else ""
    return f"{number(killed)} of {number(of)} mutants killed{percent}{', a sample' if part['sample'] else ''}"


def _edges(told: dict[str, Any]) -> str:
    part = told["parts"]["edges"]
    if part["state"] != "present":
        return _absent(part)
    figures = {name: value for name, value in part["figures"].items() if not isinstance(value, dict | list)}
    return "; ".join(f"{name} {number(value)}" for name, value in list(figures.items())[:6])


def _absent(part: dict[str, Any]) -> str:
    return {"missing": "not measured", "stale": "measured on other bytecode"}.get(part["state"], "unreadable")
