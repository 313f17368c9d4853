"""The environment in which tests run for a report or a campaign, wherever and however that was started."""

from __future__ import annotations

import os

from wattproof.market.deployment import contracts_dir

_CHANGING = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
"""What would choose other tests, or change how they run, without a word in any report."""

_CONTRACTS = "WATTPROOF_CONTRACTS"


def surroundings() -> dict[str, str]:
    """The environment for tests in a process of their own, in the root of the checkout.

    It holds nothing that would choose other tests or have them assert less, and nothing of a run of pytest that this
    process belongs to. The folder of the contracts may have been named from where this process was started.
    """
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTEST_") and name != "PYTHONOPTIMIZE"
    }
    return kept | _contracts()


def enter(folder: str | os.PathLike[str]) -> None:
    """Goes to the root of the checkout, `folder`, to run tests in this process; else as `surroundings`."""
    os.environ.update(_contracts())
    for name in _CHANGING:
        os.environ.pop(name, None)
    os.chdir(folder)


def _contracts() -> dict[str, str]:
    return {_CONTRACTS: str(contracts_dir().resolve())} if os.environ.get(_CONTRACTS) else {}
