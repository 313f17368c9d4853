"""Calls of a chain, and all that comes of them, to the last byte."""

from __future__ import annotations

from typing import Any, NamedTuple

from wattproof.market.abi import revert_reason

Log = tuple[bytes, tuple[int, ...], bytes]
"""Emitter, topics, data."""


class Answer(NamedTuple):
    """What came of a call: `output` is what it returned, or what it reverted with."""

    accepted: bool
    output: bytes
    logs: tuple[Log, ...]

    @property
    def reason(self) -> str | None:
        """With which reason it was refused, None where it was accepted or refused without one."""
        return None if self.accepted else revert_reason(self.output)

    @property
    def result(self) -> int | None:
        """The number that it returned, None where it returned nothing or was refused."""
        return int.from_bytes(self.output, "big") if self.accepted and self.output else None


def answered(env: Any, second: int, sender: str, to: str, data: bytes, value: int = 0) -> Answer:
    """What comes of a call, made at its second by somebody who has the ether that goes with it."""
    if env.timestamp != second:
        env.timestamp = second
    done = env.execute_code(to_address=to, sender=sender, data=data, value=value)
    if done.is_error:
        return Answer(False, bytes(done.output), ())
    logs = tuple(
        (bytes(emitter), tuple(topics), bytes(data)) for _, emitter, topics, data in done.get_raw_log_entries()
    )
    return Answer(True, bytes(done.output), logs)
