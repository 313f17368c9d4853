"""The frame of a market: its prices, in base units of its token, and its times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from wattproof.market.tokens import Token, UnusableToken
from wattproof.market.units import DECIMALS, PENCE_PER_KWH, WH_PER_KWH, pence_per_kwh

HALF_HOUR = 1800
"""Length of a delivery period in seconds (paper, section 5.2.1)."""


@dataclass(frozen=True)
class Tariff:
    """The frame of a market, fixed at deployment (T-PARTY-7).

    `sbp`, `ssp` and `service_fee` are in base units per Wh, `period_length` and `window` in seconds, `priority_step`
    in ten-thousandths of a bid's amount per tier; bids rank by their total amount, or by their unit price where
    `rank_by_price` (T-MAT-11). The grid's prices are the paper's (section 5.2.2); the paper names
    no service fee, window or step: 0.2 p/kWh, ten minutes and 5 % per tier are ours. The defaults are for a token with
    18 decimals, in which 1 p/kWh is 10**13: `Tariff(sbp=7 * 10**13, ssp=25 * 10**13)`; `in_token` counts them in
    another.
    """

    sbp: int = field(default_factory=lambda: pence_per_kwh(6))
    ssp: int = field(default_factory=lambda: pence_per_kwh(18))
    service_fee: int = field(default_factory=lambda: pence_per_kwh("0.2"))
    period_length: int = HALF_HOUR
    window: int = 600
    priority_step: int = 500
    rank_by_price: bool = False

    @property
    def lowest_price(self) -> int:
        """The lowest price of a quote, in base units per Wh (T-QUO-5)."""
        return self.sbp + self.service_fee

    @property
    def highest_price(self) -> int:
        """The highest price of a quote or bid, in base units per Wh (T-QUO-5)."""
        return self.ssp - self.service_fee


def frame(tariff: Tariff) -> tuple[int | bool, ...]:
    """The constructor's arguments that come of a tariff, in their order."""
    prices = (tariff.sbp, tariff.ssp, tariff.service_fee)
    return (*prices, tariff.period_length, tariff.window, tariff.priority_step, tariff.rank_by_price)


PAPER = Tariff()
"""The default tariff: the paper's prices, in a token with 18 decimals of which one stands for a pound."""

PRICES = {"sbp": "SBP", "ssp": "SSP", "service_fee": "service fee"}
"""The prices of a tariff, and what people call them."""

TIMES = {"period_length": ("period length", 300), "window": ("window", 60)}
"""The times of a tariff, what people call them, and how many seconds are the least that somebody can mean."""

_LONGEST_TIME = 86_400
"""Seconds, the most that somebody can mean."""

MAX_MONEY = 2**104
"""A market never holds so many base units of its token (T-MON-24)."""

LEAST_ROOM = 1_000_000
"""Tokens that a market must be able to hold where the paper's prices are to be used in it."""


_NAME_THEM = "or name the prices, Tariff(sbp=..., ssp=..., service_fee=...), in base units per Wh"


def checked(tariff: Tariff) -> Tariff:
    """The tariff as it is. ValueError, with what to write, for what is none, or is not made of whole numbers."""
    if not isinstance(tariff, Tariff):
        raise ValueError(f"a tariff is written Tariff(sbp=..., ssp=...), not {tariff!r}")
    units = dict.fromkeys(
        PRICES, f"base units per Wh, {PENCE_PER_KWH} for 1 p/kWh where a token of 18 decimals is a pound"
    )
    units |= dict.fromkeys(TIMES, "seconds") | {"priority_step": "ten-thousandths"}
    for name, unit in units.items():
        number = getattr(tariff, name)
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**256:
            raise ValueError(f"no market opens with this tariff: {name}={number!r} is no whole number of {unit}")
    if not isinstance(tariff.rank_by_price, bool):
        raise ValueError(
            f"no market opens with this tariff: rank_by_price is True or False, not {tariff.rank_by_price!r}"
        )
    return tariff


def in_token(tariff: Tariff, token: Token) -> Tariff:
    """The tariff in base units of `token`: prices left at their defaults are counted anew, by its decimals.

    One token stands for a pound. Nothing is rounded, so 6 decimals are the least that all three defaults need; 25 are
    the most. Raises UnusableToken where a default is no whole number of base units per Wh, or the token does not say
    how many decimals it has: then the tariff has to name its prices.
    """
    left = [name for name in PRICES if getattr(tariff, name) == getattr(PAPER, name)]
    if not left or token.decimals == DECIMALS:
        return tariff
    return _counted(tariff, left, token, "default ", "with at least 6 decimals", f", {_NAME_THEM}")


def counted(tariff: Tariff, token: Token) -> Tariff:
    """A tariff whose prices are for a token with 18 decimals, as pence are counted, in base units of `token`.

    One token stands for a pound, and nothing is rounded. Raises UnusableToken where a price is no whole number of base
    units per Wh, the token does not say how many decimals it has, or has too many.
    """
    return _counted(tariff, PRICES, token, "", "with more decimals", ", or another price in the tariff")


def _counted(tariff: Tariff, names: Iterable[str], token: Token, which: str, with_: str, otherwise: str) -> Tariff:
    """The tariff with its prices of those names in base units of `token`; the texts are for what is raised."""
    decimals = token.decimals
    if decimals is None:
        raise UnusableToken(f"{token}: does not say how many decimals it has; take another token{otherwise}")
    if MAX_MONEY // 10**decimals < LEAST_ROOM:
        raise UnusableToken(
            f"{token}: has {decimals} decimals, so that a market could not even hold {LEAST_ROOM:,} of it, as it "
            f"holds less than 2**104 base units; take a token with at most 25 decimals{otherwise}"
        )
    found: dict[str, int] = {}
    for name in names:
        found[name], rest = divmod(getattr(tariff, name) * 10**decimals, 10**DECIMALS)
        if rest:
            price = Token("", token.symbol, DECIMALS).price(getattr(tariff, name))
            raise UnusableToken(
                f"{token}: has {decimals} decimals, too few for the {which}{PRICES[name]} of {price}: its prices are "
                f"multiples of {token.price(1)}; take a token {with_}{otherwise}"
            )
    return replace(tariff, **found)


def prices_text(tariff: Tariff, token: Token) -> str:
    """A market's prices in its token's own unit, in one line; it doubts prices and times that nobody can mean."""
    prices = {title: getattr(tariff, name) for name, title in PRICES.items()}
    shown = ", ".join(f"{title} {token.price(price)}" for title, price in prices.items())
    # A tenth of the value at SSP (T-QUO-10).
    line = f"prices in {token}: {shown}; collateral {token.amount(tariff.ssp * WH_PER_KWH // 10)} for each kWh quoted"
    if not all(map(token.is_plausible, prices.values())):
        line += f". Is this meant? The token has {token.decimals} decimals, and a tariff is in base units per Wh"
    return line + doubts(tariff)


def doubts(tariff: Tariff) -> str:
    """A sentence where nobody can mean the times of a tariff, else nothing."""
    times = {title: (getattr(tariff, name), least) for name, (title, least) in TIMES.items()}
    odd = [
        f"{title} is {seconds} s" for title, (seconds, least) in times.items() if not least <= seconds <= _LONGEST_TIME
    ]
    return f". Is this meant? The {' and the '.join(odd)}, and a tariff counts seconds" if odd else ""
