"""What a whole run measures by itself, as it takes about a minute: proofs, gas in this process, a sample of mutants."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from verification.campaigns.workers import running
from verification.invariants import ROOT
from verification.report.campaign import Campaign
from wattproof.market.deployment import contracts_dir

FOLDER = "measured"
"""The folder inside a run's in which the measurements lie."""

LONGEST = 170
"""Seconds that all of them together may take; what is not done by then is left out."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "symbolic": ("prove",),
    "gas": ("gas", "--in-process"),
    "mutation": (
        *("mutate", "--sample", "8", "--budget", "60s", "--effort", "look", "--no-unit"),
        *("--check", "tests/properties/test_terms.py::TestTerms", "--record", "mutation.jsonl"),
    ),
}
"""By part the command that measures it, or a sample of it."""

TITLES = {"symbolic": "proofs", "gas": "gas (in this process)", "mutation": "a sample of mutants"}


def left_out(campaign: Campaign) -> str:
    """Why a run does not measure by itself, in a few words; empty where it does."""
    if campaign.plan.profile == "quick":
        return "the quick profile"
    if campaign.plan.within is not None:
        return "a limit of time"
    if campaign.stopped:
        return "a run that was stopped"
    return "a run with failures" if any(stage.failed for stage in campaign.stages) else ""


def measure(campaign: Campaign, console: Console) -> None:
    """Measures the cheap parts at the same time, and says how each ends. Ctrl-C leaves out what is not done."""
    if why := left_out(campaign):
        console.print(f"{why} leaves out: {', '.join(TITLES.values())}", soft_wrap=True)
        return
    folder = campaign.stages[0].folder / FOLDER
    folder.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        open_ones = {name: _start(stack, name, folder) for name in COMMANDS if _is_about(name)}
        console.print(f"measuring {', '.join(TITLES[name] for name in open_ones)} …", soft_wrap=True)
        try:
            _wait(open_ones, console)
        except KeyboardInterrupt:
            console.print(f"interrupted: left out are {', '.join(TITLES[name] for name in open_ones)}", soft_wrap=True)


def _is_about(name: str) -> bool:
    """Whether a measurement is about the contracts that are verified: mutants are made of the checkout's alone."""
    return name != "mutation" or contracts_dir().resolve() == ROOT / "contracts"


def _start(stack: contextlib.ExitStack, name: str, folder: Path) -> subprocess.Popen[bytes]:
    command, *options = COMMANDS[name]
    options = [str(folder / option) if option.endswith(".jsonl") else option for option in options]
    log = stack.enter_context((folder / f"{name}.log").open("wb"))
    out = ["--out", str(folder / f"{name}.json")]
    whole = [sys.executable, "-m", "wattproof", command, *options, *out]
    return stack.enter_context(running(whole, stdout=log, stderr=subprocess.STDOUT))


def _wait(open_ones: dict[str, subprocess.Popen[bytes]], console: Console) -> None:
    """Waits for all, as long as they may take; takes out of `open_ones` what has ended."""
    began = time.monotonic()
    while open_ones:
        for name, process in list(open_ones.items()):
            # A sample in which a mutant survives short histories ends with 1, and is measured all the same.
            if (status := process.poll()) is not None:
                del open_ones[name]
                done = "done" if status in (0, 1) else f"left out, exit code {status}"
                console.print(f"  {TITLES[name]}: {done} after {time.monotonic() - began:.0f} s")
        if time.monotonic() - began > LONGEST:
            console.print(f"  left out after {LONGEST} s: {', '.join(TITLES[name] for name in open_ones)}")
            return
        time.sleep(0.2)
