"""What the study plays, at which size, and on how many processes."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from multiprocessing import get_context
from typing import Any

from wattproof.market.deployment import Tariff
from wattproof.simulation.trading_day import Conduct
from wattproof.study import runs
from wattproof.study.communities import HALF_HOURS, Base, Community, Frame
from wattproof.study.replay import replay
from wattproof.study.runs import Day, Run, together
from wattproof.study.strategies import FARM, asking, own_prices, strategies

RATIOS = ((1, 20), (1, 10), (1, 5), (1, 2), (4, 5), (1, 1), (5, 4), (2, 1), (5, 1), (10, 1), (20, 1))
"""The supply-demand ratios of the condition adaptation, as fractions: 0.05 to 20."""

STEPS = (0, 500, 10_000)
"""Priority steps whose deals are compared: the paper's plain order, the default, and the most that the market takes."""

LADDER = (*((False, step) for step in (0, 100, 250, 500, 1000, 2000, 5000, 10_000)), (True, 0), (True, 100))
"""Whether bids rank by price, and the priority step, of the communities as the paper describes them. With one bid price
all steps above 0 rank alike by price."""

USUAL_RUNG = (False, Tariff().priority_step)
"""The rung of the paper's ranking and the default step."""

FARMED = (250, 500, 1000, 2000, 10_000)
"""Priority steps at which farmed standing is priced."""

AS_MONTH = (Tariff().priority_step, False)
"""The step, and loads as in the file, of the month: its days serve that comparison, too."""


@dataclass(frozen=True)
class Size:
    """How much the study plays.

    name            "full", "reduced" or "quick"
    warm_up         varied days before the paper's day, and before deals are counted
    seeds, days     communities of the month, and their days
    variants, deal_days   seeds of the comparisons of priority steps and of rankings, and days that count for them
    short           days of the stress, of the wind, of the strategies and of the shill
    strategies      seeds of the strategies
    nodes           sizes of the communities whose gas and time are measured
    """

    name: str
    warm_up: int
    seeds: int
    days: int
    variants: int
    deal_days: int
    short: int
    strategies: int
    nodes: tuple[int, ...]
    described: int

    @property
    def windows(self) -> tuple[slice, ...]:
        """The days of a month that count: its first ones, those after the warm-up, and its last ones."""
        starts = 0, self.warm_up, self.days - self.deal_days
        return tuple(slice(start, start + self.deal_days) for start in starts)


FULL = Size("full", 10, 20, 30, 8, 5, 3, 8, tuple(range(10, 141, 10)), 200)
REDUCED = Size("reduced", 2, 2, 3, 2, 1, 1, 2, (10, 20), 20)
"""For py-evm, which takes ten times as long."""


USUAL = 10
"""Households of the community that the sizes are made for."""

FEWER = ("seeds", "variants", "strategies", "described")
"""What there is less of where there are more households."""


def sized(size: Size, households: int) -> Size:
    """The size for a community of so many households: a larger one takes longer, so that fewer are played."""
    if households <= USUAL:
        return size
    fewer = {name: max(2, getattr(size, name) * USUAL // households) for name in FEWER}
    return replace(size, name=f"{size.name}, fewer communities", **fewer)


@dataclass(frozen=True)
class Task:
    """A run, named by `key` in the results, and what is wanted of it: its "days", the last day in "full", its "gas", or
    in "steps" the replayed days of each `window`, added up, for each rung of the `LADDER`."""

    key: tuple[Any, ...]
    run: Run
    want: str = "days"
    windows: tuple[slice, ...] = ()

    @property
    def weight(self) -> int:
        """Its share of the progress bar, in days of ten households."""
        return len(self.run.frame.days) * max(1, (self.run.frame.size or 0) // 20)


def day_task(seed: int, warm_up: int) -> Task:
    """The paper's day, after its warm-up."""
    return Task(("day",), Run(Frame(seed, (*_days(warm_up), 0))), "full")


def adaptation_tasks(seed: int) -> list[Task]:
    """The file's day at each supply-demand ratio."""
    return [Task(("ratio", *ratio), Run(Frame(seed, (0,), sdr=ratio))) for ratio in RATIOS]


def month_task(seed: int, days: int) -> Task:
    """A community's days from the opening of its market."""
    return Task(("month", seed), Run(Frame(seed, _days(days))))


def ranking_tasks(base: Base, size: Size, seed: int) -> list[Task]:
    """A community under both rankings: with one bid price a half-hour (by amount that is its month), with prices of the
    households' own, with a shill, and with farmed standing (by amount that is a strategy)."""
    long, short = (Frame(seed, _days(days)) for days in (size.warm_up + size.deal_days, size.short))
    own, buyer = own_prices(base, seed), base.largest_consumer
    made = [
        Task(("ranking", prices, by_price, seed), Run(long, conduct=conduct, rank_by_price=by_price))
        for prices, conduct, by_price in (("one", {}, True), ("own", own, False), ("own", own, True))
    ]
    if buyer:
        shill, farm = {buyer: Conduct(shill=True)}, {buyer: FARM}
        made += [
            Task((kind, by_price, seed), Run(short, conduct=conduct, rank_by_price=by_price))
            for kind, conduct, by_price in (("shill", shill, False), ("shill", shill, True), ("farm", farm, True))
        ]
    return made


def described_tasks(size: Size, first_seed: int) -> list[Task]:
    """Communities as the paper describes them: replayed, and the first ones at the default step played, too."""
    seeds = range(first_seed, first_seed + size.described)
    month, played = _days(size.days), _days(size.warm_up + size.deal_days)
    return [
        *(Task(("described", seed), Run(Frame(seed, month, alike=True)), "steps", size.windows) for seed in seeds),
        *(Task(("as-described", seed), Run(Frame(seed, played, alike=True))) for seed in seeds[: size.variants]),
    ]


def asking_tasks(base: Base, size: Size, seed: int) -> list[Task]:
    """A community in which bids are opened so as to have asked, under both rankings."""
    frame = Frame(seed, _days(size.warm_up))
    return [
        Task(("asking", by_price, each.key, seed), Run(frame, conduct=each.conduct, rank_by_price=by_price))
        for by_price in (False, True)
        for each in asking(base)
    ]


def farm_tasks(base: Base, size: Size, seed: int) -> list[Task]:
    """A community with farmed standing and without, at each step but the default, which other tasks play."""
    buyer, frame = base.largest_consumer, Frame(seed, _days(size.short))
    return [
        Task(("farmed", step, farmed, seed), Run(frame, step, {buyer: FARM} if farmed else {}))
        for step in FARMED
        for farmed in (False, True)
        if buyer and step != Tariff().priority_step
    ]


def gas_task(size: int, base: Base, seed: int) -> Task:
    """The gas of a community's busiest half-hours."""
    return Task(("gas", size), scale_run(size, base, seed), "gas")


def scale_run(size: int, base: Base, seed: int) -> Run:
    """A community of that size in the file's four busiest half-hours in a row: those with the largest local demand and
    supply."""
    worth = []
    for at in range(HALF_HOURS):
        nets = [base.days[0][name][at].pv - base.days[0][name][at].load for name in base.names]
        worth.append(min(sum(net for net in nets if net > 0), -sum(net for net in nets if net < 0)))
    start = max(range(HALF_HOURS - SPAN + 1), key=lambda at: (sum(worth[at : at + SPAN]), -at))
    return Run(Frame(seed, (0,), size=size, span=(start, start + SPAN)))


SPAN = 4
"""Half-hours of a scale run; gas is weighed in all but the first."""


def tasks(base: Base, size: Size, first_seed: int) -> list[Task]:
    """All that the study plays but the timed runs, the longest first."""
    seeds = range(first_seed, first_seed + size.seeds)
    made = [month_task(seed, size.days) for seed in seeds]
    for seed in range(first_seed, first_seed + size.variants):
        for step, shuffled in product(STEPS, (False, True)):
            if (step, shuffled) != AS_MONTH:
                frame = Frame(seed, _days(size.warm_up + size.deal_days), shuffled=shuffled)
                made.append(Task(("deals", step, shuffled, seed), Run(frame, step)))
        made += ranking_tasks(base, size, seed) + asking_tasks(base, size, seed) + farm_tasks(base, size, seed)
    made += described_tasks(size, first_seed)
    made.append(day_task(first_seed, size.warm_up))
    short = _days(size.short)
    for seed in seeds:
        made.append(Task(("stress", seed), Run(Frame(seed, short, never_right=True))))
        made.append(Task(("wind", seed), Run(Frame(seed, short, windy=True))))
    for seed in range(first_seed, first_seed + size.strategies):
        for strategy in strategies(base):
            made.append(Task(("strategy", strategy.key, seed), Run(Frame(seed, short), conduct=strategy.conduct)))
    made += adaptation_tasks(first_seed)
    made += [gas_task(nodes, base, first_seed) for nodes in size.nodes]
    return sorted(made, key=lambda task: -task.weight)


def _days(number: int) -> tuple[int, ...]:
    return tuple(range(1, number + 1))


def execute(base: Base, task: Task, engine: str) -> Any:
    """Plays a task; what it returns depends on what the task wants."""
    if task.want == "steps":
        return climbed(base, task)
    play = {"days": runs.play, "full": Whole.of, "gas": runs.metered}[task.want]
    return play(base, task.run, engine)


def climbed(base: Base, task: Task) -> dict[tuple[bool, int], list[Day]]:
    """The days of a task's windows at each rung of the ladder."""
    rows, made = list(Community(base, task.run.frame)), {}
    for by_price, step in LADDER:
        days = replay(rows, step, by_price)
        made[by_price, step] = [together(days[window]) for window in task.windows]
    return made


@dataclass
class Whole:
    """The last day of a run in full, and the good performances that each household had when it began."""

    performances: Counter[str]
    records: list[runs.Record]

    @classmethod
    def of(cls, base: Base, run: Run, engine: str) -> Whole:
        """Plays the run."""
        last = (len(run.frame.days) - 1) * HALF_HOURS
        whole = cls(Counter(), [])
        for record in runs.records(base, run, engine):
            if record.result.period >= last:
                whole.records.append(record)
            else:
                whole.performances.update({name: bill.performances for name, bill in record.result.bills.items()})
        return whole


@contextmanager
def workers(base: Base, engine: str, jobs: int) -> Iterator[Callable[[Iterable[Task]], Iterator[tuple[Task, Any]]]]:
    """Processes that play tasks; yields what turns tasks into (task, result), in the order in which they end.

    `jobs` of 1 plays them in this process.
    """
    if jobs == 1:
        yield lambda todo: ((task, execute(base, task, engine)) for task in todo)
        return
    # A fresh process each: what is inherited by forking would include the progress display's thread.
    # Ctrl-C goes to all processes; this one ends the others.
    pool = ProcessPoolExecutor(
        jobs, get_context("spawn"), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    )

    def played(todo: Iterable[Task]) -> Iterator[tuple[Task, Any]]:
        futures = {pool.submit(execute, base, task, engine): task for task in todo}
        for future in as_completed(futures):
            yield futures[future], future.result()

    try:
        yield played
    finally:
        pool.shutdown(cancel_futures=True)


def timed(base: Base, nodes: int, engine: str, seed: int) -> float:
    """Wall time of a community's busiest half-hours, in seconds per half-hour, without its opening. Nothing else should
    run meanwhile."""
    records = runs.records(base, scale_run(nodes, base, seed), engine)
    next(records)
    start = time.perf_counter()
    done = sum(1 for _ in records)
    return (time.perf_counter() - start) / done


def default_jobs() -> int:
    """As many processes as this one may use processors."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
