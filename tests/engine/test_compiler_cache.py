"""What titanoboa keeps of compiled contracts: whatever happens to the files, contracts are compiled and run."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boa
import boa.interpret as interpret
import pytest
from vyper.compiler.phases import CompilerData

from wattproof.evm import compiler_cache

SOURCE = """
@external
@pure
def answer() -> uint256:
    return 42
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own, as a new process would have it."""
    monkeypatch.setattr(interpret, "_disk_cache", None)
    interpret.set_cache_dir(str(tmp_path / "cache"))
    compiler_cache.use()
    yield tmp_path / "cache"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Whether the contract, which answers as it should, had to be compiled."""

    def answers() -> bool:
        made = []
        of = interpret._compute_source_map
        monkeypatch.setattr(interpret, "_compute_source_map", lambda data: made.append(data) or of(data))
        contract: Any = boa.loads(SOURCE)
        monkeypatch.setattr(interpret, "_compute_source_map", of)
        assert contract.answer() == 42
        return bool(made)

    return answers


def kept(folder: Path) -> Path:
    (path,) = folder.rglob("*.pickle")
    return path


def test_what_was_compiled_is_kept(folder: Path, compiled: Callable[[], bool]) -> None:
    assert [compiled(), compiled()] == [True, False]
    assert [path.suffix for path in folder.rglob("*") if path.is_file()] == [".pickle"]


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "one byte": lambda content: content[:1],
    "truncated by half": lambda content: content[: len(content) // 2],
    "truncated by a byte": lambda content: content[:-1],
    "grown": lambda content: content + b"\0",
    "garbled at the beginning": lambda content: b"\xff" + content[1:],
    "garbled in the middle": lambda content: content[:500] + bytes([content[500] ^ 1]) + content[501:],
    "garbled at the end": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "zeros": lambda content: bytes(len(content)),
    "text": lambda content: b"<html>",
    "something else": lambda content: pickle.dumps("nothing to compile"),
    "without its digest": lambda content: content[:-32],
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_file_is_made_anew(how: str, folder: Path, compiled: Callable[[], bool]) -> None:
    compiled()
    path = kept(folder)
    whole = path.read_bytes()
    path.write_bytes(BROKEN[how](whole))
    assert [compiled(), compiled()] == [True, False]
    assert kept(folder) == path


def test_a_class_that_has_changed_since_is_made_anew(
    folder: Path, compiled: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled()

    def other(*_: object) -> None:
        raise AttributeError("no longer what it was")

    with monkeypatch.context() as patch:
        patch.setattr(compiler_cache, "pickle", SimpleNamespace(loads=other, dumps=pickle.dumps))
        assert compiled()
    assert not compiled()


def test_each_version_has_a_folder_of_its_own(folder: Path, compiled: Callable[[], bool]) -> None:
    """Of the compiler, of titanoboa and of Python."""
    compiled()
    name = kept(folder).parent.name
    assert name.startswith(interpret.vyper.__version__)
    assert name.endswith(f"-{sys.version_info.major}.{sys.version_info.minor}")


def test_a_folder_in_the_place_of_a_file(
    folder: Path, compiled: Callable[[], bool], capsys: pytest.CaptureFixture[str]
) -> None:
    compiled()
    path = kept(folder)
    path.unlink()
    path.mkdir()
    assert [compiled(), compiled()] == [True, True]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(path) in said


def test_a_cache_that_cannot_be_written_is_told_once(
    folder: Path, compiled: Callable[[], bool], capsys: pytest.CaptureFixture[str]
) -> None:
    """A file where the folder should be: it is left as it is."""
    folder.write_text("mine")
    assert [compiled(), compiled()] == [True, True]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "make its folder one that can be written" in said
    assert folder.read_text() == "mine"


def test_a_disk_that_is_full_leaves_nothing_behind(
    folder: Path, compiled: Callable[[], bool], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compiler_cache.os, "replace", full)
    assert compiled()
    assert "No space left" in capsys.readouterr().err
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_what_does_not_compile_is_the_compilers_to_say(folder: Path) -> None:
    with pytest.raises(Exception, match="nothing"):
        boa.loads("x: nothing")
    assert not list(folder.rglob("*.pickle"))


def test_who_wants_no_cache_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpret, "_disk_cache", None)
    compiler_cache.use()
    assert interpret._disk_cache is None


def test_who_reads_while_others_write_finds_a_whole_file(folder: Path, compiled: Callable[[], bool]) -> None:
    compiled()
    path = kept(folder)
    content = compiler_cache._read(path)
    assert isinstance(content, CompilerData)
    with ThreadPoolExecutor(2) as pool:
        written = [pool.submit(compiler_cache._write, path, content) for _ in range(60)]
        while not all(one.done() for one in written):
            assert compiler_cache._read(path) is not None
    assert [one.exception() for one in written] == [None] * 60
    assert kept(folder) == path


HOMES = {
    "none at all": "import pwd; os.environ.pop('HOME', None); pwd.getpwuid = lambda uid: {}[uid]",
    "one that is not there": "os.environ['HOME'] = os.path.abspath('nowhere')",
    "a file": "open('file', 'w').close(); os.environ['HOME'] = os.path.abspath('file')",
}


@pytest.mark.parametrize("home", HOMES)
def test_without_a_home_it_is_said_what_to_do(home: str, tmp_path: Path) -> None:
    code = f"import os\n{HOMES[home]}\nimport sys; from wattproof.cli import main; sys.exit(main(['day']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "set HOME" in done.stderr
