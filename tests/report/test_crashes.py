"""A test whose process crashes is told like any other: by calls as literals, as few as end a process again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boa
import pytest

from tests.properties import test_matching
from tests.properties.test_only import Refusals
from tests.properties.test_surface import Credit
from verification.harness import apart, crashes, journal, presets
from verification.harness.crashes import CRASHED
from verification.harness.lockstep import HOUSEHOLDS
from verification.harness.moves import undo
from verification.report import counterexample, saved
from wattproof.evm.engine import available
from wattproof.market.trace import Call
from wattproof.terms import model

pytestmark = pytest.mark.usefixtures("uncounted")

ENGINE = available()[-1]

TEST = {"test": "tests/properties/test_x.py::TestX::runTest", "line": 7, "engine": ENGINE, "oversized": False}
MACHINE = TEST | {"function": ("tests.properties.test_only", "runTest"), "arguments": None}
MACHINE |= {"machine": (Refusals.__module__, Refusals.__name__)}
FUNCTION = TEST | {"machine": None, "arguments": None}
FUNCTION |= {"function": (test_matching.__name__, "test_purchases_of_excess_count_against_the_capacity")}

STEPS = [
    Call("everybody", (3, 100, False, 0), "everybody"),
    Call("deposit", (5,), "sunny"),
    Call("clear", ("cloudy",), "stranger"),
    Call("withdraw", (7,), "rainy"),
]
"""Of which the last but one is to crash."""


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Path]:
    """Where this process keeps its journal, in the environment of the property tests."""
    with boa.swap_env(presets.environment(ENGINE)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "_file", None)
        patch.setattr(journal, "_paused", False)
        patch.setattr(presets, "_prepared", [])
        journal.keep(tmp_path)
        yield tmp_path / journal.name_of(os.getpid())
        assert journal._file is not None
        os.close(journal._file)


@pytest.fixture
def crashing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], Any]], None]:
    """Makes an entry point of the terms end its process."""

    def crash(function: str, end: Callable[[], Any]) -> None:
        monkeypatch.setattr(model.Market, function, lambda self, *args, **named: end())

    return crash


def killed() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def steps_of_a_history(beginning: str = "fresh") -> None:
    """Makes the steps until one is to crash, which is not made any more."""
    state = Refusals()
    try:
        state.begin(preset=beginning)
        for call in STEPS[:2]:
            state.trade(call=call)
        journal.step(len(state.steps) + 1, "money", {"call": STEPS[2]}, state.lockstep.trace.scene)
    finally:
        undo(state)


def told(file: Path, seconds: int = 60) -> dict[str, Any]:
    out = file.with_name("told.json")
    with journal.paused():  # In its own process, which keeps none.
        crashes.main(str(file), str(out), str(seconds))
    return json.loads(out.read_text())["kept"]


def test_a_history_that_ends_its_process_is_told_by_the_calls_that_do(
    kept: Path, crashing: Callable[[str, Callable[[], Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.test(MACHINE)
    steps_of_a_history()
    crashing("clear", killed)
    failure = told(kept)
    call = "market.clear(cloudy, sender=stranger)"
    assert failure["error"] == f"crashed: {CRASHED}; made again, it ended with signal 11 (Segmentation fault) in {call}"
    assert failure["repl"][failure["beginning"] :] == [call, "check()"], "what does not matter is left out"
    assert failure["replay"]["kind"] == "steps"
    assert failure["replay"]["lines"] == [
        f"with replay.history(Refusals, '{ENGINE}', None) as state:",
        "    state.begin(preset='fresh')",
        "    state.perform(Call(function='clear', args=(state.lockstep.address('cloudy'),), sender='stranger'))",
    ]
    monkeypatch.setattr(counterexample, "playing", lambda engine: contextlib.nullcontext())
    story = counterexample.tell(failure["trace"], ENGINE)
    assert story[-1]["function"] == "clear" and story[-1]["contract"] == counterexample.ENDED
    assert [chapter["function"] for chapter in story[1:]] == ["clear"]


def test_a_history_of_the_token_is_told_by_its_own_moves(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.test(MACHINE | {"machine": (Credit.__module__, Credit.__name__)})
    state = Credit()
    for amount in (3, 5, 7):
        state.call(move=("mint", "saver", "spender", "idler", amount, 4))
    undo(state)
    book = Credit.book

    def crash(self: Credit, kind: str, *who: Any) -> None:
        if who[-1] == 5:
            os._exit(3)
        book(self, kind, *who)

    monkeypatch.setattr(Credit, "book", crash)
    failure = told(kept)
    assert failure["error"] == f"crashed: {CRASHED}; made again, it ended with exit code 3"
    assert failure["replay"]["lines"] == [
        f"with replay.history(Credit, '{ENGINE}', None) as state:",
        "    state.call(move=('mint', 'saver', 'spender', 'idler', 5, 4))",
    ]


def test_a_history_that_does_not_crash_again_is_told_as_a_whole(kept: Path) -> None:
    journal.test(MACHINE)
    steps_of_a_history()
    failure = told(kept)
    assert failure["error"] == f"crashed: {CRASHED}; made again, it did not"
    assert failure["repl"][-3:] == [
        "market.deposit(5, sender=sunny)",
        "market.clear(cloudy, sender=stranger)",
        "check()",
    ]
    assert sum("market.submit_bid(" in line for line in failure["repl"]) == len(HOUSEHOLDS) - 1
    assert failure["replay"]["kind"] == "steps"


def test_a_function_is_told_by_its_arguments(kept: Path, crashing: Callable[[str, Callable[[], Any]], None]) -> None:
    journal.test(FUNCTION)
    journal.example({"capacity": 183, "first": 150, "second": 83})
    crashing("buy_surplus", lambda: os._exit(3))
    failure = told(kept)
    assert failure["error"].startswith(f"crashed: {CRASHED}; made again, it ended with exit code 3")
    test = "test_matching.test_purchases_of_excess_count_against_the_capacity"
    assert failure["repl"][-1] == f"example(None, {test}, capacity=183, first=150, second=83)"
    assert failure["replay"]["kind"] == "arguments"
    assert "    capacity=183," in failure["replay"]["lines"]


def test_a_preset_that_was_being_played_is_told_as_that(
    kept: Path, crashing: Callable[[str, Callable[[], Any]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presets, "failures", {})
    monkeypatch.setattr(presets, "_prepared", [])
    journal.test(MACHINE)
    journal._add("preset", "no fee")
    crashing("deposit", killed)
    failure = told(kept, seconds=0)
    assert failure["error"] == f"crashed: {CRASHED}", "nothing is made again where no time is left"
    assert failure["repl"][-1] == "preset('no fee')"
    assert failure["replay"]["lines"] == [f"replay.preset('no fee', '{ENGINE}')"]


def test_where_nothing_was_written_down_the_test_is_run_again(kept: Path) -> None:
    journal.test(FUNCTION)
    journal.example({"capacity": lambda: 3})
    failure = told(kept)
    assert failure["error"] == f"crashed: {CRASHED}"
    assert failure["replay"]["lines"] == [f"replay.test({TEST['test']!r}, '{ENGINE}')"]
    assert "lambda" in failure["replay"]["why"]


def test_a_history_is_the_only_one_in_its_journal(kept: Path) -> None:
    presets.prepared("fresh")
    journal.test(MACHINE)
    steps_of_a_history()
    size = kept.stat().st_size
    steps_of_a_history()
    assert kept.stat().st_size == size
    with journal.paused():
        steps_of_a_history("no fee")
    calls = [arguments["call"] for _, arguments in journal.read(kept).steps[1:]]
    assert calls == STEPS[:3], "as they were"
    assert journal.read(kept).steps[0] == ("begin", {"preset": "fresh"})
    assert journal.of_test(kept.parent, TEST["test"]) == kept
    assert journal.of_test(kept.parent, "tests/properties/test_x.py::test_other") is None


def test_a_saved_file_fails_where_its_process_ends() -> None:
    assert saved.shown(-11, "Fatal Python error: Segmentation fault\n", None, crashes=True) is True
    assert saved.shown(0, "", None, crashes=True) is True, "os._exit(0)"
    assert saved.shown(0, "holds: all that was checked, 3 times\n1 passed in 0.21s\n", None, crashes=True) is False
    assert saved.shown(1, "1 failed in 2.01s\n", None, crashes=True) is None
    assert saved.shown(-11, "Fatal Python error: Segmentation fault\n", None, crashes=False) is None


def test_what_happens_apart_stays_there(tmp_path: Path) -> None:
    found: list[int] = []

    def act(say: Callable[[Any], None]) -> None:
        found.append(1)
        say("half")
        os._exit(0)

    ended = apart.apart(act, 10, tmp_path / "said")
    assert (ended.code, ended.crashed, ended.said, found) == (0, True, ["half"], [])
    whole = apart.apart(lambda say: say(1 // 0), 10, tmp_path / "said")
    assert (whole.crashed, whole.said) == (False, ["ZeroDivisionError: integer division or modulo by zero"])
    late = apart.apart(lambda say: signal.pause(), 0.2, tmp_path / "said")
    assert (late.code, late.crashed) == (None, False)
