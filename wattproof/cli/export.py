"""`wattproof export`: what a watcher stored of a market, as files for spreadsheets, pandas and other programs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from wattproof.cli.arguments import place
from wattproof.cli.store_arguments import add_db, with_store


def add(commands: Any) -> None:
    """Adds the command."""
    command = commands.add_parser("export", help="write what was watched of a market as CSV or Parquet")
    add_db(command)
    command.add_argument(
        "--deployment", type=place, metavar="FILE", help="of this market alone (default: of all in the database)"
    )
    command.add_argument("--out", type=place, required=True, metavar="DIR", help="a folder for the files")
    command.add_argument("--format", choices=("csv", "parquet", "both"), default="csv", help="(default: csv)")
    command.add_argument(
        "--table", action="append", metavar="NAME", help="of this table; may be repeated (default: of all)"
    )
    command.set_defaults(run=_run)


@with_store
def _run(options: argparse.Namespace) -> int:
    from wattproof.store.exports import TABLES

    wanted = tuple(dict.fromkeys(options.table or TABLES))
    if unknown := [name for name in wanted if name not in TABLES]:
        print(f"there is no table {unknown[0]!r}; there are {', '.join(TABLES)}", file=sys.stderr)
        return 2
    if options.format != "csv":
        import pyarrow  # noqa: F401  # Better now than after an hour.
    formats = ("csv", "parquet") if options.format == "both" else (options.format,)
    return _export(options.db, options.deployment, options.out, formats, wanted)


def _export(db: str, deployment: Path | None, out: Path, formats: tuple[str, ...], wanted: tuple[str, ...]) -> int:
    from wattproof.chain.record import Record
    from wattproof.outputs import BadPlace, Folder, told
    from wattproof.store.database import Store
    from wattproof.store.exports import FORMATS, TABLES, export

    record = Record.read(deployment) if deployment else None
    store = Store.open(db, make=False)
    market = store.watched(record) if record else None
    names = [f"{name}.{kind}" for name in TABLES for kind in FORMATS]
    with Folder(out, "export", names) as folder, store.reading() as connection:
        rows = 0
        try:
            for name in wanted:
                rows += export(connection, folder.aside, name, formats, market.id if market else None)
        except OSError as problem:
            raise BadPlace(f"{out}: {told(problem)}; nothing was written") from None
        folder.finish()
    print(f"{rows:,} rows of {len(wanted)} tables are in {out}")
    return 0
