"""The line that runs a test again, as a failure and the report name it."""

from __future__ import annotations

import shlex
from pathlib import Path

from verification.invariants import ROOT
from wattproof.market.deployment import contracts_dir


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
    on = on_contracts(contracts_shown())
    return f"{on}python -m pytest {plugin}{shlex.quote('::'.join([str(here), *nodeid.split('::')[1:]]))}"


def contracts_shown(tree: Path = ROOT) -> str:
    """The folder of the contracts that are run, as somebody else may know it: "contracts" for the tree's own."""
    folder = contracts_dir().resolve()
    return str(folder.relative_to(tree)) if folder.is_relative_to(tree) else str(folder)


def on_contracts(shown: str) -> str:
    """What has to stand before a command so that it runs on the contracts in the folder `shown`, and not on those of
    the clone that it is run in; nothing for the clone's own."""
    return "" if shown == "contracts" else f"WATTPROOF_CONTRACTS={shlex.quote(shown)} "
