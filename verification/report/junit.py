"""The report as JUnit XML: a suite per criterion with a case per invariant, and the tests themselves."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

FOLDERS = ("tests/unit", "tests/engine", "tests/properties", "tests/")
"""The suites of the tests themselves; each test is a case of the first that it lies in."""

_BLOCKED = "the test of this invariant did not run to its end, or failed for another reason"

_OUTCOMES = {
    "failed": ("failure", "failed"),
    "error": ("error", "could not be set up or taken down"),
    "skipped": ("skipped", "skipped"),
    "unfinished": ("error", "unfinished: the run ended before"),
    "not run": ("error", "not run: the run ended before"),
}
"""The mark of a case in JUnit's words, by the outcome of the test."""


def render(told: dict[str, Any]) -> str:
    """The text of junit.xml."""
    root = ElementTree.Element("testsuites", name="wattproof verify")
    for criterion in told["criteria"]:
        suite = ElementTree.SubElement(root, "testsuite", name=f"Criterion {criterion['number']}: {criterion['title']}")
        for row in told["invariants"]:
            if row["criterion"] == criterion["number"]:
                _invariant(suite, row, told)
    for folder in FOLDERS:
        tests = [name for name in told["tests"] if next(filter(name.startswith, FOLDERS), None) == folder]
        suite = ElementTree.Element("testsuite", name=folder)
        for name in tests:
            seconds = told["times"]["tests"].get(name, 0)
            file = name.partition("::")[0]
            case = ElementTree.SubElement(suite, "testcase", classname=file, name=name, time=f"{seconds:.3f}")
            if mark := _OUTCOMES.get(told["tests"][name]["outcome"]):
                ElementTree.SubElement(case, mark[0], message=mark[1])
        if tests:
            root.append(suite)
    for part in (*root, root):
        part.set("tests", str(sum(1 for _ in part.iter("testcase"))))
        for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            part.set(attribute, str(sum(1 for _ in part.iter(kind))))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _invariant(suite: ElementTree.Element, row: dict[str, Any], told: dict[str, Any]) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname=f"criterion{row['criterion']}", name=row["id"])
    match row["status"]:
        case "falsified":
            mark = ElementTree.SubElement(case, "failure", type="falsified", message=row["statement"])
            mark.text = _story(told, row["id"])
        case "blocked":
            ElementTree.SubElement(case, "error", type="blocked", message=_BLOCKED)
        case "not reached":
            ElementTree.SubElement(case, "skipped", message="its premise was never true")
    out = ElementTree.SubElement(case, "system-out")
    out.text = f"checked {row['checked']}, premise false {row['premise_false']}; again: {row['rerun']}"


def _story(told: dict[str, Any], invariant: str) -> str:
    for failure in told["failures"]:
        if failure["invariant"] == invariant:
            return "\n".join([failure["error"], *failure["repl"][failure["beginning"] :]])
    return "seen in a history that was not kept"
