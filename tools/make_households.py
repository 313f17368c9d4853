"""Make the default input of a trading day, `wattproof/data/households.csv`. Modelled, not measured.

Ten households, three of them with solar panels (30 %, as in section 5.2.1 of Guo et al. 2023,
doi 10.3389/fenrg.2022.1007694), over the 48 half-hours of a cloudless summer day. The load is drawn from the
occupancy model of Richardson et al. (package richardsonpy), the solar output from a clear-sky model (package
pvlib) at Bracknell, in the Thames Valley, where the paper's own data were measured. What the models leave out
is written in `wattproof/data/README.md`.

Run once, in an environment of its own; nothing here is a dependency of the project:

    python3.11 -m venv /tmp/households
    /tmp/households/bin/pip install richardsonpy==0.2.3 pvlib==0.16.1 \\
        numpy==2.4.6 scipy==1.17.1 pandas==3.1.1 h5py==3.16.0
    /tmp/households/bin/python tools/make_households.py wattproof/data/households.csv

It takes two to five minutes: the load model runs a whole year per household, of which one day is kept. It
also writes the SHA-256 of the file beside it, as `households.csv.sha256`. The same versions and the same seed
give the same bytes.

richardsonpy is under the GPL-3.0 licence. Its output may be passed on under any terms; its code may not be
copied into this project, and is not: it is only called here.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pvlib
from richardsonpy.classes.electric_load import ElectricLoad
from richardsonpy.classes.occupancy import Occupancy
from richardsonpy.functions.change_resolution import change_resolution
from richardsonpy.functions.load_radiation import get_rad_from_try_path

SEED = 2019
"""Household number i (from 0) is drawn with the seed SEED * 100 + i, for `random` and for `numpy` alike."""

DAY = datetime.date(2019, 6, 21)
"""The day kept, a Friday. 2019 is the year of the paper's prices."""

TIMEZONE = "Europe/London"
"""Period 0 begins at midnight by the clock on the wall, as the half-hours of the electricity trade do."""

HALF_HOURS = 48
MINUTES = 30

SITE = pvlib.location.Location(latitude=51.416, longitude=-0.749, tz=TIMEZONE, altitude=70, name="Bracknell")

INVERTER_EFFICIENCY = 0.96
SYSTEM_LOSSES = 0.14
"""Soiling, wiring, mismatch and so on: the usual figure of the PVWatts model."""

TEMPERATURE_COEFFICIENT = -0.004
"""Power lost per kelvin of cell temperature above 25 degrees C, crystalline silicon."""

AIR_TEMPERATURE = 20.0
"""Degrees C, all day: the clear-sky model has no weather."""

WIND_SPEED = 2.0
"""Metres per second, all day, for the same reason."""

ANNUAL_DEMAND = {1: 1900, 2: 2900, 3: 3400, 4: 4100, 5: 5000}
"""kWh a year by number of occupants: round figures for British homes without electric heating, which the
model's appliances are calibrated to. The library's own figures are German."""


@dataclass(frozen=True)
class Roof:
    """Solar panels: peak power in kW, tilt from the horizontal and azimuth (180 is south), in degrees."""

    peak_kw: float
    tilt: float
    azimuth: float


@dataclass(frozen=True)
class Home:
    """One household: its name, its number of occupants (1 to 5), its solar panels if it has any."""

    name: str
    occupants: int
    roof: Roof | None = None


HOMES = (
    Home("sunny", 2, Roof(2.4, 35, 180)),
    Home("bright", 3, Roof(2.0, 30, 150)),
    Home("breezy", 4, Roof(2.0, 40, 135)),
    Home("stormy", 2),  # consumer 1 of the paper: irregular habits, as is the next
    Home("gusty", 3),
    Home("cloudy", 2),  # consumers 3 to 5: ordinary habits
    Home("misty", 3),
    Home("rainy", 5),  # consumer 5, "usually has higher demand" (section 5.3.2)
    Home("balmy", 3),  # consumers 6 and 7: regular habits
    Home("mild", 2),
)


def load_of(home: Home, seed: int, direct: np.ndarray, diffuse: np.ndarray) -> np.ndarray:
    """The load of one household on DAY, a mean power in W per half-hour (48 values).

    `direct` and `diffuse` are a year of radiation in W/m2 by the minute; they decide when lights go on.
    """
    random.seed(seed)
    np.random.seed(seed)  # the library draws from both generators
    first_weekday = datetime.date(DAY.year, 1, 1).isoweekday()
    occupancy = Occupancy(number_occupants=home.occupants, initial_day=first_weekday)
    year = ElectricLoad(
        occ_profile=occupancy.occupancy,
        total_nb_occ=home.occupants,
        q_direct=direct,
        q_diffuse=diffuse,
        annual_demand=ANNUAL_DEMAND[home.occupants],
        prev_heat_dev=True,  # heated by gas, as most British homes are
        light_config=seed % 100,
        timestep=60,
        initial_day=first_weekday,
        do_normalization=True,  # without it the year's sum overshoots the annual demand by far
    ).loadcurve
    start = (DAY - datetime.date(DAY.year, 1, 1)).days * HALF_HOURS * MINUTES
    return year[start : start + HALF_HOURS * MINUTES].reshape(HALF_HOURS, MINUTES).mean(axis=1)


def solar_of(roof: Roof) -> np.ndarray:
    """The output of panels on DAY under a cloudless sky, a mean power in W per half-hour (48 values)."""
    minutes = pd.date_range(
        pd.Timestamp(DAY, tz=TIMEZONE) + pd.Timedelta(seconds=30), periods=HALF_HOURS * MINUTES, freq="1min"
    )
    sky = SITE.get_clearsky(minutes, model="ineichen")
    sun = SITE.get_solarposition(minutes)
    plane = pvlib.irradiance.get_total_irradiance(
        roof.tilt,
        roof.azimuth,
        sun["apparent_zenith"],
        sun["azimuth"],
        sky["dni"],
        sky["ghi"],
        sky["dhi"],
    )["poa_global"].fillna(0.0)
    cell = pvlib.temperature.sapm_cell(
        plane,
        AIR_TEMPERATURE,
        WIND_SPEED,
        **pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["sapm"]["close_mount_glass_glass"],
    )
    direct_current = pvlib.pvsystem.pvwatts_dc(plane, cell, roof.peak_kw * 1000, TEMPERATURE_COEFFICIENT)
    direct_current *= 1 - SYSTEM_LOSSES
    power = pvlib.inverter.pvwatts(direct_current, roof.peak_kw * 1000 / INVERTER_EFFICIENCY, INVERTER_EFFICIENCY)
    return power.to_numpy().reshape(HALF_HOURS, MINUTES).mean(axis=1)


def watt_hours(power: np.ndarray) -> list[int]:
    """Whole Wh per half-hour from a mean power in W, halves up."""
    return [int(np.floor(mean * MINUTES / 60 + 0.5)) for mean in power]


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the modelled default input of a trading day.")
    parser.add_argument("output", type=Path, help="CSV to write; its SHA-256 goes beside it")
    output: Path = parser.parse_args().output

    # German test reference year, hourly. The load model demands its own time step of a minute.
    direct, diffuse = (change_resolution(q, old_res=3600, new_res=60) for q in get_rad_from_try_path())

    load: dict[str, list[int]] = {}
    solar: dict[str, list[int]] = {}
    for number, home in enumerate(HOMES):
        load[home.name] = watt_hours(load_of(home, SEED * 100 + number, direct, diffuse))
        solar[home.name] = watt_hours(solar_of(home.roof)) if home.roof else [0] * HALF_HOURS
        print(f"{home.name:8} load {sum(load[home.name]):6} Wh, solar {sum(solar[home.name]):6} Wh", flush=True)

    lines = ["period,household,load_wh,pv_wh"]
    for period in range(HALF_HOURS):
        for home in HOMES:
            lines.append(f"{period},{home.name},{load[home.name][period]},{solar[home.name][period]}")
    content = ("\n".join(lines) + "\n").encode("ascii")
    output.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    output.with_name(output.name + ".sha256").write_text(f"{digest}  {output.name}\n", encoding="ascii")
    print(digest)


if __name__ == "__main__":
    main()
