"""A claim, as it is put to the solver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Question = tuple[list[Any], Any]
"""What is given, and what is to be shown."""


@dataclass(frozen=True)
class Claim:
    """A claim: its name, what it says, the clauses it belongs to, the question, and a wrong one that must fail.

    further   more wrong ones, each of which must fail, with what is wrong about it
    """

    name: str
    says: str
    clauses: str
    ask: Callable[[], Question]
    wrong: str
    ask_wrong: Callable[[], Question]
    further: tuple[tuple[str, Callable[[], Question]], ...] = ()

    @property
    def all_wrong(self) -> str:
        """What is wrong about its wrong variants."""
        more = f" ({len(self.further)} more)" if self.further else ""
        return f"{self.wrong}{more}"


def into(claims: list[Claim]) -> Callable[[str, str, str, str], Callable[[Callable[[bool], Question]], None]]:
    """Makes the decorator that registers a claim in this list.

    The function makes the question, or the wrong one where it is told so.
    """

    def claim(name: str, says: str, clauses: str, wrong: str) -> Callable[[Callable[[bool], Question]], None]:
        def register(ask: Callable[[bool], Question]) -> None:
            claims.append(Claim(name, says, clauses, lambda: ask(False), wrong, lambda: ask(True)))

        return register

    return claim
