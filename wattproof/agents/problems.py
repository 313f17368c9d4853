"""What keeps an agent from running."""

from __future__ import annotations

from wattproof.outputs import one_line


class AgentProblem(Exception):
    """Something that an agent was given cannot be used; the one-line message says what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))
