"""Whose revision a report tells: the source tree's own, or none; never that of another repository."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from verification import git
from verification.mutation.sources import new_lines
from verification.report import facts

NOBODY = {"commit": None, "date": None, "clean": None, "changed": []}

Run = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """git, with a name for whoever commits, and none of this machine's settings."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "a")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@example.org")
    for which in ("GLOBAL", "SYSTEM"):
        monkeypatch.setenv(f"GIT_CONFIG_{which}", os.devnull)
    return git.git


@pytest.fixture
def tree(tmp_path: Path, run: Run) -> Path:
    """A source tree with its repository, all of it committed."""
    tree = tmp_path / "tree"
    (tree / "contracts").mkdir(parents=True)
    (tree / "contracts" / "market.vy").write_text("a\nb\n")
    (tree / ".gitignore").write_text("/copy/\n/out/\n")
    run(tree, "init")
    run(tree, "add", ".")
    run(tree, "commit", "-m", "first")
    return tree


def told(tree: Path, contracts: Path | None = None) -> dict[str, Any]:
    return git.revision(tree, contracts or tree / "contracts")


def test_the_trees_own_revision_is_told_and_what_differs_from_it(tree: Path, run: Run) -> None:
    clean = told(tree)
    assert clean["commit"] == run(tree, "rev-parse", "HEAD").strip()
    assert (clean["clean"], clean["changed"], clean["note"]) == (True, [], "")
    assert clean["date"]
    (tree / "contracts" / "market.vy").write_text("a\nB\n")
    (tree / "né w.py").write_text("")
    (tree / ".git" / "config").open("a").write("[status]\n showUntrackedFiles = no\n")
    assert (told(tree)["clean"], told(tree)["changed"]) == (False, ["contracts/market.vy", "né w.py"])


@pytest.mark.parametrize("asked", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_that_git_does_not_look_at_is_not_called_clean(tree: Path, run: Run, asked: str) -> None:
    run(tree, "update-index", asked, "contracts/market.vy")
    assert (told(tree)["clean"], told(tree)["changed"]) == (False, ["contracts/market.vy"])


@pytest.mark.parametrize("where", [".gitignore", ".git/info/exclude"])
def test_a_source_that_git_was_told_to_ignore_is_not_called_clean(where: str, tree: Path, run: Run) -> None:
    with (tree / where).open("a") as listed:
        listed.write("local*\n")
    run(tree, "add", ".")
    run(tree, "commit", "--allow-empty", "-m", "ignoring")
    for name in ("local.vy", "local.log"):
        (tree / "contracts" / name).write_text("")
    assert (told(tree)["clean"], told(tree)["changed"]) == (False, ["contracts/local.vy"])


def test_a_program_that_watches_files_is_not_asked(tree: Path, run: Run) -> None:
    """One that says that nothing ever changes."""
    (tree / ".git" / "watch").write_text("#!/bin/sh\nprintf 'token\\0'\n")
    (tree / ".git" / "watch").chmod(0o755)
    run(tree, "config", "core.fsmonitor", ".git/watch")
    run(tree, "update-index", "--fsmonitor")
    run(tree, "update-index", "--fsmonitor-valid", "contracts/market.vy")
    (tree / "contracts" / "market.vy").write_text("another market\n")
    assert told(tree)["changed"] == ["contracts/market.vy"]


def test_the_date_is_a_date_where_git_shows_signatures_too(tree: Path, run: Run) -> None:
    run(tree, "config", "log.showSignature", "true")
    (tree / ".git" / "gpg").write_text("#!/bin/sh\necho no key >&2; exit 1\n")
    (tree / ".git" / "gpg").chmod(0o755)
    run(tree, "config", "gpg.program", str(tree / ".git" / "gpg"))
    head, _, words = run(tree, "cat-file", "commit", "HEAD").partition("\n\n")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n a\n -----END PGP SIGNATURE-----"
    (tree / ".git" / "signed").write_text(f"{head}\n{signature}\n\n{words}")
    run(tree, "reset", run(tree, "hash-object", "-t", "commit", "-w", ".git/signed").strip())
    assert re.fullmatch(r"[-0-9T:+]+", told(tree)["date"])


def test_a_copy_below_another_repository_has_no_revision(tree: Path) -> None:
    """As in a folder that the other repository ignores: to git all is clean there."""
    copy = tree / "copy"
    shutil.copytree(tree / "contracts", copy / "contracts")
    assert told(copy) == NOBODY | {"note": "no git repository of its own"}


def test_a_tree_without_a_repository_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert told(tmp_path) == NOBODY | {"note": "no git repository of its own"}


def test_a_repository_that_the_environment_names_is_not_asked(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook of git names the repository that it runs for."""
    commit = told(tree)["commit"]
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", str(tree / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    assert told(other)["commit"] is None
    assert (told(tree)["commit"], told(tree)["clean"]) == (commit, True)


def test_a_worktree_is_a_tree_of_its_own(tree: Path, tmp_path: Path, run: Run) -> None:
    run(tree, "worktree", "add", "--detach", str(tmp_path / "second"))
    (tmp_path / "link").symlink_to(tmp_path / "second")
    assert told(tmp_path / "second")["commit"] == told(tmp_path / "link")["commit"] == told(tree)["commit"]


def test_a_tree_of_another_owner_is_unknown(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    found = told(tree)
    assert found["commit"] is None
    assert f"git config --global --add safe.directory {tree}" in found["note"]


def test_without_git_the_revision_is_unknown(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tree))
    assert told(tree)["note"].startswith("git cannot be run")


def test_a_repository_without_a_commit_has_no_revision(tmp_path: Path, run: Run) -> None:
    run(tmp_path, "init")
    assert told(tmp_path) == NOBODY | {"note": "no commit in its git repository yet"}


def test_what_git_cannot_compare_is_not_called_clean(tree: Path) -> None:
    (tree / ".git" / "index").write_bytes(b"no index")
    found = told(tree)
    assert found["commit"]
    assert found["clean"] is None
    assert found["note"].startswith("git cannot compare the tree with it: ")
    assert facts._tree(found).startswith("unknown: git cannot compare")


@pytest.mark.parametrize("place", ["out/contracts", "../elsewhere"])
def test_contracts_that_git_does_not_know_differ_from_the_revision(tree: Path, place: str) -> None:
    other = (tree / place).resolve()
    shutil.copytree(tree / "contracts", other)
    found = told(tree, other)
    assert (found["clean"], found["changed"]) == (False, [place if place.startswith("out") else str(other)])


def test_a_patch_reaches_files_that_lie_below_another_repository(tree: Path, tmp_path: Path) -> None:
    patch = tmp_path / "change.patch"
    file = "contracts/market.vy"
    head = f"diff --git a/{file} b/{file}\n--- a/{file}\n+++ b/{file}\n"
    patch.write_text(f"{head}@@ -1,2 +1,2 @@\n a\n-b\n+c\n")
    copy = tree / "copy"
    shutil.copytree(tree / "contracts", copy / "contracts")
    git.apply(patch, copy)
    assert (copy / "contracts" / "market.vy").read_text() == "a\nc\n"
    with pytest.raises(git.GitFailed, match="does not apply"):
        git.apply(patch, copy, check=True)


def test_no_line_is_new_to_a_repository_that_knows_none_of_the_files(tree: Path) -> None:
    shutil.copytree(tree / "contracts", tree / "copy")
    with pytest.raises(ValueError, match="leave --since out"):
        new_lines(tree / "copy", "HEAD")


CLEAN = {"commit": "c0ffee", "date": None, "clean": True, "changed": [], "note": ""}


@pytest.mark.parametrize(
    "remote",
    [
        "https://host.example/a/b.git",
        "https://name:secret@host.example/a/b",
        "git@host.example:a/b.git",
        "ssh://git@host.example:22/a/b.git",
    ],
)
def test_a_code_host_shows_the_files_of_a_revision(
    remote: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    git.git(tmp_path, "init", "--quiet")
    assert git.address(tmp_path, CLEAN) == ""
    git.git(tmp_path, "remote", "add", "origin", remote)
    assert git.address(tmp_path, CLEAN) == "https://host.example/a/b/blob/c0ffee/"
    assert git.address(tmp_path, CLEAN | {"clean": False}) == ""
    git.git(tmp_path, "remote", "set-url", "origin", "/home/me/wattproof")
    assert git.address(tmp_path, CLEAN) == ""
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "c/d")
    assert git.address(tmp_path, CLEAN) == "https://github.example/c/d/blob/c0ffee/"
