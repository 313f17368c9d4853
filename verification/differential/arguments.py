"""The commands `wattproof compilers`, `wattproof nodes` and `wattproof prove`."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

from wattproof.cli.arguments import count


def add(commands: Any) -> None:
    """Adds the parts of the evidence that replay histories or prove formulas."""
    compilers = commands.add_parser("compilers", help="compare all builds of the contracts on both engines")
    _add_histories(compilers, 36, 400)
    nodes = commands.add_parser("nodes", help="feed three nodes the same signed transactions and compare their blocks")
    _add_histories(nodes, 24, 400)
    prove = commands.add_parser("prove", help="prove the settlement's arithmetic with z3 (needs wattproof[evidence])")
    prove.add_argument("--timeout", type=count, default=60, help="seconds for one question (default: 60)")
    prove.add_argument("--accept", action="store_true", help="keep the contract's functions of now as looked at")
    prove.add_argument("--docs", type=Path, metavar="FILE", help="write the table of claims into docs/proofs.md")
    for command in (compilers, nodes, prove):
        command.add_argument("--out", type=Path, metavar="FILE", help="the JSON file (default: in out/evidence)")
        command.set_defaults(run=_run)


def _add_histories(command: argparse.ArgumentParser, histories: int, length: int) -> None:
    command.add_argument("--histories", type=count, default=histories, help=f"how many (default: {histories})")
    command.add_argument("--length", type=count, default=length, help=f"calls in each (default: {length})")
    command.add_argument("--seed", type=int, default=1, help="of the first history; the next has the next (default: 1)")


def _run(options: argparse.Namespace) -> int:
    """Runs a part and writes its file; 1 where it does not hold."""
    from rich.console import Console

    from verification import measurements as report
    from wattproof.evm.anvil import AnvilUnavailable

    console = Console()
    try:
        if options.command == "prove":
            told = _prove(options, console)
        else:
            module = importlib.import_module(f"wattproof.evidence.{options.command}")
            told = module.run(options.histories, options.length, options.seed, console)
    except AnvilUnavailable as problem:
        print(problem, file=sys.stderr)
        return 2
    except ModuleNotFoundError as missing:
        if missing.name != "z3":
            raise
        print("proofs need z3: pip install 'wattproof[evidence]'", file=sys.stderr)
        return 2
    except AssertionError as failure:
        print(f"{options.command}: {failure}", file=sys.stderr)
        return 1
    if told is None:
        return 0
    for name, figure in told["figures"].items():
        console.print(f"{name}: {figure}", highlight=False)
    console.print(f"written to {report.write(told, options.out)}", highlight=False)
    return 0


def _prove(options: argparse.Namespace, console: Any) -> dict[str, Any] | None:
    from verification.proofs import binding as ties
    from verification.proofs import claims as proofs

    if options.accept:
        ties.accept()
        console.print(f"kept in {ties.LOOKED_AT}", highlight=False)
        return None
    if options.docs:
        options.docs.write_text(proofs.written(options.docs.read_text()))
        return None
    return proofs.run(console, options.timeout)
