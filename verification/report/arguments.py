"""The commands `wattproof verify` and `wattproof diff-report`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from wattproof.cli.arguments import ENGINES, count, place, seconds

PROFILES = ("quick", "ci", "deep")


def add(commands: Any) -> None:
    """Adds `verify` and `diff-report`."""
    verify = commands.add_parser("verify", help="run the day and all tests, and write the invariant report")
    verify.add_argument(
        "--profile", choices=PROFILES, default="ci", help="how hard the property tests try (default: ci)"
    )
    verify.add_argument("--out", type=place, default=Path("report"), metavar="DIR", help="folder (default: report)")
    verify.add_argument("--engine", choices=ENGINES, help="of the property tests (default: revm where it is installed)")
    verify.add_argument("--seed", type=int, help="draw other histories (default: the same ones every time)")
    verify.add_argument("--jobs", type=count, default=2, metavar="N", help="processes (default: 2)")
    verify.add_argument(
        "--histories", type=count, metavar="N", help="of each property test, instead of the profile's number"
    )
    verify.add_argument("--within", type=seconds, metavar="T", help="stop after 90s, 30m, 2h with a partial report")
    verify.set_defaults(run=_verify)

    diff = commands.add_parser("diff-report", help="what is different between two reports")
    diff.add_argument("first", type=Path, metavar="A", help="a report's folder, or its evidence.json")
    diff.add_argument("second", type=Path, metavar="B", help="the one to compare with it")
    diff.set_defaults(run=_diff)


def _verify(options: argparse.Namespace) -> int:
    from rich.console import Console

    from verification.report.campaign import Plan
    from verification.report.verify import engine_for, verify

    plan = Plan(
        profile=options.profile,
        engine=engine_for(options.engine),
        seed=options.seed,
        jobs=options.jobs,
        within=options.within,
        histories=options.histories,
    )
    return verify(plan, options.out, Console(highlight=False))


def _diff(options: argparse.Namespace) -> int:
    from rich.console import Console

    from verification.report.compare import diff

    return diff(options.first, options.second, Console(highlight=False))
