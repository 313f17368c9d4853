"""States that no test has the time to play, written into the market's storage: books of any bids, and standings.

A planted book is only for the matching: the bidders are made up, each has the money that its bid reserves and nothing
else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import boa
from eth_utils.crypto import keccak

from tests.support.stage import Stage
from wattproof.terms.places import ring_length


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


def slot_of(market: Any, module: str, name: str, *keys: int) -> int:
    """Where a variable of a module lies, or an entry of it: places are the compiler's, not ours."""
    return _slot(market.compiler_data.storage_layout["storage_layout"][module][name]["slot"], *keys)


def word(market: Any, module: str, name: str, *keys: int) -> int:
    """The word that lies there."""
    return boa.env.get_storage(market.address, slot_of(market, module, name, *keys))


def write(market: Any, value: int, module: str, name: str, *keys: int) -> None:
    """Puts a word there."""
    boa.env.set_storage(market.address, slot_of(market, module, name, *keys), value)


def set_standing(market: Any, user: str, performances: int, waivers: int) -> None:
    """Gives a user good performances and waivers that nobody can earn in a test's time; its money stays."""
    place = ("ledger", "_balance", int(user, 16))
    record = word(market, *place)
    write(market, record & (2**208 - 1) | record >> 254 << 254 | performances << 208 | waivers << 232, *place)


def plant(stage: Stage, quote_id: int, supply: int, bids: Sequence[Planted]) -> list[str]:
    """Puts `bids` into the empty book of a quote, in the order of opening. Returns the bidders' addresses.

    The quote is made one of `supply` Wh, whatever its collateral: the matching does not touch it.
    """
    market: Any = stage.market
    first = 10_000 * quote_id  # no other household has such a number
    period = market.quote(quote_id).period
    room = quote_id & word(market, "rooms", "_counter") >> 64
    place = period % ring_length(stage.tariff.period_length, stage.tariff.window)

    bidders = []
    previous = 0
    for number, bid in enumerate(bids, first):
        bidder = int(boa.env.generate_address(f"planted {number}"), 16)
        escrow = bid.volume * (bid.price + stage.tariff.service_fee)
        assert escrow < 2**104, "no balance record holds that much"
        write(market, bidder, "accounts", "_user", number)
        write(market, escrow << 104 | bid.performances << 208, "ledger", "_balance", bidder)
        # The quote is the one that is pending; what the bid asks for is of no account here.
        write(market, quote_id << 136 | period << 219 | 1 << 255, "positions", "_position", bidder, place)
        opened = bid.price | bid.volume << 96 | previous << 144 | 1 << 176 | quote_id << 224
        write(market, opened, "bids", "_bid", room << 32 | number)
        previous = number
        bidders.append(f"0x{bidder:040x}")
    quote = word(market, "rooms", "_quote", room) & ~((2**24 - 1) << 68)
    write(market, quote | supply << 68 | len(bids) << 188 | previous << 196, "rooms", "_quote", room)
    return bidders
