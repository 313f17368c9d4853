"""What was run, as lcov, which code hosts and editors show beside the source: lines, and branches of the source."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from verification.coverage.code import OWN, Code, Edge
from wattproof.outputs import LCOV


def render(codes: Sequence[Code], edges: Iterable[Edge], contracts: Path, root: Path) -> str:
    """The text of a file of lcov.

    Args:
        codes: what was watched.
        edges: those that are to be shown; of them the ones that the source asks for, as the compiler's have no line.
        contracts: the folder of the modules.
        root: what the names of files are relative to.
    """
    hit: defaultdict[str, dict[int, bool]] = defaultdict(dict)
    for code in codes:
        for (module, line), pcs in code.lines.items():
            hit[module][line] = hit[module].get(line, False) or bool(pcs & code.pcs)
    seen = {code.contract: code.pairs for code in codes}
    branches: defaultdict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        if edge.origin == OWN:
            branches[edge.module].append(edge)
    lines = [LCOV]
    for path in sorted(contracts.rglob("*.vy")):
        if path.stem in hit:
            lines += [f"SF:{path.relative_to(root).as_posix()}", *_branches(branches[path.stem], seen)]
            lines += [f"DA:{line},{int(run)}" for line, run in sorted(hit[path.stem].items())]
            lines += [f"LF:{len(hit[path.stem])}", f"LH:{sum(hit[path.stem].values())}", "end_of_record"]
    return "\n".join(lines) + "\n"


def _branches(edges: Sequence[Edge], seen: dict[str, set[tuple[int, int]]]) -> Iterator[str]:
    """Both ways of each condition: run, not run, or never come to, which lcov tells apart."""
    jumps = itertools.groupby(sorted(edges, key=_jump), key=_jump)
    blocks: defaultdict[int, itertools.count[int]] = defaultdict(itertools.count)
    found = run = 0
    for (line, contract, _), ways in jumps:
        taken = [(edge.jump, edge.target) in seen[contract] for edge in ways]
        block = next(blocks[line])
        for number, one in enumerate(taken):
            yield f"BRDA:{line},{block},{number},{int(one) if any(taken) else '-'}"
        found, run = found + len(taken), run + sum(taken)
    yield from (f"BRF:{found}", f"BRH:{run}")


def _jump(edge: Edge) -> tuple[int, str, int]:
    return edge.line, edge.contract, edge.jump
