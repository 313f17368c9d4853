"""The tab key follows the names of people, also where a call or a key stands before them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boa
import pytest

from wattproof import Market
from wattproof.play.completion import offered


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    path: Path = tmp_path_factory.mktemp("own") / "own.csv"
    path.write_text("period,household,load_wh,pv_wh\n0,12 Elm Street,300,0\n0,sunny,200,1000\n")
    with boa.env.anchor():
        yield Market(path)


@pytest.mark.parametrize(
    ("line", "typed", "words"),
    [
        ('market["sunny"].qu', "qu", ["quote"]),
        ('market.households["12 Elm Street"].re', "re", ["reveal"]),
        ("households['sunny'].bi", "bi", ["bid", "bill"]),
        ('market["sunny"].meter.re', "re", ["read"]),
        ('market["owner"].se', "se", ["settle"]),
        ('market.households["', "", ["12 Elm Street", "sunny"]),
        ('market.token.balanceOf("su', "su", ["sunny", "supplier"]),
        ('owner.authorize("', "", ["12 Elm Street", "sunny"]),
        ("market.bills()[0].sa", "sa", ["saving"]),
        ('market["sunny"].account().re', "re", ["reserved"]),
    ],
)
def test_the_tab_key_follows_names(market: Market, line: str, typed: str, words: list[str]) -> None:
    names = {"market": market, "households": market.households, "owner": market["owner"]}
    assert offered(line, names) == (typed, words)


def test_the_tab_key_offers_the_fields_of_rows_that_have_a_name(market: Market) -> None:
    names = {"bills": market.bills(), "empty": market.trades(9)}
    assert offered("print(bills[0].sa", names) == ("sa", ["saving"])
    assert offered("bills[-1].ho", names) == ("ho", ["household"])
    assert offered("bills[9].", names) is None
    assert offered("empty[0].", names) is None


@pytest.mark.parametrize("line", ['market["nemo"].', 'rows["sunny"].up', 'text.split("', "x.y."])
def test_the_tab_key_is_left_alone_where_nothing_is_known(market: Market, line: str) -> None:
    assert offered(line, {"market": market, "rows": {"sunny": "a"}, "text": "b"}) is None
