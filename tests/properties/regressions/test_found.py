"""Failures that the properties found in this contract, each kept as the history that showed it."""

from __future__ import annotations

import boa

from tests.properties.evidence import holds
from tests.properties.twin import TARIFF
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
