"""From weights to figures: medians, worst cases, targets, verdicts, and the comparison with the committed snapshot."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

from verification.gas.chain import TRANSACTION
from verification.gas.history import MAX_TRADES, Key, Weight
from verification.gas.lower_bound import HOUSEHOLD, STEPS, floor
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
"""The most that a step may cost; what is not here has no target."""

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
    """A line of the table, in gas. The parts and the floor belong to the sample in the middle.

    `rest` is computation, memory, hashing, and calls to the token and to precompiled contracts.
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

    @property
    def name(self) -> str:
        """The step and the size, as the snapshot calls them."""
        return self.step if self.n is None else f"{self.step}, n = {self.n}"

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


def figure(key: Key, weights: Sequence[Weight]) -> Figure:
    """The figure of a line; parts of a unit of gas, which averages have, count in full."""
    step, n = key
    middle = sorted(weights, key=lambda weight: weight.gas)[(len(weights) - 1) // 2]
    base = middle.transactions * TRANSACTION
    rest = middle.gas - base - middle.calldata - middle.logs - middle.storage
    lowest = floor(step, n, middle)
    return Figure(
        step=step,
        n=n,
        count=len(weights),
        median=math.ceil(median(weight.gas for weight in weights)),
        worst=math.ceil(max(weight.gas for weight in weights)),
        base=round(base),
        calldata=round(middle.calldata),
        logs=round(middle.logs),
        storage=round(middle.storage),
        rest=round(rest),
        floor=None if lowest is None else round(lowest),
    )


def figures(samples: Mapping[Key, Sequence[Weight]]) -> list[Figure]:
    """All figures, steps in the order in which a household meets them, sizes rising."""
    order = [*STEPS, HOUSEHOLD]  # what is in neither, deployment, comes first
    place = {step: order.index(step) if step in order else -1 for step, _ in samples}
    return [figure(key, samples[key]) for key in sorted(samples, key=lambda key: (place[key[0]], key[1] or 0))]


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


# ---- files -------------------------------------------------------------------------------


def as_json(lines: Sequence[Figure], sizes: Sequence[Size] = (), **about: Any) -> str:
    """The figures and the sizes of the code as JSON, one line of the file for each, with `about` in front."""
    entries = {line.name: {**asdict(line), "target": line.target} for line in lines}
    body = ",\n".join(f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items())
    head = "".join(f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in about.items())
    code = ",\n".join(f"    {json.dumps({**asdict(size), 'free': size.free})}" for size in sizes)
    return f'{{\n{head}  "code": [\n{code}\n  ],\n  "figures": {{\n{body}\n  }}\n}}\n'


def read_snapshot(path: Path) -> list[Figure]:
    """The committed figures. Raises FileNotFoundError with what to do where there are none."""
    entries = _snapshot(path)["figures"].values()
    return [Figure(**{key: value for key, value in entry.items() if key != "target"}) for entry in entries]


def read_sizes(path: Path) -> list[Size]:
    """The committed sizes of the code. Raises FileNotFoundError with what to do where there are none."""
    return [Size(entry["contract"], entry["build"], entry["size"]) for entry in _snapshot(path)["code"]]


def _snapshot(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: write it with `make gas UPDATE=1` and commit it")
    return json.loads(path.read_text())


def differences(now: Sequence[Figure], committed: Sequence[Figure], band: Fraction = BAND) -> list[str]:
    """What differs from the committed figures by more than `band`, dearer or cheaper, in words."""
    found = []
    mine, theirs = ({line.name: line for line in lines} for lines in (now, committed))
    for name in dict.fromkeys([*mine, *theirs]):
        if name not in mine or name not in theirs:
            found.append(f"{name}: {'not in the snapshot' if name in mine else 'no longer measured'}")
            continue
        for what in ("median", "worst"):
            new, old = getattr(mine[name], what), getattr(theirs[name], what)
            if abs(new - old) > old * band:
                found.append(f"{name}: {what} {new:,}, {old:,} in the snapshot ({(new - old) / old:+.2%})")
    return found
