"""The pytest file that shows a failure again, saved beside the report."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

LONGEST = 300
"""Seconds that a saved file may take to show its failure again."""

_HEAD = '''"""{title}

Saved by `wattproof verify`. It makes the history once more, with the checks that failed. From the root of a clone:

    python -m pytest {name}
    WATTPROOF_CONTRACTS=/other/contracts python -m pytest {name}
"""

{imports}


def test_{function}() -> None:
{body}
'''


def function_name(failure: dict[str, Any]) -> str:
    """What the saved test is called: after the invariant, or the test where no invariant failed."""
    name = failure["invariant"] or failure["test"].removesuffix("::runTest").rpartition("::")[2]
    return re.sub(r"\W+", "_", name).strip("_").lower().removeprefix("test_")


def content(failure: dict[str, Any], statement: str | None, name: str) -> str:
    """The text of the file."""
    replay = failure["replay"]
    said = f"{failure['invariant']}: {statement}" if failure["invariant"] else failure["error"]
    title = "\n".join(textwrap.wrap(said.replace("\\", "/").replace('"""', "'''"), 110))
    imports = "\n".join(f"from {module} import {', '.join(names)}" for module, names in replay["imports"].items())
    body = "\n".join(f"    {line}".rstrip() for line in replay["lines"])
    function = function_name(failure)
    return _HEAD.format(title=title, name=name, imports=imports, function=function, body=body)


def save(folder: Path, failure: dict[str, Any], statement: str | None) -> Path:
    """Writes the file; returns where. Failures of one invariant in several tests get a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"test_{function_name(failure)}"
    path, number = folder / f"{stem}.py", 2
    while path.exists():
        path, number = folder / f"{stem}_{number}.py", number + 1
    path.write_text(content(failure, statement, path.name))
    return path


def fails(tree: Path, path: Path, invariant: str | None, contracts: Path | None = None) -> bool | None:
    """Whether a saved file fails on these contracts (None: those that were verified), and because of that invariant.

    None where it fails otherwise, or cannot be run at all.
    """
    environment = os.environ | {"PYTHONPATH": str(tree)}
    if contracts is not None:
        environment["WATTPROOF_CONTRACTS"] = str(contracts)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x", str(path.resolve())]
    try:
        done = subprocess.run(
            command,
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode == 1 and invariant is not None and f"counters.{invariant}: " not in done.stdout:
        return None
    return {0: False, 1: True}.get(done.returncode)
