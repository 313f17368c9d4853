"""A machine whose rules came to some call too rarely goes on with further histories.

How often a rare call is drawn differs between seeds, and with the modules that are loaded, by four times and more: of
one run's hundred histories alone, some machines would fail now and then though nothing is wrong with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from verification.harness import counters, summary
from verification.harness.reproducers import machine_of
from verification.plugins.profiles import profile_of

PROFILES = ("ci", "deep")
"""The profiles that judge how often each call was reached, but for campaigns, which only look for a violation."""

ROUNDS = 4
"""How often a machine makes the profile's number of histories, at most."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Once the test has passed: further rounds, as long as something was called too rarely."""
    result = yield
    machine: Any = machine_of(item)
    if machine is not None and profile_of(item.config) in PROFILES and not item.config.getoption("steps"):
        go_on(machine, item.cls.settings, item.config.getoption("hypothesis_seed", None))  # type: ignore[attr-defined]
    return result


def go_on(machine: Any, settings: hypothesis.settings, seed: int | None) -> int:
    """Plays further rounds of a machine until this process has called everything often enough, and counts them.

    Args:
        machine: the class of the machine.
        settings: those of a round.
        seed: the run's own, None where it is derandomized; the seeds of the rounds follow from it.
    """
    made = 0
    while made < ROUNDS - 1 and summary.rarely_called(counters.counts(), machine.__name__):
        made += 1
        # A class of its own takes the seed, so that the machine keeps none; it is the same to Hypothesis' database.
        names = {"__module__": machine.__module__, "__qualname__": machine.__qualname__}
        again = type(machine.__name__, (machine,), names)
        digest = hashlib.sha256(f"{machine.__qualname__} {seed} {made}".encode()).digest()
        run_state_machine_as_test(hypothesis.seed(int.from_bytes(digest[:8], "big"))(again), settings=settings)
    return made
