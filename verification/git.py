"""What is asked of git: always about one folder, whatever repository the environment names or a folder lies below.

A hook of git sets GIT_DIR and others, with which git answers for its own repository wherever it is asked.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from shlex import quote
from typing import Any

_OF_ONE_REPOSITORY = frozenset(
    f"GIT_{name}"
    for name in (
        "ALTERNATE_OBJECT_DIRECTORIES",
        "COMMON_DIR",
        "DIR",
        "GRAFT_FILE",
        "IMPLICIT_WORK_TREE",
        "INDEX_FILE",
        "NAMESPACE",
        "OBJECT_DIRECTORY",
        "PREFIX",
        "SHALLOW_FILE",
        "WORK_TREE",
    )
)
"""Variables that name a repository, or a part of one; see `git rev-parse --local-env-vars`."""


_REMOTE = re.compile(
    r"(?:https://(?:[^@/]+@)?|ssh://git@|git@)(?P<host>[\w.-]+)(?::\d+)?[/:](?P<path>[\w.~/-]+?)(?:\.git)?/?"
)
"""An address of a repository at a code host; whatever secrets stand before the host are not of its parts."""


class GitFailed(Exception):
    """git could not do what was asked; the message is one line that says why."""


def git(folder: Path, *arguments: str) -> str:
    """What git prints when it is run in a folder. Raises GitFailed."""
    return _run(folder, arguments, {})


def apply(patch: Path, folder: Path, *, check: bool = False) -> None:
    """Applies a patch to the files in a folder, or with `check` only tries whether it fits. Raises GitFailed.

    No repository above the folder is looked for: the patch's paths would be taken from its top level, and what lies
    elsewhere would be left out without a word.
    """
    ceiling = {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent)}
    _run(folder, ["apply", *(["--check"] if check else []), str(patch.resolve())], ceiling)


def revision(tree: Path, contracts: Path) -> dict[str, Any]:
    """The revision of a source tree, and what differs from it; only where the tree is a repository by itself.

    Args:
        tree: the checkout.
        contracts: the folder of the contracts that are verified; one that git does not track differs from any revision.

    Returns `commit` and `date`, None where they are unknown; `clean`, None where it could not be found out; `changed`,
    the paths that differ, in order; and `note`, which says why something is unknown.
    """
    unknown: dict[str, Any] = {"commit": None, "date": None, "clean": None, "changed": [], "note": ""}
    try:
        top = git(tree, "rev-parse", "--show-toplevel").strip()
    except GitFailed as problem:
        return unknown | {"note": _why(str(problem), tree)}
    if Path(top).resolve() != tree.resolve():
        return unknown | {"note": "no git repository of its own"}
    try:
        commit = git(tree, "rev-parse", "--verify", "--quiet", "HEAD").strip()
        date = git(tree, "show", "-s", "--no-show-signature", "--format=%cI", "HEAD").strip()
    except GitFailed:
        return unknown | {"note": "no commit in its git repository yet"}
    try:
        changed = _changed(tree, contracts)
    except GitFailed as problem:
        return unknown | {"commit": commit, "date": date, "note": f"git cannot compare the tree with it: {problem}"}
    return {"commit": commit, "date": date, "clean": not changed, "changed": changed, "note": ""}


def tracks(folder: Path) -> bool:
    """Whether any file in a folder belongs to the repository that the folder lies in. Raises GitFailed."""
    return bool(git(folder, "ls-files", "-z", "--", "."))


def address(tree: Path, revision: dict[str, Any]) -> str:
    """Where a code host shows the files of a revision, up to and with the last slash; empty where that is not known.

    Known it is of a clean tree whose `origin` is at a host, by https or ssh, or of which GitHub's workflows say it.
    """
    if not revision["clean"]:
        return ""
    server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    try:
        remote = f"{server}/{name}" if server and name else git(tree, "remote", "get-url", "origin").strip()
    except GitFailed:
        return ""
    found = _REMOTE.fullmatch(remote)
    return f"https://{found['host']}/{found['path']}/blob/{revision['commit']}/" if found else ""


def _changed(tree: Path, contracts: Path) -> list[str]:
    """The paths that differ from the revision: to git, or because git knows nothing of them."""
    # Neither a program that the settings name for watching files, nor what git remembers of folders, is asked.
    looking = ["-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false"]
    status = git(tree, *looking, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal")
    changed = {entry[3:] for entry in status.split("\0") if entry}
    # A small letter or an S: git was told to take the file as unchanged, and does not look at it.
    listed = git(tree, "ls-files", "-v", "-z").split("\0")
    changed |= {entry[2:] for entry in listed if entry[:1].islower() or entry[:1] == "S"}
    contracts, tree = contracts.resolve(), tree.resolve()
    inside = contracts.is_relative_to(tree)
    run = [tree / name for name in _RUN if (tree / name).is_dir()]
    if not inside or not tracks(contracts):
        changed.add(str(contracts.relative_to(tree) if inside else contracts))
    else:
        run.append(contracts)
    if run:
        changed |= _ignored_sources(tree, [str(folder.relative_to(tree)) for folder in run])
    return sorted(changed)


def _ignored_sources(tree: Path, folders: list[str]) -> set[str]:
    """Files that may be run and that git was told to ignore, by whatever list: they differ from any revision."""
    listed = git(tree, "ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", *folders)
    return {name for name in listed.split("\0") if name.endswith(_SOURCES)}


_RUN = ("tests", "verification", "wattproof")
"""The folders of what is run, beside the contracts."""

_SOURCES = (".vy", ".vyi", ".py", ".patch")


def _why(said: str, tree: Path) -> str:
    if "dubious ownership" in said:
        return f"git does not trust its owner: run `git config --global --add safe.directory {quote(str(tree))}`"
    return "no git repository of its own" if "not a git repository" in said else said


def _run(folder: Path, arguments: Any, more: dict[str, str]) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in _OF_ONE_REPOSITORY}
    # git's messages are compared, and looking at a tree does not write its index.
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"} | more
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as problem:
        raise GitFailed(f"git cannot be run ({problem.strerror}): install it") from problem
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        wanted = [line for line in lines if line.startswith(("fatal:", "error:"))]
        raise GitFailed((wanted or lines or [f"git ended with exit code {done.returncode}"])[-1])
    return done.stdout
