"""The report as JUnit XML: a suite per criterion with a case per invariant, and the tests themselves."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree


def render(told: dict[str, Any]) -> str:
    """The text of junit.xml."""
    root = ElementTree.Element("testsuites", name="wattproof verify")
    for criterion in told["criteria"]:
        rows = [row for row in told["invariants"] if row["criterion"] == criterion["number"]]
        suite = ElementTree.SubElement(root, "testsuite", name=f"Criterion {criterion['number']}: {criterion['title']}")
        for row in rows:
            case = ElementTree.SubElement(suite, "testcase", classname=f"criterion{row['criterion']}", name=row["id"])
            if row["status"] == "falsified":
                mark = ElementTree.SubElement(case, "failure", type="falsified", message=row["statement"])
                mark.text = _story(told, row["id"])
            elif row["status"] == "blocked":
                why = "the test of this invariant did not run to its end, or failed for another reason"
                ElementTree.SubElement(case, "error", type="blocked", message=why)
            elif row["status"] == "not reached":
                ElementTree.SubElement(case, "skipped", message="its premise was never true")
            out = ElementTree.SubElement(case, "system-out")
            out.text = f"checked {row['checked']}, premise false {row['premise_false']}; again: {row['rerun']}"
        _count(suite)
    for folder in ("tests/unit", "tests/engine", "tests/properties", "tests/"):
        suite = ElementTree.Element("testsuite", name=folder)
        for name, test in told["tests"].items():
            if name.startswith(folder) and not any(found.get("name") == name for found in root.iter("testcase")):
                _test(suite, name, test, told["times"]["tests"].get(name, 0))
        if len(suite):
            root.append(suite)
            _count(suite)
    _total(root)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _test(suite: ElementTree.Element, name: str, test: dict[str, Any], seconds: float) -> None:
    file = name.partition("::")[0]
    case = ElementTree.SubElement(suite, "testcase", classname=file, name=name, time=f"{seconds:.3f}")
    match test["outcome"]:
        case "failed":
            ElementTree.SubElement(case, "failure", message="failed")
        case "error":
            ElementTree.SubElement(case, "error", message="could not be set up or taken down")
        case "skipped":
            ElementTree.SubElement(case, "skipped", message="skipped")
        case "unfinished" | "not run":
            ElementTree.SubElement(case, "error", message=f"{test['outcome']}: the run ended before")


def _story(told: dict[str, Any], invariant: str) -> str:
    for failure in told["failures"]:
        if failure["invariant"] == invariant:
            return "\n".join([failure["error"], *failure["repl"][failure["beginning"] :]])
    return "seen in a history that was not kept"


def _count(suite: ElementTree.Element) -> None:
    kinds = {kind: sum(case.find(kind) is not None for case in suite) for kind in ("failure", "error", "skipped")}
    suite.set("tests", str(len(suite)))
    for attribute, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(kinds[kind]))


def _total(root: ElementTree.Element) -> None:
    for attribute in ("tests", "failures", "errors", "skipped"):
        root.set(attribute, str(sum(int(suite.get(attribute, "0")) for suite in root)))
