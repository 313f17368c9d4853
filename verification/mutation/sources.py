"""The contracts' sources with vyper's own syntax trees, analysed, and the text that each node stands for."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from verification import git
from verification.mutation.compiler import TARGETS, Compilation, compilation

_HUNK = re.compile(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@")


@dataclass(frozen=True)
class Source:
    """One file: `path` from the contracts' folder, the contract that it is compiled into, its text and its tree."""

    path: str
    target: str
    text: str
    tree: Any

    @property
    def module(self) -> str:
        """The module's name, as `--module` takes it."""
        return Path(self.path).stem

    @cached_property
    def _line_starts(self) -> list[int]:
        return list(itertools.accumulate(map(len, self.data.splitlines(keepends=True)), initial=0))

    @cached_property
    def data(self) -> bytes:
        """The text in UTF-8: vyper's columns count bytes."""
        return self.text.encode()

    def span(self, node: Any) -> tuple[int, int]:
        """First byte of a node and the byte behind its last."""
        starts = self._line_starts
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    def slice(self, start: int, end: int) -> str:
        """The text between two bytes."""
        return self.data[start:end].decode()

    def text_of(self, node: Any) -> str:
        """The text of a node."""
        return self.slice(*self.span(node))

    def line(self, number: int) -> str:
        """Line `number`, from 1, without its end."""
        return self.slice(self._line_starts[number - 1], self._line_starts[number]).rstrip("\n")

    def line_number(self, position: int) -> int:
        """The number of the line, from 1, in which a byte stands."""
        return self.data.count(b"\n", 0, position) + 1


def sources(folder: Path) -> list[Source]:
    """Every source below `folder` that a target is made of, each once, the targets first. Errors are vyper's own."""
    found: dict[Path, Source] = {}
    for target in TARGETS:
        compiled = compilation(folder, target)
        for tree in _modules(compiled):
            file = Path(tree.resolved_path)
            if file.is_relative_to(folder.resolve()) and file not in found:
                path = file.relative_to(folder.resolve()).as_posix()
                found[file] = Source(path, target, tree.full_source_code, tree)
    return list(found.values())


def new_lines(folder: Path, since: str) -> dict[str, set[int]]:
    """The numbers of the lines that are new since a revision of git, by path from `folder`, uncommitted ones too.

    ValueError with git's own words where it does not know the revision, or the folder is in no repository; and where
    the repository above the folder knows none of its files, so that nothing would ever be new.
    """
    compare = ["diff", "--unified=0", "--no-color", "--no-ext-diff", "--relative", "--end-of-options", since]
    try:
        told = git.git(folder, *compare, "--", ".")
        if not git.tracks(folder):
            raise git.GitFailed(f"no repository of git knows the files in {folder}: leave --since out")
    except git.GitFailed as problem:
        raise ValueError(str(problem)) from problem
    found: dict[str, set[int]] = {}
    lines: set[int] = set()
    for line in told.splitlines():
        if line.startswith("+++ "):
            lines = found.setdefault(line[4:].partition("/")[2], set())
        elif hunk := _HUNK.match(line):
            start, count = int(hunk[1]), int(hunk[2] or 1)
            lines.update(range(start, start + count))
    return found


def _modules(compiled: Compilation) -> Iterator[Any]:
    seen: set[str] = set()
    waiting = [compiled.annotated_vyper_module]
    while waiting:
        tree = waiting.pop(0)
        if tree.resolved_path in seen:
            continue
        seen.add(tree.resolved_path)
        yield tree
        imported = tree._metadata["type"].imported_modules
        waiting += [info.module_t.decl_node for info in imported.values()]
