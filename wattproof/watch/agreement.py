"""What was compared in a block, how often, and what differed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from wattproof.market.comparing import compared
from wattproof.market.trace import Outcome
from wattproof.watch.calls import Call
from wattproof.watch.ledger import Finding


@dataclass
class Agreement:
    """The checks of a block, by invariant, and what does not hold."""

    checks: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def holds(self, invariant: str, condition: bool, what: str, call: int | None = None) -> None:
        """Notes a check."""
        self.checks[invariant] += 1
        if not condition:
            self.findings.append(Finding(invariant, what, call))

    def compare(self, call: Call, terms: Outcome, index: int) -> None:
        """Compares what the contract did with what the terms say."""
        name = call.told.function or "a call that is none of the market's"
        for each in compared(name, call.outcome, terms, call.certain, call.undone is None):
            self.holds(each.invariant, each.holds, each.what, index)
