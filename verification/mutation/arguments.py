"""The arguments of `wattproof mutate`; apart from the rest, so that `--help` waits for no compiler."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from wattproof.cli.arguments import count, place, seconds

RECORD = Path("out/mutation/results.jsonl")
OUT = Path("out/evidence/mutation.json")

LOOK, LONG = "look", "long"
"""The efforts: short histories and the unit tests, or longer histories after them."""


def add(commands: Any) -> None:
    """Adds `mutate`."""
    command = commands.add_parser("mutate", help="break the contracts in small ways and see the property suite notice")
    command.add_argument("--module", action="append", metavar="M", help="change this module only (may be repeated)")
    command.add_argument("--operator", action="append", metavar="O", help="use this operator only (may be repeated)")
    command.add_argument("--mutant", action="append", metavar="ID", help="try this mutant only (may be repeated)")
    command.add_argument(
        "--since", type=_revision, metavar="REV", help="change only lines that are new since that revision of git"
    )
    command.add_argument(
        "--budget", type=seconds, metavar="T", help="begin no trial after 90s, 30m, 2h (default: none)"
    )
    command.add_argument("--jobs", type=count, default=2, metavar="N", help="trials at a time (default: 2)")
    command.add_argument("--seed", type=int, default=1, metavar="N", help="of the order and the sample (default: 1)")
    command.add_argument("--sample", type=count, metavar="K", help="try K mutants, drawn at random")
    command.add_argument("--effort", choices=(LOOK, LONG), default=LONG, help="how hard a mutant is tried")
    command.add_argument("--check", action="append", metavar="C", help="use this check only (may be repeated)")
    command.add_argument("--no-unit", action="store_true", help="leave the unit tests out")
    command.add_argument("--resume", action="store_true", help="go on with the record of an earlier run")
    command.add_argument("--survivors", action="store_true", help="with --resume: try what survived once more")
    command.add_argument("--all", action="store_true", help="try the mutants that are explained as equivalent, too")
    command.add_argument("--record", type=place, default=RECORD, metavar="FILE", help=f"default: {RECORD}")
    command.add_argument("--out", type=place, default=OUT, metavar="FILE.json", help=f"default: {OUT}")
    command.add_argument("--list", action="store_true", help="list the mutants and do nothing")
    command.set_defaults(run=_run, misused=command.error)


def _revision(text: str) -> str:
    """ArgumentTypeError for no name: an unset variable would mean all lines, and hours."""
    if not text.strip():
        raise argparse.ArgumentTypeError("names no revision")
    return text


def _run(options: argparse.Namespace) -> int:
    if options.survivors and not options.resume:
        options.misused("--survivors goes with --resume: without it there is no record of what survived")
    from rich.console import Console

    from verification.mutation.campaign import mutate

    return mutate(options, Console())
