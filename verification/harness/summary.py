"""The closing report of a run of the property tests, and what makes a run fail that has too little to show."""

from __future__ import annotations

from collections import Counter
from typing import Any

from verification.harness.totals import accepted_and_refused
from verification.invariants import invariants

LEAST_ACCEPTED = {
    "submit_quote": 50,
    "submit_bid": 100,
    "reveal_bid": 100,
    "match_bids": 30,
    "buy_surplus": 10,
    "submit_reading": 100,
    "settle_quote": 25,
    "settle_account": 50,
    "deposit": 10,
    "withdraw": 10,
    "withdraw_at_least": 2,
    "clear": 10,
    "authorize": 3,
    "revoke": 3,
}
"""Accepted calls per entry point that every machine must reach in 100 histories. About a third of what is usual."""

LEAST_IN_TERMS = LEAST_ACCEPTED | {
    "register": 2,
    "invalidate_quote": 5,
    "transfer_ownership": 2,
    "accept_ownership": 1,
    "submit_readings": 5,
    "settle_accounts": 5,
}
"""The same for the machine that makes any call with anything."""

LEAST_REFUSED = 5
"""Refused calls per entry point that `Terms` must reach in 100 histories; `clear` is never refused."""

EARLIER = "positions: earlier not settled"

LEAST_IN_THE_WAY = {"submit_quote": 20, "reveal_bid": 5, "buy_surplus": 1, "submit_reading": 20}
"""Calls that `Worn` must see refused for an earlier record in 100 histories, by entry point."""

ENOUGH = 100
"""Histories from which on a machine's counts are judged."""


def rarely_called(total: dict[str, Any], only: str | None = None) -> list[str]:
    """A line for each entry point that a machine's rules called too rarely; `only`: of that machine alone."""
    lines = []
    for name, histories in sorted(total["tallies"].items()):
        machine = name.removeprefix("histories of ")
        if machine == name or histories < ENOUGH or only not in (None, machine):
            continue
        for function, least in (LEAST_IN_TERMS if machine == "Terms" else LEAST_ACCEPTED).items():
            accepted, refused = accepted_and_refused([total["calls"].get(f"{machine}.{function}", {})])
            if accepted * 100 < least * histories:
                shown = f"{accepted} accepted in {histories} histories"
                lines.append(f"{machine}.{function}: {shown}; {least} in 100 needed")
            if machine == "Terms" and function != "clear" and refused * 100 < LEAST_REFUSED * histories:
                lines.append(f"{machine}.{function}: {refused} refused in {histories} histories; too few")
        if machine == "Worn":
            for function, least in LEAST_IN_THE_WAY.items():
                found = total["calls"].get(f"{machine}.{function}", {}).get(EARLIER, 0)
                if found * 100 < least * histories:
                    shown = f"{found} refused for an earlier record in {histories} histories"
                    lines.append(f"{machine}.{function}: {shown}; {least} in 100 needed")
    return lines


def unreached(total: dict[str, Any]) -> list[str]:
    """The invariants of `invariants.md` that were never checked with their premise true."""
    return sorted(invariants().keys() - total["checked"].keys())


def write_report(terminal: Any, total: dict[str, Any], engine: str, profile: str, seconds: float) -> None:
    """Writes accepted and refused calls per machine, phases, and how often each invariant was checked."""
    tallies, calls = Counter(total["tallies"]), total["calls"]
    terminal.section("properties")
    terminal.line(
        f"engine {engine}, profile {profile}: {tallies['histories']} histories, {tallies['steps']} steps, "
        f"{tallies['states compared']} states compared, in {seconds:.0f} s"
    )
    if tallies["microseconds"]:
        rate = tallies["steps"] * 1_000_000 // tallies["microseconds"]
        terminal.line(f"{rate} checked steps a second per core (processor time of the histories)")
    terminal.line("calls (accepted / refused):")
    for name in sorted(calls):
        accepted, refused = accepted_and_refused([calls[name]])
        terminal.line(f"  {name:<44} {accepted:>8} / {refused}")
    terminal.line("calls by phase: " + ", ".join(f"{name} {count}" for name, count in sorted(total["phases"].items())))
    terminal.line("invariants (checked / premise false):")
    for name in sorted(total["checked"].keys() | total["vacuous"].keys()):
        terminal.line(f"  {name:<20} {total['checked'].get(name, 0):>8} / {total['vacuous'].get(name, 0)}")
