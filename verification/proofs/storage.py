"""What is claimed of storage words: where fields lie, what changes them, and how their places are used again.

All of it is claimed of the contract's source, which `words` runs on all values at once; the tables in the comments of
`packing.vy` say what is expected. Numbers have 256 bits here, but for the rings, which are claimed of whole numbers.
"""

# ruff: noqa: SIM300
# What is bounded stands first, be it a term or not.

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import z3 as typed_z3

from verification.proofs import formulas as f
from verification.proofs import words as w
from verification.proofs.questions import Claim, Question, into
from verification.proofs.words import Field, Machine, Outcome, State

z3: Any = typed_z3
"""Its types tell less than they allow: arithmetic on terms, above all."""

And, Implies, Int, Not, Or, If = z3.And, z3.Implies, z3.Int, z3.Not, z3.Or, z3.If

CLAIMS: list[Claim] = []
claim = into(CLAIMS)

Table = tuple[Field, ...]
Values = Mapping[str, Any]
Ask = Callable[[Table], Question]

MAPPING = z3.ArraySort(w.WORD, w.WORD)
MAPPING_2 = z3.ArraySort(w.WORD, w.WORD, w.WORD)

_VALID, _INVALID, _MATCHED, _SETTLED = 0, 1, 2, 3
_WIDE = w.BITS + 8
"""Bits of numbers that no sum of words outgrows, signs included."""


def word(name: str) -> Any:
    """Any number of 256 bits."""
    return z3.BitVec(name, w.BITS)


def fixed(value: int) -> Any:
    """A number of 256 bits."""
    return z3.BitVecVal(value, w.BITS)


@cache
def table(record: str) -> Table:
    """The fields of a record's word."""
    return w.tables()[record]


@cache
def constant(name: str) -> int:
    """A constant of `packing.vy`."""
    return Machine().constant("packing", name)


def changed(module: str, old: str, new: str) -> Machine:
    """The market with one place of a module's source changed."""
    whole = w.source(module)
    if whole.count(old) != 1:
        raise w.NotTied(f"{module}.vy: `{old}` stands there {whole.count(old)} times, not once")
    return Machine({module: whole.replace(old, new)})


def found(outcomes: Iterable[Outcome], shown: Callable[[State, Any], Any], refused: Any = None) -> Any:
    """That every path that returns shows something, and that a refused one shows `refused`: by itself, none is."""
    each = []
    for how, state, value in outcomes:
        expected = shown(state, value) if how == "return" else z3.BoolVal(False) if refused is None else refused
        each.append(Implies(state.condition, expected))
    return And(*each)


def same(value: Any, expected: Any) -> Any:
    """That a value read from a word is what is expected: a truth value is 1 or 0."""
    return value == (expected != 0) if _is_truth(value) else w.word_of(value) == expected


def _is_truth(value: Any) -> bool:
    return isinstance(value, z3.BoolRef)


def largest(fields: Table, name: str) -> Any:
    """The largest value of a field."""
    return fixed(next(each for each in fields if each.name == name).largest)


def laid(fields: Table, values: Values) -> Any:
    """The word with these values in the fields of the table."""
    whole = fixed(0)
    for each in fields:
        if each.name in values:
            whole |= _number(values[each.name]) << each.first
    return whole


def _number(value: Any) -> Any:
    return If(value, fixed(1), fixed(0)) if _is_truth(value) else w.word_of(value)


def read(fields: Table, whole: Any) -> dict[str, Any]:
    """The values of all fields in a word."""
    return {each.name: each.of(whole) for each in fields}


def others(fields: Table, whole: Any, *names: str) -> Any:
    """A word with zeros in the fields of these names; all other bits, named or not, as they are."""
    kept = w.ALL
    for each in fields:
        if each.name in names:
            kept ^= each.largest << each.first
    return whole & kept


def bounds(fields: Table, values: Values) -> list[Any]:
    """That each value fits its field; a truth value always does."""
    by_name = {each.name: each for each in fields}
    return [
        z3.ULE(w.word_of(value), by_name[name].largest)
        for name, value in values.items()
        if name in by_name and not _is_truth(value)
    ]


def tables_gone_wrong(fields: Table) -> Iterator[tuple[str, Table]]:
    """Each field a bit higher, and each of more than one bit a bit narrower."""
    for place, each in enumerate(fields):
        lists = [(f"{each.name} a bit higher", Field(each.name, each.first + 1, each.width))]
        if each.width > 1:
            lists.append((f"{each.name} a bit narrower", Field(each.name, each.first, each.width - 1)))
        for says, other in lists:
            if other.first + other.width <= w.BITS:
                yield says, (*fields[:place], other, *fields[place + 1 :])


def by_the_table(name: str, says: str, clauses: str, record: str, ask: Ask, leaving: Sequence[str] = ()) -> None:
    """Registers a claim on a table, with a wrong variant for each way in which a field could lie elsewhere.

    leaving   fields that the claim says nothing of
    """
    wrong = [
        (variant, lambda fields=fields: ask(fields))
        for variant, fields in tables_gone_wrong(table(record))
        if variant.partition(" a bit")[0] not in leaving
    ]
    first, *rest = wrong
    CLAIMS.append(
        Claim(name, says, clauses, lambda: ask(table(record)), f"a table with {first[0]}", first[1], tuple(rest))
    )


# ---- every record ---------------------------------------------------------------------------------

W = word("word")
TYPES: dict[str, Callable[[str], Any]] = {
    name: z3.Bool
    for name in ("open", "ahead", "pending", "first", "authorized", "blank", "invoiced", "settled", "quoted", "present")
}
"""Fields of one bit, which records have as truth values."""

RECORDS: dict[str, tuple[str, ...]] = {
    "identity": (),
    "balance": (),
    "quote": (),
    "sale": (),
    "bid": ("sealed", "traded"),
    "purchase": (),
    "position": ("begun",),
    "totals": (),
}
"""The records, each with what its word has and the record has not."""

ROOM_BITS = 6


def _as_record(record: str, values: Values) -> dict[str, Any]:
    """The values of a word's fields as the record has them."""
    if record != "quote":
        return dict(values)
    return {
        **values,
        "status": fixed(1) << values["status"],
        "id": values["id"] << ROOM_BITS | word("room") & 63,
        "room": word("room"),
    }


def _reads(record: str) -> Ask:
    def ask(fields: Table) -> Question:
        machine, arguments = Machine(), [W, word("room")] if record == "quote" else [W]
        top = max(each.first + each.width for each in table(record))
        # The highest field of a word is read without a mask: there is never anything above it.
        given = [z3.LShR(W, top) == 0] if top < w.BITS else []
        ((_, _, value),) = machine.call(f"packing._{record}", arguments)
        expected = _as_record(record, read(fields, W))
        shown = [same(part, expected[name]) for name, part in value.items()]
        if {*value, *RECORDS[record]} != {*expected}:
            raise w.NotTied(f"packing.vy: record and table of {record} have other fields")
        short = {"identity": ("number", "capacity", "meter"), "position": ("claimed",)}.get(record, ())
        for name in short:
            ((_, _, part),) = machine.call(f"packing._{name}", [W])
            shown.append(part == expected[name])
        return given, And(*shown)

    return ask


MADE_OF = {"bid": ("quote_id", "price", "volume", "next", "pending"), "purchase": ("buyer", "volume", "first")}
"""The records whose words are made at once, of these fields; the others are 0."""


def _packed(machine: Machine, record: str, values: Values) -> list[Outcome]:
    """All paths of packing a record of any values."""
    if record in MADE_OF:
        return machine.call(f"packing._new_{record}", [values[name] for name in MADE_OF[record]])
    if record != "identity":
        return machine.call(f"packing._pack_{record}", [values])
    marks = [If(values[name], machine.constant("packing", name.upper()), fixed(0)) for name in ("authorized", "blank")]
    capacity = values["capacity"] << machine.constant("packing", "IDENTITY_CAPACITY_SHIFT")
    return [
        Outcome(how, state, value if value is None else value | marks[0] | marks[1] | capacity)
        for how, state, value in machine.call("packing._new_identity", [values["meter"], values["number"]])
    ]


def _any(record: str) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    """A record of any values; the values of its word; and what its types, or its callers, see to."""
    names = [each.name for each in table(record) if each.name not in RECORDS[record]]
    values = {name: TYPES.get(name, word)(name) for name in names}
    if record == "purchase":
        values["first"] = z3.Bool("first")
    elif record == "quote":
        values["first"] = word("first")
    for name in {*values} - {*MADE_OF.get(record, values)}:
        values[name] = fixed(0)
    inside = dict(values)
    given: list[Any] = []
    if record == "identity":
        given = [z3.ULE(values["meter"], 2**160 - 1), z3.ULE(values["capacity"], 2**24 - 1)]
    if record == "quote":
        values["room"] = word("room")
        status = values["status"]
        given = [Or(*(status == 1 << place for place in range(4))), (values["id"] ^ values["room"]) & 63 == 0]
        inside["status"] = sum((If(status == 1 << place, fixed(place), fixed(0)) for place in range(4)), fixed(0))
        inside["id"] = z3.LShR(values["id"], ROOM_BITS)
    return values, inside, given


def _packs(record: str) -> Ask:
    def ask(fields: Table) -> Question:
        values, inside, given = _any(record)
        fits = And(*bounds(fields, inside))
        outcomes = _packed(Machine(), record, values)
        return given, found(outcomes, lambda _, whole: And(fits, whole == laid(fields, inside)), Not(fits))

    return ask


def _survives(record: str, machine: Machine) -> Question:
    values, inside, given = _any(record)
    arguments = [word("room")] if record == "quote" else []

    def shown(_state: State, whole: Any) -> Any:
        ((_, _, value),) = machine.call(f"packing._{record}", [whole, *arguments])
        return And(*(_number(part) == _number(values[name]) for name, part in value.items()))

    return given + bounds(table(record), inside), found(_packed(machine, record, values), shown)


def _shifts(record: str) -> list[str]:
    """The constants that say where a record's fields begin."""
    lines = w.source("packing").splitlines()
    names = [line.partition(":")[0] for line in lines if f"{record.upper()}_" in line.partition("SHIFT: constant")[0]]
    return [name for name in names if name.endswith("_SHIFT") and name.removeprefix("_").startswith(record.upper())]


def _moved(name: str) -> int:
    """Where a field begins that does not lie where it should."""
    # Below the number of a bid's quote some bits are free.
    return constant(name) + (1 if name == "BID_QUOTE_ID_SHIFT" else -1)


def _shift_moved(name: str) -> Machine:
    line = f"\n{name}: constant(uint256) = "
    return changed("packing", f"{line}{constant(name)}\n", f"{line}{_moved(name)}\n")


for _record, _left in RECORDS.items():
    by_the_table(
        f"words-{_record}-read",
        f"The word of a record, {_record}, is read as its table says, each field from its own bits",
        "T-PARTY-11",
        _record,
        _reads(_record),
        _left,
    )
    if _record in ("balance", "quote", "position", "totals"):  # never packed, but changed in their words
        continue
    by_the_table(
        f"words-{_record}-packed",
        f"A record, {_record}, of any values is packed as its table says, or refused where one does not fit",
        "T-PARTY-11",
        _record,
        _packs(_record),
        (
            *_left,
            *({each.name for each in table(_record)} - {*MADE_OF.get(_record, [each.name for each in table(_record)])}),
        ),
    )
    _first, *_rest = _shifts(_record)
    CLAIMS.append(
        Claim(
            f"words-{_record}-kept",
            f"Every field of a record, {_record}, is read as it was packed",
            "T-PARTY-11",
            lambda record=_record: _survives(record, Machine()),
            f"{_first} is {_moved(_first)}",
            lambda record=_record, name=_first: _survives(record, _shift_moved(name)),
            tuple(
                (f"{name} is {_moved(name)}", lambda record=_record, name=name: _survives(record, _shift_moved(name)))
                for name in _rest
            ),
        )
    )

MARKS = {
    "AUTHORIZED": ("identity", "authorized"),
    "BLANK": ("identity", "blank"),
    "INVOICED": ("balance", "invoiced"),
    "SALE_OPEN": ("sale", "open"),
    "BID_PENDING": ("bid", "pending"),
    "SEALED": ("bid", "sealed"),
    "TRADED": ("bid", "traded"),
    "SETTLED": ("position", "settled"),
    "QUOTED": ("position", "quoted"),
    "PRESENT": ("position", "present"),
}


@claim("words-marks", "To set a mark changes its field, and no other bit of the word", "T-PARTY-11", "one bit higher")
def _(wrong: bool) -> Question:
    shown = []
    for name, (record, label) in MARKS.items():
        fields = table(record)
        (mark,) = (each for each in fields if each.name == label)
        after = W | constant(name) << wrong
        shown.append(And(mark.of(after) == 1, others(fields, after, label) == others(fields, W, label)))
    return [], And(*shown)


def _by_hand(callee: str, module: str, function: str, machine: Machine) -> Any:
    """The word that a call is given, or that is kept, in `quotes.submit_quote`."""
    node = machine.function(module, function)
    if callee == "rooms._take":
        (call,) = (each for each in node.get_descendants(w.vy_ast.Call) if w.text(each.func) == callee)
        expression = call.args[0]
    else:
        (kept,) = (each for each in node.get_descendants(w.vy_ast.Assign) if w.text(each.target).startswith(callee))
        expression = kept.value
    names = {
        **{name: word(name) for name in ("period", "volume", "price", "quote_id")},
        "trader": {"number": word("prosumer")},
        "block.timestamp": word("created_at"),
    }
    ((_, value),) = machine.read(expression, State(names=names), module)
    return value


def _asserted(module: str, function: str, names: Values, machine: Machine) -> Any:
    """The one condition that a function asserts."""
    (node,) = machine.function(module, function).get_descendants(w.vy_ast.Assert)
    ((_, holds),) = machine.read(node.test, State(names=names), module)
    return holds


def _new_quote(machine: Machine, period_and_time: bool = True, number: bool = True) -> Question:
    fits = And(z3.ULT(word("period"), 2**36), z3.ULT(word("created_at"), 2**40))
    names = {"period": word("period"), "block.timestamp": word("created_at")}
    asserted = _asserted("quotes", "submit_quote", names, machine)
    taken = _asserted("rooms", "_take", {"quote_id": word("quote_id")}, machine)
    quote = {"prosumer": word("prosumer"), "period": word("period"), "volume": word("volume"), "price": word("price")}
    sale = {"open": fixed(1), "quote_id": word("quote_id"), "created_at": word("created_at")}
    # By the bounds: who quotes has a number, its volume is within the capacity, and its price within the band.
    given = bounds(table("quote"), {name: quote[name] for name in ("prosumer", "volume", "price")})
    given += [asserted] if period_and_time else []
    given += [taken] if number else []
    return given, And(
        asserted == fits,
        taken == z3.ULT(word("quote_id"), 2**32),
        _by_hand("rooms._take", "quotes", "submit_quote", machine) == laid(table("quote"), quote),
        _by_hand("deliveries._sale", "quotes", "submit_quote", machine) == laid(table("sale"), sale),
        # Whoever is VALID has 0 for its status, and nothing is opened or sold yet.
        laid(table("quote"), quote) & ~laid(table("quote"), _full("quote", quote)) == 0,
        laid(table("sale"), sale) & ~laid(table("sale"), _full("sale", sale)) == 0,
    )


def _full(record: str, names: Iterable[str]) -> dict[str, Any]:
    return {each.name: fixed(each.largest) for each in table(record) if each.name in names}


_BITS_LEFT = "assert (period >> packing.PERIOD_BITS | block.timestamp >> packing.TIME_BITS) == 0"
CLAIMS.append(
    Claim(
        "words-of-a-new-quote",
        "The words that `submit_quote` writes by hand are those of the tables; it refuses exactly the periods of more "
        "than 36 bits, times of more than 40 and numbers of more than 32",
        "T-QUO-7, T-QUO-3, T-QUO-4, T-QUO-5",
        lambda: _new_quote(Machine()),
        "for any period and time",
        lambda: _new_quote(Machine(), period_and_time=False),
        (
            ("for any number", lambda: _new_quote(Machine(), number=False)),
            (
                "the time is not looked at",
                lambda: _new_quote(changed("quotes", _BITS_LEFT, "assert period >> packing.PERIOD_BITS == 0")),
            ),
            (
                "the period is not looked at",
                lambda: _new_quote(changed("quotes", _BITS_LEFT, "assert block.timestamp >> packing.TIME_BITS == 0")),
            ),
            (
                "each may have what the other may",
                lambda: _new_quote(
                    changed("quotes", _BITS_LEFT, "assert (period | block.timestamp) >> packing.TIME_BITS == 0")
                ),
            ),
        ),
    )
)


# ---- functions that change a word -------------------------------------------------------------------


def wide(value: Any) -> Any:
    """A number with room for sums and signs."""
    return z3.ZeroExt(_WIDE - w.BITS, _number(value))


def change(
    function: str,
    record: str,
    arguments: Sequence[Any],
    after: Callable[[dict[str, Any]], dict[str, Any]],
    given: Sequence[Any] = (),
    machine: Machine | None = None,
    fits: Sequence[Any] = (),
) -> Question:
    """That a function makes of any word one with exactly these fields changed, and refuses what would not fit.

    after   the changed fields, of the fields before: both as wide numbers
    fits    what else has to hold, or it is refused
    """
    fields = table(record)
    values = after({name: wide(value) for name, value in read(fields, W).items()})
    inside = And(*fits, *(And(value >= 0, value <= largest_wide(fields, name)) for name, value in values.items()))
    put = {name: z3.Extract(w.BITS - 1, 0, value) for name, value in values.items()}
    expected = others(fields, W, *values) | laid(fields, put)
    outcomes = (machine or Machine()).call(f"packing._{function}", [W, *arguments])
    return list(given), found(outcomes, lambda _, whole: And(inside, whole == expected), Not(inside))


def largest_wide(fields: Table, name: str) -> Any:
    """The largest value of a field, as a wide number."""
    return z3.ZeroExt(_WIDE - w.BITS, largest(fields, name))


AMOUNT, BACK, VOLUME, AGREED, CLAIMED = (word(name) for name in ("amount", "back", "volume", "agreed", "claimed"))
B, P, BID = (read(table(record), W) for record in ("balance", "position", "bid"))


def _unchecked(assertion: str) -> Machine:
    """The market without an assertion of `packing.vy`."""
    return changed("packing", f"    assert {assertion}\n", "    pass\n")


@claim("words-funded", "Funding adds exactly the amount, or is refused", "T-MON-4, T-MON-24", "without the comparison")
def _(wrong: bool) -> Question:
    machine = _unchecked("amount <= unsafe_sub(MAX_MONEY, word & MAX_MONEY)") if wrong else None
    return change("funded", "balance", [AMOUNT], lambda v: {"free": v["free"] + wide(AMOUNT)}, (), machine)


@claim(
    "words-reserved",
    "Reserving moves exactly the amount, which is free, or is refused",
    "T-MON-4, T-BID-12",
    "of what is not free",
)
def _(wrong: bool) -> Question:
    def after(v: dict[str, Any]) -> dict[str, Any]:
        return {"free": v["free"] - wide(AMOUNT), "reserved": v["reserved"] + wide(AMOUNT)}

    return change("reserved", "balance", [AMOUNT], after, [] if wrong else [z3.ULE(AMOUNT, B["free"])])


@claim(
    "words-released",
    "Releasing takes exactly the amount from what is reserved and adds exactly what comes back, or is refused",
    "T-MON-4, T-SET-10",
    "without the comparison",
)
def _(wrong: bool) -> Question:
    def after(v: dict[str, Any]) -> dict[str, Any]:
        return {"free": v["free"] + wide(BACK), "reserved": v["reserved"] - wide(AMOUNT)}

    checked = "amount | back | free | unsafe_sub(word >> _BALANCE_RESERVED_SHIFT & MAX_MONEY, amount) <= MAX_MONEY"
    return change("released", "balance", [AMOUNT, BACK], after, (), _unchecked(checked) if wrong else None)


@claim(
    "words-counted",
    "Performances and waivers are counted by one, and stand still at the largest value",
    "T-STD-1, T-STD-11",
    "they go on at the largest",
)
def _(wrong: bool) -> Question:
    machine = changed("packing", "if word >> first_bit & limit == limit:", "if word == limit:") if wrong else None
    shown = []
    for name in ("performances", "waivers"):
        most = constant(f"MAX_{name.upper()}")
        counted = lambda v, name=name, most=most: {name: If(v[name] == most, v[name], v[name] + 1)}  # noqa: E731
        first = fixed(constant(f"BALANCE_{name.upper()}_SHIFT"))
        shown.append(change("counted", "balance", [first, fixed(most)], counted, (), machine)[1])
    return [], And(*shown)


CLAIM = [z3.ULE(P["claimed"], 2**24 - 1), z3.ULE(CLAIMED, VOLUME), z3.ULE(AGREED, VOLUME)]


@claim(
    "words-asked",
    "What is asked for and claimed grows by exactly the volume, which the capacity allows",
    "T-REG-21, T-STD-7",
    "beyond the capacity",
)
def _(wrong: bool) -> Question:
    def after(v: dict[str, Any]) -> dict[str, Any]:
        return {"asked": v["asked"] + wide(VOLUME), "claimed": v["claimed"] + wide(VOLUME)}

    within = [z3.ULE(VOLUME, 2**24 - 1), z3.ULE(P["claimed"] + VOLUME, 2**24 - 1), z3.ULE(P["asked"], P["claimed"])]
    return change("asked", "position", [VOLUME], after, within[:1] if wrong else within)


@claim(
    "words-bought",
    "What is bought, agreed and claimed grows by exactly the volumes, or is refused",
    "T-ACC-10, T-REG-21",
    "more is agreed than bought",
)
def _(wrong: bool) -> Question:
    def after(v: dict[str, Any]) -> dict[str, Any]:
        return {
            "bought": v["bought"] + wide(VOLUME),
            "agreed": v["agreed"] + wide(AGREED),
            "claimed": v["claimed"] + wide(CLAIMED),
        }

    given = [z3.ULE(AGREED, VOLUME), z3.ULE(CLAIMED, VOLUME), z3.ULE(CLAIMED, 2**24 - 1 - P["claimed"])]
    given += [] if wrong else [z3.ULE(P["agreed"], P["bought"])]
    return change("bought", "position", [VOLUME, AGREED, CLAIMED], after, given)


@claim("words-staked", "Open quotes grow by one, or that is refused", "T-ACC-4", "without the comparison")
def _(wrong: bool) -> Question:
    machine = _unchecked("word >> POSITION_OPEN_SHIFT & MAX_STAKES != MAX_STAKES") if wrong else None
    return change("staked", "position", [], lambda v: {"open": v["open"] + 1}, (), machine)


@claim(
    "words-received",
    "What is received grows by exactly the volume and open quotes fall by what ended, or that is refused",
    "T-ACC-4, T-ACC-6",
    "without the comparison",
)
def _(wrong: bool) -> Question:
    ended = word("ended")

    def after(v: dict[str, Any]) -> dict[str, Any]:
        return {"received": v["received"] + wide(VOLUME), "open": v["open"] - wide(ended)}

    checked = "volume | received | unsafe_sub(word >> POSITION_OPEN_SHIFT & MAX_STAKES, ended) <= MAX_ENERGY"
    machine = _unchecked(checked) if wrong else None
    return change("received", "position", [VOLUME, ended], after, [z3.ULE(ended, 1)], machine)


@claim(
    "words-metered",
    "A reading joins a word that has none, and nothing else changes; an energy that does not fit is refused",
    "T-MET-3",
    "a second reading joins the first",
)
def _(wrong: bool) -> Question:
    exported, imported = word("exported"), word("imported")

    def after(_: dict[str, Any]) -> dict[str, Any]:
        return {"exported": wide(exported), "imported": wide(imported), "present": wide(1)}

    given = [] if wrong else [P["exported"] == 0, P["imported"] == 0, P["present"] == 0]
    return change("metered", "position", [exported, imported], after, given)


def _winning(machine: Machine, nothing: bool = True) -> Question:
    filled, following = word("filled"), word("next")
    return change(
        "won",
        "bid",
        [filled, following],
        lambda _: {"filled": wide(filled), "next": wide(following), "traded": wide(1)},
        [BID["filled"] == 0] if nothing else [],
        machine,
    )


CLAIMS.append(
    Claim(
        "words-won",
        "A bid that won has a trade, keeps its quote, its price and its volume, and names the next best",
        "T-MAT-2",
        lambda: _winning(Machine()),
        "something had won before",
        lambda: _winning(Machine(), nothing=False),
        (("the trade is not noted", lambda: _winning(changed("packing", " | TRADED\n", "\n"))),),
    )
)


# ---- quotes: status and rooms -----------------------------------------------------------------------

ROOM, OTHER, ID = word("room"), word("other"), word("id")
QUOTES, COUNTER = z3.Array("quote", w.WORD, w.WORD), word("counter")
Q = read(table("quote"), W)


def _closing(machine: Machine) -> Question:
    state = State(storage={"rooms._quote": z3.Store(QUOTES, ROOM, W)})
    status = Q["status"]
    closed = If(status == _VALID, fixed(_INVALID), If(status == _MATCHED, fixed(_SETTLED), status))
    ((_, after, _),) = machine.call("rooms._close", [ROOM], state)
    now = after.storage["rooms._quote"]
    expected = others(table("quote"), W, "status") | laid(table("quote"), {"status": closed})
    return [OTHER != ROOM], And(z3.Select(now, ROOM) == expected, z3.Select(now, OTHER) == z3.Select(QUOTES, OTHER))


_CLOSE = "self._quote[room] |= packing.CLOSED"
CLAIMS.append(
    Claim(
        "quote-closing",
        "To close a quote turns VALID into INVALID and MATCHED into SETTLED, and nothing else in any room",
        "T-QUO-14, T-SET-1",
        lambda: _closing(Machine()),
        "it turns the bit over, so that what is closed opens again",
        lambda: _closing(changed("rooms", _CLOSE, "self._quote[room] ^= packing.CLOSED")),
        (
            (
                "it sets both bits of the status",
                lambda: _closing(changed("rooms", _CLOSE, "self._quote[room] |= packing.NOT_VALID")),
            ),
            (
                "it writes the bit and forgets the rest",
                lambda: _closing(changed("rooms", _CLOSE, "self._quote[room] = packing.CLOSED")),
            ),
            (
                "the bit is the first bidder's highest",
                lambda: _closing(changed("packing", "1 << _QUOTE_STATUS_SHIFT\n", "1 << _QUOTE_STATUS_SHIFT - 1\n")),
            ),
            (
                "the bit is the second of the status",
                lambda: _closing(changed("packing", "1 << _QUOTE_STATUS_SHIFT\n", "2 << _QUOTE_STATUS_SHIFT\n")),
            ),
        ),
    )
)


@claim(
    "quote-status",
    "A quote is VALID where neither bit of its status is set, and its room is free where the lower one is",
    "T-QUO-14",
    "where the higher one is",
)
def _(wrong: bool) -> Question:
    machine = Machine()
    ((_, _, quote),) = machine.call("packing._quote", [W, ROOM])
    names = {name: quote["status"] == machine.flag("QuoteStatus", name) for name in ("VALID", "INVALID", "SETTLED")}
    free = W & constant("CLOSED") << wrong != 0
    return [], And((W & constant("NOT_VALID") == 0) == names["VALID"], free == Or(names["INVALID"], names["SETTLED"]))


NUMBER_LIMIT = 2**32
HALVINGS = 26
FULL = NUMBER_LIMIT - 1


def mask_of(name: str) -> tuple[Any, list[Any]]:
    """Any number of rooms from 2^6 to 2^32, less one; and that it is one."""
    halved = word(f"{name} halved")
    return z3.LShR(fixed(FULL), halved), [z3.ULE(halved, HALVINGS)]


def is_number(value: Any) -> list[Any]:
    """That a number is one of a quote."""
    return [value != 0, z3.ULT(value, NUMBER_LIMIT)]


@claim(
    "rooms-tell-quotes-apart",
    "Two quotes in one room have other tags of 26 bits, with any number of rooms from 2^6 to 2^32",
    "T-QUO-17",
    "with 2^5 rooms",
)
def _(wrong: bool) -> Question:
    other = word("other id")
    mask, given = mask_of("mask")
    if wrong:
        given = [z3.ULE(word("mask halved"), HALVINGS + 1)]
    tag = [z3.LShR(each, ROOM_BITS) for each in (ID, other)]
    given += [*is_number(ID), *is_number(other), ID != other, ID & mask == other & mask]
    return given, And(tag[0] != tag[1], *(z3.ULT(each, 2**26) for each in tag))


@claim(
    "rooms-tell-the-number",
    "Room and tag together are the number of the quote, with any number of rooms",
    "T-QUO-17",
    "the tag with the last five bits of the room",
)
def _(wrong: bool) -> Question:
    mask, given = mask_of("mask")
    machine = changed("packing", "room & (2**ROOM_BITS - 1)", "room & (2**ROOM_BITS - 33)") if wrong else Machine()
    tagged = W | z3.LShR(ID, ROOM_BITS) << constant("QUOTE_ID_SHIFT")
    ((_, _, quote),) = machine.call("packing._quote", [tagged, ID & mask])
    return [*given, *is_number(ID), Q["id"] == 0], And(quote["id"] == ID, quote["room"] == ID & mask)


def _number_in(room: Any, whole: Any) -> Any:
    """The number of the quote whose word lies in a room."""
    return Q_ID.of(whole) << ROOM_BITS | room & 63


(Q_ID,) = (each for each in table("quote") if each.name == "id")


@claim(
    "rooms-counted",
    "The number of rooms and that of the quotes are read from their one word as they were written",
    "T-QUO-17",
    "more quotes than there are numbers of 64 bits",
)
def _(wrong: bool) -> Question:
    count, rooms = word("count"), word("mask")
    given = [z3.ULT(rooms, NUMBER_LIMIT), z3.ULT(count, 2**65 if wrong else 2**64)]
    whole = count | rooms << 64
    return given, And(z3.LShR(whole, 64) == rooms, whole & 2**64 - 1 == count, whole == count + (rooms << 64))


# A loop is proved by induction: what holds of its variables before the first turn holds after each, and at the end is
# what is claimed. One turn is run, with any number of rooms; there are as many turns as it can take.


def _begun(
    machine: Machine, function: str, names: Values, count: Any, expected: Values
) -> tuple[Any, list[Any], list[Any]]:
    """That a loop begins with what is expected, where the word of `rooms-counted` keeps `count` quotes and the rooms.

    And the statements of a turn, and those after all turns.
    """
    before, loop, after = machine.around_the_loop(f"rooms.{function}")
    kept = count | expected["mask"] << 64
    state = State(names=names, storage={"rooms._counter": kept, "rooms._quote": QUOTES})
    started = []
    for how, left, _ in machine.run(before, state, "rooms"):
        right = (
            [left.names[name] == value for name, value in expected.items()] if how == "next" else [z3.BoolVal(False)]
        )
        started.append(Implies(left.condition, And(*right)))
    # Enough turns to come from the most rooms to the least, or from the least to the most.
    ((_, turns),) = machine.read(loop.iter.args[0], State(), "rooms")
    enough = z3.BoolVal(63 << turns - 1 | 2 ** (turns - 1) - 1 >= FULL)
    return And(*started, enough), loop.body, after


def _turn(machine: Machine, body: Sequence[Any], names: Values) -> list[Outcome]:
    state = State(names=names, storage={"rooms._quote": QUOTES})
    return [Outcome(*each) for each in machine.run(body, state, "rooms")]


def _lookup(machine: Machine, fewer: bool = True) -> Question:
    mask, given = mask_of("mask")
    then, placed = mask_of("mask when placed")
    home, room = ID & then, ID & mask
    there, whole = z3.Select(QUOTES, home), z3.Select(QUOTES, room)
    given += [*placed, *is_number(ID), there != 0, _number_in(home, there) == ID, z3.ULT(word("count"), 2**64)]
    # A quote was written to one room: no other has its number. And rooms never become fewer.
    given.append(Or(room == home, whole == 0, _number_in(room, whole) != ID))
    if fewer:
        given.append(z3.ULE(then, mask))
    begun, body, _ = _begun(machine, "_word", {"quote_id": ID}, word("count"), {"mask": mask, "quote_id": ID})
    shown = [begun]
    for how, left, value in _turn(machine, body, {"quote_id": ID, "mask": mask}):
        if how == "return":
            right = And(value[0] == home, value[1] == there)
        else:  # It looks on, in half as many rooms, and not in fewer than there were then.
            after = left.names["mask"]
            right = And(after == z3.LShR(mask, 1), z3.ULE(then, after)) if how == "next" else z3.BoolVal(False)
        shown.append(Implies(left.condition, right))
    return given, And(*shown)


_TAG = "word >> packing.QUOTE_ID_SHIFT == quote_id >> packing.ROOM_BITS"
_STOP = "if mask < 2**packing.ROOM_BITS - 1:"
CLAIMS.append(
    Claim(
        "rooms-find",
        "Lemma: who looks for a quote finds it where it was placed, or goes on in half as many rooms, not fewer than "
        "there were then",
        "T-QUO-17",
        lambda: _lookup(Machine()),
        "it looks in the room of now alone",
        lambda: _lookup(changed("rooms", "        mask >>= 1\n", "        break\n")),
        (
            (
                "it stops before the least number of rooms",
                lambda: _lookup(changed("rooms", _STOP, "if mask < 2**packing.ROOM_BITS:")),
            ),
            (
                "it leaves every other number of rooms out",
                lambda: _lookup(changed("rooms", "        mask >>= 1\n", "        mask >>= 2\n")),
            ),
            (
                "a turn less",
                lambda: _lookup(
                    changed(
                        "rooms", "_halving: uint256 in range(_DOUBLINGS + 1)", "_halving: uint256 in range(_DOUBLINGS)"
                    )
                ),
            ),
            ("there may have been more rooms", lambda: _lookup(Machine(), fewer=False)),
            ("it takes whatever lies there", lambda: _lookup(changed("rooms", f"word != 0 and {_TAG}", "word != 0"))),
        ),
    )
)


def _none_other(machine: Machine) -> Question:
    mask, given = mask_of("mask")
    given.append(z3.ULT(word("count"), 2**64))
    begun, body, after = _begun(machine, "_word", {"quote_id": ID}, word("count"), {"mask": mask, "quote_id": ID})
    shown = [begun]
    for how, left, value in _turn(machine, body, {"quote_id": ID, "mask": mask}):
        if how == "return":
            room, whole = value
            right = And(whole != 0, whole == z3.Select(QUOTES, room), _number_in(room, whole) == ID)
            shown.append(Implies(left.condition, right))
        else:
            shown.append(
                Implies(And(left.condition, z3.BoolVal(how == "next")), left.names["mask"] == z3.LShR(mask, 1))
            )
    ends = [value == (0, 0) for _, _, value in machine.run(after, State(), "rooms")]
    return given, And(*shown, z3.BoolVal(ends == [True]))


CLAIMS.append(
    Claim(
        "rooms-never-another",
        "Lemma: who looks for any number of 256 bits finds the quote of that number, or goes on, and at the end none",
        "T-QUO-17, T-PARTY-18",
        lambda: _none_other(Machine()),
        "it takes whatever lies there",
        lambda: _none_other(changed("rooms", f"word != 0 and {_TAG}", "word != 0")),
        (
            ("it compares 25 bits", lambda: _none_other(changed("rooms", _TAG, "word >> 231 == quote_id >> 7"))),
            (
                "it cuts the number looked for",
                lambda: _none_other(changed("rooms", _TAG, "word >> 230 == quote_id >> 6 & (2**26 - 1)")),
            ),
            ("an empty room is number 0's", lambda: _none_other(changed("rooms", f"word != 0 and {_TAG}", _TAG))),
        ),
    )
)


def _taking(machine: Machine, numbers: int = NUMBER_LIMIT, empty: bool = True) -> Question:
    mask, given = mask_of("mask")
    number, room = word("number"), ID & mask
    given += [ID == number, number != 0, z3.ULT(number, numbers), Q["id"] == 0]
    # No quote has a room whose number is above its own: where the next quote's own room is, none can be.
    if empty:
        given.append(z3.Select(QUOTES, number) == 0)
    begun, body, after = _begun(
        machine, "_take", {"word": W}, number - 1, {"mask": mask, "quote_id": number, "word": W}
    )
    shown = [begun]
    there = z3.Select(QUOTES, room)
    free = Or(there == 0, there & laid(table("quote"), {"status": fixed(1)}) != 0)
    for how, left, _ in _turn(machine, body, {"quote_id": ID, "mask": mask, "room": fixed(0), "word": W}):
        now = left.names["mask"]
        if how == "next":  # There are twice as many rooms; where there are as many as numbers, that never comes.
            right = And(now == 2 * mask + 1, z3.ULE(now, FULL), Not(free))
        else:
            right = And(z3.BoolVal(how == "break"), now == mask, left.names["room"] == room, free)
        shown.append(Implies(left.condition, right))
    names = {"quote_id": ID, "mask": mask, "room": room, "word": W}
    state = State(names=names, storage={"rooms._quote": QUOTES, "rooms._counter": word("counter")})
    for how, left, value in machine.run(after, state, "rooms"):
        quotes, counter = left.storage["rooms._quote"], left.storage["rooms._counter"]
        kept = z3.Select(quotes, room)
        right = And(
            z3.BoolVal(how == "return"),
            value == number,
            counter == number | mask << 64,
            kept == W | z3.LShR(number, ROOM_BITS) << Q_ID.first,
            _number_in(room, kept) == number,
            Implies(OTHER != room, z3.Select(quotes, OTHER) == z3.Select(QUOTES, OTHER)),
            z3.ULE(room, number),
        )
        shown.append(Implies(left.condition, right))
    return given, And(*shown)


CLAIMS.append(
    Claim(
        "rooms-take",
        "Lemma: a new quote takes the next number and a room in which none is open, all else stays where it is, and "
        "none lies above its own number",
        "T-QUO-17, T-GUA-16, T-GUA-17",
        lambda: _taking(Machine()),
        "one that is MATCHED makes room, too",
        lambda: _taking(changed("rooms", "word_there & packing.CLOSED != 0", "word_there & packing.NOT_VALID != 0")),
        (
            (
                "it takes the room that it finds",
                lambda: _taking(
                    changed("rooms", "if word_there == 0 or word_there & packing.CLOSED != 0:", "if True:")
                ),
            ),
            ("the rooms become no more", lambda: _taking(changed("rooms", "mask = mask << 1 | 1", "mask = mask << 1"))),
            (
                "the number of rooms is not kept",
                lambda: _taking(changed("rooms", "quote_id | mask << _COUNT_BITS\n", "quote_id\n")),
            ),
            (
                "a turn less",
                lambda: _taking(
                    changed(
                        "rooms",
                        "_doubling: uint256 in range(_DOUBLINGS + 1)",
                        "_doubling: uint256 in range(_DOUBLINGS)",
                    )
                ),
            ),
            (
                "the tag is the number",
                lambda: _taking(changed("rooms", "word | quote_id >> packing.ROOM_BITS <<", "word | quote_id <<")),
            ),
            (
                "numbers of 33 bits",
                lambda: _taking(changed("rooms", "    assert quote_id <= packing.MAX_NUMBER\n", ""), 2**33),
            ),
            ("one may lie above the next number", lambda: _taking(Machine(), empty=False)),
        ),
    )
)

# ---- bids -------------------------------------------------------------------------------------------

A_BID, ANOTHER = word("quote"), word("another quote")
SEAL, OTHER_SEAL = word("commitment"), word("another commitment")
OPENED = {name: TYPES.get(name, word)(f"opened {name}") for name in ("price", "volume", "filled", "next", "pending")}


def _opened(quote: Any, machine: Machine | None = None) -> list[Outcome]:
    return _packed(machine or Machine(), "bid", {**OPENED, "quote_id": quote})


def _seal(quote: Any, commitment: Any, machine: Machine | None = None) -> Any:
    ((_, _, whole),) = (machine or Machine()).call("packing._sealed", [quote, commitment])
    return whole


def _bids_apart(machine: Machine, numbers: int = NUMBER_LIMIT) -> Question:
    given = [z3.ULT(A_BID, numbers), z3.ULT(ANOTHER, numbers), A_BID != ANOTHER]
    one, other = _seal(A_BID, SEAL, machine), _seal(ANOTHER, OTHER_SEAL, machine)

    def shown(_: State, whole: Any) -> Any:
        return And(whole != other, z3.LShR(whole, 224) == A_BID)

    return given, And(one != other, z3.LShR(one, 224) == A_BID, found(_opened(A_BID, machine), shown, z3.BoolVal(True)))


_SEALED = "quote_id << BID_QUOTE_ID_SHIFT | SEALED | convert(commitment, uint256) >> COMMITMENT_CUT"
CLAIMS.append(
    Claim(
        "bids-of-other-quotes",
        "Bids of two quotes, sealed or opened, never are one word: each tells whose it is",
        "T-BID-17, T-QUO-17",
        lambda: _bids_apart(Machine()),
        "numbers of 33 bits",
        lambda: _bids_apart(Machine(), 2**33),
        (
            (
                "the whole commitment is kept",
                lambda: _bids_apart(changed("packing", _SEALED, _SEALED.partition(" >> COMM")[0])),
            ),
            (
                "the quote lies a bit lower",
                lambda: _bids_apart(
                    changed(
                        "packing",
                        "BID_QUOTE_ID_SHIFT: constant(uint256) = 224",
                        "BID_QUOTE_ID_SHIFT: constant(uint256) = 223",
                    )
                ),
            ),
        ),
    )
)


_CUT = "COMMITMENT_CUT: constant(uint256) = 256 - _TRADED_SHIFT"
_CUT_LATE = "COMMITMENT_CUT: constant(uint256) = 256 - SEALED_SHIFT"


def _never_passes(machine: Machine) -> Question:
    sealed = _seal(A_BID, SEAL, machine)
    numbers = [z3.ULT(A_BID, NUMBER_LIMIT), z3.ULT(ANOTHER, NUMBER_LIMIT)]
    traded, shift = machine.constant("packing", "TRADED"), machine.constant("packing", "SEALED_SHIFT")

    def passes(whole: Any) -> Any:
        # `reveal_bid` compares the marks of what lies there with those of the seal that would fit, then all of it.
        return z3.LShR(whole, shift) == z3.LShR(sealed, shift)

    def shown(_: State, whole: Any) -> Any:
        return And(whole & traded == 0, *(Not(passes(each)) for each in (whole, whole | traded)))

    purchased = laid(table("bid"), {"quote_id": ANOTHER, "traded": fixed(1)})
    opened = found(_opened(ANOTHER, machine), shown, z3.BoolVal(True))
    # Who never opened its bid and purchases has a sealed one still, and reads so.
    mark = machine.constant("packing", "SEALED")
    kept = And(sealed & traded == 0, sealed & mark != 0, (sealed | traded) & mark != 0, Not(passes(purchased)))
    return numbers, And(opened, kept, purchased & mark == 0)


CLAIMS.append(
    Claim(
        "bids-sealed-or-opened",
        "A sealed bid never passes for one that is opened or for a purchase alone, nor they for it, and neither a "
        "sealed nor an opened one has a trade yet",
        "T-BID-5, T-BID-8, T-BID-17",
        lambda: _never_passes(Machine()),
        "without the mark",
        lambda: _never_passes(changed("packing", " | SEALED | convert(", " | convert(")),
        (
            (
                "it lies in the number of the quote",
                lambda: _never_passes(
                    changed("packing", "SEALED_SHIFT: constant(uint256) = 223", "SEALED_SHIFT: constant(uint256) = 224")
                ),
            ),
            ("a bit more of the commitment is kept", lambda: _never_passes(changed("packing", _CUT, _CUT_LATE))),
            (
                "a trade is noted where a bid is pending",
                lambda: _never_passes(
                    changed(
                        "packing", "_TRADED_SHIFT: constant(uint256) = 222", "_TRADED_SHIFT: constant(uint256) = 176"
                    )
                ),
            ),
            (
                "the mark lies where it is pending",
                lambda: _never_passes(
                    changed("packing", "SEALED_SHIFT: constant(uint256) = 223", "SEALED_SHIFT: constant(uint256) = 176")
                ),
            ),
        ),
    )
)


def _committing(machine: Machine, kept: int = 222) -> Question:
    numbers = [z3.ULT(A_BID, NUMBER_LIMIT), z3.ULT(ANOTHER, NUMBER_LIMIT)]
    one, other = _seal(A_BID, SEAL, machine), _seal(ANOTHER, OTHER_SEAL, machine)
    equal = And(A_BID == ANOTHER, z3.LShR(SEAL, 256 - kept) == z3.LShR(OTHER_SEAL, 256 - kept))
    # The lens shows what is kept, be there a trade or not; the other bits read zero.
    traded = machine.constant("packing", "TRADED")
    shown = [each << machine.constant("packing", "COMMITMENT_CUT") for each in (one, one | traded)]
    return numbers, And(
        (one == other) == equal,
        *(each == SEAL & (w.ALL ^ 2 ** (256 - kept) - 1) for each in shown),
        others(table("bid"), one, "quote_id", "sealed") == z3.LShR(SEAL, 256 - kept),
        others(table("bid"), one, "traded") == one,
    )


CLAIMS.append(
    Claim(
        "bids-commitment",
        "Of a commitment its first 222 bits are kept, found again where they and the quote are the same, and read as "
        "they are; the mark of a trade lies beside them",
        "T-BID-17, T-BID-4, T-BID-9",
        lambda: _committing(Machine()),
        "all 256 bits are",
        lambda: _committing(Machine(), 256),
        (
            ("its first 223 bits are", lambda: _committing(Machine(), 223)),
            ("a bit more is kept", lambda: _committing(changed("packing", _CUT, _CUT_LATE))),
            (
                "the mark of a trade lies a bit lower",
                lambda: _committing(
                    changed(
                        "packing", "_TRADED_SHIFT: constant(uint256) = 222", "_TRADED_SHIFT: constant(uint256) = 221"
                    )
                ),
            ),
        ),
    )
)


def _noting(machine: Machine, numbers: int = NUMBER_LIMIT) -> Question:
    fields, bidder, book = table("bid"), word("bidder"), z3.Array("bid", w.WORD, w.WORD)
    key = laid(table("key"), {"bidder": bidder, "room": ROOM})
    before = z3.Select(book, key)
    there = read(fields, before)
    mine = there["quote_id"] == A_BID
    given = [z3.ULT(each, NUMBER_LIMIT) for each in (ROOM, bidder)] + [z3.ULT(A_BID, numbers), A_BID != 0]
    # A bid of this quote stays what it is; nothing is kept of another one, whatever was bid on it or bought.
    kept = If(mine, others(fields, before, "traded"), laid(fields, {"quote_id": A_BID}))
    expected = kept | laid(fields, {"traded": fixed(1)})
    call = ("bids._note_trade", [ROOM, A_BID, bidder])

    def shown(left: State, first: Any) -> Any:
        now = left.storage["bids._bid"]
        again = found(machine.call(*call, left), lambda after, value: And(Not(value), _at(after) == expected))
        return And(
            first == Not(And(mine, there["traded"] == 1)),
            z3.Select(now, key) == expected,
            Implies(OTHER != key, z3.Select(now, OTHER) == z3.Select(book, OTHER)),
            again,
        )

    def _at(left: State) -> Any:
        return z3.Select(left.storage["bids._bid"], key)

    return given, found(machine.call(*call, State(storage={"bids._bid": book})), shown)


_NOT_THERE = "if word >> packing.BID_QUOTE_ID_SHIFT != quote_id:"
_NOTED = "self._bid[key] = word | packing.TRADED"
CLAIMS.append(
    Claim(
        "bids-first-trade",
        "A purchase is the buyer's first trade with the quote exactly where it has neither won nor purchased there; it "
        "is noted, its bid stays what it is, and so does every other word",
        "T-ACC-4, T-QUO-17, T-BID-17",
        lambda: _noting(Machine()),
        "a trade with another quote of the room counts",
        lambda: _noting(changed("bids", _NOT_THERE, "if False:")),
        (
            ("it is not noted", lambda: _noting(changed("bids", _NOTED, "self._bid[key] = word"))),
            ("nothing of the bid is kept", lambda: _noting(changed("bids", _NOTED, _NOTED.replace("word |", "key |")))),
            (
                "who bid has a trade",
                lambda: _noting(
                    changed(
                        "bids",
                        "word & packing.TRADED == 0",
                        "word & ~(1 << 222) == quote_id << packing.BID_QUOTE_ID_SHIFT",
                    )
                ),
            ),
            (
                "all bidders of a room are one",
                lambda: _noting(
                    changed("bids", "key: uint256 = room << packing.KEY_ROOM_SHIFT | number\n", "key: uint256 = room\n")
                ),
            ),
            ("numbers of 33 bits", lambda: _noting(Machine(), 2**33)),
        ),
    )
)


@claim(
    "bids-keys", "Two bidders, or two rooms, never have one key", "T-BID-3, T-QUO-17", "rooms beside numbers of 31 bits"
)
def _(wrong: bool) -> Question:
    shift = constant("KEY_ROOM_SHIFT") - wrong
    room, bidder, other = ROOM, word("bidder"), word("other bidder")
    given = [z3.ULT(each, NUMBER_LIMIT) for each in (room, OTHER, bidder, other)]
    keys = [room << shift | bidder, OTHER << shift | other]
    fields = {"bidder": bidder, "room": room}
    right = [] if wrong else [keys[0] == laid(table("key"), fields)]
    return [*given, Or(room != OTHER, bidder != other)], And(keys[0] != keys[1], *right)


# ---- periods: tags and rings ------------------------------------------------------------------------

PERIOD, ANOTHER_PERIOD, USER, PLACE = word("period"), word("another period"), word("user"), word("place")
POSITIONS, SALES = z3.Const("position", MAPPING_2), z3.Const("sale", MAPPING_2)
_VALID_QUOTE = z3.Function("is valid", w.WORD, z3.BoolSort())
KNOWN = {"clock._place": lambda _: PLACE, "rooms._is_valid": lambda number: _VALID_QUOTE(number)}
PERIODS = 2**36


def _tag(period: Any, mark: bool = True) -> Any:
    fields = {"period": period, "begun": fixed(1 if mark else 0)}
    return laid(table("position"), fields)


@claim(
    "periods-have-tags",
    "Words of two periods never have one tag, and one that was never begun has no period's",
    "T-PARTY-19",
    "periods of 37 bits",
)
def _(wrong: bool) -> Question:
    shift, begun = constant("POSITION_PERIOD_SHIFT"), constant("BEGUN")
    most = PERIODS * 2 if wrong else PERIODS
    given = [z3.ULT(PERIOD, most), z3.ULT(ANOTHER_PERIOD, most), PERIOD != ANOTHER_PERIOD]
    tags = [(each + begun) << shift for each in (PERIOD, ANOTHER_PERIOD)]
    return given, And(tags[0] != tags[1], tags[0] != 0, tags[0] == _tag(PERIOD))


def final(whole: Any, pending: bool = True) -> Any:
    """That nothing follows any more from a position, as the terms say it."""
    field = read(table("position"), whole)
    own = z3.Select(SALES, USER, PLACE) & laid(table("sale"), {"open": fixed(1)}) != 0
    stake = Or(
        field["open"] != 0,
        And(field["quoted"] == 1, own),
        And(field["pending"] != 0, _VALID_QUOTE(field["pending"])) if pending else z3.BoolVal(False),
    )
    return Or(field["settled"] == 1, And(field["present"] == 0, field["bought"] == 0, Not(stake)))


def _position(machine: Machine, periods: int = PERIODS, pending: bool = True) -> Question:
    machine = Machine(machine.sources, KNOWN)
    state = State(storage={"positions._position": z3.Store(POSITIONS, USER, PLACE, W), "deliveries._sale": SALES})
    mine = And(P["begun"] == 1, P["period"] == PERIOD)
    expected = If(mine, W, If(final(W, pending), _tag(PERIOD), fixed(0)))
    given = [z3.ULT(PERIOD, periods), Or(W == 0, P["begun"] == 1)]
    refusing = machine.call("positions._opened", [USER, PERIOD, PLACE], state)
    return given, And(
        found(machine.call("positions._word", [USER, PERIOD, PLACE], state), lambda _, value: value == expected),
        found(refusing, lambda _, value: And(value == expected, value != 0), expected == 0),
    )


_NEW = "    return unsafe_add(period, packing.BEGUN) << packing.POSITION_PERIOD_SHIFT"
CLAIMS.append(
    Claim(
        "positions-begin",
        "The word of a user and period is its own, or a new one where nothing follows from an earlier period's; else "
        "there is none, and to begin one is refused",
        "T-PARTY-19, T-PARTY-20",
        lambda: _position(Machine()),
        "the mark of what is begun is left out",
        lambda: _position(changed("positions", _NEW, "    return period << packing.POSITION_PERIOD_SHIFT")),
        (
            ("periods of 37 bits", lambda: _position(Machine(), 2 * PERIODS)),
            ("a pending quote is no stake", lambda: _position(Machine(), pending=False)),
            (
                "an own quote is no stake",
                lambda: _position(changed("positions", "if word & packing.QUOTED != 0 and ", "if False and ")),
            ),
            (
                "a reading may be overwritten",
                lambda: _position(
                    changed(
                        "positions",
                        "packing.PRESENT | packing.MAX_ENERGY << packing.POSITION_BOUGHT_SHIFT",
                        "packing.MAX_ENERGY << packing.POSITION_BOUGHT_SHIFT",
                    )
                ),
            ),
            (
                "a purchase may be overwritten",
                lambda: _position(
                    changed(
                        "positions",
                        "word & (packing.PRESENT | packing.MAX_ENERGY << packing.POSITION_BOUGHT_SHIFT)",
                        "word & packing.PRESENT",
                    )
                ),
            ),
            (
                "everything may be overwritten",
                lambda: _position(changed("positions", "not self._is_final(user, place, word):", "False:")),
            ),
            (
                "what is there is given to the new period",
                lambda: _position(changed("positions", _NEW, "    return word")),
            ),
        ),
    )
)


def _staking(machine: Machine, numbers: int = NUMBER_LIMIT) -> Question:
    machine = Machine(machine.sources, KNOWN)
    fields, capacity, quote = table("position"), word("capacity"), word("quote")
    state = State(storage={"positions._position": z3.Store(POSITIONS, USER, PLACE, W), "deliveries._sale": SALES})
    given = [z3.ULT(PERIOD, PERIODS), P["begun"] == 1, P["period"] == PERIOD, z3.ULE(P["asked"], P["claimed"])]
    given += [z3.ULE(capacity, 2**24 - 1), z3.ULE(VOLUME, 2**24 - 1), z3.ULT(quote, numbers), quote != 0]
    first = P["pending"] == 0
    fits = And(z3.ULE(P["claimed"] + VOLUME, capacity), Or(first, P["open"] != 2**16 - 1))
    after = {
        "asked": P["asked"] + VOLUME,
        "claimed": P["claimed"] + VOLUME,
        "open": If(first, P["open"], P["open"] + 1),
        "pending": If(first, quote, P["pending"]),
    }
    expected = others(fields, W, *after) | laid(fields, after)

    def shown(left: State, pending: Any) -> Any:
        now = z3.Select(left.storage["positions._position"], USER, PLACE)
        return And(fits, *bounds(fields, after), pending == first, now == expected)

    outcomes = machine.call("positions._stake", [USER, PERIOD, PLACE, quote, VOLUME, capacity], state)
    return given, found(outcomes, shown, Not(fits))


CLAIMS.append(
    Claim(
        "positions-stake",
        "An opened bid claims its volume, within the capacity, and its quote is named as pending or counted",
        "T-REG-21, T-ACC-4",
        lambda: _staking(Machine()),
        "numbers of 33 bits",
        lambda: _staking(Machine(), 2**33),
        (
            (
                "the capacity is not looked at",
                lambda: _staking(
                    changed(
                        "positions", "    if unsafe_add(packing._claimed(word), volume) > capacity:", "    if False:"
                    )
                ),
            ),
            (
                "the pending one is counted, too",
                lambda: _staking(
                    changed(
                        "positions",
                        "        word |= quote_id << packing.POSITION_PENDING_SHIFT\n    else:\n",
                        "        word |= quote_id << packing.POSITION_PENDING_SHIFT\n    if True:\n",
                    )
                ),
            ),
        ),
    )
)


def _buying(machine: Machine) -> Question:
    machine = Machine(machine.sources, KNOWN)
    fields, quote, first = table("position"), word("quote"), z3.Bool("first")
    state = State(storage={"positions._position": z3.Store(POSITIONS, USER, PLACE, W), "deliveries._sale": SALES})
    given = [z3.ULT(PERIOD, PERIODS), P["begun"] == 1, P["period"] == PERIOD, z3.ULE(P["agreed"], P["bought"])]
    given += [z3.ULE(AGREED, VOLUME), z3.ULE(CLAIMED, VOLUME), z3.ULE(VOLUME, 2**24 - 1), *is_number(quote)]
    given += [z3.ULE(P["claimed"] + CLAIMED, 2**24 - 1)]
    counted_now = And(first, P["pending"] == quote)
    fits = And(z3.ULE(P["bought"] + VOLUME, 2**24 - 1), Or(Not(first), P["open"] != 2**16 - 1))
    after = {
        "agreed": P["agreed"] + AGREED,
        "bought": P["bought"] + VOLUME,
        "claimed": P["claimed"] + CLAIMED,
        "open": If(first, P["open"] + 1, P["open"]),
        "pending": If(counted_now, fixed(0), P["pending"]),
    }
    expected = others(fields, W, *after) | laid(fields, after)

    def shown(left: State, _: Any) -> Any:
        now = z3.Select(left.storage["positions._position"], USER, PLACE)
        return And(fits, *bounds(fields, after), now == expected)

    arguments = [USER, PLACE, W, quote, VOLUME, AGREED, CLAIMED, first]
    return given, found(machine.call("positions._buy", arguments, state), shown, Not(fits))


CLAIMS.append(
    Claim(
        "positions-buy",
        "A trade adds its volume to what is bought, agreed and claimed, and its quote is counted once",
        "T-ACC-10, T-ACC-4",
        lambda: _buying(Machine()),
        "what is counted stays pending",
        lambda: _buying(changed("positions", "word ^= quote_id << packing.POSITION_PENDING_SHIFT", "pass")),
        (
            (
                "any pending one is cleared",
                lambda: _buying(changed("positions", "packing.MAX_NUMBER == quote_id:", "packing.MAX_NUMBER != 0:")),
            ),
            ("each trade is counted", lambda: _buying(changed("positions", "    if first:\n", "    if True:\n"))),
        ),
    )
)


def _totalling(machine: Machine) -> Question:
    fields = table("totals")
    quoted, invalidated, opened = (word(name) for name in ("quoted", "invalidated", "opened"))
    before = read(fields, W)
    mine = before["period"] == PERIOD
    supply, demand = (If(mine, before[name], fixed(0)) for name in ("supply", "demand"))
    state = State(storage={"quotes._totals": z3.Store(z3.Array("totals", w.WORD, w.WORD), PLACE, W)})
    # What is withdrawn was quoted before, in the same word; and by totals-fit none comes to more.
    given = [z3.ULT(PERIOD, PERIODS), z3.LShR(W, 228) == 0, z3.ULE(invalidated, supply)]
    given += [z3.ULT(each, 2**24) for each in (quoted, invalidated, opened)]
    given += [z3.ULT(each, 2**63) for each in (supply, demand)]
    shift = machine.constant("packing", "TOTALS_DEMAND_SHIFT")
    shown = []
    for by, after in (
        (quoted, {"supply": supply + quoted, "demand": demand}),
        (fixed(0) - invalidated, {"supply": supply - invalidated, "demand": demand}),
        (opened << shift, {"supply": supply, "demand": demand + opened}),
    ):
        expected = laid(fields, {**after, "period": PERIOD})
        outcomes = machine.call("quotes._count", [PERIOD, PLACE, by], state)
        shown.append(found(outcomes, lambda left, _, e=expected: z3.Select(left.storage["quotes._totals"], PLACE) == e))
    return given, And(*shown)


_ANOTHER = "if word >> packing.TOTALS_PERIOD_SHIFT != period:"
CLAIMS.append(
    Claim(
        "totals-of-a-period",
        "What is quoted and asked for counts for its period, from nothing where another period's totals lie there",
        "T-QUO-16, T-BID-16, T-PARTY-24",
        lambda: _totalling(Machine()),
        "they are added to another period's",
        lambda: _totalling(changed("quotes", _ANOTHER, "if False:")),
        (
            ("they begin anew each time", lambda: _totalling(changed("quotes", _ANOTHER, "if True:"))),
            (
                "the period is not written",
                lambda: _totalling(changed("quotes", "word = period << packing.TOTALS_PERIOD_SHIFT", "word = 0")),
            ),
            (
                "the demand lies a bit lower",
                lambda: _totalling(
                    changed(
                        "packing",
                        "\nTOTALS_DEMAND_SHIFT: constant(uint256) = 96",
                        "\nTOTALS_DEMAND_SHIFT: constant(uint256) = 95",
                    )
                ),
            ),
        ),
    )
)


def _summing(numbers: int = NUMBER_LIMIT, book: int | None = None) -> Question:
    most, book = 2**24 - 1, book or Machine().constant("bids", "BOOK_SIZE")
    quotes, bids, supply, demand, volume = (Int(name) for name in ("quotes", "bids", "supply", "demand", "volume"))

    def within(quotes: Any, bids: Any, supply: Any, demand: Any) -> Any:
        return And(supply <= quotes * most, demand <= bids * most, supply < 2**63, demand < 2**63)

    given = [quotes >= 0, quotes < numbers, bids >= 0, bids <= book * quotes, volume >= 0, volume <= most]
    given += [supply >= 0, demand >= 0, supply <= quotes * most, demand <= bids * most]
    one_more = Implies(quotes + 1 < numbers, within(quotes + 1, bids, supply + volume, demand))
    opened = Implies(bids + 1 <= book * quotes, within(quotes, bids + 1, supply, demand + volume))
    return given, And(one_more, opened, within(0, 0, 0, 0), z3.BoolVal(2**63 < 2 ** table("totals")[0].width))


CLAIMS.append(
    Claim(
        "totals-fit",
        "Lemma: with fewer than 2^32 quotes, volumes below 2^24 and at most 128 opened bids per quote, supply and "
        "demand are below 2^63, before the first quote and after each quote and bid",
        "T-QUO-16, T-BID-16, T-BID-13",
        lambda: _summing(),
        "numbers of 40 bits",
        lambda: _summing(2**40),
        (("books of 256 bids", lambda: _summing(book=256)),),
    )
)


def _leading(machine: Machine, opened: bool, fits: bool = True) -> Question:
    fields, first = table("quote"), word("first")
    by = machine.constant("packing", "ONE_OPENED" if opened else "MATCHED")
    given = [Q["opened"] != 255] if opened and fits else []
    given += [Q["status"] == _VALID] if not opened and fits else []
    after = {"first": first, **({"opened": Q["opened"] + 1} if opened else {"status": fixed(_MATCHED)})}
    within = z3.ULE(first, FULL)
    expected = others(fields, W, *after) | laid(fields, after)
    outcomes = machine.call("packing._led", [W, first, fixed(by)])
    return given, found(outcomes, lambda _, whole: And(within, whole == expected), Not(within))


CLAIMS.append(
    Claim(
        "words-led",
        "A quote gets another first bidder, and one opened bid more: nothing else changes",
        "T-BID-13, T-MAT-5",
        lambda: _leading(Machine(), True),
        "where no other bid fits",
        lambda: _leading(Machine(), True, False),
        (
            ("without the comparison", lambda: _leading(_unchecked("first <= MAX_NUMBER"), True)),
            (
                "the former first bidder stays",
                lambda: _leading(
                    changed("packing", "word & ~(MAX_NUMBER << _QUOTE_FIRST_SHIFT) | first", "word | first"), True
                ),
            ),
        ),
    )
)
CLAIMS.append(
    Claim(
        "words-matched",
        "A VALID quote gets the best as its first bidder and becomes MATCHED: nothing else changes",
        "T-MAT-1",
        lambda: _leading(Machine(), False),
        "whatever its status",
        lambda: _leading(Machine(), False, False),
    )
)

# Of whole numbers without bounds. `binding` ties the formulas to the source.

L, N, NOW, LATER, EARLIER = Int("L"), Int("W"), Int("now"), Int("later"), Int("earlier")
CLOCK = [L > 0, N > 0, NOW >= 0]
RING = f.ring(L, N)


@claim(
    "ring-of-whole-days",
    "The ring has as many places as are needed, and less than a day's more, so that they make whole days",
    "T-PARTY-22",
    "rounded down",
)
def _(wrong: bool) -> Question:
    needed, day = f.needed(L, N), f.daily(L)
    ring = f.floor(needed, day) * day if wrong else RING
    return CLOCK, And(ring >= needed, ring < needed + day, f.place(ring, day) == 0, day >= 1, ring >= 4)


@claim(
    "ring-a-day-after-the-end",
    "Once a period can be quoted, every earlier one that shares its place has been CLOSING for a day at least",
    "T-PARTY-22, T-PARTY-21, T-QUO-3",
    "without the day, and without one of what is rounded up",
)
def _(wrong: bool) -> Question:
    ring = f.floor(f.HORIZON, L) + 2 * f.least(f.floor(N, L), f.PERIODS) + 3 if wrong else RING
    # By words-of-a-new-quote a later one fits 36 bits: where the ring's windows are cut at 2^36, no two share a place.
    given = [*CLOCK, EARLIER >= 0, LATER >= EARLIER + ring, LATER < f.PERIODS, f.within_horizon(LATER, NOW, L)]
    return given, f.closing(EARLIER, L, N, NOW - f.DAY)


@claim(
    "ring-of-a-day-alone",
    "Lemma: of a place's periods the next but one cannot be quoted either, as long as the next cannot",
    "T-PARTY-22",
    "a ring that may be empty",
)
def _(wrong: bool) -> Question:
    turns = Int("turns")
    ring = Int("ring")
    given = [ring >= (-1 if wrong else 1), turns >= 1, EARLIER >= 0, LATER == EARLIER + turns * ring]
    return given, LATER >= EARLIER + ring


@claim(
    "ring-places",
    "Of as many periods in a row as the ring has places no two share one",
    "T-PARTY-22, T-GUA-17",
    "of one more in a row",
)
def _(wrong: bool) -> Question:
    ring = Int("ring")
    # What is left of a period is it less some turns of the ring: z3 gets the turns by name.
    turns = [f.floor(EARLIER, ring), f.floor(LATER, ring)]
    given = [ring >= 4, EARLIER >= 0, LATER >= EARLIER, LATER < EARLIER + ring + wrong]
    given += [turns[1] <= turns[0] + 1, turns[1] >= turns[0]]
    return [*given, f.place(EARLIER, ring) == f.place(LATER, ring)], LATER == EARLIER


@claim(
    "ring-turns",
    "Lemma: such periods lie in one turn of the ring, or in the next",
    "T-PARTY-22",
    "of twice as many in a row",
)
def _(wrong: bool) -> Question:
    ring = Int("ring")
    earlier, later = f.floor(EARLIER, ring), f.floor(LATER, ring)
    given = [ring >= 4, EARLIER >= 0, LATER >= EARLIER, LATER < EARLIER + ring * (1 + wrong)]
    return given, And(later <= earlier + 1, later >= earlier)


@claim(
    "ring-is-cut-late",
    "Where the windows are so long that their periods are cut at 2^36, no two periods of 36 bits share a place",
    "T-PARTY-22",
    "cut at 2^34",
)
def _(wrong: bool) -> Question:
    most = 2**34 if wrong else f.PERIODS
    needed = f.floor(f.HORIZON + f.DAY, L) + 2 * f.least(f.floor(N, L), most) + 4
    ring = f.whole(needed, f.daily(L))
    given = [*CLOCK, f.floor(N, L) >= most, EARLIER >= 0, LATER >= EARLIER + ring]
    return given, LATER >= f.PERIODS


@claim(
    "periods-fit",
    "A period that can be quoted fits its 36 bits until the year 4147, with periods of a second, or for longer",
    "T-QUO-3, T-PARTY-11",
    "a year later",
)
def _(wrong: bool) -> Question:
    end = f.PERIODS - f.HORIZON + (366 * f.DAY if wrong else 0)
    return [*CLOCK, LATER >= 0, NOW < end, f.within_horizon(LATER, NOW, L)], LATER < f.PERIODS


@claim(
    "periods-within-the-horizon",
    "A period can be quoted exactly where it starts at most seven days from now",
    "T-QUO-3",
    "seven days are left out",
)
def _(wrong: bool) -> Question:
    given = [*CLOCK, LATER >= 0]
    return given, f.within_horizon(LATER, NOW, L) == (LATER * L <= NOW + (0 if wrong else f.HORIZON))


PHASES = [Int(f"phase {name}") for name in f.PHASES]
MOST = Int("largest")


@claim(
    "clock-closing",
    "A period whose start is a number of the chain is CLOSING from two windows after its end on, and at no other time",
    "T-TIME-8, T-TIME-11",
    "from one window on",
)
def _(wrong: bool) -> Question:
    given = [*CLOCK, EARLIER >= 0, EARLIER * L <= MOST, EARLIER <= f.floor(MOST, L), z3.Distinct(*PHASES)]
    phase = f.phase(EARLIER, L, N, NOW, MOST, *PHASES)
    return given, (phase == PHASES[-1]) == (NOW >= f.end(EARLIER, L) + (1 if wrong else 2) * N)
