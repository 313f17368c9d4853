"""Criterion 2, the code is compiled correctly: the same histories on every build of the contracts and on both engines.

Return data, revert data, logs and the final state (storage of market and token, their ether) must be equal to the last
byte to what ships, run on the reference engine; and what ships must answer as the model does. One build is for older
rules, Shanghai's: there the lock against re-entry takes the first place in storage, so that the words of mappings lie
elsewhere. Of these the values are compared; that each lies in its place is seen by the views, which answer the same.

One defect of vyper 0.4.3 is known, found here: its experimental code generator lets `ecrecover` answer with the signer
of the call before, where a signature leads to nobody. What ships is not concerned. A batch of readings then gives
another reason for an entry with such a signature; this difference, and no other, is counted and does not fail the run.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import Any

from rich.console import Console

from verification import measurements
from verification.builds import OLDER, SETTINGS, SHIPPED, Build, DoesNotCompile, Suite, suite
from verification.differential.histories import History, full_history, random_history
from verification.differential.replay import Chain, Played, check_equal, check_verdicts, without_places
from wattproof.evm.engine import available

REFERENCE = "pyevm"


def builds(settings: tuple[str, ...] = SETTINGS) -> tuple[dict[str, Suite], dict[str, str]]:
    """Token, market and lens under each setting, and what the compiler says where it gives up."""
    built, refused = {}, {}
    for setting in settings:
        try:
            built[setting] = suite(setting)
        except DoesNotCompile as problem:
            refused[setting] = str(problem)
    return built, refused


def chains(built: dict[str, Suite], engines: tuple[str, ...]) -> dict[str, Chain]:
    """A chain for each build on each engine, the reference first."""
    order = sorted(built, key=lambda setting: setting != SHIPPED)
    return {f"{setting} on {engine}": Chain(engine, built[setting]) for setting in order for engine in engines}


def compare(history: History, runs: dict[str, Chain], step: Any = lambda: None) -> tuple[Played, int]:
    """Plays a history on all chains; raises Disagreement where two differ.

    Returns the reference's run, and how many answers showed the known defect.
    """
    (name, chain), *others = runs.items()
    reference = chain.play(history)
    check_verdicts(history, reference)
    step()
    met = 0
    for other, chain in others:
        played = chain.play(history)
        if other.startswith("venom"):
            played, count = without_known_defect(reference, played)
            met += count
        if other.startswith(f"{OLDER} "):
            check_equal(history, without_places(reference, False), without_places(played, True), (name, other))
        else:
            check_equal(history, reference, played, (name, other))
        step()
    return reference, met


def _reason(text: str) -> bytes:
    """A reason as it stands in a log: its length, and its letters in one word."""
    return len(text).to_bytes(32, "big") + text.encode().ljust(32, b"\x00")


NOBODY, ANOTHER = _reason("ecdsa: invalid signature"), _reason("accounts: wrong meter")


def without_known_defect(reference: Played, played: Played) -> tuple[Played, int]:
    """The run with the reasons that the known defect changes put right, and how many answers it concerns."""
    answers, met = [], 0
    for right, found in zip(reference.answers, played.answers, strict=True):
        if found != right and found.accepted and len(found.logs) == len(right.logs):
            logs = tuple(
                (emitter, topics, data.replace(ANOTHER, NOBODY) if NOBODY in wanted else data)
                for (emitter, topics, data), (_, _, wanted) in zip(found.logs, right.logs, strict=True)
            )
            met += logs != found.logs
            found = found._replace(logs=logs)
        answers.append(found)
    return replace(played, answers=answers), met


def run(histories: int, length: int, seed: int, console: Console) -> dict[str, Any]:
    """The whole comparison, with a progress bar.

    Raises Disagreement at the first difference, and RuntimeError where an entry point was never accepted.
    """
    started = time.monotonic()
    built, refused = builds()
    engines = tuple(engine for engine in (REFERENCE, "revm") if engine in available())
    runs = chains(built, engines)
    accepted: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    logs, met, digests = 0, 0, {}
    with measurements.progress(console) as bar:
        task = bar.add_task("compilers", total=(histories + 1) * len(runs))
        for number in range(histories + 1):
            history = random_history(seed + number, length) if number < histories else full_history()
            reference, count = compare(history, runs, lambda: bar.advance(task))
            met += count
            told = history.tally()
            accepted, reasons, kinds = accepted + told["accepted"], reasons + told["refused"], kinds + told["kinds"]
            logs += sum(len(answer.logs) for answer in reference.answers)
            digests[history.seed] = reference.digest
    lifted = {name.partition(" on ")[0] for name, chain in runs.items() if chain.lifted}
    check_reach(accepted, built[SHIPPED][1])
    figures = {
        "builds": len(built),
        "engines": list(engines),
        "runs": list(runs),
        "histories": histories + 1,
        "calls": sum(kinds.values()),
        "calls replayed": sum(kinds.values()) * len(runs),
        "views": kinds["view"],
        "spoilt calls": kinds["spoilt"],
        "logs": logs,
        "reasons of refusals": len(reasons),
        "answers with the known defect of the experimental code generator": met,
        "other differences": 0,
    }
    details = {
        "settings": {
            setting: {
                "bytes": market.size,
                "above EIP-170": market.free < 0,
                "limit lifted": setting in lifted,
                "market": market.hashes,
                "token": token.hashes,
                "lens": lens.hashes,
            }
            for setting, (token, market, lens) in built.items()
        },
        "did not compile": refused,
        "length": length,
        "accepted": dict(accepted.most_common()),
        "refused": dict(reasons.most_common()),
        "digests": digests,
    }
    return measurements.document("compilers", seed, started, figures, details)


def check_reach(accepted: Counter[str], market: Build) -> None:
    """Raises RuntimeError unless every entry point that changes something was accepted at least once."""
    entries = {
        entry["name"]
        for entry in market.abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    if missing := sorted(entries - set(accepted)):
        raise RuntimeError(f"never accepted in any history: {', '.join(missing)}; play more histories")
