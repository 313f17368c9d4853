"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

ENGINES = ("pyevm", "revm")

_UNITS = {"s": 1, "m": 60, "h": 3600}


def add_households(command: argparse.ArgumentParser) -> None:
    """`--households FILE`."""
    command.add_argument(
        "--households",
        type=Path,
        metavar="FILE",
        help="CSV period,household,load_wh,pv_wh[,forecast_load_wh,forecast_pv_wh][,capacity_wh] "
        "(default: ten modelled households)",
    )


def add_engine(command: argparse.ArgumentParser) -> None:
    """`--engine pyevm|revm`."""
    command.add_argument(
        "--engine", choices=ENGINES, default="pyevm", help="pyevm: the reference; revm: faster, needs wattproof[fast]"
    )


def place(text: str) -> Path:
    """Where something is to be written. ArgumentTypeError for no name: an unset variable would mean this folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("names no place")
    return Path(text)


def count(text: str) -> int:
    """A whole number above 0. ArgumentTypeError for anything else."""
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, not {text!r}")
    return int(text)


def port(text: str) -> int:
    """A port of this machine, 0 for a free one. ArgumentTypeError for anything else."""
    if not text.isascii() or not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"must be a port from 0 to 65535, not {text!r}")
    return int(text)


def seconds(text: str) -> int:
    """A time such as 90s, 30m or 2h, in seconds; so is a number alone. ArgumentTypeError for anything else."""
    match = re.fullmatch(r"([1-9][0-9]*)([smh]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 90s, 30m or 2h")
    return int(match[1]) * _UNITS[match[2] or "s"]
