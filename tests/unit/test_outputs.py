"""Where results go: places are tried and locked first, and what is not ours is never touched."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from wattproof import outputs
from wattproof.outputs import MANIFEST, BadPlace, File, Folder, write

NAMES = ("page.html", "stories/*.py", "end.json")
SCRATCH = {"run": r"(one|two)\.log"}
OURS = '{"schema": "wattproof-test/1"}\n'


def tree(folder: Path) -> dict[str, str]:
    """All files below a folder, with what is in them."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def run(folder: Path, scratch: dict[str, str] | None = None, **files: str) -> None:
    """A run that writes these files, `__` for a `/` and `_` for a dot."""
    with Folder(folder, "verify", NAMES, scratch) as place:
        for name, text in files.items():
            place.write(name.replace("__", "/").replace("_", "."), text)
        place.finish()


# ---- a folder ------------------------------------------------------------------------------------


def test_a_second_run_replaces_and_removes_what_the_first_wrote(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    run(out, page_html="1", stories__a_py="a", stories__b_py="b")
    (out / "mine.txt").write_text("mine")
    run(out, page_html="2", stories__b_py="c")
    assert {name: text for name, text in tree(out).items() if name != MANIFEST} == {
        "page.html": "2",
        "stories/b.py": "c",
        "mine.txt": "mine",
    }


def test_a_folder_that_is_left_empty_goes(tmp_path: Path) -> None:
    run(tmp_path, stories__a_py="a")
    run(tmp_path, page_html="2")
    assert sorted(os.listdir(tmp_path)) == ["page.html", MANIFEST]


@pytest.mark.parametrize(
    "name", ["page.html", "stories/notes.py", "stories", "end.json/notes", "run/x", "run", MANIFEST]
)
def test_what_is_not_ours_is_left_alone_and_told_before_the_run(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(BadPlace, match="is not of an earlier run; move it, or name another folder"):
        Folder(tmp_path, "verify", NAMES, SCRATCH)
    assert tree(tmp_path) == {name: "mine"}


@pytest.mark.parametrize("name", ["stories/b.py", "run/notes"])
def test_nor_is_it_beside_files_of_ours(name: str, tmp_path: Path) -> None:
    run(tmp_path, SCRATCH, page_html="1", stories__a_py="a")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(BadPlace, match="is not of an earlier run"):
        run(tmp_path, SCRATCH, page_html="2")
    assert tree(tmp_path) == before


def test_what_python_leaves_beside_a_file_that_was_run_is_nobodys(tmp_path: Path) -> None:
    with Folder(tmp_path, "verify", NAMES) as place:
        place.write("stories/a.py", "a")
        place.write("stories/__pycache__/a.pyc", "compiled")
        place.finish()
    assert not (tmp_path / "stories/__pycache__").exists()
    (tmp_path / "stories/__pycache__").mkdir()
    (tmp_path / "stories/__pycache__/a.pyc").write_text("compiled")
    run(tmp_path, stories__a_py="b")
    assert tree(tmp_path)["stories/a.py"] == "b"


def test_a_file_of_ours_that_somebody_changed_is_theirs(tmp_path: Path) -> None:
    run(tmp_path, page_html="1")
    (tmp_path / "page.html").write_text("with my notes")
    with pytest.raises(BadPlace, match=r"page.html: was changed since it was written; move it"):
        run(tmp_path, page_html="2")
    assert tree(tmp_path)["page.html"] == "with my notes"


def test_a_list_that_nobody_can_read_lists_nothing(tmp_path: Path) -> None:
    run(tmp_path, page_html="1")
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(BadPlace, match="is not of an earlier run"):
        run(tmp_path, page_html="2")


def test_an_empty_folder_of_that_name_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "stories").mkdir()
    run(tmp_path, SCRATCH, page_html="1")
    assert tree(tmp_path)["page.html"] == "1"


def test_what_an_earlier_run_left_in_its_own_folder_is_cleared(tmp_path: Path) -> None:
    with Folder(tmp_path, "verify", NAMES, SCRATCH) as place:
        place.begin()
        (tmp_path / "run").mkdir()
        (tmp_path / "run/one.log").write_text("as far as it came")
    with Folder(tmp_path, "verify", NAMES, SCRATCH) as place:
        assert (tmp_path / "run/one.log").exists()
        place.begin()
        assert not (tmp_path / "run").exists()


def test_a_run_that_ends_early_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), Folder(tmp_path / "a/b", "verify", NAMES) as place:
        place.write("page.html", "half")
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []


def test_what_a_killed_run_wrote_aside_goes_with_the_next_one(tmp_path: Path) -> None:
    place = Folder(tmp_path, "verify", NAMES)
    place.write("page.html", "half")
    shutil.copytree(place.aside, tmp_path / ".wattproof-killed")
    place.close()
    (tmp_path / ".wattproof-mine").mkdir()
    (tmp_path / ".wattproof-mine/notes").write_text("mine")
    run(tmp_path, page_html="1")
    assert tree(tmp_path).keys() == {"page.html", MANIFEST, ".wattproof-mine/notes"}


def test_what_appears_during_a_run_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(BadPlace, match="is not of an earlier run"), Folder(tmp_path, "verify", NAMES) as place:
        place.write("page.html", "ours")
        (tmp_path / "page.html").write_text("mine")
        place.finish()
    assert tree(tmp_path) == {"page.html": "mine"}


def test_two_commands_share_a_folder(tmp_path: Path) -> None:
    run(tmp_path, page_html="1")
    for text in ("a", "b"):
        with Folder(tmp_path, "day", ["bills.csv"]) as place:
            place.write("bills.csv", text)
            place.finish()
    run(tmp_path, page_html="2")
    assert tree(tmp_path)["page.html"] == "2"
    assert tree(tmp_path)["bills.csv"] == "b"


def test_a_run_that_was_killed_as_it_moved_its_files_blocks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, page_html="1", end_json="1")

    def killed(source: Path, target: Path) -> None:
        if Path(target).name == "end.json":
            raise KeyboardInterrupt
        os.rename(source, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(outputs.os, "replace", killed)
        run(tmp_path, page_html="2", end_json="2")
    assert (tree(tmp_path)["page.html"], tree(tmp_path)["end.json"]) == ("2", "1")
    run(tmp_path, page_html="3", end_json="3")
    assert (tree(tmp_path)["page.html"], tree(tmp_path)["end.json"]) == ("3", "3")


# ---- two runs ------------------------------------------------------------------------------------


def test_the_second_of_two_runs_is_refused(tmp_path: Path) -> None:
    with Folder(tmp_path, "verify", NAMES):
        for command in ("verify", "day"):
            with pytest.raises(
                BadPlace, match=rf"another run \(process {os.getpid()}\) writes there; wait for its end"
            ):
                Folder(tmp_path, command, NAMES)
    run(tmp_path, page_html="1")

    with File(tmp_path / "a.json"):
        with pytest.raises(BadPlace, match="another run"):
            File(tmp_path / "a.json")
        with File(tmp_path / "b.json") as other:
            other.write(OURS)
    assert sorted(os.listdir(tmp_path)) == ["b.json", "page.html", MANIFEST]


def test_a_run_that_was_killed_locks_nobody_out(tmp_path: Path) -> None:
    holder = (
        "import sys, time, pathlib; from wattproof.outputs import Folder\n"
        "folder = Folder(pathlib.Path(sys.argv[1]), 'verify', ['page.html']); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", holder, tmp_path], stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BadPlace, match=rf"another run \(process {process.pid}\)"):
            Folder(tmp_path, "verify", NAMES)
        process.kill()
    run(tmp_path, page_html="1")


def test_many_runs_at_once_are_one_at_a_time(tmp_path: Path) -> None:
    inside, most, refused = [0], [0], [0]

    def work() -> None:
        for _ in range(30):
            try:
                with File(tmp_path / "a.json"):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    inside[0] -= 1
            except BadPlace:
                refused[0] += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1
    assert refused[0] < 120
    assert os.listdir(tmp_path) == []


# ---- places that cannot be written to --------------------------------------------------------------


@pytest.mark.parametrize("place", ["file", "file/below/it", "loop", "x" * 300])
def test_places_that_are_none(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    for make in (lambda path: Folder(path, "verify", NAMES), lambda path: File(path / "a.json")):
        with pytest.raises(BadPlace) as told:
            make(tmp_path / place)
        assert str(told.value).startswith(f"{tmp_path / place}")
        assert "\n" not in str(told.value)
    assert sorted(os.listdir(tmp_path)) == ["file", "loop"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadPlace, match="is a folder; name a file"):
        File(tmp_path)


@pytest.mark.parametrize(
    ("number", "why"),
    [(errno.EACCES, "permission denied; name another"), (errno.ENOSPC, "no space is left; free some")],
)
def test_a_folder_that_refuses_is_told_before_the_run(
    number: int, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Played, as whoever runs the tests may be allowed everything.
    def refuse(path: Path, data: bytes) -> int:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    for make in (lambda: Folder(tmp_path / "out", "verify", NAMES), lambda: File(tmp_path / "out/a.json")):
        with pytest.raises(BadPlace, match=why):
            make()
    assert os.listdir(tmp_path) == []


def test_a_disk_that_fills_up_during_the_run_costs_nothing_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, page_html="1")
    (tmp_path / "a.json").write_text(OURS)
    before = tree(tmp_path)
    with Folder(tmp_path, "verify", NAMES) as place, File(tmp_path / "a.json") as file:

        def full(path: Path, data: bytes) -> int:
            path.touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(BadPlace, match="no space is left"):
            place.write("page.html", "2")
        with pytest.raises(BadPlace, match="no space is left"):
            file.write(OURS)
    assert tree(tmp_path) == before


# ---- a single file ---------------------------------------------------------------------------------


def test_a_file_of_an_earlier_run_is_replaced_and_another_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "deep/a.json"
    for _ in range(2):
        with File(path) as file:
            file.write(OURS)
    assert tree(tmp_path) == {"deep/a.json": OURS}
    for text in ("my notes", '{"schema": "other-1"}', '{"part": "mutation"}'):
        path.write_text(text)
        with pytest.raises(BadPlace, match="is not of an earlier run; move it, or name another file"):
            File(path)
        assert path.read_text() == text
    path.write_text("")
    with File(path):  # Nothing is lost with it.
        pass
    assert path.read_text() == ""


def test_a_file_that_is_not_written_leaves_no_trace(tmp_path: Path) -> None:
    with File(tmp_path / "deep/a.json"):
        pass
    assert os.listdir(tmp_path) == []


def test_a_file_without_a_mark_is_our_own_mistake(tmp_path: Path) -> None:
    with pytest.raises(AssertionError), File(tmp_path / "a.json") as file:
        file.write("{}")


def test_a_device_is_written_to_and_a_link_stays_one(tmp_path: Path) -> None:
    with File(Path("/dev/null")) as file:
        file.write("anything")
    assert Path("/dev/null").is_char_device()

    (tmp_path / "real").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "real/a.json")
    with File(tmp_path / "link.json") as file:
        file.write(OURS)
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real/a.json").read_text() == OURS


def test_nobody_reads_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps("x" * 100_000))
    with path.open() as reader:
        write(path, "{}")
        assert len(reader.read()) == 100_002
    assert path.read_text() == "{}"


def test_what_the_system_says_is_one_line() -> None:
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory", "a\nb.csv")
    assert outputs.told(missing) == "a\\nb.csv: no such file or directory"
    assert outputs.told(OSError("WATTPROOF_X: Odd")) == "WATTPROOF_X: Odd", "words of our own, with names"


def test_a_file_stays_where_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Campaigns go to the root of the checkout after they have made sure of their place."""
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    (elsewhere / "found.json").write_text("my notes")
    monkeypatch.chdir(here)
    with File(Path("found.json")) as file:
        monkeypatch.chdir(elsewhere)
        file.write(OURS)
    assert tree(tmp_path) == {"here/found.json": OURS, "elsewhere/found.json": "my notes"}
