"""Failures that the properties found in this contract, each kept as the history that showed it."""

from __future__ import annotations

import boa

from tests.properties.evidence import holds
from tests.properties.twin import TARIFF
from tests.support.stage import FUNDS, Stage
from tests.support.tokens import deployer
from wattproof.deployment import deploy_market


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
