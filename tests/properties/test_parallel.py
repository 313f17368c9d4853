"""Criterion 5, in parallel: histories commute, markets are isolated, bids have one order, gifts have no owner.

Every property compares runs of the contract with each other, in branches of one market; the model has no part in it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.machine import PAYMENTS, payment
from tests.properties.runs import (
    Quoted,
    Run,
    Sealed,
    Step,
    Trade,
    differences,
    ended,
    ends,
    first_difference,
    merged,
    salt_of,
    trades,
)
from verification.harness import counters, presets
from verification.harness.counters import holds
from verification.harness.lockstep import CAPACITY, HOUSEHOLDS, STRANGER, Lens, Lockstep
from wattproof.market.deployment import Tariff, deploy_market
from wattproof.market.symbolic import meter, seal_bytes
from wattproof.terms.model import Phase

PRESETS = ("fresh", "no fee")
"""Where histories begin: with a fee, and without one. Nobody holds a waiver, owes anything or stands on a tier."""

RANKED = (*PRESETS, "experienced", "by price")
"""Where auctions begin: with tiers, too, and ranked by price."""


@pytest.fixture(autouse=True)
def _markets(_property_engine: None) -> None:
    """Opens the markets outside every example: what happens inside one is undone after it."""
    for preset in RANKED:
        presets.prepared(preset)
    neighbours()


@contextmanager
def opened(name: str, preset: str, periods: int) -> Iterator[Run]:
    """A run that begins in that preset and is undone at the end, with that many quotable periods watched."""
    lockstep = presets.prepared(preset)
    counters.tallies["histories"] += 1
    first = lockstep.next_period(ended(lockstep))
    with Run.of(name, lockstep, range(first, first + periods)).branch() as run:
        run.env.timestamp = ended(lockstep)
        run.since = max(run.observe().quote_count, 1)
        yield run


def tariff_of(preset: str) -> tuple[Tariff, int]:
    """The tariff of a preset, and its first period that can be quoted."""
    lockstep = presets.prepared(preset)
    return lockstep.tariff, lockstep.next_period(ended(lockstep))


def finale(*parts: Trade) -> list[Step]:
    """What remains: once all periods are closing, a stranger settles every account that still can be."""
    last = max(trade.period for trade in parts)
    places = sorted({(trade.period, name) for trade in parts for name in trade.users})
    return [Step(Phase.CLOSING, last, "settle_account", (name, period), STRANGER) for period, name in places]


def played(run: Run, steps: Sequence[Step]) -> tuple[list[Any], dict[Any, Any]]:
    """Outcomes and final state of steps carried out in a branch, as the second at which the last of them may come."""
    with run.branch() as copy:
        outcomes = copy.play(steps)
        copy.at(max(ends(Step(Phase.SETTLING, period, "", (), ""), run.tariff) for period in run.periods))
        counters.tallies["runs"] += 1
        return outcomes, copy.state()


# ---- histories on different quotes ---------------------------------------------------------------


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, Trade, Trade, list[Callable[[], bool]]]:
    """Two histories on different quotes, as T-GUA-8 words it, and the ways in which they are merged.

    They share no user, or some that have ample money and capacity: then no meter of those stays silent (authorisation),
    and either no fee is charged or nobody falls short (waivers). Nobody comes near a tier, and who owes the supplier
    pays at once.
    """
    preset = draw(st.sampled_from(PRESETS))
    tariff, first = tariff_of(preset)
    periods = draw(st.sampled_from([(0, 0), (0, 1), (0, 3), (1, 0)]))
    names = draw(st.permutations(HOUSEHOLDS))
    shared = draw(st.booleans())
    left, right = (list(names), list(names)) if shared else (list(names[:3]), list(names[3:]))
    seller, other = left[0], right[-1]
    shortage = not shared or tariff.service_fee == 0
    same = periods[0] == periods[1]
    one = draw(
        trades(
            "A",
            seller,
            [name for name in left if name != seller],
            first + periods[0],
            tariff,
            shortage=shortage,
            silence=() if shared else left,
            unread=[other] if shared and same else (),
            accounts=not shared,
        )
    )
    two = draw(
        trades(
            "B",
            other,
            [name for name in right if name != other],
            first + periods[1],
            tariff,
            shortage=shortage,
            silence=() if shared else right,
            unread=sorted(one.users - {other}) if shared and same else (),
            accounts=not shared,
        )
    )
    coin = random.Random(draw(st.integers(0, 2**32)))
    return preset, one, two, [lambda: True, lambda: False, lambda: coin.random() < 0.5]


@given(pairs())
def test_histories_commute(pair: tuple[str, Trade, Trade, list[Callable[[], bool]]]) -> None:
    """T-GUA-8: one before the other, the other before the one, and mixed, as far as time lets them."""
    preset, one, two, ways = pair
    with opened("Commuting", preset, 4) as run:
        results = []
        for first in ways:
            order = merged(one.steps(), two.steps(), run.now, run.tariff, first)
            last = finale(one, two)
            outcomes, state = played(run, [step for _, step in order] + last)
            of = [[o for (mine, _), o in zip(order, outcomes, strict=False) if mine is half] for half in (True, False)]
            results.append(([step for _, step in order], [*of[0], *of[1], *outcomes[len(order) :]], state))
        (base, told, state), *others = results
        for order, outcomes, end in others:
            moved = order != base
            holds("C5-COMMUTE-1", outcomes == told, when=moved, differs=first_difference(told, outcomes))
            holds("C5-COMMUTE-2", end == state, when=moved, **differences(state, end))


@given(pairs())
def test_a_history_is_the_same_alone(pair: tuple[str, Trade, Trade, list[Callable[[], bool]]]) -> None:
    """T-GUA-8: what becomes of a quote and of those who only deal in it does not show that there is another one."""
    preset, one, two, ways = pair
    with opened("Alone", preset, 4) as run:
        order = merged(one.steps(), two.steps(), run.now, run.tariff, ways[2])
        outcomes, state = played(run, [step for _, step in order])
        mine = [o for (of_one, _), o in zip(order, outcomes, strict=True) if of_one]
        alone, end = played(run, one.steps())
        own = one.users - two.users

        def part(whole: dict[Any, Any]) -> dict[Any, Any]:
            kept = {
                key: value for key, value in whole.items() if key[0] in ("quote", "trades", "bid") and key[1] == "A"
            }
            return kept | {
                key: value
                for key, value in whole.items()
                if key[0] in ("account", "reading", "position", "quote of") and key[1] in own
            }

        holds("C5-COMMUTE-3", mine == alone, differs=first_difference(alone, mine))
        holds("C5-COMMUTE-3", part(state) == part(end), **differences(part(end), part(state)))


# ---- two markets on one token --------------------------------------------------------------------

_twins: list[tuple[Any, Run, Run]] = []


def neighbours() -> tuple[Run, Run]:
    """Two markets of one owner, supplier and token, with other tariffs, in which the same households trade."""
    for env, one, two in _twins:
        if env is boa.env:
            return one, two
    lockstep = Lockstep.fresh(funds=10**9)
    one = Run.of("Neighbour", lockstep)
    tariff = Tariff(sbp=5, ssp=20, service_fee=2, period_length=1800, window=600, priority_step=0)
    market = deploy_market(one.token, one.names["supplier"], tariff, one.names["owner"])
    two = Run("Neighbour", one.env, market, one.token, tariff, one.names, one.interface, Lens(market.lens))
    for name in (*HOUSEHOLDS, "supplier", STRANGER):
        lockstep.token.approve(two.target, 2**256 - 1, sender=one.names[name])
    for name in HOUSEHOLDS:
        two.enrol(name, 10**9 // 2)
    two.call("deposit", 10**8, sender="supplier")
    first = lockstep.next_period(ended(lockstep))
    one.periods, two.periods = range(first, first + 2), range(first, first + 2)
    _twins.append((boa.env, one, two))
    return one, two


@st.composite
def neighbourhoods(draw: st.DrawFn) -> tuple[list[Step], list[Step], list[bool]]:
    """A history for each of two markets by the same people, money moving in and out, and how the two are mixed."""
    plans = []
    for run in neighbours():
        first = run.periods[0]
        names = draw(st.permutations(HOUSEHOLDS))
        trade = draw(
            trades("A", names[0], names[1:], first + draw(st.integers(0, 1)), run.tariff, silence=names, accounts=True)
        )
        steps = [*trade.steps(), *finale(trade)]
        for place in draw(st.lists(st.integers(0, len(steps) - 1), max_size=4)):
            at = steps[place]
            call = draw(st.sampled_from([*PAYMENTS, "clear"]))
            who = draw(st.sampled_from((*HOUSEHOLDS, "supplier", STRANGER)))
            args = (who,) if call == "clear" else payment(call, draw(st.sampled_from([0, 1, 17, 10**7, 10**10])))
            steps.insert(place, Step(at.phase, at.period, call, args, who))
        plans.append(steps)
    seed = random.Random(draw(st.integers(0, 2**32)))
    return plans[0], plans[1], [seed.random() < 0.5 for _ in range(len(plans[0]) + len(plans[1]))]


@given(neighbourhoods())
def test_markets_are_isolated(plan: tuple[list[Step], list[Step], list[bool]]) -> None:
    """T-MON-1, T-MON-23, T-PARTY-18: a market keeps no books but its own, whatever another on the same token does."""
    here, there, coins = plan
    one, two = neighbours()
    counters.tallies["histories"] += 1
    alone, state = played(one, here)
    everybody = [one.names[name] for name in one.watched]
    purse = [*everybody, one.target, two.target]
    with one.branch() as left, two.branch() as right:
        minted = sum(_holding(left, who) for who in purse)
        flips = iter(coins)
        outcomes = []
        for mine, step in merged(here, there, left.now, left.tariff, lambda: next(flips)):
            outcome = (left if mine else right).play([step])
            outcomes += outcome if mine else []
        left.at(max(ends(Step(Phase.SETTLING, period, "", (), ""), left.tariff) for period in left.periods))
        end, other = left.state(), right.state()
        held = [sum(account.balance + account.reserved for account in _accounts(seen)) for seen in (end, other)]
        tokens = [_holding(left, left.target), _holding(left, right.target)]
        total = sum(_holding(left, who) for who in purse)
    holds("C5-ISOLATE-1", outcomes == alone, differs=first_difference(alone, outcomes))
    holds("C5-ISOLATE-2", end == state, **differences(state, end))
    holds("C5-ISOLATE-3", held == tokens and total == minted, books=held, tokens=tokens, total=total, minted=minted)


def _accounts(state: dict[Any, Any]) -> list[Any]:
    return [value for key, value in state.items() if key[0] == "account"]


def _holding(run: Run, who: str) -> int:
    """What an address holds of the token."""
    data = bytes.fromhex("70a08231") + bytes(12) + bytes.fromhex(who[2:])
    return int.from_bytes(run.env.execute_code(to_address=run.token, data=data, is_modifying=False).output, "big")


_SIGNED_FOR = ("another market", "another chain", "the token")


@given(
    name=st.sampled_from(HOUSEHOLDS),
    wrong=st.sampled_from(_SIGNED_FOR),
    exported=st.sampled_from([0, 1, 100, CAPACITY, 2**256 - 1]),
    imported=st.sampled_from([0, 1, 100, CAPACITY + 1]),
)
def test_signatures_do_not_travel(name: str, wrong: str, exported: int, imported: int) -> None:
    """T-REG-7: what a meter signed for another market or chain is worth nothing; what it signed here is taken."""
    one, two = neighbours()
    counters.tallies["histories"] += 1
    market = {"another market": two.target, "the token": one.token}.get(wrong, one.target)
    chain = one.chain + (wrong == "another chain")
    period = one.periods[0]
    with one.branch() as run:
        run.to(Phase.METERING, period)
        with run.branch() as copy:
            taken = copy.read(name, period, exported, imported)
        before = run.state()
        alien = run.read(name, period, exported, imported, market=market, chain=chain)
        after = run.state()
        holds("C5-ISOLATE-4", alien.reason == "accounts: wrong meter", when=taken.accepted, got=alien)
        holds("C5-ISOLATE-4", after == before, when=taken.accepted, **differences(before, after))

        profile = bytes([exported % 256]) * 32
        newcomer = f"{name}'s lodger"
        run.names = {**run.names, newcomer: str(run.env.generate_address())}
        key = f"{newcomer}'s meter"
        genuine = run.pairing(newcomer, profile, meter_of=key)
        with run.branch() as copy:
            taken = copy.call("register", profile, meter(key).address, genuine, sender=newcomer)
        forged = run.pairing(newcomer, profile, meter_of=key, market=market, chain=chain)
        alien = run.call("register", profile, meter(key).address, forged, sender=newcomer)
        holds("C5-ISOLATE-5", alien.reason == "accounts: wrong meter", when=taken.accepted, got=alien)


@given(
    wrong=st.sampled_from(["market", "chain", "quote", "bidder"]),
    volume=st.integers(1, 400),
    price=st.sampled_from([8, 12, 17]),
    who=st.permutations(HOUSEHOLDS),
)
def test_seals_do_not_travel(wrong: str, volume: int, price: int, who: list[str]) -> None:
    """T-BID-4: a bid copied from another market, chain, quote or bidder can be handed in, but never opened."""
    one, two = neighbours()
    counters.tallies["histories"] += 1
    prosumer, bidder, victim, second = who[:4]
    period, salt = one.periods[0], salt_of("A", bidder)
    with one.branch() as run:
        for key, name in (("A", prosumer), ("B", second)):
            run.do(Step(Phase.BIDDING, period, "submit_quote", (period, 400, 8), name, key))
        place = dict(chain=run.chain, target=run.target, key="A", bidder=bidder)
        alien = (
            place
            | {
                "market": {"target": two.target},
                "chain": {"chain": run.chain + 1},
                "quote": {"key": "B"},
                "bidder": {"bidder": victim},
            }[wrong]
        )
        forms: list[tuple[dict[str, Any], bool]] = [(place, True), (alien, False)]
        for told, accepted in forms:
            with run.branch() as copy:
                seal = _seal(copy, price=price, volume=volume, salt=salt, **told)
                handed_in = copy.call("submit_bid", Quoted("A"), seal, sender=bidder)
                copy.to(Phase.REVEALING, period)
                before = copy.state()
                done = copy.call("reveal_bid", Quoted("A"), price, volume, salt, sender=bidder)
                holds("C5-ISOLATE-6", handed_in.accepted, got=handed_in)
                if accepted:
                    holds("C5-ISOLATE-6", done.accepted, own=done)
                    continue
                after = copy.state()
                holds("C5-ISOLATE-6", done.reason == "bids: seal does not match", got=done)
                holds("C5-ISOLATE-6", after == before, **differences(before, after))


def _seal(run: Run, chain: int, target: str, key: str, bidder: str, price: int, volume: int, salt: bytes) -> bytes:
    return seal_bytes((chain, target, run.numbers[key], run.names[bidder], price, volume, salt))


# ---- the order of bids -----------------------------------------------------------------------------

WISHES = ((10, 12), (12, 10), (8, 15), (15, 8), (10, 12), (9, 12), (9, 40), (17, 1))
"""Bids (price, volume) many of which come to the same amount: ties are broken by volume, or only by the reveal."""


@st.composite
def books(draw: st.DrawFn) -> tuple[str, int, int, dict[str, tuple[int, int]], list[list[str]]]:
    """A quote's volume, period offset, sealed bids, and orders: submissions, reveals, and another one of each."""
    preset = draw(st.sampled_from(RANKED))
    wish = st.sampled_from(WISHES) | st.tuples(st.integers(8, 17), st.integers(1, 40))
    names = draw(st.lists(st.sampled_from(HOUSEHOLDS[1:]), unique=True, min_size=2))
    bids: dict[str, tuple[int, int]]
    if draw(st.booleans()):
        bids = dict(zip(names, draw(st.permutations(sorted(set(WISHES)))), strict=False))
    else:
        bids = {name: draw(wish) for name in names}
    volume = draw(st.sampled_from([40, 41, 50, 90, 400]))
    orders: list[list[str]] = [list(draw(st.permutations(names))) for _ in range(4)]
    return preset, volume, draw(st.integers(0, 1)), bids, orders


def _auction(
    run: Run, volume: int, period: int, bids: dict[str, tuple[int, int]], submissions: list[str], reveals: list[str]
) -> tuple[list[Any], dict[Any, Any]]:
    """The matching's events (by bidder, in order) and the state after it."""
    number = Quoted("A")
    steps = [Step(Phase.BIDDING, period, "submit_quote", (period, volume, 8), HOUSEHOLDS[0], "A")]
    for name in submissions:
        steps.append(Step(Phase.BIDDING, period, "submit_bid", (number, Sealed("A", name, *bids[name])), name))
    for name in reveals:
        args = (number, *bids[name], salt_of("A", name))
        steps.append(Step(Phase.REVEALING, period, "reveal_bid", args, name))
    steps.append(Step(Phase.MATCHING, period, "match_bids", (number,), STRANGER))
    with run.branch() as copy:
        outcomes = copy.play(steps)
        counters.tallies["runs"] += 1
        called = {int(address, 16): name for name, address in copy.names.items()}
        matched = []
        for event, fields in outcomes[-1][2] if outcomes[-1][0] == "accepted" else ():
            told = dict(fields)
            matched.append((event, called.get(told.get("bidder", 0)), told.get("filled")))
        return _ranked(matched), copy.state()


def _ranked(matched: list[Any]) -> list[Any]:
    """The events with those of the losers, whom annex B tells by the order of opening, sorted by name."""
    losers = sorted((told for told in matched if told[0] == "BidRejected"), key=str)
    return [told for told in matched if told[0] != "BidRejected"] + losers


@given(books())
def test_the_order_of_bids_does_not_matter(
    book: tuple[str, int, int, dict[str, tuple[int, int]], list[list[str]]],
) -> None:
    """T-MAT-2 to T-MAT-5, T-MAT-11: submissions never matter; reveals only among bids of equal rank and volume."""
    preset, volume, offset, bids, (sealed, opened_first, resealed, reopened) = book
    with opened("Bidders", preset, 2) as run:
        period = run.periods[offset]
        matched, state = _auction(run, volume, period, bids, sealed, opened_first)
        again, end = _auction(run, volume, period, bids, resealed, opened_first)
        holds("C5-ORDER-1", again == matched, when=resealed != sealed, base=matched, got=again)
        holds("C5-ORDER-1", end == state, when=resealed != sealed, **differences(state, end))

        keys = {}
        for name, (price, wanted) in bids.items():
            standing = state["account", name].performances
            tier = sum(standing >= threshold for threshold in (5, 10, 20, 40, 80))
            worth = price if run.tariff.rank_by_price else price * wanted
            keys[name] = worth * (10_000 + run.tariff.priority_step * tier), wanted
        again, end = _auction(run, volume, period, bids, sealed, reopened)
        moved, distinct = reopened != opened_first, len(set(keys.values())) == len(keys)
        holds("C5-ORDER-2", again == matched, when=moved and distinct, base=matched, got=again)
        holds("C5-ORDER-2", end == state, when=moved and distinct, **differences(state, end))

        for key in set(keys.values()):
            equals = [name for name in opened_first if keys[name] == key]
            served = [name for event, name, _ in matched if name in equals and event == "BidConfirmed"]
            earliest = equals[: len(served)]
            holds("C5-ORDER-4", served == earliest, when=len(equals) > 1, opened=equals, served=served)

        # Whoever opened k-th among equals is served k-th among them: nothing else changes hands.
        heir: dict[Any, Any] = {None: None}
        for key in set(keys.values()):
            equals = [[name for name in order if keys[name] == key] for order in (opened_first, reopened)]
            heir |= dict(zip(*equals, strict=True))
        tied = any(name != other for name, other in heir.items())
        wanted = _ranked([(event, heir.get(name), filled) for event, name, filled in matched])
        holds("C5-ORDER-3", again == wanted, when=tied, base=matched, wanted=wanted, got=again)
        inherited = {name: (end["bid", "A", heir[name]].filled, end["account", heir[name]].reserved) for name in bids}
        had = {name: (state["bid", "A", name].filled, state["account", name].reserved) for name in bids}
        holds("C5-ORDER-3", inherited == had, when=tied, base=had, got=inherited)


# ---- the order of everything else --------------------------------------------------------------------


@st.composite
def days(draw: st.DrawFn) -> tuple[str, list[Trade], dict[str, int], list[str]]:
    """Several quotes of one period, orders for each batch of calls, and callers."""
    preset = draw(st.sampled_from(PRESETS))
    tariff, first = tariff_of(preset)
    names = draw(st.permutations(HOUSEHOLDS))
    count = draw(st.integers(2, 3))
    sellers, buyers = names[:count], names
    parts: list[Trade] = []
    for number, seller in enumerate(sellers):
        done = [name for part in parts for name in part.users]
        part = draw(
            trades(
                "ABC"[number],
                seller,
                [name for name in buyers if name != seller],
                first,
                tariff,
                shortage=tariff.service_fee == 0,
                unread=sorted({*done, *sellers} - {seller} | ({seller} & set(done) - set(sellers))),
                late=False,
                accounts=False,
            )
        )
        parts.append(part)
    seeds = {batch: draw(st.integers(0, 2**32)) for batch in ("matching", "metering", "settling", "accounts")}
    callers: list[str] = [draw(st.sampled_from((*HOUSEHOLDS, "owner", "supplier", STRANGER))) for _ in range(5)]
    return preset, parts, seeds, callers


@given(days())
def test_the_order_of_open_calls_does_not_matter(day: tuple[str, list[Trade], dict[str, int], list[str]]) -> None:
    """T-GUA-8, T-MET-5, T-TIME-8: of matchings, readings, settlements, nor who makes them."""
    preset, parts, seeds, callers = day
    fixed = [step for part in parts for step in part.bidding], [step for part in parts for step in part.revealing]
    buying = sorted((step for part in parts for step in part.buying), key=lambda step: step.phase)
    batches = {
        "matching": [step for part in parts for step in part.matching],
        "metering": [step for part in parts for step in part.metering],
        "settling": [step for part in parts for step in part.settling],
        "accounts": finale(*parts),
    }

    def steps(**changed: list[Step]) -> list[Step]:
        now = batches | changed
        order = [*fixed[0], *fixed[1], *now["matching"], *buying, *now["metering"], *now["settling"], *now["accounts"]]
        return order

    with opened("Batches", preset, 1) as run:
        base, state = played(run, steps())

        def varied(batch: str, order: list[Step]) -> tuple[bool, bool, dict[str, str]]:
            """Whether the batch changed at all, whether it then came to the same, and if not, where."""
            outcomes, end = played(run, steps(**{batch: order}))
            places = {id(step): outcome for step, outcome in zip(steps(**{batch: order}), outcomes, strict=True)}
            told = [places[id(step)] for step in steps()]
            same = end == state and told == base
            details = differences(state, end) | {"calls": first_difference(base, told)}
            return order != batches[batch], same, details

        def mixed(batch: str) -> list[Step]:
            order = random.Random(seeds[batch]).sample(batches[batch], len(batches[batch]))
            return order if order != batches[batch] else order[::-1]

        moved, same, where = varied("matching", mixed("matching"))
        holds("C5-BATCH-1", same, when=moved, **where)
        moved, same, where = varied("metering", mixed("metering"))
        holds("C5-BATCH-2", same, when=moved, **where)
        moved, same, where = varied("settling", mixed("settling"))
        holds("C5-BATCH-3", same, when=moved, **where)
        moved, same, where = varied("accounts", mixed("accounts"))
        holds("C5-BATCH-4", same, when=moved, **where)

        callers_turn = itertools.cycle(callers)
        by_others = {batch: [step.by(next(callers_turn)) for step in batches[batch]] for batch in batches}
        outcomes, end = played(run, steps(**by_others))
        holds("C5-BATCH-5", outcomes == base, callers=callers, differs=first_difference(base, outcomes))
        holds("C5-BATCH-5", end == state, callers=callers, **differences(state, end))


# ---- gifts ---------------------------------------------------------------------------------------------


@given(
    pair=pairs(),
    gifts=st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["token", "ether"]), st.integers(1, 10**6)),
        min_size=1,
        max_size=3,
    ),
    money=st.lists(
        st.tuples(
            st.integers(0, 60),
            st.sampled_from(PAYMENTS),
            st.sampled_from(HOUSEHOLDS),
            st.sampled_from([0, 1, 10**6]),
        ),
        max_size=3,
    ),
)
def test_gifts_belong_to_nobody(
    pair: tuple[str, Trade, Trade, list[Callable[[], bool]]],
    gifts: list[tuple[int, str, int]],
    money: list[tuple[int, str, str, int]],
) -> None:
    """T-MON-22, T-MON-23: tokens sent without a deposit, and ether forced in, change no account and block no payout."""
    preset, one, two, ways = pair
    with opened("Gifts", preset, 4) as run:
        steps = [step for _, step in merged(one.steps(), two.steps(), run.now, run.tariff, ways[2])] + finale(one, two)
        for place, call, name, amount in money:
            here = steps[place % len(steps)]
            steps.insert(place % len(steps), Step(here.phase, here.period, call, payment(call, amount), name))
        base, state = played(run, steps)
        before = run.env.get_balance(run.target)
        with run.branch() as copy:
            outcomes = []
            tokens, ether = 0, 0
            due = sorted((place % len(steps), kind, amount) for place, kind, amount in gifts)
            for place, step in enumerate(steps):
                for _, kind, amount in [gift for gift in due if gift[0] == place]:
                    if kind == "token":
                        _send(copy, copy.target, amount)
                        tokens += amount
                    else:
                        copy.env.set_balance(copy.target, copy.env.get_balance(copy.target) + amount)
                        ether += amount
                outcomes += copy.play([step])
            copy.at(max(ends(Step(Phase.SETTLING, period, "", (), ""), run.tariff) for period in run.periods))
            end = copy.state()
            told = end | {"tokens": end["tokens"] - tokens}
            holds("C5-GIFT-1", outcomes == base, differs=first_difference(base, outcomes))
            holds("C5-GIFT-1", told == state, **differences(state, told))
            left = [copy.call("withdraw", end["account", name].balance, sender=name) for name in copy.watched]
            tokens_left = _holding(copy, copy.target)
            holds("C5-GIFT-2", all(done.accepted for done in left), when=tokens, refused=[d.reason for d in left])
            holds("C5-GIFT-2", tokens_left == tokens, when=tokens, left=tokens_left, given=tokens)
            kept = copy.env.get_balance(copy.target) - before
            holds("C5-GIFT-3", kept == ether, when=ether, kept=kept, forced=ether)


def _send(run: Run, receiver: str, amount: int) -> None:
    """The stranger sends tokens past the market's books."""
    data = bytes.fromhex("a9059cbb") + bytes(12) + bytes.fromhex(receiver[2:]) + amount.to_bytes(32, "big")
    done = run.env.execute_code(to_address=run.token, sender=run.names[STRANGER], data=data)
    if done.is_error:
        raise AssertionError("the gift did not arrive")
