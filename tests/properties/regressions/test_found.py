"""Failures that the properties found in this contract, each kept as the history that showed it."""

from __future__ import annotations

import boa

from tests.properties.profit import bounds
from tests.properties.profit.arena import ANNA, SELLER, Facts, arena
from tests.properties.profit.moves import Coalition, Move
from tests.support.stage import FUNDS, Stage
from tests.support.tokens import deployer
from verification.harness.counters import holds
from verification.harness.lockstep import TARIFF
from wattproof.market.deployment import deploy_market


def test_c5_token_8_the_token_takes_over_while_it_is_waited_for() -> None:
    """C5-TOKEN-8: the ownership calls came from a module without the market's lock.

    A token that was named as the owner's successor could accept from inside a deposit.
    """
    with boa.env.anchor():
        token = deployer("HostileToken").deploy()
        owner, supplier = str(boa.env.generate_address("owner")), str(boa.env.generate_address("supplier"))
        market = deploy_market(token.address, supplier, TARIFF, owner)
        market.transfer_ownership(token.address, sender=owner)
        token.call_back(market.address, market.accept_ownership.prepare_calldata(), False)

        market.deposit(0, sender=owner)

        holds("C5-TOKEN-8", token.called() and not token.succeeded(), call="accept_ownership from inside deposit(0)")
        holds("C5-TOKEN-8", market.owner() == owner, owner=market.owner())


def test_c4_seen_9_a_stranger_takes_the_suppliers_money() -> None:
    """C4-SEEN-9: a reading was taken of anybody who had registered, with a key of its own as meter.

    Never authorised, it reported 2^48 - 1 Wh exported, settled its account in CLOSING and withdrew the supplier's
    whole balance; what the supplier deposited later went the same way.
    """
    with boa.env.anchor():
        stage = Stage()
        stage.fund(stage.supplier, FUNDS)
        thief = stage.register(stage.unregistered("thief"))
        before = stage.money(stage.supplier)
        for period in (stage.period, stage.period + 1):
            stage.to("METERING", period)
            with stage.refuses("accounts: not authorised"):
                stage.read(thief, 2**48 - 1, 0, period)
            stage.to("CLOSING", period)
            with stage.refuses("settlement: nothing to settle"):
                stage.market.settle_account(thief.address, period, sender=thief.address)
            with stage.refuses("ledger: insufficient balance"):
                stage.market.withdraw(1, sender=thief.address)

        holds("C4-SEEN-9", stage.money(stage.supplier) == before, supplier=stage.money(stage.supplier))
        holds("C4-SEEN-9", stage.account(thief).grid_account == 0, account=stage.account(thief))


def test_c4_profit_6_a_seller_in_default_loses_by_rounding() -> None:
    """C4-PROFIT-6: the bound left out that energy is shared in whole Wh, and compensation in whole base units.

    The seller exports 5000 of 10 000 Wh. Its bidders have 3333 Wh at 178 and 1667 at 149; with a bid of anna's for 1 Wh
    at 120 they have 3332 and 1667, and she has one: 58 less. The winner's compensation is 29 690 instead of 29 672.
    """
    facts = Facts("by amount", 120, 10_000, 5_000, ((178, 5_000), (149, 2_500)), 1_200, False, 0, ((0, 0), (0, 0)))
    bids = Move(
        "last bids", "submit_bid", who=0, about=0, first=1, second=0, times=1
    )  # the second price, the first volume
    opens = Move("first openings", "reveal_bid", who=0, about=0, first=0, second=0, times=1)
    coalition = Coalition((ANNA,), (), True, (bids, opens))
    market = arena(facts.tariff)

    result = market.play(facts, coalition.act, coalition.silent)

    assert [done.function for done in result.done] == ["submit_bid", "reveal_bid"]
    for line in bounds.lines(facts, coalition, market.baseline(facts), result):
        holds(line.invariant, line.loss <= line.bound, victim=line.victim, lost=line.loss, bound=line.bound)
        assert line.victim != SELLER or (line.loss, line.bound) == (58 + 18, 58 + 2 * 58 + 30 + 2)
