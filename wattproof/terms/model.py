"""The terms as a program: a pure integer model of the market.

Written from ``docs/terms.md`` alone, to be read beside it clause by clause and compared with the contract, of
which it shares nothing. Energy is in Wh, money in base units of the token, prices and the service fee in base
units per Wh, times in seconds of the chain's clock.

Every entry point takes the contract's arguments in the contract's order, then ``sender`` and ``now`` by keyword;
it either raises `Refused` with the reason of annex A and has changed nothing, or makes its changes and leaves
the events of annex B in `Market.events`. To make that plain, each one tests first, in the order of annex A and
reading through the views only, and changes after. What a machine can tell and a model cannot, it is told: a
signature arrives as a verdict (`Signature`), and seals come from a function handed in (``seal_function``). Where
records lie, and which of them are overwritten, is in `places`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from functools import partial, wraps
from typing import Any, Concatenate, Literal, NamedTuple, ParamSpec, TypeVar

from wattproof.terms.places import HORIZON, Ring, Rooms, kept_of, ring_length

Address = str
Event = tuple[str, dict[str, Any]]

ZERO_ADDRESS: Address = "0x" + 40 * "0"
ZERO_BYTES32 = bytes(32)
EVERYBODY: Address = "everybody"
MAX_UINT256 = 2**256 - 1
CAPACITY_BOUND = 2**24  # Wh per period, T-REG-19
PRICE_BOUND = 2**96  # base units per Wh, T-PARTY-11
MONEY_BOUND = 2**104  # base units, T-MON-24
MAX_PRIORITY_STEP = 10_000  # T-PARTY-15
MAX_OPENED = 128  # bids per quote, T-BID-13
MAX_TRADES = 256  # per quote, T-SUR-7
LEAST_PART = 64  # of what is offered, T-SUR-11
MAX_BATCH = 64  # entries, T-MET-11 and T-ACC-14
MAX_PERFORMANCES = 2**24 - 1  # T-STD-1
MAX_WAIVERS = 2**22 - 1  # T-STD-11
TIER_THRESHOLDS = (5, 10, 20, 40, 80)  # good performances, T-STD-2


class Phase(IntFlag):
    """T-TIME-2 to T-TIME-8."""

    BIDDING = 1
    REVEALING = 2
    MATCHING = 4
    DELIVERING = 8
    METERING = 16
    SETTLING = 32
    CLOSING = 64


NEEDED = {
    "submit_quote": Phase.BIDDING,  # T-QUO-2
    "invalidate_quote": Phase.BIDDING,  # T-QUO-11
    "submit_bid": Phase.BIDDING,  # T-BID-1
    "reveal_bid": Phase.REVEALING,  # T-BID-9
    "match_bids": ~(Phase.BIDDING | Phase.REVEALING),  # T-MAT-1
    "buy_surplus": Phase.MATCHING | Phase.METERING,  # T-SUR-1, T-SUR-12
    "submit_reading": Phase.METERING,  # T-MET-1
    "submit_readings": Phase.METERING,  # T-MET-12
    **dict.fromkeys(("settle_quote", "settle_account", "settle_accounts"), Phase.SETTLING | Phase.CLOSING),  # T-TIME-7
}
"""The phases of the delivery period in which an entry point is open."""


class QuoteStatus(IntFlag):
    """T-QUO-7; no member: no such quote."""

    VALID = 1
    INVALID = 2
    MATCHED = 4
    SETTLED = 8


NO_QUOTE = QuoteStatus(0)


class BidStatus(IntFlag):
    """T-BID-7; no member: no bid."""

    CREATED = 1
    RESERVED = 2
    CONFIRMED = 4
    REJECTED = 8


class Refused(Exception):
    """A call that the terms refuse; `reason` is annex A's."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def require(condition: bool, reason: str) -> None:
    """Refuse the call with this reason unless the condition holds."""
    if not condition:
        raise Refused(reason)


# ---- what the views answer, field by field as in the interface -----------------------


class AccountView(NamedTuple):
    """A party: identity, money and standing."""

    profile: bytes
    meter: Address
    authorized: bool
    balance: int
    reserved: int
    grid_account: int
    performances: int
    defaults: int
    waivers: int
    tier: int
    capacity: int


class QuoteView(NamedTuple):
    """A quote."""

    prosumer: Address
    period: int
    volume: int
    price: int
    created_at: int
    sold: int
    status: QuoteStatus


class Bid(NamedTuple):
    """T-BID: sealed until opened, then with a price and a volume."""

    seal: Hashable = ZERO_BYTES32
    price: int = 0
    volume: int = 0
    filled: int = 0
    status: BidStatus = BidStatus(0)


NO_BID = Bid()


class Trade(NamedTuple):
    """A sale of part of a quote."""

    buyer: Address
    volume: int
    price: int


class Reading(NamedTuple):
    """What counts of what a meter reported for a user and period (T-MET-3, T-MET-15)."""

    present: bool
    exported: int
    imported: int


NO_READING = Reading(False, 0, 0)


class PositionView(NamedTuple):
    """A user's energy in one period; `open` counts quotes."""

    agreed: int
    bought: int
    received: int
    delivered: int
    open: int
    settled: bool


# ---- what is remembered --------------------------------------------------------------


@dataclass
class Account:
    """T-REG, T-MON-4, T-MON-7, T-STD: a party, whether registered or not."""

    profile: bytes = ZERO_BYTES32
    meter: Address = ZERO_ADDRESS
    authorized: bool = False
    balance: int = 0
    reserved: int = 0
    grid_account: int = 0
    performances: int = 0
    defaults: int = 0
    waivers: int = 0
    capacity: int = 0  # T-REG-19, T-REG-20

    @property
    def tier(self) -> int:
        """T-STD-2: the number of thresholds reached."""
        return bisect_right(TIER_THRESHOLDS, self.performances)


@dataclass
class Quote:
    """T-QUO, with its bids, the opened ones in the order of opening, and its trades in the order made.

    Of `sold`, `won` is what the matching sold; `ahead` is that and what was purchased while MATCHING.
    """

    prosumer: Address = ZERO_ADDRESS
    period: int = 0
    volume: int = 0
    price: int = 0
    created_at: int = 0
    sold: int = 0
    status: QuoteStatus = NO_QUOTE
    collateral: int = 0
    won: int = 0
    ahead: int = 0
    bids: dict[Address, Bid] = field(default_factory=dict)
    opened: list[Address] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """T-QUO-17: neither taken back nor settled."""
        return self.status in (QuoteStatus.VALID, QuoteStatus.MATCHED)


@dataclass
class Position:
    """T-ACC, T-MET: the record of a user and period, with its reading and the number of its own quote, 0: none.

    `stakes` holds the numbers of the quotes that T-ACC-5 counts as open; `asked` is the volume of all bids opened,
    rejected ones included, `purchased` that of all purchases (T-REG-21).
    """

    agreed: int = 0
    bought: int = 0
    received: int = 0
    delivered: int = 0
    asked: int = 0
    purchased: int = 0
    stakes: set[int] = field(default_factory=set)
    settled: bool = False
    reading: Reading = NO_READING
    quote_id: int = 0

    @property
    def is_final(self) -> bool:
        """T-PARTY-20: nothing follows from it any more."""
        return self.settled or not (self.reading.present or self.bought or self.stakes)


@dataclass
class Totals:
    """T-QUO-16, T-BID-16: of a period."""

    supply: int = 0
    demand: int = 0


@dataclass(frozen=True)
class Signature:
    """A verdict on the bytes: their form and, if that is "ok", whose key signed what (T-REG-8 to T-REG-10).

    A message is the tuple that `Market.pairing_message` or `Market.reading_message` makes. Over another
    message than the expected one, even the right key's signature leads back to some other address.
    """

    form: Literal["ok", "malformed", "malleable", "unrecoverable"] = "ok"
    signer: Address = ZERO_ADDRESS
    message: tuple[object, ...] = ()


Code = Callable[[tuple[object, ...], Signature], bool]
"""What a contract says that is a meter: whether it signed the message (T-REG-22). No answer in time is a no."""


@dataclass
class Token:
    """A plain ERC-20 token outside the market, with the refusals of a common implementation."""

    address: Address = "token"
    balances: defaultdict[Address, int] = field(default_factory=lambda: defaultdict(int))
    allowances: defaultdict[tuple[Address, Address], int] = field(default_factory=lambda: defaultdict(int))

    def mint(self, owner: Address, amount: int) -> None:
        """Make tokens."""
        self.balances[owner] += amount

    def approve(self, owner: Address, spender: Address, amount: int) -> None:
        """Let the spender take up to the amount; 2^256 - 1 is without limit."""
        self.allowances[owner, spender] = amount

    def check_transfer(self, owner: Address, amount: int) -> None:
        """Refuse what `transfer` would."""
        require(self.balances.get(owner, 0) >= amount, "erc20: transfer amount exceeds balance")

    def transfer(self, owner: Address, to: Address, amount: int) -> None:
        """Move tokens of the owner."""
        self.check_transfer(owner, amount)
        self.balances[owner] -= amount
        self.balances[to] += amount

    def check_transfer_from(self, spender: Address, owner: Address, amount: int) -> None:
        """Refuse what `transfer_from` would: the allowance is tested before the balance."""
        require(self.allowances.get((owner, spender), 0) >= amount, "erc20: insufficient allowance")
        self.check_transfer(owner, amount)

    def transfer_from(self, spender: Address, owner: Address, to: Address, amount: int) -> None:
        """Move tokens of the owner by its allowance."""
        self.check_transfer_from(spender, owner, amount)
        self.transfer(owner, to, amount)
        if self.allowances.get((owner, spender), 0) != MAX_UINT256:
            self.allowances[owner, spender] -= amount


P = ParamSpec("P")
R = TypeVar("R")


def entry_point(method: Callable[Concatenate[Market, P], R]) -> Callable[Concatenate[Market, P], R]:
    """Mark a call of the interface: the events are those of the last call, none if it was refused."""

    @wraps(method)
    def call(market: Market, /, *args: P.args, **kwargs: P.kwargs) -> R:
        market.events = []
        return method(market, *args, **kwargs)

    return call


@dataclass(kw_only=True)
class Market:
    """The market. Constructing it is deploying it: `owner` deploys; raises `Refused` as annex A says."""

    owner: Address
    supplier: Address
    sbp: int
    ssp: int
    service_fee: int
    period_length: int
    window: int
    priority_step: int = 0
    rank_by_price: bool = False
    token: Token = field(default_factory=Token)
    address: Address = "market"
    chain_id: int = 1
    seal_function: Callable[[tuple[Any, ...]], Hashable] = field(default=tuple, compare=False)
    code_at: Mapping[Address, Code] = field(default_factory=dict, compare=False)  # outside the market: T-REG-22

    pending_owner: Address = ZERO_ADDRESS
    accounts: defaultdict[Address, Account] = field(default_factory=lambda: defaultdict(Account))
    user_of: dict[Address, Address] = field(default_factory=dict)  # by meter
    quotes: Rooms[Quote] = field(default_factory=lambda: Rooms())  # T-QUO-17
    positions: Ring[Position] = field(init=False)  # T-PARTY-22, by user and period
    sales: Ring[int] = field(init=False)  # T-PARTY-23, numbers of quotes by prosumer and period
    totals: Ring[Totals] = field(init=False)  # T-PARTY-24, by period alone
    events: list[Event] = field(default_factory=list, compare=False)  # of the last call

    def __post_init__(self) -> None:
        """Deploy (annex A, "deployment")."""
        require(self.token.address != ZERO_ADDRESS, "ledger: token is zero")  # T-PARTY-8
        require(self.supplier != ZERO_ADDRESS, "ledger: supplier is zero")  # T-PARTY-9
        require(self.sbp > 0, "tariff: sbp is zero")  # T-PARTY-10
        require(self.ssp < PRICE_BOUND, "tariff: ssp out of bounds")  # T-PARTY-11
        require(self.sbp + 2 * self.service_fee <= self.ssp, "tariff: no price band")  # T-PARTY-12
        require(self.period_length > 0, "clock: period length is zero")  # T-PARTY-13
        require(self.window > 0, "clock: window is zero")  # T-PARTY-14
        step_in_bounds = self.priority_step <= MAX_PRIORITY_STEP
        require(step_in_bounds, "matching: priority step out of bounds")  # T-PARTY-15
        length = ring_length(self.period_length, self.window)
        self.positions, self.sales, self.totals = Ring(length), Ring(length), Ring(length)
        self._log("OwnershipTransferred", previous_owner=ZERO_ADDRESS, new_owner=self.owner)

    # ---- views (T-PARTY-18: what was overwritten reads as never there) ----------------

    def account(self, user: Address) -> AccountView:
        """Of anybody; the tier follows from the performances (T-STD-2)."""
        a = self.accounts.get(user) or Account()
        money = (a.balance, a.reserved, a.grid_account)
        standing = (a.performances, a.defaults, a.waivers, a.tier)
        return AccountView(a.profile, a.meter, a.authorized, *money, *standing, a.capacity)

    def quote(self, quote_id: int) -> QuoteView:
        """All zero where no quote has the number (T-QUO-7)."""
        q = self._shown(quote_id)
        return QuoteView(q.prosumer, q.period, q.volume, q.price, q.created_at, q.sold, q.status)

    def bid(self, quote_id: int, bidder: Address) -> Bid:
        """With the status that holds now (T-BID-8): taking back and matching reach every bid."""
        return self._shown(quote_id).bids.get(bidder, NO_BID)

    def trades(self, quote_id: int) -> list[Trade]:
        """In the order made."""
        return list(self._shown(quote_id).trades)

    def reading(self, user: Address, period: int) -> Reading:
        """What counts (T-MET-3); not present, and zero, where there is none."""
        return self._position(user, period).reading

    def position(self, user: Address, period: int) -> PositionView:
        """T-ACC-5, T-ACC-10 to T-ACC-13."""
        p = self._position(user, period)
        return PositionView(p.agreed, p.bought, p.received, p.delivered, len(p.stakes), p.settled)

    def quote_of(self, prosumer: Address, period: int) -> int:
        """The number of the prosumer's quote, withdrawn or not; 0: none."""
        return self._position(prosumer, period).quote_id

    def quote_count(self) -> int:
        """T-QUO-8."""
        return self.quotes.count

    def remaining(self, quote_id: int, now: int) -> int:
        """T-SUR-10: what is left, 0 where nothing may be bought."""
        on_sale = self.quote(quote_id).status == QuoteStatus.MATCHED and len(self.trades(quote_id)) < MAX_TRADES
        return self._left(quote_id, now) if on_sale else 0

    def supply(self, period: int) -> int:
        """T-QUO-16."""
        return self._totals(period).supply

    def demand(self, period: int) -> int:
        """T-BID-16."""
        return self._totals(period).demand

    def phase(self, period: int, now: int) -> Phase:
        """T-TIME-1 to T-TIME-11."""
        start, end = period * self.period_length, (period + 1) * self.period_length
        if start > MAX_UINT256:
            return Phase.BIDDING
        ends = (start - 2 * self.window, start - self.window, start, end, end + self.window, end + 2 * self.window)
        return list(Phase)[bisect_right(ends, now)]

    def seal_of(self, quote_id: int, bidder: Address, price: int, volume: int, salt: bytes) -> Hashable:
        """T-BID-4."""
        return self.seal_function((self.chain_id, self.address, quote_id, bidder, price, volume, salt))

    def pairing_message(self, user: Address, profile: bytes) -> tuple[object, ...]:
        """T-REG-6, in the domain of T-REG-7."""
        return ("Pairing", self.chain_id, self.address, user, profile)

    def reading_message(self, user: Address, period: int, exported: int, imported: int) -> tuple[object, ...]:
        """T-MET-4, in the domain of T-REG-7."""
        return ("Reading", self.chain_id, self.address, user, period, exported, imported)

    @property
    def held(self) -> int:
        """The tokens that the market holds (T-MON-23)."""
        return self.token.balances.get(self.address, 0)

    @property
    def owed(self) -> int:
        """All free balances and reserved amounts (T-MON-23)."""
        return sum(account.balance + account.reserved for account in self.accounts.values())

    # ---- accounts and ownership ------------------------------------------------------

    @entry_point
    def register(self, profile: bytes, meter: Address, signature: Signature, *, sender: Address, now: int) -> None:
        """T-REG-1 to T-REG-11, T-REG-22 to T-REG-25."""
        require(sender != self.supplier, "accounts: supplier cannot register")  # T-REG-11
        require(self.account(sender).meter == ZERO_ADDRESS, "accounts: already registered")  # T-REG-1
        require(meter != ZERO_ADDRESS, "accounts: meter is zero")  # T-REG-4
        require(meter not in self.user_of, "accounts: meter already paired")  # T-REG-5
        self._require_signed(signature, meter, self.pairing_message(sender, profile))  # T-REG-6
        self.user_of[meter] = sender
        self.accounts[sender].profile = profile
        self.accounts[sender].meter = meter
        self._log("Registered", user=sender, meter=meter)

    @entry_point
    def authorize(self, user: Address, capacity: int, *, sender: Address, now: int) -> None:
        """T-REG-12, T-REG-14, T-REG-19, T-REG-20."""
        require(sender == self.owner, "ownable: caller is not the owner")
        require(self.account(user).meter != ZERO_ADDRESS, "accounts: not registered")
        require(0 < capacity < CAPACITY_BOUND, "accounts: capacity out of bounds")  # T-REG-19
        require(capacity >= self.account(user).capacity, "accounts: capacity cannot fall")  # T-REG-20
        changes = capacity > self.account(user).capacity or not self.account(user).authorized
        require(changes, "accounts: already authorised")
        self.accounts[user].authorized = True
        self.accounts[user].capacity = capacity
        self._log("Authorized", user=user, capacity=capacity)

    @entry_point
    def revoke(self, user: Address, *, sender: Address, now: int) -> None:
        """T-REG-13, T-REG-17."""
        require(sender == self.owner, "ownable: caller is not the owner")
        require(self.account(user).authorized, "accounts: not authorised")
        self._revoke(user)

    @entry_point
    def transfer_ownership(self, new_owner: Address, *, sender: Address, now: int) -> None:
        """T-PARTY-3, T-PARTY-4."""
        require(sender == self.owner, "ownable: caller is not the owner")
        self.pending_owner = new_owner
        self._log("OwnershipTransferStarted", previous_owner=self.owner, new_owner=new_owner)

    @entry_point
    def accept_ownership(self, *, sender: Address, now: int) -> None:
        """T-PARTY-3."""
        require(sender == self.pending_owner, "ownable_2step: caller is not the new owner")
        previous, self.owner, self.pending_owner = self.owner, sender, ZERO_ADDRESS
        self._log("OwnershipTransferred", previous_owner=previous, new_owner=sender)

    # ---- money -----------------------------------------------------------------------

    @entry_point
    def deposit(self, amount: int, *, sender: Address, now: int) -> None:
        """T-MON-1, T-MON-3, T-MON-9, T-MON-24. The token tests before it changes anything."""
        self.token.check_transfer_from(self.address, sender, amount)
        require(self.held + amount < MONEY_BOUND, "ledger: too many tokens")  # T-MON-24
        self.token.transfer_from(self.address, sender, self.address, amount)
        self.accounts[sender].balance += amount
        self._log("Deposited", account=sender, amount=amount)
        self._clear_and_tell(sender)

    @entry_point
    def withdraw(self, amount: int, *, sender: Address, now: int) -> None:
        """T-MON-2, T-MON-10, T-MON-15."""
        self._pay_out(sender, amount, least=amount)

    @entry_point
    def withdraw_at_least(self, amount: int, least: int, *, sender: Address, now: int) -> None:
        """T-MON-25."""
        self._pay_out(sender, amount, least)

    def _pay_out(self, sender: Address, amount: int, least: int) -> None:
        """What clearing will move is computed before the tests, moved after. The token moves what it is asked to."""
        account, cleared = self.account(sender), self._clearable(sender)
        require(account.grid_account - cleared >= 0, "ledger: in arrears")
        require(account.balance + cleared >= amount, "ledger: insufficient balance")
        self.token.check_transfer(self.address, amount)
        require(least <= amount, "ledger: token moved another amount")  # T-MON-19, T-MON-25
        self.token.transfer(self.address, sender, amount)
        self._clear_and_tell(sender)
        self.accounts[sender].balance -= amount
        self._log("Withdrawn", account=sender, amount=amount)

    @entry_point
    def clear(self, user: Address, *, sender: Address, now: int) -> None:
        """T-MON-12, T-MON-13."""
        self._clear_and_tell(user)

    # ---- quotation -------------------------------------------------------------------

    @entry_point
    def submit_quote(self, period: int, volume: int, price: int, *, sender: Address, now: int) -> int:
        """T-QUO-1 to T-QUO-10; returns the quote's number."""
        self._require_trader(sender)
        require(period <= (now + HORIZON) // self.period_length, "quotes: period too far ahead")  # T-QUO-3
        self._require_phase(period, now, NEEDED["submit_quote"])
        require(0 < volume <= self.account(sender).capacity, "quotes: volume out of bounds")  # T-QUO-4
        in_band = self.sbp + self.service_fee <= price <= self.ssp - self.service_fee
        require(in_band, "quotes: price out of band")  # T-QUO-5
        self._require_place(sender, period)  # T-PARTY-19
        require(self.quote_of(sender, period) == 0, "quotes: already quoted")  # T-QUO-6, T-QUO-15
        collateral = volume * self.ssp * 10 // 100  # T-QUO-10, T-UNIT-4
        require(self.account(sender).balance >= collateral, "ledger: insufficient balance")  # T-MON-6

        self._reserve(sender, collateral)
        quote = Quote(sender, period, volume, price, now, 0, QuoteStatus.VALID, collateral)  # T-QUO-7, T-QUO-9
        quote_id = self.quotes.move_in(quote)  # T-QUO-8, T-QUO-17
        position = self._begin(sender, period)
        position.quote_id = quote_id
        position.stakes.add(quote_id)  # T-ACC-5
        self.sales[sender, period] = quote_id  # T-PARTY-23
        if (EVERYBODY, period) not in self.totals:
            self.totals[EVERYBODY, period] = Totals()  # T-PARTY-24
        self.totals[EVERYBODY, period].supply += volume  # T-QUO-16
        offer = {"prosumer": sender, "period": period, "volume": volume, "price": price}
        self._log("QuoteSubmitted", quote_id=quote_id, **offer)
        return quote_id

    @entry_point
    def invalidate_quote(self, quote_id: int, *, sender: Address, now: int) -> None:
        """T-QUO-11 to T-QUO-14."""
        self._require_quote(quote_id)
        quote = self._quote(quote_id)
        require(quote.status == QuoteStatus.VALID, "quotes: not valid")
        require(sender == quote.prosumer, "quotes: not the prosumer")
        self._require_phase(quote.period, now, NEEDED["invalidate_quote"])

        quote.status = QuoteStatus.INVALID
        self._release(sender, quote.collateral)  # T-QUO-12
        for bidder, bid in quote.bids.items():
            quote.bids[bidder] = bid._replace(status=BidStatus.REJECTED)  # T-QUO-13
        self.positions[sender, quote.period].stakes.remove(quote_id)  # T-ACC-5
        self.totals[EVERYBODY, quote.period].supply -= quote.volume  # T-QUO-16
        self._log("QuoteInvalidated", quote_id=quote_id)

    # ---- sealed bid ------------------------------------------------------------------

    @entry_point
    def submit_bid(self, quote_id: int, seal: Hashable, *, sender: Address, now: int) -> None:
        """T-BID-1 to T-BID-6."""
        self._require_trader(sender)
        self._require_quote(quote_id)
        quote = self._quote(quote_id)
        require(quote.status == QuoteStatus.VALID, "quotes: not valid")  # T-BID-1
        self._require_phase(quote.period, now, NEEDED["submit_bid"])
        require(sender != quote.prosumer, "bids: own quote")  # T-BID-2
        require(sender not in quote.bids, "bids: already bid")  # T-BID-3
        quote.bids[sender] = Bid(kept_of(seal), status=BidStatus.CREATED)  # T-BID-17
        self._log("BidSealed", quote_id=quote_id, bidder=sender, seal=seal)

    @entry_point
    def reveal_bid(self, quote_id: int, price: int, volume: int, salt: bytes, *, sender: Address, now: int) -> None:
        """T-BID-9 to T-BID-14, T-REG-21."""
        self._require_trader(sender)
        self._require_quote(quote_id)
        offer = self._quote(quote_id)
        sealed = offer.bids.get(sender, NO_BID)
        require(offer.status == QuoteStatus.VALID, "quotes: not valid")  # T-BID-9
        self._require_phase(offer.period, now, NEEDED["reveal_bid"])
        require(sealed.status == BidStatus.CREATED, "bids: nothing to open")  # T-BID-9
        seal = self.seal_of(quote_id, sender, price, volume, salt)
        require(sealed.seal == kept_of(seal), "bids: seal does not match")  # T-BID-4, T-BID-9, T-BID-17
        require(0 < volume <= offer.volume, "bids: volume out of bounds")  # T-BID-10
        require(offer.price <= price <= self.ssp - self.service_fee, "bids: price out of bounds")  # T-BID-11
        require(len(offer.opened) < MAX_OPENED, "bids: book is full")  # T-BID-13
        self._require_place(sender, offer.period)  # T-PARTY-19
        self._require_capacity(sender, offer.period, volume)  # T-REG-21
        reserve = volume * (price + self.service_fee)  # T-BID-12
        require(self.account(sender).balance >= reserve, "ledger: insufficient balance")  # T-MON-6

        self._reserve(sender, reserve)
        offer.bids[sender] = Bid(ZERO_BYTES32, price, volume, 0, BidStatus.RESERVED)  # T-BID-7, T-BID-14
        offer.opened.append(sender)
        position = self._begin(sender, offer.period)
        position.stakes.add(quote_id)  # T-ACC-5
        position.asked += volume  # T-REG-21
        self.totals[EVERYBODY, offer.period].demand += volume  # T-BID-16
        self._log("BidRevealed", quote_id=quote_id, bidder=sender, price=price, volume=volume)

    # ---- matching and surplus --------------------------------------------------------

    @entry_point
    def match_bids(self, quote_id: int, *, sender: Address, now: int) -> None:
        """T-MAT-1 to T-MAT-11."""
        self._require_quote(quote_id)
        quote = self._quote(quote_id)
        require(quote.status == QuoteStatus.VALID, "quotes: not valid")  # T-MAT-1
        self._require_phase(quote.period, now, NEEDED["match_bids"])

        quote.status = QuoteStatus.MATCHED
        for bidder, bid in quote.bids.items():  # opened or not, until it wins: T-BID-15, T-MAT-9
            quote.bids[bidder] = bid._replace(status=BidStatus.REJECTED)

        def rank(bidder: Address) -> tuple[int, int]:
            bid, tier = quote.bids[bidder], self.account(bidder).tier  # T-MAT-3
            worth = bid.price if self.rank_by_price else bid.volume * bid.price  # T-MAT-2, T-MAT-11
            weighted = worth * (10_000 + self.priority_step * tier)
            return -weighted, -bid.volume  # T-MAT-4; sorting keeps the order of opening: T-MAT-5

        ranked = sorted(quote.opened, key=rank)
        for loser in self._told_to_lose(quote, ranked):
            self._log("BidRejected", quote_id=quote_id, bidder=loser)
        for bidder in ranked:
            bid = quote.bids[bidder]
            filled = min(bid.volume, quote.volume - quote.sold)  # T-MAT-6
            unfilled = bid.volume - filled
            self._release(bidder, unfilled * (bid.price + self.service_fee))  # T-MAT-9, T-MAT-10
            if filled > 0:
                quote.bids[bidder] = bid._replace(filled=filled, status=BidStatus.CONFIRMED)  # T-MAT-8
                self._sell(quote_id, Trade(bidder, filled, bid.price), agreed=True)
                self._log("BidConfirmed", quote_id=quote_id, bidder=bidder, filled=filled)
            else:
                self.positions[bidder, quote.period].stakes.remove(quote_id)  # T-ACC-5
        quote.won = quote.sold  # T-MAT-7
        self._log("QuoteMatched", quote_id=quote_id, sold=quote.sold)

    @staticmethod
    def _told_to_lose(quote: Quote, ranked: list[Address]) -> list[Address]:
        """The bidders that win nothing, in the order of annex B: the book is read from the bid opened last."""
        place = {bidder: number for number, bidder in enumerate(ranked)}
        told: list[Address] = []
        left: list[Address] = []

        def all_wanted(bidders: list[Address]) -> bool:
            return sum(quote.bids[bidder].volume for bidder in bidders) >= quote.volume

        for bidder in reversed(quote.opened):
            before, left = left, sorted([*left, bidder], key=place.__getitem__)
            if all_wanted(before) and all_wanted(left[:-1]):
                told.append(left.pop())
        while all_wanted(left[:-1]):
            told.append(left.pop())
        return told

    @entry_point
    def buy_surplus(self, quote_id: int, volume: int, *, sender: Address, now: int) -> None:
        """T-SUR-1 to T-SUR-12, T-REG-21."""
        self._require_trader(sender)
        self._require_quote(quote_id)
        offer = self._quote(quote_id)
        require(offer.status == QuoteStatus.MATCHED, "quotes: not matched")  # T-SUR-1
        self._require_phase(offer.period, now, NEEDED["buy_surplus"])
        require(sender != offer.prosumer, "surplus: own quote")  # T-SUR-2
        require(volume > 0, "surplus: volume is zero")  # T-SUR-4
        require(len(self.trades(quote_id)) < MAX_TRADES, "surplus: too many trades")  # T-SUR-7
        in_advance = self.phase(offer.period, now) == Phase.MATCHING
        metered = self.reading(offer.prosumer, offer.period).present
        require(in_advance or metered, "surplus: no reading yet")  # T-SUR-12
        left = self._left(quote_id, now)
        require(volume <= left, "surplus: not enough left")  # T-SUR-5, T-SUR-6
        least = -(-self._offered(quote_id, now) // LEAST_PART)  # rounded up
        require(volume >= least or volume == left, "surplus: volume too small")  # T-SUR-11
        self._require_place(sender, offer.period)  # T-PARTY-19
        self._require_capacity(sender, offer.period, volume)  # T-REG-21
        reserve = volume * (offer.price + self.service_fee)  # T-SUR-8
        require(self.account(sender).balance >= reserve, "ledger: insufficient balance")  # T-MON-6

        self._reserve(sender, reserve)
        self._begin(sender, offer.period)
        self._sell(quote_id, Trade(sender, volume, offer.price), agreed=in_advance)  # T-SUR-3, T-SUR-9, T-ACC-11
        self.positions[sender, offer.period].purchased += volume  # T-REG-21
        self._log("SurplusBought", quote_id=quote_id, buyer=sender, volume=volume)

    # ---- metering and settlement -----------------------------------------------------

    @entry_point
    def submit_reading(
        self,
        user: Address,
        period: int,
        exported: int,
        imported: int,
        signature: Signature,
        *,
        sender: Address,
        now: int,
    ) -> None:
        """T-MET-1 to T-MET-5, T-MET-15: the signature is over what was measured, what counts is kept."""
        self._require_phase(period, now, NEEDED["submit_reading"])
        meter = self.account(user).meter
        require(meter != ZERO_ADDRESS, "accounts: not registered")  # T-MET-1
        self._require_place(user, period)  # T-PARTY-19
        require(not self.reading(user, period).present, "metering: already read")  # T-MET-2
        in_business = self.account(user).authorized or self._has_business(user, period)
        require(in_business, "accounts: not authorised")  # T-MET-5
        message = self.reading_message(user, period, exported, imported)
        self._require_signed(signature, meter, message)  # T-MET-4

        counted = {
            "exported": min(exported, self._most_exported(user, period)),  # T-MET-3, T-MET-15
            "imported": min(imported, self.account(user).capacity),  # T-MET-3
        }
        self._begin(user, period).reading = Reading(True, **counted)
        self._log("ReadingSubmitted", user=user, period=period, **counted)

    def submit_readings(
        self,
        period: int,
        readings: Sequence[tuple[Address, int, int, Signature]],
        *,
        sender: Address,
        now: int,
    ) -> int:
        """T-MET-11 to T-MET-13; returns a bit for each entry that was accepted, the first one's lowest."""
        self.events = []
        require(len(readings) <= MAX_BATCH, "")  # T-MET-11: no such call
        self._require_phase(period, now, NEEDED["submit_readings"])
        calls = [partial(self.submit_reading, user, period, *rest) for user, *rest in readings]
        return self._batch(calls, "ReadingRefused", period, [user for user, *_ in readings], sender, now)

    @entry_point
    def settle_quote(self, quote_id: int, *, sender: Address, now: int) -> None:
        """T-SET-1 to T-SET-22, T-MET-14."""
        self._require_quote(quote_id)
        quote = self._quote(quote_id)
        require(quote.status == QuoteStatus.MATCHED, "quotes: not matched")  # T-SET-2
        self._require_settler(quote.period, sender, now)  # T-SET-1

        quote.status = QuoteStatus.SETTLED
        period, prosumer, owner = quote.period, self.accounts[quote.prosumer], self.accounts[self.owner]
        reading = self.reading(quote.prosumer, period)
        exported = reading.exported  # G, 0 where there is none: T-MET-6
        delivered = min(quote.sold, exported)  # D: T-SET-3
        in_default = 100 * exported < 95 * quote.volume  # T-SET-8, T-STD-5
        revenue = compensation = 0  # the sums over all trades

        parts = self._parts(quote, delivered)
        for trade, part in zip(quote.trades, parts, strict=True):  # in the order made: T-SET-17
            buyer, position = self.accounts[trade.buyer], self.positions[trade.buyer, period]
            shortage = trade.volume - part  # T-SET-7
            payment = part * trade.price  # T-SET-5
            damages = shortage * trade.price * 10 // 100 if in_default else 0  # T-SET-8
            if shortage > 0:
                fee = 0  # T-SET-11
                self._grant_waiver(trade.buyer)  # T-SET-12
            else:
                fee = self._charge(trade.buyer, part)  # T-SET-13, T-SET-14

            self._release(trade.buyer, trade.volume * (trade.price + self.service_fee))  # T-SET-6
            buyer.balance -= payment + fee
            prosumer.balance += payment
            owner.balance += fee  # T-SET-19
            prosumer.reserved -= damages
            buyer.balance += damages
            position.received += part  # T-ACC-12
            position.stakes.discard(quote_id)  # once, however many trades: T-ACC-5
            revenue += payment
            compensation += damages
            outcome = {"delivered": part, "payment": payment, "fee": fee, "compensation": damages}
            self._log("TradeSettled", quote_id=quote_id, buyer=trade.buyer, **outcome)

        self._release(quote.prosumer, quote.collateral - compensation)  # T-SET-10
        own_position = self.positions[quote.prosumer, period]
        own_position.delivered += delivered  # T-ACC-13
        own_position.stakes.remove(quote_id)  # T-ACC-5
        fee = 0
        if quote.sold > 0:  # T-SET-20
            if delivered < quote.sold and not in_default:
                self._grant_waiver(quote.prosumer)  # T-SET-15
            else:
                fee = self._charge(quote.prosumer, delivered)  # T-SET-14, T-SET-16
            prosumer.balance -= fee
            owner.balance += fee  # T-SET-19
        if quote.ahead > 0:  # else no record: T-SET-20, T-STD-6
            if in_default:
                self._record(quote.prosumer, good=False)  # T-STD-5
            elif 100 * exported <= 105 * quote.volume:
                self._record(quote.prosumer, good=True)  # T-STD-4; above, neither: T-STD-6
        if not reading.present and prosumer.authorized:
            self._revoke(quote.prosumer)  # T-MET-14
        outcome = {"delivered": delivered, "revenue": revenue, "fee": fee, "compensation": compensation}
        self._log("QuoteSettled", quote_id=quote_id, **outcome)

    @staticmethod
    def _parts(quote: Quote, delivered: int) -> list[int]:
        """What each trade receives, in the order made: winners share pro rata, purchases have what is left."""
        to_winners = min(quote.won, delivered)  # D_m: T-SET-3
        parts: list[int] = []
        shared, left = 0, delivered - to_winners  # Q
        for trade in quote.trades:
            if shared < quote.won:  # a trade of the matching: T-SET-4
                before, shared = shared, shared + trade.volume
                parts.append(shared * to_winners // quote.won - before * to_winners // quote.won)
            else:  # a purchase: T-SET-22
                parts.append(min(trade.volume, left))
                left -= parts[-1]
        return parts

    @entry_point
    def settle_account(self, user: Address, period: int, *, sender: Address, now: int) -> None:
        """T-ACC-1 to T-ACC-9, T-MET-7 to T-MET-10, T-STD-7 to T-STD-9, T-STD-12."""
        self._require_settler(period, sender, now)  # T-ACC-1
        energy, reading = self.position(user, period), self.reading(user, period)
        require(not energy.settled, "settlement: already settled")  # T-ACC-2
        require(reading.present or energy.bought > 0, "settlement: nothing to settle")  # T-ACC-3
        require(energy.open == 0, "settlement: quotes still open")  # T-ACC-4

        if not reading.present:  # and so it has bought: T-MET-8, T-MET-9
            self._record(user, good=False)
            if self.account(user).authorized:
                self._revoke(user)
        elif energy.agreed > 0:  # T-STD-7, T-STD-8; agreed nothing: T-STD-9
            asked = self._position(user, period).asked  # T-STD-12
            forecasts = [energy.agreed] + [asked] * (0 < asked <= 10 * energy.agreed)
            self._record(user, good=any(95 * each <= 100 * reading.imported <= 105 * each for each in forecasts))
        imported = reading.imported if reading.present else energy.bought  # T-MET-7
        amount = (
            (reading.exported - energy.delivered) * self.sbp  # T-ACC-7
            + max(energy.received - imported, 0) * self.sbp  # T-ACC-8
            - max(imported - energy.received, 0) * self.ssp  # T-ACC-6
        )
        self.positions[user, period].settled = True
        self.accounts[user].grid_account += amount  # T-ACC-9
        cleared = self._clear(user)  # T-MON-11
        self._log("AccountSettled", user=user, period=period, amount=amount, cleared=cleared)

    def settle_accounts(self, period: int, users: Sequence[Address], *, sender: Address, now: int) -> int:
        """T-ACC-14 to T-ACC-16; returns a bit for each account that was settled, the first one's lowest."""
        self.events = []
        require(len(users) <= MAX_BATCH, "")  # T-ACC-14: no such call
        self._require_settler(period, sender, now)  # T-ACC-15
        calls = [partial(self.settle_account, user, period) for user in users]
        return self._batch(calls, "AccountRefused", period, users, sender, now)

    def _batch(
        self,
        calls: Sequence[Callable[..., None]],
        refusal: str,
        period: int,
        users: Sequence[Address],
        sender: Address,
        now: int,
    ) -> int:
        """Each entry is the single call, in the order given: what it refuses changes nothing and is announced."""
        accepted, events = 0, []
        for index, (call, user) in enumerate(zip(calls, users, strict=True)):
            try:
                call(sender=sender, now=now)
                accepted |= 1 << index
            except Refused as refused:
                self.events = []
                self._log(refusal, user=user, period=period, index=index, reason=refused.reason)
            events += self.events
        self.events = events
        return accepted

    # ---- tests that several calls share (annex A) ------------------------------------

    def _require_signed(self, signature: Signature, meter: Address, message: tuple[object, ...]) -> None:
        """T-REG-8 to T-REG-10; where the key did not sign and the meter has code: T-REG-22."""
        signed = (signature.form, signature.signer, signature.message) == ("ok", meter, message)
        if not signed and meter in self.code_at:
            require(self.code_at[meter](message, signature), "accounts: wrong meter")  # T-REG-22
            return
        require(signature.form != "malformed", "accounts: malformed signature")
        require(signature.form != "malleable", "ecdsa: invalid signature `s` value")
        require(signature.form != "unrecoverable", "ecdsa: invalid signature")
        require(signed, "accounts: wrong meter")

    def _require_trader(self, user: Address) -> None:
        """T-REG-15, T-REG-16."""
        require(self.account(user).authorized, "accounts: not authorised")
        require(self.account(user).grid_account >= 0, "ledger: in arrears")

    def _require_quote(self, quote_id: int) -> None:
        """T-QUO-7, T-QUO-8, T-QUO-17."""
        require(quote_id in self.quotes, "quotes: unknown quote")

    def _require_phase(self, period: int, now: int, phases: Phase) -> None:
        """T-TIME-1: one clock for every call."""
        require(bool(self.phase(period, now) & phases), "clock: wrong phase")

    def _require_capacity(self, user: Address, period: int, volume: int) -> None:
        """T-REG-21: opened bids, rejected ones included, and purchases of the period together."""
        p = self._position(user, period)
        within = p.asked + p.purchased + volume <= self.account(user).capacity
        require(within, "positions: beyond the capacity")

    def _require_place(self, user: Address, period: int) -> None:
        """T-PARTY-19: what lies at the place of this record and is another period's has to be final."""
        earlier = self.positions.in_the_way((user, period))
        require(earlier is None or earlier.is_final, "positions: earlier not settled")

    def _require_settler(self, period: int, sender: Address, now: int) -> None:
        """T-TIME-7, T-TIME-8: the owner in SETTLING, anybody in CLOSING."""
        self._require_phase(period, now, NEEDED["settle_account"])
        anybody = self.phase(period, now) == Phase.CLOSING
        require(anybody or sender == self.owner, "settlement: owner only")

    # ---- what several calls share ----------------------------------------------------

    def _quote(self, quote_id: int) -> Quote:
        """The quote with this number, or an empty one (T-QUO-7, T-QUO-17)."""
        return self.quotes.get(quote_id) or Quote()

    def _shown(self, quote_id: int) -> Quote:
        """The quote that is looked up by this number: none once its prosumer has used its place again (T-PARTY-23)."""
        quote = self._quote(quote_id)
        return quote if self.sales.get((quote.prosumer, quote.period)) == quote_id else Quote()

    def _position(self, user: Address, period: int) -> Position:
        """The record of a user and period, or an empty one."""
        return self.positions.get((user, period)) or Position()

    def _totals(self, period: int) -> Totals:
        """The totals of a period, or empty ones."""
        return self.totals.get((EVERYBODY, period)) or Totals()

    def _begin(self, user: Address, period: int) -> Position:
        """The record of a user and period, a new one where there is none; `_require_place` allowed it (T-PARTY-19)."""
        if (user, period) not in self.positions:
            self.positions[user, period] = Position()
        return self.positions[user, period]

    def _has_business(self, user: Address, period: int) -> bool:
        """T-MET-5: a quote of its own that was not withdrawn, a stake in another one (T-ACC-5), or a purchase."""
        p = self._position(user, period)
        return bool(p.stakes or p.bought)

    def _most_exported(self, user: Address, period: int) -> int:
        """T-MET-3, T-MET-15: the most that counts as exported where the reading comes now."""
        if self.account(user).authorized:
            return self.account(user).capacity
        quote = self.quote(self.quote_of(user, period))
        return quote.volume if quote.status not in (NO_QUOTE, QuoteStatus.INVALID) else 0

    def _offered(self, quote_id: int, now: int) -> int:
        """T-SUR-11: V while MATCHING, what was exported in METERING, and nothing at any other time."""
        quote = self.quote(quote_id)
        phase = self.phase(quote.period, now)
        if phase == Phase.MATCHING:
            return quote.volume
        return self.reading(quote.prosumer, quote.period).exported if phase == Phase.METERING else 0

    def _left(self, quote_id: int, now: int) -> int:
        """T-SUR-5, T-SUR-6, T-SUR-12."""
        return max(self._offered(quote_id, now) - self.quote(quote_id).sold, 0)

    def _sell(self, quote_id: int, trade: Trade, *, agreed: bool) -> None:
        """T-MAT-8, T-SUR-9; T-ACC-5, T-ACC-10, T-ACC-11. The buyer's escrow is in place already."""
        quote = self._quote(quote_id)
        quote.trades.append(trade)
        quote.sold += trade.volume
        quote.ahead += trade.volume if agreed else 0  # T-STD-4
        position = self.positions[trade.buyer, quote.period]
        position.bought += trade.volume
        position.agreed += trade.volume if agreed else 0
        position.stakes.add(quote_id)

    def _reserve(self, user: Address, amount: int) -> None:
        """T-MON-5: from free to reserved."""
        self.accounts[user].balance -= amount
        self.accounts[user].reserved += amount

    def _release(self, user: Address, amount: int) -> None:
        """From reserved to free."""
        self._reserve(user, -amount)

    def _clearable(self, user: Address) -> int:
        """T-MON-8, T-MON-17: what clearing would move now; above 0 to the user, below 0 to the supplier."""
        account = self.account(user)
        if account.grid_account >= 0:
            return min(account.grid_account, self.account(self.supplier).balance)
        return -min(-account.grid_account, account.balance)

    def _clear(self, user: Address) -> int:
        """T-MON-8, T-MON-13; returns what moved, above 0 to the user."""
        amount = self._clearable(user)
        if amount != 0:
            self.accounts[user].grid_account -= amount
            self.accounts[user].balance += amount
            self.accounts[self.supplier].balance -= amount
        return amount

    def _clear_and_tell(self, user: Address) -> None:
        """T-MON-8, T-MON-13; what moves is announced, where anything does."""
        amount = self._clear(user)
        if amount != 0:
            self._log("Cleared", user=user, amount=amount)

    def _charge(self, user: Address, delivered: int) -> int:
        """T-SET-13, T-SET-14, T-SET-16, T-SET-18: the fee to pay, 0 where a waiver takes its place."""
        account = self.accounts[user]
        fee = delivered * self.service_fee * (100 - 20 * account.tier) // 100  # T-STD-3
        if fee > 0 and account.waivers > 0:
            account.waivers -= 1  # T-STD-11
            self._log("WaiverUsed", user=user)
            return 0
        return fee

    def _grant_waiver(self, user: Address) -> None:
        """T-SET-12, T-SET-15."""
        self.accounts[user].waivers = min(self.accounts[user].waivers + 1, MAX_WAIVERS)
        self._log("WaiverGranted", user=user)

    def _record(self, user: Address, *, good: bool) -> None:
        """T-STD-1, T-STD-10."""
        if good:
            self.accounts[user].performances = min(self.accounts[user].performances + 1, MAX_PERFORMANCES)
        else:
            self.accounts[user].defaults += 1
        self._log("PerformanceRecorded", user=user, good=good)

    def _revoke(self, user: Address) -> None:
        """T-REG-13, T-MET-9, T-MET-14."""
        self.accounts[user].authorized = False
        self._log("Revoked", user=user)

    def _log(self, name: str, **fields: object) -> None:
        """T-PARTY-17: events of this call, in order (annex B)."""
        self.events.append((name, fields))
