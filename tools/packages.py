"""Builds the wheel and the sdist, and tries both as a stranger would, on every Python that pyproject.toml names.

`make packages` runs it, with the standard library alone. For each Python there is one virtual environment, far from the
checkout. First it holds the wheel and what the wheel asks for: the commands run in an empty folder. Then the unpacked
sdist is installed over it by its own Makefile, and some of its tests run. A Python that is not on this machine is said
to be not tried. All of it takes about five minutes on two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

HOUSEHOLDS = """period,household,load_wh,pv_wh
11,sunny,100,1100
11,cloudy,1000,0
"""
"""A day that takes seconds."""

SESSION = 'sunny.quote(kwh=2, price=9); print("quotes:", market.quote_count())\n'

FIRST_TEST = "tests/unit/test_units.py::test_a_kwh_at_a_price_costs_that_price"

TESTS = (
    "tests/test_traceability.py",
    "tests/evidence/test_action.py::test_installs_both_packages_from_the_actions_own_files",
    "tests/evidence/test_action.py::test_the_documented_workflow_is_short_and_names_inputs_that_exist",
    "tests/report/test_readme.py",
    "tests/unit/test_constructor.py",
    "tests/unit/test_households.py::test_an_odd_path_stays_on_one_line",
    "tests/unit/test_households.py::test_bad_rows",
    "tests/unit/test_packages.py",
    "tests/unit/test_units.py",
    "tests/properties/test_packing.py::test_a_reading_joins_a_position",
)
"""Which of the sdist's tests run: those that read the files around the package, what differs between Pythons, and a
contract. They take half a minute."""

PATIENCE = 600
"""Seconds after which a step has failed."""

ENOUGH = 480
"""Seconds in which all Pythons can be tried, on two cores."""

_NOT_OURS = ("PYTHONPATH", "WATTPROOF_CONTRACTS", "VIRTUAL_ENV", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "PYENV_VERSION")
"""Variables that would lead a trial back to where it was started."""


_running: set[subprocess.Popen[str]] = set()
"""The steps that are under way."""


class Failed(Exception):
    """A step did not come out as it should; the text shows its command and the end of what it printed."""


# ---- which Pythons -----------------------------------------------------------------------


def supported(project: Path = ROOT / "pyproject.toml") -> tuple[str, ...]:
    """The versions of Python that the package is for, such as "3.11": its classifiers name them."""
    named = tomllib.loads(project.read_text())["project"]["classifiers"]
    matches = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", text) for text in named)
    return tuple(match[1] for match in matches if match)


def interpreters(versions: Iterable[str], first: Sequence[str] = ()) -> dict[str, str | None]:
    """An interpreter for each version, None where there is none; those of `first` are preferred.

    Each candidate is asked for its version: one of the right name may refuse to run, as pyenv's do where their version
    is not in use.
    """
    found: dict[str, str | None] = dict.fromkeys(versions)
    for candidate in (*first, sys.executable, *_candidates(found)):
        version = version_of(candidate)
        if version in found and found[version] is None:
            found[version] = candidate
    return found


def _candidates(versions: Iterable[str]) -> Iterator[str]:
    """Where a Python may be: on the path, and among pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for version in versions:
        if there := shutil.which(f"python{version}"):
            yield there
        yield from (str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True))


def version_of(interpreter: str) -> str | None:
    """An interpreter's version, such as "3.11"; None where it does not run."""
    asks = [interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        done = subprocess.run(asks, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


# ---- what is built -----------------------------------------------------------------------


def build(interpreter: str, folder: Path) -> tuple[Path, Path]:
    """Builds the sdist, and the wheel from it; returns wheel and sdist."""
    tool = folder / "build"
    _run([interpreter, "-m", "venv", str(tool)], folder)
    _run([str(tool / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "build"], folder)
    _run([str(tool / "bin/python"), "-m", "build", "--outdir", str(folder / "dist"), str(ROOT)], folder)
    (wheel,), (sdist,) = (folder / "dist").glob("*.whl"), (folder / "dist").glob("*.tar.gz")
    return wheel, sdist


def differences(tracked: Iterable[str], packed: Iterable[str]) -> list[str]:
    """What is tracked and not in the sdist, or the other way round, a line each."""
    want, have = set(tracked), set(packed) - {"PKG-INFO"}
    return [f"{name} is not in the sdist" for name in sorted(want - have)] + [
        f"{name} is in the sdist and not under git: add it, or name it in .gitignore" for name in sorted(have - want)
    ]


def tracked_files(tree: Path = ROOT) -> list[str] | None:
    """The files under git in a checkout that are there; None where it is none, or there is no git. Failed says why."""
    if not (tree / ".git").exists() or not shutil.which("git"):
        return None
    # A hook of git sets GIT_DIR, with which git answers for its own repository wherever it is asked.
    asked = subprocess.run(["git", "ls-files", "-z"], cwd=tree, env=_surroundings(), capture_output=True, text=True)
    if asked.returncode:
        raise Failed(f"git cannot list the files of {tree}: {asked.stderr.strip()}")
    return [name for name in asked.stdout.split("\0") if name and (tree / name).exists()]


def packed_files(sdist: Path) -> list[str]:
    """The files of an sdist, as they lie in the folder that it unpacks to."""
    with tarfile.open(sdist) as archive:
        return [member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()]


# ---- the trials --------------------------------------------------------------------------


def try_on(interpreter: str, wheel: Path, sdist: Path, folder: Path, say: Callable[[str], None]) -> None:
    """Tries both on one Python, in `folder`. Failed says what did not work."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (tree,) = folder.iterdir()
    _run([interpreter, "-m", "venv", str(tree / ".venv")], folder)
    python = str(tree / ".venv/bin/python")
    pip = [python, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    _run([*pip, "--constraint", str(tree / "requirements.txt"), str(wheel)], folder)
    say("the wheel is installed")
    _try_wheel(tree / ".venv/bin", folder / "empty")
    say("the wheel's commands work in an empty folder")
    _run(["make", "test-one", f"PYTHON={interpreter}", f"TEST={FIRST_TEST}"], tree)
    say("the sdist's own `make` installs it and runs a test")
    _run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--engine", "pyevm", *TESTS], tree)
    say("the sdist's tests pass")


def _try_wheel(binaries: Path, folder: Path) -> None:
    """The commands of a household, in an empty folder."""
    folder.mkdir()
    (folder / "households.csv").write_text(HOUSEHOLDS)
    command, python = str(binaries / "wattproof"), str(binaries / "python")
    _run([command, "--version"], folder)
    _run([command, "day", "--households", "households.csv", "--out", "day"], folder)
    if not (folder / "day/bills.csv").is_file():
        raise Failed("wattproof day --out day: wrote no day/bills.csv")
    _run([command, "study", "--help"], folder)
    _run([command, "check-bytecode", f"0x{40 * '1'}", "--rpc", "http://127.0.0.1:9"], folder, code=2)
    _run([command, "repl"], folder, typed=SESSION, prints="quotes: 1")
    _run([python, "-c", "import verification"], folder, code=1, prints="No module named")


def _run(command: Sequence[str], folder: Path, code: int = 0, typed: str = "", prints: str = "") -> None:
    """Runs a step. Failed where its exit code is another than `code`, or `prints` is not in what it printed."""
    surroundings = _surroundings()
    with subprocess.Popen(
        command, cwd=folder, env=surroundings, text=True, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        _running.add(process)
        try:
            output, _ = process.communicate(typed, timeout=PATIENCE)
        except subprocess.TimeoutExpired as error:
            _kill(process)
            raise Failed(f"{' '.join(command)}\n  not done after {PATIENCE} seconds") from error
        except KeyboardInterrupt:  # It has a group of its own, and would go on in a folder that goes.
            _kill(process)
            raise
        finally:
            _running.discard(process)
    if process.returncode != code or prints not in output:
        told = "\n".join(f"  {line}" for line in output.splitlines()[-40:])
        expected = f"{code} was expected" + (f", and {prints!r}" if prints else "")
        raise Failed(f"{' '.join(command)}\n  exit code {process.returncode}, where {expected}\n{told}")


def _surroundings() -> dict[str, str]:
    """The environment without what leads back to where it was started."""
    return {name: value for name, value in os.environ.items() if name not in _NOT_OURS and not name.startswith("GIT_")}


def _kill(process: subprocess.Popen[str]) -> None:
    """Ends a step with all that it started, which would hold its output open, and run on."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


# ---- the command -------------------------------------------------------------------------


class Log:
    """What happens, a line at a time, with the seconds since the start."""

    def __init__(self) -> None:
        self._start, self._lock = time.monotonic(), threading.Lock()

    def say(self, what: str, line: str) -> None:
        """Prints a line about `what`."""
        with self._lock:
            print(f"{time.monotonic() - self._start:5.0f} s  {what}: {line}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Tries all; returns 0 where all that was tried works, 1 where something does not, 2 on a wrong Python."""
    parser = argparse.ArgumentParser(prog="packages", description="tries the wheel and the sdist on each Python")
    parser.add_argument("--python", action="append", default=[], metavar="FILE", help="one more interpreter to try")
    parser.add_argument("--within", type=int, metavar="SECONDS", help="try this Python alone where there is less time")
    options = parser.parse_args(arguments)
    versions, log = supported(), Log()
    for named in options.python:
        if version_of(named) not in versions:
            print(f"{named}: is no Python {', '.join(versions)} that runs; name another one", file=sys.stderr)
            return 2
    found = interpreters(versions, options.python)
    if version_of(sys.executable) not in found:
        print(f"this Python is none of {', '.join(versions)}, which are supported: run it with one of them")
        return 2
    own = version_of(sys.executable)
    short = options.within is not None and options.within < ENOUGH
    for version, interpreter in found.items():
        if interpreter and short and version != own:
            log.say(f"Python {version}", f"NOT TRIED, {options.within} s are not enough for it: make packages")
            found[version] = None
        else:
            log.say(f"Python {version}", interpreter or "not on this machine, NOT TRIED (name one with --python FILE)")
    tried = {version: interpreter for version, interpreter in found.items() if interpreter}
    with tempfile.TemporaryDirectory(prefix="wattproof-packages-") as name:
        try:
            wheel, sdist = build(sys.executable, Path(name))
        except Failed as problem:
            log.say("build", f"FAILED\n{problem}")
            return 1
        log.say("build", f"{wheel.name}, {sdist.name}")
        bad = _contents_differ(sdist, log)
        pool = ThreadPoolExecutor(len(tried))
        try:
            trials = [pool.submit(_fails, *each, wheel, sdist, Path(name), log) for each in tried.items()]
            bad += sum(trial.result() for trial in trials)
        finally:  # also where somebody stops it: no trial goes on
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(_running):
                _kill(process)
    log.say("packages", f"{bad} failed" if bad else f"wheel and sdist work on Python {', '.join(tried)}")
    return 1 if bad else 0


def _contents_differ(sdist: Path, log: Log) -> int:
    """Whether the sdist is another tree than the checkout's, 0 or 1."""
    try:
        tracked = tracked_files()
    except Failed as problem:
        log.say("sdist", str(problem))
        return 1
    if tracked is None:
        log.say("sdist", "not compared with the checkout, as this is no checkout of git")
        return 0
    wrong = differences(tracked, packed_files(sdist))
    for line in wrong:
        log.say("sdist", line)
    return bool(wrong)


def _fails(version: str, interpreter: str, wheel: Path, sdist: Path, folder: Path, log: Log) -> int:
    """Whether a Python cannot use the packages, 0 or 1."""
    say = functools.partial(log.say, f"Python {version}")
    place = folder / version
    place.mkdir()
    try:
        try_on(interpreter, wheel, sdist, place, say)
    except Failed as problem:
        say(f"FAILED\n{problem}")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("stopped; nothing is left behind", file=sys.stderr)
        sys.exit(130)
