"""`wattproof study`: plays the case study, writes its figures and numbers, and keeps the document true to them."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from wattproof import __version__
from wattproof.evm.engine import available, make_env
from wattproof.evm.revm import missing
from wattproof.market.deployment import deployer
from wattproof.outputs import Folder, brief, one_line
from wattproof.simulation.day import PROBLEMS, exit_code
from wattproof.simulation.households import DEFAULT_FILE, Households, open_households
from wattproof.study import document, standing
from wattproof.study.claims import claims
from wattproof.study.communities import Base
from wattproof.study.plan import FULL, REDUCED, Size, default_jobs, sized, tasks, timed, workers
from wattproof.study.results import SCHEMA, gather
from wattproof.study.texts import shown
from wattproof.tables import show

NAMES = ("figure-*.csv", "figure-*.svg", "figure-*.png", "beyond-*.csv", "beyond-*.svg", "beyond-*.png", "results.json")
"""The files of a study."""


def run_study(
    households: Path | None,
    seed: int,
    out: Path,
    engine: str | None,
    jobs: int | None,
    console: Console,
    docs: Path | None = None,
    check: Path | None = None,
) -> int:
    """Plays the study of the file `households` (None: the one that ships with the package) and writes it to `out`.

    `seed` is the first community's; `engine` is "pyevm" or "revm" (None: revm where installed; on py-evm less is
    played); `jobs` how many processes play (None: one for each processor). `docs` names the folder whose case-study.md,
    case-study.json and figures are renewed, `check` one whose document is compared with what was played.

    Returns the exit code: 0 done; 1 the money does not add up, or the document says something else; 2 the input, the
    folder or the engine cannot be used. Problems are one line each on stderr.
    """
    started = time.monotonic()
    try:
        chosen = engine or available()[-1]
        make_env(chosen)
        source = open_households(DEFAULT_FILE if households is None else households, seed=seed)
        base = Base.of(source)
        source.warn()
        size = FULL if chosen == "revm" else REDUCED
        if size is not FULL:
            more = "all of it takes --engine revm" if "revm" in available() else missing()
            console.print(Text(f"On py-evm the study is reduced; {more}.", style="yellow"))
        size = sized(size, len(base.names))
        for folder in (docs, check):
            if folder:
                document.read(folder)
        with Folder(out, "study", NAMES) as place:
            if docs:
                document.tried(docs)
            # Compiled once before the workers start: they find it in titanoboa's cache on disk.
            for name in ("EnergyMarket", "MarketLens", "EnergyCredit"):
                _ = deployer(name).compiler_data.bytecode
            played, times = _play(base, size, seed, chosen, jobs or default_jobs(), console)
            name = "wattproof/data/households.csv" if households is None else one_line(str(households))
            results = {
                **described(source, name, seed, chosen, size),
                **gather(base, size, seed, played),
                **standing.gather(base, size, played),
                "times": times,
            }
            # Imported late: it takes a second.
            from wattproof.study.figures import draw_all

            place.write("results.json", json.dumps(results, indent=1, ensure_ascii=False) + "\n")
            try:
                draw_all(base, played["day",], results, place.aside)
            except Exception as problem:  # Whatever a figure comes to grief of, the numbers are kept.
                undrawn = one_line(brief(problem, 300))
            else:
                undrawn = None
            place.finish()
            _print(console, results)
            console.print(Text(f"written: {one_line(str(out))} ({time.monotonic() - started:.0f} s)"), soft_wrap=True)
            if undrawn:
                print(
                    f"a figure cannot be drawn ({undrawn}); the numbers are in {out / 'results.json'}", file=sys.stderr
                )
                return 1
            if docs:
                document.renew(docs, results, out)
                console.print(Text(f"renewed: {docs / document.NAME}"), soft_wrap=True)
            if check:
                differences = document.compare(check, results)
                for line in differences:
                    print(line, file=sys.stderr)
                if differences:
                    print(
                        f"{check / document.NAME} is not what was played: wattproof study --docs {check}",
                        file=sys.stderr,
                    )
                    return 1
                console.print(Text(f"as played: {check / document.NAME}"), soft_wrap=True)
            return 0
    except (document.BadDocument, *PROBLEMS) as problem:
        return exit_code(problem)


def _play(
    base: Base, size: Size, seed: int, engine: str, jobs: int, console: Console
) -> tuple[dict[tuple[Any, ...], Any], list[dict[str, Any]]]:
    """Plays all tasks, then, when nothing else runs any more, the timed ones."""
    todo = tasks(base, size, seed)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    played: dict[tuple[Any, ...], Any] = {}
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        # A timed community takes about as long as its households do for a fifth of a day.
        weights = {nodes: max(1, nodes // 50) for nodes in size.nodes}
        bar = progress.add_task("playing", total=sum(task.weight for task in todo) + sum(weights.values()))
        with workers(base, engine, jobs) as run:
            for task, result in run(todo):
                played[task.key] = result
                progress.update(bar, advance=task.weight, description=str(task.key[0]).ljust(8))
        times = []
        for nodes in size.nodes:
            seconds = timed(base, nodes, engine, seed)
            taken = {"seconds": f"{seconds:.2f}", "ms_per_household": f"{1000 * seconds / nodes:.1f}"}
            times.append({"nodes": nodes, **taken})
            progress.update(bar, advance=weights[nodes], description="timing  ")
    return played, times


def described(source: Households, name: str, seed: int, engine: str, size: Size) -> dict[str, Any]:
    """What decides the results."""
    with open(source.path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "schema": SCHEMA,
        "wattproof": __version__,
        "input": {"path": name, "sha256": digest, "households": len(source.names), "periods": source.periods},
        "seed": seed,
        "engine": engine,
        "size": asdict(size) | {"nodes": list(size.nodes)},
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in ("vyper", "titanoboa", "snekmate")},
        },
    }


def _print(console: Console, results: dict[str, Any]) -> None:
    day, month = results["day"], results["month"]
    table = Table(title="The paper's day", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading in ("household", "grid alone p", "market p", "saving p", "saving %"):
        table.add_column(heading, justify="left" if heading == "household" else "right", no_wrap=True)
    for row in (*day["households"], {**day, "household": "all"}):
        cells = (row["alone_p"], row["market_p"], row["saving_p"], row["saving_percent"] or "-")
        table.add_row(Text(row["household"]), *cells)
    show(console, table)
    for text in claims(results).values():
        console.print(Text(document.plain(text)), soft_wrap=True)
    console.print(
        Text(f"{month['communities']} communities over {month['days']} days: {shown(month['saving_percent'])} % saved")
    )
