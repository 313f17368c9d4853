"""What a run comes to, in a sentence."""

from __future__ import annotations

from typing import Any

from verification.report.campaign import TITLES, Campaign
from verification.report.entries import BLOCKED, FALSIFIED, HELD, LEFT_OUT, NOT_REACHED, STATUSES
from verification.report.facts import some


def verdict(document: dict[str, Any], campaign: Campaign) -> dict[str, Any]:
    """What it all comes to: `held`, `falsified` or `incomplete`, in a sentence."""
    by_status = {
        status: [row["id"] for row in document["invariants"] if row["status"] == status] for status in STATUSES
    }
    failed = sorted(name for name, test in document["tests"].items() if test["outcome"] in ("failed", "error"))
    presets = sorted({failure["preset"] for failure in document["failures"] if failure["preset"]})
    missing = _missing(document, campaign)
    partial = campaign.stopped is not None or not all(document["effort"]["complete"].values())
    broken = [stage["error"] for stage in document["stages"].values() if stage["state"] == "failed"]
    total = len(document["invariants"]) - len(by_status[LEFT_OUT])
    if by_status[FALSIFIED] or failed or presets:
        outcome = "falsified"
        own = sorted(by_status[FALSIFIED], key=lambda name: name.startswith("C2-"))  # What names the fault comes first.
        does = "does" if len(own) == 1 else "do"
        of = "" if document["selection"]["asked"] else f" of {total}"  # Some may not have been asked for.
        sentence = f"{len(own)}{of} invariant{'' if len(own) == 1 and not of else 's'} {does} not hold: {some(own)}."
        if not by_status[FALSIFIED]:
            many = "1 test" if len(failed) == 1 else f"{len(failed)} tests"
            sentence = f"{many} failed, though no invariant was seen not to hold: {some(failed)}."
    elif partial or by_status[BLOCKED] or broken:
        outcome = "incomplete"
        why = campaign.stopped or (some(broken, 3) if broken else "some tests did not run to their end")
        sentence = (
            f"Nothing was seen not to hold, but the run is not whole: {why}. "
            f"{len(by_status[HELD])} of {total} invariants held; of the others it shows nothing."
        )
    elif by_status[NOT_REACHED]:
        outcome = "held" if document["effort"]["profile"] == "quick" else "incomplete"
        held, missed = len(by_status[HELD]), len(by_status[NOT_REACHED])
        sentence = (
            f"{held} of {total} invariants held; the premise of {missed} was never true, so they were not tested."
        )
    else:
        outcome = "held"
        many = "The one invariant" if total == 1 else f"All {total} invariants"
        sentence = f"{many} held." if total else "All tests passed."
    return {
        "outcome": outcome,
        "sentence": f"Partial: {missing}. {sentence}" if missing and not partial else sentence,
        "partial": bool(missing),
        "missing": missing,
        "falsified": by_status[FALSIFIED],
        "not_reached": by_status[NOT_REACHED],
        "blocked": by_status[BLOCKED],
        "failed_tests": failed,
        "failed_presets": presets,
    }


def _missing(document: dict[str, Any], campaign: Campaign) -> str:
    """What a run was without, in words; empty where it was whole."""
    selection = document["selection"]
    found = (
        [f"{selection['invariants']} of {selection['of']} invariants ({selection['asked']})"]
        if selection["asked"]
        else []
    )
    if gone := [TITLES[stage.name] for stage in campaign.stages if stage.left_out]:
        found.append(f"without {' and '.join(gone)}{' (profile quick)' if not selection['asked'] else ''}")
    if campaign.stopped is not None or not all(document["effort"]["complete"].values()):
        found.append(campaign.stopped or "not every test ran to its end")
    return "; ".join(found)
