"""Criterion 2: the code is the terms, compiled. Lockstep with the model over every entry point, valid and invalid.

On top of the sensible calls of every machine, this one makes any call with anything: each entry point with each
argument drawn from what exists, what almost exists and the ends of its type. Whatever the contract then does, the
model must do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.properties.machine import EVERYBODY, Call, MarketMachine, around, salt_of
from tests.properties.symbols import FORMS, Signed, meter, seal_bytes
from tests.properties.twin import HOUSEHOLDS, NEWCOMER
from wattproof.model import Phase

MAX = 2**256 - 1
ZERO = "0x" + 40 * "0"
OWNERS = ("owner", "owner", "sunny", "stranger", "supplier")


def numbers(*near: int) -> st.SearchStrategy[int]:
    """Numbers at and next to `near`, zero, one, and the ends of the types that the market checks."""
    return st.sampled_from([*around(*near), 0, 1, 2**48 - 1, 2**48, 2**96, 2**255, MAX])


class Terms(MarketMachine):
    """Contract and model agree on everything that comes of any call."""

    strict = True
    season_names = ("fresh", "no fee", "dear", "poor", "seasoned", "waivers", "arrears", "full book")

    def a_quote(self) -> st.SearchStrategy[int]:
        """A quote that exists or almost does."""
        count = self.twin.model.quote_count()
        return st.sampled_from([*range(1, count + 1)] * 4 + [0, count + 1, MAX])

    def a_period(self) -> st.SearchStrategy[int]:
        """A period in play, one beside them, one at the horizon, or an impossible one."""
        twin = self.twin
        horizon = (twin.now + 7 * 86_400) // twin.tariff.period_length
        near = [*twin.periods * 4, twin.periods[0] - 1, horizon, horizon + 1, 0, MAX // twin.tariff.period_length, MAX]
        return st.sampled_from(near)

    def a_signature(self, kind: str, name: str, fields: tuple[Any, ...]) -> st.SearchStrategy[Signed]:
        """A signature over `fields`, or one that is wrong in one respect."""
        twin = self.twin
        right = Signed(name, kind, fields, twin.target, twin.chain)
        wrong = [
            Signed("rainy" if name != "rainy" else "sunny", kind, fields, twin.target, twin.chain),
            Signed(name, kind, fields, twin.target, twin.chain + 1),
            Signed(name, kind, fields, str(twin.token.address), twin.chain),
            Signed(name, kind, (twin.address("stranger"), *fields[1:]), twin.target, twin.chain),
            *(Signed(name, kind, fields, twin.target, twin.chain, form) for form in FORMS[1:]),
        ]
        return st.sampled_from([right] * 6 + wrong)

    def draw_registration(self) -> st.SearchStrategy[Call]:
        def of(who: str, paired: str) -> st.SearchStrategy[Call]:
            profile = who.encode().ljust(32, b".")
            signed = self.a_signature("Pairing", paired, (self.twin.address(who), profile))
            meters = st.sampled_from([meter(paired).address] * 6 + [ZERO])
            return st.builds(lambda m, s: Call("register", (profile, m, s), who), meters, signed)

        callers = st.sampled_from((NEWCOMER, NEWCOMER, "mild", "stranger", "owner", "sunny", "supplier"))
        paired = st.sampled_from((NEWCOMER, NEWCOMER, "mild", "cloudy"))
        return st.tuples(callers, paired).flatmap(lambda pair: of(*pair))

    def draw_wild(self) -> st.SearchStrategy[Call]:
        tariff = self.twin.tariff
        people = st.sampled_from(EVERYBODY)
        traders = st.sampled_from((*HOUSEHOLDS, *HOUSEHOLDS, NEWCOMER, "stranger", "supplier"))
        quotes, periods = self.a_quote(), self.a_period()
        prices = numbers(tariff.lowest_price, tariff.highest_price)

        def call(function: str, sender: st.SearchStrategy[str], *args: st.SearchStrategy[Any]) -> Any:
            return st.tuples(st.just(function), st.tuples(*args), sender).map(lambda parts: Call(*parts))

        return st.one_of(
            call("authorize", st.sampled_from(OWNERS), people),
            call("revoke", st.sampled_from(OWNERS), people),
            call("transfer_ownership", st.sampled_from(OWNERS), st.sampled_from(("stranger", "owner", "sunny", ZERO))),
            call("accept_ownership", people),
            call("deposit", people, numbers(1000)),
            call("withdraw", people, numbers(1000)),
            call("clear", people, people),
            call("submit_quote", traders, periods, numbers(1, 1000), prices),
            call("invalidate_quote", traders, quotes),
            call("submit_bid", traders, quotes, st.sampled_from((bytes(32), b"\xff" * 32))),
            call("reveal_bid", traders, quotes, prices, numbers(1, 100), st.just(bytes(32))),
            call("match_bids", people, quotes),
            call("buy_surplus", traders, quotes, numbers(1, 10)),
            call("settle_quote", people, quotes),
            call("settle_account", people, traders, periods),
            self.draw_registration(),
            self.draw_odd_reading(),
            self.draw_odd_reveal(),
            self.draw_odd_seal(),
        )

    def draw_odd_reading(self) -> st.SearchStrategy[Call]:
        """A reading that may be of anybody, for any period, of any size, with any signature."""
        energies = st.sampled_from([0, 1, 20, 100, 2**48 - 1, 2**48, MAX])

        def of(name: str, period: int, exported: int, imported: int) -> st.SearchStrategy[Call]:
            fields = (self.twin.address(name), period, exported, imported)
            signed = self.a_signature("Reading", name, fields)
            return signed.map(lambda s: Call("submit_reading", (name, period, exported, imported, s), "stranger"))

        metering = [p for p in self.twin.periods if self.twin.phase(p) == Phase.METERING]
        periods = st.sampled_from(metering * 3 + [*self.twin.periods]) | self.a_period()
        return st.tuples(st.sampled_from((*HOUSEHOLDS, NEWCOMER)), periods, energies, energies).flatmap(
            lambda p: of(*p)
        )

    def draw_odd_reveal(self) -> st.SearchStrategy[Call]:
        """A sealed bid opened by somebody else, twice, or with something in it changed."""
        if not self.sealed:
            return st.just(Call("reveal_bid", (1, 7, 1, bytes(32)), "sunny"))

        def of(place: tuple[int, str]) -> st.SearchStrategy[Call]:
            number, name = place
            price, volume = self.sealed[place]
            salt = salt_of(number, name)
            truth = Call("reveal_bid", (number, price, volume, salt), name)
            return st.sampled_from(
                [
                    truth,
                    truth._replace(sender="rainy" if name != "rainy" else "misty"),
                    truth._replace(args=(number, price + 1, volume, salt)),
                    truth._replace(args=(number, price, volume + 1, salt)),
                    truth._replace(args=(number, price, volume, bytes(32))),
                ]
            )

        return st.sampled_from(sorted(self.sealed)).flatmap(of)

    def draw_odd_seal(self) -> st.SearchStrategy[Call]:
        """A bid out of bounds: what is sealed shows only when it is opened."""
        twin, tariff = self.twin, self.twin.tariff

        def of(number: int, name: str, price: int, volume: int) -> Call:
            fields = (twin.chain, twin.target, number, twin.address(name), price, volume, salt_of(number, name))
            return Call("odd seal", (number, price, volume, seal_bytes(fields)), name)

        top = max([quote.volume for quote in twin.model.quotes], default=1)
        prices = st.sampled_from(around(tariff.lowest_price, tariff.highest_price))
        return st.builds(of, self.a_quote(), st.sampled_from(HOUSEHOLDS), prices, st.sampled_from([0, 1, top, top + 1]))

    def moves(self) -> dict[str, tuple[int, Callable[[], st.SearchStrategy[Call]]]]:
        """Besides what is sensible: anything with anything."""
        return super().moves() | {"anything": (4, self.draw_wild)}

    def perform(self, call: Call) -> None:
        """An odd seal is remembered like any other bid."""
        if call.function != "odd seal":
            super().perform(call)
            return
        number, price, volume, seal = call.args
        if self.do("submit_bid", number, seal, sender=call.sender).accepted:
            self.sealed[number, call.sender] = (price, volume)


TestTerms = Terms.TestCase
