"""The notebook of the data API, run against a day that is played on the model.

`python -m tests.support.field_notebook` writes its outputs into the file anew.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import kept, notebooks
from tests.support.api import UNLIMITED, serving
from wattproof.serve.app import create_app

NOTEBOOK = Path(__file__).parents[2] / "examples" / "field.ipynb"

ADDRESS = "WATTPROOF_API"


@contextmanager
def served_day(folder: Path) -> Iterator[None]:
    """A day, played into a database in `folder` and served where the notebook asks."""
    day = kept.play(folder)
    before = os.environ.get(ADDRESS)
    with serving(create_app(day.url, day.record, rate=UNLIMITED)) as url:
        os.environ[ADDRESS] = url
        try:
            yield
        finally:
            del os.environ[ADDRESS]
            if before is not None:
                os.environ[ADDRESS] = before


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, served_day(Path(folder)):
        notebooks.main(NOTEBOOK)
