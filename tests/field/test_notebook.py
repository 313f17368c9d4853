"""The notebook of the data API: what stands below each of its cells is what it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.field_notebook import NOTEBOOK, served_day
from tests.support.notebooks import code_cells, outputs


def test_the_notebook_of_the_data_api(tmp_path: Path) -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    with served_day(tmp_path):
        found = outputs(notebook)
    drawings = [_undrawn(shown) for shown in found]
    assert drawings.count(True) == 1, "the picture is there"
    for shown in (cell["outputs"] for cell in code_cells(notebook)):
        _undrawn(shown)
    assert found == [cell["outputs"] for cell in code_cells(notebook)]


def _undrawn(shown: list[dict[str, Any]]) -> bool:
    """Takes pictures out, which are others for each version of matplotlib. Whether there was one."""
    return any([one.get("data", {}).pop("image/svg+xml", None) is not None for one in shown])
