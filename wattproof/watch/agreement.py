"""Whether a market did what the terms say: outcome, reason, result and events of a call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wattproof.market.lens import in_words
from wattproof.market.trace import Outcome
from wattproof.watch.calls import Call
from wattproof.watch.ledger import Finding


@dataclass
class Agreement:
    """What was compared, how often, and what differed."""

    checks: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def holds(self, invariant: str, condition: bool, what: str, call: int | None = None) -> bool:
        """Notes a check; returns whether it holds."""
        self.checks[invariant] += 1
        if not condition:
            self.findings.append(Finding(invariant, what, call))
        return condition

    def compare(self, call: Call, terms: Outcome, index: int) -> bool:
        """Compares what the contract did with what the terms say; returns whether they agree."""
        chain, name = call.outcome, call.told.function or "a call that is none of the market's"
        if not chain.accepted:
            told = f"contract refuses {name}{_why(chain)}"
            if not self.holds("C2-REFUSE-1", not terms.accepted, f"{told}, the terms accept it", index):
                return False
            same = chain.reason == terms.reason or not call.certain
            return self.holds("C2-REFUSE-2", same, f"{told}, the terms refuse it{_why(terms)}", index)
        told = f"contract accepts {name}, the terms refuse it{_why(terms)}"
        if not self.holds("C2-ACCEPT-1", terms.accepted, told, index):
            return False
        if call.certain:
            told = f"contract answers {name} with {chain.result}, the terms with {terms.result}"
            if not self.holds("C2-RETURN-1", chain.result == terms.result, told, index):
                return False
        if call.undone is not None:
            return True
        told = f"{name}: {'; '.join(_differences(chain, terms)) or 'the same events'}"
        return self.holds("C2-EVENT-1", not list(_differences(chain, terms)), told, index)


def _why(outcome: Outcome) -> str:
    return f": {outcome.reason!r}" if outcome.reason else " without a reason"


def _differences(chain: Outcome, terms: Outcome) -> Iterator[str]:
    """Where the events differ: a line for each."""
    wanted = [(name, in_words(fields)) for name, fields in terms.events]
    for number, (one, other) in enumerate(zip(chain.events, wanted, strict=False), 1):
        if one[0] != other[0]:
            yield f"event {number} is {one[0]}, by the terms {other[0]}"
            return  # What follows is out of step.
        fields = _fields(one[1], other[1])
        if fields:
            yield f"event {number}, {one[0]}: {fields}"
    if len(chain.events) != len(wanted):
        yield f"{len(chain.events)} events, by the terms {len(wanted)}"


def _fields(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    differ = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return ", ".join(f"{name} {one.get(name)}, by the terms {other.get(name)}" for name in differ)
