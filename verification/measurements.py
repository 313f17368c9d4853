"""What every measurement writes: one JSON file with versions, hashes, seed and figures."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from verification.builds import build
from wattproof import __version__
from wattproof.outputs import File

FOLDER = Path("out/evidence")

SCHEMA = "wattproof-measurement/1"

_PACKAGES = ("vyper", "titanoboa", "snekmate", "py-evm", "pyrevm", "hypothesis", "pytest", "z3-solver")


def versions(**others: str) -> dict[str, str]:
    """The versions of everything that had a part in it; `others`: tools that are no Python packages."""
    found = {"wattproof": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found | others


def document(
    part: str, seed: int | None, started: float, figures: dict[str, Any], details: Any, **others: str
) -> dict[str, Any]:
    """The document of a part; `started` by `time.monotonic()`, `others` as in `versions`.

    `seed` is None where nothing is drawn, or always the same.
    """
    return {
        "schema": SCHEMA,
        "part": part,
        "versions": versions(**others),
        "bytecode": build("EnergyMarket").hashes,
        "seed": seed,
        "seconds": round(time.monotonic() - started, 1),
        "figures": figures,
        "details": details,
    }


def file_of(part: str, path: Path | None = None) -> File:
    """The file of a part's document, `path` or its own in `FOLDER`, made sure of. Raises BadPlace."""
    return File(path or FOLDER / f"{part}.json")


def write(told: dict[str, Any], file: File) -> None:
    """Writes a document. Raises BadPlace."""
    file.write(json.dumps(told, indent=2) + "\n")


def progress(console: Console, **options: Any) -> Progress:
    """A progress bar with elapsed and remaining time, and with `options` of rich's; use it in a `with` block."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console, **options)
