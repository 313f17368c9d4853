"""The communities of the study: what is the file's own, what is varied, and that the seed alone decides it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.study.conftest import DAY, write_day
from wattproof.simulation.households import BadInput, Habit, PeriodRow, open_households
from wattproof.study.communities import NEVER_RIGHT, TURBINE, Base, Community, Frame


def rows(base: Base, **frame: object) -> list[PeriodRow]:
    return list(Community(base, Frame(**frame)))  # type: ignore[arg-type]


def test_day_0_is_the_file_with_the_forecasts_of_a_trading_day(shipped: Base) -> None:
    file = open_households(seed=3)
    own = rows(Base.of(file), seed=3, days=(0,))
    assert own == list(file)
    assert [row.period for row in own] == list(range(DAY))


def test_other_days_differ_and_repeat_with_the_seed(shipped: Base) -> None:
    first, again, other = (rows(shipped, seed=seed, days=(1,)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first != rows(shipped, seed=1, days=(2,))
    # A day is the same wherever it stands.
    assert [dict(row) for row in rows(shipped, seed=1, days=(5, 1))[DAY:]] == [dict(row) for row in first]


def test_varied_days_stay_in_their_bounds(small: Base) -> None:
    for row in rows(small, seed=9, days=tuple(range(1, 31))):
        # Up to 15 % and up to 25 % more or less, and rounding.
        assert 100 * 0.85 * 0.75 - 1 <= row["roof"].load <= 100 * 1.15 * 1.25 + 1
        # The darkest day leaves 25 %, of which clouds take up to 20 %; nothing at night.
        clear = small.days[0]["roof"][row.period % DAY].pv
        assert clear * 0.2 - 1 <= row["roof"].pv <= clear
        assert row["flat"].pv == row["shop"].pv == 0


def test_every_forecast_is_wrong(shipped: Base) -> None:
    least, most = NEVER_RIGHT
    seen = 0
    for row in rows(shipped, seed=1, days=(1, 2), never_right=True):
        for half_hour in row.values():
            for actual, expected in (half_hour[0:3:2], half_hour[1:4:2]):
                # To the nearest Wh.
                assert least * actual - 500 <= 1000 * abs(expected - actual) <= most * actual + 500
                seen += actual > 0
    assert seen > 500


def test_the_turbine_turns_at_night_at_the_smallest_prosumer(shipped: Base) -> None:
    plain, windy = (rows(shipped, seed=1, days=(1, 2, 3), windy=windy) for windy in (False, True))
    assert Community(shipped, Frame(windy=True)).turbine == "breezy"
    gained = {name: 0 for name in shipped.names}
    for before, after in zip(plain, windy, strict=True):
        for name in shipped.names:
            assert after[name].load == before[name].load
            wind = after[name].pv - before[name].pv
            hour = before.period % DAY // 2
            assert 0 <= wind <= (TURBINE if not 6 <= hour < 20 else TURBINE * 4 // 10)
            gained[name] += wind
    assert {name for name, wind in gained.items() if wind} == {"breezy"}


def test_nothing_is_varied_beyond_the_connection(tmp_path: Path) -> None:
    path = write_day(tmp_path / "day.csv")
    lines = path.read_text().splitlines()
    wires = {"roof": 1000, "flat": 210, "shop": 400}
    wired = [f"{line},{wires[line.split(',')[1]]}" for line in lines[1:]]
    path.write_text("\n".join([f"{lines[0]},capacity_wh", *wired]) + "\n")
    base = Base.of(open_households(path))
    assert base.capacities == wires
    cut = 0
    frames: list[dict[str, Any]] = [{}, {"windy": True}, {"never_right": True}]
    for frame in frames:
        community = Community(base, Frame(seed=1, days=(0, 1, 2), **frame))
        assert community.capacities == wires
        for row in community:
            assert all(max(half_hour) <= wires[name] for name, half_hour in row.items())
            cut += row["shop"].load == 400
    assert cut > 3 * DAY
    # A connection serves the load that is dealt to its household, copies have their original's, and where supply is
    # scaled connections carry what it takes: at SDR 20 the roof gives 20 times the 600 Wh that the others lack.
    assert Community(base, Frame(size=5)).capacities == {**wires, "roof 2": 1000, "flat 2": 210}
    for seed in range(1, 9):
        community = Community(base, Frame(seed=seed, shuffled=True))
        assert all(row["flat"].load <= community.capacities["flat"] for row in community)
    scaled = Community(base, Frame(sdr=(20, 1)))
    assert scaled.capacities == {"roof": 100 + 20 * 600, "flat": 210, "shop": 400}
    assert {row["roof"].pv for row in scaled} == {100 + 20 * 600}


def test_a_copy_takes_no_name_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    lines = [f"{period},{name},{load},0" for period in range(DAY) for name, load in (("a", 100), ("a 2", 900))]
    path.write_text("\n".join(["period,household,load_wh,pv_wh", *lines]) + "\n")
    community = Community(Base.of(open_households(path)), Frame(size=4))
    assert community.names == ("a", "a 2", "a 2 (2)", "a 2 2")
    assert next(iter(community))["a 2"].load == 900


def test_loads_are_dealt_among_consumers_but_the_largest(shipped: Base) -> None:
    loads = {name: sum(row[name].load for row in rows(shipped)) for name in shipped.names}
    seen = set()
    for seed in range(1, 9):
        dealt = {name: sum(row[name].load for row in rows(shipped, seed=seed, shuffled=True)) for name in shipped.names}
        assert sorted(dealt.values()) == sorted(loads.values())
        assert all(dealt[name] == loads[name] for name in (*shipped.prosumers, "rainy"))
        seen.add(tuple(dealt.values()))
    assert len(seen) > 4


def test_loads_are_alike_but_the_largests_which_is_half_as_much_again(shipped: Base) -> None:
    """The paper's description of its consumers' demand; what they use together stays as it was."""
    for before, after in zip(rows(shipped), rows(shipped, alike=True), strict=True):
        assert sum(after[name].load for name in shipped.consumers) == sum(
            before[name].load for name in shipped.consumers
        )
        assert all(after[name] == before[name] for name in shipped.prosumers)
        others = [after[name].load for name in shipped.consumers if name != "rainy"]
        assert max(others) - min(others) <= 1
        assert abs(after["rainy"].load - Fraction(3, 2) * min(others)) <= 2
    # Later days vary, each household's by itself; its habit is the file's.
    community = Community(shipped, Frame(seed=1, days=(1,), alike=True))
    assert community.classes == Community(shipped, Frame()).classes
    varied = list(community)[24]
    assert len({varied[name].load for name in shipped.consumers}) > 5


def test_loads_that_are_alike_keep_the_errors_of_a_files_own_forecasts(tmp_path: Path) -> None:
    base = Base.of(open_households(write_day(tmp_path / "day.csv", forecasts=True)))
    # 600 Wh, of which the shop has three of five parts, and twice as much is expected of it.
    row = rows(base, alike=True)[0]
    assert (row["flat"][0], row["flat"].forecast_load) == (240, 264)
    assert (row["shop"][0], row["shop"].forecast_load) == (360, 720)


@pytest.mark.parametrize("ratio", [(1, 20), (1, 1), (20, 1)])
def test_supply_over_demand_is_the_ratio(shipped: Base, ratio: tuple[int, int]) -> None:
    made = rows(shipped, sdr=ratio)
    assert len(made) > 20
    for row in made:
        nets = [half_hour.forecast_pv - half_hour.forecast_load for half_hour in row.values()]
        supply, demand = sum(net for net in nets if net > 0), -sum(net for net in nets if net < 0)
        assert abs(supply - demand * Fraction(*ratio)) <= Fraction(1, 2)
        assert all((half_hour.load, half_hour.pv) == half_hour[2:] for half_hour in row.values())


@pytest.mark.parametrize("size", [1, 9, 10, 25])
def test_a_community_of_any_size(shipped: Base, size: int) -> None:
    community = Community(shipped, Frame(size=size, span=(20, 22)))
    assert len(community.names) == len(set(community.names)) == size
    row = next(iter(community))
    assert tuple(row) == community.names
    if size == 25:
        assert community.names[10] == "sunny 2"
        # Copies have the panels and habits of their original, but not its loads.
        assert row["sunny 2"].pv == row["sunny"].pv
        assert community.classes["sunny 2"] is community.classes["sunny"]
        assert [row[name].load for name in community.names[10:20]] != [row[name].load for name in community.names[:10]]


def test_nobody_is_no_community(shipped: Base) -> None:
    with pytest.raises(ValueError, match="at least one household"):
        Community(shipped, Frame(size=0))


def test_a_files_own_forecasts_keep_their_errors(tmp_path: Path) -> None:
    base = Base.of(open_households(write_day(tmp_path / "day.csv", forecasts=True)))
    assert {name: base.classes[name] for name in ("roof", "flat", "shop")} == {
        "roof": Habit.REGULAR,
        "flat": Habit.IRREGULAR,
        "shop": Habit.IRREGULAR,
    }
    for row in rows(base, days=(1,)):
        assert row["roof"].forecast_load == row["roof"].load
        assert row["shop"].forecast_load == 2 * row["shop"].load
        assert row["flat"].forecast_load == row["flat"].load * 220 // 200


def test_days_of_a_longer_file_take_turns(tmp_path: Path) -> None:
    path = write_day(tmp_path / "days.csv", days=2)
    lines = path.read_text().splitlines()
    # On the second day the shop is closed.
    lines[1 + 3 * DAY :] = [line.replace(",shop,400,", ",shop,0,") for line in lines[1 + 3 * DAY :]]
    path.write_text("\n".join(lines) + "\n")
    base = Base.of(open_households(path))
    closed = [all(row["shop"].load == 0 for row in rows(base, days=(day,))) for day in range(4)]
    assert closed == [False, True, False, True]


def test_part_of_a_day_is_refused(tmp_path: Path) -> None:
    path = write_day(tmp_path / "day.csv")
    path.write_text("\n".join(path.read_text().splitlines()[:-3]) + "\n")
    with pytest.raises(BadInput, match="47 periods: a study needs whole days of 48 each"):
        Base.of(open_households(path))
