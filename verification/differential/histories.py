"""Histories of a market as lists of calls, the same for every engine: drawn from a seed, told by the model.

A history is made without any chain. The pure model of the terms (`wattproof.terms.model`) says what there is to do
and what comes of it; addresses follow from keys, the contracts' addresses from the deployer's. So the calldata, the
senders and the seconds are fixed beforehand, can be signed as transactions of a real chain, and carry the model's
verdict.

Most calls continue some trade. The others are refused on purpose: at the edges of the bounds, out of phase, by the
wrong sender, or with calldata that is cut short, dirtied, too long or paid for; in between every view is asked, those
of the market's lens above all.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Literal, NamedTuple

from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from rlp import encode as rlp_encode

from verification.builds import CONTRACTS, build
from wattproof.market.abi import Interface
from wattproof.market.deployment import Tariff, frame
from wattproof.market.meters import Meter, malleable_twin
from wattproof.market.seals import seal_of
from wattproof.terms.model import BidStatus, Market, Phase, QuoteStatus, Refused, Signature, Token

CHAIN_ID = 31_337
"""The chain of every history: anvil's."""

START = 1_750_000_000
"""The second of the deployment; histories begin in the next one."""

HOUSEHOLDS = tuple(f"household {number}" for number in range(1, 8))
OTHERS = ("owner", "deputy", "supplier", "stranger", "newcomer")

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

MAX_UINT256 = 2**256 - 1
LARGEST = 2**24 - 1  # Wh

CAPACITIES = (LARGEST, LARGEST, 5_000, 400, 60)
"""Of the connections of households, in Wh a period."""

LEAST_PART = 64
"""A purchase takes at least this part of what is offered, or all that is left (T-SUR-11)."""

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

    people   the accounts of everybody, by name; everybody has `ETHER` wei
    token, market, lens   where the owner's first three transactions put the contracts
    """

    seed: str
    tariff: Tariff
    people: dict[str, LocalAccount]
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
        kinds = ["address", "address", *["uint256"] * 6, "bool"]
        market = encode(kinds, [self.token, self.people["supplier"].address, *frame(self.tariff)])
        return b"", market, encode(["address"], [self.market])

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


@functools.lru_cache(maxsize=512)
def person(name: str) -> LocalAccount:
    """The account that goes by a name. Its key is no secret: for simulation only."""
    return Account.from_key(hashlib.sha256(f"wattproof evidence {name}".encode()).digest())


def created(deployer: str, nonce: int) -> str:
    """The address of the contract that an account makes with its transaction number `nonce`."""
    return to_checksum_address(keccak(rlp_encode([bytes.fromhex(deployer[2:]), nonce]))[12:])


def random_history(seed: int, length: int = 400, views: bool = True) -> History:
    """The history number `seed`, of about `length` calls."""
    return _Author(f"random {seed}", Random(seed), TARIFFS[seed % len(TARIFFS)], views).random(length)


def full_history(bidders: int = 129) -> History:
    """A quote with a full book, a bid and a purchase too many, and a full list of trades; another delivers short."""
    return _Author(f"full {bidders}", Random(0), TARIFFS[0], False).full(bidders)


class _Author:
    """Writes a history and keeps the model in step with it."""

    def __init__(self, seed: str, rng: Random, tariff: Tariff, views: bool) -> None:
        self.rng, self.tariff, self.views = rng, tariff, views
        people = {name: person(name) for name in (*HOUSEHOLDS, *OTHERS)}
        owner = people["owner"].address
        token, market, lens = (created(owner, nonce) for nonce in range(3))
        self.history = History(seed, tariff, people, token, market, lens)
        self.model = Market(
            owner=owner,
            supplier=people["supplier"].address,
            **asdict(tariff),
            token=Token(address=token),
            address=market,
            chain_id=CHAIN_ID,
            seal_function=lambda fields: seal_of(*fields),
        )
        self.now = START + 1
        self.sealed: dict[tuple[int, str], tuple[int, int, bytes]] = {}
        self.periods: list[int] = []
        targets: tuple[Target, ...] = ("token", "market", "lens")
        self.abis = {
            target: Interface(build(contract).abi).functions
            for target, contract in zip(targets, CONTRACTS, strict=True)
        }

    # ---- calls -----------------------------------------------------------------------

    def address(self, name: str) -> str:
        """Somebody's address."""
        people = self.history.people
        if name not in people:
            people[name] = person(name)
        return people[name].address

    def add(self, call: Call) -> None:
        """Appends a call, and now and then a spoilt copy of it or a view."""
        self.history.calls.append(call)
        if self.views and self.rng.random() < 0.3:
            self.look()

    def send(self, function: str, *args: Any, sender: str, told: Sequence[Any] | None = None) -> bool:
        """A call of the market; returns whether the model accepts it. `told`: the arguments as the model wants them."""
        who, result = self.address(sender), None
        try:
            result = getattr(self.model, function)(*(told or args), sender=who, now=self.now)
            accepted, reason = True, None
        except Refused as refused:
            accepted, reason = False, refused.reason
        data = self.abis["market"][function].encode(args)
        if self.rng.random() < 0.04:
            self.spoil(function, data, who)
        self.add(Call(self.now, who, "market", data, 0, "call", function, accepted, reason, result))
        return accepted

    def pay(self, function: str, *args: Any, sender: str, value: int = 0) -> None:
        """A call of the token that it accepts."""
        data = self.abis["token"][function].encode(args)
        self.add(Call(self.now, self.address(sender), "token", data, value, "call", f"token.{function}", True, None))

    def spoil(self, function: str, data: bytes, who: str) -> None:
        """The call in a form that must be refused without a reason."""
        kinds = self.abis["market"][function].types
        forms: dict[str, Callable[[], tuple[bytes, int]]] = {
            "ether": lambda: (data, 1 + self.rng.randrange(100)),
            "empty": lambda: (b"", self.rng.randrange(2)),
            "selector": lambda: (bytes([data[0] ^ 0x40]) + data[1:], 0),
        }
        if len(data) > 4:
            forms["short"] = lambda: (data[: self.rng.randrange(4, 4 + 32 * len(kinds))], 0)
        if kinds[:1] == ["address"]:
            forms["dirty address"] = lambda: (data[:4] + b"\x01" + data[5:], 0)
        if kinds[-1:] == ["bytes"]:
            head = 4 + 32 * len(kinds)
            forms["length beyond the bound"] = lambda: (data[:head] + (66).to_bytes(32, "big") + data[head + 32 :], 0)
            forms["offset beyond the end"] = lambda: (data[: head - 32] + b"\xff" * 32 + data[head:], 0)
        how = self.rng.choice(sorted(forms))
        spoilt, value = forms[how]()
        call = Call(self.now, who, "market", spoilt, value, "spoilt", f"{function}, {how}", False, None)
        self.history.calls.append(call)

    def look(self) -> None:
        """Asks a view of one of the contracts, of somebody and something that there is or is not."""
        target: Target = self.rng.choice(("lens", "lens", "lens", "lens", "market", "token"))
        views = [function for function in self.abis[target].values() if function.is_view]
        function = self.rng.choice(sorted(views, key=lambda view: view.name))
        args = [self.any_argument(kind, name) for kind, name in zip(function.types, function.names, strict=True)]
        data = function.encode(args)
        sender = self.address("stranger")
        self.history.calls.append(Call(self.now, sender, target, data, 0, "view", function.name, None, None))

    def any_argument(self, kind: str, name: str) -> Any:
        """A value for an argument: mostly one that means something, at times an edge of its type."""
        rng = self.rng
        if kind == "address":
            return self.address(rng.choice((*HOUSEHOLDS, *OTHERS))) if rng.random() < 0.9 else "0x" + 40 * "0"
        if kind == "bytes32":
            return rng.randbytes(32)
        if kind == "bytes":
            return rng.randbytes(rng.choice((0, 1, 64, 65)))
        if kind == "uint256":
            if rng.random() < 0.15:
                return rng.choice((0, 1, MAX_UINT256, 2**128, LARGEST, LARGEST + 1))
            if name in ("quote_id", "quotes"):
                return rng.randint(0, len(self.model.quotes) + 1)
            if name in ("period", "periods"):
                return rng.choice(self.periods or [0])
            return rng.choice((1, self.tariff.lowest_price, self.tariff.highest_price, rng.randrange(2**24)))
        if kind.endswith("[]"):
            return [self.any_argument(kind.removesuffix("[]"), name) for _ in range(rng.randint(0, 4))]
        if kind == "(address,uint256)":
            return self.any_argument("address", "user"), self.any_argument("uint256", "period")
        raise TypeError(f"no value for an argument of the type {kind}")

    # ---- people ------------------------------------------------------------------------

    def meter(self, name: str) -> Meter:
        """The meter of a household."""
        return _meter(name)

    def register(self, name: str, form: str = "ok") -> None:
        """A household registers with its meter's signature."""
        who, meter, profile = self.address(name), self.meter(name), name.encode().ljust(32, b".")
        signature = meter.sign_pairing(self.history.market, who, profile, CHAIN_ID)
        signature, verdict = _spoilt_signature(form, signature, meter, self.model.pairing_message(who, profile))
        self.send(
            "register",
            profile,
            meter.address,
            signature,
            sender=name,
            told=(profile, meter.address, verdict),
        )

    def fund(self, name: str, amount: int, deposit: bool = True) -> None:
        """Somebody makes credit of its ether, lets the market take it and deposits it."""
        who = self.address(name)
        self.pay("mint", sender=name, value=amount)
        self.model.token.mint(who, amount)
        self.pay("approve", self.history.market, MAX_UINT256, sender=name)
        self.model.token.approve(who, self.history.market, MAX_UINT256)
        if deposit:
            self.send("deposit", amount - amount // 4, sender=name)

    def enrol(self, name: str, amount: int, capacity: int) -> None:
        """A household enters the market with money."""
        self.register(name)
        self.send("authorize", self.address(name), capacity, sender="owner")
        self.fund(name, amount)

    def capacity(self, name: str) -> int:
        """The capacity of somebody's connection; 0 where it never was let in."""
        return self.model.account(self.address(name)).capacity

    # ---- steps of a trade -----------------------------------------------------------------

    def is_trader(self, name: str) -> bool:
        """Whether somebody may begin new business."""
        account = self.model.account(self.address(name))
        return account.authorized and account.grid_account >= 0

    def next_period(self) -> int:
        """The first period that is still in BIDDING."""
        return (self.now + 2 * self.tariff.window) // self.tariff.period_length + 1

    def quotes_in(self, status: QuoteStatus, phases: Phase) -> list[int]:
        """Numbers of the quotes with that status whose period is in one of the phases."""
        quotes = enumerate(self.model.quotes, 1)
        return [
            number
            for number, quote in quotes
            if quote.status == status and self.model.phase(quote.period, self.now) & phases
        ]

    def names(self, address: str) -> str:
        """Who has that address."""
        return next(name for name, account in self.history.people.items() if account.address == address)

    def sample(self, names: Sequence[str], usual: Callable[[str], bool], most: int = 4) -> list[str]:
        """Up to `most` of the names: of the usual ones, or one time in twelve of all."""
        chosen = [name for name in names if usual(name)] if self.rng.random() < 11 / 12 else list(names)
        return self.rng.sample(chosen, min(len(chosen), self.rng.randint(1, most)))

    def volume(self, most: int) -> int:
        """A volume of at most `most` Wh, its edges and small ones often."""
        edges = [1, 2, 3, 7, most // 3, most // 2, most - 1, most, most]
        wanted = self.rng.choice(edges) if self.rng.random() < 0.7 else self.rng.randint(1, most)
        return min(max(wanted, 1), most)

    def move_quote(self) -> None:
        """Somebody quotes for one of the next periods."""
        rng, t = self.rng, self.tariff
        period = self.next_period() + rng.choice((0, 0, 0, 0, 1, -1))
        if period not in self.periods:
            self.periods.append(period)
        price = rng.choice((t.lowest_price, t.lowest_price, (t.lowest_price + t.highest_price) // 2, t.highest_price))
        (prosumer,) = self.sample(HOUSEHOLDS, self.is_trader, 1) or HOUSEHOLDS[:1]
        capacity = self.capacity(prosumer)
        wide = [capacity, capacity - 1, 10**6] if t.ssp > 2**40 else [1000, 5000]
        volume = min(rng.choice((1, 19, 20, 21, 60, 99, 100, 101, 400, *wide)), capacity)
        odd = rng.random()
        if odd < 0.04:
            price = rng.choice((0, t.lowest_price - 1, t.highest_price + 1, MAX_UINT256))
        elif odd < 0.08:
            volume = rng.choice((0, capacity + 1, MAX_UINT256))
        self.send("submit_quote", period, volume, price, sender=prosumer)

    def move_invalidate(self) -> None:
        """A prosumer takes its quote back; rarely."""
        open_quotes = self.quotes_in(QuoteStatus.VALID, Phase.BIDDING)
        if open_quotes and self.rng.random() < 0.3:
            number = self.rng.choice(open_quotes)
            self.send("invalidate_quote", number, sender=self.names(self.model.quote(number).prosumer))

    def bid(self, number: int, name: str, price: int, volume: int) -> None:
        """Somebody hands a sealed bid in."""
        salt = self.rng.randbytes(32)
        seal = self.model.seal_of(number, self.address(name), price, volume, salt)
        if self.send("submit_bid", number, seal, sender=name):
            self.sealed[number, name] = (price, volume, salt)

    def move_bid(self) -> None:
        """Several households bid on a quote, mostly within its bounds."""
        rng, top = self.rng, self.tariff.highest_price
        open_quotes = self.quotes_in(QuoteStatus.VALID, Phase.BIDDING)
        if not open_quotes:
            return
        number = rng.choice(open_quotes)
        quote = self.model.quote(number)
        for name in self.sample(
            HOUSEHOLDS,
            lambda name: (
                self.is_trader(name)
                and self.address(name) != quote.prosumer
                and not self.model.bid(number, self.address(name)).status
            ),
        ):
            price = rng.choice((quote.price, min(quote.price + 1, top), rng.randint(min(quote.price, top), top), top))
            volume = self.volume(quote.volume)
            odd = rng.random()
            if odd < 0.05:
                price = rng.choice((quote.price - 1, top + 1, 0, MAX_UINT256))
            elif odd < 0.1:
                volume = rng.choice((0, quote.volume + 1, MAX_UINT256))
            self.bid(number, name, price, volume)

    def move_reveal(self) -> None:
        """Bids are opened, most of them as they were sealed."""
        ready = self.quotes_in(QuoteStatus.VALID, Phase.REVEALING)
        places = [
            place
            for place in self.sealed
            if place[0] in ready
            and self.model.bid(place[0], self.address(place[1])).status == BidStatus.CREATED
            and (self.is_trader(place[1]) or self.rng.random() < 0.2)
        ]
        for number, name in self.rng.sample(places, min(len(places), 4)):
            price, volume, salt = self.sealed[number, name]
            if self.rng.random() < 0.07:
                volume ^= 1
            self.send("reveal_bid", number, price, volume, salt, sender=name)

    def move_match(self) -> None:
        """Somebody has quotes matched."""
        ready = self.quotes_in(QuoteStatus.VALID, ~(Phase.BIDDING | Phase.REVEALING))
        for number in ready if self.rng.random() < 0.5 else ready[:1]:
            self.send("match_bids", number, sender=self.rng.choice(("stranger", "owner", HOUSEHOLDS[0])))

    def move_buy(self) -> None:
        """Somebody buys what a quote has left, or a little more, or less than may be."""
        ready = self.quotes_in(QuoteStatus.MATCHED, Phase.MATCHING | Phase.DELIVERING | Phase.METERING)
        left = {number: self.model.remaining(number, self.now) for number in ready}
        on_sale = [number for number in ready if left[number] or self.rng.random() < 0.1]
        if on_sale:
            number = self.rng.choice(on_sale)
            quote = self.model.quote(number)
            prosumer, offered = quote.prosumer, quote.volume
            if self.model.phase(quote.period, self.now) == Phase.METERING:
                offered = self.model.reading(prosumer, quote.period).exported
            least = -(-offered // LEAST_PART)
            wanted = self.volume(max(left[number], 1)) + (self.rng.random() < 0.07)
            if wanted < least and self.rng.random() < 0.7:
                wanted = max(min(least, left[number]), 1)
            for name in self.sample(
                HOUSEHOLDS, lambda name: self.is_trader(name) and self.address(name) != prosumer, 1
            ):
                self.send("buy_surplus", number, wanted, sender=name)

    def reading(self, name: str, period: int) -> tuple[int, int]:
        """What a meter may report: at the edges of what was quoted and agreed."""
        who, rng = self.address(name), self.rng
        quote, position = self.model.quote(self.model.quote_of(who, period)), self.model.position(who, period)
        volume, agreed = quote.volume, position.agreed or position.bought
        exports = [0, volume, volume, 105 * volume // 100, -(-95 * volume // 100), max(-(-95 * volume // 100) - 1, 0)]
        exports += [quote.sold, max(quote.sold - 1, 0), volume // 2, volume + 1, 2 * volume]
        imports = [0, agreed, agreed, agreed, 105 * agreed // 100, 105 * agreed // 100 + 1, -(-95 * agreed // 100)]
        imports += [position.bought, position.bought // 2, 2 * agreed + 1]
        exported, imported = rng.choice(exports), rng.choice(imports)
        if rng.random() < 0.06:
            capacity = self.capacity(name)
            edges = (0, volume, capacity, capacity + 1, LARGEST, LARGEST + 1, MAX_UINT256)
            exported, imported = rng.choice(edges), rng.choice(edges)
        return exported, imported

    def signed(self, name: str, period: int, exported: int, imported: int, form: str = "ok") -> tuple[bytes, Signature]:
        """A meter's signature of a reading: its bytes, and the model's verdict on them."""
        who, meter = self.address(name), self.meter(name)
        signature = meter.sign_reading(self.history.market, who, period, exported, imported, CHAIN_ID)
        return _spoilt_signature(form, signature, meter, self.model.reading_message(who, period, exported, imported))

    def form(self) -> str:
        """Mostly a good signature."""
        if self.rng.random() < 0.93:
            return "ok"
        return self.rng.choice(("truncated", "empty", "high s", "bad v", "another message"))

    def due_readings(self) -> list[tuple[str, int]]:
        """Whose meter could report for which period; of those that have no business, and may not trade, a few."""
        return [
            (name, period)
            for period in self.periods
            if self.model.phase(period, self.now) == Phase.METERING
            for name in HOUSEHOLDS
            if not self.model.reading(self.address(name), period).present
            and (self.has_business(name, period) or self.rng.random() < 0.1)
        ]

    def has_business(self, name: str, period: int) -> bool:
        """Whether somebody may trade, or has a stake in a period."""
        who = self.address(name)
        return self.model.account(who).authorized or self.model.position(who, period).open > 0

    def move_read(self) -> None:
        """Meters report."""
        due = self.due_readings()
        for name, period in self.rng.sample(due, min(len(due), 4)):
            exported, imported = self.reading(name, period)
            signature, verdict = self.signed(name, period, exported, imported, self.form())
            who = self.address(name)
            args = (who, period, exported, imported)
            self.send("submit_reading", *args, signature, sender="stranger", told=(*args, verdict))

    def settler(self) -> str:
        """Mostly the owner."""
        owner = self.names(self.model.owner)
        return self.rng.choice((owner, owner, owner, owner, "stranger"))

    def move_settle(self) -> None:
        """Quotes are settled."""
        ready = self.quotes_in(QuoteStatus.MATCHED, Phase.SETTLING | Phase.CLOSING)
        for number in self.rng.sample(ready, min(len(ready), 3)):
            self.send("settle_quote", number, sender=self.settler())

    def due_accounts(self) -> list[tuple[str, int]]:
        """Whose account of which period could be settled, by the owner at least."""
        due = []
        for period in self.periods:
            if self.model.phase(period, self.now) & (Phase.SETTLING | Phase.CLOSING):
                for name in HOUSEHOLDS:
                    position = self.model.position(self.address(name), period)
                    read = self.model.reading(self.address(name), period).present
                    if (read or position.bought) and not position.settled and not position.open:
                        due.append((name, period))
        return due

    def move_account(self) -> None:
        """Accounts are settled."""
        due = self.due_accounts()
        for name, period in self.rng.sample(due, min(len(due), 4)):
            self.send("settle_account", self.address(name), period, sender=self.settler())

    def move_batch_read(self) -> None:
        """Several meters' readings of one period in one call, some of them spoilt or brought twice."""
        due = self.due_readings()
        if not due:
            return
        period = self.rng.choice(due)[1]
        names = [name for name, of in due if of == period]
        names = self.rng.sample(names, self.rng.randint(1, len(names)))
        names += self.rng.sample([*names, "newcomer"], self.rng.choice((0, 0, 1)))
        entries, told = [], []
        for name in names:
            exported, imported = self.reading(name, period)
            signature, verdict = self.signed(name, period, exported, imported, self.form())
            entries.append((self.address(name), exported, imported, signature))
            told.append((self.address(name), exported, imported, verdict))
        self.send("submit_readings", period, entries, sender="stranger", told=(period, told))

    def move_batch_account(self) -> None:
        """Several accounts of one period are settled in one call, some of them not due or twice."""
        due = self.due_accounts()
        if not due:
            return
        period = self.rng.choice(due)[1]
        names = [name for name, of in due if of == period]
        names = self.rng.sample(names, self.rng.randint(1, len(names))) + self.rng.sample(HOUSEHOLDS, 1)
        self.send("settle_accounts", period, [self.address(name) for name in names], sender=self.settler())

    # ---- everything else --------------------------------------------------------------------

    def move_money(self) -> None:
        """Somebody deposits, withdraws, clears, or moves tokens outside the market."""
        rng, name = self.rng, self.rng.choice((*HOUSEHOLDS, "supplier", "owner", "stranger"))
        who = self.address(name)
        free, outside = self.model.account(who).balance, self.model.token.balances.get(who, 0)
        match rng.choice(("deposit", "withdraw", "clear", "token")):
            case "deposit":
                self.send("deposit", rng.choice((0, 1, outside // 2, outside, outside + 1)), sender=name)
            case "withdraw":
                self.send("withdraw", rng.choice((0, 1, free // 3, free, free + 1, MAX_UINT256)), sender=name)
            case "clear":
                self.send("clear", who, sender="stranger")
            case "token" if outside:
                amount = rng.choice((1, outside // 2, outside))
                if rng.random() < 0.5:
                    other = rng.choice(HOUSEHOLDS)
                    self.pay("transfer", self.address(other), amount, sender=name)
                    self.model.token.transfer(who, self.address(other), amount)
                else:
                    self.pay("redeem", amount, sender=name)
                    self.model.token.balances[who] -= amount

    def move_admission(self) -> None:
        """Users are revoked and let in again; now and then the owner changes, or a newcomer registers."""
        rng, owner = self.rng, self.names(self.model.owner)
        out = [name for name in HOUSEHOLDS if not self.model.account(self.address(name)).authorized]
        if out and rng.random() < 0.8:
            # Meters are silent often: without this, hardly anybody could trade after a while.
            for name in rng.sample(out, min(len(out), 3)):
                self.authorize(name, owner)
            return
        match rng.randrange(7):
            case 0:
                self.send("revoke", self.address(rng.choice(HOUSEHOLDS)), sender=owner)
            case 1:
                successor = "deputy" if owner == "owner" else "owner"
                self.send("transfer_ownership", self.address(successor), sender=owner)
            case 2:
                waiting = [name for name in ("owner", "deputy") if self.address(name) == self.model.pending_owner]
                self.send("accept_ownership", sender=rng.choice((*waiting * 9, "stranger")))
            case 3:
                self.register("newcomer", self.form())
            case 4 | 5:
                self.authorize(rng.choice((*HOUSEHOLDS, "newcomer")), owner)

    def authorize(self, name: str, owner: str) -> None:
        """The owner gives somebody an authorisation back, raises its capacity, or tries what is refused."""
        capacity = self.capacity(name)
        wanted = (*[capacity] * 6, capacity + 1, max(capacity, 50), max(capacity - 1, 0), LARGEST + 1)
        self.send("authorize", self.address(name), self.rng.choice(wanted), sender=owner)

    def move_wild(self) -> None:
        """Any call by anybody, with any arguments."""
        entries = [function for function in self.abis["market"].values() if not function.is_view]
        function = self.rng.choice(sorted(entries, key=lambda entry: entry.name))
        if any(kind not in ("address", "bytes32", "bytes", "uint256") for kind in function.types):
            return
        args = [self.any_argument(kind, name) for kind, name in zip(function.types, function.names, strict=True)]
        told = None
        if function.types[-1:] == ["bytes"]:
            form = "malformed" if len(args[-1]) != 65 else "unrecoverable"
            if form == "unrecoverable":
                args[-1] = bytes(64) + b"\x02"
            told = [*args[:-1], Signature(form)]
        self.send(function.name, *args, sender=self.rng.choice((*HOUSEHOLDS, *OTHERS)), told=told)

    def move_time(self) -> None:
        """Time passes: to the next edge of a phase, the second before it or the one after, or by a second."""
        t, edges = self.tariff, set()
        for period in self.periods:
            start, end = period * t.period_length, (period + 1) * t.period_length
            edges |= {start - 2 * t.window, start - t.window, start, end, end + t.window, end + 2 * t.window}
        ahead = sorted(edge for edge in edges if edge > self.now) or [self.now + t.period_length]
        self.now = max(self.now + 1, ahead[0] + self.rng.choice((0, 0, 0, 0, 0, -1, 1)))

    MOVES = (
        (3, "quote"),
        (1, "invalidate"),
        (3, "bid"),
        (9, "reveal"),
        (4, "match"),
        (9, "buy"),
        (9, "read"),
        (5, "settle"),
        (6, "account"),
        (2, "batch_read"),
        (2, "batch_account"),
        (2, "money"),
        (4, "admission"),
        (2, "wild"),
        (5, "time"),
    )

    def random(self, length: int) -> History:
        """Everybody enters, then whatever there is to do, until there are so many calls."""
        usual = self.rng.choice((10**6, 10**6, 40_000)) * self.tariff.ssp
        money = RICHES if self.tariff.ssp > 2**40 else usual
        self.fund("supplier", self.rng.choice((money, money // 100)))
        for name in HOUSEHOLDS:
            self.enrol(name, self.rng.choice((money, money, money // 50)), self.rng.choice(CAPACITIES))
        self.now += 1
        moves = [getattr(self, f"move_{name}") for weight, name in self.MOVES for _ in range(weight)]
        while len(self.history.calls) < length:
            self.rng.choice(moves)()
        return self.history

    def full(self, bidders: int) -> History:
        """A quote with `bidders` bids of equal and different amounts and all the purchases that there can be.

        The last purchase before delivery and the last of all take what is left. Another quote, with half as many bids,
        delivers 94 %.
        """
        t = self.tariff
        crowd = [f"bidder {number}" for number in range(bidders)]
        for name in (*HOUSEHOLDS[:2], *crowd):
            self.enrol(name, 10**7, LARGEST)
        period = self.next_period()
        self.periods.append(period)
        self.now += 1
        asked = [3 + place % 7 for place in range(bidders)]
        # With what the bids take, less than a 64th is left for the last purchase before delivery.
        least = sum(asked) + 1
        for name, volume in zip(HOUSEHOLDS, (LEAST_PART * least, 2_000), strict=False):
            self.send("submit_quote", period, volume, t.lowest_price, sender=name)
        for place, name in enumerate(crowd):
            self.bid(1, name, t.lowest_price + place % 3, asked[place])
        for place, name in enumerate(crowd[::2]):
            self.bid(2, name, t.lowest_price + place % 5, 1 + place % 11)
        self.now = period * t.period_length - 2 * t.window
        for place in self.sealed:
            self.send("reveal_bid", place[0], *self.sealed[place], sender=place[1])
        self.now += t.window
        for number in (1, 2):
            self.send("match_bids", number, sender="stranger")
        buyers = iter(crowd * 2)
        self.buy_all(1, least, buyers)
        for place in range(5):
            self.send("buy_surplus", 2, 32 + place, sender=crowd[place])
        self.now = (period + 1) * t.period_length
        first, second = self.model.quote(1), self.model.quote(2)
        exports = (LEAST_PART * (first.volume + 1), second.sold * 94 // 100)
        for name, exported in zip(HOUSEHOLDS, exports, strict=False):
            args = (self.address(name), period, exported, 0)
            signature, verdict = self.signed(name, *args[1:])
            self.send("submit_reading", *args, signature, sender="stranger", told=(*args, verdict))
        self.buy_all(1, first.volume + 1, buyers)
        self.send("buy_surplus", 1, 1, sender=next(buyers))
        self.now += t.window
        for number in (1, 2):
            self.send("settle_quote", number, sender="owner")
        for name in (*HOUSEHOLDS[:2], *crowd[:20]):
            self.send("settle_account", self.address(name), period, sender="owner")
        return self.history

    def buy_all(self, number: int, each: int, buyers: Iterator[str]) -> None:
        """One after the other buys `each` of a quote, and the last what is left."""
        while left := self.model.remaining(number, self.now):
            if not self.send("buy_surplus", number, min(each, left), sender=next(buyers)):
                raise RuntimeError("the history of a full book stops at a purchase that is refused")


# ---- meters ----------------------------------------------------------------------------


@functools.lru_cache(maxsize=512)
def _meter(name: str) -> Meter:
    return Meter(f"evidence {name}")


def _spoilt_signature(
    form: str, signature: bytes, meter: Meter, message: tuple[object, ...]
) -> tuple[bytes, Signature]:
    """A signature in that form, and what the model is told of it."""
    match form:
        case "truncated":
            return signature[:64], Signature("malformed")
        case "empty":
            return b"", Signature("malformed")
        case "high s":
            return malleable_twin(signature), Signature("malleable")
        case "bad v":
            return signature[:64] + b"\x1d", Signature("unrecoverable")
        case "another message":
            return meter.sign(keccak(signature), "0x" + 40 * "1", CHAIN_ID), Signature("ok", meter.address, ())
    return signature, Signature("ok", meter.address, message)
