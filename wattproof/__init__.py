"""Wattproof: a peer-to-peer energy market whose every promise is a tested property.

`from wattproof import Market` opens a market in a script or a notebook, with its households by name; what it refuses
raises `CallRefused`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wattproof.market.tariff import Tariff
    from wattproof.play.market import Market
    from wattproof.play.slips import CallRefused

__version__ = "0.1.0"

__all__ = ["CallRefused", "Market", "Tariff"]

_PLACES = {
    "CallRefused": "wattproof.play.slips",
    "Market": "wattproof.play.market",
    "Tariff": "wattproof.market.tariff",
}


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: the command line needs no compiler to print its help."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext wattproof` lets the tab key offer phases and people inside quotation marks."""
    import_module("wattproof.play.completion").install(shell)
