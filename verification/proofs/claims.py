"""What is proved for all values inside the bounds: what sampling cannot exhaust. Here, the settlement's arithmetic.

Each claim is a question to z3: is there a value inside the bounds for which it fails? The answer must be "unsat": none.
The same claim with a wrong formula or a bound left out must be "sat", with values that break it, or the question could
not fail; and the bounds alone must be "sat", or the claim would say nothing. Sums over all trades are proved by
induction: a lemma says what holds before the first trade and survives one more.

What is claimed of storage words stands in `storage`. The integers are unbounded here; that nothing outgrows the chain's
words is claims of its own (`overflow`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import z3 as typed_z3
from rich.console import Console

from verification import measurements
from verification.proofs import binding as ties
from verification.proofs import bytecode, storage
from verification.proofs import formulas as f
from verification.proofs.questions import Claim, Question, into

z3: Any = typed_z3
"""Its types tell less than they allow: arithmetic on terms, above all."""

And, Implies, Int, Not, Or = z3.And, z3.Implies, z3.Int, z3.Not, z3.Or

TIMEOUT = 60
"""Seconds that one question may take."""

ENERGY, PRICE, WORD, SIGNED = 2**24, 2**96, 2**256, 2**255
TRADES = 256
QUOTES = 2**64
"""Most quotes that there can ever be: more than any chain can hold."""

BOUNDS = {
    "sbp": "0 < SBP",
    "fee": "0 <= fee, SBP + fee <= SSP - fee",
    "ssp": "SSP < 2^96",
    "volume": "0 < V < 2^24, quoted",
    "exported": "0 <= G < 2^24; 0 without a reading",
    "trade": "0 < q, SBP + fee <= p <= SSP - fee",
    "sold": "0 <= S <= max(V, G), the sum of at most 256 volumes q",
    "standing": "0 <= tier <= 5, 0 <= waivers",
    "account": "0 <= delivered <= exported; received and imported at least 0",
}
"""What is assumed of each value: what the constructor, the quote, the bid, the purchase and the meter check."""

CLAIMS: list[Claim] = []
claim = into(CLAIMS)


# ---- values and their bounds ----------------------------------------------------------------

SBP, SSP, FEE, V, G, S, q, p = (Int(name) for name in ("SBP", "SSP", "fee", "V", "G", "S", "q", "p"))
Q, R, tier, waivers = (Int(name) for name in ("volume_so_far", "received", "tier", "waivers"))
D = f.delivered(S, G)
DEFAULT = f.in_default(G, V)

TARIFF = [SBP > 0, FEE >= 0, SBP + FEE <= SSP - FEE, SSP < PRICE]
QUOTE = [V > 0, V < ENERGY, G >= 0, G < ENERGY, S >= 0, Or(S <= V, S <= G)]  # S is 0 where nobody bought
TRADE = [q > 0, q <= S, p >= SBP + FEE, p <= SSP - FEE]
PLACE = [Q >= 0, Q + q <= S]  # the trades before this one, and this one
STANDING = [tier >= 0, tier <= 5, waivers >= 0]
SHARE = [R >= 0, q >= R]  # by the claims parts-*

received = f.due(Q + q, D, S) - f.due(Q, D, S)
this = f.part(q, p, R, DEFAULT, FEE, tier, waivers)


def sums(*names: str) -> list[Any]:
    """Sums over the trades before this one."""
    return [Int(name) for name in names]


# ---- pro rata -----------------------------------------------------------------------------


@claim("parts-not-negative", "No trade receives less than nothing", "T-SET-4", "every trade receives something")
def _(wrong: bool) -> Question:
    return QUOTE + TRADE + PLACE, received > 0 if wrong else received >= 0


@claim("parts-at-most-volume", "No trade receives more than its volume", "T-SET-4", "D is G, though more than S")
def _(wrong: bool) -> Question:
    total = G if wrong else D
    return QUOTE + TRADE + PLACE, f.due(Q + q, total, S) - f.due(Q, total, S) <= q


@claim(
    "parts-sum-up",
    "Lemma: what the trades so far received is the floor of their share, before the first trade and after each",
    "T-SET-4",
    "each trade is rounded down by itself",
)
def _(wrong: bool) -> Question:
    (so_far,) = sums("received_so_far")
    mine = f.due(q, D, S) if wrong else f.due(Q + q, D, S) - so_far
    before = [so_far == f.due(Q, D, S)]
    return QUOTE + TRADE + PLACE + before, And(so_far + mine == f.due(Q + q, D, S), f.due(0, D, S) == 0)


@claim("parts-are-the-whole", "After the last trade exactly D was received", "T-SET-4", "without the last Wh sold")
def _(wrong: bool) -> Question:
    return [*QUOTE, S > 0], f.due(S - 1 if wrong else S, D, S) == D


@claim("parts-fair", "A trade's part is less than 1 Wh off its exact share", "T-SET-4", "it is never below its share")
def _(wrong: bool) -> Question:
    off = received * S - q * D
    return QUOTE + TRADE + PLACE, off >= 0 if wrong else And(off < S, off > -S)


# Pro rata the winners share D_m, the smaller of S_m and D: what is said above of D and S holds of D_m and S_m.


@claim(
    "purchases-take-what-is-left",
    "After the winners a purchase receives from nothing up to its volume, and no more than is left of D",
    "T-SET-22, T-GUA-14",
    "it receives its volume",
)
def _(wrong: bool) -> Question:
    (so_far,) = sums("received_so_far")
    after = so_far + q if wrong else f.due_after_purchase(so_far, q, D)
    given = [so_far >= 0, so_far <= D]
    return QUOTE + TRADE + given, And(after >= so_far, after - so_far <= q, after <= D)


@claim(
    "purchases-end-with-all",
    "Lemma: as long as what winners and purchases received so far is the smaller of their volumes and D, it stays so",
    "T-SET-22",
    "a purchase receives nothing",
)
def _(wrong: bool) -> Question:
    (so_far,) = sums("received_so_far")
    given = [so_far == f.least(Q, D)]
    after = so_far if wrong else f.due_after_purchase(so_far, q, D)
    return QUOTE + TRADE + PLACE + given, after == f.least(Q + q, D)


@claim(
    "winners-before-purchases",
    "What the winners share does not depend on what is purchased: it is the smaller of S_m and G",
    "T-SET-4, T-GUA-14",
    "they share D of S",
)
def _(wrong: bool) -> Question:
    (matched,) = sums("matched")
    shared = D if wrong else f.delivered(matched, D)
    return [*QUOTE, matched >= 0, matched <= S], shared == f.least(matched, G)


# ---- the buyer ----------------------------------------------------------------------------


@claim(
    "escrow-suffices", "Payment and fee never exceed the escrow", "T-BID-12, T-SUR-8, T-GUA-9", "escrow without the fee"
)
def _(wrong: bool) -> Question:
    locked = f.escrow(q, p, 0 if wrong else FEE)
    return TARIFF + TRADE + SHARE + STANDING, this.payment + this.fee <= locked


@claim(
    "buyer-never-above-agreed",
    "A buyer pays at most its price and the fee for each Wh received, and gets the rest of its escrow back",
    "T-GUA-1",
    "the fee is on the volume",
)
def _(wrong: bool) -> Question:
    fee = f.charge(q, FEE, tier) if wrong else this.fee
    back = f.escrow(q, p, FEE) - this.payment - fee + this.compensation
    most = R * (p + FEE)
    return TARIFF + TRADE + SHARE + STANDING, And(this.payment + fee <= most, back >= f.escrow(q, p, FEE) - most)


@claim(
    "buyer-no-worse-than-grid",
    "Lemma: all that a buyer paid so far is at most SSP for each Wh received, before the first trade and after each",
    "T-GUA-3",
    "a price may be SSP itself",
)
def _(wrong: bool) -> Question:
    cost, got = sums("cost_so_far", "received_so_far")
    bounds = [q > 0, q <= S, p >= SBP + FEE, p <= SSP] if wrong else TRADE
    more = cost + this.payment + this.fee - this.compensation
    return TARIFF + bounds + SHARE + STANDING + [got >= 0, cost <= got * SSP], more <= (got + R) * SSP


@claim(
    "buyer-period-no-worse-than-grid",
    "Who imports at least what it received pays, purchases and invoice together, at most SSP for each Wh imported",
    "T-GUA-3",
    "it may import less than it received",
)
def _(wrong: bool) -> Question:
    cost, got, imported, exported, gone = sums("cost", "received", "imported", "exported", "delivered")
    given = [got >= 0, cost <= got * SSP, imported >= 0, gone >= 0, gone <= exported]
    given += [] if wrong else [imported >= got]
    return TARIFF + given, cost - f.invoice(exported, gone, got, imported, SBP, SSP) <= imported * SSP


# ---- the prosumer -------------------------------------------------------------------------


@claim(
    "compensation-so-far",
    "Lemma: the compensations so far are at most 10 % of SSP for each Wh short so far",
    "T-SET-8, T-SET-21",
    "a compensation of 16 %",
)
def _(wrong: bool) -> Question:
    paid, short = sums("compensation_so_far", "shortage_so_far")
    mine = f.floor((q - R) * p * 16, 100) if wrong else this.compensation
    before = [paid >= 0, short >= 0, 100 * paid <= 10 * SSP * short]
    return TARIFF + TRADE + SHARE + STANDING + QUOTE + before, 100 * (paid + mine) <= 10 * SSP * (short + q - R)


@claim(
    "collateral-suffices",
    "The compensations of a quote never exceed its collateral",
    "T-SET-21, T-GUA-9",
    "a collateral that is rounded before it is multiplied",
)
def _(wrong: bool) -> Question:
    (paid,) = sums("compensation")
    locked = f.floor(V * SSP, 100) * 10 if wrong else f.collateral(V, SSP)
    # Without a default nothing is paid; the shortages add up to S - D, by parts-are-the-whole.
    given = [100 * paid <= 10 * SSP * (S - D), paid >= 0, Implies(Not(DEFAULT), paid == 0)]
    return TARIFF + QUOTE + given, paid <= locked


@claim(
    "compensation-bounded",
    "A compensation is at most 10 % of the shortage's value, and so at most 15 % of the trade's",
    "T-GUA-5",
    "a compensation of 16 %",
)
def _(wrong: bool) -> Question:
    mine = f.floor((q - R) * p * 16, 100) if wrong else this.compensation
    return TARIFF + TRADE + SHARE + STANDING + QUOTE, And(
        100 * mine <= (16 if wrong else 10) * (q - R) * p, 100 * mine <= 15 * q * p
    )


@claim(
    "revenue-so-far",
    "Lemma: the revenue so far is at least SBP and the fee for each Wh delivered so far",
    "T-GUA-4, T-QUO-5",
    "a price may be SBP itself",
)
def _(wrong: bool) -> Question:
    revenue, gone = sums("revenue_so_far", "delivered_so_far")
    bounds = [q > 0, q <= S, p >= SBP, p <= SSP - FEE] if wrong else TRADE
    before = [gone >= 0, revenue >= gone * (SBP + FEE)]
    return TARIFF + bounds + SHARE + before, revenue + f.payment(R, p) >= (gone + R) * (SBP + FEE)


OWN = f.prosumer_fee(D, S, DEFAULT, FEE, tier, waivers)


@claim(
    "prosumer-fee-covered",
    "The revenue covers the prosumer's fee, so that its collateral is left alone",
    "T-SET-16",
    "a fee on what was sold",
)
def _(wrong: bool) -> Question:
    (revenue,) = sums("revenue")
    own = f.charge(S, FEE, tier) if wrong else OWN
    return TARIFF + QUOTE + STANDING + [revenue >= D * (SBP + FEE)], own <= revenue


@claim(
    "prosumer-no-worse-than-grid",
    "Who is not in default and uses what it bought is, all in all, no worse off than with the grid alone",
    "T-GUA-3, T-GUA-4",
    "prices may be SBP itself",
)
def _(wrong: bool) -> Question:
    revenue, cost, got, imported = sums("revenue", "cost", "received", "imported")
    given = [Not(DEFAULT), got >= 0, imported >= got, cost <= got * SSP, revenue >= D * (SBP if wrong else SBP + FEE)]
    earned = revenue - OWN - cost + f.invoice(G, D, got, imported, SBP, SSP)
    return TARIFF + QUOTE + STANDING + given, earned >= G * SBP - imported * SSP


@claim(
    "defaulter-loses-at-most-compensation",
    "Who is in default earns at least SBP for each Wh exported, less 10 % of the value of the shortage",
    "T-GUA-5",
    "less nothing",
)
def _(wrong: bool) -> Question:
    revenue, paid, value = sums("revenue", "compensation", "value_of_shortage")
    given = [DEFAULT, revenue >= D * (SBP + FEE), paid >= 0, value >= 0, 100 * paid <= 10 * value]
    earned = 100 * (revenue - OWN - paid + f.invoice(G, D, 0, 0, SBP, SSP))
    return TARIFF + QUOTE + STANDING + given, earned >= 100 * G * SBP - (0 if wrong else 10 * value)


# ---- money is conserved -------------------------------------------------------------------


@claim(
    "trade-conserves-money",
    "Lemma: what buyers' escrows held and do not get back is revenue and fees less compensations, after each trade too",
    "T-UNIT-5, T-MON-23",
    "the fee is not credited",
)
def _(wrong: bool) -> Question:
    held, back, revenue, fees, paid = sums("held", "back", "revenue", "fees", "compensation")
    before = [held - back == revenue + fees - paid]
    after = revenue + this.payment + fees + (0 if wrong else this.fee) - paid - this.compensation
    return (
        TARIFF + TRADE + SHARE + STANDING + QUOTE + before,
        held + f.escrow(q, p, FEE) - back - this.back == after,
    )


@claim(
    "quote-conserves-money",
    "All escrow and collateral of a quote goes to buyers, prosumer and owner, to the last base unit",
    "T-UNIT-5, T-MON-23",
    "the owner gets the buyers' fees only",
)
def _(wrong: bool) -> Question:
    held, back, revenue, fees, paid = sums("held", "back", "revenue", "fees", "compensation")
    given = [held - back == revenue + fees - paid]
    owner = fees if wrong else fees + OWN
    gained = back + f.prosumer_back(f.collateral(V, SSP), paid, revenue, OWN) + owner
    return TARIFF + QUOTE + STANDING + given, held + f.collateral(V, SSP) == gained


# ---- fee, waiver, tier --------------------------------------------------------------------


@claim(
    "fee-as-the-terms-say",
    "The fee is what the terms say: 20 % off per tier, rounded down, between 0 and the full fee",
    "T-STD-3, T-UNIT-4",
    "25 % off per tier",
)
def _(wrong: bool) -> Question:
    off = 25 if wrong else 20
    mine = f.charge(R, FEE, tier)
    given = TARIFF + STANDING + [R >= 0, R < ENERGY]
    return given, And(mine == f.floor(R * FEE * (100 - off * tier), 100), mine >= 0, mine <= R * FEE)


@claim("fee-falls-with-tier", "A higher tier never pays more; tier 5 pays nothing", "T-STD-3", "it always pays less")
def _(wrong: bool) -> Question:
    mine, better = f.charge(R, FEE, tier), f.charge(R, FEE, tier + 1)
    given = [*TARIFF, tier >= 0, tier < 5, R >= 0, R < ENERGY]
    return given, And(better < mine if wrong else better <= mine, f.charge(R, FEE, 5) == 0)


@claim(
    "waivers",
    "Waivers never fall below 0, one is used exactly where it saves a fee, and a fee is either paid or waived",
    "T-SET-13, T-STD-11",
    "a fee of nothing uses one up",
)
def _(wrong: bool) -> Question:
    fee = f.charge(R, FEE, tier)
    left = f.either(waivers > 0, waivers - 1, waivers) if wrong else f.waivers_left(fee, waivers)
    used = waivers - left
    return TARIFF + STANDING + [R >= 0, R < ENERGY], And(
        left >= 0,
        used == f.either(And(fee > 0, waivers > 0), 1, 0),
        f.paid(fee, waivers) == f.either(used > 0, 0, fee),
    )


@claim("tier", "The tier is the number of thresholds 5, 10, 20, 40, 80 reached, and never falls", "T-STD-2", "at 6")
def _(wrong: bool) -> Question:
    (n,) = sums("performances")
    steps = (6 if wrong else 5, 10, 20, 40, 80)
    reached = [And(f.tier(n) >= level) == (n >= threshold) for level, threshold in enumerate(steps, 1)]
    return [n >= 0], And(f.tier(n) >= 0, f.tier(n) <= 5, f.tier(n + 1) >= f.tier(n), *reached)


# ---- the grid ------------------------------------------------------------------------------


@claim(
    "grid-settles-each-wh-once",
    "What the supplier buys less what it sells is what was exported and received less what was delivered and imported",
    "T-ACC-6, T-ACC-7, T-ACC-8",
    "what was received and not used is forgotten",
)
def _(wrong: bool) -> Question:
    exported, gone, got, imported = sums("exported", "delivered", "received", "imported")
    given = [gone >= 0, gone <= exported, got >= 0, imported >= 0]
    bought, sold = f.fed_in(exported, gone, got, imported), f.drawn(got, imported)
    bought = exported - gone if wrong else bought
    return given, And(bought - sold == exported - gone + got - imported, bought >= 0, sold >= 0)


@claim(
    "grid-delivered-at-most-exported",
    "A quote delivers at most what was exported, so that the supplier never buys less than nothing",
    "T-SET-3",
    "D is S",
)
def _(wrong: bool) -> Question:
    return QUOTE, And((S if wrong else D) <= G, D <= S)


@claim("default-without-rounding", "Default is G below 95 % of V, exactly", "T-SET-8", "rounded down first")
def _(wrong: bool) -> Question:
    exact = 20 * G < 19 * V
    return QUOTE, (f.floor(V * 95, 100) > G if wrong else DEFAULT) == exact


# ---- nothing outgrows the chain's words ------------------------------------------------------


@claim(
    "overflow-totals",
    "Lemma: the sums over trades stay below 2^144 per trade, and so below 2^152 after 256 of them",
    "T-PARTY-11",
    "without a bound on SSP",
)
def _(wrong: bool) -> Question:
    count, revenue, fees, paid = sums("count", "revenue", "fees", "compensation")
    most = ENERGY * PRICE
    before = [count >= 0, count < TRADES, *(And(total >= 0, total <= count * most) for total in (revenue, fees, paid))]
    after = [revenue + this.payment, fees + this.fee, paid + this.compensation]
    tariff = TARIFF[:3] if wrong else TARIFF
    inside = [And(total >= 0, total <= (count + 1) * most, total < WORD) for total in after]
    return tariff + TRADE + SHARE + STANDING + QUOTE + before, And(*inside)


PAID, REVENUE, FEES, BEFORE = sums("compensation", "revenue", "fees", "delivered_so_far")
EXPORTED, GONE, GOT, IMPORTED = sums("exported", "delivered", "received", "imported")
MOST = TRADES * ENERGY * PRICE

# What stands for each parameter of a formula, and what is known of it by the claims above.
STEPS: dict[str, Question] = {
    "escrow": (TRADE + QUOTE, [q, p, FEE]),
    "collateral": (QUOTE, [V, SSP]),
    "charge": (SHARE + TRADE + QUOTE + STANDING, [R, FEE, tier]),
    "in default": (QUOTE, [G, V]),
    "due": (QUOTE + TRADE + PLACE, [Q + q, D, S]),
    "due after a purchase": (QUOTE + TRADE + SHARE, [R, q, D]),
    "received": (QUOTE + TRADE + PLACE, [f.due(Q + q, D, S), f.due(Q, D, S)]),
    "payment": (SHARE + TRADE + QUOTE, [R, p]),
    "compensation": (SHARE + TRADE + QUOTE, [q, R, p]),
    "back": (
        SHARE + TRADE + QUOTE + STANDING,
        [f.escrow(q, p, FEE), this.payment, this.fee, this.compensation],
    ),
    "prosumer's back": (  # by collateral-suffices, prosumer-fee-covered and overflow-totals
        [*QUOTE, *STANDING, PAID >= 0, f.collateral(V, SSP) >= PAID, REVENUE >= OWN, REVENUE <= MOST],
        [f.collateral(V, SSP), PAID, REVENUE, OWN],
    ),
    "owner's": ([*QUOTE, *STANDING, FEES >= 0, FEES <= MOST], [FEES, OWN]),
    "invoice": (  # a silent meter counts as having imported what was bought, in any number of quotes
        [GONE >= 0, GONE <= EXPORTED, EXPORTED < ENERGY]
        + [bound for wh in (GOT, IMPORTED) for bound in (wh >= 0, wh < QUOTES * ENERGY)],
        [EXPORTED, GONE, GOT, IMPORTED, SBP, SSP],
    ),
}


STEPS |= {
    "ring": ([*storage.CLOCK, storage.N < WORD], [storage.L, storage.N]),
    "horizon": ([*storage.CLOCK, storage.NOW < SIGNED], [storage.LATER, storage.NOW, storage.L]),
    "phase": (
        [*storage.CLOCK, storage.NOW < WORD, storage.EARLIER >= 0, storage.N < WORD],
        [storage.EARLIER, storage.L, storage.N, storage.NOW, z3.IntVal(WORD - 1), *storage.PHASES],
    ),
}


def overflow(tie: ties.Tie) -> Claim:
    """Every sum, difference, product and conversion on the way to a formula, as the source has it, fits its type."""

    def ask(wrong: bool) -> Question:
        given, values = STEPS[tie.name]
        if wrong:
            values = [Int(f"any {place}") for place in range(len(values))]
            given = [And(value >= 0, value < WORD) for value in values]
        fits = []
        for path, term, signed in ties.read(tie, values).steps:
            low, high = (-SIGNED, SIGNED) if signed else (0, WORD)
            fits.append(Implies(path, And(term >= low, term < high)))
        return (given if wrong else TARIFF + given), And(*fits)

    return Claim(
        f"overflow-{tie.name.replace(' ', '-')}",
        f"No step of `{tie.place}` leaves its type",
        "T-PARTY-11",
        lambda: ask(False),
        "any numbers of 256 bits",
        lambda: ask(True),
    )


CLAIMS += [overflow(tie) for tie in ties.TIES if tie.name in STEPS]
CLAIMS += storage.CLAIMS


def table() -> str:
    """All claims as a table, for `docs/proofs.md`."""
    lines = ["| claim | says | clauses | wrong variant, refuted |", "|---|---|---|---|"]
    lines += [f"| `{each.name}` | {each.says} | {each.clauses} | {each.all_wrong} |" for each in CLAIMS]
    return "\n".join(lines)


def written(document: str) -> str:
    """The document with the table of now between its markers. Raises ValueError where it has not both of them once."""
    if [document.count(mark) for mark in (_BEGIN, _END)] != [1, 1] or document.index(_BEGIN) > document.index(_END):
        raise ValueError(f"has no place for the table, {_BEGIN} before {_END}: name docs/proofs.md, or a copy of it")
    head, _, rest = document.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    return f"{head}{_BEGIN}\n{table()}\n{_END}{tail}"


_BEGIN, _END = "<!-- claims -->", "<!-- end -->"


# ---- asking ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What z3 says: of the claim, of its assumptions alone, and of the wrong claim, with values that break it.

    further   what it says of the further wrong variants, each with what is wrong about it
    """

    claim: Claim
    proved: str
    possible: str
    wrong: str
    breaks: dict[str, str]
    seconds: float
    further: tuple[tuple[str, str], ...] = ()

    @property
    def holds(self) -> bool:
        """Whether the claim is proved, says something, and would fail if it were wrong."""
        refuted = all(answer == "sat" for _, answer in self.further)
        return refuted and (self.proved, self.possible, self.wrong) == ("unsat", "sat", "sat")

    @property
    def refuted(self) -> int:
        """How many of the wrong variants are refuted."""
        return [self.wrong, *(answer for _, answer in self.further)].count("sat")


def ask(claim: Claim, timeout: int = TIMEOUT) -> Verdict:
    """Puts the three questions of a claim, each with `timeout` seconds."""
    started = time.monotonic()
    given, shown = claim.ask()
    proved, _ = _solve([*given, Not(shown)], timeout)
    possible, _ = _solve(given, timeout)
    given, shown = claim.ask_wrong()
    wrong, model = _solve([*given, Not(shown)], timeout)
    breaks = {str(name): str(model[name]) for name in model.decls() if not name.arity()} if model is not None else {}
    further = []
    for says, variant in claim.further:
        given, shown = variant()
        further.append((says, _solve([*given, Not(shown)], timeout)[0]))
    return Verdict(claim, proved, possible, wrong, breaks, round(time.monotonic() - started, 2), tuple(further))


def _solve(facts: Sequence[Any], timeout: int) -> tuple[str, Any]:
    solver = z3.Solver()
    solver.set("timeout", timeout * 1000)
    solver.add(*facts)
    verdict = solver.check()
    if verdict != z3.sat:
        return str(verdict), None
    model = solver.model()
    if not all(z3.is_true(model.eval(fact, model_completion=True)) for fact in facts):
        return "sat, but by values that are none", None
    return "sat", model


def run(console: Console, timeout: int = TIMEOUT) -> dict[str, Any]:
    """Ties every formula to the source and proves every claim, with a progress bar.

    Raises NotTied where the source is not what is proved, and NotProved where a claim does not come back as it must.
    """
    started = time.monotonic()
    verdicts = []
    with measurements.progress(console) as bar:
        task = bar.add_task("proofs", total=len(ties.TIES) + len(CLAIMS))
        ties.check_fingerprints()
        for tie in ties.TIES:
            ties.check(tie)
            bar.advance(task)
        for each in CLAIMS:
            verdicts.append(ask(each, timeout))
            bar.advance(task)
        halmos = bytecode.find()
        opinions = bytecode.run(halmos) if halmos else {}
    if failed := [verdict for verdict in verdicts if not verdict.holds]:
        raise NotProved(failed)
    figures = {
        "claims": len(verdicts),
        "proved": sum(verdict.proved == "unsat" for verdict in verdicts),
        "wrong variants refuted": sum(verdict.refuted for verdict in verdicts),
        "lemmas": sum(verdict.claim.says.startswith("Lemma") for verdict in verdicts),
        "formulas tied to the source": len(ties.TIES),
        "functions fingerprinted": sum(map(len, ties.GUARDED.values())),
        "bytecode checks that terminate": sum(opinion != bytecode.TIMEOUT for opinion in opinions.values()),
        "bytecode checks": len(opinions),
        "longest question, seconds": max(verdict.seconds for verdict in verdicts),
    }
    details = {
        "halmos": opinions or "not run: no halmos here (see verification/proofs/bytecode.py)",
        "bounds": BOUNDS,
        "time limit, seconds": timeout,
        "claims": [
            {
                "name": verdict.claim.name,
                "says": verdict.claim.says,
                "clauses": verdict.claim.clauses,
                "negation": verdict.proved,
                "assumptions": verdict.possible,
                "wrong variant": verdict.claim.wrong,
                "wrong negation": verdict.wrong,
                "broken by": verdict.breaks,
                "further wrong variants": dict(verdict.further),
                "seconds": verdict.seconds,
            }
            for verdict in verdicts
        ],
    }
    return measurements.document("symbolic", 0, started, figures, details, z3=z3.get_version_string())


class NotProved(AssertionError):
    """Claims that did not come back as they must."""

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        lines = [
            f"{verdict.claim.name}: negation {verdict.proved} (must be unsat), assumptions {verdict.possible} and "
            f"wrong variant {verdict.wrong} (must be sat){_unrefuted(verdict)}: {verdict.claim.says}"
            for verdict in verdicts
        ]
        super().__init__("not proved:\n" + "\n".join(lines))


def _unrefuted(verdict: Verdict) -> str:
    """The further wrong variants that are not refuted."""
    return "".join(f", {says}: {answer} (must be sat)" for says, answer in verdict.further if answer != "sat")
