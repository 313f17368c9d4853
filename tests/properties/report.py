"""The closing report of a run of the property tests."""

from __future__ import annotations

from typing import Any


def write_report(terminal: Any, total: dict[str, Any], engine: str, profile: str, seconds: float) -> None:
    """Writes accepted and refused calls per machine, phases, and how often each invariant was checked."""
    tallies, calls = total["tallies"], total["calls"]
    terminal.section("properties")
    terminal.line(
        f"engine {engine}, profile {profile}: {tallies['histories']} histories, {tallies['steps']} steps, "
        f"{tallies['states compared']} whole states compared, in {seconds:.0f} s"
    )
    terminal.line("calls (accepted / refused):")
    for name in sorted(calls):
        accepted = calls[name]["accepted"]
        terminal.line(f"  {name:<44} {accepted:>8} / {sum(calls[name].values()) - accepted}")
    terminal.line("calls by phase: " + ", ".join(f"{name} {count}" for name, count in sorted(total["phases"].items())))
    terminal.line("invariants (checked / premise false):")
    for name in sorted(total["checked"].keys() | total["vacuous"].keys()):
        terminal.line(f"  {name:<20} {total['checked'].get(name, 0):>8} / {total['vacuous'].get(name, 0)}")
