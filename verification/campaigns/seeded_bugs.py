"""Breaks the contract in one place at a time and shows that the invariant which says so catches it: `make faults`.

Each `*.patch` beside this file is one fault: a sentence, the invariant that it violates, the test that checks that
invariant, and the change. A fault is caught if that test fails and found that invariant violated; anything else fails
the run. A fault can violate several: where the shrunk history shows another one first, a line says so.

Times are seconds from the start of the fault's own process, which compiles and deploys the faulty contract, plays the
seasons and draws histories, to the invariant's first violation and to the end of shrinking. The interpreter is started
and the modules are imported once for all faults; what that took is printed first.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import multiprocessing
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_BEGUN = time.monotonic()

import boa  # noqa: E402
import hypothesis.internal.conjecture.engine as hypothesis_engine  # noqa: E402
from hypothesis import HealthCheck, Phase, settings  # noqa: E402
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test  # noqa: E402

from verification.harness import counters as evidence  # noqa: E402
from verification.harness import presets as seasons  # noqa: E402
from verification.harness.lockstep import Twin  # noqa: E402
from verification.measurements import document, write  # noqa: E402
from verification.mutation.compiler import compilation, install, parse_ahead  # noqa: E402
from wattproof.evm.engine import roomy_env  # noqa: E402
from wattproof.market import deployment  # noqa: E402

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
LONGEST = 120
"""Seconds after which a fault counts as not caught."""

# Short histories: what they find shrinks in seconds. Shrinking stops at six seconds, whatever is left to gain.
SETTINGS: dict[str, Any] = dict(
    max_examples=3_000,
    stateful_step_count=25,
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
MOST_SHRINKING = 6


@dataclass(frozen=True)
class Fault:
    """One fault, as its patch describes it."""

    name: str
    sentence: str
    module: str
    invariant: str
    test: str
    patch: Path


@dataclass(frozen=True)
class Verdict:
    """What became of it: the invariants violated on the way, the one that the test reported, and the times."""

    reported: str | None
    seen: dict[str, float]
    compiled: float
    ended: float
    error: str


def faults() -> list[Fault]:
    """Every fault beside this file. ValueError where a patch does not say what it must."""
    return [_parse(path) for path in sorted(HERE.glob("*.patch"))]


def _parse(path: Path) -> Fault:
    head, _, _ = path.read_text().partition("\n--- ")
    fields = dict(re.findall(r"^(module|invariant|test): (\S+)$", head, re.MULTILINE))
    if fields.keys() != {"module", "invariant", "test"}:
        raise ValueError(f"{path}: its head must name module, invariant and test")
    return Fault(path.stem, head.splitlines()[0], fields["module"], fields["invariant"], fields["test"], path)


def check(fault: Fault) -> Verdict:
    """Runs the fault's test against the faulty contract in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="wattproof-fault-") as folder:
        shutil.copytree(ROOT / "contracts", Path(folder, "contracts"))
        subprocess.run(["git", "apply", str(fault.patch)], cwd=folder, check=True)
        receiver, sender = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=_child, args=(fault, folder, sender))
        process.start()
        sender.close()
        answered = receiver.poll(LONGEST)
        answer = {"reported": None, "seen": {}, "error": f"nothing in {LONGEST} s"}
        try:
            answer = receiver.recv() if answered else answer
        except EOFError:
            answer["error"] = "the process ended without a word: does the faulty contract compile?"
        process.kill()
        process.join()
    return Verdict(
        answer["reported"], answer["seen"], answer.get("compiled", 0), answer.get("ended", LONGEST), answer["error"]
    )


@functools.cache
def _seen_by_the_lens() -> set[Path]:
    """The sources that a lens is compiled from: where one of them is changed, it is compiled anew."""
    lens = compilation(ROOT / "contracts", "MarketLens")
    _ = lens.resolved_imports
    return {file.resolved_path for file in lens.input_bundle.loaded}


def _child(fault: Fault, folder: str, sender: Connection) -> None:
    begun = time.monotonic()
    os.environ["WATTPROOF_CONTRACTS"] = str(Path(folder, "contracts"))
    evidence.STORIES = Path(folder, "failures")
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (Hypothesis prints what it found)
    seen: dict[str, float] = {}
    remember = evidence.Violated.__init__

    def violated(self: evidence.Violated, invariant: str, details: dict[str, Any]) -> None:
        seen.setdefault(invariant, time.monotonic() - begun)
        remember(self, invariant, details)

    evidence.Violated.__init__ = violated  # type: ignore[method-assign]
    settings.register_profile("faults", **SETTINGS)
    settings.load_profile("faults")
    hypothesis_engine.MAX_SHRINKING_SECONDS = MOST_SHRINKING
    if not fault.invariant.startswith("C2") and fault.test != "tests/properties/test_terms.py::TestTerms":
        # The invariant must catch the fault by itself, without the model's help.
        Twin.comparing = Twin.strict_seasons = False
    here, there = ROOT / "contracts", Path(folder, "contracts")
    texts = {path: (there / path.relative_to(here)).read_text() for path in here.rglob("*.vy*")}
    changes = {path.resolve(): text for path, text in texts.items() if text != path.read_text()}
    for name in ("EnergyMarket", "MarketLens") if changes.keys() & _seen_by_the_lens() else ("EnergyMarket",):
        faulty = compilation(here, name, changes)
        _ = faulty.identity
        install(name, faulty)
    compiled = time.monotonic() - begun
    reported, error = None, "the test passed"
    with boa.swap_env(roomy_env("revm")):
        try:
            seasons.prepared("fresh")  # the others when a history first begins in one
            _run(fault.test)
            if seasons.failures:
                raise next(iter(seasons.failures.values()))
        except BaseException as failure:
            violations = [leaf for leaf in evidence.leaves(failure) if isinstance(leaf, evidence.Violated)]
            reported = violations[0].invariant if violations else None
            error = f"{type(failure).__name__}: {failure}".splitlines()[0][:200]
    sender.send(
        {"reported": reported, "seen": seen, "compiled": compiled, "ended": time.monotonic() - begun, "error": error}
    )


def _run(test: str) -> None:
    file, _, name = test.partition("::")
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    for value in list(vars(module).values()):
        is_machine = isinstance(value, type) and issubclass(value, RuleBasedStateMachine)
        if is_machine and f"Test{value.__name__}" == name and value.__module__ == module.__name__:
            run_state_machine_as_test(value, settings=settings.get_profile("faults"))
            return
    # What is made inside the first example would be undone, or be there in the second one only.
    getattr(module, "prepare", lambda: None)()
    function = getattr(module, name)
    if hasattr(function, "hypothesis"):  # the settings that it was decorated with are those of the tests
        function._hypothesis_internal_use_settings = settings.get_profile("faults")
    function()


def _details(rows: list[tuple[Fault, Verdict, float, bool]]) -> list[dict[str, Any]]:
    """What became of each, in the form that the invariant report reads."""
    return [
        {
            "fault": fault.name,
            "sentence": fault.sentence,
            "module": fault.module,
            "invariant": fault.invariant,
            "test": fault.test,
            "caught": caught,
            "seen": sorted(verdict.seen),
            "first": round(first, 2) if caught else None,
            "shrunk": round(verdict.ended, 2),
            "compile": round(verdict.compiled, 2),
        }
        for fault, verdict, first, caught in rows
    ]


def main() -> int:
    """Prints a row per fault and both medians; returns 1 where one was not caught by the invariant it names."""
    parser = argparse.ArgumentParser(prog="python -m tests.properties.faults", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="faults to check (default: all)")
    parser.add_argument("--test", help="run this test instead of the fault's own, and show what it finds")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    chosen = [fault for fault in faults() if not options.names or fault.name in options.names]
    if options.test:
        chosen = [Fault(f.name, f.sentence, f.module, "?", options.test, f.patch) for f in chosen]
    for fault in chosen:
        importlib.import_module(fault.test.partition("::")[0].removesuffix(".py").replace("/", "."))
    for name in ("EnergyCredit", "MarketLens"):  # once, for all faults that are not in their sources
        _ = deployment.deployer(name).compiler_data.bytecode
    _seen_by_the_lens()
    parse_ahead(ROOT / "contracts", "EnergyMarket")
    evidence.spare_collector()
    print(f"imports: {time.monotonic() - _BEGUN:.1f} s, once; engine revm")
    head = ("fault", "module", "invariant", "caught", "first s", "shrunk s", "compile s")
    print("{:<28} {:<13} {:<16} {:<7} {:>8} {:>9} {:>10}".format(*head))
    rows, missed = [], []
    for fault in chosen:
        verdict = check(fault)
        caught = verdict.reported is not None and (fault.invariant in verdict.seen or fault.invariant == "?")
        first = verdict.seen.get(fault.invariant, min(verdict.seen.values(), default=float("nan")))
        shown = fault.invariant if fault.invariant != "?" else str(verdict.reported)
        print(
            f"{fault.name:<28} {fault.module:<13} {shown:<16} {'yes' if caught else 'NO':<7} "
            f"{first:>8.1f} {verdict.ended:>9.1f} {verdict.compiled:>10.1f}",
            flush=True,
        )
        if caught and verdict.reported != shown:
            print(f"    the shrunk history violates {verdict.reported}, too, and first", flush=True)
        if not caught:
            missed.append(fault.name)
            print(f"    reported {verdict.reported}: {verdict.error}; seen {sorted(verdict.seen)}", flush=True)
        rows.append((fault, verdict, first, caught))
    hits = [(first, verdict) for _, verdict, first, caught in rows if caught]
    if hits:
        print(
            f"{len(hits)} of {len(rows)} caught; median {statistics.median(f for f, _ in hits):.1f} s to the first "
            f"failure and {statistics.median(v.ended for _, v in hits):.1f} s to a shrunk one, compiling included "
            f"(without: {statistics.median(f - v.compiled for f, v in hits):.1f} s and "
            f"{statistics.median(v.ended - v.compiled for _, v in hits):.1f} s)"
        )
    if options.json:
        figures = {"faults": len(rows), "caught": len(hits)}
        write(document("faults", None, _BEGUN, figures, _details(rows)), options.json)
    if missed:
        print(f"not caught by the invariant named: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
