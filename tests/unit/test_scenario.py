"""The trading day (`wattproof.simulation.trading_day`) on small communities, with bills computed by hand."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from wattproof.evm import pruning
from wattproof.evm.engine import available
from wattproof.market.deployment import Tariff
from wattproof.simulation import bidding, planning
from wattproof.simulation.accounting import Books, BooksDoNotBalance, Event, tier
from wattproof.simulation.bidding import REACH, apportion
from wattproof.simulation.households import open_households
from wattproof.simulation.timetable import EPOCH
from wattproof.simulation.trading_day import Conduct, PeriodResult, TradingDay

TARIFF = Tariff(sbp=60, ssp=180, service_fee=2, priority_step=500)
"""Small round prices in base units per Wh; the price band is [62, 178]."""

FASTEST = available()[-1]
"""What the hand-computed days run on; that both engines agree is a test of its own."""

HEADER = "period,household,load_wh,pv_wh,forecast_load_wh,forecast_pv_wh"
WIRED = f"{HEADER},capacity_wh"


def csv(folder: Path, *rows: str, header: str = HEADER) -> Path:
    """A file of `rows`, in the form `period,household,load,pv,forecast load,forecast pv`."""
    path = folder / "households.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def play(
    path: Path, seed: int = 1, engine: str = FASTEST, tariff: Tariff = TARIFF, **conduct: Conduct
) -> tuple[TradingDay, list[PeriodResult]]:
    """Runs a file to its end."""
    day = TradingDay(open_households(path, seed=seed), seed, tariff, engine, conduct)
    return day, list(day)


def costs(day: TradingDay, name: str) -> tuple[int, int, int]:
    """A household's costs with the grid alone and with the market, and its saving, in base units."""
    bill = day.bill(name)
    return bill.grid_alone, bill.market, bill.saving


# ---- bills computed by hand ------------------------------------------------------------------


def test_more_demand_than_supply(tmp_path: Path) -> None:
    # SDR = 1000/2000, so P_sell = 60 * 180 / (120 * 0.5 + 60) = 90 and P_buy = 90 * 0.5 + 180 * 0.5 = 135.
    # Both bid 135, rainy for all that is quoted: the larger amount wins all of it.
    path = csv(
        tmp_path,
        "7,sunny,200,1200,200,1200",
        "7,cloudy,600,0,600,0",
        "7,rainy,1400,0,1400,0",
        "8,sunny,100,0,100,0",
        "8,cloudy,50,0,50,0",
        "8,rainy,0,0,0,0",
    )
    day, (noon, night) = play(path)

    assert (noon.period, noon.sdr, noon.quote_price, noon.bid_price) == (7, "1000/2000", 90, 135)
    assert (noon.quotes, noon.bids, noon.sold, noon.delivered) == (1, 2, 1000, 1000)
    (trade,) = noon.trades
    assert (trade.prosumer, trade.buyer, trade.kind, trade.volume, trade.price) == ("sunny", "rainy", "bid", 1000, 135)
    assert (trade.delivered, trade.payment, trade.fee, trade.compensation) == (1000, 135_000, 2_000, 0)
    assert (noon.fees, noon.compensation) == (4_000, 0)
    # sunny delivered what it quoted; rainy agreed 1000 Wh and imported 1400.
    assert (noon.performances, noon.defaults) == (1, 1)
    assert (night.sdr, night.quotes, night.bids, night.quote_price, night.trades) == ("0/150", 0, 0, None, ())

    # Grid alone: 1000 * 60 in, 100 * 180 out. Market: 135 000 - 2 000 in, the same out.
    assert costs(day, "sunny") == (-42_000, -115_000, 73_000)
    assert costs(day, "cloudy") == (650 * 180, 650 * 180, 0)
    # 1400 * 180 alone; 135 000 + 2 000 for what it bought, 400 * 180 for the rest.
    assert costs(day, "rainy") == (252_000, 209_000, 43_000)
    rainy = day.bill("rainy")
    assert (rainy.bought, rainy.sold, rainy.imported, rainy.performances, rainy.defaults) == (1000, 0, 1400, 0, 1)


def test_a_prosumer_that_falls_short_compensates(tmp_path: Path) -> None:
    # 1000 quoted and sold at 135, 800 exported: below 95 %. The buyer has 10 % of 200 * 135 and pays no fee.
    path = csv(tmp_path, "0,sunny,0,800,0,1000", "0,rainy,1000,0,2000,0")
    day, (period,) = play(path)

    assert (period.sold, period.delivered, period.compensation, period.fees) == (1000, 800, 2_700, 1_600)
    assert costs(day, "sunny") == (-48_000, -(108_000 - 1_600 - 2_700), 55_700)
    assert costs(day, "rainy") == (180_000, 108_000 - 2_700 + 200 * 180, 38_700)
    assert (day.bill("sunny").defaults, day.bill("rainy").performances, day.bill("rainy").waivers) == (1, 1, 1)


def test_recorded_excess_is_bought_while_metering(tmp_path: Path) -> None:
    # Nobody expected to need anything, so the quote stands at the band's lower end, and no one bids.
    path = csv(tmp_path, "0,sunny,0,500,0,100", "0,cloudy,300,0,0,0")
    day, (period,) = play(path)

    assert (period.sdr, period.quote_price, period.bid_price, period.bids) == ("100/0", 62, None, 0)
    (trade,) = period.trades
    assert (trade.kind, trade.volume, trade.price, trade.payment, trade.fee) == ("surplus", 300, 62, 18_600, 600)
    # 300 * (62 - 2) from the neighbour and 200 * 60 from the grid: what the grid alone would have paid.
    assert costs(day, "sunny") == (-30_000, -30_000, 0)
    assert costs(day, "cloudy") == (54_000, 19_200, 34_800)
    # Far more than quoted, and nothing agreed: nothing is recorded.
    assert (period.performances, period.defaults) == (0, 0)


def test_who_finds_no_place_in_the_book_buys_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bidding, "MAX_OPENED", 1)
    path = csv(tmp_path, "0,sunny,0,1000,0,1000", "0,cloudy,300,0,300,0", "0,rainy,200,0,200,0")
    day, (period,) = play(path)

    assert [(trade.buyer, trade.kind, trade.volume, trade.price) for trade in period.trades] == [
        ("cloudy", "bid", 300, 62),
        ("rainy", "surplus", 200, 62),
    ]
    # Bought before the delivery, both ways count as agreed.
    assert (day.bill("cloudy").performances, day.bill("rainy").performances) == (1, 1)


def test_winners_are_served_before_purchases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One bid fits into the book: cloudy wins 600 Wh, and rainy buys the 400 Wh that are left. 700 Wh come.
    monkeypatch.setattr(bidding, "MAX_OPENED", 1)
    path = csv(tmp_path, "0,sunny,0,700,0,1000", "0,cloudy,600,0,600,0", "0,rainy,400,0,400,0")
    day, (period,) = play(path)

    assert [(trade.buyer, trade.kind, trade.volume, trade.delivered) for trade in period.trades] == [
        ("cloudy", "bid", 600, 600),
        ("rainy", "surplus", 400, 100),
    ]
    # cloudy has all of it and pays its fee; rainy has 10 % of 300 * 62 for what did not come, and pays no fee.
    assert costs(day, "cloudy")[1] == 600 * 62 + 1_200
    assert costs(day, "rainy")[1] == 100 * 62 - 1_860 + 300 * 180
    assert costs(day, "sunny")[1] == -(700 * 62 - 1_400 - 1_860)
    # Below 95 % of the quote; both buyers imported what they agreed.
    assert [(day.bill(name).performances, day.bill(name).defaults) for name in ("sunny", "cloudy", "rainy")] == [
        (0, 1),
        (1, 0),
        (1, 0),
    ]


def test_nobody_earns_a_record_by_hindsight(tmp_path: Path) -> None:
    # Nobody bids; what is bought after the reading of just what was quoted is no record, of the seller or the buyer.
    path = csv(tmp_path, "0,sunny,0,100,0,100", "0,cloudy,60,0,0,0")
    day, (period,) = play(path)

    assert (period.sold, period.delivered, period.performances, period.defaults) == (60, 60, 0, 0)
    assert costs(day, "sunny")[1] == -(60 * 60 + 40 * 60)


def test_a_purchase_below_the_least_is_rounded_up_where_that_pays(tmp_path: Path) -> None:
    # Of 6400 Wh that were exported 100 is the least. It costs 100 * 64 less what is resold at 60; the grid charges 180.
    # For 6 Wh 6400 - 94 * 60 = 760 is less than 1080, for 3 Wh 6400 - 97 * 60 = 580 is more than 540.
    rows = ("0,sunny,0,6400,0,6400", "0,cloudy,40,0,0,0", "0,rainy,6,0,0,0", "0,misty,3,0,0,0")
    day, (period,) = play(csv(tmp_path, *rows))

    assert [(trade.buyer, trade.volume, trade.delivered) for trade in period.trades] == [
        ("cloudy", 100, 100),
        ("rainy", 100, 100),
    ]
    assert costs(day, "cloudy")[1] == 6_400 - 60 * 60
    assert costs(day, "rainy")[1] == 760
    assert costs(day, "misty")[1] == 540


def test_all_that_is_left_may_be_less_than_the_least(tmp_path: Path) -> None:
    # Of 130 Wh 3 is the least, but when cloudy has had 128, the last 2 are all that is left.
    _, (period,) = play(csv(tmp_path, "0,sunny,0,130,0,130", "0,cloudy,128,0,0,0", "0,rainy,2,0,0,0"))
    assert [(trade.buyer, trade.volume) for trade in period.trades] == [("cloudy", 128), ("rainy", 2)]


def test_the_least_before_delivery_is_of_what_was_quoted(tmp_path: Path) -> None:
    # cloudy does not open its bid, so all 6400 Wh are left; it wants 60, and 100 is the least.
    path = csv(tmp_path, "0,sunny,0,6400,0,6400", "0,cloudy,60,0,60,0")
    day, (period,) = play(path, cloudy=Conduct(reveals=0))

    (trade,) = period.trades
    assert (trade.kind, trade.volume) == ("surplus", 100)
    # Bought ahead, it is agreed, and far more than what was imported.
    assert (day.bill("sunny").performances, day.bill("cloudy").defaults) == (1, 1)


# ---- capacity --------------------------------------------------------------------------------


def test_nobody_quotes_or_bids_beyond_its_capacity(tmp_path: Path) -> None:
    path = csv(tmp_path, "0,sunny,0,800,0,800,1000", "0,cloudy,300,0,300,0,310", header=WIRED)
    day, (period,) = play(path, sunny=Conduct(quotes=2000), cloudy=Conduct(bids=1500))

    assert (period.supply, period.demand) == (1000, 310)
    assert [(offer.household, offer.volume) for offer in period.offers] == [("cloudy", 310)]
    accounts = {name: day.market.account(member.address) for name, member in day.members.items()}
    assert {name: (account.authorized, account.capacity) for name, account in accounts.items()} == {
        "sunny": (True, 1000),
        "cloudy": (True, 310),
    }


@pytest.mark.parametrize(("capacity", "bought"), [(300, 0), (323, 0), (324, 24), (400, 100), (900, 300)])
def test_a_lost_bid_leaves_less_to_buy(tmp_path: Path, capacity: int, bought: int) -> None:
    # rainy wins all that is quoted. Of the 1500 Wh exported 500 are left, and 24 is the least; cloudy opened a bid for
    # 300 Wh and wants as many.
    rows = ("0,sunny,0,1500,0,1000,9000", "0,rainy,1000,0,1000,0,9000", f"0,cloudy,300,0,300,0,{capacity}")
    _, (period,) = play(csv(tmp_path, *rows, header=WIRED))

    assert [(offer.household, offer.filled) for offer in period.offers if offer.filled] == [("rainy", 1000)]
    volumes = [trade.volume for trade in period.trades if trade.buyer == "cloudy"]
    assert volumes == ([bought] if bought else [])


# ---- households that act otherwise -------------------------------------------------------------


def test_who_quotes_what_it_has_not_and_stays_silent_is_out(tmp_path: Path) -> None:
    rows = [
        f"{period},{name},{load},{pv},{load},{pv},{capacity}"
        for period in range(4)
        for name, load, pv, capacity in (("sunny", 0, 100, 500), ("rainy", 200, 0, 500), ("cloudy", 50, 0, 9_900))
    ]
    path = csv(tmp_path, *rows, header=WIRED)
    day, results = play(path, cloudy=Conduct(phantom=True, silent=True))

    # The first settlement comes when the quotes of three periods are in.
    assert [(result.supply, result.quotes) for result in results] == [(10_000, 2)] * 3 + [(100, 1)]
    assert [result.unread for result in results] == [{"cloudy"}] * 4
    # Of 200 Wh rainy bids for 2 of 100 and 198 of 9900 Wh. The latter do not come; cloudy buys 50 of what sunny has.
    first = results[0]
    assert [(trade.prosumer, trade.volume, trade.delivered, trade.compensation) for trade in first.trades] == [
        ("sunny", 2, 2, 0),
        ("sunny", 50, 50, 0),
        ("cloudy", 198, 0, 198 * 62 * 10 // 100),
    ]
    bill = first.bills["rainy"]
    assert (bill.paid, bill.fees, bill.compensated, bill.waivers, bill.grid) == (124, 4, 1_227, 1, -198 * 180)
    cloudy = day.members["cloudy"].address
    assert not day.market.account(cloudy).authorized
    # One default for each of three quotes, and one for having bought without a reading.
    assert day.market.account(cloudy).defaults == 4
    assert [result.bills["cloudy"].defaults for result in results] == [2, 1, 1, 0]
    # Without a reading its import is in no bill of the market.
    assert (day.bill("cloudy").imported, day.bill("cloudy").grid_alone) == (0, 0)
    # In the last period it neither quotes nor bids: only rainy does, for all that sunny has.
    assert [(offer.household, offer.volume) for offer in results[3].offers] == [("rainy", 100)]


def test_who_quotes_what_it_has_not_and_says_so_stays(tmp_path: Path) -> None:
    rows = [f"{period},{name},{load},{pv},{load},{pv}" for period in range(4)
            for name, load, pv in (("sunny", 0, 100), ("rainy", 200, 0), ("cloudy", 50, 0))]  # fmt: skip
    day, results = play(csv(tmp_path, *rows), cloudy=Conduct(phantom=True))

    assert [result.unread for result in results] == [frozenset()] * 4
    assert [result.quotes for result in results] == [2] * 4
    assert day.market.account(day.members["cloudy"].address).authorized
    assert day.bill("cloudy").defaults == 4
    # What sunny did not sell to rainy is bought by cloudy after the delivery.
    assert [(trade.prosumer, trade.buyer, trade.kind, trade.volume) for trade in results[0].trades[1:]] == [
        ("sunny", "cloudy", "surplus", 50),
        ("cloudy", "rainy", "bid", 198),
    ]


def test_a_household_may_be_called_as_the_one_that_farmers_buy_from(tmp_path: Path) -> None:
    path = csv(tmp_path, "0,stooge,0,1000,0,1000", "0,cloudy,1000,0,1000,0")
    day, _ = play(path, stooge=Conduct(farmed=4), cloudy=Conduct(farmed=4))
    assert (day.bill("stooge").exported, day.bill("stooge").performances) == (1000, 5)
    assert day.bill("cloudy").performances == 5


def test_a_name_that_a_table_cannot_hold_is_refused() -> None:
    class Made:
        def __init__(self) -> None:
            self.names = ("=1+1",)
            self.capacities = {"=1+1": 1000}

        def __iter__(self) -> Any:
            return iter(())

    with pytest.raises(ValueError, match=r"household is a formula to a spreadsheet .*: '=1\+1'"):
        TradingDay(Made(), 1, TARIFF, FASTEST)


@pytest.mark.parametrize(("farmed", "reached"), [(4, 0), (5, 1), (80, 5)])
def test_standing_is_farmed_before_the_first_period(tmp_path: Path, farmed: int, reached: int) -> None:
    path = csv(tmp_path, "0,sunny,0,1000,0,1000", "0,cloudy,1000,0,1000,0")
    day, (period,) = play(path, cloudy=Conduct(farmed=farmed))

    assert day.bill("cloudy").performances == farmed + 1
    # The period begins with the tier, and nothing else of what went before is in it.
    (trade,) = period.trades
    assert trade.fee == 2_000 * (5 - reached) // 5
    bill = period.bills["cloudy"]
    assert (bill.performances, bill.imported, bill.paid, bill.fees) == (1, 1000, 62_000, trade.fee)
    assert period.balances_match
    # Each Wh was bought at 62, not at the 180 that the grid charges; fees fall with the tier.
    fees = [2 * (5 - tier(number)) // 5 for number in range(farmed)]
    before = day.bill("cloudy").market - bill.market
    assert before == farmed * 62 + sum(fees)


def test_a_shill_outranks_small_bids_by_amount_but_not_by_price(tmp_path: Path) -> None:
    # SDR 0.5: quoted at 90, bid at 135. 1000 * 90 is more than 600 * 135, but 90 is less than 135.
    path = csv(tmp_path, "0,sunny,0,1000,0,1000", "0,cloudy,600,0,600,0", "0,misty,600,0,600,0", "0,rainy,800,0,800,0")
    won = {}
    for by_price in (False, True):
        tariff = Tariff(sbp=60, ssp=180, service_fee=2, priority_step=500, rank_by_price=by_price)
        day, (period,) = play(path, tariff=tariff, rainy=Conduct(shill=True))
        assert day.market.RANK_BY_PRICE() is by_price
        assert {(offer.household, offer.volume, offer.price) for offer in period.offers} == {
            ("cloudy", 600, 135),
            ("misty", 600, 135),
            ("rainy", 1000, 90),
        }
        won[by_price] = [(trade.buyer, trade.volume) for trade in period.trades]
    assert won == {False: [("rainy", 1000)], True: [("cloudy", 600), ("misty", 400)]}


@pytest.mark.parametrize(("eager", "price"), [(0, 90), (500, 112), (1000, 135), (1500, 157), (2000, 178)])
def test_households_bid_at_prices_of_their_own(tmp_path: Path, eager: int, price: int) -> None:
    # From 90 towards 135 and beyond: 90 + 22.5, 90 + 67.5, and 180, which is above the band.
    path = csv(tmp_path, "0,sunny,0,1000,0,1000", "0,cloudy,2000,0,2000,0")
    _, (period,) = play(path, cloudy=Conduct(eager=eager))
    assert [offer.price for offer in period.offers] == [price]


def test_nobody_bids_on_more_quotes_than_its_reach(tmp_path: Path) -> None:
    sellers = [f"0,roof{number},0,100,0,100" for number in range(6)]
    _, (period,) = play(csv(tmp_path, *sellers, "0,cloudy,600,0,600,0"))

    bids = [trade for trade in period.trades if trade.kind == "bid"]
    assert len(bids) == REACH
    # What it did not bid for is still there, and it buys that, too.
    assert period.sold == 600


# ---- money -----------------------------------------------------------------------------------


def test_money_adds_up_after_every_period_also_while_others_are_under_way(tmp_path: Path) -> None:
    rows = [
        f"{period},{name},{load},{pv},{forecast},{pv}"
        for period in range(5)
        for name, load, pv, forecast in (("sunny", 10, 700 + period, 10), ("cloudy", 500, 0, 480), ("rainy", 90, 0, 99))
    ]
    day, results = play(csv(tmp_path, *rows))

    assert len(results) == 5
    for result in results:
        assert result.balances_match
        assert result.accounts_total == result.market_holds > 0
    # The next period's bidding is over when this one is settled, so its collateral is in escrow; at the end none is.
    assert all(result.in_escrow > 0 for result in results[:-1])
    assert results[-1].in_escrow == 0
    # What households paid on balance is what supplier and owner have.
    balances = day.books.balances
    others = sum(balances[party].free - balances[party].deposited for party in (day.owner, day.supplier))
    assert sum(day.bill(name).market for name in day.members) == others


def test_a_party_that_runs_out_of_money_is_topped_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "FLOAT", 1)
    path = csv(tmp_path, "0,sunny,0,1000,0,1000", "0,cloudy,3000,0,300,0")
    day, (period,) = play(path)

    assert period.balances_match
    assert costs(day, "cloudy") == (3000 * 180, 1000 * 64 + 2000 * 180, 1000 * 116)
    assert all(balance.invoice == 0 for balance in day.books.balances.values())


def test_energies_at_the_limit(tmp_path: Path) -> None:
    most = 2**24 - 1
    rows = (f"0,sunny,0,{most},0,{most},{most}", f"0,cloudy,{most},0,{most},0,{most}")
    day, (period,) = play(csv(tmp_path, *rows, header=WIRED))

    assert period.balances_match
    assert period.delivered == most
    assert day.bill("cloudy").saving == most * (180 - 62 - 2)


def test_a_donated_token_ends_the_run_and_names_the_period(tmp_path: Path) -> None:
    day = TradingDay(open_households(csv(tmp_path, "3,sunny,0,9,0,9", "3,cloudy,9,0,9,0")), 1, TARIFF, FASTEST)
    stranger = str(day.env.generate_address())
    day.env.set_balance(stranger, 1)
    day.token.mint(value=1, sender=stranger)
    day.token.transfer(day.market.address, 1, sender=stranger)

    with pytest.raises(BooksDoNotBalance, match=r"^period 3: the accounts add up to \d+ base units, but the market"):
        list(day)


def test_a_bill_that_differs_from_the_market_ends_the_run(tmp_path: Path) -> None:
    day = TradingDay(open_households(csv(tmp_path, "3,sunny,0,9,0,9", "3,cloudy,9,0,9,0")), 1, TARIFF, FASTEST)
    day.bill("cloudy").fees += 1

    with pytest.raises(BooksDoNotBalance, match=r"^period 3: cloudy paid \d+ base units, but its bill says \d+$"):
        list(day)


# ---- what a settlement comes to, computed a second time ----------------------------------------


def settled_books() -> tuple[Books, list[Event]]:
    """Books of a quote of 100 Wh at 70, of which ann won 50 at 100 and bob 30 at 80, and cat bought 20; 90 Wh came.
    With them, the events of its settlement, computed by hand."""
    books = Books(TARIFF, "owner", "supplier", {name: name for name in ("sun", "ann", "bob", "cat")})
    for name in books.names:
        books.enter(
            [("Authorized", {"user": name, "capacity": 500}), ("Deposited", {"account": name, "amount": 10**6})]
        )
    books.enter([("QuoteSubmitted", {"quote_id": 1, "prosumer": "sun", "period": 5, "volume": 100, "price": 70})])
    for name, price, volume in (("ann", 100, 50), ("bob", 80, 30)):
        books.enter([("BidRevealed", {"quote_id": 1, "bidder": name, "price": price, "volume": volume})])
    books.enter(
        [("BidConfirmed", {"quote_id": 1, "bidder": name, "filled": wh}) for name, wh in (("ann", 50), ("bob", 30))]
    )
    books.enter([("SurplusBought", {"quote_id": 1, "buyer": "cat", "volume": 20})])
    books.enter([("ReadingSubmitted", {"user": "sun", "period": 5, "exported": 90, "imported": 0})])

    def trade(buyer: str, delivered: int, payment: int, fee: int, compensation: int) -> Event:
        said = {"delivered": delivered, "payment": payment, "fee": fee, "compensation": compensation}
        return "TradeSettled", {"quote_id": 1, "buyer": buyer, **said}

    # The winners have all, cat 10 of 20; 90 is less than 95 % of 100, so cat has 10 % of 700.
    total = {"delivered": 90, "revenue": 5_000 + 2_400 + 700, "fee": 180, "compensation": 70}
    return books, [
        trade("ann", 50, 5_000, 100, 0),
        trade("bob", 30, 2_400, 60, 0),
        ("WaiverGranted", {"user": "cat"}),
        trade("cat", 10, 700, 0, 70),
        ("PerformanceRecorded", {"user": "sun", "good": False}),
        ("QuoteSettled", {"quote_id": 1, **total}),
    ]


def account(user: str, amount: int) -> Event:
    return "AccountSettled", {"user": user, "period": 5, "amount": amount, "cleared": 0}


def test_a_settlement_by_hand_is_booked() -> None:
    books, events = settled_books()
    assert [trade.delivered for trade in books.enter(events)] == [50, 30, 10]
    # sun delivered all that it exported. ann imported 60 of 50 and is in default; bob imported 30 as agreed.
    books.enter([account("sun", 0)])
    for name, imported in (("ann", 60), ("bob", 30)):
        books.enter([("ReadingSubmitted", {"user": name, "period": 5, "exported": 0, "imported": imported})])
    books.enter([("PerformanceRecorded", {"user": "ann", "good": False}), account("ann", -10 * 180)])
    books.enter([("PerformanceRecorded", {"user": "bob", "good": True}), account("bob", 0)])
    # cat is silent: it counts as having imported the 20 Wh that it bought, and is out.
    silent = [("PerformanceRecorded", {"user": "cat", "good": False}), ("Revoked", {"user": "cat"})]
    books.enter([*silent, account("cat", -10 * 180)])
    assert books.authorized == {"sun", "ann", "bob"}
    assert books.escrow() == 0


@pytest.mark.parametrize(
    ("at", "argument", "value", "says"),
    [
        (
            0,
            "delivered",
            49,
            r"trade 0 of quote 1 was settled as \(49, 5000, 100, 0\), but comes to \(50, 5000, 100, 0\)",
        ),
        (1, "payment", 2_399, "trade 1 of quote 1 was settled as"),
        (1, "fee", 0, "trade 1 of quote 1 was settled as"),
        (3, "compensation", 71, "trade 2 of quote 1 was settled as"),
        (3, "buyer", "bob", "the trades of quote 1 were settled out of order"),
        (2, "user", "bob", "WaiverGranted of cat is missing"),
        (4, "good", True, "the record of sun was settled as"),
        (4, "user", "ann", "the record of sun was settled as"),
        (5, "revenue", 8_101, "quote 1 was settled as"),
        (5, "fee", 0, "quote 1 was settled as"),
    ],
)
def test_a_settlement_that_comes_to_something_else_is_refused(at: int, argument: str, value: object, says: str) -> None:
    books, events = settled_books()
    events[at][1][argument] = value
    with pytest.raises(BooksDoNotBalance, match=f"^period 5: {says}"):
        books.enter(events)


@pytest.mark.parametrize("left_out", [2, 4])
def test_a_settlement_that_says_too_little_is_refused(left_out: int) -> None:
    books, events = settled_books()
    del events[left_out]
    with pytest.raises(BooksDoNotBalance, match=r"^period 5: (WaiverGranted of cat is missing|the record of sun)"):
        books.enter(events)


@pytest.mark.parametrize("name", ["WaiverGranted", "WaiverUsed", "Revoked"])
def test_a_settlement_that_says_too_much_is_refused(name: str) -> None:
    books, events = settled_books()
    with pytest.raises(BooksDoNotBalance, match=r"the record of sun|comes of no settlement"):
        books.enter([*events[:5], (name, {"user": "sun"}), *events[5:]])


@pytest.mark.parametrize("said", ["silent", "exported", "nothing sold ahead", "far too much"])
def test_a_record_that_nobody_has_earned_is_refused(said: str) -> None:
    """Who is silent loses its authorisation; who sold nothing ahead, or exported far more, has no record."""
    books, _ = settled_books()
    quote = books.quotes[1]
    quote.trades.clear()
    settled = ("QuoteSettled", {"quote_id": 1, "delivered": 0, "revenue": 0, "fee": 0, "compensation": 0})
    record = ("PerformanceRecorded", {"user": "sun", "good": said == "far too much"})
    quote.exported, quote.ahead = {
        "silent": (None, True),
        "exported": (90, True),
        "nothing sold ahead": (90, False),
    }.get(said, (106, True))
    events = [record, ("Revoked", {"user": "sun"})] if said == "exported" else [record]
    with pytest.raises(BooksDoNotBalance, match=r"^period 5: the record of sun was settled as"):
        books.enter([*events, settled])


def test_the_invoice_of_an_account_is_reckoned() -> None:
    books, events = settled_books()
    books.enter(events)
    books.enter([("ReadingSubmitted", {"user": "ann", "period": 5, "exported": 0, "imported": 50})])
    with pytest.raises(BooksDoNotBalance, match=r"^period 5: the account of ann was settled as -1, but comes to 0$"):
        books.enter([("PerformanceRecorded", {"user": "ann", "good": True}), account("ann", -1)])


def test_nobody_is_revoked_twice() -> None:
    books, _ = settled_books()
    books.enter([("Revoked", {"user": "cat"})])
    with pytest.raises(BooksDoNotBalance, match="cat was revoked, but was not authorised"):
        books.enter([("Revoked", {"user": "cat"})])


def test_tiers_are_those_of_the_terms() -> None:
    assert [tier(good) for good in (0, 4, 5, 9, 10, 20, 39, 40, 79, 80, 1000)] == [0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 5]


# ---- determinism -----------------------------------------------------------------------------

SEEDED = (
    "0,sunny,100,900",
    "0,cloudy,400,0",
    "0,rainy,700,0",
    "1,sunny,50,1300",
    "1,cloudy,300,0",
    "1,rainy,650,0",
)


def seeded(folder: Path) -> Path:
    """A file without forecasts."""
    return csv(folder, *SEEDED, header="period,household,load_wh,pv_wh")


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    path = seeded(tmp_path)
    (day, first), (again, second), (_, other) = play(path, 1), play(path, 1), play(path, 2)

    assert first == second
    assert day.books.bills == again.books.bills
    assert first != other


@pytest.mark.skipif("revm" not in available(), reason="pyrevm is not installed")
def test_both_engines_come_to_the_same(tmp_path: Path) -> None:
    path = seeded(tmp_path)
    (reference, slow), (fast_day, fast) = play(path, engine="pyevm"), play(path, engine="revm")

    assert slow == fast
    assert reference.books.bills == fast_day.books.bills
    assert reference.books.balances == fast_day.books.balances


@pytest.mark.skipif("revm" not in available(), reason="pyrevm is not installed")
def test_dropping_revms_undo_log_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        f"{period},{name},{load},{pv},{load},{pv}"
        for period in range(6)
        for name, load, pv in (("sunny", 10, 700 * (period != 2)), ("cloudy", 500, 0), ("rainy", 450 + period, 0))
    ]
    path = csv(tmp_path, *rows)
    kept, before = play(path, engine="revm")
    monkeypatch.setattr(pruning, "MAX_FRAMES", 1)
    dropped, after = play(path, engine="revm")

    assert before == after
    assert kept.books.balances == dropped.books.balances
    frames = [cast(Any, day.env.evm)._revm.journal_len for day in (kept, dropped)]
    assert frames[1] < frames[0] // 10
    for name in ("sunny", "cloudy"):
        for period in range(before[0].chain_period, before[-1].chain_period + 1):
            user = kept.members[name].address
            for view in ("reading", "position", "quote_of"):
                assert getattr(kept.market, view)(user, period) == getattr(dropped.market, view)(user, period)
            assert kept.market.account(user) == dropped.market.account(user)
    assert [kept.market.quote(number) for number in range(7)] == [dropped.market.quote(number) for number in range(7)]


def test_a_day_is_run_once(tmp_path: Path) -> None:
    day, _ = play(seeded(tmp_path))
    with pytest.raises(RuntimeError, match="once"):
        next(iter(day))


def test_the_first_period_starts_at_the_epoch(tmp_path: Path) -> None:
    _, results = play(seeded(tmp_path))
    assert [result.chain_period * TARIFF.period_length - EPOCH for result in results] == [0, 1800]


# ---- memory ------------------------------------------------------------------------------------


def test_memory_on_pyevm_does_not_grow_with_the_periods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A cache that is full at once: what it gains until then is not growth.
    monkeypatch.setattr(pruning, "CACHED", 64)
    rows = [
        f"{period},{name},{load + period % 7},{pv},{load},{pv}"
        for period in range(10)
        for name, load, pv in (("sunny", 10, 700), ("cloudy", 500, 0), ("rainy", 450, 0))
    ]
    day = TradingDay(open_households(csv(tmp_path, *rows)), 1, TARIFF, "pyevm")
    blocks: list[int] = []
    stored: list[int] = []
    for result in day:
        del result
        gc.collect()
        blocks.append(sys.getallocatedblocks())
        stored.append(len(day.footprint.slots or ()))

    # The chain keeps every reading and trade, on disk: eight words a period, until its places and rooms have all been
    # used. Without `StatePruning` a period adds 700 to 970 blocks of memory.
    assert stored[7] - stored[3] == 4 * 8
    assert blocks[7] - blocks[3] < 4 * 150
    # Nothing was pruned: the first period can still be looked up, as its places were not used again.
    sunny, first = day.members["sunny"], EPOCH // TARIFF.period_length
    reading = day.market.reading(sunny.address, first)
    assert (reading.present, reading.exported, reading.imported) == (True, 690, 0)
    assert day.market.position(sunny.address, first).settled
    day.close()


def test_a_day_goes_on_when_its_places_are_full_and_stores_no_more(tmp_path: Path) -> None:
    """T-PARTY-22, T-QUO-17: by 8 places of periods of two days, and 64 rooms; two quotes a period."""
    tariff = Tariff(sbp=60, ssp=180, service_fee=2, priority_step=500, period_length=2 * 86_400)
    rows = [
        f"{period},{name},{load + period % 7},{pv},{load},{pv}"
        for period in range(44)
        for name, load, pv in (("sunny", 10, 700), ("bright", 10, 400), ("cloudy", 900, 0), ("rainy", 450, 0))
    ]
    day = TradingDay(open_households(csv(tmp_path, *rows)), 1, tariff, "pyevm")
    stored = []
    for result in day:
        assert (result.quotes, result.bids, result.balances_match) == (2, 4, True)
        stored.append(len(day.footprint.slots or ()))

    assert stored[8] > stored[4]
    assert stored[43] == stored[34]
    # What lay there before is told by the books alone, which are kept from the events.
    sunny, first = day.members["sunny"].address, EPOCH // tariff.period_length
    assert not day.market.reading(sunny, first).present and not day.market.quote(1).status
    assert day.market.reading(sunny, first + 43).present
    assert day.bill("sunny").exported == sum(690 - period % 7 for period in range(44))
    day.close()


# ---- apportionment -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("demand", "volumes", "parts"),
    [
        (100, [300, 100], [75, 25]),
        (10, [1, 1, 1], [1, 1, 1]),
        (2, [1, 1, 1], [1, 1, 0]),
        (7, [10, 10], [4, 3]),
        (1, [5, 9], [0, 1]),
        (0, [5, 9], [0, 0]),
        (5, [], []),
    ],
)
def test_apportion(demand: int, volumes: list[int], parts: list[int]) -> None:
    assert apportion(demand, volumes) == parts


def test_apportion_is_exact_and_never_above_a_volume() -> None:
    for demand in range(40):
        for volumes in ([7, 11, 13], [1, 30], [3, 3, 3, 3], [2**48 - 1, 1]):
            parts = apportion(demand, volumes)
            assert sum(parts) == min(demand, sum(volumes))
            assert all(0 <= part <= volume for part, volume in zip(parts, volumes, strict=True))
            total = sum(volumes)
            assert all(
                abs(part * total - min(demand, total) * volume) < total
                for part, volume in zip(parts, volumes, strict=True)
            )
