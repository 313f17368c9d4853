"""How hard the property tests try, and on which engine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings

from verification.harness import kept_examples
from verification.rerun import contracts_shown, line, on_contracts
from wattproof.evm.engine import available

# Derandomized is not the same everywhere: Hypothesis also draws constants of whatever modules of ours are loaded, and
# that differs from worker to worker (findings/hypothesis-derandomize-follows-imports.sh): bounds on counts need room.
# A machine's step costs about a millisecond on revm and fifty on py-evm; deadlines would only measure the machine.
_COMMON: dict[str, Any] = dict(
    deadline=None,
    print_blob=False,  # A failure is told as calls, for any version of Hypothesis.
    report_multiple_bugs=False,  # each further one would be shrunk for another minute
    phases=[phase for phase in Phase if phase is not Phase.explain],  # explaining costs five times a failure
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
_CAMPAIGN: dict[str, Any] = _COMMON | dict(
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
PROFILES: dict[str, dict[str, Any]] = {
    # Under a minute for all machines on revm: a look before a commit.
    "quick": dict(max_examples=15, stateful_step_count=60, derandomize=True, database=None, **_COMMON),
    # What `make test` runs: some minutes on two cores.
    "ci": dict(max_examples=100, stateful_step_count=100, derandomize=True, database=None, **_COMMON),
    # What a campaign begins with on each changed contract, and what it goes on with.
    "look": dict(max_examples=6, stateful_step_count=25, **_CAMPAIGN),
    "long": dict(max_examples=20, stateful_step_count=40, **_CAMPAIGN),
    # Seeded bugs: short histories, of as many as it takes.
    "bugs": dict(max_examples=3_000, stateful_step_count=25, **_CAMPAIGN),
    # One pass of `make deep`, which repeats it with new seeds until its time is up.
    "deep": dict(max_examples=2_000, stateful_step_count=150, verbosity=Verbosity.quiet, **_COMMON),
}


def engine_name(config: pytest.Config) -> str:
    """The engine of the property tests: the one asked for, or else revm where it is installed."""
    return config.getoption("engine") or available()[-1]


def profile_of(config: pytest.Config) -> str:
    """The profile of the property tests."""
    return str(config.getoption("profile"))


def rerun(config: pytest.Config, test: str) -> str:
    """The line that draws the histories of a property test again, with all that was asked for."""
    numbers = {name: config.getoption(name) for name in ("histories", "steps")}
    seed = config.getoption("hypothesis_seed", None)
    again = line(test, engine_name(config), profile_of(config), seed, **numbers)
    return on_contracts(contracts_shown()) + again


def load(config: pytest.Config) -> None:
    """Registers the profiles, and chooses one."""
    asked: dict[str, Any] = {"report_multiple_bugs": config.getoption("multiple_bugs")}
    if config.getoption("hypothesis_seed", None) is not None:
        asked["derandomize"] = False  # Derandomised, it would not look at the seed.
    numbers = {"max_examples": config.getoption("histories"), "stateful_step_count": config.getoption("steps")}
    asked |= {name: number for name, number in numbers.items() if number}
    database = kept_examples.database()
    for name, values in PROFILES.items():
        profile = settings(**values | asked)
        # A derandomized run has no database unless it is given one afterwards.
        keeps = {"database": database} if name in kept_examples.PROFILES else {}
        settings.register_profile(name, profile, **keeps)
    settings.load_profile(profile_of(config))
