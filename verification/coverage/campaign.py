"""Runs the tests on py-evm, watches every program counter, and reports which edges and lines none of them ran."""

from __future__ import annotations

import argparse
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boa
from boa.vm.py_evm import PyEVM
from rich.console import Console
from vyper.ir import compile_ir

from verification.campaigns.suite import ABOUT_CONTRACTS, CONTRACTS, Suite, Unsound, collect, prepared, reasons
from verification.campaigns.workers import Ended, Pool, silence
from verification.coverage import lcov
from verification.coverage.code import OWN, Code, Edge
from verification.harness import presets
from verification.invariants import ROOT
from verification.measurements import document, file_of, progress, write
from verification.mutation.sources import TARGETS
from wattproof.market.deployment import deployer
from wattproof.outputs import BadPlace, File

UNREACHABLE = Path("docs/unreachable-edges.md")

LONGEST = 4 * 3_600
"""Seconds after which a part is given up."""

LENS = "MarketLens"

_ROW = re.compile(r"^\| (\S+) \| (\S+) \| `(.*)` \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)


def unreachable(root: Path) -> dict[tuple[str, ...], str]:
    """The reason of every edge in the list, by module, function, statement, decision and way."""
    return reasons(root / UNREACHABLE, _ROW)


# ---- watching --------------------------------------------------------------------------


class Watch:
    """The codes that are watched; takes in what any environment on py-evm runs while it is on."""

    def __init__(self, contracts: Path) -> None:
        self.codes = []
        for target in TARGETS:
            data = deployer(target).compiler_data
            runtime, creation = data.bytecode_runtime, data.bytecode
            self.codes.append(Code(target, runtime, data.source_map, contracts, len(runtime)))
            _, source_map = compile_ir.assembly_to_evm(data.assembly)
            self.codes.append(Code(f"{target} creation", creation, source_map, contracts, creation.index(runtime)))
        self._known: dict[bytes, Code | None] = {}

    def _code_of(self, raw: bytes) -> Code | None:
        # Immutables stand behind the runtime code.
        if raw not in self._known:
            self._known[raw] = next((code for code in self.codes if raw.startswith(code.bytecode)), None)
        return self._known[raw]

    def taken(self) -> list[tuple[set[tuple[int, int]], set[int]]]:
        """What was seen in each code since the last time."""
        seen = [(code.pairs, code.pcs) for code in self.codes]
        for code in self.codes:
            code.pairs, code.pcs = set(), set()
        return seen

    def add(self, seen: list[tuple[set[tuple[int, int]], set[int]]]) -> None:
        """Adds what another process has seen."""
        for code, (pairs, pcs) in zip(self.codes, seen, strict=True):
            code.pairs |= pairs
            code.pcs |= pcs

    def missing(self) -> int:
        """How many edges nobody has seen yet."""
        return sum(len(code.missing()) for code in self.codes)

    def see(self, computation: Any) -> None:
        """Takes in a computation and all that it called."""
        code = self._code_of(computation.code._raw_code_bytes)
        if code is not None:
            code.see(computation.code._trace)
        for child in computation.children:
            self.see(child)

    @contextmanager
    def on(self) -> Iterator[None]:
        """Watches every call and deployment inside the block."""

        def watched(name: str) -> Any:
            run = getattr(PyEVM, name)

            def method(*args: Any, **kwargs: Any) -> Any:
                computation = run(*args, **kwargs)
                self.see(computation)
                return computation

            return patch.object(PyEVM, name, method)

        with watched("execute_code"), watched("deploy_code"):
            yield


# ---- the tests -------------------------------------------------------------------------


def _unit_tests(suite: Suite, tell: Callable[[], None]) -> None:
    """All unit tests, file by file, on titanoboa's own engine."""
    for items in suite.units.values():
        suite.run(items)
        tell()


def _properties(suite: Suite, tell: Callable[[], None]) -> None:
    """All property tests, with few histories each."""
    with boa.swap_env(presets.environment("pyevm")):
        for check in suite.checks.values():
            prepared(*check.presets)
            suite.run(check.items)
            tell()


PARTS: dict[str, Callable[[Suite, Callable[[], None]], None]] = {"unit": _unit_tests, "properties": _properties}
"""What a campaign consists of; each part runs in a process of its own."""


def _work(part: str, suite: Suite, watch: Watch, pipe: Connection) -> None:
    silence()
    try:
        with watch.on():
            PARTS[part](suite, lambda: pipe.send(("passed", watch.taken())))
    except Exception as failure:
        pipe.send(("failed", f"{getattr(failure, 'test', part)} fails on py-evm: {failure}"))
    else:
        pipe.send(("done", None))


def run_parts(parts: Sequence[str], suite: Suite, watch: Watch, jobs: int, console: Console) -> dict[str, int]:
    """Runs the parts, `jobs` at a time, into `watch`; returns how many new edges each part brought, in order."""
    waiting, brought = list(parts), dict.fromkeys(parts, 0)
    total = {"unit": len(suite.units), "properties": len(suite.checks)}
    with progress(console, auto_refresh=False) as display, Pool[str](jobs) as pool:
        bars = {part: display.add_task(part, total=total[part]) for part in parts}
        while waiting or pool.workers:
            while waiting and not pool.is_full:
                part = waiting.pop(0)
                pool.start(part, _work, part, suite, watch, seconds=LONGEST)
            for worker, message in pool.messages():
                part = worker.job
                if isinstance(message, Ended):
                    raise Unsound(f"the {part} tests: {message}")
                kind, what = message
                if kind == "failed":
                    raise Unsound(what)
                if kind == "passed":
                    before = watch.missing()
                    watch.add(what)
                    brought[part] += before - watch.missing()
                    display.advance(bars[part])
                else:
                    pool.stop(worker)
            display.refresh()
    return brought


# ---- the report ------------------------------------------------------------------------


def is_library(edge: Edge) -> bool:
    """Whether an edge is of snekmate's modules, which have their folder's name in front."""
    return "/" in edge.module


def is_ours(edge: Edge) -> bool:
    """Whether an edge has to be run, or explained.

    A lens holds nothing and can be replaced: of it that is what its own source asks. What the compiler checks there
    besides, and the market's modules in it, are the market's to run.
    """
    own = edge.origin == OWN and edge.module == LENS
    return not is_library(edge) and (own or not edge.contract.startswith(LENS))


def report(codes: Sequence[Code], listed: dict[tuple[str, ...], str]) -> tuple[dict[str, Any], list[str]]:
    """Figures and details of what was seen, and what is wrong: edges and lines missing, entries that are not true."""
    edges = [edge for code in codes for edge in code.edges]
    gone = {edge for code in codes for edge in code.missing()}
    ours, library = [edge for edge in edges if is_ours(edge)], [edge for edge in edges if is_library(edge)]
    own = [edge for edge in ours if edge.origin == OWN]
    further = [edge for edge in edges if not is_ours(edge) and not is_library(edge)]
    explained = [edge for edge in ours if edge in gone and edge.key in listed]
    unexplained = [edge for edge in ours if edge in gone and edge.key not in listed]
    problems = [f"never run: {edge.shown()}" for edge in unexplained]
    known, true = {edge.key for edge in ours}, {edge.key for edge in explained}
    for key in (key for key in listed if key not in true):
        what = "was run" if key in known else "is no more"
        problems.append(f"{UNREACHABLE} lists an edge that {what}: {' | '.join(key)}")

    def run(some: Iterable[Edge]) -> int:
        return sum(edge not in gone for edge in some)

    # Lines that are only run by way of an edge that is listed as unreachable.
    excused = {(edge.module, edge.line) for edge in explained}
    lines: defaultdict[str, list[int]] = defaultdict(list)
    dark: defaultdict[str, list[int]] = defaultdict(list)
    for code in codes:
        for (module, line), pcs in code.lines.items():
            if "/" not in module:
                lines[module].append(line)
                if not pcs & code.pcs:
                    dark[module].append(line)
                    if (module, line) not in excused:
                        problems.append(f"never run: line {line} of {module}")
    modules = {}
    for module in sorted({edge.module for edge in ours} | lines.keys()):
        here = [edge for edge in ours if edge.module == module]
        modules[module] = {
            "edges": len(here),
            "edges run": run(here),
            "edges explained": sum(edge.module == module for edge in explained),
            "lines": len(lines[module]),
            "lines run": len(lines[module]) - len(dark[module]),
            "lines missing": sorted(dark[module]),
            "edges missing": [edge.shown() for edge in unexplained if edge.module == module],
        }
    kinds: defaultdict[str, list[Edge]] = defaultdict(list)
    for edge in ours:
        kinds[f"{edge.origin}: {edge.kind}, {edge.way}"].append(edge)
    figures = {
        "edges": len(ours),
        "edges run": run(ours),
        "edges explained as unreachable": len(explained),
        "edges missing": len(unexplained),
        "edges of conditions in the source": len(own),
        "of those run": run(own),
        "lines": sum(map(len, lines.values())),
        "lines run": sum(map(len, lines.values())) - sum(map(len, dark.values())),
        "edges of library code": len(library),
        "library edges run": run(library),
        "further edges of the lens": len(further),
        "further edges of the lens run": run(further),
    }
    details = {
        "modules": modules,
        "kinds": {name: {"edges": len(kinds[name]), "run": run(kinds[name])} for name in sorted(kinds)},
        "explained": [{"edge": edge.shown(), "reason": listed[edge.key]} for edge in explained],
    }
    return {"figures": figures, "details": details}, problems


def edges(options: argparse.Namespace, console: Console) -> int:
    """Runs a campaign. Returns 0 where every edge and line was run or is explained, 1 where not, 2 on errors.

    Beside the results it leaves the same as lcov.
    """
    effort = ("--histories", str(options.histories), "--steps", str(options.steps))
    how = ("--profile", "look", "--engine", "pyevm", *effort, *ABOUT_CONTRACTS)
    with file_of("edges", options.out) as file, File(lcov_beside(options.out)) as beside:
        return collect(lambda suite: _campaign(options, console, suite, file, beside), *how)


def lcov_beside(path: Path) -> Path:
    """Where the lcov of a file of results lies. Raises BadPlace where that is the same file."""
    if path.suffix == ".lcov":
        raise BadPlace(f"{path}: lcov is written beside the results; name a .json")
    return path.with_suffix(".lcov")


def _campaign(options: argparse.Namespace, console: Console, suite: Suite, file: File, beside: File) -> int:
    begun, listed = time.monotonic(), unreachable(ROOT)
    watch = Watch(CONTRACTS.resolve())
    brought = run_parts(options.part or list(PARTS), suite, watch, options.jobs, console)
    found, problems = report(watch.codes, listed)
    effort = {"histories": options.histories, "steps": options.steps, "new edges of": brought}
    evidence = document("edges", None, begun, found["figures"], effort | found["details"])
    write(evidence, file)
    ours = [edge for code in watch.codes for edge in code.edges if is_ours(edge)]
    beside.write(lcov.render(watch.codes, ours, CONTRACTS.resolve(), ROOT.resolve()))
    for name, value in evidence["figures"].items():
        console.print(f"{name:<36} {value}", highlight=False)
    for problem in problems:
        console.print(problem, soft_wrap=True, markup=False, highlight=False)
    console.print(f"all of it: {options.out}; as lcov: {beside.path}")
    return 1 if problems else 0
