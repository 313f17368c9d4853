"""Histories of a market as lists of calls, the same for every engine: drawn from a seed, told by the model.

A history is made without any chain. The pure model of the terms (`wattproof.terms.model`) says what there is to do
and what comes of it; addresses follow from keys, the contracts' addresses from the deployer's. So the calldata, the
senders and the seconds are fixed beforehand, can be signed as transactions of a real chain, and carry the model's
verdict.

What there is to do is what the state machines draw from, too: `verification.harness.enabled_actions`. Most calls
continue some trade. The others are refused on purpose: calls with one part changed, calls that were made before, and
calldata that is cut short, dirtied, too long or paid for; in between every view is asked, those of the market's lens
above all.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal, NamedTuple

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from rlp import encode as rlp_encode

from verification.builds import CONTRACTS, build
from verification.gas.chain import CHAIN_ID, Parties, Party
from verification.harness.driver import Driver
from verification.harness.enabled_actions import EnabledActions, edges_ahead
from verification.harness.lockstep import HOUSEHOLDS, NEWCOMER, STRANGER
from wattproof.market.abi import Function, each
from wattproof.market.deployment import Tariff, frame
from wattproof.market.lens import ask_model, model_of
from wattproof.market.symbolic import FORMS, Signed, on_chain, salt_of
from wattproof.market.trace import Outcome
from wattproof.terms.model import Phase

START = 1_750_000_000
"""The second of the deployment; histories begin in the next one."""

OTHERS = ("owner", "deputy", "supplier", STRANGER, NEWCOMER)

TARIFFS = (
    # Small prices, so that every percentage is rounded.
    Tariff(sbp=6, ssp=18, service_fee=1, priority_step=500),
    Tariff(sbp=61, ssp=181, service_fee=59, window=900, priority_step=10_000, rank_by_price=True),
    Tariff(sbp=7, ssp=7, service_fee=0, priority_step=0),
    # The largest prices that the constructor takes.
    Tariff(sbp=2**94 + 1, ssp=2**96 - 1, service_fee=2**93 + 5, priority_step=9_999),
    # Prices at which the largest volumes can still be paid for.
    Tariff(sbp=2**72 + 1, ssp=2**74 - 1, service_fee=2**71 + 5, priority_step=1, rank_by_price=True),
)

ETHER = 2**200
"""Wei that everybody has at first."""

RICHES = 2**100
"""Base units that the rich have where prices are large: together still less than an account can hold."""

NOBODY = "0x" + 40 * "0"
MAX_UINT256 = 2**256 - 1
LARGEST = 2**24 - 1  # Wh

CAPACITIES = (LARGEST, LARGEST, 5_000, 400, 60)
"""Of the connections of households, in Wh a period."""

LEAST_PART = 64
"""A purchase takes at least this part of what is offered, or all that is left (T-SUR-11)."""

ODD = 0.08
"""How often a call is changed in one part."""

Target = Literal["token", "market", "lens"]
Kind = Literal["call", "view", "spoilt"]


class Call(NamedTuple):
    """One call, as it goes to a chain, and what the model says of it.

    accepted   whether it must be accepted; None: the model was not asked (views)
    reason     with which it must be refused; None where it is accepted, or refused without a reason
    result     the number that it must return; None where it returns none
    """

    second: int
    sender: str
    target: Target
    data: bytes
    value: int
    kind: Kind
    function: str
    accepted: bool | None
    reason: str | None
    result: int | None = None


@dataclass
class History:
    """A market's deployment and the calls that follow it, in order; several may fall into one second.

    people   everybody, by name; everybody has `ETHER` wei
    token, market, lens   where the owner's first three transactions put the contracts
    """

    seed: str
    tariff: Tariff
    people: Parties
    token: str
    market: str
    lens: str
    calls: list[Call] = field(default_factory=list)

    def address(self, target: Target) -> str:
        """The address of a contract."""
        return {"token": self.token, "market": self.market, "lens": self.lens}[target]

    @property
    def arguments(self) -> tuple[bytes, bytes, bytes]:
        """The constructors' arguments, encoded: of the token, of the market and of the lens."""
        supplier = self.people["supplier"].address
        given = ((), (self.token, supplier, *frame(self.tariff)), (self.market,))
        token, market, lens = (
            build(contract).interface.constructor(*arguments)
            for contract, arguments in zip(CONTRACTS, given, strict=True)
        )
        return token, market, lens

    def tally(self) -> dict[str, Counter[str]]:
        """What the model says: per function how many calls were accepted, and per reason how many were refused."""
        told: dict[str, Counter[str]] = {"accepted": Counter(), "refused": Counter(), "kinds": Counter()}
        for call in self.calls:
            told["kinds"][call.kind] += 1
            if call.accepted:
                told["accepted"][call.function] += 1
            elif call.accepted is False and call.kind == "call":
                told["refused"][call.reason or "no reason"] += 1
        return told


def created(deployer: str, nonce: int) -> str:
    """The address of the contract that an account makes with its transaction number `nonce`."""
    return to_checksum_address(keccak(rlp_encode([bytes.fromhex(deployer[2:]), nonce]))[12:])


def random_history(seed: int, length: int = 400, views: bool = True) -> History:
    """The history number `seed`, of about `length` calls."""
    return _Author(f"random {seed}", Random(seed), TARIFFS[seed % len(TARIFFS)], views).random(length)


def full_history(bidders: int = 129) -> History:
    """A quote with a full book, a bid and a purchase too many, and a full list of trades; another delivers short."""
    return _Author(f"full {bidders}", Random(0), TARIFFS[0], False).full(bidders)


class _Author(Driver[Outcome]):
    """Writes a history and keeps the model in step with it: a market that is played without a chain."""

    first, carried = 1, 0

    def __init__(self, seed: str, rng: Random, tariff: Tariff, views: bool) -> None:
        self.rng, self.tariff, self.views = rng, tariff, views
        people = Parties((name, Party(name)) for name in (*HOUSEHOLDS, *OTHERS))
        owner, supplier = people["owner"].address, people["supplier"].address
        token, market, lens = (created(owner, nonce) for nonce in range(3))
        self.target, self.chain, self.second = market, CHAIN_ID, START + 1
        self.history = History(seed, tariff, people, token, market, lens)
        self.names = {party.address: name for name, party in people.items()}
        self.model = model_of(tariff, owner, supplier, token, market, CHAIN_ID)
        self.periods: list[int] = []
        self.sealed: dict[tuple[int, str], tuple[int, int]] = {}
        self.made: list[tuple[str, list[Any]]] = []
        targets: tuple[Target, ...] = ("token", "market", "lens")
        self.functions = {
            target: build(contract).interface.functions for target, contract in zip(targets, CONTRACTS, strict=True)
        }

    @property
    def trace(self) -> list[Call]:
        """All calls so far."""
        return self.history.calls

    @property
    def now(self) -> int:
        return self.second

    def at(self, second: int) -> None:
        self.second = second

    def address(self, name: str) -> str:
        return self.history.people[name].address

    # ---- calls -----------------------------------------------------------------------

    def add(self, call: Call) -> None:
        """Appends a call, and now and then a view."""
        self.history.calls.append(call)
        if self.views and self.rng.random() < 0.3:
            self.look()

    def call(self, function: str, *args: Any, sender: str) -> Outcome:
        """A call of the market, now and then after a spoilt copy of it; returns what the model makes of it."""
        who, resolved = self.address(sender), self.resolved(args)
        outcome = ask_model(self.model, function, resolved, who, self.now)
        data = self.functions["market"][function].encode(on_chain(resolved))
        if self.rng.random() < 0.04:
            self.spoil(self.functions["market"][function], data, who)
        verdict = outcome.accepted, outcome.reason, outcome.result
        self.add(Call(self.now, who, "market", data, 0, "call", function, *verdict))
        return outcome

    def attempt(self, function: str, *args: Any, sender: str, odd: float = ODD) -> None:
        """A call of the market that has the chance `odd` of being changed: in one of its arguments, or the sender."""
        arguments = list(args)
        self.made.append((function, arguments))
        if self.rng.random() < odd:
            arguments, sender = self.changed(arguments, sender)
        self.call(function, *arguments, sender=sender)

    def changed(self, args: list[Any], sender: str) -> tuple[list[Any], str]:
        """Arguments and sender with one of them changed, however deep in lists and tuples."""
        leaves: list[Any] = []
        each(args, leaves.append)
        chosen, places = self.rng.randint(0, len(leaves)), itertools.count()
        if chosen == len(leaves):
            return args, self.anybody()
        return each(args, lambda leaf: self.another(leaf) if next(places) == chosen else leaf), sender

    def another(self, leaf: Any) -> Any:
        """Another number, a neighbour or an edge; another address; a signature in a bad form or for another chain."""
        match leaf:
            case int():
                beside = (max(leaf - 1, 0), min(leaf + 1, MAX_UINT256))
                return self.rng.choice((0, *beside, *beside, LARGEST, LARGEST + 1, MAX_UINT256))
            case str():
                return self.rng.choice((self.address(self.anybody()), NOBODY))
            case Signed():
                return self.rng.choice((replace(leaf, chain=1), *(replace(leaf, form=form) for form in FORMS[1:])))
        return self.rng.randbytes(32)

    def pay(self, function: str, *args: Any, sender: str, value: int = 0) -> None:
        """A call of the token that it accepts."""
        who, token = self.address(sender), self.model.token
        match function:
            case "mint":
                token.mint(who, value)
            case "redeem":
                token.mint(who, -args[0])
            case _:
                getattr(token, function)(who, *args)
        data = self.functions["token"][function].encode(args)
        self.add(Call(self.now, who, "token", data, value, "call", f"token.{function}", True, None))

    def spoil(self, function: Function, data: bytes, who: str) -> None:
        """The call in a form that must be refused without a reason."""
        rng, kinds = self.rng, function.types
        head = 4 + 32 * len(kinds)
        forms = {
            "ether": (data, 1 + rng.randrange(100)),
            "empty": (b"", rng.randrange(2)),
            "selector": (bytes([data[0] ^ 0x40]) + data[1:], 0),
        }
        if kinds:
            forms["short"] = (data[: rng.randrange(4, head)], 0)
        if kinds[:1] == ["address"]:
            forms["dirty address"] = (data[:4] + b"\x01" + data[5:], 0)
        if kinds[-1:] == ["bytes"]:
            forms["length beyond the bound"] = (data[:head] + (66).to_bytes(32, "big") + data[head + 32 :], 0)
            forms["offset beyond the end"] = (data[: head - 32] + b"\xff" * 32 + data[head:], 0)
        how = rng.choice(sorted(forms))
        told = f"{function.name}, {how}"
        self.history.calls.append(Call(self.now, who, "market", *forms[how], "spoilt", told, False, None))

    def look(self) -> None:
        """Asks a view of one of the contracts, of somebody and something that there is or is not."""
        target: Target = self.rng.choice(("lens", "lens", "lens", "lens", "market", "token"))
        views = [function for function in self.functions[target].values() if function.is_view]
        function = self.rng.choice(sorted(views, key=lambda view: view.name))
        args = [self.any_argument(kind, name) for kind, name in zip(function.types, function.names, strict=True)]
        data, sender = function.encode(args), self.address(STRANGER)
        self.history.calls.append(Call(self.now, sender, target, data, 0, "view", function.name, None, None))

    def any_argument(self, kind: str, name: str) -> Any:
        """A value for an argument: mostly one that means something, at times an edge of its type."""
        rng = self.rng
        if kind.endswith("[]"):
            return [self.any_argument(kind.removesuffix("[]"), name) for _ in range(rng.randint(0, 4))]
        match kind:
            case "address":
                return self.address(self.anybody()) if rng.random() < 0.9 else NOBODY
            case "bytes32":
                return rng.randbytes(32)
            case "uint256" if rng.random() < 0.15:
                return rng.choice((0, 1, MAX_UINT256, 2**128, LARGEST, LARGEST + 1))
            case "uint256" if name in ("quote_id", "quotes"):
                return rng.randint(0, self.model.quote_count() + 1)
            case "uint256" if name in ("period", "periods"):
                return rng.choice(self.periods or [0])
            case "uint256":
                return rng.choice((1, self.tariff.lowest_price, self.tariff.highest_price, rng.randrange(2**24)))
            case "(address,uint256)":
                return self.any_argument("address", "user"), self.any_argument("uint256", "period")
        raise TypeError(f"no value for an argument of the type {kind}")

    # ---- people ------------------------------------------------------------------------

    def anybody(self) -> str:
        """Somebody's name."""
        return self.rng.choice((*HOUSEHOLDS, *OTHERS))

    def fund(self, name: str, amount: int) -> None:
        """Somebody makes credit of its ether, lets the market take it and deposits most of it."""
        self.pay("mint", sender=name, value=amount)
        self.pay("approve", self.history.market, MAX_UINT256, sender=name)
        self.call("deposit", amount - amount // 4, sender=name)

    def enrol(self, name: str, amount: int, capacity: int) -> None:
        """A household enters the market with money."""
        self.admit(name, capacity)
        self.fund(name, amount)

    def capacity(self, name: str) -> int:
        """The capacity of somebody's connection; 0 where it never was let in."""
        return self.model.account(self.address(name)).capacity

    # ---- what a trade is made of -----------------------------------------------------------

    def sealed_bid(self, number: int, name: str, price: int, volume: int) -> tuple[int, bytes]:
        """What a bid is handed in with; what is in it is remembered for the reveal."""
        self.sealed[number, name] = price, volume
        return number, self.seal(number, name, price, volume)

    def opening(self, number: int, name: str) -> tuple[int, int, int, bytes]:
        """What a sealed bid is opened with."""
        return number, *self.sealed[number, name], salt_of(number, name)

    def volume(self, most: int) -> int:
        """A volume of at most `most` Wh, its edges and small ones often."""
        edges = [1, 2, 3, 7, most // 3, most // 2, most - 1, most, most]
        wanted = self.rng.choice(edges) if self.rng.random() < 0.7 else self.rng.randint(1, most)
        return min(max(wanted, 1), most)

    def energies(self, name: str, period: int) -> tuple[int, int]:
        """What a meter may report: at the edges of what was quoted and agreed."""
        who, rng = self.address(name), self.rng
        quote, position = self.model.quote(self.model.quote_of(who, period)), self.model.position(who, period)
        volume, agreed = quote.volume, position.agreed or position.bought
        exports = [0, volume, volume, 105 * volume // 100, -(-95 * volume // 100), max(-(-95 * volume // 100) - 1, 0)]
        exports += [quote.sold, max(quote.sold - 1, 0), volume // 2, volume + 1, 2 * volume]
        imports = [0, agreed, agreed, agreed, 105 * agreed // 100, 105 * agreed // 100 + 1, -(-95 * agreed // 100)]
        imports += [position.bought, position.bought // 2, 2 * agreed + 1]
        if rng.random() < ODD:
            capacity = self.capacity(name)
            exports = imports = [0, volume, capacity, capacity + 1, LARGEST, LARGEST + 1, MAX_UINT256]
        return rng.choice(exports), rng.choice(imports)

    def settler(self) -> str:
        """Mostly the owner."""
        owner = self.names[self.model.owner]
        return self.rng.choice((owner, owner, owner, owner, STRANGER))

    # ---- moves: each is given all that it could be about -------------------------------------

    def try_quote(self, offers: Sequence[tuple[str, int]]) -> None:
        """Somebody quotes for one of the next periods."""
        rng, t = self.rng, self.tariff
        name, period = rng.choice(offers)
        price = rng.choice((t.lowest_price, t.lowest_price, (t.lowest_price + t.highest_price) // 2, t.highest_price))
        capacity = self.capacity(name)
        wide = [capacity, capacity - 1, 10**6] if t.ssp > 2**40 else [1000, 5000]
        volume = min(rng.choice((1, 19, 20, 21, 60, 99, 100, 101, 400, *wide)), capacity)
        self.attempt("submit_quote", period, volume, price, sender=name)

    def try_withdraw(self, quotes: Sequence[int]) -> None:
        """A prosumer takes its quote back."""
        number = self.rng.choice(quotes)
        self.attempt("invalidate_quote", number, sender=self.names[self.model.quote(number).prosumer])

    def try_bid(self, places: Sequence[tuple[int, str]]) -> None:
        """A household bids on a quote, mostly within its bounds."""
        rng, top = self.rng, self.tariff.highest_price
        number, name = rng.choice(places)
        quote = self.model.quote(number)
        price = rng.choice((quote.price, min(quote.price + 1, top), rng.randint(min(quote.price, top), top), top))
        wish = [price, self.volume(quote.volume)]
        if rng.random() < ODD:
            wish, _ = self.changed(wish, name)
        self.attempt("submit_bid", *self.sealed_bid(number, name, *wish), sender=name, odd=ODD / 4)

    def try_reveal(self, places: Sequence[tuple[int, str]]) -> None:
        """A bid is opened."""
        number, name = self.rng.choice(places)
        self.attempt("reveal_bid", *self.opening(number, name), sender=name)

    def try_match(self, quotes: Sequence[int]) -> None:
        """Somebody has a quote matched."""
        self.attempt("match_bids", self.rng.choice(quotes), sender=self.anybody())

    def try_buy(self, places: Sequence[tuple[int, str]]) -> None:
        """Somebody buys what a quote has left, or a part of it, at times less than may be."""
        number, name = self.rng.choice(places)
        left = self.model.remaining(number, self.now)
        least = EnabledActions(self, self.sealed).least(number) if self.rng.random() < 0.7 else 1
        self.attempt("buy_surplus", number, max(self.volume(left), min(least, left)), sender=name)

    def try_read(self, due: Sequence[tuple[str, int]]) -> None:
        """A meter reports; a stranger brings the reading."""
        name, period = self.rng.choice(due)
        self.attempt("submit_reading", *self.report(name, period, *self.energies(name, period)), sender=STRANGER)

    def several(self, due: Sequence[tuple[str, int]]) -> tuple[int, list[str]]:
        """A period, and some of those that are due in it; now and then one of them twice."""
        period = self.rng.choice(due)[1]
        names = sorted({name for name, when in due if when == period})
        names = self.rng.sample(names, self.rng.randint(1, len(names)))
        return period, names + self.rng.sample(names, self.rng.choice((0, 0, 1)))

    def try_read_several(self, due: Sequence[tuple[str, int]]) -> None:
        """Several meters' readings of one period in one call."""
        period, names = self.several(due)
        readings = [self.report(name, period, *self.energies(name, period)) for name in names]
        self.attempt("submit_readings", period, [(who, *rest) for who, _, *rest in readings], sender=STRANGER, odd=0.5)

    def try_settle(self, quotes: Sequence[int]) -> None:
        """A quote is settled."""
        self.attempt("settle_quote", self.rng.choice(quotes), sender=self.settler())

    def try_settle_account(self, due: Sequence[tuple[str, int]]) -> None:
        """An account is settled."""
        name, period = self.rng.choice(due)
        self.attempt("settle_account", name, period, sender=self.settler())

    def try_settle_several(self, due: Sequence[tuple[str, int]]) -> None:
        """Several accounts of one period are settled in one call."""
        period, names = self.several(due)
        self.attempt("settle_accounts", period, names, sender=self.settler(), odd=0.5)

    def move_money(self, names: Sequence[str]) -> None:
        """Somebody deposits, withdraws, clears, or moves tokens outside the market."""
        rng, name = self.rng, self.rng.choice(names)
        who = self.address(name)
        free, outside = self.model.account(who).balance, self.model.token.balances.get(who, 0)
        match rng.choice(("deposit", "withdraw", "withdraw_at_least", "clear", "transfer", "redeem")):
            case "deposit":
                self.attempt("deposit", rng.choice((1, outside // 2, outside, outside + 1)), sender=name)
            case "withdraw":
                self.attempt("withdraw", rng.choice((1, free // 3, free, free + 1)), sender=name)
            case "withdraw_at_least":
                amount = rng.choice((1, free // 3, free, free + 1))
                self.attempt("withdraw_at_least", amount, rng.choice((0, amount, amount + 1)), sender=name)
            case "clear":
                self.attempt("clear", who, sender=STRANGER)
            case "transfer" if outside:
                self.pay("transfer", self.address(rng.choice(HOUSEHOLDS)), rng.choice((1, outside)), sender=name)
            case "redeem" if outside:
                self.pay("redeem", rng.choice((1, outside // 2, outside)), sender=name)

    def let_in(self, names: Sequence[str]) -> None:
        """The owner gives somebody an authorisation back, raises its capacity, or tries what is refused."""
        name, owner = self.rng.choice(names), self.names[self.model.owner]
        capacity = self.capacity(name)
        wanted = (*[capacity] * 6, capacity + 1, max(capacity, 50), max(capacity - 1, 0), LARGEST + 1)
        self.attempt("authorize", name, self.rng.choice(wanted), sender=owner)

    def govern(self, names: Sequence[str]) -> None:
        """Somebody is revoked or let in, the owner changes, or a newcomer registers."""
        owner, successor = self.names[self.model.owner], self.names.get(self.model.pending_owner)
        match self.rng.choice(("authorize", "revoke", "transfer", "register")):
            case "authorize":
                self.let_in(names)
            case "revoke":
                self.attempt("revoke", self.rng.choice(names), sender=owner)
            case "transfer" if successor:
                self.attempt("accept_ownership", sender=successor)
            case "transfer":
                deputy = "deputy" if owner == "owner" else "owner"
                self.attempt("transfer_ownership", deputy, sender=owner)
            case "register":
                self.attempt("register", *self.registration(NEWCOMER), sender=NEWCOMER)

    def again(self, made: Sequence[tuple[str, list[Any]]]) -> None:
        """A call that was tried before, by anybody, whether there is anything to do for it or not."""
        function, args = self.rng.choice(made)
        self.attempt(function, *args, sender=self.anybody(), odd=0.5)

    def wait(self, edges: Sequence[int]) -> None:
        """Time passes: to the next edge of a phase, the second before it or the one after."""
        self.at(max(self.now + 1, edges[0] + self.rng.choice((0, 0, 0, 0, 0, -1, 1))))
        for period in (self.next_period(), self.next_period() + 1):
            if period not in self.periods:
                self.periods.append(period)

    def moves(self) -> list[tuple[float, Callable[[Any], None], Sequence[Any]]]:
        """What could be done now: how likely each move is, and what it may be about."""
        now = EnabledActions(self, self.sealed, most_quotes=float("inf"))
        outside = [name for name, account in now.households.items() if not account.authorized]
        moves = [
            (3, self.try_quote, now.offers),
            (0.5, self.try_withdraw, now.withdrawals),
            (6, self.try_bid, now.bids),
            (18, self.try_reveal, now.reveals),
            (6, self.try_match, now.matches),
            (9, self.try_buy, now.purchases),
            (18, self.try_read, now.readings),
            (2, self.try_read_several, now.readings),
            (8, self.try_settle, now.settlements),
            (12, self.try_settle_account, now.accounts),
            (2, self.try_settle_several, now.accounts),
            (2, self.move_money, (*HOUSEHOLDS, "supplier", "owner", STRANGER)),
            # Meters are silent often: without this, hardly anybody could trade after a while.
            (4, self.let_in, outside),
            (2, self.govern, (*HOUSEHOLDS, NEWCOMER)),
            (3, self.again, self.made),
            (5, self.wait, edges_ahead(self)),
        ]
        return [(weight, move, about) for weight, move, about in moves if about]

    # ---- histories -------------------------------------------------------------------------

    def random(self, length: int) -> History:
        """Everybody enters, then whatever there is to do, until there are so many calls."""
        usual = self.rng.choice((10**6, 10**6, 40_000)) * self.tariff.ssp
        money = RICHES if self.tariff.ssp > 2**40 else usual
        self.fund("supplier", self.rng.choice((money, money // 100)))
        for name in HOUSEHOLDS:
            self.enrol(name, self.rng.choice((money, money, money // 50)), self.rng.choice(CAPACITIES))
        self.wait([self.now + 1])
        while len(self.history.calls) < length:
            moves = self.moves()
            ((_, move, about),) = self.rng.choices(moves, [weight for weight, *_ in moves])
            move(about)
        return self.history

    def full(self, bidders: int) -> History:
        """A quote with `bidders` bids of equal and different amounts and all the purchases that there can be.

        The last purchase before delivery and the last of all take what is left. Another quote, with half as many bids,
        delivers 94 %.
        """
        lowest = self.tariff.lowest_price
        crowd = [f"bidder {number}" for number in range(bidders)]
        for name in (*HOUSEHOLDS[:2], *crowd):
            self.enrol(name, 10**7, LARGEST)
        period = self.next_period()
        self.at(self.now + 1)
        asked = [3 + place % 7 for place in range(bidders)]
        # With what the bids take, less than a 64th is left for the last purchase before delivery.
        least = sum(asked) + 1
        for name, volume in zip(HOUSEHOLDS, (LEAST_PART * least, 2_000), strict=False):
            self.call("submit_quote", period, volume, lowest, sender=name)
        bids = [(1, name, lowest + place % 3, asked[place]) for place, name in enumerate(crowd)]
        bids += [(2, name, lowest + place % 5, 1 + place % 11) for place, name in enumerate(crowd[::2])]
        for number, name, price, volume in bids:
            self.call("submit_bid", *self.sealed_bid(number, name, price, volume), sender=name)
        self.to(Phase.REVEALING, period)
        for (number, name), wish in self.sealed.items():
            self.reveal(number, name, *wish)
        self.to(Phase.MATCHING, period)
        for number in (1, 2):
            self.call("match_bids", number, sender=STRANGER)
        buyers = iter(crowd * 2)
        self.buy_all(1, least, buyers)
        for place in range(5):
            self.call("buy_surplus", 2, 32 + place, sender=crowd[place])
        self.to(Phase.METERING, period)
        first, second = self.model.quote(1), self.model.quote(2)
        exports = (LEAST_PART * (first.volume + 1), second.sold * 94 // 100)
        for name, exported in zip(HOUSEHOLDS, exports, strict=False):
            self.read(name, period, exported, 0)
        self.buy_all(1, first.volume + 1, buyers)
        self.call("buy_surplus", 1, 1, sender=next(buyers))
        self.to(Phase.SETTLING, period)
        for number in (1, 2):
            self.call("settle_quote", number, sender="owner")
        for name in (*HOUSEHOLDS[:2], *crowd[:20]):
            self.call("settle_account", name, period, sender="owner")
        return self.history

    def buy_all(self, number: int, each: int, buyers: Iterator[str]) -> None:
        """One after the other buys `each` of a quote, and the last what is left."""
        while left := self.model.remaining(number, self.now):
            if not self.call("buy_surplus", number, min(each, left), sender=next(buyers)).accepted:
                raise RuntimeError("the history of a full book stops at a purchase that is refused")
