"""The report as JUnit XML: a suite per criterion with a case per invariant, the tests themselves, and the stages."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from verification.report import failures

FOLDERS = ("tests/unit", "tests/engine", "tests/properties", "tests/", "")
"""The suites of the tests themselves; each test is a case of the first that it lies in."""

_OUTCOMES = {
    "failed": ("failure", "failed, and left no text"),
    "error": ("error", "could not be set up or taken down, and left no text"),
    "skipped": ("skipped", "skipped"),
    "unfinished": ("error", "unfinished: the run ended before"),
    "not run": ("error", "not run: the run ended before"),
}
"""The mark of a case in JUnit's words, by the outcome of the test, and what is said where nothing else is known."""


def render(told: dict[str, Any]) -> str:
    """The text of junit.xml."""
    root = ElementTree.Element("testsuites", name="wattproof verify")
    if missing := told["verdict"]["missing"]:
        _partial(root, missing)
    for criterion in told["criteria"]:
        suite = ElementTree.SubElement(root, "testsuite", name=f"Criterion {criterion['number']}: {criterion['title']}")
        for row in told["invariants"]:
            if row["criterion"] == criterion["number"]:
                _invariant(suite, row, told)
    for folder in FOLDERS:
        tests = [name for name in told["tests"] if next(filter(name.startswith, FOLDERS)) == folder]
        if tests:
            suite = ElementTree.SubElement(root, "testsuite", name=folder or "others")
            for name in tests:
                _test(suite, name, told)
    suite = ElementTree.SubElement(root, "testsuite", name="stages")
    for name, stage in told["stages"].items():
        _stage(suite, name, stage, told)
    for part in (*root, root):
        part.set("time", f"{sum(float(case.get('time', 0)) for case in part.iter('testcase')):.3f}")
        part.set("tests", str(sum(1 for _ in part.iter("testcase"))))
        for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            part.set(attribute, str(sum(1 for _ in part.iter(kind))))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _partial(root: ElementTree.Element, missing: str) -> None:
    """A suite that says what the run was without: JUnit has properties of suites only."""
    suite = ElementTree.SubElement(root, "testsuite", name=f"partial: {missing}")
    properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", name="partial", value=missing)


def _invariant(suite: ElementTree.Element, row: dict[str, Any], told: dict[str, Any]) -> None:
    seconds = told["times"]["checking"].get(row["id"], 0)
    name = {"classname": f"criterion{row['criterion']}", "name": row["id"], "time": f"{seconds:.3f}"}
    case = ElementTree.SubElement(suite, "testcase", name)
    match row["status"]:
        case "falsified":
            mark = ElementTree.SubElement(case, "failure", type="falsified", message=row["reason"])
            found = failures.of_invariant(told, row["id"])
            mark.text = "\n\n".join([row["statement"], *map(_history, found[:1])])
        case "blocked":
            ElementTree.SubElement(case, "error", type="blocked", message=row["reason"]).text = row["reason"]
        case "not reached" | "left out":
            ElementTree.SubElement(case, "skipped", message=row["reason"])
    out = ElementTree.SubElement(case, "system-out")
    out.text = f"checked {row['checked']}, premise false {row['premise_false']}; again: {row['rerun']}"


def _history(failure: dict[str, Any]) -> str:
    lines = failure["repl"][failure["beginning"] :]
    told = "\n".join([failure["error"], *lines]) if lines else failure["text"] or failure["error"]
    return told + _call_tree(failure)


def _call_tree(failure: dict[str, Any]) -> str:
    """Of each step, where it was asked for."""
    return "\n\n" + "\n".join(failure["call_tree"]) if "call_tree" in failure else ""


def _test(suite: ElementTree.Element, name: str, told: dict[str, Any]) -> None:
    """A test is one failure or error, whose message is the first of what went wrong and whose text is all of it."""
    seconds = told["times"]["tests"].get(name, 0)
    file = name.partition("::")[0]
    case = ElementTree.SubElement(suite, "testcase", classname=file, name=name, time=f"{seconds:.3f}")
    found = failures.of_test(told, name)
    mark = _OUTCOMES.get(told["tests"][name]["outcome"])
    if mark is None and not found:
        return
    kind, message = mark or ("error", "")  # A test may pass in a market whose preset failed.
    element = ElementTree.SubElement(case, kind, message=found[0]["error"] if found else message)
    if found:
        by_itself = found[0]["when"] in ("collection", "crash")
        element.set("type", found[0]["when"] if by_itself else found[0]["error"].partition(":")[0])
        element.text = "\n\n".join(f"{one['when']}: {one['error']}\n{one['text']}{_call_tree(one)}" for one in found)


def _stage(suite: ElementTree.Element, name: str, stage: dict[str, Any], told: dict[str, Any]) -> None:
    seconds = told["times"]["seconds"][name]
    case = ElementTree.SubElement(suite, "testcase", classname="stages", name=stage["title"], time=f"{seconds:.3f}")
    if stage["state"] != "done":
        kind = {"failed": "failure", "left out": "skipped"}.get(stage["state"], "error")
        ElementTree.SubElement(case, kind, type=stage["state"], message=stage["error"]).text = stage["text"]
