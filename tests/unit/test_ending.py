"""Commands end with a code and a line, and finish their work, whatever becomes of what they print."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from wattproof import cli
from wattproof.cli.ending import guarded
from wattproof.evm.engine import available
from wattproof.outputs import BadPlace

DAY = "period,household,load_wh,pv_wh\n11,sunny,100,1100\n11,cloudy,1000,0\n"


class Broken(io.StringIO):
    """A stream that can be written to no more."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize(("number", "code"), [(errno.EPIPE, 141), (errno.ENOSPC, 2)])
def test_a_day_whose_bills_nobody_reads_has_its_files(
    number: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "day.csv").write_text(DAY)
    monkeypatch.setattr(sys, "stdout", Broken(number))
    asked = ["--engine", available()[-1], "--households", str(tmp_path / "day.csv"), "--out", str(tmp_path / "out")]
    assert cli.main(["day", *asked]) == code
    assert (tmp_path / "out" / "summary.json").is_file()


def test_what_failed_before_keeps_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing() -> int:
        print("falsified")
        return 1

    monkeypatch.setattr(sys, "stdout", Broken(errno.EPIPE))
    assert guarded(failing) == 1


def test_a_message_that_cannot_be_written_changes_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing() -> int:
        raise BadPlace("there")

    monkeypatch.setattr(sys, "stderr", Broken(errno.ENOSPC))
    assert guarded(refusing) == 2


def test_streams_that_were_closed_are_none() -> None:
    code = "import sys; from wattproof.cli.ending import guarded; sys.exit(guarded(lambda: print('a') or 7))"
    done = subprocess.run(["sh", "-c", f'exec {sys.executable} -c "$0" >&- 2>&-', code], check=False)
    assert done.returncode == 7


def test_what_a_terminal_cannot_show_is_escaped() -> None:
    code = "from wattproof.cli.ending import guarded\nguarded(lambda: print('caf\\u00e9 \\udcff') or 0)"
    surroundings = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=surroundings, capture_output=True, text=True, check=True)
    assert done.stdout == "caf\\xe9 \\udcff\n"


@pytest.mark.parametrize("begun", ["wattproof.evm", "wattproof.simulation.day"])
def test_ctrl_c_is_one_line_while_a_command_is_loaded(begun: str, tmp_path: Path) -> None:
    """A command takes seconds to load; the signal comes as soon as it imports that module."""
    code = f"""
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # What runs in the background may have been told to ignore it.
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {begun!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
from wattproof.cli import main
sys.exit(main(["day", "--out", {str(tmp_path / "out")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (130, "stopped\n", "")


@pytest.mark.parametrize("begun", ["wattproof.cli", "wattproof.cli.day"])
def test_ctrl_c_is_one_line_while_the_command_line_is_loaded(begun: str) -> None:
    code = f"""
import os, runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {begun!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
runpy.run_module("wattproof", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (130, "stopped\n", "")


def test_the_installed_command_is_that_one() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"wattproof": "wattproof.__main__:main"}


def test_the_input_may_have_a_name_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"day\xff.csv")
    path.write_text(DAY)
    asked = ["--engine", available()[-1], "--households", str(path), "--out", str(tmp_path / "out")]
    assert cli.main(["day", *asked]) == 0
    assert "day\\\\udcff.csv" in (tmp_path / "out" / "summary.json").read_text()


def test_a_message_about_a_place_is_one_line_without_a_terminals_commands() -> None:
    assert str(BadPlace("a\nb\x1b[31m: is a folder")) == "a\\nb\\x1b[31m: is a folder"


def test_a_locale_that_cannot_read_the_sources_is_told(tmp_path: Path) -> None:
    (tmp_path / "day.csv").write_text(DAY)
    asked = ["day", "--engine", available()[-1], "--households", str(tmp_path / "day.csv")]
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "wattproof", *asked]
    done = subprocess.run(command, env=os.environ | ascii_only, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("set PYTHONUTF8=1")
    assert done.stderr.count("\n") == 1


def test_a_closed_input_is_no_repl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert cli.main(["repl", "--engine", available()[-1]]) == 2
    assert "standard input is closed" in capsys.readouterr().err


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_what_cannot_be_encoded_is_escaped(errors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python opens stdout with surrogateescape where the locale is C.UTF-8, as in containers."""
    kept = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(kept, encoding="utf-8", errors=errors))
    assert guarded(lambda: print("a\ud800b") or 0) == 0
    assert kept.getvalue() == b"a\\ud800b\n"


def test_a_name_with_a_zero_byte_is_no_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["day", "--out", "a\0b"]) == 2
    assert capsys.readouterr().err == "a\\x00b: embedded null byte; name another place\n"
