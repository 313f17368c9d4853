"""Books of any bids in one stroke: opened bids written into the market's storage, as 128 reveals would leave them.

Only for the matching: the bidders are made up, each has the money that its bid reserves and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import boa
from eth_utils.crypto import keccak

from tests.support.stage import Stage


class Planted(NamedTuple):
    """An opened bid: base units per Wh, Wh, and the bidder's good performances."""

    price: int
    volume: int
    performances: int = 0


def _slot(base: int, *keys: int) -> int:
    """Where Vyper keeps the entry of a mapping, or of a mapping of mappings."""
    for key in keys:
        base = int.from_bytes(keccak(base.to_bytes(32, "big") + key.to_bytes(32, "big")), "big")
    return base


def plant(stage: Stage, quote_id: int, supply: int, bids: Sequence[Planted]) -> list[str]:
    """Puts `bids` into the empty book of a quote, in the order of opening. Returns the bidders' addresses.

    The quote is made one of `supply` Wh, whatever its collateral: the matching does not touch it.
    """
    market: Any = stage.market
    layout = market.compiler_data.storage_layout["storage_layout"]
    first = 10_000 * quote_id  # no other household has such a number
    period = market.quote(quote_id).period

    def write(module: str, name: str, keys: Sequence[int], value: int) -> None:
        boa.env.set_storage(market.address, _slot(layout[module][name]["slot"], *keys), value)

    bidders = []
    previous = 0
    for number, bid in enumerate(bids, first):
        bidder = int(boa.env.generate_address(f"planted {number}"), 16)
        escrow = bid.volume * (bid.price + stage.tariff.service_fee)
        assert escrow < 2**104, "no purse holds that much"
        write("accounts", "_user", [number], bidder)
        write("ledger", "_purse", [bidder], escrow << 104 | bid.performances << 208)
        write("positions", "_position", [bidder, period], quote_id << 208)
        word = bid.price | bid.volume << 96 | previous << 192 | 1 << 224
        write("bids", "_bid", [quote_id << 32 | number], word)
        previous = number
        bidders.append(f"0x{bidder:040x}")
    slot = _slot(layout["quotes"]["_quote"]["slot"], quote_id)
    quote = boa.env.get_storage(market.address, slot) & ~((2**48 - 1) << 68)
    boa.env.set_storage(market.address, slot, quote | supply << 68 | len(bids) << 212 | previous << 220)
    return bidders
