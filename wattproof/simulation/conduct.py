"""What a simulated household does otherwise than the plain day."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Conduct:
    """What a household does otherwise than the plain day; factors and chances in thousandths.

    Who is revoked for it stays so.

    quotes    of its forecast surplus it quotes so much; 1500 is half as much again
    bids      of its forecast deficit it bids for so much
    decoys    for so much of its forecast deficit it bids at the quotes' price, only so as to have asked for it: on all
              quotes but the largest, which takes its other bid; where there is one quote only, both are one bid
    reveals   so many of its sealed bids it opens, drawn from the seed
    eager     so far from the quote's price to the period's bid price, and beyond, its own bids stand
    partner   a household: it bids on that one's quotes only, at the highest price, wherever that one quotes
    shill     where it lacks energy it bids for all of each quote that it bids on, at the quote's price
    phantom   wherever others quote, it quotes all that its connection carries, and bids for nothing
    silent    it hands in no reading of a period in which it quoted
    farmed    before the first period it buys 1 Wh in so many half-hours, of a household that is made for it
    """

    quotes: int = 1000
    bids: int = 1000
    decoys: int = 0
    reveals: int = 1000
    eager: int = 1000
    partner: str | None = None
    shill: bool = False
    phantom: bool = False
    silent: bool = False
    farmed: int = 0


PLAIN = Conduct()
