"""`clear`: T-MON-8, T-MON-12, T-MON-13."""

from __future__ import annotations

from tests.support.stage import FUNDS, Stage


def test_pays_a_user_what_the_supplier_owes(stage: Stage) -> None:
    stage.to("METERING")
    stage.read(stage.prosumer, exported=700, imported=0)
    stage.to("SETTLING")
    stage.market.settle_account(stage.prosumer.address, stage.period, sender=stage.owner)
    assert stage.account(stage.prosumer).grid_account == 700 * 60
    stage.fund(stage.supplier, 50_000)

    stage.market.clear(stage.prosumer.address, sender=stage.stranger)

    assert stage.events() == [("Cleared", {"user": stage.prosumer.address, "amount": 42_000})]
    assert stage.account(stage.prosumer).grid_account == 0
    assert stage.account(stage.prosumer).balance == FUNDS + 42_000
    assert stage.account(stage.supplier).balance == 8_000
