"""Makes the pictures of the page in docs/field/: a day of ten households on the model, looked at in Chromium.

    python tools/page_pictures.py

needs `pip install '.[live]' playwright` and a Chromium on the path.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.page import SIZES, Place, Visit, chromium, half_hours  # noqa: E402
from wattproof.store.records import Alarm  # noqa: E402

LARGEST = 150_000
"""Bytes of a picture."""

PICTURES = {
    "community": ("laptop", "light", "", 1_450),
    "household": ("phone", "dark", "#/household/{bright}", 1_500),
    "proof": ("laptop", "light", "#/proof", 1_000),
    "phone": ("phone", "light", "", 1_500),
}
"""Of each: the size of the screen, the colours, the view, and how much of it is shown, in pixels."""

ALARM = Alarm(
    "C1-MONEY-1",
    "settle_quote(12) took 1 base unit more from cloudy than the terms say",
    "sunny quotes 0.766 kWh at 6.20 p/kWh\ncloudy bids 0.157 kWh\nthe owner settles the quote",
    'sunny.quote(kwh="0.766", price="6.2")\ncloudy.bid(12, kwh="0.157", price="6.2")\nowner.settle()',
)
"""Made up: no such thing was seen."""


def main() -> None:
    """Makes all pictures."""
    folder = ROOT / "docs/field"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        place = Place(f"sqlite:///{scratch}/day.db")
        place.play(half_hours(0, 48), ("match", 30))
        for browser in chromium():
            with place.served():
                for name, (size, scheme, view, height) in PICTURES.items():
                    if name == "proof":
                        place.follow([ALARM])
                    with Visit(browser, place.address, size, scheme) as visit:
                        visit.page.set_viewport_size({"width": SIZES[size][0], "height": height})
                        visit.go(view.format(bright=place.household("bright")))
                        path = folder / f"{name}.png"
                        path.write_bytes(small(visit.page.screenshot()))
                        print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")
                        if path.stat().st_size > LARGEST:
                            raise SystemExit(f"{path}: larger than {LARGEST // 1000} kB: show less of it")


def small(png: bytes) -> bytes:
    """The picture in 128 colours: a page has few."""
    made = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue()


if __name__ == "__main__":
    main()
