"""`contracts/market/packing.vy`: every record keeps every field, leaves neighbours alone, refuses what does not fit.

The layouts stand here once more, by hand: name and width of each field from the lowest bit up.
"""

from __future__ import annotations

import itertools
from typing import Any

import boa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from verification.harness.counters import holds
from wattproof.market.deployment import contracts_dir

LAYOUTS: dict[str, tuple[tuple[str, int], ...]] = {
    "identity": (("meter", 160), ("number", 32), ("authorized", 1), ("blank", 1), ("capacity", 24)),
    "balance": (("free", 104), ("reserved", 104), ("performances", 24), ("waivers", 22), ("invoiced", 1)),
    "quote": (
        *(("prosumer", 32), ("period", 36), ("volume", 24), ("price", 96), ("opened", 8)),
        *(("first", 32), ("status", 2), ("tag", 26)),
    ),
    "sale": (
        *(("open", 1), ("ahead", 1), ("quote_id", 32), ("created_at", 40)),
        *(("sold", 24), ("matched", 24), ("winners", 8), ("purchases", 9)),
    ),
    "bid": (
        *(("price", 96), ("volume", 24), ("filled", 24), ("next", 32), ("pending", 1)),
        *(("free", 45), ("traded", 1), ("sealed", 1), ("quote_id", 32)),
    ),
    "purchase": (("buyer", 32), ("volume", 24), ("first", 1)),
    "position": (
        *(("agreed", 24), ("bought", 24), ("received", 24), ("asked", 24), ("claimed", 24)),
        *(("open", 16), ("pending", 32), ("settled", 1), ("quoted", 1), ("present", 1)),
        *(("exported", 24), ("imported", 24), ("period", 36), ("begun", 1)),
    ),
    "totals": (("supply", 96), ("demand", 96), ("period", 36)),
}
KEPT = {"balance", "quote", "position", "totals"}
"""What is never taken apart but changed in its word, by the functions of `CHANGES`."""

UNREAD = {"bid": ("free", "traded", "sealed"), "position": ("begun",)}
"""What a word has and its record has not: bits that are free, and marks."""

BOUNDED = {("identity", "capacity")}
"""What is within its bounds before it is packed, by a check with a reason of its own."""

MADE_OF = {"bid": ("quote_id", "price", "volume", "next", "pending"), "purchase": ("buyer", "volume", "first")}
"""The records whose words are made at once of these fields; what else they have is put into the word by hand here."""

ROOM = 0b101_110011
"""A room in which quotes lie here: of its number a quote's word has all but the last six bits."""

CHANGES: dict[str, tuple[str, ...]] = {
    "funded": ("amount",),
    "reserved": ("amount",),
    "released": ("amount", "back"),
    "counted": ("first_bit", "limit"),
    "asked": ("volume",),
    "bought": ("volume", "agreed", "claimed"),
    "staked": (),
    "received": ("volume", "ended"),
    "won": ("filled", "next"),
    "led": ("first", "change"),
    "metered": ("exported", "imported"),
}
"""The functions that change a word, with what they are given besides it."""

FIELDS = [(record, field) for record, layout in LAYOUTS.items() for field, _ in layout]
TYPED = {1: "bool", 2: "status", 160: "address"}
"""Widths of fields that are no whole number in the contract: the type itself refuses what does not fit."""

SHIFTS = {
    "BID_VOLUME_SHIFT": ("bid", "volume"),
    "BID_FILLED_SHIFT": ("bid", "filled"),
    "BID_NEXT_SHIFT": ("bid", "next"),
    "BALANCE_PERFORMANCES_SHIFT": ("balance", "performances"),
    "BALANCE_WAIVERS_SHIFT": ("balance", "waivers"),
    "POSITION_BOUGHT_SHIFT": ("position", "bought"),
    "POSITION_RECEIVED_SHIFT": ("position", "received"),
    "POSITION_ASKED_SHIFT": ("position", "asked"),
    "POSITION_CLAIMED_SHIFT": ("position", "claimed"),
    "POSITION_OPEN_SHIFT": ("position", "open"),
    "POSITION_PENDING_SHIFT": ("position", "pending"),
    "POSITION_EXPORTED_SHIFT": ("position", "exported"),
    "POSITION_IMPORTED_SHIFT": ("position", "imported"),
    "POSITION_PERIOD_SHIFT": ("position", "period"),
    "SALE_QUOTE_ID_SHIFT": ("sale", "quote_id"),
    "SALE_CREATED_AT_SHIFT": ("sale", "created_at"),
    "SALE_SOLD_SHIFT": ("sale", "sold"),
    "QUOTE_PERIOD_SHIFT": ("quote", "period"),
    "QUOTE_VOLUME_SHIFT": ("quote", "volume"),
    "QUOTE_PRICE_SHIFT": ("quote", "price"),
    "QUOTE_ID_SHIFT": ("quote", "tag"),
    "BID_QUOTE_ID_SHIFT": ("bid", "quote_id"),
    "SEALED_SHIFT": ("bid", "sealed"),
    "IDENTITY_CAPACITY_SHIFT": ("identity", "capacity"),
}
"""Where a field begins, for modules that read it from the word."""

MAXIMA = {
    "MAX_MONEY": ("balance", "free"),
    "MAX_PERFORMANCES": ("balance", "performances"),
    "MAX_WAIVERS": ("balance", "waivers"),
    "MAX_PRICE": ("bid", "price"),
    "MAX_ENERGY": ("bid", "volume"),
    "MAX_NUMBER": ("bid", "next"),
    "MAX_STAKES": ("position", "open"),
}
"""The largest value of a field."""

MARKS = {
    "AUTHORIZED": ("identity", "authorized"),
    "BLANK": ("identity", "blank"),
    "INVOICED": ("balance", "invoiced"),
    "BID_PENDING": ("bid", "pending"),
    "SEALED": ("bid", "sealed"),
    "TRADED": ("bid", "traded"),
    "SETTLED": ("position", "settled"),
    "QUOTED": ("position", "quoted"),
    "PRESENT": ("position", "present"),
    "SALE_OPEN": ("sale", "open"),
}
"""Fields of one bit, by what is set in the word."""

Values = dict[str, int]


def harness() -> str:
    """The source of a contract that packs and unpacks every record."""
    lines = ["# pragma version 0.4.3", "from market import packing"]
    for record in LAYOUTS:
        struct = f"packing.{record.capitalize()}"
        room = f", {ROOM}" if record == "quote" else ""
        packed = f"    return packing._pack_{record}(record)"
        unpacking = [
            f"@external\n@pure\ndef unpack_{record}(word: uint256) -> {struct}:",
            f"    return packing._{record}(word{room})",
        ]
        if record in KEPT:
            lines += unpacking
            continue
        if record == "identity":  # made once without its marks
            packed = (
                "    word: uint256 = packing._new_identity(record.meter, record.number)\n"
                "    if record.authorized:\n        word |= packing.AUTHORIZED\n"
                "    if record.blank:\n        word |= packing.BLANK\n"
                "    return word | record.capacity << packing.IDENTITY_CAPACITY_SHIFT"
            )
        if record in MADE_OF:
            packed = f"    return packing._new_{record}({', '.join(f'record.{field}' for field in MADE_OF[record])})"
        lines += [
            f"@external\n@pure\ndef pack_{record}(record: {struct}) -> uint256:",
            packed,
            *unpacking,
        ]
    for function, arguments in CHANGES.items():
        given = "".join(f", {argument}: uint256" for argument in arguments)
        lines += [
            f"@external\n@pure\ndef {function}(word: uint256{given}) -> uint256:",
            f"    return packing._{function}({', '.join(('word', *arguments))})",
        ]
    lines += [
        "@external\n@pure\ndef meter(word: uint256) -> address:",
        "    return packing._meter(word)",
        "@external\n@pure\ndef number(word: uint256) -> uint256:",
        "    return packing._number(word)",
        "@external\n@pure\ndef capacity(word: uint256) -> uint256:",
        "    return packing._capacity(word)",
        "@external\n@pure\ndef claimed(word: uint256) -> uint256:",
        "    return packing._claimed(word)",
        "@external\n@pure\ndef sealed_bid(quote_id: uint256, commitment: bytes32) -> uint256:",
        "    return packing._sealed(quote_id, commitment)",
        "@external\n@pure\ndef one_opened() -> uint256:",
        "    return packing.ONE_OPENED",
        "@external\n@pure\ndef matched() -> uint256:",
        "    return packing.MATCHED",
        "@external\n@pure\ndef closed() -> uint256:",
        "    return packing.CLOSED",
        "@external\n@pure\ndef not_valid() -> uint256:",
        "    return packing.NOT_VALID",
        *(
            f"@external\n@pure\ndef {name.lower()}() -> uint256:\n    return packing.{name}"
            for name in (*SHIFTS, *MAXIMA, *MARKS)
        ),
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


def place_of(record: str, field: str) -> int:
    """Where a field begins, by the layouts above."""
    layout = LAYOUTS[record]
    return sum(width for _, width in layout[: [name for name, _ in layout].index(field)])


def to_contract(record: str, values: Values) -> tuple[Any, ...]:
    """A record as the contract takes it."""
    if record == "quote":
        # The number of a quote is its tag, and of its room the last six bits; the status is a flag of four.
        head = (values["tag"] << 6 | ROOM & 63, ROOM)
        fields = ("prosumer", "period", "volume", "price", "opened", "first")
        return (*head, *(values[field] for field in fields), 1 << values["status"])
    if record == "bid":
        fields = ("quote_id", "price", "volume", "filled", "next")
        return (*(values[field] for field in fields), bool(values["pending"]))
    kinds = {"bool": bool, "address": lambda value: f"0x{value:040x}"}
    return tuple(kinds.get(TYPED.get(width, ""), int)(values[field]) for field, width in LAYOUTS[record])


def from_contract(record: str, answer: Any) -> Values:
    """What the contract answered, as whole numbers."""
    numbers = {
        field: int(value, 16) if isinstance(value, str) else int(value) for field, value in answer._asdict().items()
    }
    if record == "quote":
        quote_id, room, status = (numbers.pop(field) for field in ("id", "room", "status"))
        assert (quote_id & 63, room, status.bit_count()) == (ROOM & 63, ROOM, 1)
        numbers |= {"tag": quote_id >> 6, "status": status.bit_length() - 1}
    return numbers


def readable(record: str, values: Values) -> Values:
    """The fields that the record has."""
    return {field: value for field, value in values.items() if field not in UNREAD.get(record, ())}


def refuses(packing: Any, function: str, *args: Any) -> bool:
    """Whether the harness reverts on this call."""
    try:
        getattr(packing, function)(*args)
    except boa.BoaError:
        return True
    return False


def pack(packing: Any, record: str, values: Values) -> int:
    """The word that the contract makes of a record; by hand, where it makes none."""
    if record in KEPT:
        return word_of(record, values)
    word = getattr(packing, f"pack_{record}")(to_contract(record, values))
    for field in dict(LAYOUTS[record]):
        if field not in MADE_OF.get(record, dict(LAYOUTS[record])):
            word |= values[field] << place_of(record, field)
    return word


def unpack(packing: Any, record: str, word: int) -> Values:
    """The record that the contract reads from a word."""
    return from_contract(record, getattr(packing, f"unpack_{record}")(word))


def ends(width: int) -> tuple[int, ...]:
    """0, 1, the highest bit alone and the largest value of a field."""
    return tuple(sorted({0, 1, 1 << (width - 1), (1 << width) - 1}))


def blank(record: str) -> Values:
    """The record of which every field is 0."""
    return dict.fromkeys(dict(LAYOUTS[record]), 0)


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
        read = unpack(packing, record, word)
        holds("C4-PACK-1", read == readable(record, values), record=record, values=values, word=hex(word))


@pytest.mark.parametrize(("record", "field"), FIELDS)
def test_a_field_leaves_its_neighbours_alone(packing: Any, record: str, field: str) -> None:
    """Each end of a field, with all others at 0 and all others at their largest."""
    layout = dict(LAYOUTS[record])
    for others in (0, 1):
        around = {name: others * ((1 << width) - 1) for name, width in layout.items()}
        for value in ends(layout[field]):
            values = around | {field: value}
            seen = unpack(packing, record, pack(packing, record, values))
            expected = readable(record, values)
            holds("C4-PACK-2", seen == expected, record=record, field=field, written=values, read=seen)


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (record, field)
        for record, field in FIELDS
        if record not in KEPT
        and (record, field) not in BOUNDED
        and field in MADE_OF.get(record, dict(LAYOUTS[record]))
        and dict(LAYOUTS[record])[field] not in TYPED
    ],
)
def test_refuses_what_does_not_fit(packing: Any, record: str, field: str) -> None:
    """One above the largest, twice as much and the largest number: refused, never cut; the largest itself fits."""
    layout = dict(LAYOUTS[record])
    for others in (0, 1):
        around = {name: others * ((1 << width) - 1) for name, width in layout.items()}
        largest = (1 << layout[field]) - 1
        assert unpack(packing, record, pack(packing, record, around | {field: largest}))[field] == largest
        bits = 250 if field == "tag" else 256  # the number of a quote has six bits more than its tag
        for value in (largest + 1, 2 * largest + 2, 2 ** (bits - 1), 2**bits - 1):
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
        assert unpack(packing, record, word) == readable(record, values)
        other = values | {field: changed[field]}
        mask = ((1 << dict(LAYOUTS[record])[field]) - 1) << place_of(record, field)
        assert pack(packing, record, other) & ~mask == word & ~mask

    check()


def test_names_of_shifts_and_largest_values(packing: Any) -> None:
    """What the modules read fields by, against the layouts."""
    for name, (record, field) in {**SHIFTS, **MAXIMA, **MARKS}.items():
        place = place_of(record, field)
        width = dict(LAYOUTS[record])[field]
        expected = place if name in SHIFTS else (1 << width) - 1 if name in MAXIMA else 1 << place
        holds("C4-PACK-1", getattr(packing, name.lower())() == expected, name=name, expected=expected)
        assert name not in MARKS or width == 1


@settings(deadline=None)
@given(values=some("identity"))
def test_reads_meter_number_and_capacity_of_a_user(packing: Any, values: Values) -> None:
    """The short ways to single fields answer what the record says."""
    word = word_of("identity", values)
    assert int(packing.meter(word), 16) == values["meter"]
    assert packing.number(word) == values["number"]
    assert packing.capacity(word) == values["capacity"]


def near(width: int) -> st.SearchStrategy[int]:
    """Amounts for a field: its ends, what just does not fit, the largest number, and any."""
    top = 1 << width
    return st.sampled_from([0, 1, top // 2, top - 1, top, 2 * top, 2**255, 2**256 - 1]) | st.integers(0, top - 1)


def changes(
    packing: Any, record: str, values: Values, function: str, args: tuple[int, ...], after: Values | None
) -> None:
    """A change of a word gives the word of `after`, or is refused where that is None or would not fit."""
    word = word_of(record, values)
    layout = dict(LAYOUTS[record])
    if after is None or any(not 0 <= value < 1 << layout[field] for field, value in after.items()):
        holds("C4-PACK-3", refuses(packing, function, word, *args), function=function, values=values, args=args)
        return
    changed = getattr(packing, function)(word, *args)
    holds("C4-PACK-2", changed == word_of(record, after), function=function, values=values, args=args)


@settings(deadline=None, max_examples=300)
@given(values=some("balance"), amount=near(104), back=near(104))
@example(values=blank("balance"), amount=2**104, back=0)
@example(values=blank("balance"), amount=2**104 - 1, back=0)
@example(values=blank("balance") | {"free": 2**104 - 1}, amount=1, back=0)
@example(values=blank("balance") | {"free": 1, "reserved": 2**104 - 1}, amount=1, back=0)
@example(values=blank("balance") | {"reserved": 2**104 - 1}, amount=2**104 - 1, back=2**104)
@example(values=blank("balance") | {"free": 1, "reserved": 5}, amount=5, back=2**104 - 1)
@example(values=blank("balance") | {"reserved": 4}, amount=5, back=0)
def test_moves_money_within_a_balance_record(packing: Any, values: Values, amount: int, back: int) -> None:
    """Exactly the amounts, and nothing else in the word; what is not there, or has no room, is refused."""
    free, reserved = values["free"], values["reserved"]
    changes(packing, "balance", values, "funded", (amount,), values | {"free": free + amount})
    # Whoever reserves has seen that it is free.
    if amount <= free:
        after = values | {"free": free - amount, "reserved": reserved + amount}
        changes(packing, "balance", values, "reserved", (amount,), after)
    for given_back in (amount, back):
        after = values | {"free": free + given_back, "reserved": reserved - amount}
        changes(packing, "balance", values, "released", (amount, given_back), after)


@settings(deadline=None)
@given(values=some("balance"), field=st.sampled_from(["performances", "waivers"]))
@example(values=blank("balance") | {"performances": 2**24 - 1}, field="performances")
@example(values=blank("balance") | {"performances": 2**24 - 2}, field="performances")
@example(values=blank("balance") | {"waivers": 2**22 - 1}, field="waivers")
@example(values=blank("balance") | {"waivers": 2**22 - 2}, field="waivers")
def test_counts_in_a_balance_record(packing: Any, values: Values, field: str) -> None:
    """One more, and none at the most."""
    limit = (1 << dict(LAYOUTS["balance"])[field]) - 1
    first_bit = {"performances": 208, "waivers": 232}[field]
    after = values | {field: min(values[field] + 1, limit)}
    changes(packing, "balance", values, "counted", (first_bit, limit), after)


@settings(deadline=None, max_examples=300)
@given(values=some("position"), volume=near(24), ahead=st.booleans(), purchased=st.booleans(), ended=st.integers(0, 1))
@example(values=blank("position"), volume=2**24, ahead=False, purchased=False, ended=0)
@example(values=blank("position"), volume=2**24 - 1, ahead=True, purchased=True, ended=0)
@example(values=blank("position") | {"bought": 2**24 - 1}, volume=1, ahead=True, purchased=False, ended=0)
@example(values=blank("position") | {"received": 2**24 - 1}, volume=1, ahead=False, purchased=False, ended=0)
@example(values=blank("position") | {"open": 2**16 - 1}, volume=0, ahead=False, purchased=False, ended=0)
@example(values=blank("position"), volume=0, ahead=False, purchased=False, ended=1)
def test_changes_a_position(
    packing: Any, values: Values, volume: int, ahead: bool, purchased: bool, ended: int
) -> None:
    """What is asked, bought, agreed and received, and the quotes that are open: no sum runs over into the next."""
    values = values | {"agreed": min(values["agreed"], values["bought"])}  # no more is ever agreed than bought
    # What is asked and purchased is claimed, and no claim goes beyond a capacity: whoever changes these has seen to it.
    claimed = volume if purchased and values["claimed"] + volume < 1 << 24 else 0
    agreed = volume if ahead else 0
    after = values | {"agreed": values["agreed"] + agreed, "bought": values["bought"] + volume}
    after |= {"claimed": values["claimed"] + claimed}
    changes(packing, "position", values, "bought", (volume, agreed, claimed), after)
    if values["asked"] <= values["claimed"] and values["claimed"] + volume < 1 << 24:
        asked = {"asked": values["asked"] + volume, "claimed": values["claimed"] + volume}
        changes(packing, "position", values, "asked", (volume,), values | asked)
    changes(packing, "position", values, "staked", (), values | {"open": values["open"] + 1})
    after = values | {"received": values["received"] + volume, "open": values["open"] - ended}
    changes(packing, "position", values, "received", (volume, ended), after)


@settings(deadline=None)
@given(values=some("bid"), filled=near(24), following=near(32))
@example(values=blank("bid"), filled=2**24, following=0)
@example(values=blank("bid"), filled=0, following=2**32)
def test_confirms_a_bid(packing: Any, values: Values, filled: int, following: int) -> None:
    """What won, the trade and who comes next replace nothing and the former next; price, volume and mark stay."""
    values = values | {"filled": 0}  # nothing has won before the matching
    after = values | {"filled": filled, "next": following, "traded": 1}
    changes(packing, "bid", values, "won", (filled, following), after)


@settings(deadline=None)
@given(values=some("position"), exported=near(24), imported=near(24))
@example(values=blank("position"), exported=2**24, imported=0)
@example(values=blank("position"), exported=0, imported=2**24)
def test_a_reading_joins_a_position(packing: Any, values: Values, exported: int, imported: int) -> None:
    """What the meter reported fills its fields of the word; what was bought and quoted stays, and the period."""
    reported = {"exported": exported, "imported": imported, "present": 1}
    fits = max(exported, imported) < 1 << 24
    before = values | dict.fromkeys(reported, 0)
    changes(packing, "position", before, "metered", (exported, imported), before | reported if fits else None)


@settings(deadline=None)
@given(values=some("quote"), first=near(32), opened=st.booleans())
@example(values=blank("quote"), first=2**32, opened=True)
def test_a_quote_is_led_by_another_bid(packing: Any, values: Values, first: int, opened: bool) -> None:
    """One bid more is opened, or what was VALID is MATCHED; the first bidder is replaced, and nothing else changes."""
    values = values | ({"opened": min(values["opened"], 254)} if opened else {"status": 0})
    after = {"opened": values["opened"] + 1} if opened else {"status": 2}
    change = 1 << place_of("quote", "opened") if opened else 2 << place_of("quote", "status")
    holds("C4-PACK-2", change == (packing.one_opened() if opened else packing.matched()), change=hex(change))
    changes(packing, "quote", values, "led", (first, change), values | after | {"first": first})


@pytest.mark.parametrize("closed", [(0, 1), (1, 1), (2, 3), (3, 3)])
def test_one_bit_closes_a_quote(packing: Any, closed: tuple[int, int]) -> None:
    """VALID becomes INVALID, MATCHED becomes SETTLED, and nothing else changes, whatever the word holds."""
    before, after = closed

    @settings(deadline=None)
    @given(values=some("quote"))
    def check(values: Values) -> None:
        word = word_of("quote", values | {"status": before})
        holds("C4-PACK-2", word | packing.closed() == word_of("quote", values | {"status": after}), word=hex(word))
        holds("C4-PACK-2", (word & packing.not_valid() == 0) == (before == 0), word=hex(word))

    check()


@settings(deadline=None)
@given(period=st.integers(0, 2**36 - 1), other=st.integers(0, 2**36 - 1))
@example(period=0, other=2**36 - 1)
def test_a_period_is_told_by_its_word(packing: Any, period: int, other: int) -> None:
    """Two periods have other tags, and that of a period is never that of a word that was not begun."""
    tags = [word_of("position", blank("position") | {"period": each, "begun": 1}) for each in (period, other)]
    holds("C4-PACK-2", (tags[0] == tags[1]) == (period == other), tags=tags)
    begun = 1 << dict(LAYOUTS["position"])["period"]
    shown = [
        tag >> packing.position_period_shift() == each + begun for tag, each in zip(tags, (period, other), strict=True)
    ]
    holds("C4-PACK-2", all(shown) and 0 not in tags, tags=tags)


@settings(deadline=None)
@given(opened=some("bid"), commitment=st.binary(min_size=32, max_size=32), quote_id=st.integers(0, 2**32 - 1))
@example(opened=blank("bid"), commitment=bytes(32), quote_id=0)
@example(opened=blank("bid"), commitment=b"\xff" * 32, quote_id=2**32 - 1)
def test_a_seal_never_passes_for_a_bid(packing: Any, opened: Values, commitment: bytes, quote_id: int) -> None:
    """A seal has its mark, an opened bid has not, with or without a trade; both tell their quote.

    Of a commitment the first 222 bits are kept, and the mark of a trade lies beside them.
    """
    seal = packing.sealed_bid(quote_id, commitment)
    word = word_of("bid", opened | {"free": 0, "sealed": 0})

    holds("C4-PACK-4", seal != word and seal >> 223 == quote_id << 1 | 1, seal=hex(seal), word=hex(word))
    holds("C4-PACK-4", word >> 223 == opened["quote_id"] << 1, word=hex(word))
    holds("C4-PACK-4", seal & 2**222 - 1 == int.from_bytes(commitment) >> 34, seal=hex(seal))
    holds("C4-PACK-4", seal & packing.traded() == 0, seal=hex(seal))
