"""The commands `wattproof compilers`, `wattproof nodes` and `wattproof prove`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from wattproof.cli.arguments import count, place

if TYPE_CHECKING:
    from rich.console import Console


def add(commands: Any) -> None:
    """Adds the parts of the evidence that replay histories or prove formulas."""
    compilers = commands.add_parser("compilers", help="compare all builds of the contracts on both engines")
    _add_histories(compilers, 36, 400)
    nodes = commands.add_parser("nodes", help="feed three nodes the same signed transactions and compare their blocks")
    _add_histories(nodes, 24, 400)
    prove = commands.add_parser("prove", help="prove the settlement's arithmetic with z3")
    prove.add_argument("--timeout", type=count, default=60, help="seconds for one question (default: 60)")
    instead = prove.add_mutually_exclusive_group()
    instead.add_argument("--accept", action="store_true", help="accept the functions as they are now as reviewed")
    instead.add_argument("--docs", type=place, metavar="FILE", help="write the table of claims into docs/proofs.md")
    for command in (compilers, nodes, prove):
        command.add_argument("--out", type=place, metavar="FILE", help="the JSON file (default: in out/evidence)")
        command.set_defaults(run=_run)


def _add_histories(command: argparse.ArgumentParser, histories: int, length: int) -> None:
    command.add_argument("--histories", type=count, default=histories, help=f"how many (default: {histories})")
    command.add_argument("--length", type=count, default=length, help=f"calls in each (default: {length})")
    command.add_argument(
        "--seed", type=int, default=1, help="of the first history, one more for each further one (default: 1)"
    )


def _run(options: argparse.Namespace) -> int:
    """Runs a part and writes its file; 1 where it does not hold."""
    from rich.console import Console

    from verification import measurements
    from wattproof.evm.node import NodeUnavailable, RpcError

    console = Console()
    try:
        with measurements.file_of(_FILES.get(options.command) or str(options.command), options.out) as file:
            told = _PARTS[options.command](options, console)
            if told is None:
                return 0
            for name, figure in told["figures"].items():
                console.print(f"{name}: {figure}", highlight=False)
            measurements.write(told, file)
        console.print(f"written to {file.path}", highlight=False)
        return 0
    except (NodeUnavailable, RpcError) as problem:
        print(problem, file=sys.stderr)
        return 2
    except AssertionError as failure:
        print(f"{options.command}: {failure}", file=sys.stderr)
        return 1


def _compilers(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    from verification.differential import compilers

    return compilers.run(options.histories, options.length, options.seed, console)


def _nodes(options: argparse.Namespace, console: Console) -> dict[str, Any]:
    from verification.differential import nodes

    return nodes.run(options.histories, options.length, options.seed, console)


def _prove(options: argparse.Namespace, console: Console) -> dict[str, Any] | None:
    from verification.proofs import binding, claims
    from wattproof.outputs import BadPlace, write

    if options.accept:
        binding.accept()
        console.print(f"kept in {binding.LOOKED_AT}", highlight=False)
        return None
    if options.docs:
        try:
            text = claims.written(options.docs.read_text(encoding="utf-8"))
        except ValueError as problem:  # No UTF-8, or another document.
            raise BadPlace(f"{options.docs}: {problem}") from problem
        write(options.docs, text)
        return None
    return claims.run(console, options.timeout)


_PARTS = {"compilers": _compilers, "nodes": _nodes, "prove": _prove}
"""What runs each command; None where there is nothing to write."""

_FILES = {"prove": "symbolic"}
"""The part of the evidence, where it is not called like the command."""
