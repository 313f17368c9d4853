"""How every command ends: with an exit code and a line, whatever becomes of what it prints, whenever it is stopped."""

from __future__ import annotations

import codecs
import contextlib
import io
import locale
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

from wattproof.outputs import BadPlace, told


class Lasting:
    """stdout or stderr that ends no run: what it has written into files, or still will, is not lost with a pipe.

    Once it cannot be written to, nothing more is; `problem` says why. In everything else it is the stream itself.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.problem: OSError | None = None

    def write(self, text: str) -> int:
        """Writes as far as that is possible."""
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Hands on what was written, as far as that is possible."""
        self._try(self._stream.flush)

    def _try(self, action: Callable[[], object]) -> None:
        if self.problem is not None:
            return
        try:
            action()
        except OSError as problem:
            self.problem = problem
            with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
                # The rest of it, which Python hands on at its end.
                os.dup2(nowhere.fileno(), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guarded(run: Callable[[], int]) -> int:
    """Runs a command and returns its exit code.

    That is what `run` returns; 2 where a place or the machine cannot be used, with a line on stderr; 130 after Ctrl-C.
    Where `run` returned 0 and what it printed could not be written, 141 if the
    reader has left, as `head` does, and else 2.
    """
    out, err = _lasting(sys.stdout), _lasting(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = run() if _reads_texts() else 2
        except BadPlace as problem:
            print(problem, file=sys.stderr)
            code = 2
        except OSError as problem:  # The machine's trouble, such as a disk that is full.
            print(told(problem), file=sys.stderr)
            code = 2
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            code = 130
        finally:
            out.flush()
        lost = out.problem if isinstance(out, Lasting) else None
        if lost is None or code:
            return code
        if isinstance(lost, BrokenPipeError):
            return 141
        print(f"not all could be printed: {told(lost)}", file=sys.stderr)
        return 2


def _reads_texts() -> bool:
    """Whether Python can read the contracts here, as UTF-8 or as something that no byte is wrong in; else says it."""
    encoding = locale.getpreferredencoding(False)
    with contextlib.suppress(UnicodeError):
        if codecs.lookup(encoding).name == "utf-8" or bytes(range(256)).decode(encoding):
            return True
    print(f"texts are read as {encoding} here, and those of the contracts are UTF-8: set PYTHONUTF8=1", file=sys.stderr)
    return False


def _lasting(stream: TextIO | None) -> Any:
    """A stream that bears everything; a terminal as it is, which is there as long as somebody looks at it."""
    if stream is None:  # It was closed, as `>&-` does; left so, the next file that is opened would take its place.
        stream = open(os.devnull, "w")  # noqa: SIM115
    if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
        stream.reconfigure(errors="backslashreplace")
    return stream if stream.isatty() else Lasting(stream)
