"""What went wrong, in one line that says what to do next: at the REPL, in a notebook and in a script alike."""

from __future__ import annotations

import difflib
import functools
import inspect
import re
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boa
from eth.codecs.abi.exceptions import EncodeError
from requests.exceptions import RequestException

from wattproof.evm import network
from wattproof.evm.rpc import NodeUnusable, RpcError

if TYPE_CHECKING:
    from wattproof.play.refusal import Refusal

_PACKAGE = Path(__file__).parents[1]

_LONGEST = 60
"""Characters of an argument that a message shows."""

_OWN = r"(Party|Contract|Household|Owner|BoundMeter|MarketClock|Market|Call)\."
"""Whose calls a TypeError of Python explains by itself."""

Kind = TypeVar("Kind")


class CallRefused(boa.BoaError):
    """The market refused a call. As text it is one line: the market's reason, and what explains it.

    titanoboa's traces are kept in `call_trace` and `stack_trace`.
    """

    def __init__(self, error: boa.BoaError, refusal: Refusal) -> None:
        super().__init__(error.call_trace, error.stack_trace)
        self._refusal = refusal

    @functools.cached_property
    def reason(self) -> str:
        """Why, in the market's words: "quotes: price out of band"."""
        return reason_of(self)

    @functools.cached_property
    def hint(self) -> str | None:
        """What explains the reason, as of the first time that it is asked for; None where nothing does."""
        from wattproof.play.hints import hint

        return hint(self.reason, self._refusal)

    def __str__(self) -> str:
        return self.reason + (f" ({self.hint})" if self.hint else "")

    def _render_traceback_(self) -> list[str]:
        return [f"refused: {self}"]


def reason_of(error: boa.BoaError) -> str:
    """Why a call was refused, in the market's words."""
    frame = error.stack_trace.last_frame
    reason = str(getattr(frame, "pretty_vm_reason", None) or str(frame).splitlines()[0])
    if reason == "Revert(b'')":  # What the compiler checks has no words.
        return "no reason given: an argument is longer, or larger, than the call takes"
    wrapped = re.fullmatch(r"Revert\(([\"'])(.*)\1\)", reason)
    return wrapped[2] if wrapped else reason


def told(error: BaseException) -> str | None:
    """The line that says why something was not done: by the market, a node or the helpers here; None for a mistake in
    what was typed, or here. Of a node's address it shows only the host; an argument of several lines becomes one."""
    line = _told(error)
    return line and re.sub(r"\s*\n\s*", " ", line)


def _told(error: BaseException) -> str | None:
    if isinstance(error, boa.BoaError):
        return f"refused: {error if isinstance(error, CallRefused) else reason_of(error)}"
    if isinstance(error, RequestException):
        return network.unreachable(error)
    if isinstance(error, network.NotReady | NodeUnusable | RpcError):
        return str(error)
    if isinstance(error, EncodeError):
        return f"not done: {misfit(error.value, error.schema)}"
    if isinstance(error, TypeError) and re.match(_OWN, str(error)):
        return f"not done: {re.sub(_OWN, '', str(error), count=1)}"
    frames = traceback.extract_tb(error.__traceback__)
    if frames and (frames[-1].line or "").startswith("raise ") and Path(frames[-1].filename).is_relative_to(_PACKAGE):
        return f"not done: {error.args[0]}"
    return None


def misfit(value: Any, kind: str) -> str:
    """What is wrong with an argument that does not fit the ABI type `kind`."""
    shown = repr(value) if len(repr(value)) <= _LONGEST else f"{repr(value)[:_LONGEST]}…"
    if kind == "address":
        return f"{shown} is nobody: name a household, or write 0x and 40 hexadecimal digits"
    if kind.endswith("]"):
        return f"{shown} is no list, as {kind} is"
    if kind.startswith("uint"):
        cure = f": write {value}" if isinstance(value, str) and value.isdecimal() else ""
        return f"{shown} is no whole number from 0 to below 2**{kind.removeprefix('uint')}{cure}"
    return f"{shown} is no {kind}"


def meant(word: str, candidates: Iterable[str]) -> str:
    """What somebody who wrote `word` may have meant, as a question; empty where nothing is near."""
    words = {one.casefold(): one for one in candidates}
    near = difflib.get_close_matches(word.casefold(), words, 3)
    return f"is it {' or '.join(words[one] for one in near)}?" if near else ""


def no_such(whose: str, missing: str, candidates: Iterable[str]) -> AttributeError:
    """For an attribute that is not there; names those that may have been meant, or else all."""
    candidates = [one for one in candidates if not one.startswith("_")]
    return AttributeError(
        f"{whose} has no {missing!r}: {meant(missing, candidates) or 'it has ' + ', '.join(candidates)}"
    )


def one_line(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but a notebook shows what it does not do as one line, without the calls that led there."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            taken = f": it is {call_of(function)}"
            if isinstance(error, TypeError) and str(error).startswith(f"{function.__qualname__}()"):
                error.args = (str(error).removesuffix(taken) + taken,)  # What is inherited is wrapped twice.
            line = told(error)
            if line is not None and not hasattr(error, "_render_traceback_"):
                error._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]
            raise

    return called


def call_of(function: Callable[..., Any]) -> str:
    """How a method is called: "quote(kwh, price, period=None)", with dots for longer defaults."""
    _, *parameters = inspect.signature(function).parameters.values()
    empty = inspect.Parameter.empty
    taken = [
        one.name + ("" if one.default is empty else "=None" if one.default is None else "=...") for one in parameters
    ]
    name = function.__name__ if function.__name__ != "__init__" else function.__qualname__.split(".")[0]
    return f"{name}({', '.join(taken)})"


def in_one_line(cls: type[Kind]) -> type[Kind]:
    """A class of this package whose methods and properties, inherited ones too, fail in one line (see `one_line`)."""
    for name in dir(cls):
        found = inspect.getattr_static(cls, name)
        public = not name.startswith("_") or name in ("__getattr__", "__getitem__", "__missing__")
        if public and inspect.isfunction(found) and found.__module__.startswith("wattproof."):
            setattr(cls, name, one_line(found))
        elif public and isinstance(found, property) and found.fget and found.fget.__module__.startswith("wattproof."):
            setattr(cls, name, property(one_line(found.fget), found.fset and one_line(found.fset), doc=found.__doc__))
    return cls
