"""How tests are chosen: by the invariant that they check, and never by accident all of them."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from verification.invariants import ROOT
from wattproof.cli.arguments import seconds


def collected(*arguments: str) -> list[str]:
    """The tests that pytest would run."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_k_selects_by_invariant() -> None:
    files = ("tests/properties/test_matching.py", "tests/properties/test_tokens.py")
    assert collected(*files, "-k", "C3-MATCH-9") == ["tests/properties/test_matching.py::TestMatching::runTest"]
    group = collected(*files, "-k", "C5-TOKEN")
    assert "tests/properties/test_tokens.py::test_no_token_no_money" in group
    assert all(name.startswith("tests/properties/test_tokens.py") for name in group)


@pytest.mark.skipif(not (ROOT / "Makefile").is_file(), reason="no Makefile here")
def test_one_test_has_to_be_named() -> None:
    # As if all was installed already.
    command = ["make", "-o", ".venv/.ready", "test-one"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout.startswith("name a test: make test-one TEST=tests/properties/")


@pytest.mark.parametrize(("text", "expected"), [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200)])
def test_times_are_written_the_same_everywhere(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0s", "-1", "1.5h", "2 h", "2d", "h"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="write 90s, 30m or 2h"):
        seconds(text)
