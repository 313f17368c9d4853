"""`--db URL`, for all commands with a store, and how those end where it cannot be used: one line, and 2."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable

from wattproof.cli.chain_arguments import in_one_line

DATABASE = "WATTPROOF_DB"
"""The environment variable with the URL of the database, where `--db` is not given."""


def add_db(command: argparse.ArgumentParser) -> None:
    """`--db URL`; the URL is also taken from the environment, where other users of the machine do not see it."""
    command.add_argument(
        "--db",
        metavar="URL",
        default=os.environ.get(DATABASE),
        help="sqlite:///market.db, or postgresql://user@host/name with the password in PGPASSWORD or ~/.pgpass "
        f"(default: what {DATABASE} says)",
    )


def with_store(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """A command whose troubles with the database, too, are told in one line; its exit code is 2 then."""

    @functools.wraps(run)
    @in_one_line
    def told(options: argparse.Namespace) -> int:
        from wattproof.store.problems import StoreProblem

        if not options.db:
            print(f"which database? Give --db sqlite:///market.db, or set {DATABASE}", file=sys.stderr)
            return 2
        try:
            return run(options)
        except StoreProblem as problem:
            print(problem, file=sys.stderr)
        return 2

    return told
