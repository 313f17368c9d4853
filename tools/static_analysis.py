"""What static analysers say of the contracts: runs them and compares with the table of docs/static-analysis.md.

    python tools/static_analysis.py            # 1 where the table says something else
    python tools/static_analysis.py --update   # writes the table anew

They are installed into a folder of their own, as they need other libraries than the contracts do. Vyper itself has to
be installed beside this Python (`make` does that). It takes a few minutes and is not part of CI.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "static-analysis.md"
TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)

TOOLS = {"natrix": "0.1.9", "vyper-guard": "0.7.0", "slither-analyzer": "0.11.6"}

EXPLAINED = {
    "natrix NTX1": "large frames of views that answer whole books; a lens is called, never paid for",
    "natrix NTX8": "the variable of a loop that only counts",
    "natrix NTX11": "style: arguments here have no underscore before them",
    "vyper-guard cei_violation": "deposits book what arrived, after the transfer; locked (C5-TOKEN-8)",
    "vyper-guard integer_overflow": "bounds are proved of the settlement (proofs.md), else tested (C2-BOUND-1)",
    "vyper-guard missing_event_emission": "overlooks that the function it calls logs (C2-EVENT-1)",
    "vyper-guard missing_input_validation": "every amount is allowed, 0 too (T-MON-3); what is free is checked inside",
    "vyper-guard missing_nonreentrant": "overlooks `pragma nonreentrancy on`, which locks all (C5-TOKEN-8)",
    "vyper-guard shadowed_state_variable": "takes the assignment of immutables in the constructor for local variables",
    "vyper-guard timestamp_dependence": "the terms are about time (assumption 2 of invariants.md)",
    "vyper-guard unsafe_raw_call": "overlooks that `raw_call` reverts by itself where the call fails (C4-CREDIT-2)",
}
"""By tool and rule, why what it reports is no defect."""


def main() -> int:
    """Returns 0 where the table is true or was written, 1 where it is not, 2 where a tool cannot be installed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--update", action="store_true", help="write the table anew")
    update = parser.parse_args().update
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / "bin"
        pinned = [f"{name}=={version}" for name, version in TOOLS.items()]
        install = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pinned]
        if subprocess.run(install, check=False).returncode:
            print(f"{', '.join(pinned)} cannot be installed here: pip says why above", file=sys.stderr)
            return 2
        found = _natrix(programs) + _vyper_guard(programs)
        slither = _run(programs / "slither", "contracts/EnergyMarket.vy")
    written = _table(found, slither)
    document = DOCUMENT.read_text(encoding="utf-8")
    if update:
        DOCUMENT.write_text(TABLE.sub(lambda _: written, document), encoding="utf-8")
    elif written not in document:
        print(f"{DOCUMENT} says something else: look at this, then --update\n{written}", file=sys.stderr)
        return 1
    if new := sorted(set(found) - EXPLAINED.keys()):
        print(f"not explained, see EXPLAINED in {Path(__file__).name}: {', '.join(new)}", file=sys.stderr)
        return 1
    return 0


def _run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A tool, which finds this Python's vyper first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [str(program), *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )


def _sources(*patterns: str) -> list[str]:
    return [str(path.relative_to(ROOT)) for pattern in patterns for path in sorted((ROOT / "contracts").glob(pattern))]


def _natrix(programs: Path) -> Counter[str]:
    """By rule how often natrix reports it; it follows the imports of each contract."""
    spec = find_spec("snekmate")
    libraries = str(Path(next(iter((spec and spec.submodule_search_locations) or ["."]))).parent)
    found: Counter[str] = Counter()
    for contract in _sources("*.vy"):
        told = json.loads(_run(programs / "natrix", "lint", contract, "-p", ".", libraries, "--json").stdout)
        found.update(f"natrix {issue['code']}" for issue in told)
    return found


def _vyper_guard(programs: Path) -> Counter[str]:
    """By rule how often vyper-guard reports it; it reads each file by itself."""
    found: Counter[str] = Counter()
    for source in _sources("*.vy", "market/*.vy"):
        told = json.loads(_run(programs / "vyper-guard", "analyze", source, "--format", "json").stdout)
        found.update(f"vyper-guard {issue['detector']}" for issue in told["findings"])
    return found


def _table(found: Counter[str], slither: subprocess.CompletedProcess[str]) -> str:
    lines = ["| tool | rule | reports | why it is no defect |", "|---|---|--:|---|"]
    for name in sorted(found):
        tool, rule = name.split()
        lines.append(f"| {tool} {TOOLS[tool]} | {rule} | {found[name]} | {EXPLAINED.get(name, '**not explained**')} |")
    failed = "Vyper compilation errored" in slither.stderr
    said = "could not read the contracts: it does not find installed libraries" if failed else "**reads them now**"
    lines.append(f"| slither-analyzer {TOOLS['slither-analyzer']} | - | - | {said} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
