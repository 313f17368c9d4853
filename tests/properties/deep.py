"""Runs the property tests again and again with new seeds until a time budget is used up: `make deep BUDGET=2h`.

Each pass is one run of pytest under the profile `deep`; its seed is printed, and a pass that fails ends the run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

from wattproof.arguments import seconds


def main() -> int:
    """Returns 0 where every pass succeeded, else the exit code of the pass that did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.properties.deep", description=__doc__.split("\n")[0])
    parser.add_argument("--budget", type=seconds, default=seconds("2h"), help="90s, 30m, 2h (default: 2h)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first pass (default: the time)")
    options = parser.parse_args()
    ends, seed = time.monotonic() + options.budget, options.seed
    while time.monotonic() < ends:
        left = int(ends - time.monotonic())
        print(f"---- pass with --hypothesis-seed={seed}; {left // 60} min {left % 60} s left", flush=True)
        command = ["-m", "pytest", "-q", "-n", str(options.jobs), "--dist", "worksteal", "--profile", "deep"]
        try:
            run = subprocess.run(
                [sys.executable, *command, f"--hypothesis-seed={seed}", "tests/properties"], timeout=max(left, 60)
            )
        except subprocess.TimeoutExpired:
            print("the time is up; the last pass was cut short", flush=True)
            return 0
        if run.returncode:
            print(f"failed; once more: pytest --profile deep --hypothesis-seed={seed} tests/properties", flush=True)
            return run.returncode
        seed += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
