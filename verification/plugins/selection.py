"""Which tests run: all, those of an invariant, those of a file; and what is known of each."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from verification.harness import counters, journal, kept_examples, reproducers
from verification.invariants import Invariant, invariants

_NAMED = re.compile(r"\bC[1-5]-[A-Z]+(?:-\d+)?\b")
"""An invariant, or a group of them."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Property tests undo what they do by themselves; titanoboa's plugin would undo the prepared markets, too."""
    counters.spare_collector()
    checks = _checks()
    about = {name for name in (config.getoption("about") or "").split(",") if name}
    left_out: list[pytest.Item] = []
    for item in items:
        file = item.nodeid.partition("::")[0]
        checked = {invariant for name in names_of(item) for invariant in checks.get(f"{file}::{name}", ())}
        item.extra_keyword_matches.update(checked)  # `-k C3-FEE-4`, or a part of it, selects what checks the invariant.
        if about and not about & {file, *checked}:
            left_out.append(item)
        if is_property_test(item):
            item.add_marker("ignore_isolation")
            handle = getattr(getattr(item, "obj", None), "hypothesis", None)
            if handle is not None:
                handle.inner_test = _remembering(handle.inner_test)
    kept_examples.leave_out_searches(items)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


def of_known_invariants(asked: str) -> None:
    """UsageError where `-k` names an invariant that invariants.md does not have: it would select nothing."""
    for name in _NAMED.findall(asked):
        if not any(name in known for known in _known()):
            raise pytest.UsageError(f"-k: no invariant is called {name}: add its line and its row to invariants.md")


def named_invariants(asked: str) -> set[str]:
    """The invariants that `-k` asks for by name or as a group, without those that it leaves out."""
    kept = re.sub(r"\bnot\s+(\([^()]*\)|\S+)", "", asked)
    return {known for name in _NAMED.findall(kept) for known in _known() if name in known}


def _known() -> Mapping[str, Invariant]:
    try:
        return invariants()
    except ValueError as problem:
        raise pytest.UsageError(str(problem)) from problem


def _checks() -> dict[str, list[str]]:
    """The invariants that each test checks, by "file::name" as invariants.md names it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in _known().values():
        for test in row.tests:
            found[test].append(row.id)
    return found


def names_of(item: pytest.Item) -> set[str]:
    """What a test may be called in invariants.md: its own name, and those of its machine."""
    machine = reproducers.machine_of(item)
    names = {getattr(item, "originalname", item.name), *item.nodeid.split("::")[1:]}
    return names | {parent.__name__ for parent in (machine.__mro__ if machine else ())}


def _remembering(test: Any) -> Any:
    """The test, which notes the arguments that it is called with, for a failure to be written down."""

    @functools.wraps(test)
    def noting(*args: Any, **kwargs: Any) -> None:
        counters.example.clear()
        counters.example.update(kwargs)
        counters.begin_example()
        journal.example(kwargs)
        test(*args, **kwargs)

    return noting


def is_property_test(item: pytest.Item) -> bool:
    """Whether a test is one of `tests/properties`."""
    return "properties" in item.path.parts
