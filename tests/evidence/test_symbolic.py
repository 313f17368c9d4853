"""The proofs, that each could fail, and that what is proved is what runs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("z3", reason="the proofs need z3: pip install 'wattproof[evidence]'")

import z3

from tests.support.stage import Household, Stage
from verification.proofs import binding as ties
from verification.proofs import bytecode, storage, words
from verification.proofs import claims as proofs
from verification.proofs import formulas as f
from verification.proofs.formulas import Deal
from wattproof.evm.engine import available, make_env
from wattproof.market.clock import Clock
from wattproof.market.deployment import Tariff, contracts_dir

# ---- the proofs -------------------------------------------------------------------------------


@pytest.mark.parametrize("claim", proofs.CLAIMS, ids=lambda claim: claim.name)
def test_claim_is_proved_and_could_fail(claim: proofs.Claim) -> None:
    """Its negation has no values, its assumptions have some, and its wrong variant is broken by some."""
    verdict = proofs.ask(claim)
    assert (verdict.proved, verdict.possible, verdict.wrong) == ("unsat", "sat", "sat")
    assert verdict.breaks
    assert [says for says, answer in verdict.further if answer != "sat"] == []
    assert verdict.holds


def test_names_are_unique() -> None:
    """Each claim has a name of its own, so that the table names what failed."""
    names = [claim.name for claim in proofs.CLAIMS]
    assert len(names) == len(set(names))
    assert set(proofs.STEPS) <= {tie.name for tie in ties.TIES}


def test_the_document_lists_them() -> None:
    """docs/proofs.md has the table of now; `wattproof prove --docs docs/proofs.md` writes it."""
    document = Path("docs/proofs.md").read_text()
    assert proofs.table() in document
    assert proofs.written(document) == document


def test_what_is_not_proved_fails_the_run() -> None:
    """A claim that is wrong, and one whose wrong variant is right, end with their names."""
    wrong, right = proofs.CLAIMS[0].ask_wrong, proofs.CLAIMS[0].ask
    for question, other in ((wrong, wrong), (right, right)):
        claim = proofs.Claim("odd", "It is odd", "-", question, "-", other)
        verdict = proofs.ask(claim)
        assert not verdict.holds
        with pytest.raises(proofs.NotProved, match="odd: negation"):
            raise proofs.NotProved([verdict])
    further = proofs.Claim("odd", "It is odd", "-", right, "-", wrong, (("it is even", right),))
    verdict = proofs.ask(further)
    assert (verdict.wrong, verdict.refuted, verdict.holds) == ("sat", 1, False)
    with pytest.raises(proofs.NotProved, match="it is even: unsat"):
        raise proofs.NotProved([verdict])
    nothing = proofs.Claim("void", "Of nothing", "-", lambda: ([z3.BoolVal(False)], z3.BoolVal(False)), "-", wrong)
    assert (proofs.ask(nothing).proved, proofs.ask(nothing).holds) == ("unsat", False)


def test_halmos_agrees_on_the_bytecode() -> None:
    """What terminates holds, and what is wrong is refuted; where halmos is not installed, this is skipped."""
    halmos = bytecode.find()
    if halmos is None:
        pytest.skip(
            "no halmos here: pip install halmos==0.3.3 in an environment of its own, set WATTPROOF_HALMOS to it"
        )
    verdicts = bytecode.run(halmos)
    assert verdicts["check_wrong_escrow"] == bytecode.FAIL


def test_halmos_is_held_to_what_is_expected() -> None:
    """A check that is refuted, missing, or wrong and not refuted, fails."""
    good = {name: 1 if name == "check_wrong_escrow" else 0 for name in bytecode.EXPECTED}
    assert set(bytecode.judged(good).values()) == {bytecode.PASS, bytecode.FAIL}
    for bad in (good | {"check_wrong_escrow": 0}, good | {"check_pro_rata": 1}, dict(list(good.items())[1:])):
        with pytest.raises(bytecode.NotAsExpected, match="halmos on check_"):
            bytecode.judged(bad)


# ---- what is proved is what the source says ------------------------------------------------------


@pytest.mark.parametrize("tie", ties.TIES, ids=lambda tie: tie.name)
def test_formula_is_the_source(tie: ties.Tie) -> None:
    """For all whole numbers."""
    ties.check(tie)


def test_functions_are_those_that_were_looked_at() -> None:
    """A change of a settling function voids the proofs until somebody has looked."""
    ties.check_fingerprints()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the contracts, to be changed."""
    return Path(shutil.copytree(contracts_dir(), tmp_path / "contracts"))


def change(folder: Path, module: str, old: str, new: str) -> None:
    """Replaces the one place where `old` stands."""
    path = folder / "market" / f"{module}.vy"
    source = path.read_text()
    assert source.count(old) == 1, f"{old} stands {source.count(old)} times in {module}.vy"
    path.write_text(source.replace(old, new))


FORMULA_CHANGES = [
    ("tariff", "unsafe_add(price, SERVICE_FEE)", "unsafe_sub(price, SERVICE_FEE)", "escrow"),
    (
        "tariff",
        "_COLLATERAL_PERCENT: constant(uint256) = 10",
        "_COLLATERAL_PERCENT: constant(uint256) = 11",
        "collateral",
    ),
    ("settlement", "_LOWEST_PERCENT: constant(uint256) = 95", "_LOWEST_PERCENT: constant(uint256) = 94", "in default"),
    ("incentives", "performances >= 8 * _FIRST_THRESHOLD", "performances >= 7 * _FIRST_THRESHOLD", "tier"),
]


@pytest.mark.parametrize("change_of", FORMULA_CHANGES, ids=lambda change: change[3])
def test_a_changed_formula_is_seen(change_of: tuple[str, str, str, str], copy: Path) -> None:
    """By its tie, with values at which source and proof differ, and by its fingerprint."""
    module, old, new, name = change_of
    change(copy, module, old, new)
    (tie,) = (tie for tie in ties.TIES if tie.name == name)
    with pytest.raises(ties.NotTied, match="no longer what is proved: they differ at"):
        ties.check(tie, copy)
    with pytest.raises(ties.NotTied, match=rf"changed since .*{module}.*wattproof prove --accept"):
        ties.check_fingerprints(copy)


def test_only_what_is_said_counts(copy: Path) -> None:
    """Comments and layout may change; a function may not disappear."""
    path = copy / "market" / "incentives.vy"
    path.write_text(re.sub(r"(?m)^(    return .*)$", r"    # Said otherwise.\n\n\1", path.read_text()))
    ties.check_fingerprints(copy)
    path.write_text(path.read_text().replace("def _charge(", "def _levy("))
    with pytest.raises(ties.NotTied, match="has no function _charge any more"):
        ties.check_fingerprints(copy)


def test_fingerprints_are_of_all_guarded_functions() -> None:
    """One for each, and one for the constants of each module."""
    wanted = sum(map(len, ties.GUARDED.values())) + len(ties.GUARDED)
    assert len(json.loads(ties.LOOKED_AT.read_text())) == wanted


def test_places_of_half_hours() -> None:
    """T-PARTY-22: nine days of them with windows of 600 s; of periods longer than a day no more than are needed."""
    assert f.ring(1_800, 600) == 432
    assert f.needed(1_800, 600) == 388
    assert f.ring(2 * f.DAY, 600) == f.needed(2 * f.DAY, 600) == 8


# ---- storage words ------------------------------------------------------------------------------


def test_tables_of_all_words_are_read() -> None:
    """Those of `packing.vy`, and no others: each field once, the whole word where it is full."""
    tables = words.tables()
    assert {*tables} == {*storage.RECORDS, "key"}
    assert sum(field.width for field in tables["position"]) == 256
    assert [field.name for field in tables["totals"]] == ["supply", "demand", "period"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("#     68   91   volume           24", "#     68   91   volume           25", "volume is not 25 bits wide"),
        ("#     68   91   volume           24", "#     67   90   volume           24", "volume begins inside period"),
        ("#    230  255   id               26", "#    231  256   id               26", "id ends behind the word"),
        ("#      0   31   prosumer         32", "#      0   30   prosumer         31", "not as wide as its kind"),
    ],
)
def test_a_table_that_cannot_be_is_seen(old: str, new: str, reason: str) -> None:
    """A width that is none, fields that overlap, and a kind of another width."""
    source = words.source("packing")
    assert source.count(old) == 1
    with pytest.raises(ties.NotTied, match=reason):
        words.tables(source.replace(old, new))


def test_what_cannot_be_run_is_said() -> None:
    """A statement, a name, a function and an operator that the proofs know nothing of."""
    source = words.source("rooms")
    for old, new, reason in (
        ("mask >>= 1", "mask //= 2", "no such operator on words"),
        ("mask >>= 1", "mask = self._nothing", "cannot tell what"),
        ("mask >>= 1", "raise", "cannot run"),
        ("def _close(", "def _shut(", "no function _close"),
    ):
        assert old in source
        machine = words.Machine({"rooms": source.replace(old, new)})
        state = words.State(storage={"rooms._quote": storage.QUOTES, "rooms._counter": storage.COUNTER})
        with pytest.raises(ties.NotTied, match=reason):
            machine.call("rooms._close" if "_close" in old else "rooms._word", [storage.ID], state)


HIGHEST = {
    "TOTALS_PERIOD_SHIFT",
    "IDENTITY_CAPACITY_SHIFT",
    "POSITION_PERIOD_SHIFT",
    "BID_QUOTE_ID_SHIFT",
    "QUOTE_ID_SHIFT",
    "SEALED_SHIFT",
}
"""Where what lies above is wanted, too: there is nothing, or marks that are compared with it."""


@pytest.mark.parametrize("module", sorted(path.stem for path in (contracts_dir() / "market").glob("*.vy")))
def test_fields_are_read_whole_elsewhere(module: str) -> None:
    """Where another module reads a field out of a word, it cuts off what its table says: no more, no less."""
    tree = ties.module(module)
    owners = {"POSITION", "SALE", "QUOTE", "BID", "BALANCE", "IDENTITY", "SEALED"}
    masked, bare = [], set()
    for node in tree.get_descendants(words.vy_ast.BinOp):
        if isinstance(node.op, words.vy_ast.BitAnd) and isinstance(node.left, words.vy_ast.BinOp):
            masked.append((node.left, ties.text(node.right)))
    inside = [id(left) for left, _ in masked]
    for node in tree.get_descendants(words.vy_ast.BinOp):
        shift = ties.text(node.right)
        if isinstance(node.op, words.vy_ast.RShift) and shift.endswith("_SHIFT") and id(node) not in inside:
            bare.add(shift.removeprefix("packing."))
    if module not in ("packing", "matching"):  # they have tables of their own
        assert bare <= HIGHEST
    for left, mask in masked:
        shift = ties.text(left.right).removeprefix("packing.")
        if not isinstance(left.op, words.vy_ast.RShift) or shift.partition("_")[0] not in owners:
            continue
        record, first = shift.partition("_")[0].lower(), storage.constant(shift)
        (field,) = (field for field in storage.table(record) if field.first == first)
        assert field.largest == storage.constant(mask.removeprefix("packing.")), f"{shift} & {mask}"


# ---- what is proved is what the contract does -----------------------------------------------------

TARIFFS = {
    "small": Tariff(sbp=6, ssp=18, service_fee=1, priority_step=0),
    "no fee": Tariff(sbp=7, ssp=19, service_fee=0, priority_step=0),
    "large": Tariff(sbp=2**72 + 1, ssp=2**74 - 1, service_fee=2**71 + 5, priority_step=0),
    "largest": Tariff(sbp=5, ssp=2**96 - 1, service_fee=2**90 + 5, priority_step=0),
}
RICHES = 2**100
"""Base units that each member has; it pays for the largest volumes at large prices, and for 8 Wh at the largest."""
PERFORMANCES = (0, 4, 5, 10, 20, 40, 80)
"""Good performances of the members, so that every tier is there; every other member has a waiver in hand."""

LARGEST = 2**24 - 1


@dataclass
class Community:
    """A market with members of every tier."""

    stage: Stage
    members: list[Household]


@pytest.fixture(scope="module")
def communities() -> Iterator[dict[str, Community]]:
    """A community under each tariff, on the faster engine."""
    with boa.swap_env(make_env(available()[-1])):
        yield {name: community(tariff) for name, tariff in TARIFFS.items()}


def community(tariff: Tariff) -> Community:
    """Plays as many small trades as it takes."""
    stage = Stage(tariff)
    members = [stage.household(f"member {n}", funds=RICHES) for n in PERFORMANCES]
    baker = stage.household("baker", funds=RICHES)
    for turn in range(max(PERFORMANCES)):
        buyers = [member for member, n in zip(members, PERFORMANCES, strict=True) if turn < n]
        trade(stage, baker, buyers, 1, len(buyers))
    trade(stage, baker, members[1::2], 20, 20 * len(members[1::2]) * 95 // 100)
    for place, (member, n) in enumerate(zip(members, PERFORMANCES, strict=True)):
        assert stage.standing(member) == (n + place % 2, 0, place % 2, f.tier(n + place % 2))
    return Community(stage, members)


def trade(stage: Stage, prosumer: Household, buyers: list[Household], volume: int, exported: int) -> None:
    """Everybody buys `volume` Wh at the lowest price, imports as much, and is settled."""
    stage.period = Clock(stage.tariff.period_length, stage.tariff.window).next_quotable()
    price = stage.tariff.lowest_price
    quote = stage.quote(volume * len(buyers), price, prosumer)
    stage.auction(quote, *((buyer, price, volume) for buyer in buyers))
    stage.to("METERING")
    stage.read(prosumer, exported, 0)
    for buyer in buyers:
        stage.read(buyer, 0, volume)
    stage.to("SETTLING")
    stage.settle(quote, *buyers)


@dataclass(frozen=True)
class Sale:
    """A quote to be sold and settled: who sells, how much, who bids what, what is metered."""

    tariff: str
    prosumer: int
    volume: int
    price: int
    bids: tuple[tuple[int, int, int], ...]  # member, price, volume; no member twice
    exported: int
    imported: int


@st.composite
def sales(draw: st.DrawFn) -> Sale:
    """Sales with volumes, prices and exports at the edges of their bounds."""
    name = draw(st.sampled_from(sorted(TARIFFS)))
    low, high = TARIFFS[name].lowest_price, TARIFFS[name].highest_price
    most = min(LARGEST, RICHES // (2 * TARIFFS[name].ssp))
    volumes = [wh for wh in (1, 2, 13, 19, 20, 21, 99, 100, 101, most) if wh <= most]
    volume = draw(st.sampled_from(volumes) | st.integers(1, most))
    price = draw(st.sampled_from((low, low, high)) | st.integers(low, high))
    prosumer, *others = draw(st.permutations(range(len(PERFORMANCES))))
    bids = []
    for member in others[: draw(st.integers(0, 5))]:
        wanted = draw(st.sampled_from((1, max(volume // 3, 1), max(volume // 2, 1), volume)) | st.integers(1, volume))
        bids.append((member, draw(st.sampled_from((price, high)) | st.integers(price, high)), wanted))
    edge = -(-95 * volume // 100)
    exports = [0, 1, volume // 2, max(edge - 1, 0), edge, volume - 1, volume, min(2 * volume, LARGEST), LARGEST]
    exported = draw(st.sampled_from(exports) | st.integers(0, volume))
    imported = draw(st.sampled_from((0, 1, volume // 3, volume, LARGEST)))
    return Sale(name, prosumer, volume, price, tuple(bids), exported, imported)


def served(sale: Sale) -> list[tuple[int, int, int]]:
    """The trades in their order: the largest amounts first, then the largest volumes, then the earliest (T-MAT-2)."""
    left, trades = sale.volume, []
    for member, price, volume in sorted(sale.bids, key=lambda bid: (-bid[1] * bid[2], -bid[2])):
        if filled := min(volume, left):
            trades.append((member, price, filled))
            left -= filled
    return trades


@settings(max_examples=60, derandomize=True)
@example(Sale("large", 6, LARGEST, 2**74 - 6 - 2**71, ((0, 2**74 - 6 - 2**71, LARGEST),), 0, LARGEST))
@example(Sale("large", 0, LARGEST, 2**72 + 6 + 2**71, ((1, 2**74 - 6 - 2**71, LARGEST),), LARGEST, 0))
@example(Sale("largest", 0, 7, 2**90 + 10, ((1, 2**96 - 6 - 2**90, 7),), 6, 0))
@example(Sale("small", 0, 100, 7, ((1, 7, 33), (2, 7, 33), (3, 7, 34)), 95, 0))
@given(sales())
def test_contract_settles_as_the_formulas_say(communities: dict[str, Community], sale: Sale) -> None:
    """Every part, payment, fee, compensation, balance and invoice of a whole settlement, to the last base unit."""
    stage, members = communities[sale.tariff].stage, communities[sale.tariff].members
    env = stage.market.env
    with env.anchor():
        t, prosumer = stage.tariff, members[sale.prosumer]
        stage.period = Clock(t.period_length, t.window).next_quotable()
        own = stage.standing(prosumer)
        trades = served(sale)
        deals = [Deal(filled, price, *reversed(stage.standing(members[who])[2:])) for who, price, filled in trades]
        due = f.settle(deals, sale.volume, sale.exported, t.ssp, t.service_fee, own[3], own[2])

        buyers = [members[who] for who, _, _ in trades]
        before = {who: stage.money(who) for who in (*members, stage.owner)}
        quote = stage.quote(sale.volume, sale.price, prosumer)
        locked = f.collateral(sale.volume, t.ssp)
        assert stage.money(prosumer) == (before[prosumer][0] - locked, before[prosumer][1] + locked)
        stage.auction(quote, *((members[who], price, volume) for who, price, volume in sale.bids))
        for buyer, deal in zip(buyers, deals, strict=True):
            held = f.escrow(deal.volume, deal.price, t.service_fee)
            assert stage.money(buyer) == (before[buyer][0] - held, before[buyer][1] + held)
        stage.to("METERING")
        stage.read(prosumer, sale.exported, sale.imported)
        stage.to("SETTLING")
        stage.market.settle_quote(quote, sender=stage.owner)

        events = stage.events()
        told = [fields for name, fields in events if name == "TradeSettled"]
        names = ("delivered", "payment", "fee", "compensation")
        found = [tuple(fields[name] for name in names) for fields in told]
        wanted = [(got, p.payment, p.fee, p.compensation) for got, p in zip(due.received, due.parts, strict=True)]
        assert found == wanted
        (whole,) = (fields for name, fields in events if name == "QuoteSettled")
        revenue, paid = sum(p.payment for p in due.parts), sum(p.compensation for p in due.parts)
        gone = f.delivered(sum(deal.volume for deal in deals), sale.exported)
        assert tuple(whole[name] for name in ("delivered", "revenue", "fee", "compensation")) == (
            gone,
            revenue,
            due.fee,
            paid,
        )
        for buyer, deal, part in zip(buyers, deals, due.parts, strict=True):
            free = before[buyer][0] - f.escrow(deal.volume, deal.price, t.service_fee) + part.back
            assert stage.money(buyer) == (free, before[buyer][1])
        assert stage.money(prosumer) == (before[prosumer][0] - locked + due.back, before[prosumer][1])
        assert stage.money(stage.owner)[0] - before[stage.owner][0] == due.owner

        # Neither owes nor is owed anything beforehand; the supplier is without money here.
        assert_invoice(stage, prosumer, sale.exported, gone, 0, sale.imported)
        for buyer, deal, got in zip(buyers[:1], deals, due.received, strict=False):
            # A silent meter counts as having imported what was bought (T-MET-7).
            assert_invoice(stage, buyer, 0, 0, got, deal.volume)


def assert_invoice(stage: Stage, who: Household, exported: int, gone: int, received: int, imported: int) -> None:
    """Settles an account and compares what it was invoiced."""
    stage.market.settle_account(who.address, stage.period, sender=stage.owner)
    (settled,) = (fields for name, fields in stage.events() if name == "AccountSettled")
    assert settled["amount"] == f.invoice(exported, gone, received, imported, stage.tariff.sbp, stage.tariff.ssp)


whole = st.integers(0, 2**52) | st.sampled_from((0, 1, 2, 3, 5, 99, 100, 2**24 - 1, 2**96 - 1))


@given(st.lists(whole, min_size=12, max_size=12), st.booleans())
def test_one_formula_for_numbers_and_terms(numbers: list[int], default: bool) -> None:
    """Each formula gives on numbers what z3 makes of it on terms."""
    above = [number + 1 for number in numbers]  # where one of them divides
    cases: list[tuple[Any, list[Any], list[Any]]] = []
    for tie in ties.TIES:
        size, divided = len(tie.parameters), tie.name in ("due", "ring", "place", "horizon", "phase")
        used = (above if divided else numbers)[:size]
        cases.append((tie.formula, used, list(map(z3.IntVal, used))))
    volume, got = numbers[0] + numbers[1], numbers[1]
    standing, waivers = numbers[2] % 6, numbers[3] % 3
    plain = [volume, numbers[4], got, default, numbers[5], standing, waivers]
    lifted = [z3.BoolVal(each) if isinstance(each, bool) else z3.IntVal(each) for each in plain]
    cases.append((f.part, plain, lifted))
    for formula, given_numbers, given_terms in cases:
        plainly, symbolically = formula(*given_numbers), formula(*given_terms)
        if not isinstance(plainly, tuple):
            plainly, symbolically = (plainly,), (symbolically,)
        for number, term in zip(plainly, symbolically, strict=True):
            found = z3.simplify(term) if z3.is_expr(term) else term
            assert str(found) == str(number)
