"""Tokens and holders that misbehave, each a small Vyper source beside this file, and a market that settles in one."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import boa

from tests.support.stage import Stage
from wattproof.market.deployment import deploy_market


@functools.cache
def deployer(name: str) -> Any:
    """titanoboa's deployer of the contract `name` in this folder, compiled once per process."""
    return boa.load_partial(str(Path(__file__).parent / f"{name}.vy"))


class Hostile:
    """A market that settles in a token which does as it is told; the caller holds 1000 of it."""

    def __init__(self, stage: Stage) -> None:
        self.token: Any = deployer("HostileToken").deploy()
        self.market: Any = deploy_market(self.token.address, stage.supplier, stage.tariff, stage.owner)
        self.caller = stage.stranger
        self.token.mint(self.caller, 1_000)

    def state(self) -> tuple[int, int, int]:
        """What the market holds, what the caller holds, and what is free on the caller's account."""
        account = self.market.account(self.caller)
        return self.token.holding(self.market.address), self.token.holding(self.caller), account.balance
