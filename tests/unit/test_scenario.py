"""The trading day (`wattproof.scenario`) on small communities, with bills reckoned by hand."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import pytest

from wattproof import footprint, scenario
from wattproof.bills import BooksDoNotBalance
from wattproof.deployment import Tariff
from wattproof.engine import available
from wattproof.households import open_households
from wattproof.scenario import PeriodResult, TradingDay, apportion, simulate

TARIFF = Tariff(sbp=60, ssp=180, service_fee=2, priority_step=500)
"""Small round prices in base units per Wh; the price band is [62, 178]."""

FASTEST = available()[-1]
"""What the hand-reckoned days run on; that both engines agree is a test of its own."""

HEADER = "period,household,load_wh,pv_wh,forecast_load_wh,forecast_pv_wh"


def csv(folder: Path, *rows: str, header: str = HEADER) -> Path:
    """A file of `rows`, in the form `period,household,load,pv,forecast load,forecast pv`."""
    path = folder / "households.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def play(path: Path, seed: int = 1, engine: str = FASTEST) -> tuple[TradingDay, list[PeriodResult]]:
    """Runs a file to its end."""
    day = simulate(open_households(path, seed=seed), seed, TARIFF, engine)
    return day, list(day)


def costs(day: TradingDay, name: str) -> tuple[int, int, int]:
    """A household's costs with the grid alone and with the market, and its saving, in base units."""
    bill = day.bill(name)
    return bill.grid_alone, bill.market, bill.saving


# ---- bills reckoned by hand ------------------------------------------------------------------


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
    monkeypatch.setattr(scenario, "BOOK_SIZE", 1)
    path = csv(tmp_path, "0,sunny,0,1000,0,1000", "0,cloudy,300,0,300,0", "0,rainy,200,0,200,0")
    day, (period,) = play(path)

    assert [(trade.buyer, trade.kind, trade.volume, trade.price) for trade in period.trades] == [
        ("cloudy", "bid", 300, 62),
        ("rainy", "surplus", 200, 62),
    ]
    # Bought before the delivery, both ways count as agreed.
    assert (day.bill("cloudy").performances, day.bill("rainy").performances) == (1, 1)


def test_nobody_bids_on_more_quotes_than_its_reach(tmp_path: Path) -> None:
    sellers = [f"0,roof{number},0,100,0,100" for number in range(6)]
    _, (period,) = play(csv(tmp_path, *sellers, "0,cloudy,600,0,600,0"))

    bids = [trade for trade in period.trades if trade.kind == "bid"]
    assert len(bids) == scenario.REACH
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
    purses = day.books.purses
    others = sum(purses[party].free - purses[party].deposited for party in (day.owner, day.supplier))
    assert sum(day.bill(name).market for name in day.members) == others


def test_a_party_that_runs_out_of_money_is_topped_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario, "FLOAT", 1)
    path = csv(tmp_path, "0,sunny,0,1000,0,1000", "0,cloudy,3000,0,300,0")
    day, (period,) = play(path)

    assert period.balances_match
    assert costs(day, "cloudy") == (3000 * 180, 1000 * 64 + 2000 * 180, 1000 * 116)
    assert all(purse.invoice == 0 for purse in day.books.purses.values())


def test_energies_at_the_limit(tmp_path: Path) -> None:
    most = 2**48 - 1
    day, (period,) = play(csv(tmp_path, f"0,sunny,0,{most},0,{most}", f"0,cloudy,{most},0,{most},0"))

    assert period.balances_match
    assert period.delivered == most
    assert day.bill("cloudy").saving == most * (180 - 62 - 2)


def test_a_donated_token_ends_the_run_and_names_the_period(tmp_path: Path) -> None:
    day = simulate(open_households(csv(tmp_path, "3,sunny,0,9,0,9", "3,cloudy,9,0,9,0")), 1, TARIFF, FASTEST)
    stranger = str(day.env.generate_address())
    day.env.set_balance(stranger, 1)
    day.token.mint(value=1, sender=stranger)
    day.token.transfer(day.market.address, 1, sender=stranger)

    with pytest.raises(BooksDoNotBalance, match=r"^period 3: the accounts add up to \d+ base units, but the market"):
        list(day)


def test_a_bill_that_differs_from_the_market_ends_the_run(tmp_path: Path) -> None:
    day = simulate(open_households(csv(tmp_path, "3,sunny,0,9,0,9", "3,cloudy,9,0,9,0")), 1, TARIFF, FASTEST)
    day.bill("cloudy").fees += 1

    with pytest.raises(BooksDoNotBalance, match=r"^period 3: cloudy paid \d+ base units, but its bill says \d+$"):
        list(day)


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
    assert reference.books.purses == fast_day.books.purses


@pytest.mark.skipif("revm" not in available(), reason="pyrevm is not installed")
def test_dropping_revms_undo_log_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        f"{period},{name},{load},{pv},{load},{pv}"
        for period in range(6)
        for name, load, pv in (("sunny", 10, 700 * (period != 2)), ("cloudy", 500, 0), ("rainy", 450 + period, 0))
    ]
    path = csv(tmp_path, *rows)
    kept, before = play(path, engine="revm")
    monkeypatch.setattr(footprint, "MOST_FRAMES", 1)
    dropped, after = play(path, engine="revm")

    assert before == after
    assert kept.books.purses == dropped.books.purses
    frames = [day.env.evm._revm.journal_len for day in (kept, dropped)]
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
    assert [result.chain_period * TARIFF.period_length - scenario.EPOCH for result in results] == [0, 1800]


# ---- memory ------------------------------------------------------------------------------------


def test_memory_on_pyevm_does_not_grow_with_the_periods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A cache that is full at once: what it gains until then is not growth.
    monkeypatch.setattr(footprint, "CACHED", 64)
    rows = [
        f"{period},{name},{load + period % 7},{pv},{load},{pv}"
        for period in range(10)
        for name, load, pv in (("sunny", 10, 700), ("cloudy", 500, 0), ("rainy", 450, 0))
    ]
    day = simulate(open_households(csv(tmp_path, *rows)), 1, TARIFF, "pyevm")
    blocks: list[int] = []
    stored: list[int] = []
    for result in day:
        del result
        gc.collect()
        blocks.append(sys.getallocatedblocks())
        stored.append(len(day.footprint.slots or ()))

    # The chain keeps every reading and trade, on disk: nine words a period. Without `Footprint` a period adds 700 to
    # 970 blocks of memory.
    assert stored[7] - stored[3] >= 4 * 9
    assert blocks[7] - blocks[3] < 4 * 150
    # Nothing was pruned: the first period can still be looked up.
    sunny, first = day.members["sunny"], scenario.EPOCH // TARIFF.period_length
    reading = day.market.reading(sunny.address, first)
    assert (reading.present, reading.exported, reading.imported) == (True, 690, 0)
    assert day.market.position(sunny.address, first).settled
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
