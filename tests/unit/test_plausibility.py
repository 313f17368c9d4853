"""Warnings about energies that are likely of another unit, or a register; no warning about a plausible community."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from wattproof.simulation.households import DEFAULT_FILE, open_households

DAY = 48
SUN = [0] * 14 + [3, 40, 200, 420, 700, 950, 1100, 1200, 1150, 1000, 820, 600, 400, 250, 120, 30] + [0] * 18
USE = [45, 45, 110, 45, 45, 45, 45, 45, 46, 300, 900, 350, 210, 44, 45, 300, 1600, 90, 45, 45, 44, 46, 300, 260] * 2

KWH = "is this kWh? Then multiply by 1000"
REGISTER = "never falls: is this a meter's register? Then take differences"


def warnings(
    folder: Path,
    load: Sequence[int],
    pv: Sequence[int] | None = None,
    capacity: int | None = None,
    forecasts: tuple[Sequence[int], Sequence[int]] | None = None,
    period_length: int = 1800,
) -> tuple[str, ...]:
    """What a file says of one household, without its name."""
    columns = {"load_wh": load, "pv_wh": pv or [0] * len(load)}
    if forecasts:
        columns |= {"forecast_load_wh": forecasts[0], "forecast_pv_wh": forecasts[1]}
    if capacity:
        columns["capacity_wh"] = [capacity] * len(load)
    lines = [",".join(("period", "household", *columns))]
    for period, values in enumerate(zip(*columns.values(), strict=True)):
        lines.append(",".join(map(str, (period, "roof", *values))))
    path = folder / "one.csv"
    path.write_text("\n".join(lines) + "\n")
    found = open_households(path, period_length=period_length).warnings
    return tuple(line.removeprefix("household 'roof': ") for line in found)


# -- What is plausible ----------------------------------------------------------------------------------


def test_the_shipped_file_has_no_warnings() -> None:
    assert open_households(DEFAULT_FILE).warnings == ()


def test_a_home_with_panels(tmp_path: Path) -> None:
    assert warnings(tmp_path, USE, SUN) == ()


def test_a_file_of_15_minutes_and_one_of_hours(tmp_path: Path) -> None:
    assert warnings(tmp_path, USE, SUN, period_length=900) == ()
    assert warnings(tmp_path, USE, SUN, period_length=3600) == ()


def test_1_wh_in_a_half_hour_at_night(tmp_path: Path) -> None:
    assert warnings(tmp_path, [1, 0, 1, 30]) == ()


def test_little_use_all_day(tmp_path: Path) -> None:
    assert warnings(tmp_path, [20, 12] * 24) == ()


def test_a_constant_load(tmp_path: Path) -> None:
    assert warnings(tmp_path, [250] * DAY) == ()


def test_a_school(tmp_path: Path) -> None:
    assert warnings(tmp_path, [2000] * 16 + [30_000, 42_000, 38_000, 40_000] * 4 + [3000] * 16, capacity=69_000) == ()


def test_a_solar_farm_of_500_kw_that_uses_little_itself(tmp_path: Path) -> None:
    farm = [200 * sun for sun in SUN]
    assert warnings(tmp_path, [150] * DAY, farm, capacity=250_000) == ()
    assert warnings(tmp_path, [0] * DAY, farm, capacity=250_000) == ()


def test_a_morning_in_which_the_sun_only_rises(tmp_path: Path) -> None:
    assert warnings(tmp_path, USE[14:22], SUN[14:22]) == ()


def test_forecasts_of_a_home(tmp_path: Path) -> None:
    assert warnings(tmp_path, USE, SUN, forecasts=([load * 3 for load in USE], [sun // 2 for sun in SUN])) == ()


# -- What is not ----------------------------------------------------------------------------------------


def test_kwh(tmp_path: Path) -> None:
    assert warnings(tmp_path, [1], [2]) == (f"load_wh at most 1 and pv_wh at most 2 in a period: {KWH}",)
    assert warnings(tmp_path, [0, 1, 0, 11]) == (f"load_wh at most 11 in a period: {KWH}",)


def test_kwh_in_one_column(tmp_path: Path) -> None:
    assert warnings(tmp_path, USE, [sun // 1000 for sun in SUN]) == (f"pv_wh at most 1 in a period: {KWH}",)


def test_kwh_of_a_large_connection(tmp_path: Path) -> None:
    farm = [sun // 5 for sun in SUN]
    assert warnings(tmp_path, [9, 14] * 24, farm, capacity=250_000) == (
        f"load_wh at most 14 and pv_wh at most 240 in a period: {KWH}",
    )


def test_kwh_of_other_periods(tmp_path: Path) -> None:
    assert warnings(tmp_path, [5, 3], period_length=900) == (f"load_wh at most 5 in a period: {KWH}",)
    assert warnings(tmp_path, [23, 3], period_length=3600) == (f"load_wh at most 23 in a period: {KWH}",)


def test_forecasts_in_kwh(tmp_path: Path) -> None:
    farm = [200 * sun for sun in SUN]
    ahead = ([1] * DAY, [sun // 1000 for sun in farm])
    assert warnings(tmp_path, USE, farm, capacity=250_000, forecasts=ahead) == (
        f"forecast_load_wh at most 1 and forecast_pv_wh at most 240 in a period: {KWH}",
    )


def test_a_day_of_nothing(tmp_path: Path) -> None:
    assert warnings(tmp_path, [0] * DAY) == ("uses and gives nothing all day: is this kWh, rounded?",)
    assert warnings(tmp_path, [0] * (DAY - 1)) == ()


def counter(start: int, steps: Sequence[int]) -> list[int]:
    """What a register says after each period."""
    return [start + sum(steps[: at + 1]) for at in range(len(steps))]


def test_a_register_in_wh(tmp_path: Path) -> None:
    assert warnings(tmp_path, counter(2_411_951, USE), capacity=3_000_000)[0].endswith(f"; load_wh {REGISTER}")
    assert warnings(tmp_path, counter(200_000, USE), SUN, 250_000) == (f"load_wh {REGISTER}",)
    assert warnings(tmp_path, counter(5_000, USE[:8]), SUN[:8]) == (f"load_wh {REGISTER}",)


def test_a_register_in_kwh(tmp_path: Path) -> None:
    assert warnings(tmp_path, counter(5_213, [0, 0, 1, 0, 0, 1] * 8)) == (f"load_wh {REGISTER}",)


def test_an_inverters_yield_of_the_day(tmp_path: Path) -> None:
    assert warnings(tmp_path, USE, counter(0, SUN)) == (f"pv_wh {REGISTER}",)
    assert warnings(tmp_path, USE * 2, counter(0, SUN) * 2) == (f"pv_wh {REGISTER}",)


def test_a_capacity_in_kwh_or_amperes(tmp_path: Path) -> None:
    assert warnings(tmp_path, [80, 40], capacity=100) == ("capacity_wh is 100: is this kWh, kW or amperes?",)


def test_a_capacity_of_a_power_station(tmp_path: Path) -> None:
    assert warnings(tmp_path, USE, capacity=2_411_951) == (
        "capacity_wh is 2411951, more than a low-voltage grid brings: is this a register?",
    )


def test_many_households_are_few_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "many.csv"
    path.write_text("period,household,load_wh,pv_wh\n" + "".join(f"0,roof {at},1,0\n" for at in range(140)))
    households = open_households(path)
    assert len(households.warnings) == 11
    assert households.warnings[-1] == "130 more households look like that"
    households.warn()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"{path}: warning: household 'roof 0': load_wh at most 1 in a period: {KWH}"
    assert len(lines) == 11
