"""From weights to figures: medians, worst cases, targets, verdicts, and the comparison with the committed snapshot."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

from verification.gas.chain import TRANSACTION
from verification.gas.history import MAX_TRADES, History, Key, Weight
from verification.gas.lower_bound import HOUSEHOLD, STEPS, floor
from verification.gas.node import RULES, Rules
from verification.gas.sizes import Size

TRANSACTION_CAP = 16_777_216
"""The most gas that one transaction may use by the current rules of mainnet (EIP-7825)."""

BAND = Fraction(1, 100)
"""How far a figure may be from the committed one."""

SPREAD = Fraction(2, 100)
"""How far the half-hours of small and large books may be apart."""

EVEN_SIZES = (10, 50, 128)
"""The books whose half-hours must cost the same within `SPREAD`."""

TARGETS: dict[str, int] = {
    # 132,000 before the rules gave authorise a capacity: 152 of calldata, 256 of its event.
    "register + authorise": 132_700,
    "quote, the first of its period": 116_000,
    "quote, a further one of its period": 116_000,
    "bid": 58_000,
    "reveal": 76_000,
    "match, a winner": 34_000,
    "match, a loser": 12_000,
    "match, full book": TRANSACTION_CAP,
    "reading": 58_000,
    "reading, in a batch": 38_000,
    "settle, a trade": 22_000,
    "settle, full book": TRANSACTION_CAP,
    "account of a consumer": 48_000,
    "account of a consumer, by itself": 48_000,
    "account without trades": 48_000,
    "account, nothing to clear": 48_000,
    "account, in a batch": 33_000,
    HOUSEHOLD: 265_000,
}
"""The most that a step may cost in the steady state, by Prague's rules; what is not here has no target."""

BEFORE: dict[str, int] = {"prague": 224_396, "osaka": 224_396, "amsterdam": 466_856}
"""A household's half-hour in books of `BEFORE_BIDS` before storage was used again, by the rules.

Measured with `wattproof gas --before FOLDER`, where FOLDER holds the contracts of commit c4dc240.
"""

BEFORE_BIDS = 100

WORDS_BEFORE = (3_403, 6_763)
"""Words of storage after 15 and 30 days of ten households (see `growth`) in the same build, measured the same way."""

FULL_BOOKS = ("match, full book", "settle, full book")
"""What has to keep to `TRANSACTION_CAP` by all rules."""

FROM = {"match, a winner": 100, "match, a loser": 100, "settle, a trade": 100} | dict.fromkeys(
    ("reading, in a batch", "account, in a batch"), 20
)
"""The size from which books and batches are held to their targets."""


@dataclass(frozen=True)
class Peer:
    """What another public energy market pays for a step, at its best, on the same node with Solidity's optimiser on."""

    step: str
    who: str
    gas: int
    ours: tuple[str, int | None]
    remark: str = ""


PEERS = (
    Peer("register", "HTLC market", 57_839, ("register", None), "no proof of the meter"),
    Peer("authorise", "HTLC market", 67_811, ("authorise", None)),
    Peer("quote, with escrow", "ENR order book", 196_585, ("quote, the first of its period", None)),
    Peer("sealed bid", "EvChargingMarket", 83_347, ("bid", None), "hash of the bare price"),
    Peer("reveal, with escrow", "ENR order with escrow", 196_585, ("reveal", None)),
    Peer("reveal, without escrow", "EvChargingMarket", 48_607, ("reveal", None), "ours reserves the money"),
    Peer("match, a bid", "ENR book scan", 36_000, ("match, a winner", 100)),
    Peer("match, a bid", "VeriSolid market", 115_000, ("match, a winner", 100)),
    Peer("match, a bid", "ESA", 275_000, ("match, a winner", 100)),
    Peer("reading", "LEM", 102_745, ("reading", None), "anybody writes it"),
    Peer("reading", "Eberhardt", 48_589, ("reading", None), "an unverified hash"),
    Peer("settle, a trade", "Eberhardt netting stub", 30_600, ("settle, a trade", 100)),
    Peer("settle, a trade", "HTLC market", 64_262, ("settle, a trade", 100)),
    Peer("settle, a trade", "ENR", 266_379, ("settle, a trade", 100)),
)
"""Other public energy markets, and which line of ours does that work."""

PLAIN_HALF_HOUR = 570_000
"""About what a design with a word per field costs a household and half-hour."""


@dataclass(frozen=True)
class Figure:
    """A line of the table, in gas of the steady state. The parts and the floor belong to the sample in the middle.

    rest    computation, memory, hashing, and calls to the token and to precompiled contracts
    fresh   the median in a new market, or None for what is done only once
    """

    step: str
    n: int | None
    count: int
    median: int
    worst: int
    base: int
    calldata: int
    logs: int
    storage: int
    rest: int
    floor: int | None
    fresh: int | None = None

    @property
    def name(self) -> str:
        """The step and the size, as the snapshot calls them."""
        return line_name(self.step, self.n)

    @property
    def target(self) -> int | None:
        """The most that it may cost, or None."""
        return TARGETS.get(self.step) if (self.n or 0) >= FROM.get(self.step, 0) else None

    @property
    def within(self) -> bool:
        """Whether the worst case keeps to the target, if there is one."""
        return self.target is None or self.worst <= self.target

    @property
    def ratio(self) -> Fraction | None:
        """How many times the floor the middle case costs, or None without a floor."""
        return Fraction(self.median, self.floor) if self.floor else None


@dataclass(frozen=True)
class Cost:
    """What a line costs by other rules than Prague's: median and worst case, and the median in a new market."""

    name: str
    median: int
    worst: int
    fresh: int | None


@dataclass(frozen=True)
class Column:
    """What all lines cost by a set of rules.

    node        the node that charged it, with its version
    bytecode    hash of the market's runtime code that was measured
    kept        whether it is the snapshot's, as it could not be measured here
    """

    rules: str
    node: str
    bytecode: str
    costs: tuple[Cost, ...]
    kept: bool = False

    @property
    def by_name(self) -> dict[str, Cost]:
        """The lines by their names."""
        return {cost.name: cost for cost in self.costs}

    @property
    def half_hour(self) -> Cost:
        """A household's half-hour in books of `BEFORE_BIDS`."""
        return self.by_name[line_name(HOUSEHOLD, BEFORE_BIDS)]


def line_name(step: str, n: int | None) -> str:
    """What the snapshot calls a line."""
    return step if n is None else f"{step}, n = {n}"


def _median(weights: Sequence[Weight]) -> int:
    """Parts of a unit of gas, which averages have, count in full."""
    return math.ceil(median(weight.gas for weight in weights))


def _worst(weights: Sequence[Weight]) -> int:
    return math.ceil(max(weight.gas for weight in weights))


def costs(history: History) -> tuple[Cost, ...]:
    """What all lines cost, in the order of `figures`."""
    return tuple(
        Cost(
            line_name(*key),
            _median(history.samples[key]),
            _worst(history.samples[key]),
            _median(history.fresh[key]) if key in history.fresh else None,
        )
        for key in _ordered(history.samples)
    )


def figure(key: Key, weights: Sequence[Weight], fresh: Sequence[Weight] = ()) -> Figure:
    """The figure of a line, from what it weighed in the steady state and in a new market."""
    step, n = key
    middle = sorted(weights, key=lambda weight: weight.gas)[(len(weights) - 1) // 2]
    base = middle.transactions * TRANSACTION
    rest = middle.gas - base - middle.calldata - middle.logs - middle.storage
    lowest = floor(step, n, middle)
    return Figure(
        step=step,
        n=n,
        count=len(weights),
        median=_median(weights),
        worst=_worst(weights),
        base=round(base),
        calldata=round(middle.calldata),
        logs=round(middle.logs),
        storage=round(middle.storage),
        rest=round(rest),
        floor=None if lowest is None else round(lowest),
        fresh=_median(fresh) if fresh else None,
    )


def _ordered(keys: Iterable[Key]) -> list[Key]:
    """Steps in the order in which a household meets them, sizes rising."""
    order = [*STEPS, HOUSEHOLD]  # what is in neither, deployment, comes first
    return sorted(keys, key=lambda key: (order.index(key[0]) if key[0] in order else -1, key[1] or 0))


def figures(history: History) -> list[Figure]:
    """All figures of a history that was played."""
    return [figure(key, history.samples[key], history.fresh.get(key, ())) for key in _ordered(history.samples)]


def spread(lines: Sequence[Figure]) -> Fraction:
    """How far the dearest half-hour of `EVEN_SIZES` is above the cheapest, as a part of it.

    Raises ValueError where a size was not measured.
    """
    costs = {line.n: line.median for line in lines if line.step == HOUSEHOLD}
    if missing := set(EVEN_SIZES) - set(costs):
        raise ValueError(f"no half-hour was measured with {sorted(missing)} bids")
    even = [costs[size] for size in EVEN_SIZES]
    return Fraction(max(even) - min(even), min(even))


def failures(lines: Sequence[Figure]) -> list[str]:
    """What is above its target, in words; empty where nothing is."""
    found = [f"{line.name}: {line.worst:,} gas, at most {line.target:,}" for line in lines if not line.within]
    if (apart := spread(lines)) > SPREAD:
        found.append(f"half-hours are {float(apart):.1%} apart, at most {float(SPREAD):.0%}")
    if not any(line.step == "settle, full book" and line.n == MAX_TRADES for line in lines):
        found.append(f"no book of {MAX_TRADES} trades was settled")
    return found


def above(column: Column, before: Mapping[str, int]) -> list[str]:
    """What is above what the rules of a column allow, in words; `before` has the half-hour of the build before."""
    rules, found = rules_of(column.rules), []
    half_hour, most = column.half_hour.median, before[column.rules] * rules.at_most
    if half_hour > most:
        found.append(
            f"{rules.name}: a household's half-hour takes {half_hour:,} gas, at most {math.floor(most):,}, which is "
            f"{float(rules.at_most):.2f} of the build before"
        )
    found += [
        f"{rules.name}: {cost.name}: {cost.worst:,} gas, a transaction may use {TRANSACTION_CAP:,}"
        for cost in column.costs
        if cost.name.startswith(FULL_BOOKS) and cost.worst > TRANSACTION_CAP
    ]
    return found


def growing(words: Sequence[int]) -> list[str]:
    """That a market's storage grows, in words; `words` after each number of days, none where they were not counted."""
    if len(set(words)) < 2:
        return []
    return [f"storage grows: {' words, then '.join(f'{count:,}' for count in words)} words, of the same households"]


def rules_of(key: str) -> Rules:
    """The rules that go by `key`."""
    return next(rules for rules in RULES if rules.key == key)


# ---- files -------------------------------------------------------------------------------


def as_json(
    lines: Sequence[Figure],
    sizes: Sequence[Size] = (),
    columns: Sequence[Column] = (),
    before: Mapping[str, int] | None = None,
    words: Sequence[int] = (),
    words_before: Sequence[int] = WORDS_BEFORE,
    **about: Any,
) -> str:
    """All that was measured as JSON, one line of the file for each figure, with `about` in front."""
    entries = {line.name: {**asdict(line), "target": line.target} for line in lines}
    body = ",\n".join(f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())
    head = "".join(f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in about.items())
    code = ",\n".join(f"    {json.dumps({**asdict(size), 'free': size.free})}" for size in sizes)
    rules = ",\n".join(f"    {json.dumps(column.rules)}: {{\n{_column(column)}\n    }}" for column in columns)
    return (
        f'{{\n{head}  "before": {json.dumps(dict(before or BEFORE))},\n  "words": {json.dumps(list(words))},\n'
        f'  "words before": {json.dumps(list(words_before))},\n  "code": [\n{code}\n  ],\n'
        f'  "figures": {{\n{body}\n  }},\n  "rules": {{\n{rules}\n  }}\n}}\n'
    )


def _column(column: Column) -> str:
    head = {"node": column.node, "bytecode": column.bytecode, "kept": column.kept}
    entries = {cost.name: {"median": cost.median, "worst": cost.worst, "fresh": cost.fresh} for cost in column.costs}
    body = ",\n".join(f"        {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())
    lines = "".join(f"      {json.dumps(key)}: {json.dumps(value)},\n" for key, value in head.items())
    return f'{lines}      "figures": {{\n{body}\n      }}'


def read_snapshot(path: Path) -> list[Figure]:
    """The committed figures. Raises FileNotFoundError with what to do where there are none."""
    entries = _snapshot(path)["figures"].values()
    return [Figure(**{key: value for key, value in entry.items() if key != "target"}) for entry in entries]


def read_columns(path: Path) -> list[Column]:
    """The committed columns, in the order of `RULES`. Raises FileNotFoundError with what to do where there are none."""
    told = _snapshot(path).get("rules", {})
    return [
        Column(
            rules.key,
            told[rules.key]["node"],
            told[rules.key]["bytecode"],
            tuple(Cost(name, **entry) for name, entry in told[rules.key]["figures"].items()),
            told[rules.key]["kept"],
        )
        for rules in RULES
        if rules.key in told
    ]


def read_before(path: Path) -> dict[str, int]:
    """The committed half-hours of the build before. Raises FileNotFoundError with what to do where there are none."""
    return _snapshot(path)["before"]


def read_words(path: Path) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The committed words of storage, now and in the build before. Raises FileNotFoundError as `read_sizes` does."""
    told = _snapshot(path)
    return tuple(told["words"]), tuple(told["words before"])


def read_sizes(path: Path) -> list[Size]:
    """The committed sizes of the code. Raises FileNotFoundError with what to do where there are none."""
    return [Size(entry["contract"], entry["build"], entry["size"]) for entry in _snapshot(path)["code"]]


def _snapshot(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: write it with `make gas UPDATE=1` and commit it")
    return json.loads(path.read_text())


def differences(
    now: Sequence[Figure] | Sequence[Cost], committed: Sequence[Figure] | Sequence[Cost], band: Fraction = BAND
) -> list[str]:
    """What differs from the committed figures by more than `band`, dearer or cheaper, in words."""
    found = []
    mine, theirs = ({line.name: line for line in lines} for lines in (now, committed))
    for name in dict.fromkeys([*mine, *theirs]):
        if name not in mine or name not in theirs:
            found.append(f"{name}: {'not in the snapshot' if name in mine else 'no longer measured'}")
            continue
        for what, field in (("median", "median"), ("worst", "worst"), ("in a new market", "fresh")):
            new, old = getattr(mine[name], field) or 0, getattr(theirs[name], field) or 0
            if abs(new - old) > old * band:
                found.append(f"{name}: {what} {new:,}, {old:,} in the snapshot ({(new - old) / (old or new):+.2%})")
    return found
