"""The run of `wattproof live`: node, market, watcher, API and day, from the first to the last."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from wattproof.chain.accounts import KEY
from wattproof.chain.development import Development
from wattproof.chain.embedded.process import Embedded
from wattproof.chain.node import Node
from wattproof.evm.anvil import Anvil, binary
from wattproof.evm.node import LocalNode, NodeUnavailable
from wattproof.live.children import Child, Children, Ended, ending
from wattproof.live.progress import Line, Seen, seen
from wattproof.outputs import Folder
from wattproof.simulation.chain_venue import open_market
from wattproof.simulation.households import DEFAULT_FILE, open_households
from wattproof.simulation.timetable import EPOCH, Timetable
from wattproof.store.database import Store

LEAD = 7_200
"""Seconds before the day at which a chain of our own begins."""

_PORTS = 100
"""How many ports are tried, from the one that is asked for."""

_LOOK = 0.2
"""Seconds between two looks at the processes."""

_PATIENCE = 180
"""Seconds in which something has to move."""

_SCRATCH = r"market\.db(-wal|-shm|-journal)?|deployment\.json|[a-z]+\.log"
"""What a run leaves in its folder `run`."""


@dataclass(frozen=True)
class Wish:
    """What somebody wants to see.

    node         "anvil", "embedded", or None for the first of them that is to be had
    rpc          a development node that runs already, instead; None: one of our own
    db           of the database; None: a file in `out`
    households   a file; None: the ten that ship with the package
    once         whether the run ends when the day is over and watched
    """

    node: str | None = None
    rpc: str | None = None
    db: str | None = None
    port: int = 8080
    households: Path | None = None
    seed: int = 1
    out: Path = Path("out/live")
    once: bool = False


class Live:
    """One run. `run` returns its exit code: 0 the day was watched without an alarm, 1 with one."""

    def __init__(self, wish: Wish, console: Console) -> None:
        """Nothing is started yet. Raises BadInput where the file of households cannot be used."""
        self._wish, self._console = wish, console
        self._households = wish.households or DEFAULT_FILE
        self._periods = open_households(self._households, seed=wish.seed).periods
        self._alarms = 0
        self._node: LocalNode | None = None

    def run(self) -> int:
        """Raises Ended where a process ends that should not, BadPlace, StoreProblem, NodeUnavailable, and as
        `open_market`."""
        with ending() as ignore_signals, contextlib.ExitStack() as stack:
            try:
                self._play(stack)
            finally:
                ignore_signals()
        return 1 if self._alarms else 0

    def _play(self, stack: contextlib.ExitStack) -> None:
        """All of it, until it is over or Ctrl-C; what was started is in `stack`."""
        folder = stack.enter_context(Folder(self._wish.out, "live", (), {"run": _SCRATCH}))
        folder.begin()
        place = self._wish.out.absolute() / "run"
        place.mkdir()
        db = self._wish.db or f"sqlite:///{place / 'market.db'}"
        store = stack.enter_context(contextlib.closing(Store.open(db)))  # Before anything is started: can it be used?
        url = self._wish.rpc or self._own_node(stack)
        children = stack.enter_context(Children(place))
        node = Node(url)
        first = self._opened(node, place, store)
        port = self._serve(children, url, db, place)
        day = self._day(children, url, place)
        self._watch_day(children, day, node, port, Line(self._console, first, self._periods))
        if not self._wish.once:
            self._say("the page stays until Ctrl-C")
            with contextlib.suppress(KeyboardInterrupt):
                while True:
                    self._check(children, day)
                    self._note(seen(port), port)
                    time.sleep(1)

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    # ---- the parts -----------------------------------------------------------------------------

    def _own_node(self, stack: contextlib.ExitStack) -> str:
        """Starts a node; where it is."""
        # Its own number keeps the market apart from those of earlier days in one database.
        begin, number = EPOCH - LEAD, 1_000_000 + secrets.randbelow(10**9)
        node = Embedded(begin, number) if self._wish.node == "embedded" else self._anvil(begin, number)
        self._node = stack.enter_context(node)
        self._say(f"chain {number}: {node.name} on 127.0.0.1:{node.port}")
        return f"http://127.0.0.1:{node.port}"

    def _anvil(self, begin: int, number: int) -> Anvil | Embedded:
        """An anvil; where there is none, the embedded node, unless anvil is what is asked for."""
        try:
            if self._wish.node is None:
                self._say("looking for anvil, which npm fetches once (--node embedded does without)")
            binary()
        except NodeUnavailable as problem:
            if self._wish.node == "anvil":
                raise
            self._say(f"without anvil: {problem}")
            return Embedded(begin, number)
        return Anvil("--order", "fifo", "--gas-limit", str(10**9), timestamp=begin, chain_id=number)

    def _opened(self, node: Node, place: Path, store: Store) -> int:
        """Opens the market, and puts it into the store; its number of the day's first period."""
        self._say("opening a market: the first time, its contracts are compiled, which takes up to a minute")
        blocks = Development(node)
        try:
            record = open_market(blocks, self._wish.seed)
        finally:
            blocks.release()
        record.write(place / "deployment.json")
        store.market(record)  # Else `serve` would have to come after the watcher's first look.
        first = Timetable(record.tariff, blocks.head.timestamp).first
        self._say(f"market {record.market}, {record.tariff.period_length // 60} minutes a period")
        return first

    def _serve(self, children: Children, url: str, db: str, place: Path) -> int:
        """Starts watcher, API and page; the port that they are at."""
        about = ("--db", db, "--deployment", str(place / "deployment.json"))
        children.start("watch", "watch", "--rpc", url, *about, "--keep-going")
        port = _free_port(self._wish.port)
        if port != self._wish.port:
            self._say(f"port {self._wish.port} is taken, so it is {port}")
        children.start("serve", "serve", "--rpc", url, *about, "--port", str(port))
        self._until(children, lambda: seen(port) is not None, lambda: 0)
        self._say(f"open http://127.0.0.1:{port}/")
        return port

    def _day(self, children: Children, url: str, place: Path) -> Child:
        """Starts the trading day."""
        return children.start(
            "day",
            *("day", "--rpc", url, "--deployment", str(place / "deployment.json")),
            *("--households", str(self._households), "--seed", str(self._wish.seed)),
            *("--out", str(self._wish.out.absolute() / "day")),
            hidden=[KEY],  # The owner is the simulation's.
        )

    def _watch_day(self, children: Children, day: Child, node: Node, port: int, line: Line) -> None:
        """Shows the day, until it is over and all of it is watched. Raises Ended where it does not end well."""
        found = Seen(None, None, None, 0, 0)

        def is_watched() -> bool:
            nonlocal found
            if day.code:
                day.check()
            over, block = day.code is not None, _height(node)
            found = seen(port) or found
            line.show(block, found)
            return over and found.block == block

        try:
            self._until(children, is_watched, lambda: found.block, day)
        finally:
            line.end()
        self._say(day.said)
        verdict = "no alarm" if not found.alarms else "not without alarm"
        self._say(f"the day is over, and watched to block {found.block}: {found.calls} calls compared, {verdict}")
        self._note(found, port)

    def _note(self, found: Seen | None, port: int) -> None:
        """Says how many alarms there are, where there are more than before."""
        if found is not None and found.alarms > self._alarms:
            self._alarms = found.alarms
            self._say(f"ALARM: {found.alarms} in all, told at http://127.0.0.1:{port}/#/proof")

    def _until(
        self, children: Children, is_so: Callable[[], bool], moves: Callable[[], object], *without: Child
    ) -> None:
        """Waits, as long as the processes run, and what `moves` tells is another now and then. Raises Ended."""
        before, since = moves(), time.monotonic()
        while not is_so():
            self._check(children, *without)
            if (now := moves()) != before:
                before, since = now, time.monotonic()
            if time.monotonic() - since > _PATIENCE:
                raise Ended(f"nothing has moved for {_PATIENCE} s: see what the processes say in {self._wish.out}/run")
            time.sleep(_LOOK)

    def _check(self, children: Children, *without: Child) -> None:
        """Raises Ended where a process has ended that should not have."""
        if self._node is not None and (said := self._node.has_ended()):
            raise Ended(said)
        children.check(*without)


def _height(node: Node) -> int:
    block = node.block("latest")
    if block is None:
        raise Ended(f"{node.address.host} has no block any more")
    return block.number


def _free_port(wanted: int) -> int:
    """The first port from this one on that nobody listens on; 0 is any. Raises Ended where there is none."""
    for port in range(wanted, min(wanted + _PORTS, 2**16)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise Ended(f"no port is free from {wanted} on: name another one with --port")
