"""`wattproof day`: runs a trading day, shows it as it goes by, prints the bills and writes the files."""

from __future__ import annotations

import contextlib
import hashlib
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from wattproof import __version__
from wattproof.evm.engine import EngineUnavailable
from wattproof.market.deployment import deployer
from wattproof.market.tokens import UnusableToken
from wattproof.market.units import format_energy, format_money, format_price
from wattproof.outputs import BadPlace, brief, one_line, told
from wattproof.simulation.accounting import (
    Bill,
    BooksDoNotBalance,
    Output,
    exact_pence,
    money,
    percent,
    price,
    ratio,
)
from wattproof.simulation.households import DEFAULT_FILE, BadInput, Households, open_households
from wattproof.simulation.periods import PeriodResult
from wattproof.simulation.trading_day import Trading, TradingDay
from wattproof.tables import show

SCHEMA = 1
"""Version of summary.json's layout; it changes when a key changes its meaning or goes away."""

SHOWN = 48
"""Most periods whose supply-demand ratio is printed; periods.csv has them all."""

PACKAGES = ("vyper", "titanoboa", "py-evm", "snekmate")


@dataclass
class Community:
    """What the periods so far came to besides the households' bills; of those with quotes, the first are kept."""

    periods: int = 0
    matched: int = 0
    quoted: int = 0
    trades: int = 0
    shown: list[PeriodResult] = field(default_factory=list)

    def add(self, result: PeriodResult) -> None:
        """Counts a period in."""
        self.periods += 1
        self.matched += result.balances_match
        self.trades += len(result.trades)
        if result.quotes:
            self.quoted += 1
            if len(self.shown) < SHOWN:
                self.shown.append(result)


def run_day(
    households: Path | None,
    seed: int,
    out: Path | None,
    engine: str,
    console: Console,
    elsewhere: Callable[[Households], Trading] | None = None,
) -> int:
    """Runs the day of the file `households` (None: the one that ships with the package) and prints its bills.

    `seed` decides forecast errors and salts; `engine` is "pyevm" or "revm"; `out` is the folder that receives the files
    (None: none). `elsewhere` makes the day, where it is not played in this process; `engine` says then where. Returns
    the exit code: 0 done; 1 the money does not add up, or the picture cannot be drawn, without which the other files
    are there; 2 the input, the folder or the engine cannot be used. Problems are one line on stderr, and all others
    leave nothing behind in `out`. Raises what `elsewhere` and its day do.
    """
    try:
        source = open_households(DEFAULT_FILE if households is None else households, seed=seed)
        source.warn()
        with contextlib.ExitStack() as stack:
            output = None if out is None else stack.enter_context(Output(out))
            community = Community()
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
                bar = progress.add_task("opening the market", total=source.periods)
                day = elsewhere(source) if elsewhere else TradingDay(source, seed, engine=engine)
                stack.callback(day.close)
                for result in day:
                    community.add(result)
                    if output:
                        output.add(result)
                    progress.update(bar, advance=1, description="trading")
            _print_bills(console, day.bills)
            _print_community(console, day.bills, community)
            _print_ratios(console, community)
            if output:
                name = "wattproof/data/households.csv" if households is None else one_line(str(households))
                undrawn = _write(output, day, community, source, name, engine)
                console.print(Text(f"written: {one_line(str(out))}"), soft_wrap=True)
                if undrawn:
                    print(f"the picture cannot be drawn ({undrawn}); all other files are there", file=sys.stderr)
                    return 1
        return 0
    except PROBLEMS as problem:
        return exit_code(problem)


PROBLEMS = (BadInput, BadPlace, EngineUnavailable, UnusableToken, BooksDoNotBalance, OSError)
"""What can be wrong with a run that is not the program's fault alone."""


def exit_code(problem: Exception) -> int:
    """Says on stderr what went wrong. Returns 1 where the books do not balance, 2 where the input cannot be used."""
    if isinstance(problem, OSError):
        print(told(problem), file=sys.stderr)
        return 2
    print(problem, file=sys.stderr)
    return 1 if isinstance(problem, BooksDoNotBalance) else 2


# ---- the terminal ------------------------------------------------------------------------


def _print_bills(console: Console, bills: Mapping[str, Bill]) -> None:
    table = Table(title="Bills", title_justify="left", box=box.SIMPLE_HEAD, show_footer=True, padding=(0, 1, 0, 0))
    table.add_column("household\n", "all", no_wrap=True, overflow="ellipsis", max_width=20)
    headings = ("imported\nkWh", "exported\nkWh", "grid alone\np", "market\np", "saving\np", "saving\n%")
    for heading, footer in zip(headings, _bill_cells(sum(bills.values(), Bill())), strict=True):
        table.add_column(heading, footer, justify="right", no_wrap=True)
    for name, bill in bills.items():
        *cells, saving, percentage = _bill_cells(bill)
        colour = "green" if bill.saving > 0 else "red" if bill.saving < 0 else ""
        table.add_row(Text(name), *cells, Text(saving, style=colour), percentage)
    show(console, table)
    if any(min(bill.grid_alone, bill.market) < 0 for bill in bills.values()):
        console.print("Below 0 the household is paid. Savings in % are of what the grid alone comes to.\n", style="dim")


def _bill_cells(bill: Bill) -> tuple[str, ...]:
    """What a bill's line says, without units."""
    energy = (_kwh(bill.imported), _kwh(bill.exported))
    costs = (_pence(bill.grid_alone), _pence(bill.market), _pence(bill.saving))
    return (*energy, *costs, percent(bill.saving, bill.grid_alone).removesuffix(" %"))


def _print_community(console: Console, bills: Mapping[str, Bill], community: Community) -> None:
    total = sum(bills.values(), Bill())
    savers = sum(bill.saving > 0 for bill in bills.values())
    lines = (
        ("traded locally", f"{format_energy(total.bought)} in {community.trades} trades"),
        (
            "share",
            f"{percent(total.bought, total.exported)} of what was exported, "
            f"{percent(total.bought, total.imported)} of what was imported",
        ),
        ("service fees", format_money(total.fees)),
        ("compensation", f"{format_money(total.compensation)} for energy that did not come"),
        ("performances", f"{total.performances} good, {total.defaults} defaults"),
        ("savers", f"{savers} of {len(bills)} households"),
        ("balances", f"match the market's tokens after {community.matched} of {community.periods} periods"),
    )
    table = Table(title="Community", title_justify="left", box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for line in lines:
        table.add_row(*line)
    console.print(table)


def _print_ratios(console: Console, community: Community) -> None:
    """The supply-demand ratio of the periods in which something was quoted, side by side."""
    if not community.shown:
        console.print("\nNothing was quoted: no supply in any period.")
        return
    title = "\nSupply-demand ratio (SDR) where something was quoted; local trades in kWh, prices in p/kWh"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for _ in range(2):
        for heading in ("period", "SDR", "traded", "quote", "bid", ""):
            table.add_column(heading, justify="right", no_wrap=True)
    half = (len(community.shown) + 1) // 2
    left, right = community.shown[:half], community.shown[half:]
    for pair in zip_longest(left, right):
        table.add_row(*(cell for result in pair for cell in _ratio_cells(result)))
    show(console, table)
    if community.quoted > len(community.shown):
        console.print(f"These are the first {len(community.shown)} of {community.quoted} such periods.", style="dim")


def _ratio_cells(result: PeriodResult | None) -> tuple[str, ...]:
    if result is None:
        return ("",) * 6
    return (
        str(result.period),
        ratio(result.supply, result.demand),
        _kwh(result.delivered),
        _price(result.quote_price),
        _price(result.bid_price),
        "",
    )


def _kwh(wh: int) -> str:
    return format_energy(wh).removesuffix(" kWh")


def _pence(base_units: int) -> str:
    return format_money(base_units).removesuffix(" p")


def _price(base_per_wh: int | None) -> str:
    return "-" if base_per_wh is None else format_price(base_per_wh).removesuffix(" p/kWh")


# ---- the files ---------------------------------------------------------------------------


def _write(
    output: Output, day: Trading, community: Community, source: Households, name: str, engine: str
) -> str | None:
    """Writes all files; returns why the picture cannot be drawn, None where it is there."""
    output.close_tables()
    undrawn, pictures = None, (output.path("day.svg"), output.path("day.png"))
    try:
        # Imported late: it takes a second, and most runs write nothing.
        from wattproof.simulation.plot import draw

        draw(output.path("periods.csv"), day.tariff, *pictures, f"A trading day of {len(day.members)} households")
    except OSError:
        raise
    except Exception as problem:  # Whatever it comes to grief of, such as settings of matplotlib, the bills are kept.
        undrawn = one_line(brief(problem, 300))
        for picture in pictures:
            picture.unlink(missing_ok=True)
    told = summary(day, community, source, name, engine)
    output.write_bills(map(_bill_row, told["households"]))
    output.write_summary(told)
    output.finish()
    return undrawn


def summary(day: Trading, community: Community, source: Households, name: str, engine: str) -> dict[str, Any]:
    """What summary.json says, but for its periods.

    Energies are numbers, in Wh. An amount of money is an object: `base_units`, an exact integer as a string, and
    `text` in pence; a price likewise, in base units per Wh and p/kWh. Keys:

        schema, wattproof     version of this layout, and of the package
        input                 path as given, sha256, households, periods, first_period, forecasts ("file" or "seeded"),
                              warnings (what can hardly be meant in the file, a line each)
        seed, engine, versions   with input and tariff all that decides the results; versions of what ran them; the
                              engine is "chain" where it was a node
        contracts             keccak256 and size in bytes of each contract's compiled runtime code
        tariff                sbp, ssp, service_fee, and period_length, window (seconds), priority_step, rank_by_price
        balances_match_after_every_period   whether, after each period, all free and reserved money was exactly the
                              market's tokens; the two numbers stand with each period as accounts_total and market_holds
        community             energies, trades, fees, compensation, records and costs of all households together
        households            per household: class of its forecasts, capacity of its connection in a period, energies,
                              costs, record
        periods               per period the columns of periods.csv
    """
    tariff, bills = day.tariff, day.bills
    total = sum(bills.values(), Bill())
    packages = (*PACKAGES, "pyrevm") if engine == "revm" else PACKAGES
    return {
        "schema": SCHEMA,
        "wattproof": __version__,
        "input": {
            "path": name,
            "sha256": _sha256(source.path),
            "households": len(source.names),
            "periods": source.periods,
            "first_period": source.first_period,
            "forecasts": "file" if source.has_forecasts else "seeded",
            "warnings": list(source.warnings),
        },
        "seed": day.seed,
        "engine": engine,
        "versions": {"python": platform.python_version(), **{package: version(package) for package in packages}},
        "contracts": {contract: _code(contract) for contract in ("EnergyMarket", "MarketLens", "EnergyCredit")},
        "tariff": {
            "sbp": price(tariff.sbp),
            "ssp": price(tariff.ssp),
            "service_fee": price(tariff.service_fee),
            "period_length": tariff.period_length,
            "window": tariff.window,
            "priority_step": tariff.priority_step,
            "rank_by_price": tariff.rank_by_price,
        },
        "balances_match_after_every_period": 0 < community.periods == community.matched,
        "community": {
            "traded_locally_wh": total.bought,
            "exported_wh": total.exported,
            "imported_wh": total.imported,
            "share_of_exports": f"{total.bought}/{total.exported}",
            "share_of_exports_text": percent(total.bought, total.exported),
            "share_of_imports": f"{total.bought}/{total.imported}",
            "share_of_imports_text": percent(total.bought, total.imported),
            "trades": community.trades,
            "periods_with_quotes": community.quoted,
            "fees": money(total.fees),
            "compensation": money(total.compensation),
            "performances": total.performances,
            "defaults": total.defaults,
            **_costs(total),
            "households_that_save": sum(bill.saving > 0 for bill in bills.values()),
        },
        "households": [
            {
                "household": household,
                "class": None if source.has_forecasts else source.classes[household].value,
                "role": "prosumer" if bill.exported else "consumer",
                "capacity_wh": source.capacities[household],
                "imported_wh": bill.imported,
                "exported_wh": bill.exported,
                "bought_wh": bill.bought,
                "sold_wh": bill.sold,
                **_costs(bill),
                "paid": money(bill.paid),
                "earned": money(bill.earned),
                "fees": money(bill.fees),
                "compensation_received": money(bill.compensated),
                "compensation_paid": money(bill.compensation),
                "grid_account": money(bill.grid),
                "performances": bill.performances,
                "defaults": bill.defaults,
                "waivers": bill.waivers,
            }
            for household, bill in bills.items()
        ],
    }


def _costs(bill: Bill) -> dict[str, Any]:
    return {
        "grid_alone": money(bill.grid_alone),
        "market": money(bill.market),
        "saving": money(bill.saving),
        "saving_percent": percent(bill.saving, bill.grid_alone),
    }


def _bill_row(household: dict[str, Any]) -> dict[str, Any]:
    """A household of summary.json as a row of bills.csv: money in base units, and its costs in pence, too."""
    row = {name: value["base_units"] if isinstance(value, dict) else value for name, value in household.items()}
    in_pence = {f"{name}_p": exact_pence(int(row[name])) for name in ("grid_alone", "market", "saving")}
    return row | in_pence | {"saving_percent": row["saving_percent"].removesuffix(" %")}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _code(contract: str) -> dict[str, Any]:
    code = deployer(contract).compiler_data.bytecode_runtime
    return {"runtime_keccak256": keccak(code).hex(), "runtime_bytes": len(code)}
