"""The command `wattproof study`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from wattproof.cli.arguments import ENGINES, add_households, count, place


def add(commands: Any) -> None:
    """Adds `study`."""
    study = commands.add_parser("study", help="play the paper's case study: figures, indices, claims and more")
    add_households(study)
    study.add_argument("--seed", type=int, default=1, help="of the first community (default: 1)")
    study.add_argument("--out", type=place, metavar="DIR", default=Path("out/study"), help="default: out/study")
    study.add_argument("--engine", choices=ENGINES, help="default: revm where installed; on pyevm less is played")
    study.add_argument("--jobs", type=count, metavar="N", help="processes (default: one for each processor)")
    study.add_argument("--docs", type=place, metavar="DIR", help="renew DIR/case-study.md, its numbers and figures")
    study.add_argument(
        "--check",
        type=Path,
        metavar="DIR",
        nargs="?",
        const=Path("docs"),
        help="compare DIR/case-study.md (default: docs) with what was played; exit code 1 where it differs",
    )
    study.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from wattproof.study.command import run_study

    return run_study(
        options.households,
        options.seed,
        options.out,
        options.engine,
        options.jobs,
        Console(),
        options.docs,
        options.check,
    )
