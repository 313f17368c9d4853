"""The report as Markdown text: the same as the page, without pictures."""

from __future__ import annotations

from typing import Any

from verification.report import attacks, facts
from verification.report.facts import first_screen, status_word


def render(told: dict[str, Any]) -> str:
    """The text of report.md."""
    verdict = told["verdict"]
    lines = [f"# Wattproof: {verdict['outcome']}", "", verdict["sentence"], ""]
    if verdict["partial"]:
        lines += [f"**This report is partial**: {told['effort']['stopped'] or 'not every test ran to its end'}.", ""]
    for title, rows in first_screen(told):
        lines += [f"## {title}", "", "| | |", "|---|---|"]
        lines += [f"| {label} | {_cell(shown)} |" for label, shown, _ in rows]
        lines.append("")
    lines += ["## Criteria", "", "| criterion | invariants | held | falsified | not reached | blocked |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    for one in told["criteria"]:
        numbers = [one[key] for key in ("total", "held", "falsified", "not_reached", "blocked")]
        lines.append(f"| {one['number']}. {one['title']} | {' | '.join(map(str, numbers))} |")
    lines.append("")
    lines += _failures(told)
    for one in told["criteria"]:
        lines += [f"## Criterion {one['number']}: {one['title']}", "", one["says"], ""]
        if one["number"] == 1:
            lines += ["What tests cannot show about it, for a person to sign:", ""]
            lines += [f"- [ ] {point}" for point in told["checklist"]]
            lines += ["", "Name, date, signature: ______________________________", ""]
        for row in told["invariants"]:
            if row["criterion"] == one["number"]:
                lines += _invariant(row)
    lines += _attacks(told["attacks"])
    lines += ["## Calls per rule", "", "| rule | accepted | refused |", "|---|---:|---:|"]
    lines += [f"| {name} | {row['accepted']} | {row['refused']} |" for name, row in told["rules"].items()]
    lines += ["", "## Other evidence", "", "| part | state | |", "|---|---|---|"]
    lines += [f"| {name} | {part['state']} | {_cell(part['note'])} |" for name, part in told["parts"].items()]
    for heading, key in (
        ("Assumptions", "assumptions"),
        ("What is not shown", "not_shown"),
        ("Residual risks", "risks"),
    ):
        lines += ["", f"## {heading}", "", *(f"{number}. {point}" for number, point in enumerate(told[key], 1))]
    return "\n".join(lines) + "\n"


def _attacks(told: dict[str, Any]) -> list[str]:
    lines = ["## Worst attacks found", ""]
    if told["checks"]:
        lines += ["Of each line of docs/threats.md the attack that came nearest to its bound:", ""]
        lines += [*worst(told["lines"]), "", f"Not searched: {told['unsearched']}", ""]
        return lines + stories(told["lines"])
    return [*lines, "No search ran: nothing is known of what a coalition could take.", ""]


def worst(rows: list[dict[str, Any]]) -> list[str]:
    """A table of the worst attacks, a row for every invariant on profit."""
    lines = ["| invariant | victim | lost (base units) | at most | share |", "|---|---|---:|---:|---:|"]
    for row in rows:
        hit = row["worst"]
        said = (
            f"{hit['victim']} | {facts.number(hit['lost'])} | {facts.number(hit['bound'])} | {attacks.share(hit)}"
            if hit
            else f"{attacks.nothing(row)} | | |"
        )
        lines.append(f"| {row['invariant']} | {said} |")
    return lines


def stories(rows: list[dict[str, Any]]) -> list[str]:
    """How each of those attacks goes, call by call."""
    lines = []
    for row in rows:
        if hit := row["worst"]:
            lines += [f"### How {hit['victim']} lost {facts.number(hit['lost'])} ({row['invariant']})", ""]
            lines += [row["statement"], ""]
            lines += [f"- {term['victim']}: {term['loses']} ({term['whom']})" for term in row["terms"]]
            lines += ["", "```", *hit["story"], "```", ""]
    return lines


def _failures(told: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for failure in told["failures"]:
        lines += [f"## Failed: {failure['invariant'] or failure['test']}", "", failure["error"], ""]
        if failure["saved"]:
            lines += [f"Again: `python -m pytest {failure['saved']}`", ""]
        for number, chapter in enumerate(failure["story"], 1):
            if chapter["kind"] == "time":
                lines.append(f"{number}. Time passes, until second {chapter['second']}.")
            elif chapter["kind"] == "preset":
                lines += _preset(number, chapter)
            else:
                lines += _called(number, chapter)
        if failure["repl"]:
            lines += ["", "```python", *failure["repl"][failure["beginning"] :], "```", ""]
    return lines


def _preset(number: int, chapter: dict[str, Any]) -> list[str]:
    ready = f"{number}. The market is made ready by {chapter['calls']} calls"
    if chapter["first"] is None:
        return [f"{ready}, in all of which the contract does as the terms say."]
    wrong = f"In {chapter['differ']} of them the contract does not do as the terms say, for the first time here:"
    head, *rest = _called(number, chapter["first"])
    return [f"{ready}. {wrong}", f"   - {head.partition('. ')[2]}", *rest]


def _called(number: int, chapter: dict[str, Any]) -> list[str]:
    shown = f"{chapter['function']}({', '.join(chapter['arguments'])})"
    mark = "" if chapter["agree"] else " **(they differ)**"
    lines = [f"{number}. **{chapter['sender']}** calls `{shown}`.{mark}"]
    if chapter["terms"] == chapter["contract"]:
        lines.append(f"   - terms and contract: {chapter['contract']}")
    else:
        lines += [f"   - the terms: {chapter['terms']}", f"   - the contract: {chapter['contract']}"]
    return lines + [f"   - {moved['who']}: {_money(moved)}" for moved in chapter["accounts"]]


def _money(moved: dict[str, Any]) -> str:
    before, after, due = moved["before"], moved["after"], moved["due"]
    return ", ".join(
        f"{name} {before[name]} → {after[name]}" + ("" if after[name] == due[name] else f" (by the terms {due[name]})")
        for name in ("free", "reserved", "invoice")
    )


def _invariant(row: dict[str, Any]) -> list[str]:
    where = ", ".join(_place(place) for place in row["where"])
    return [
        f"### {row['id']}: {status_word(row['status'])}",
        "",
        row["statement"],
        "",
        f"- predicate: {row['predicate']}",
        f"- clauses: {', '.join(row['clauses'])}",
        f"- where: {where}",
        f"- checked {row['checked']} times, violated {row['violated']}, premise false {row['premise_false']} times",
        f"- tests: {', '.join(row['tests'])}",
        f"- mutants: {_mutants(row)}; planted faults: {_faults(row)}",
        f"- assumptions: {', '.join(map(str, row['assumptions']))}; residual: {', '.join(row['residual']) or 'none'}",
        f"- again: `{row['rerun']}`",
        "",
    ]


def _place(place: dict[str, Any]) -> str:
    return f"{place['file']}:{place['first']}-{place['last']}" if "file" in place else place["reference"]


def _mutants(row: dict[str, Any]) -> str:
    return (
        "not measured"
        if row["mutants"] is None
        else f"{row['mutants']['killed']} killed, {row['mutants']['alone']} alone"
    )


def _faults(row: dict[str, Any]) -> str:
    return "not measured" if row["faults"] is None else ", ".join(row["faults"]) or "none"


def _cell(text: Any) -> str:
    return str(text).replace("|", "\\|")
