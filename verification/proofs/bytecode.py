"""A second opinion on the proofs, from the bytecode: halmos runs the market's own functions on all values at once.

halmos expects a Foundry project of Solidity tests. `Checks.vy` is compiled into the same form, so that neither forge
nor solc is needed. Only what terminates is claimed; `EXPECTED` says what does not. halmos is no dependency, as it
insists on another z3: it is used where `WATTPROOF_HALMOS`, or else the path, has it; `make evidence` installs it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from vyper.compiler.output import build_abi_output, build_method_identifiers_output

from verification.builds import compiled
from wattproof.market.deployment import contracts_dir

SOURCE = Path(__file__).with_name("Checks.vy")

PASS, FAIL, TIMEOUT = "holds for all values", "refuted by values", "no answer in time"
_VERDICTS = {0: PASS, 1: FAIL, 2: TIMEOUT}

EXPECTED: dict[str, tuple[str, ...]] = {
    "check_escrow_is_volume_times_price_and_fee": (PASS,),
    "check_collateral_before_rounding": (PASS,),
    "check_wrong_escrow": (FAIL,),
    # A product of two symbolic factors, divided: too much for the solver on words of 256 bits. See `proofs`.
    "check_collateral_covers_a_compensation": (PASS, TIMEOUT),
    "check_pro_rata": (PASS, TIMEOUT),
}
"""What halmos may say of each check; it fails on anything else."""

SECONDS = 20
"""Time limit of a question to the solver."""


class NotAsExpected(AssertionError):
    """halmos says something else of a check than it should."""


def find() -> str | None:
    """The halmos to use, None where there is none."""
    return os.environ.get("WATTPROOF_HALMOS") or shutil.which("halmos")


def run(halmos: str) -> dict[str, str]:
    """What halmos says of each check. Raises NotAsExpected where that is not in `EXPECTED`."""
    with tempfile.TemporaryDirectory(prefix="wattproof-halmos-") as folder:
        _project(Path(folder))
        answers = Path(folder, "answers.json")
        arguments = ["--root", folder, "--storage-layout", "generic", "--loop", "8", "--json-output", str(answers)]
        arguments += ["--solver-timeout-assertion", f"{SECONDS}s", "--no-status"]
        tools = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(
            [halmos, *arguments], env=os.environ | tools, cwd=folder, capture_output=True, text=True, check=False
        )
        if not answers.exists():
            raise NotAsExpected(f"halmos answers nothing: {(done.stderr or done.stdout)[-500:]}")
        results = json.loads(answers.read_text())["test_results"]["Checks.sol:Checks"]
    return judged({result["name"].partition("(")[0]: result["exitcode"] for result in results})


def judged(codes: dict[str, int]) -> dict[str, str]:
    """The verdicts of halmos in words. Raises NotAsExpected where a check is missing or its verdict is another one."""
    verdicts = {name: _VERDICTS.get(code, f"error {code}") for name, code in sorted(codes.items())}
    for name, expected in EXPECTED.items():
        if verdicts.get(name) not in expected:
            raise NotAsExpected(f"halmos on {name}: {verdicts.get(name, 'nothing')}; expected: {' or '.join(expected)}")
    return verdicts


def _project(folder: Path) -> None:
    """What `forge build` would leave of the checks, and a forge that does nothing."""
    data = compiled(SOURCE, contracts_dir())
    selectors = {name: number[2:].zfill(8) for name, number in build_method_identifiers_output(data).items()}
    contract = {"nodeType": "ContractDefinition", "name": "Checks", "contractKind": "contract", "nodes": [], "id": 1}
    artifact: dict[str, Any] = {
        "abi": build_abi_output(data),
        "bytecode": {"object": "0x" + data.bytecode.hex(), "linkReferences": {}},
        "deployedBytecode": {"object": "0x" + data.bytecode_runtime.hex(), "linkReferences": {}},
        "methodIdentifiers": selectors,
        "metadata": {"compiler": {"version": "0.4.3"}, "output": {"devdoc": {"methods": {}}}},
        "id": 0,
        "ast": {"absolutePath": "Checks.sol", "nodeType": "SourceUnit", "nodes": [contract], "src": "0:0:0"},
    }
    out = folder / "out" / "Checks.sol"
    out.mkdir(parents=True)
    (out / "Checks.json").write_text(json.dumps(artifact))
    forge = folder / "forge"
    forge.write_text("#!/bin/sh\nexit 0\n")
    forge.chmod(0o755)
