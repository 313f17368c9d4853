"""Runs of the study: their sums against bills, gas on both engines, and households that act otherwise."""

from __future__ import annotations

import pytest

from wattproof.evm.engine import available
from wattproof.market.deployment import Tariff
from wattproof.simulation.accounting import Bill
from wattproof.simulation.households import HalfHour
from wattproof.simulation.trading_day import Conduct, TradingDay
from wattproof.study.communities import Base, Community, Frame
from wattproof.study.runs import Run, Totals, metered, play, records, together, unreported
from wattproof.study.strategies import EAGER, own_prices

FASTEST = available()[-1]
NOON = (20, 30)


def test_days_add_up_to_the_bills(small: Base) -> None:
    frame = Frame(seed=1, days=(0, 1))
    market = TradingDay(Community(small, frame), 1, engine=FASTEST)
    results = list(market)
    days = play(small, Run(frame), FASTEST)

    total = together(days)
    assert [day.half_hours for day in days] == [48, 48] == [day.balanced for day in days]
    for name, own in total.households.items():
        bill = market.bill(name)
        assert (own.alone, own.market, own.saving) == (bill.grid_alone, bill.market, bill.saving)
        assert (own.imported, own.exported, own.bought, own.sold) == (
            bill.imported,
            bill.exported,
            bill.bought,
            bill.sold,
        )
        assert (own.performances, own.defaults, own.fees) == (bill.performances, bill.defaults, bill.fees)
    # What is exchanged with the supplier is what it pays and charges for.
    tariff = Tariff()
    invoiced = dict.fromkeys(small.names, 0)
    for record in records(small, Run(frame), FASTEST):
        for name, bill in record.result.bills.items():
            bought, sold = max(0, bill.imported - bill.bought), bill.exported - bill.sold
            resold = max(0, bill.bought - bill.imported)
            assert bill.grid == (sold + resold) * tariff.sbp - bought * tariff.ssp
            invoiced[name] += bought + sold + resold
    assert {name: own.invoiced for name, own in total.households.items()} == invoiced
    community = total.community
    assert community.bought == community.sold == sum(result.delivered for result in results)
    assert total.fees == community.fees == sum(result.fees for result in results)
    # Shared at best, the community pays for its net import and is paid for its net export.
    assert total.best == total.net_import * tariff.ssp - total.net_export * tariff.sbp
    assert total.best <= community.market <= community.alone
    assert total.net_import - total.net_export == community.imported - community.exported
    assert total.load - total.generation == community.imported - community.exported


def test_bids_and_deals(small: Base) -> None:
    (day,) = play(small, Run(Frame(sdr=(1, 2))), FASTEST)
    # Half of what the two buyers want is there: the shop bids 400 Wh, the flat 200 Wh, and 300 Wh are quoted. The
    # larger bid takes all.
    assert day.half_hours == 16
    flat, shop = day.households["flat"], day.households["shop"]
    assert (shop.bids, shop.deals, shop.wanted, shop.won) == (16, 16, 16 * 300, 16 * 300)
    assert (flat.bids, flat.deals, flat.wanted, flat.won) == (16, 0, 16 * 200, 0)
    assert (day.could_clear, day.cleared) == (16 * 300, 16 * 300)


def test_a_seller_that_quotes_more_than_it_has_pays_for_it(small: Base) -> None:
    frame = Frame(sdr=(1, 2))
    plain = together(play(small, Run(frame), FASTEST))
    boast = together(play(small, Run(frame, conduct={"roof": Conduct(quotes=2000)}), FASTEST))
    assert boast.supply == 2 * plain.supply
    assert plain.compensation == 0 < boast.compensation
    assert (plain.households["roof"].defaults, boast.households["roof"].defaults) == (0, 16)
    assert boast.households["roof"].saving < plain.households["roof"].saving


def test_a_buyer_may_bid_for_more_or_less(small: Base) -> None:
    frame = Frame(sdr=(5, 1))
    for factor, volume in ((500, 200), (1000, 400), (1500, 600)):
        (day,) = play(small, Run(frame, conduct={"shop": Conduct(bids=factor)}), FASTEST)
        assert day.households["shop"].wanted == 16 * volume
        assert day.households["flat"].wanted == 16 * 200


def test_a_bid_that_is_not_opened_wins_nothing_but_surplus(small: Base) -> None:
    (day,) = play(small, Run(Frame(sdr=(5, 1)), conduct={"shop": Conduct(reveals=0)}), FASTEST)
    shop = day.households["shop"]
    assert (shop.bids, shop.deals, shop.bought) == (0, 0, 16 * 400)
    (half,) = play(small, Run(Frame(sdr=(5, 1)), conduct={"shop": Conduct(reveals=500)}), FASTEST)
    assert 0 < half.households["shop"].bids < 16


def test_partners_trade_at_the_highest_price(small: Base) -> None:
    run = Run(Frame(sdr=(1, 2)), conduct={"flat": Conduct(partner="roof")})
    prices = {
        (offer.household, offer.price) for record in records(small, run, FASTEST) for offer in record.result.offers
    }
    assert ("flat", Tariff().highest_price) in prices
    assert {price for name, price in prices if name == "shop"} != {Tariff().highest_price}


def test_bids_that_are_opened_only_so_as_to_have_asked(shipped: Base) -> None:
    """They stand at the quotes' price, on all quotes but the largest; what they ask for is demand as any other."""
    frame, conduct = Frame(1, (1,), span=(22, 28)), {"rainy": Conduct(bids=100, decoys=900)}
    seen = 0
    plain = [record.result for record in records(shipped, Run(frame), FASTEST)]
    for before, record in zip(plain, records(shipped, Run(frame, conduct=conduct), FASTEST), strict=True):
        result = record.result
        # But for the Wh that rounding loses.
        assert 0 <= before.demand - result.demand <= 1
        mine, usual = ([bid for bid in of.offers if bid.household == "rainy"] for of in (result, before))
        if len({bid.quote_id for bid in result.offers}) == 1:
            assert [(bid.price, bid.volume) for bid in mine] == [(bid.price, bid.volume) for bid in usual]
        elif mine:
            seen += 1
            largest, *others = sorted(mine, key=lambda bid: -(bid.price))
            assert largest.price == result.bid_price
            assert {bid.price for bid in others} == {result.quote_price}
            forecast = record.row["rainy"].forecast_load
            assert largest.volume == forecast // 10
            assert sum(bid.volume for bid in others) <= forecast * 9 // 10
    assert seen > 2


def test_a_ranking_by_price_serves_who_bids_most(small: Base) -> None:
    # At SDR 0.5 there is half of what is wanted: 300 Wh, for which the shop bids 400 Wh and the flat 200 Wh, at more.
    conduct = {"flat": Conduct(eager=2000)}
    won = {}
    for by_price in (False, True):
        (day,) = play(small, Run(Frame(sdr=(1, 2)), conduct=conduct, rank_by_price=by_price), FASTEST)
        won[by_price] = tuple(day.households[name].won for name in ("flat", "shop"))
    assert won == {False: (0, 16 * 300), True: (16 * 200, 16 * 100)}


def test_own_prices_are_drawn_for_each_household_and_seed(shipped: Base) -> None:
    drawn = [own_prices(shipped, seed) for seed in range(1, 30)]
    assert drawn[0] == own_prices(shipped, 1) != drawn[1]
    prices = [conduct.eager for conducts in drawn for conduct in conducts.values()]
    assert set(drawn[0]) == set(shipped.names)
    assert 0 <= min(prices) < EAGER // 20
    assert EAGER * 19 // 20 < max(prices) <= EAGER
    assert abs(sum(prices) / len(prices) - EAGER / 2) < EAGER / 10


def test_what_no_meter_reported_costs_what_the_grid_charges() -> None:
    tariff = Tariff(sbp=60, ssp=180, service_fee=2)
    found = unreported(HalfHour(500, 100, 0, 0), Bill(), tariff)
    assert found == Totals(alone=400 * 180, market=400 * 180, imported=400, invoiced=400)
    # A neighbour delivered 100 of the 400 Wh, and the market has billed them; or 500, of which 100 were not used.
    found = unreported(HalfHour(500, 100, 0, 0), Bill(bought=100), tariff)
    assert found == Totals(alone=400 * 180, market=300 * 180, imported=400, invoiced=300 - 100)
    found = unreported(HalfHour(500, 100, 0, 0), Bill(bought=500), tariff)
    assert found == Totals(alone=400 * 180, market=0, imported=400, invoiced=100 - 500)
    assert unreported(HalfHour(100, 500, 0, 0), Bill(), tariff) == Totals()


def test_a_silent_household_is_compared_with_all_that_it_uses(small: Base) -> None:
    plain = together(play(small, Run(Frame()), FASTEST))
    silent = together(play(small, Run(Frame(), conduct={"shop": Conduct(phantom=True, silent=True)}), FASTEST))
    for name, own in silent.households.items():
        assert (own.alone, own.imported) == (plain.households[name].alone, plain.households[name].imported)
        assert own.invoiced >= 0
    # What it quotes in three half-hours is never delivered; then it is out of the market.
    assert silent.households["shop"].defaults > 0
    assert silent.households["shop"].saving < plain.households["shop"].saving
    assert silent.balanced == silent.half_hours == 48


@pytest.mark.skipif(len(available()) < 2, reason="needs both engines: pip install 'wattproof[fast]'")
def test_gas_is_the_same_on_both_engines(small: Base) -> None:
    run = Run(Frame(span=(20, 23)))
    one, other = (metered(small, run, engine) for engine in ("pyevm", "revm"))
    assert one == other
    # Two of the three half-hours are weighed: three readings each; registrations and deposits are left out.
    assert one.calls["submit_reading"] == 6
    assert not set(one.calls) & {"register", "authorize", "deposit"}
    # No transaction is below its intrinsic gas.
    assert all(one.gas[name] >= 21_000 * calls for name, calls in one.calls.items())
