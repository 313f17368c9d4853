"""The pytest file that shows a failure again, saved beside the report."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from verification import rerun
from verification.surroundings import surroundings

LONGEST = 300
"""Seconds that a saved file may take to show its failure again."""

MAX_NAME = 100
"""Letters of a test's name that go into the name of its file; those of its parameters may be any number."""

_HEAD = '''"""{title}

Saved by `wattproof verify`. It makes the history once more, with the checks that failed, and says what holds or by how
much it is violated; nothing is drawn. From the root of a clone, with the report's folder for REPORT, on the clone's
contracts and on those of another folder:

    python -m pytest -p verification.plugin REPORT/{folder}/{name}
    WATTPROOF_CONTRACTS={contracts} python -m pytest -p verification.plugin REPORT/{folder}/{name}
"""

{imports}


def test_{function}() -> None:
{body}
'''


def save(folder: Path, failure: dict[str, Any], statement: str | None) -> Path:
    """Writes the file; returns where. Failures of one invariant in several tests get a file each.

    The test is called after the invariant, or after the test that failed where no invariant did.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failed = failure["invariant"] or failure["test"].removesuffix("::runTest").rpartition("::")[2]
    function = re.sub(r"\W+", "_", failed, flags=re.ASCII).strip("_").lower().removeprefix("test_")[:MAX_NAME]
    path, number = folder / f"test_{function}.py", 2
    while path.exists():
        path, number = folder / f"test_{function}_{number}.py", number + 1
    replay = failure["replay"]
    said = f"{failure['invariant']}: {statement}" if failure["invariant"] else failure["error"]
    title = "\n".join(textwrap.wrap(said.replace("\\", "/").replace('"""', "'''"), 110))
    imports = "\n".join(f"from {module} import {', '.join(names)}" for module, names in replay["imports"].items())
    body = "\n".join(f"    {line}".rstrip() for line in replay["lines"])
    shown = rerun.contracts_shown()
    contracts = "/other/contracts" if shown == "contracts" else shlex.quote(shown)
    place = {"folder": folder.name, "name": path.name, "contracts": contracts}
    text = _HEAD.format(title=title, **place, imports=imports, function=function, body=body)
    path.write_text(text, encoding="utf-8")
    return path


_CLOSING = re.compile(r"^=*\s*\d+ (passed|failed|error).* in [\d.]+s", re.MULTILINE)
"""The last line of pytest, which is missing where its process crashed."""


def fails(
    tree: Path, path: Path, invariant: str | None, contracts: Path | None = None, crashes: bool = False
) -> bool | None:
    """Whether a saved file fails on these contracts (None: those that were verified), and because of that invariant.

    Where the failure `crashes` its process, that it does. None where it fails otherwise, or cannot be run at all.
    """
    environment = surroundings() | {"PYTHONPATH": str(tree)}
    if contracts is not None:
        environment["WATTPROOF_CONTRACTS"] = str(contracts)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "verification.plugin",
        "-p",
        "no:cacheprovider",
        "-x",
        str(path.resolve()),
    ]
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
    return shown(done.returncode, done.stdout, invariant, crashes)


def shown(code: int, text: str, invariant: str | None, crashes: bool) -> bool | None:
    """The same by the exit code and the output of pytest."""
    if crashes:
        return not _CLOSING.search(text) or {0: False}.get(code)
    if code == 1 and invariant is not None and f"violated: {invariant}" not in text:
        return None
    return {0: False, 1: True}.get(code)
