"""The commands `wattproof verify` and `wattproof diff-report`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wattproof.cli.arguments import ENGINES, count, place, seconds

if TYPE_CHECKING:
    from verification.report.campaign import Plan

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
    verify.add_argument(
        "--call-tree", action="store_true", help="show the call tree of each step of a failure (played on py-evm)"
    )
    part = verify.add_mutually_exclusive_group()
    part.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="only these invariants: C3-FEE-4, a group C3-FEE, a module matching, a clause T-SET-8; commas between",
    )
    part.add_argument(
        "--changed", nargs="?", const="HEAD", metavar="REV", help="only what is touched by what differs from REV (HEAD)"
    )
    verify.set_defaults(run=_verify)

    diff = commands.add_parser("diff-report", help="what is different between two reports")
    diff.add_argument("first", type=Path, metavar="A", help="a report's folder, or its evidence.json")
    diff.add_argument("second", type=Path, metavar="B", help="the one to compare with it")
    diff.set_defaults(run=_diff)


def _verify(options: argparse.Namespace) -> int:
    from rich.console import Console

    from verification.report.campaign import Plan
    from verification.report.verify import engine_for, verify
    from verification.selection import NothingChanged, NothingChosen

    plan = Plan(
        profile=options.profile,
        engine=engine_for(options.engine),
        seed=options.seed,
        jobs=options.jobs,
        within=options.within,
        histories=options.histories,
        call_tree=options.call_tree,
    )
    try:
        plan = _chosen(plan, options)
    except NothingChanged as nothing:
        print(nothing)
        return 0
    except NothingChosen as problem:
        print(problem, file=sys.stderr)
        return 2
    return verify(plan.quick() if options.profile == "quick" else plan, options.out, Console(highlight=False))


def _chosen(plan: Plan, options: argparse.Namespace) -> Plan:
    """The plan for what was asked for. Raises NothingChosen, and NothingChanged."""
    from verification import selection
    from verification.invariants import ROOT, invariants
    from wattproof.market.deployment import contracts_dir

    if options.only is None and options.changed is None:
        return plan
    try:
        rows = invariants()
    except (OSError, ValueError) as problem:
        raise selection.NothingChosen(str(problem)) from problem
    if options.only is not None:
        return plan.chosen(selection.named(options.only, rows), rows)
    return plan.chosen(selection.touched(ROOT, options.changed, contracts_dir(), rows, plan.unit), rows)


def _diff(options: argparse.Namespace) -> int:
    from rich.console import Console

    from verification.report.compare import diff

    return diff(options.first, options.second, Console(highlight=False))
