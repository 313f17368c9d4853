"""What is different since a revision, and which files of the checkout use which: by imports, of Python and of Vyper."""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from verification import git
from verification.invariants import ID

_PYTHON = ("tests", "verification", "wattproof")

_EVERYTHING = ("pyproject.toml", "requirements.txt", "verification/pyproject.toml", "verification/plugin.py")
"""Files on which every test depends, though none imports them; so do the parts of the plugin."""

_PLUGINS = PurePosixPath("verification/plugins")

_DOCUMENTS = "tests/test_traceability.py"
"""The tests that read the documents."""

_VYPER = re.compile(r"^\s*from\s+(\.+)([\w.]*)\s+import\s+(\w+)", re.MULTILINE)


def base(folder: Path, since: str) -> str:
    """The commit at which what is checked out in a folder left a revision of git: what came there later is no change.

    The revision itself where they have none in common. Raises git.GitFailed.
    """
    try:
        commit = git.git(folder, "rev-parse", "--verify", "--end-of-options", f"{since}^{{commit}}").strip()
    except git.GitFailed as problem:
        if "single revision" not in str(problem):
            raise
        raise git.GitFailed("git knows no such revision here: fetch it, or name another") from problem
    try:
        return git.git(folder, "merge-base", commit, "HEAD").strip()
    except git.GitFailed:
        return commit


def changed(tree: Path, since: str, contracts: Path) -> set[str]:
    """The paths that differ from a revision of git: committed since `base`, not committed, or not known to git.

    Where the contracts are a folder of their own, that folder is compared in its own repository, and nothing else; its
    files are named as those of this checkout. Raises git.GitFailed.
    """
    apart = contracts.resolve() != (tree / "contracts").resolve()
    folder, prefix = (contracts, "contracts/") if apart else (tree, "")
    compare = ("diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--relative", "--end-of-options")
    names = git.git(folder, *compare, base(folder, since), "--", ".")
    if not git.tracks(folder):
        raise git.GitFailed(f"no repository of git knows the files in {folder}")
    names += git.git(folder, "ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    return {prefix + name for name in names.split("\0") if name}


class Sources:
    """The sources of a checkout, by their paths from its root."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree

    def is_test(self, file: str) -> bool:
        """Whether a file is one of tests."""
        return bool(re.fullmatch(r"tests/(.+/)?test_\w+\.py", file))

    def users(self, changed: Collection[str]) -> set[str]:
        """The changed files, and all that use one of them in however many steps."""
        found, waiting = set[str](), [*changed, *self._beside(changed)]
        while waiting:
            file = waiting.pop()
            if file not in found:
                found.add(file)
                waiting += self._users.get(file, ())
        return found

    def changed_rows(self, since: str) -> set[str]:
        """The invariants whose lines in invariants.md are different. Raises git.GitFailed."""
        compare = (
            "diff",
            "--unified=0",
            "--no-color",
            "--no-ext-diff",
            "--end-of-options",
            since,
            "--",
            "invariants.md",
        )
        lines = [line for line in git.git(self.tree, *compare).splitlines() if re.match(r"[+-](- \*\*|\| )C", line)]
        return {found[0] for line in lines if (found := ID.search(line))}

    def _beside(self, changed: Collection[str]) -> Iterator[str]:
        """Of changed files that nothing imports: what depends on them all the same."""
        for file in changed:
            path = PurePosixPath(file)
            if file in _EVERYTHING or path.parent == _PLUGINS:
                yield from filter(self.is_test, self._files)
            elif path.suffix == ".md" and (path.parts[0] == "docs" or file == "invariants.md"):
                yield _DOCUMENTS
            elif path.parts[0] == "tests" and (
                path.name == "conftest.py" or path.suffix not in (".py", ".md", ".patch")
            ):
                yield from filter(self.is_test, self._near(path))
            elif path.parts[0] in _PYTHON and path.suffix not in (".py", ".md", ".patch"):
                yield from self._near(path)

    def _near(self, path: PurePosixPath) -> list[str]:
        """The Python files in the nearest folder above a file that has any, and in those below it."""
        for folder in list(path.parents)[:-2]:
            if found := [
                file for file in self._files if file.endswith(".py") and folder in PurePosixPath(file).parents
            ]:
                return found
        return []

    @functools.cached_property
    def _files(self) -> list[str]:
        kinds = [("contracts", "*.vy"), ("contracts", "*.vyi"), *((folder, "*.py") for folder in _PYTHON)]
        found = (path for folder, kind in kinds for path in (self.tree / folder).rglob(kind))
        return sorted(path.relative_to(self.tree).as_posix() for path in found)

    @functools.cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self._files)

    @functools.cached_property
    def _users(self) -> dict[str, set[str]]:
        """The files that use each file themselves."""
        found = defaultdict[str, set[str]](set)
        for file in self._files:
            uses = self._imported(file) if file.endswith(".py") else self._loaded(file)
            for used in self._known.intersection(uses):
                found[used].add(file)
        return found

    def _imported(self, file: str) -> Iterator[str]:
        try:
            parsed = ast.parse((self.tree / file).read_text(encoding="utf-8"))
        except (SyntaxError, ValueError):  # It uses nothing, and is told by the run of its tests.
            return
        package = PurePosixPath(file).parent.parts
        for node in ast.walk(parsed):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from _files_of(tuple(alias.name.split(".")))
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else ()
                module = (*base, *(node.module.split(".") if node.module else ()))
                for alias in node.names:  # It names a module, or something in one.
                    inside = _files_of((*module, alias.name))
                    yield from inside if self._known.intersection(inside) else _files_of(module)

    def _loaded(self, file: str) -> Iterator[str]:
        text = (self.tree / file).read_text(encoding="utf-8")
        for dots, module, name in _VYPER.findall(text):
            folder = PurePosixPath(file).parents[len(dots) - 1]
            path = folder.joinpath(*module.split("."), name) if module else folder / name
            yield from (f"{path}.vy", f"{path}.vyi")


def _files_of(module: tuple[str, ...]) -> tuple[str, str]:
    path = "/".join(module)
    return f"{path}.py", f"{path}/__init__.py"
