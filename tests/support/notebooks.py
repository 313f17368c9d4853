"""Runs a notebook's cells in this process, as Jupyter would, and tells what stands below each.

`python -m tests.support.notebooks examples/market.ipynb` writes the outputs into the file anew.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from traitlets.config import Config


class _Silent(DisplayHook):
    """Shows no result on the terminal: it is read off the cell."""

    def write_output_prompt(self) -> None:
        """No "Out[1]:"."""

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        """No text."""


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of a notebook that hold code."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """What each code cell of a notebook prints, answers or raises, in the form in which notebooks keep it."""
    shell = InteractiveShell(displayhook_class=_Silent, config=Config({"HistoryManager": {"enabled": False}}))
    return [_outputs(shell, "".join(cell["source"]), number) for number, cell in enumerate(code_cells(notebook), 1)]


def _outputs(shell: InteractiveShell, source: str, number: int) -> list[dict[str, Any]]:
    with capture_output() as printed:
        done = shell.run_cell(source)
    error = done.error_before_exec or done.error_in_exec
    if error is not None:
        # Where the error shows itself, that is all that Jupyter shows.
        shown = getattr(error, "_render_traceback_", lambda: [printed.stdout])()
        kind = type(error).__name__
        return [{"output_type": "error", "ename": kind, "evalue": str(error), "traceback": shown}]
    found: list[dict[str, Any]] = []
    if printed.stdout:
        found.append({"output_type": "stream", "name": "stdout", "text": _lines(printed.stdout)})
    if done.result is not None:
        data, metadata = shell.display_formatter.format(done.result)  # type: ignore[union-attr]
        shown = {kind: _lines(text) for kind, text in data.items()}
        result = {"output_type": "execute_result", "execution_count": number, "data": shown, "metadata": metadata}
        found.append(result)
    return found


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main(path: Path) -> None:
    """Writes the outputs of a notebook into it."""
    notebook = json.loads(path.read_text())
    for number, (cell, found) in enumerate(zip(code_cells(notebook), outputs(notebook), strict=True), 1):
        cell["outputs"], cell["execution_count"] = found, number
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
