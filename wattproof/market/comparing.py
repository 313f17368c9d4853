"""Whether a contract did what the terms say: outcome, reason, result and events of a call, each by its invariant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from wattproof.market.lens import in_words
from wattproof.market.trace import Outcome


class Compared(NamedTuple):
    """Something that was compared: by which invariant, whether it holds, and a line that tells how it differs."""

    invariant: str
    holds: bool
    what: str


def compared(
    name: str, chain: Outcome, terms: Outcome, is_certain: bool = True, has_events: bool = True
) -> Iterator[Compared]:
    """Compares what the contract made of the call `name` with what the terms say, as far as the first difference.

    is_certain   whether reason and result of the contract's outcome are known
    has_events   whether its events are
    """
    for each in _compared(name, chain, terms, is_certain, has_events):
        yield each
        if not each.holds:
            return


def _compared(name: str, chain: Outcome, terms: Outcome, is_certain: bool, has_events: bool) -> Iterator[Compared]:
    if not chain.accepted:
        told = f"contract refuses {name}{_why(chain)}"
        yield Compared("C2-REFUSE-1", not terms.accepted, f"{told}, the terms accept it")
        same = chain.reason == terms.reason or not is_certain
        yield Compared("C2-REFUSE-2", same, f"{told}, the terms refuse it{_why(terms)}")
        return
    yield Compared("C2-ACCEPT-1", terms.accepted, f"contract accepts {name}, the terms refuse it{_why(terms)}")
    if is_certain:
        told = f"contract answers {name} with {chain.result}, the terms with {terms.result}"
        yield Compared("C2-RETURN-1", chain.result == terms.result, told)
    if has_events:
        differ = list(_differences(chain, terms))
        yield Compared("C2-EVENT-1", not differ, f"{name}: {'; '.join(differ)}")


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
