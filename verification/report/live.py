"""What `wattproof verify` shows while it runs: on a terminal a panel that changes, elsewhere a line now and then."""

from __future__ import annotations

import itertools
import time
from collections import deque

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from verification.report.campaign import TITLES, Campaign, Progress, Stage, progress

EVERY = 15
"""Seconds between two lines where there is no terminal."""


def clock(seconds: float | None) -> str:
    """Minutes and seconds."""
    return "…" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02}"


class Pace:
    """Steps per second over the last ten seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=20)

    def tell(self, steps: int) -> float:
        """The pace now that so many steps were made in all."""
        self._seen.append((time.monotonic(), steps))
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return max(last - first, 0) / (now - began) if now > began else 0.0


def watch(campaign: Campaign, console: Console) -> None:
    """Runs the campaign and shows it."""
    if not console.is_terminal:
        _tell_lines(campaign, console)
        return
    pace = Pace()
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        for stage in campaign.run():
            live.update(_panel(campaign, stage, progress(stage), pace))
    for stage in campaign.stages:
        console.print(_closing(campaign, stage))


def _tell_lines(campaign: Campaign, console: Console) -> None:
    for stage in campaign.stages:
        if stage.left_out:
            console.print(_closing(campaign, stage))
    for name, moments in itertools.groupby(campaign.run(), key=lambda stage: stage.name):
        console.print(f"{TITLES[name]} …")
        stage, pace, told = campaign[name], Pace(), time.monotonic()
        for _ in moments:
            at = progress(stage)
            speed = pace.tell(at.steps)
            if time.monotonic() - told >= EVERY:
                told = time.monotonic()
                line = "" if stage.name == "day" else _line(at, speed)
                console.print(f"  {clock(stage.seconds)}  {line}".rstrip(), soft_wrap=True)
        console.print(_closing(campaign, stage))


def _line(at: Progress, speed: float) -> str:
    parts = [f"{at.done} of {at.tests} tests", _left(at)]
    if at.steps:
        parts.insert(1, f"{at.histories} histories, {at.steps} steps, {speed:.0f}/s")
    if at.violated:
        parts.append(f"violated: {', '.join(at.violated)}")
    return "; ".join(parts)


def _left(at: Progress) -> str:
    """What a stage is busy with, or for how long."""
    if not at.tests:
        return "the tests are being collected"
    if at.left is None and at.violated:
        return "the shortest history that shows a failure is looked for"
    return f"about {clock(at.left)} of this stage left"


def _closing(campaign: Campaign, stage: Stage) -> str:
    name = TITLES[stage.name]
    if stage.left_out:
        return f"{name}: left out ({stage.left_out})"
    if stage.status is None:
        return f"{name}: not run"
    if stage.name == "day":
        ended = "done" if stage.status == 0 else f"not done ({campaign.stopped})" if stage.cut else "FAILED"
        return f"{name}: {ended} in {clock(stage.seconds)}"
    at = progress(stage)
    told = f"{name}: {at.done} of {at.tests} tests in {clock(stage.seconds)}"
    if at.steps:
        told += f"; {at.histories} histories, {at.steps} steps"
    if at.failed:
        told += f"; {at.failed} FAILED"
    return told + ("" if stage.complete else f" ({campaign.stopped or 'did not run to the end'})")


def _panel(campaign: Campaign, stage: Stage, at: Progress, pace: Pace) -> Group:
    index = campaign.stages.index(stage)
    rows: list[object] = []
    for place, each in enumerate(campaign.stages):
        mark = "[green]✓[/]" if place < index else "[bold]▸[/]" if each is stage else "[dim]·[/]"
        beside = "left out" if each.left_out else clock(each.seconds) if each.began else ""
        mark = "[dim]-[/]" if each.left_out else mark
        rows.append(Text.from_markup(f"{mark} {TITLES[each.name]}  [dim]{beside}[/]"))
        if each is stage and stage.name != "day":
            rows.append(_details(at, pace.tell(at.steps)))
    ending = f"Ctrl-C ends it and writes what there is; {clock(campaign.seconds)} so far"
    rows.append(Text(ending if not campaign.stopped else f"ending: {campaign.stopped} …", style="dim"))
    return Group(*rows)  # type: ignore[arg-type]


def _details(at: Progress, speed: float) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1))
    table.add_column(style="dim", no_wrap=True, width=16, justify="right")
    table.add_column()
    table.add_row("tests", ProgressBar(total=max(at.tests, 1), completed=at.done, width=40))
    table.add_row("", f"{at.done} of {at.tests}, {at.failed} failed; {_left(at)}")
    if at.steps:
        table.add_row("histories", f"{at.histories:,}")
        table.add_row("steps", f"{at.steps:,}; {speed:,.0f} a second; {at.accepted:,} accepted, {at.refused:,} refused")
        shown = ", ".join(f"{name} {taken:,}/{refused:,}" for name, (taken, refused) in list(at.rules.items())[:10])
        table.add_row("rules", shown)
    if at.slowest:
        table.add_row("slowest", f"{at.slowest[0]}, {at.slowest[1]} % of all checking")
    if at.violated:
        table.add_row("violated", Text(", ".join(at.violated), style="bold red"))
    for running in at.running:
        table.add_row("running", running)
    return table
