"""Twelve ways in which this market could be taken advantage of, each played again on the rules that came of them.

In pence, on the default tariff: SBP 6, SSP 18, fee 0.2 p/kWh. What somebody has is its money in the market, free and
reserved, and its invoice account. The figures were computed by hand from the terms; every call goes to the model, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import boa

from verification.harness.counters import holds
from verification.harness.lockstep import CAPACITY, HOUSEHOLDS, NEWCOMER, STRANGER, Lockstep
from verification.harness.state import Account
from wattproof.market.deployment import Tariff
from wattproof.market.symbolic import meter
from wattproof.market.trace import Outcome
from wattproof.market.units import pence, pence_per_kwh
from wattproof.terms.model import Phase

SELLER, BUYER, PARTNER, RIVAL, OTHER, _ = HOUSEHOLDS
BUYERS = tuple(f"buyer_{number}" for number in range(10))
PEOPLE = (*HOUSEHOLDS, "owner", "supplier", STRANGER)

Gains = dict[str, int]
"""What everybody has more than before, in base units; who has the same is left out."""


class Bid(NamedTuple):
    """A bid: the volume in Wh, the price in p/kWh as written."""

    bidder: str
    volume: int
    price: str


def p(amount: str) -> int:
    """Pence, as written, in base units; below 0 too."""
    return -pence(amount[1:]) if amount.startswith("-") else pence(amount)


class Play:
    """One market, one half-hour to trade in; everybody has 5,000 p in the market, the supplier 50,000."""

    def __init__(self, **tariff: Any) -> None:
        self.lockstep = Lockstep.fresh(Tariff(**tariff), funds=pence(5_000))
        self.lockstep.give("supplier", pence(50_000))
        self.lockstep.call("deposit", pence(50_000), sender="supplier")
        self.period = self.lockstep.next_period() + 2
        self.names: tuple[str, ...] = PEOPLE
        self.note()

    def join(self, *names: str) -> None:
        """More households."""
        for name in names:
            self.lockstep.enrol(name, pence(5_000))
        self.names += names
        self.note()

    def note(self) -> None:
        """From here on gains are counted."""
        self.before = self.worths()

    def account(self, name: str) -> Account:
        """Somebody's account, as the contract tells it."""
        return self.lockstep.observe().accounts[self.lockstep.address(name)]

    def worths(self) -> dict[str, int]:
        """What everybody has by the contract, in base units."""
        accounts = {name: self.account(name) for name in self.names}
        return {name: kept.balance + kept.reserved + kept.grid_account for name, kept in accounts.items()}

    def gains(self) -> Gains:
        """What everybody has more than before; contract and model agree on all of it."""
        self.lockstep.compare(everything=True)
        found = {name: worth - self.before[name] for name, worth in self.worths().items()}
        return {name: gain for name, gain in found.items() if gain}

    def call(self, function: str, *args: object, sender: str) -> Outcome:
        """A call that is expected to go through."""
        outcome = self.lockstep.call(function, *args, sender=sender)
        assert outcome.accepted, f"{function} by {sender}: {outcome.reason}"
        return outcome

    def to(self, phase: Phase, period: int | None = None) -> None:
        """The first second of a phase."""
        self.lockstep.to(phase, self.period if period is None else period)

    def quote(self, volume: int, price: str, seller: str = SELLER, period: int | None = None) -> int:
        """A quote; returns its number."""
        when = self.period if period is None else period
        number = self.call("submit_quote", when, volume, pence_per_kwh(price), sender=seller).result
        assert number is not None
        return number

    def seal(self, number: int, bid: Bid) -> None:
        """A sealed bid."""
        assert self.lockstep.bid(number, bid.bidder, pence_per_kwh(bid.price), bid.volume).accepted

    def open(self, number: int, bid: Bid) -> None:
        """It is opened."""
        assert self.lockstep.reveal(number, bid.bidder, pence_per_kwh(bid.price), bid.volume).accepted

    def auction(self, number: int, *bids: Bid) -> None:
        """Bids are sealed, opened and matched; ends in MATCHING."""
        for bid in bids:
            self.seal(number, bid)
        self.to(Phase.REVEALING)
        for bid in bids:
            self.open(number, bid)
        self.match(number)

    def match(self, number: int) -> None:
        """A quote is matched, in MATCHING."""
        self.to(Phase.MATCHING)
        self.call("match_bids", number, sender=STRANGER)

    def buy(self, number: int, volume: int, buyer: str) -> Outcome:
        """A purchase, which may be refused."""
        return self.lockstep.call("buy_surplus", number, volume, sender=buyer)

    def read(self, name: str, exported: int, imported: int, period: int | None = None) -> Outcome:
        """A meter reports, in METERING; it may be refused."""
        when = self.period if period is None else period
        self.to(Phase.METERING, when)
        return self.lockstep.read(name, when, exported, imported)

    def settle(self, *quotes: int, accounts: tuple[str, ...] = ()) -> None:
        """The owner settles quotes, then accounts."""
        self.to(Phase.SETTLING)
        for number in quotes:
            self.call("settle_quote", number, sender="owner")
        for name in accounts:
            self.call("settle_account", name, self.period, sender="owner")

    def is_in(self, name: str) -> bool:
        """Whether somebody is authorised."""
        return bool(self.account(name).authorized)


@contextmanager
def play(**tariff: int | bool) -> Iterator[Play]:
    """A market that is undone at the end."""
    with boa.env.anchor():
        yield Play(**tariff)


def less(one: Gains, other: Gains) -> Gains:
    """The gains of one history less those of another."""
    differences = {name: one.get(name, 0) - other.get(name, 0) for name in one | other}
    return {name: gain for name, gain in differences.items() if gain}


def trade(bid: Bid, silent: bool = False) -> tuple[Gains, list[bool]]:
    """A quote of 10 kWh at 6.2 with one bid, both readings or none, and the settlement.

    What it comes to, and whether seller and bidder are authorised at the end.
    """
    with play() as market:
        number = market.quote(10_000, "6.2")
        market.auction(number, bid)
        if not silent:
            market.read(SELLER, 10_000, 0)
            market.read(bid.bidder, 0, bid.volume)
        market.settle(number, accounts=(bid.bidder,) if silent else (bid.bidder, SELLER))
        return market.gains(), [market.is_in(SELLER), market.is_in(bid.bidder)]


def test_attack_1_a_stranger_takes_all_that_the_supplier_has() -> None:
    """Anybody registered with its own key as meter, reported 2^48 - 1 Wh and withdrew the supplier's 50,000 p."""
    huge = 2**48 - 1
    with play() as market:
        pairing = market.lockstep.pairing(NEWCOMER)
        market.call("register", pairing.fields[1], meter(NEWCOMER).address, pairing, sender=NEWCOMER)
        market.call("revoke", OTHER, sender="owner")
        for name in (NEWCOMER, OTHER):
            refused = market.read(name, huge, 0)
            holds("C4-TAKE-1", refused.reason == "accounts: not authorised", who=name, outcome=refused)
        liar = market.read(PARTNER, huge, 0)
        holds("C4-TAKE-1", liar.accepted, outcome=liar)
        market.to(Phase.CLOSING)
        for name in (NEWCOMER, OTHER):
            refused = market.lockstep.call("settle_account", name, market.period, sender=name)
            holds("C4-TAKE-1", refused.reason == "settlement: nothing to settle", who=name, outcome=refused)
        holds(
            "C4-TAKE-1", market.lockstep.call("withdraw", 1, sender=NEWCOMER).reason == "ledger: insufficient balance"
        )
        holds("C4-TAKE-1", market.gains() == {}, gains=market.gains())
        # Who was let in and has a lying meter takes what its connection carries: 11.5 kWh * 6 = 69.
        market.call("settle_account", PARTNER, market.period, sender=STRANGER)
        gains = {PARTNER: p("69"), "supplier": p("-69")}
        holds("C4-TAKE-1", market.gains() == gains, gains=market.gains())

    def run(lie: bool) -> Gains:
        with play() as market:
            number = 0
            if lie:
                number = market.quote(11_500, "17.8", PARTNER)
                market.auction(number, Bid(BUYER, 11_500, "17.8"))
                market.read(PARTNER, huge, 0)
            market.read(BUYER, 0, 11_500)
            market.settle(*((number,) if lie else ()), accounts=(BUYER,))
            return market.gains()

    # Sold to a neighbour it takes 11.5 * (17.8 - 0.2) = 202.4, the fees are 11.5 * 0.4 = 4.6; the neighbour pays
    # 11.5 * 18 = 207 in either case, and the supplier does not have them.
    found = less(run(lie=True), run(lie=False))
    holds("C4-TAKE-1", found == {PARTNER: p("202.4"), "owner": p("4.6"), "supplier": p("-207")}, found=found)


def test_attack_2_a_shill_outbids_the_neighbours() -> None:
    """A bid for all 10 kWh at the lowest price beats ten of 1 kWh at 12 p, where bids rank by their amount."""

    def run(shill: bool, low: str = "6.2", price: str = "12", **tariff: int | bool) -> Gains:
        with play(**tariff) as market:
            market.join(*BUYERS)
            bids = [Bid(name, 1_000, price) for name in BUYERS]
            number = market.quote(10_000, low)
            market.auction(number, *bids, *([Bid(PARTNER, 10_000, low)] if shill else []))
            market.read(SELLER, 10_000, 0)
            for name in BUYERS:
                market.read(name, 0, 1_000)
            market.read(PARTNER, 0, 0)
            market.settle(number, accounts=(SELLER, *BUYERS, PARTNER))
            return market.gains()

    # Amounts: 10 * 6.2 = 62 against 1 * 12. The seller has 10 * (6.2 - 0.2) = 60 instead of 10 * (12 - 0.2) = 118;
    # each buyer pays 1 * 18 instead of 1 * (12 + 0.2): 5.8 more; the shill 10 * (6.2 + 0.2) - 10 * 6 = 4; the
    # supplier has 10 * 18 - 10 * 6 = 120.
    lost = {SELLER: p("-58"), PARTNER: p("-4"), "supplier": p("120"), **dict.fromkeys(BUYERS, p("-5.8"))}
    found = less(run(shill=True), run(shill=False))
    holds("C4-TAKE-2", found == lost, found=found, expected=lost)
    # Without a fee it bids 6 and resells at 6. The seller has 10 * (12 - 6) = 60 less, each buyer 18 - 12 = 6.
    found = less(run(shill=True, low="6", service_fee=0), run(shill=False, low="6", service_fee=0))
    lost = {SELLER: p("-60"), "supplier": p("120"), **dict.fromkeys(BUYERS, p("-6"))}
    holds("C4-TAKE-2", found == lost, found=found, expected=lost)
    # By price 6.2 is the last of eleven, and nothing is left for it.
    found = less(run(shill=True, rank_by_price=True), run(shill=False, rank_by_price=True))
    holds("C4-TAKE-2", found == {}, found=found)
    # Where all bid the lowest price the larger volume goes first: each buyer pays 18 instead of 6.4. The seller has
    # the same.
    ends = [run(shill, price="6.2", rank_by_price=True) for shill in (True, False)]
    found = less(*ends)
    lost = {PARTNER: p("-4"), "supplier": p("120"), **dict.fromkeys(BUYERS, p("-11.6"))}
    holds("C4-TAKE-2", found == lost, found=found, expected=lost)


def test_attack_3_a_seller_keeps_its_meter_silent() -> None:
    """It sold 1 kWh at 12, exported 0.1 and imported 5; silence spared it the 90 p of its import."""

    def run(silent: bool) -> tuple[Gains, bool]:
        with play() as market:
            number = market.quote(1_000, "12")
            market.auction(number, Bid(BUYER, 1_000, "12"))
            market.read(BUYER, 0, 1_000)
            if not silent:
                market.read(SELLER, 100, 5_000)
            market.settle(number, accounts=() if silent else (SELLER,))
            return market.gains(), market.is_in(SELLER)

    # 0.1 * 12 = 1.2, less 0.1 * 0.2 = 0.02 of fee, less 10 % of 0.9 * 12 = 1.08, less 5 * 18 = 90: -89.9.
    told, stays = run(silent=False)
    holds("C4-TAKE-3", told[SELLER] == p("-89.9") and stays, gains=told, authorized=stays)
    # 10 % of 1 * 12 = 1.2; and the supplier bills 5 * 18 = 90 outside the market: -91.2, and no authorisation.
    told, stays = run(silent=True)
    billed = told[SELLER] - 5_000 * pence_per_kwh("18")
    holds("C4-TAKE-3", told[SELLER] == p("-1.2") and billed == p("-91.2"), gains=told)
    holds("C4-TAKE-3", not stays, authorized=stays)
    # A quote of which nothing is sold is the same. Who neither sold nor bought is billed outside, and stays.
    with play() as market:
        number = market.quote(1_000, "12")
        market.match(number)
        market.settle(number)
        stays = market.is_in(SELLER), market.is_in(OTHER)
        holds("C4-TAKE-3", market.gains() == {} and stays == (False, True), gains=market.gains(), authorized=stays)
        untold = market.lockstep.call("settle_account", OTHER, market.period, sender="owner")
        holds("C4-TAKE-3", untold.reason == "settlement: nothing to settle", outcome=untold)


def test_attack_4_a_partner_buys_the_rest_of_a_shortage() -> None:
    """Who knew that 5 of 10 kWh would come bought the rest, and halved the energy of who had won."""

    def run(partner: bool) -> Gains:
        with play() as market:
            number = market.quote(10_000, "6.2")
            market.auction(number, Bid(BUYER, 5_000, "6.2"))
            if partner:
                holds("C4-TAKE-4", market.buy(number, 5_000, PARTNER).accepted)
            for phase, reason in (
                (Phase.DELIVERING, "clock: wrong phase"),
                (Phase.METERING, "surplus: no reading yet"),
            ):
                market.to(phase)
                late = market.buy(number, 5_000, PARTNER)
                holds("C4-TAKE-4", late.reason == reason, phase=phase, outcome=late)
            market.read(SELLER, 5_000, 0)
            late = market.buy(number, 5_000, PARTNER)
            holds("C4-TAKE-4", late.reason == "surplus: not enough left", outcome=late)
            market.read(BUYER, 0, 5_000)
            market.read(PARTNER, 0, 0)
            market.settle(number, accounts=(SELLER, BUYER, PARTNER))
            return market.gains()

    # The winner has its 5 kWh: 5 * (6.2 + 0.2) = 32. The seller: 5 * (6.2 - 0.2) = 30.
    alone = run(partner=False)
    holds("C4-TAKE-4", alone == {SELLER: p("30"), BUYER: p("-32"), "owner": p("2")}, gains=alone)
    # A partner that bought in MATCHING receives nothing, and 10 % of 5 * 6.2 = 3.1 from the seller. The winner has the
    # same.
    found = less(run(partner=True), alone)
    holds("C4-TAKE-4", found == {SELLER: p("-3.1"), PARTNER: p("3.1")}, found=found)


def test_attack_5_a_buyer_does_not_pay_its_invoice() -> None:
    """After the reading it takes its money out, or ties it up in a partner's quote: it owed 540 p, and 900 p."""
    with play() as market:
        market.read(BUYER, 0, 30_000)
        market.call("withdraw", pence(5_000), sender=BUYER)
        market.settle(accounts=(BUYER,))
        owed = market.account(BUYER).grid_account
        # 30 kWh counts as 11.5: 11.5 * 18 = 207, not 540; the rest the supplier bills outside.
        holds("C4-TAKE-5", owed == p("-207"), owed=owed)
        barred = market.lockstep.call("withdraw", 0, sender=BUYER), market.buy(1, 1, BUYER)
        holds("C4-TAKE-5", {told.reason for told in barred} == {"ledger: in arrears"}, outcomes=barred)
    with play() as market:
        market.call("withdraw", pence(5_000 - 280), sender=BUYER)
        later = market.period + 1
        number = market.quote(10_000, "17.8", PARTNER, later)
        market.seal(number, Bid(BUYER, 10_000, "17.8"))
        market.to(Phase.REVEALING, later)
        market.open(number, Bid(BUYER, 10_000, "17.8"))
        market.read(BUYER, 0, 50_000)
        market.settle(accounts=(BUYER,))
        account = market.account(BUYER)
        # Of 280, 10 * (17.8 + 0.2) = 180 is tied up; 100 is paid, 207 - 100 = 107 is owed, not 800.
        told = (account.balance, account.reserved, account.grid_account)
        holds("C4-TAKE-5", told == (0, p("180"), p("-107")), account=account)


def test_attack_6_a_seller_quotes_a_little_too_much() -> None:
    """Its export is 1 Wh short of 10,000: neither side pays a fee, both have a waiver, its record is good."""
    bid = Bid(BUYER, 10_000, "12")
    # 10 * 0.2 from each side.
    exact, _ = trade(bid)
    holds("C4-TAKE-6", exact["owner"] == p("4"), gains=exact)
    with play() as market:
        number = market.quote(10_000, "6.2")
        market.auction(number, bid)
        market.read(SELLER, 9_999, 0)
        market.read(BUYER, 0, 10_000)
        market.settle(number, accounts=(SELLER, BUYER))
        gains = market.gains()
        # 9.999 * 12 = 119.988; the buyer pays 1 Wh * 18 = 0.018 to the supplier.
        wanted = {SELLER: p("119.988"), BUYER: p("-120.006"), "supplier": p("0.018")}
        holds("C4-TAKE-6", gains == wanted, gains=gains, wanted=wanted)
        standing = [market.account(name) for name in (SELLER, BUYER)]
        told = [(account.performances, account.defaults, account.waivers) for account in standing]
        holds("C4-TAKE-6", told == [(1, 0, 1), (1, 0, 1)], standing=told)


def test_attack_7_signed_readings_are_withheld() -> None:
    """A trade of 10 kWh at 12 whose readings never come; anybody could have handed them in."""
    bid = Bid(BUYER, 10_000, "12")
    # 10 * (12 - 0.2) = 118, 10 * (12 + 0.2) = 122.
    fair, _ = trade(bid)
    holds("C4-TAKE-7", fair == {SELLER: p("118"), BUYER: p("-122"), "owner": p("4")}, gains=fair)
    # 10 % of 10 * 12 = 12 from seller to buyer; the buyer counts as having imported 10 kWh * 18 = 180.
    silent, stay = trade(bid, silent=True)
    wanted = {SELLER: p("-12"), BUYER: p("-168"), "supplier": p("180")}
    holds("C4-TAKE-7", silent == wanted and stay == [False, False], gains=silent, wanted=wanted, authorized=stay)
    with play() as market:
        number = market.quote(10_000, "6.2")
        market.auction(number, bid)
        market.to(Phase.METERING)
        for name, energies in ((SELLER, (10_000, 0)), (BUYER, (0, 10_000))):
            signed = market.lockstep.reading(name, market.period, *energies)
            market.call("submit_reading", name, market.period, *energies, signed, sender=name)
        market.settle(number, accounts=(SELLER, BUYER))
        holds("C4-TAKE-7", market.gains() == fair, gains=market.gains())


def test_attack_8_a_pair_farms_standing() -> None:
    """80 trades of 1 Wh lead to tier 5; the farmed bid then beats a better one."""
    # Tier 5: 10 * 9.7 * 1.25 = 121.25 against 10 * 12 = 120; 10 * 6.2 * 6 = 372 against 10 * 17.8 = 178.
    for step, low, high, lost in ((500, "9.7", "12", "-23"), (10_000, "6.2", "17.8", "-116")):
        with play(priority_step=step) as market:
            for _turn in range(80):
                _tiny_trade(market)
            # A fee is 0.0002 a side: 5 whole, 5 at 80 %, 10 at 60 %, 20 at 40 %, 40 at 20 %: 31 of them, twice.
            paid = market.gains()["owner"]
            holds("C4-TAKE-8", paid == p("0.0124"), paid=paid)
            tiers = [market.account(name).tier for name in (PARTNER, RIVAL)]
            holds("C4-TAKE-8", tiers == [5, 5], tiers=tiers)
            ends = []
            for bids in (
                (Bid(BUYER, 10_000, high),),
                (Bid(BUYER, 10_000, high), Bid(PARTNER, 10_000, low)),
            ):
                market.note()
                number = market.quote(10_000, "6.2")
                market.auction(number, *bids)
                market.read(SELLER, 10_000, 0)
                market.settle(number)
                ends.append(market.gains()[SELLER])
                market.period += 4
            holds("C4-TAKE-8", ends[1] - ends[0] == p(lost), ends=ends, lost=lost)


def _tiny_trade(market: Play) -> None:
    """The partner sells 1 Wh to the rival at the lowest price; both meters report."""
    number = market.quote(1, "6.2", PARTNER)
    market.auction(number, Bid(RIVAL, 1, "6.2"))
    market.read(PARTNER, 1, 0)
    market.read(RIVAL, 0, 1)
    market.settle(number, accounts=(PARTNER, RIVAL))
    market.period += 3


def test_attack_9_purchases_of_1_wh_close_a_quote() -> None:
    """256 of them locked 2.36 p and shut everybody else out of 9.744 kWh."""
    with play() as market:
        number = market.quote(10_000, "9")
        market.match(number)
        for volume in (1, 156):  # A 64th of 10,000 is 156.25.
            crumb = market.buy(number, volume, PARTNER)
            holds("C4-TAKE-9", crumb.reason == "surplus: volume too small", outcome=crumb)
        holds("C4-TAKE-9", market.buy(number, 9_744, BUYER).accepted)
        holds("C4-TAKE-9", market.buy(number, 256, PARTNER).accepted)
        for name, energies in ((SELLER, (10_000, 0)), (BUYER, (0, 9_744)), (PARTNER, (0, 256))):
            market.read(name, *energies)
        market.settle(number, accounts=(SELLER, BUYER, PARTNER))
        gains = market.gains()
        # 10 * (9 - 0.2) = 88; 9.744 * (9 + 0.2) = 89.6448; 0.256 * 9.2 = 2.3552.
        wanted = {SELLER: p("88"), BUYER: p("-89.6448"), PARTNER: p("-2.3552"), "owner": p("4")}
        holds("C4-TAKE-9", gains == wanted, gains=gains, wanted=wanted)
    with play() as market:
        number = market.quote(10_000, "9")
        market.match(number)
        # The least, again and again: 63 of 157 are 9,891; 109 is all that is left; then all of it is paid for.
        bought = [market.buy(number, volume, PARTNER).accepted for volume in (*(157,) * 63, 109)]
        holds("C4-TAKE-9", all(bought) and market.lockstep.market.remaining(number) == 0, trades=len(bought))
        market.read(SELLER, 10_000, 0)
        market.settle(number)
        gains = market.gains()
        holds("C4-TAKE-9", gains == {SELLER: p("88"), PARTNER: p("-92"), "owner": p("4")}, gains=gains)


def test_attack_10_supply_that_is_not_there() -> None:
    """A quote of 10 kWh at 6.2 of which nothing comes draws the buyer away from a rival at 9."""

    def run(phantom: bool) -> tuple[Gains, bool]:
        with play() as market:
            number = market.quote(10_000, "6.2" if phantom else "9", PARTNER if phantom else RIVAL)
            price = "6.2" if phantom else "9"
            market.auction(number, Bid(BUYER, 10_000, price))
            market.read(RIVAL, 10_000, 0)
            market.read(BUYER, 0, 10_000)
            market.settle(number, accounts=(RIVAL, BUYER))
            return market.gains(), market.is_in(PARTNER)

    # The rival 10 * (9 - 0.2) = 88, the buyer 10 * (9 + 0.2) = 92.
    fair, _ = run(phantom=False)
    holds("C4-TAKE-10", fair == {RIVAL: p("88"), BUYER: p("-92"), "owner": p("4")}, gains=fair)
    # 10 % of 62 = 6.2 from the phantom to the buyer, which pays 10 * 18 = 180 to the supplier. The rival has
    # 10 * 6 = 60.
    gains, stays = run(phantom=True)
    found = less(gains, fair)
    wanted = {PARTNER: "-6.2", BUYER: "-81.8", RIVAL: "-28", "supplier": "120", "owner": "-4"}
    holds("C4-TAKE-10", found == {name: p(amount) for name, amount in wanted.items()}, found=found)
    holds("C4-TAKE-10", not stays, authorized=stays)
    # Where nobody buys it costs nothing but the authorisation, and not even that where the meter tells of 0.
    for silent in (True, False):
        with play() as market:
            number = market.quote(10_000, "6.2", PARTNER)
            market.match(number)
            if not silent:
                market.read(PARTNER, 0, 0)
            market.settle(number)
            left = market.gains(), market.is_in(PARTNER)
            holds("C4-TAKE-10", left == ({}, not silent), gains=left, silent=silent)
    with play() as market:
        beyond = market.lockstep.call("submit_quote", market.period, CAPACITY + 1, pence_per_kwh("6.2"), sender=PARTNER)
        holds("C4-TAKE-10", beyond.reason == "quotes: volume out of bounds", outcome=beyond)


def test_attack_11_a_partners_bid_waits_for_the_sun_to_fail() -> None:
    """A sealed bid for the whole volume is opened only where the seller will fall short: the compensation stays."""

    def run(opened: bool) -> Gains:
        with play() as market:
            number = market.quote(10_000, "6.2")
            honest, waiting = Bid(BUYER, 10_000, "10.8"), Bid(PARTNER, 10_000, "17.8")
            market.seal(number, honest)
            market.seal(number, waiting)
            market.to(Phase.REVEALING)
            market.open(number, honest)
            if opened:
                market.open(number, waiting)
            market.match(number)
            market.read(SELLER, 0, 0)
            market.read(PARTNER, 0, 0)
            market.read(BUYER, 0, 10_000)
            market.settle(number, accounts=(SELLER, PARTNER, BUYER))
            return market.gains()

    # 10 % of 10 * 10.8 = 10.8 goes to the honest buyer, which buys 10 * 18 = 180 from the grid in either case.
    fair, taken = run(opened=False), run(opened=True)
    holds("C4-TAKE-11", fair == {SELLER: p("-10.8"), BUYER: p("-169.2"), "supplier": p("180")}, gains=fair)
    # 10 % of 10 * 17.8 = 17.8 goes round in the family.
    wanted = {SELLER: p("-17.8"), PARTNER: p("17.8"), BUYER: p("-180"), "supplier": p("180")}
    holds("C4-TAKE-11", taken == wanted, gains=taken, wanted=wanted)


def test_attack_12_bids_that_are_only_to_be_asked_for() -> None:
    """A household buys a tenth of what it uses, and asks for the rest by a bid that cannot win: a good record."""

    def asks(market: Play, bought: int, asked: int) -> Gains:
        """A half-hour in which the partner uses 10 kWh: so much it buys, for so much more another's bid is higher."""
        market.period = market.lockstep.next_period()
        market.note()
        small, large = market.quote(bought, "6.2"), market.quote(9_000, "6.2", RIVAL)
        own, lost, higher = Bid(PARTNER, bought, "6.2"), Bid(PARTNER, asked, "6.2"), Bid(BUYER, 9_000, "17.8")
        market.seal(small, own)
        market.seal(large, higher)
        if asked:
            market.seal(large, lost)
        market.to(Phase.REVEALING)
        market.open(small, own)
        market.open(large, higher)
        if asked:
            market.open(large, lost)
        market.match(small)
        market.match(large)
        reports = ((SELLER, bought, 0), (RIVAL, 9_000, 0), (PARTNER, 0, 10_000), (BUYER, 0, 9_000))
        for report in reports:
            assert market.read(*report).accepted
        market.settle(small, large, accounts=tuple(name for name, *_ in reports))
        return market.gains()

    def run(asked: int) -> tuple[Gains, tuple[int, int], Gains]:
        with play() as market:
            first = asks(market, 1_000, asked)
            after = market.account(PARTNER)
            for _ in range(4):
                asks(market, 1_000, asked)
            return first, (after.performances, after.defaults), asks(market, 10_000, 0)

    (fair, record, later), (found, earned, better) = run(asked=0), run(asked=9_000)
    holds("C4-TAKE-12", found == fair, gains=found, without=fair)
    holds("C4-TAKE-12", (record, earned) == ((0, 1), (1, 0)), without=record, earned=earned)
    # Five of them are a tier: 20 % off its fee of 0.2 p on each kWh that it buys, which the owner goes without.
    gained = less(better, later)
    holds("C4-TAKE-12", gained == {PARTNER: p("0.4"), "owner": p("-0.4")}, gained=gained)
    # A Wh less than a tenth earns nothing.
    with play() as market:
        asks(market, 999, 9_000)
        kept = market.account(PARTNER)
        holds("C4-TAKE-12", (kept.performances, kept.defaults) == (0, 1), performances=kept.performances)
