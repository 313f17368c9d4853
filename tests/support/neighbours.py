"""Households with agents of their own, as processes, and the model that is told of what they did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account as Signer
from eth_utils.crypto import keccak

from tests.support.street import FLOAT, Home, Process, Street
from wattproof.market.meters import Meter
from wattproof.market.trace import Outcome
from wattproof.watch.mirror import Mirror, Told

PASSWORD = "of all meters"


@dataclass
class Neighbour:
    """What a household is given: its folder with a meter's keystore, its forecasts and what its meter counts.

    net   what it expects, and what its meter will count, in Wh; below 0: what it lacks
    """

    street: Street
    folder: Path
    name: str
    expects: int
    counts: int

    def __post_init__(self) -> None:
        street, home = self.street, Home(self.street.ground.account(self.name), Meter(self.name))
        street.homes[self.name] = home
        self.folder.mkdir(parents=True)
        street.ground.anvil.endow(home.address, 10**19 + FLOAT)
        street.ground.do(home.account, street.market.token.draft("mint", value=FLOAT))
        keystore = Signer.encrypt(home.meter.key.to_bytes(), PASSWORD, kdf="pbkdf2", iterations=1)
        (self.folder / "meter.json").write_text(json.dumps(keystore))
        (self.folder / "profile").write_text(keccak(text=self.name).hex() + "  -\n")
        load, pv = max(0, -self.expects), max(0, self.expects)
        header = "period,forecast_load_wh,forecast_pv_wh,community_supply_wh,community_demand_wh"
        (self.folder / "forecasts.csv").write_text(f"{header}\n{street.period},{load},{pv},2000,2500\n")
        (self.folder / "measured.csv").write_text("period,exported_wh,imported_wh\n")

    def measure(self) -> None:
        """Its meter has counted the period."""
        with (self.folder / "measured.csv").open("a") as file:
            file.write(f"{self.street.period},{max(0, self.counts)},{max(0, -self.counts)}\n")

    def start(self, *more: str) -> Process:
        """Its agent."""
        files = {name: str(self.folder / name) for name in ("meter.json", "forecasts.csv", "measured.csv", "profile")}
        arguments = [
            *(
                "household",
                "--rpc",
                self.street.ground.url,
                "--deployment",
                str(self.folder.parent / "deployment.json"),
            ),
            *("--interval", "0.1", "--meter", files["meter.json"], "--forecasts", files["forecasts.csv"]),
            *("--measured", files["measured.csv"], "--register", files["profile"]),
        ]
        return Process(self.folder, self.name, *arguments, *more, environment={"WATTPROOF_PASSWORD": PASSWORD})


def modelled(street: Street) -> Mirror:
    """The model, told of all calls that the chain took or refused; it has to agree with each."""
    record = street.ground.record
    mirror = Mirror.opened(record.tariff, record.owner, record.supplier, record.token, record.market, record.chain_id)
    for function, arguments, sender, status, second in street.timed_calls():
        said = mirror.call(Told(sender, function, arguments), Outcome(status, None), second)
        assert said.accepted == status, (function, said)
    return mirror


def accounts(street: Street) -> dict[str, Any]:
    """All accounts as the chain has them, by name."""
    parties = {name: home.address for name, home in street.homes.items()} | {"owner": street.ground.owner.address}
    return {name: tuple(street.market.view("account", address)) for name, address in parties.items()}


def modelled_accounts(street: Street) -> dict[str, Any]:
    """All accounts as the model has them after all calls."""
    market = modelled(street).market
    parties = {name: home.address for name, home in street.homes.items()} | {"owner": street.ground.owner.address}
    return {name: tuple(market.account(address)) for name, address in parties.items()}
