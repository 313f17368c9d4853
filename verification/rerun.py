"""The line that runs a test again, as a failure and the report name it."""

from __future__ import annotations

import shlex
from pathlib import Path

from verification.invariants import ROOT


def line(test: str, engine: str, profile: str, seed: int | str | None, **numbers: int | None) -> str:
    """The call of make that draws the same histories again.

    Args:
        test: its node ID, or a file.
        engine: `revm` or `pyevm`.
        profile: how hard it tries.
        seed: what was given for other histories; None for those that every run draws.
        numbers: `histories` and `steps`, instead of the profile's own; None where they are the profile's.
    """
    more = [f"--{name}={number}" for name, number in numbers.items() if number is not None]
    more += [] if seed is None else [f"--hypothesis-seed={seed}"]
    said = f"make test-one TEST='{test}' ENGINE={engine} PROFILE={profile}"
    return said + (f" MORE='{' '.join(more)}'" if more else "")


def of_another(path: Path, nodeid: str) -> str:
    """The call of pytest, from where one is now, for what is no property test: a unit test, or a saved failure.

    Args:
        path: the file of the test, which may lie outside the checkout and then has to be told of the plugin.
        nodeid: its node ID, whose file may be relative to any folder.
    """
    here = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    plugin = "" if path.is_relative_to(ROOT) else "-p verification.plugin "
    return f"python -m pytest {plugin}{shlex.quote('::'.join([str(here), *nodeid.split('::')[1:]]))}"
