"""The input of a trading day: every fault by its exact line, bounded memory, and forecast errors."""

import errno
import hashlib
import itertools
import os
import random
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattproof.simulation.households import (
    DEFAULT_FILE,
    DEFAULT_HABITS,
    LIMIT,
    PERIOD_LIMIT,
    PROPORTION,
    SPREADS,
    BadInput,
    Forecaster,
    Habit,
    HalfHour,
    habit_of,
    open_households,
    usual_capacity,
)

HEADER = "period,household,load_wh,pv_wh\n"
FULL_HEADER = "period,household,load_wh,pv_wh,forecast_load_wh,forecast_pv_wh\n"
WIRED_HEADER = "period,household,load_wh,pv_wh,capacity_wh\n"
COLUMNS = "period, household, load_wh, pv_wh, forecast_load_wh, forecast_pv_wh, capacity_wh"
NET = " (what is used is 0 or more; is this net energy? What panels give stands in pv_wh)"
INVERTER = " (what panels give is 0 or more; what an inverter draws at night belongs to load_wh)"
ADD = "(is this a meter's register, or power in W? Otherwise add a column capacity_wh)"
RAISE = "(is this a meter's register, or power in W? Otherwise raise its capacity_wh)"
NOT_THERE = os.strerror(errno.ENOENT).lower()
"""The system's own words."""

ROWS = "0,roof,100,400\n0,flat,200,0\n1,roof,110,390\n1,flat,210,0\n"


@pytest.fixture
def write(tmp_path):
    """Write a file and give its path."""

    def write(content: str | bytes) -> Path:
        path = tmp_path / "input.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refusal(path) -> str:
    """What `open_households` says about a bad file, without its path."""
    with pytest.raises(BadInput) as caught:
        open_households(path)
    text = str(caught.value)
    assert text.startswith(f"{path}:")
    assert text.isprintable(), "one line, whatever the input holds"
    return text.removeprefix(f"{path}:")


# -- Good files -----------------------------------------------------------------------------------------


def test_reads_period_by_period(write):
    households = open_households(write(HEADER + ROWS))
    assert households.names == ("roof", "flat")
    assert households.periods == 2
    assert households.first_period == 0
    assert households.prosumers == {"roof"}
    assert not households.has_forecasts
    rows = list(households)
    assert [row.period for row in rows] == [0, 1]
    assert [{name: (h.load, h.pv) for name, h in row.items()} for row in rows] == [
        {"roof": (100, 400), "flat": (200, 0)},
        {"roof": (110, 390), "flat": (210, 0)},
    ]


def test_can_be_read_again(write):
    households = open_households(write(HEADER + ROWS))
    assert list(households) == list(households)
    both = zip(households, households, strict=True)
    assert all(one == other for one, other in both), "two readers at once do not disturb each other"


def test_forecasts_of_the_file_are_taken_as_they_are(write):
    households = open_households(write(FULL_HEADER + "7,roof,100,400,90,500\n7,flat,200,0,999,3\n"))
    assert households.has_forecasts
    assert list(households) == [{"roof": HalfHour(100, 400, 90, 500), "flat": HalfHour(200, 0, 999, 3)}]


def test_columns_in_any_order(write):
    header = "forecast_pv_wh,pv_wh,household,load_wh,period,forecast_load_wh\n"
    households = open_households(write(header + "4,2,roof,1,9,3\n"))
    assert [(row.period, dict(row)) for row in households] == [(9, {"roof": HalfHour(1, 2, 3, 4)})]


def test_rows_of_a_period_in_any_order(write):
    households = open_households(write(HEADER + "5,a,1,0\n5,b,2,0\n6,b,4,0\n6,a,3,0\n"))
    rows = list(households)
    assert [list(row) for row in rows] == [["a", "b"], ["a", "b"]], "names keep their order"
    assert [row["a"].load for row in rows] == [1, 3]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + (HEADER + ROWS).encode(),
        (HEADER + ROWS).replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + (HEADER + ROWS).replace("\n", "\r\n").encode(),
        (HEADER + ROWS).encode().removesuffix(b"\n"),
        (HEADER + ROWS).replace("roof", '"roof"').encode(),
        (HEADER + ROWS).replace(",110,", ",00110,").encode(),
    ],
    ids=["byte order mark", "CRLF", "both", "no last line break", "quotes", "leading zeros"],
)
def test_other_ways_to_write_the_same(write, content):
    assert list(open_households(write(content))) == list(open_households(write(HEADER + ROWS)))


def test_names_beyond_ascii(write):
    households = open_households(write(HEADER + '0,"Hülya, née Ağa",1,0\n0,Łódź 7,1,0\n'))
    assert households.names == ("Hülya, née Ağa", "Łódź 7")


def test_largest_value(write):
    most = 2**24 - 1
    households = open_households(write(WIRED_HEADER + f"{2**48 - 1},a,{most},{most},{most}\n"))
    assert next(iter(households))["a"] == HalfHour(most, most, *next(iter(households))["a"][2:])
    assert households.first_period == 2**48 - 1
    assert households.capacities == {"a": most}
    assert (LIMIT, PERIOD_LIMIT) == (2**24, 2**48)


def test_capacities_of_the_file(write):
    households = open_households(
        write(WIRED_HEADER + "5,roof,1,2,9000\n5,flat,3,4,00017\n6,flat,17,0,17\n6,roof,0,0,9000\n")
    )
    assert households.capacities == {"roof": 9000, "flat": 17}
    assert not households.has_forecasts
    header = "capacity_wh,forecast_pv_wh,pv_wh,household,load_wh,period,forecast_load_wh\n"
    households = open_households(write(header + "8,4,2,roof,1,9,3\n"))
    assert (households.capacities, households.has_forecasts) == ({"roof": 8}, True)
    assert [dict(row) for row in households] == [{"roof": HalfHour(1, 2, 3, 4)}]


def test_seeded_forecasts_stay_within_the_capacity(write):
    rows = "".join(f"{period},roof,1000,1000,1000\n" for period in range(40))
    halves = [row["roof"] for row in open_households(write(WIRED_HEADER + rows), classes={"roof": Habit.IRREGULAR})]
    loads, panels = {half.forecast_load for half in halves}, {half.forecast_pv for half in halves}
    assert max(loads) == max(panels) == 1000
    assert min(loads) < 1000 > min(panels)


def test_capacity_of_a_usual_connection(write):
    # 23 kW: 100 A at 230 V.
    assert [usual_capacity(seconds) for seconds in (1800, 3600, 900, 1, 7)] == [11_500, 23_000, 5_750, 6, 44]
    assert usual_capacity(2**40) == 2**24 - 1
    path = write(HEADER + ROWS)
    assert open_households(path).capacities == {"roof": 11_500, "flat": 11_500}
    assert open_households(path, period_length=3600).capacities == {"roof": 23_000, "flat": 23_000}
    with pytest.raises(BadInput, match="pv_wh is beyond the capacity of household 'roof': 400 of 191 Wh"):
        open_households(path, period_length=30)


def test_path_as_text(write):
    assert open_households(str(write(HEADER + ROWS))).names == ("roof", "flat")


# -- Bad files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("household,load_wh,pv_wh", "1: no column period"),
        ("period,load_wh,pv_wh", "1: no column household"),
        ("period,household,pv_wh", "1: no column load_wh"),
        ("period,household,load_wh", "1: no column pv_wh"),
        ("period,household,load_wh,pv_wh,load_wh", "1: column load_wh stands there twice"),
        (
            "period,household,load_wh,pv_wh,forecast_load_wh",
            "1: column forecast_load_wh without forecast_pv_wh",
        ),
        (
            "period,household,load_wh,pv_wh,forecast_pv_wh",
            "1: column forecast_pv_wh without forecast_load_wh",
        ),
        (
            "period,household,load_wh,pv_wh,price",
            f"1: unknown column 'price'; columns are {COLUMNS}",
        ),
        (
            "Period,household,load_wh,pv_wh",
            f"1: unknown column 'Period'; columns are {COLUMNS}",
        ),
        (
            "period,household,load_kwh,pv_wh",
            f"1: unknown column 'load_kwh'; columns are {COLUMNS} (all energies in whole Wh, "
            "digits 0 to 9 only: a kWh is 1000)",
        ),
        (
            "period;household;load_wh;pv_wh",
            "1: unknown column 'period;household;load_wh;pv_wh': separate the columns with commas",
        ),
        (
            "period\thousehold\tload_wh\tpv_wh",
            "1: unknown column 'period\\thousehold\\tload_wh\\tpv_wh': separate the columns with commas",
        ),
        ("", "1: no column period"),
        (
            "period,,household,load_wh,pv_wh",
            f"1: unknown column ''; columns are {COLUMNS}",
        ),
        ('period,"household', "1: not CSV: a quotation mark is not closed"),
    ],
)
def test_bad_header(write, header, reason):
    assert refusal(write(f"{header}\n{ROWS}")) == reason


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        # numbers
        ("0,roof,-5,0", f"2: load_wh is negative: '-5'{NET}"),
        ("0,roof,5,-0.5", f"2: pv_wh is negative: '-0.5'{INVERTER}"),
        ("0,roof,lots,0", "2: load_wh is not a number: 'lots' (digits 0 to 9 only)"),
        ("0,roof,5,0x10", "2: pv_wh is not a number: '0x10' (digits 0 to 9 only)"),
        ("0,roof,nan,0", "2: load_wh is not a number: 'nan' (digits 0 to 9 only)"),
        ("0,roof,1e3,0", "2: load_wh is not a number: '1e3' (digits 0 to 9 only)"),
        ("0,roof,+5,0", "2: load_wh is not a number: '+5' (digits 0 to 9 only)"),
        ("0,roof,1_000,0", "2: load_wh is not a number: '1_000' (digits 0 to 9 only)"),
        ('0,roof,"1,000",0', "2: load_wh is not a number: '1,000' (digits 0 to 9 only)"),
        ("0,roof, 5,0", "2: load_wh is not a number: ' 5' (digits 0 to 9 only)"),
        ("0,roof,5,0 ", "2: pv_wh is not a number: '0 ' (digits 0 to 9 only)"),
        ("0,roof,１２,0", "2: load_wh is not a number: '１２' (digits 0 to 9 only)"),
        ("0,roof,5²,0", "2: load_wh is not a number: '5²' (digits 0 to 9 only)"),
        ("0,roof,.,0", "2: load_wh is not a number: '.' (digits 0 to 9 only)"),
        ("0,roof,-,0", "2: load_wh is not a number: '-' (digits 0 to 9 only)"),
        ("0,roof,1\0,0", "2: load_wh is not a number: '1\\x00' (digits 0 to 9 only)"),
        (
            "0,roof,12.5,0",
            "2: load_wh is not a whole number: '12.5' (round it to whole Wh: 13. If it is kWh, multiply by 1000)",
        ),
        (
            "0,roof,5.,0",
            "2: load_wh is not a whole number: '5.' (is this kWh? Multiply by 1000: 5000. If it is Wh, write 5)",
        ),
        ("0,roof,5,.5", "2: pv_wh is not a whole number: '.5' (is this kWh? Multiply by 1000: 500)"),
        # kWh
        ("0,roof,0.089,0", "2: load_wh is not a whole number: '0.089' (is this kWh? Multiply by 1000: 89)"),
        (
            "0,roof,5,0.0004",
            "2: pv_wh is not a whole number: '0.0004' (write 0: in kWh, too, it is less than half a Wh)",
        ),
        ("0,roof,5,8.9e-02", "2: pv_wh is not a whole number: '8.9e-02' (is this kWh? Multiply by 1000: 89)"),
        ('0,roof,"0,089",0', "2: load_wh is not a whole number: '0,089' (is this kWh? Multiply by 1000: 89)"),
        (
            '0,roof,"11,5",0',
            "2: load_wh is not a whole number: '11,5' (is this kWh? Multiply by 1000: 11500. If it is Wh, write 12)",
        ),
        ("0,roof,0.000,0", "2: load_wh is not a whole number: '0.000' (write it as 0)"),
        ("0,roof,0E-20,0", "2: load_wh is not a whole number: '0E-20' (write it as 0)"),
        (
            "0,roof,24119.51,0",
            "2: load_wh is not a whole number: '24119.51' "
            "(is this a meter's register? Then take the difference of two)",
        ),
        (f"0,roof,0.{'1' * 50},0", f"2: load_wh is not a number: '0.{'1' * 35}...' (digits 0 to 9 only)"),
        (
            "0,roof,24119510,0",
            "2: load_wh is too large: '24119510' (it must be below 2**24; is this a meter's register?)",
        ),
        (
            "0,roof,0.089 kWh,0",
            "2: load_wh is not a number: '0.089 kWh' (all energies in whole Wh, digits 0 to 9 only: a kWh is 1000)",
        ),
        ("0,roof,,0", "2: load_wh is missing"),
        ("0,roof,5,", "2: pv_wh is missing"),
        (
            "0,roof,16777216,0",
            "2: load_wh is too large: '16777216' (it must be below 2**24; is this a meter's register?)",
        ),
        (
            f"0,roof,5,{'9' * 4000}",
            f"2: pv_wh is too large: '{'9' * 37}...' (it must be below 2**24; is this a meter's register?)",
        ),
        # what a usual connection carries
        (
            "0,roof,5,0\n1,roof,11501,0",
            f"3: load_wh is beyond the capacity of household 'roof': 11501 of 11500 Wh {ADD}",
        ),
        (
            "0,roof,11500,16777215",
            f"2: pv_wh is beyond the capacity of household 'roof': 16777215 of 11500 Wh {ADD}",
        ),
        ("x,roof,5,0", "2: period is not a number: 'x' (digits 0 to 9 only)"),
        ("-1,roof,5,0", "2: period is negative: '-1'"),
        ("0.0,roof,5,0", "2: period is not a whole number: '0.0' (count periods 0, 1, 2 ...)"),
        (",roof,5,0", "2: period is missing"),
        ("281474976710656,roof,5,0", "2: period is too large: '281474976710656' (it must be below 2**48)"),
        # households
        ("0,,5,0", "2: household is blank"),
        ("0,  ,5,0", "2: household is blank"),
        ("0, roof,5,0", "2: household has spaces around it: ' roof'"),
        ("0,roof\t,5,0", "2: household has spaces around it: 'roof\\t'"),
        ("0,ro\x07of,5,0", "2: household holds characters that cannot be printed: 'ro\\x07of'"),
        ("0,ro\u2028of,5,0", "2: household holds characters that cannot be printed: 'ro\\u2028of'"),
        (f"0,{'r' * 65},5,0", f"2: household is longer than 64 characters: '{'r' * 37}...'"),
        ("0,=1+1,5,0", "2: household is a formula to a spreadsheet (no part of it may begin with = + - or @): '=1+1'"),
        ("0,roof,5,0\n0,Roof,5,0", "3: household 'Roof' looks like household 'roof' (give one another name)"),
        ("0,All,5,0", "2: household is what the bills call their sums (use another name): 'All'"),
        # rows
        ("0,roof,5", "2: 3 fields instead of 4"),
        ("0,roof,5,0,0", "2: 5 fields instead of 4"),
        ("\n0,roof,5,0", "2: blank line"),
        ("0,roof,5,0\n\n", "3: blank line"),
        (" ", "2: 1 fields instead of 4"),
        ('0,"roof,5,0', "2: not CSV: a quotation mark is not closed"),
        ('0,"ro"of,5,0', "2: not CSV: text follows a closing quotation mark"),
        ('0,"ro""of"x,5,0', "2: not CSV: text follows a closing quotation mark"),
        ('0,"ro\nof",5,0', "2: not CSV: a quotation mark is not closed"),
        ("0,roof,5,0\r0,flat,5,0", "2: not CSV: a carriage return within the line"),
        (f"0,roof,{'5' * 4096},0", "2: the line is longer than 4096 bytes"),
        # which rows
        ("0,roof,5,0\n0,flat,5,0\n0,roof,5,0", "4: a second row for household 'roof' in period 0"),
        ("0,roof,5,0\n1,roof,5,0\n01,roof,5,0", "4: a second row for household 'roof' in period 1"),
        ("0,roof,5,0\n0,flat,5,0\n1,roof,5,0", "4: no row for household 'flat' in period 1"),
        (
            "0,roof,5,0\n0,flat,5,0\n1,flat,5,0\n2,roof,5,0\n2,flat,5,0",
            "4: no row for household 'roof' in period 1",
        ),
        ("0,roof,5,0\n1,roof,5,0\n1,flat,5,0", "4: household 'flat' has no row in the first period"),
        (
            "0,roof,5,0\n2,roof,5,0",
            "3: period 2 after period 0: rows must be grouped by period, and periods must ascend one by one",
        ),
        (
            "5,roof,5,0\n4,roof,5,0",
            "3: period 4 after period 5: rows must be grouped by period, and periods must ascend one by one",
        ),
        (
            "0,roof,5,0\n1,roof,5,0\n0,flat,5,0\n1,flat,5,0",
            "4: period 0 after period 1: rows must be grouped by period, and periods must ascend one by one",
        ),
    ],
)
def test_bad_rows(write, rows, reason):
    assert refusal(write(f"{HEADER}{rows}\n")) == reason


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("0,roof,1,2,-3,4", f"2: forecast_load_wh is negative: '-3'{NET}"),
        ("0,roof,1,2,3,four", "2: forecast_pv_wh is not a number: 'four' (digits 0 to 9 only)"),
        ("0,roof,1,2,3,", "2: forecast_pv_wh is missing"),
        ("0,roof,1,2", "2: 4 fields instead of 6"),
        (
            "0,roof,1,2,11501,4",
            f"2: forecast_load_wh is beyond the capacity of household 'roof': 11501 of 11500 Wh {ADD}",
        ),
        (
            "0,roof,1,2,3,12000",
            f"2: forecast_pv_wh is beyond the capacity of household 'roof': 12000 of 11500 Wh {ADD}",
        ),
    ],
)
def test_bad_forecasts(write, row, reason):
    assert refusal(write(FULL_HEADER + row)) == reason


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("0,roof,1,2,0", "2: capacity_wh is 0 (write what the connection carries in a period)"),
        ("0,roof,1,2,", "2: capacity_wh is missing"),
        ("0,roof,1,2,-3", "2: capacity_wh is negative: '-3'"),
        (
            "0,roof,1,2,9.5",
            "2: capacity_wh is not a whole number: '9.5' (is this kWh? Multiply by 1000: 9500. If it is Wh, write 10)",
        ),
        (
            "0,roof,301,2,12",
            "2: load_wh is beyond the capacity of household 'roof': 301 of 12 Wh "
            "(is capacity_wh in kWh, kW or amperes? Otherwise raise its capacity_wh)",
        ),
        ("0,roof,1,2,much", "2: capacity_wh is not a number: 'much' (digits 0 to 9 only)"),
        ("0,roof,1,2,16777216", "2: capacity_wh is too large: '16777216' (it must be below 2**24)"),
        (
            "0,roof,1,2,3000\n0,flat,1,2,9\n1,flat,1,2,9\n1,roof,1,2,3001",
            "5: capacity_wh of household 'roof' is 3001 here and 3000 above (write one in all of its rows)",
        ),
        (
            "0,roof,301,2,300",
            f"2: load_wh is beyond the capacity of household 'roof': 301 of 300 Wh {RAISE}",
        ),
        (
            "0,roof,300,300,300\n1,roof,0,301,300",
            f"3: pv_wh is beyond the capacity of household 'roof': 301 of 300 Wh {RAISE}",
        ),
    ],
)
def test_bad_capacities(write, rows, reason):
    assert refusal(write(WIRED_HEADER + rows)) == reason


def test_a_fault_at_the_end_of_a_long_file(write):
    rows = "".join(f"{period},roof,1,0\n" for period in range(1000))
    assert refusal(write(f"{HEADER}{rows}1000,roof,one,0\n")) == (
        "1002: load_wh is not a number: 'one' (digits 0 to 9 only)"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", " is empty"),
        (b"\xef\xbb\xbf", "1: no column period"),
        (HEADER.encode(), " has no rows below its header"),
        ((HEADER + "0,roof,5,0\n").encode("utf-16"), "1: not UTF-8: save it as CSV UTF-8"),
        ((HEADER + "0,Möwe,5,0\n").encode("latin-1"), "2: not UTF-8: save it as CSV UTF-8"),
        (HEADER.encode() + b"0,\xed\xa0\x80,5,0\n", "2: not UTF-8"),
        (b"\0" * 10_000, "1: the line is longer than 4096 bytes"),
    ],
    ids=["empty", "byte order mark alone", "header alone", "UTF-16", "Latin-1", "surrogate", "zeros"],
)
def test_bad_content(write, content, reason):
    assert refusal(write(content)).startswith(reason)


def test_a_byte_order_mark_belongs_at_the_start(write):
    assert refusal(write(HEADER + "\ufeff0,roof,5,0\n")) == (
        "2: period is not a number: '\\ufeff0' (digits 0 to 9 only)"
    )


def test_no_such_file(tmp_path):
    assert refusal(tmp_path / "absent.csv") == f" {NOT_THERE}"


def test_directory(tmp_path):
    assert refusal(tmp_path) == " is a directory"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipe_does_not_wait_for_ever(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe") == " is not a regular file"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(write):
    path = write(HEADER + ROWS)
    path.chmod(0)
    assert refusal(path) == f" {os.strerror(errno.EACCES).lower()}"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("two\nlines.csv", f"two\\nlines.csv: {NOT_THERE}"),
        ("nul\0.csv", "nul\\x00.csv: is no path: it holds a NUL or a character that this system cannot write"),
        ("half\ud800.csv", "half\\ud800.csv: is no path: it holds a NUL or a character that this system cannot write"),
    ],
)
def test_an_odd_path_stays_on_one_line(path, text):
    with pytest.raises(BadInput) as caught:
        open_households(path)
    assert str(caught.value) == text


def test_parts_of_a_refusal(write):
    path = write(HEADER + "0,roof,5,x\n")
    with pytest.raises(BadInput) as caught:
        open_households(path)
    assert (caught.value.path, caught.value.line) == (path, 2)
    assert caught.value.reason == "pv_wh is not a number: 'x' (digits 0 to 9 only)"


def test_a_file_that_changes_after_its_check(write):
    path = write(HEADER + ROWS)
    households = open_households(path)
    path.write_text(HEADER + ROWS + "2,roof,5,0\n")
    with pytest.raises(BadInput, match=r": has changed since it was checked$"):
        list(households)


def test_a_file_that_vanishes_after_its_check(write):
    path = write(HEADER + ROWS)
    households = open_households(path)
    path.unlink()
    with pytest.raises(BadInput, match=f": {NOT_THERE}$"):
        list(households)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        open_households(path)
    assert str(caught.value).isprintable()


@given(st.text(alphabet='0123,.-"\n\r\t roofflat\ufeff\u0661', max_size=60))
def test_any_rows_are_read_or_refused_in_one_line(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "rows.csv"
    path.write_bytes((HEADER + rows).encode())
    try:
        households = open_households(path)
    except BadInput as error:
        refused = error
    else:
        assert sum(1 for _ in households) == households.periods
        return
    assert str(refused).isprintable()


# -- Memory ---------------------------------------------------------------------------------------------


def peak_of_reading(path, periods: int) -> int:
    """The peak of memory, in bytes, while a file of so many periods is checked and read."""
    with path.open("w") as file:
        file.write(HEADER)
        for period in range(periods):
            file.writelines(f"{period},house{number},{period + number},{number}\n" for number in range(2))
    tracemalloc.start()
    households = open_households(path)
    assert households.periods == periods
    assert sum(1 for _ in households) == periods
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_number_of_periods(tmp_path):
    peak = peak_of_reading(tmp_path / "long.csv", 5000)
    assert peak < 300_000, "5,000 periods held at once take over 1,500,000 bytes"


def test_reading_is_lazy(write):
    households = open_households(write(HEADER + "".join(f"{period},roof,1,0\n" for period in range(100_000))))
    assert [row.period for row in itertools.islice(households, 3)] == [0, 1, 2]


# -- Forecasts ------------------------------------------------------------------------------------------


def test_same_seed_same_forecasts(write):
    path = write(HEADER + ROWS)
    assert list(open_households(path, seed=1)) == list(open_households(path, seed=1))
    assert list(open_households(path, seed=1)) != list(open_households(path, seed=2))


def test_forecasts_do_not_depend_on_other_households_or_the_order_of_rows(write):
    together = list(open_households(write(HEADER + ROWS), seed=3))
    alone = list(open_households(write(HEADER + "1,flat,210,0\n"), seed=3))
    swapped = list(open_households(write(HEADER + "1,flat,210,0\n1,roof,110,390\n"), seed=3))
    assert together[1]["flat"] == alone[0]["flat"] == swapped[0]["flat"]
    assert together[1]["roof"] == swapped[0]["roof"]


def test_forecasts_are_pinned():
    """Forecasts decide every published figure, so they must not change unnoticed."""
    forecaster = Forecaster(0, DEFAULT_HABITS)
    errors = {
        name: [forecaster.error(name, period, kind) for period in range(4) for kind in ("load", "pv")]
        for name in ("sunny", "stormy", "cloudy")
    }
    assert errors == {
        "sunny": [0, -32, -36, 4, 15, -12, -16, 10],
        "stormy": [309, 235, 112, -47, -128, 125, -145, -190],
        "cloudy": [150, 88, -120, 6, 26, 3, -58, 17],
    }


@pytest.mark.parametrize("habit", Habit)
def test_errors_keep_within_their_class(habit):
    spread = SPREADS[habit]
    forecaster = Forecaster(11, {"a": habit})
    errors = [forecaster.error("a", period, "load") for period in range(20_000)]
    assert max(map(abs, errors)) <= max(spread.usual, spread.slip)
    beyond = sum(abs(error) > spread.usual for error in errors)
    # Of the slips, those that fall within `usual` cannot be told apart.
    share = spread.slips / 1000 * (1 - (2 * spread.usual + 1) / (2 * spread.slip + 1))
    assert abs(beyond / len(errors) - share) < 0.02
    assert abs(sum(errors) / len(errors)) < 5, "no lasting bias, in thousandths"


def test_classes_are_ordered_by_how_far_they_stray():
    def mean(habit):
        forecaster = Forecaster(5, {"a": habit})
        return sum(abs(forecaster.error("a", period, "load")) for period in range(5000))

    assert mean(Habit.REGULAR) < mean(Habit.ORDINARY) < mean(Habit.IRREGULAR)


def test_load_and_solar_err_independently():
    forecaster = Forecaster(0, {"a": Habit.REGULAR})
    pairs = [(forecaster.error("a", p, "load"), forecaster.error("a", p, "pv")) for p in range(50)]
    assert any(load != pv for load, pv in pairs)


@given(st.integers(0, LIMIT - 1), st.integers(), st.integers(0, PERIOD_LIMIT - 1), st.sampled_from(Habit))
def test_forecast_is_its_error_to_the_nearest_wh(actual, seed, period, habit):
    forecaster = Forecaster(seed, {"a": habit})
    error = forecaster.error("a", period, "pv")
    expected = forecaster.forecast("a", period, "pv", actual)
    assert 0 <= expected < LIMIT
    exact = actual * (1000 + error)
    assert expected == LIMIT - 1 or abs(1000 * expected - exact) <= 500


def test_nothing_is_forecast_as_nothing():
    assert Forecaster(0, {"a": Habit.IRREGULAR}).forecast("a", 0, "pv", 0) == 0


def test_forecast_of_the_largest_value_stays_below_the_limit():
    forecaster = Forecaster(0, {"a": Habit.IRREGULAR})
    period = next(p for p in range(100) if forecaster.error("a", p, "load") > 0)
    assert forecaster.forecast("a", period, "load", LIMIT - 1) == LIMIT - 1
    assert forecaster.forecast("a", period, "load", 1000, 1000) == 1000
    assert forecaster.forecast("a", period, "load", 1000, 2000) > 1000


def test_classes_of_the_paper():
    consumers = [name for name in DEFAULT_HABITS if name not in ("sunny", "bright", "breezy")]
    assert [DEFAULT_HABITS[name] for name in consumers] == list(PROPORTION)
    assert all(habit_of(name, False, 99) is habit for name, habit in DEFAULT_HABITS.items())


def test_other_households_are_drawn_in_the_proportion_of_the_paper():
    drawn = [habit_of(f"house{number}", False, 0) for number in range(7000)]
    assert {habit: round(drawn.count(habit) / 1000) for habit in Habit} == {
        Habit.IRREGULAR: 2,
        Habit.ORDINARY: 3,
        Habit.REGULAR: 2,
    }
    assert drawn != [habit_of(f"house{number}", False, 1) for number in range(7000)]
    assert all(habit_of(f"house{number}", True, 0) is Habit.REGULAR for number in range(100))


def test_classes_can_be_given(write):
    path = write(HEADER + ROWS)
    households = open_households(path, classes={"flat": Habit.IRREGULAR})
    assert households.classes == {"roof": Habit.REGULAR, "flat": Habit.IRREGULAR}
    with pytest.raises(ValueError, match="classes of households that are not in the file: tent"):
        open_households(path, classes={"tent": Habit.REGULAR})


def test_forecasts_leave_the_global_generator_alone(write):
    random.seed(1)
    before = random.getstate()
    list(open_households(write(HEADER + ROWS)))
    assert random.getstate() == before


# -- The input that ships -------------------------------------------------------------------------------


def test_shipped_file_is_the_one_that_was_made():
    digest, name = DEFAULT_FILE.with_name(f"{DEFAULT_FILE.name}.sha256").read_text().split()
    assert name == DEFAULT_FILE.name
    assert hashlib.sha256(DEFAULT_FILE.read_bytes()).hexdigest() == digest


def test_shipped_file_is_labelled():
    readme = DEFAULT_FILE.with_name("README.md").read_text()
    assert "modelled, not measured" in readme.lower()
    assert DEFAULT_FILE.with_name(f"{DEFAULT_FILE.name}.sha256").read_text().split()[0] in readme


def test_shipped_file():
    households = open_households()
    assert households.names == tuple(DEFAULT_HABITS)
    assert (households.periods, households.first_period) == (48, 0)
    assert households.prosumers == {"sunny", "bright", "breezy"}
    assert households.classes == DEFAULT_HABITS


def test_shipped_day_looks_like_the_papers():
    """Supply above demand from 11:30 to 12:30, mostly below it else; consumer 5 needs most (5.3.1, 5.3.2)."""
    ratios = {}
    used = dict.fromkeys(DEFAULT_HABITS, 0)
    for row in open_households():
        for name, half_hour in row.items():
            used[name] += half_hour.load
        net = [half_hour.pv - half_hour.load for half_hour in row.values()]
        ratios[row.period] = sum(n for n in net if n > 0) / -sum(n for n in net if n < 0)
    assert ratios[23] > 1
    assert ratios[24] > 1
    assert sum(ratio > 1 for ratio in ratios.values()) < 24
    assert all(ratios[period] == 0 for period in (0, 1, 46, 47)), "the sun does not shine at night"
    consumers = [name for name in DEFAULT_HABITS if name not in ("sunny", "bright", "breezy")]
    assert max(consumers, key=used.__getitem__) == consumers[4] == "rainy"
