"""The commitment of a sealed bid, computed at home: whoever runs a node that is asked for it learns the bid."""

from __future__ import annotations

from eth_utils.crypto import keccak

from wattproof.market.abi import word


def seal_of(chain_id: int, market: str, quote_id: int, bidder: str, price: int, volume: int, salt: bytes) -> bytes:
    """The seal of a bid (T-BID-4): price in base units per Wh, volume in Wh, a salt of 32 secret bytes."""
    return keccak(b"".join(map(word, (chain_id, market, quote_id, bidder, price, volume, salt))))
