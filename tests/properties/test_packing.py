"""`contracts/market/packing.vy`: every record keeps every field, leaves neighbours alone, refuses what does not fit.

The layouts stand here once more, by hand: name and width of each field from the lowest bit up.
"""

from __future__ import annotations

import itertools
from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.evidence import holds
from wattproof.deployment import contracts_dir

LAYOUTS: dict[str, tuple[tuple[str, int], ...]] = {
    "identity": (("meter", 160), ("number", 32), ("authorized", 1), ("blank", 1)),
    "purse": (
        *(("free", 104), ("reserved", 104), ("performances", 24), ("waivers", 22)),
        *(("invoiced", 1), ("seller", 1)),
    ),
    "quote": (
        *(("prosumer", 32), ("period", 36), ("volume", 48), ("price", 96), ("opened", 8)),
        *(("first", 32), ("status", 4)),
    ),
    "sale": (
        *(("quote_id", 32), ("created_at", 40), ("sold", 48), ("winners", 8)),
        *(("purchases", 9), ("open", 1)),
    ),
    "bid": (("price", 96), ("volume", 48), ("filled", 48), ("next", 32), ("pending", 1)),
    "purchase": (("buyer", 32), ("volume", 48), ("first", 1)),
    "position": (
        *(("agreed", 64), ("bought", 64), ("received", 64), ("open", 16)),
        *(("pending", 32), ("settled", 1)),
    ),
    "reading": (("exported", 48), ("imported", 48), ("present", 1), ("settled", 1)),
    "totals": (("supply", 128), ("demand", 128)),
}
FIELDS = [(record, field) for record, layout in LAYOUTS.items() for field, _ in layout]
TYPED = {1: "bool", 4: "status", 160: "address"}
"""Widths of fields that are no whole number in the contract: the type itself refuses what does not fit."""

Values = dict[str, int]


def harness() -> str:
    """The source of a contract that packs and unpacks every record."""
    lines = ["# pragma version 0.4.3", "from market import packing"]
    for record in LAYOUTS:
        struct = f"packing.{record.capitalize()}"
        packed = f"    return packing._pack_{record}(record)"
        if record == "identity":  # it is made once, and the authorisation is the only thing that changes
            packed = (
                "    word: uint256 = packing._new_identity(record.meter, record.number, record.blank)\n"
                "    return word ^ packing.AUTHORIZED if record.authorized else word"
            )
        lines += [
            f"@external\n@pure\ndef pack_{record}(record: {struct}) -> uint256:",
            packed,
            f"@external\n@pure\ndef unpack_{record}(word: uint256) -> {struct}:",
            f"    return packing._{record}(word)",
        ]
    for function, argument in (("price", ""), ("volume", ""), ("next", ""), ("performances", "")):
        lines += [
            f"@external\n@pure\ndef {function}(word: uint256{argument}) -> uint256:",
            f"    return packing._{function}(word)",
        ]
    lines += [
        "@external\n@pure\ndef meter(word: uint256) -> address:",
        "    return packing._meter(word)",
        "@external\n@pure\ndef closed(word: uint256) -> uint256:",
        "    return word | packing.READING_SETTLED",
        "@external\n@pure\ndef is_pending(word: uint256) -> bool:",
        "    return packing._is_pending(word)",
        "@external\n@pure\ndef is_seal(word: uint256) -> bool:",
        "    return packing._is_seal(word)",
        "@external\n@pure\ndef seal_aside() -> uint256:",
        "    return packing.SEAL_ASIDE",
        "@external\n@pure\ndef refunded(word: uint256, amount: uint256) -> uint256:",
        "    return packing._refunded(word, amount)",
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def packing() -> Any:
    """A contract that shows the module's functions."""
    return boa.loads(harness(), name="PackingHarness", filename=str(contracts_dir() / "PackingHarness.vy"))


def word_of(record: str, values: Values) -> int:
    """The word, by the layouts above."""
    word = place = 0
    for field, width in LAYOUTS[record]:
        word |= values[field] << place
        place += width
    return word


def to_contract(record: str, values: Values) -> tuple[Any, ...]:
    """A record as the contract takes it."""
    kinds = {"bool": bool, "address": lambda value: f"0x{value:040x}"}
    return tuple(kinds.get(TYPED.get(width, ""), int)(values[field]) for field, width in LAYOUTS[record])


def from_contract(record: str, answer: Any) -> Values:
    """What the contract answered, as whole numbers."""
    parts = zip(LAYOUTS[record], answer, strict=True)
    return {field: int(value, 16) if isinstance(value, str) else int(value) for (field, _), value in parts}


def refuses(packing: Any, function: str, *args: Any) -> bool:
    """Whether the harness reverts on this call."""
    try:
        getattr(packing, function)(*args)
    except boa.BoaError:
        return True
    return False


def pack(packing: Any, record: str, values: Values) -> int:
    """The word that the contract makes of a record."""
    return getattr(packing, f"pack_{record}")(to_contract(record, values))


def unpack(packing: Any, record: str, word: int) -> Values:
    """The record that the contract reads from a word."""
    return from_contract(record, getattr(packing, f"unpack_{record}")(word))


def ends(width: int) -> tuple[int, ...]:
    """0, 1, the highest bit alone and the largest value of a field."""
    return tuple(sorted({0, 1, 1 << (width - 1), (1 << width) - 1}))


def some(record: str) -> st.SearchStrategy[Values]:
    """Any record, the ends of its fields often."""
    parts = {field: st.sampled_from(ends(width)) | st.integers(0, (1 << width) - 1) for field, width in LAYOUTS[record]}
    return st.fixed_dictionaries(parts)


@pytest.mark.parametrize("record", LAYOUTS)
def test_fits_into_a_word(record: str) -> None:
    """The layouts themselves."""
    assert sum(width for _, width in LAYOUTS[record]) <= 256


@pytest.mark.parametrize("record", LAYOUTS)
def test_keeps_every_combination_of_ends(packing: Any, record: str) -> None:
    """All fields at 0 or at their largest at once, in every combination: no bit is shared, none is lost."""
    layout = LAYOUTS[record]
    for chosen in itertools.product((0, 1), repeat=len(layout)):
        values = {field: on * ((1 << width) - 1) for (field, width), on in zip(layout, chosen, strict=True)}
        word = pack(packing, record, values)
        holds("C4-PACK-1", word == word_of(record, values), record=record, values=values, word=hex(word))
        holds("C4-PACK-1", unpack(packing, record, word) == values, record=record, values=values, word=hex(word))


@pytest.mark.parametrize(("record", "field"), FIELDS)
def test_a_field_leaves_its_neighbours_alone(packing: Any, record: str, field: str) -> None:
    """Each end of a field, with all others at 0 and all others at their largest."""
    layout = dict(LAYOUTS[record])
    for others in (0, 1):
        around = {name: others * ((1 << width) - 1) for name, width in layout.items()}
        for value in ends(layout[field]):
            values = around | {field: value}
            seen = unpack(packing, record, pack(packing, record, values))
            holds("C4-PACK-2", seen == values, record=record, field=field, written=values, read=seen)


@pytest.mark.parametrize(
    ("record", "field"), [(record, field) for record, field in FIELDS if dict(LAYOUTS[record])[field] not in TYPED]
)
def test_refuses_what_does_not_fit(packing: Any, record: str, field: str) -> None:
    """One above the largest, twice as much and the largest number: refused, never cut; the largest itself fits."""
    layout = dict(LAYOUTS[record])
    for others in (0, 1):
        around = {name: others * ((1 << width) - 1) for name, width in layout.items()}
        largest = (1 << layout[field]) - 1
        assert unpack(packing, record, pack(packing, record, around | {field: largest}))[field] == largest
        for value in (largest + 1, 2 * largest + 2, 2**255, 2**256 - 1):
            refused = refuses(packing, f"pack_{record}", to_contract(record, around | {field: value}))
            holds("C4-PACK-3", refused, record=record, field=field, value=value)


@pytest.mark.parametrize("record", LAYOUTS)
def test_keeps_any_record(packing: Any, record: str) -> None:
    """Whatever the values: what is packed is what is unpacked, and lies where the layout says."""

    @settings(deadline=None, max_examples=60)
    @given(values=some(record), changed=some(record), field=st.sampled_from([name for name, _ in LAYOUTS[record]]))
    def check(values: Values, changed: Values, field: str) -> None:
        word = pack(packing, record, values)
        assert word == word_of(record, values)
        assert unpack(packing, record, word) == values
        other = values | {field: changed[field]}
        place = sum(width for name, width in LAYOUTS[record][: [n for n, _ in LAYOUTS[record]].index(field)])
        mask = ((1 << dict(LAYOUTS[record])[field]) - 1) << place
        assert pack(packing, record, other) & ~mask == word & ~mask

    check()


@settings(deadline=None)
@given(values=some("bid"))
def test_reads_parts_of_a_bid(packing: Any, values: Values) -> None:
    """The short ways to single fields answer what the record says."""
    word = word_of("bid", values)

    assert (packing.price(word), packing.volume(word)) == (values["price"], values["volume"])
    assert (packing.next(word), packing.is_pending(word)) == (values["next"], bool(values["pending"]))
    assert not packing.is_seal(word)


@settings(deadline=None)
@given(values=some("identity"))
def test_reads_the_meter_of_a_user(packing: Any, values: Values) -> None:
    """The short way to the meter answers what the record says."""
    assert int(packing.meter(word_of("identity", values)), 16) == values["meter"]


@settings(deadline=None)
@given(values=some("reading"))
def test_closes_a_reading(packing: Any, values: Values) -> None:
    """To close a reading changes its mark alone."""
    closed = word_of("reading", values | {"settled": 1})
    holds("C4-PACK-2", packing.closed(word_of("reading", values)) == closed, values=values)


@settings(deadline=None)
@given(values=some("purse"), amount=st.sampled_from([0, 1, 2**103, 2**104 - 1, 2**104, 2**256 - 1]) | st.integers(0))
def test_refunds_within_a_purse(packing: Any, values: Values, amount: int) -> None:
    """Moves exactly the amount from reserved to free; more than is reserved, or than there is room for, is refused."""
    amount %= 2**256
    word = word_of("purse", values)
    assert packing.performances(word) == values["performances"]
    if amount > values["reserved"] or values["free"] + amount >= 2**104:
        holds("C4-PACK-3", refuses(packing, "refunded", word, amount), values=values, amount=amount)
        return

    moved = values | {"free": values["free"] + amount, "reserved": values["reserved"] - amount}
    holds("C4-PACK-2", packing.refunded(word, amount) == word_of("purse", moved), values=values, amount=amount)


def test_a_seal_never_passes_for_a_bid(packing: Any) -> None:
    """The largest record is below every seal that is kept in place; that of a seal kept aside is no opened bid."""
    largest = word_of("bid", {field: (1 << width) - 1 for field, width in LAYOUTS["bid"]})

    holds("C4-PACK-4", largest < 2**225 == packing.seal_aside() < 2**226, largest=hex(largest))
    seen = [packing.is_seal(word) for word in (0, largest, 2**225, 2**226 - 1, 2**226, 2**256 - 1)]
    holds("C4-PACK-4", seen == [False] * 4 + [True] * 2, seen=seen)
