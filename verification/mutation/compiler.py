"""Compiles the contracts with one source changed, in about a third of the time that vyper takes by itself.

Three things are saved, none of which can be seen in the result (`tests/evidence/test_mutation.py` compares):

* vyper's optimiser rewrites each expression once per enclosing expression; here it remembers what came of a node;
* the sources that are not changed are parsed once per process, and child processes inherit the trees;
* the runtime code is taken from the assembly of the creation code instead of being assembled a second time.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boa
import vyper.compiler.phases as phases
import vyper.ir.optimizer as optimizer
import vyper.semantics.analysis.imports as imports
from boa.contracts.vyper.vyper_contract import VyperDeployer
from boa.interpret import get_search_paths
from vyper.compiler.input_bundle import FileInput, FilesystemInputBundle
from vyper.compiler.settings import Settings
from vyper.ir import compile_ir

from wattproof.market import deployment

TARGETS = ("EnergyMarket", "EnergyCredit", "MarketLens", "P256Meter")
"""What is deployed; every module below `contracts/` that one of them imports can be changed."""

_trees: dict[tuple[int, Path, str], Any] = {}
"""Sources parsed ahead, by source number, path and digest of the text; a compilation takes its tree away."""


class ChangedBundle(FilesystemInputBundle):
    """The sources on disk, with other text for some of them."""

    def __init__(self, folder: Path, changes: dict[Path, str]) -> None:
        super().__init__([Path(path) for path in get_search_paths([str(folder)])])
        self.changes = changes
        self.loaded: list[FileInput] = []

    def _load_from_path(self, resolved_path: Path, original_path: Path) -> FileInput:
        read: Any = super()._load_from_path(resolved_path, original_path)
        text = self.changes.get(resolved_path)
        if text is not None:
            read = FileInput(read.source_id, read.path, read.resolved_path, text)
        self.loaded.append(read)
        return read


class Compilation(phases.CompilerData):
    """vyper's own compilation, without the digest of the sources that it would append to the creation code."""

    @cached_property
    def assembly_runtime(self) -> list[Any]:
        """The assembly of the runtime code: it stands inside that of the creation code, optimised already."""
        parts = [part for part in self.assembly if isinstance(part, list) and part]
        (runtime,) = [part for part in parts if type(part[0]).__name__ == "RuntimeHeader"]
        return runtime[1:]  # without its header

    @cached_property
    def source_map(self) -> Any:
        """The source map of the runtime code, which titanoboa expects here."""
        return compile_ir.assembly_to_evm(self.assembly_runtime)[1]

    @cached_property
    def identity(self) -> str:
        """SHA-256 of the creation code, which holds the runtime code: equal for contracts that cannot differ."""
        with (
            patch.object(optimizer, "_optimize", _optimize_once),
            patch.object(imports, "_parse_ast", _parse_or_take),
            phases.anchor_settings(self.settings),
        ):
            return hashlib.sha256(self.bytecode).hexdigest()


def compilation(folder: Path, name: str, changes: dict[Path, str] | None = None) -> Compilation:
    """The contract `name` of `folder`, to be compiled when it is asked for its code.

    `changes` are other texts, by resolved path, for some of the sources. Errors are vyper's own.
    """
    path = (folder / f"{name}.vy").resolve()
    bundle = ChangedBundle(path.parent, changes or {})
    return Compilation(bundle.load_file(path), bundle, Settings(), no_bytecode_metadata=True)


def parse_ahead(folder: Path, name: str) -> None:
    """Parses all sources of a contract, for compilations in child processes to find (each tree serves once)."""
    base = compilation(folder, name)
    _ = base.resolved_imports
    bundle: Any = base.input_bundle
    for file in bundle.loaded[1:]:
        if file.resolved_path.suffix in (".vy", ".vyi"):
            _trees[_key(file)] = _parse(file)


def install(target: str, compiled: Compilation) -> None:
    """Makes `deployment.deployer` return this contract for `target`, and the others as they were, in this process."""
    others = {name: deployment.deployer(name) for name in TARGETS if name != target}
    changed = VyperDeployer(compiled, filename=str(compiled.file_input.path))
    deployment.deployer.cache_clear()

    def load_partial(path: str, *args: Any, **kwargs: Any) -> Any:
        return {**others, target: changed}[Path(path).stem]

    with patch.object(boa, "load_partial", load_partial):
        for name in TARGETS:
            deployment.deployer(name)


def _key(file: FileInput) -> tuple[int, Path, str]:
    return file.source_id, Path(file.resolved_path), hashlib.sha256(file.contents.encode()).hexdigest()


_parse = imports._parse_ast


def _parse_or_take(file: FileInput) -> Any:
    tree = _trees.pop(_key(file), None)
    return _parse(file) if tree is None else tree


_optimize = optimizer._optimize


def _optimize_once(node: Any, parent: Any) -> tuple[bool, Any]:
    """vyper's `_optimize`, which depends on the node and the kind of its parent only."""
    kind = parent.value if parent is not None and isinstance(parent.value, str) else None
    known = node.__dict__.setdefault("_wattproof_optimised", {})
    if kind not in known:
        known[kind] = result = _optimize(node, parent)
        # What comes out is not changed by the same rewriting a second time.
        result[1].__dict__.setdefault("_wattproof_optimised", {}).setdefault(kind, (False, result[1]))
    return known[kind]
