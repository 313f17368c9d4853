"""A watcher and meters' signatures: its own verdict on each, and meters that are contracts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import rlp
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tests.support.field import Ground
from tests.support.street import Street
from tests.support.watching import Watch
from wattproof.chain.deploying import creation
from wattproof.chain.sending import Draft, Sender
from wattproof.evm.anvil import Anvil
from wattproof.market.meters import Meter, P256Meter, malleable_twin
from wattproof.terms.model import Phase


@pytest.fixture
def street(has_anvil: None) -> Iterator[Street]:
    """A street on a chain that knows P-256."""
    with Anvil(timestamp=1_750_000_000, chain_id=7_357, hardfork="osaka") as anvil:
        yield Street(Ground.on(anvil))


@pytest.fixture
def watch(street: Street, tmp_path: Path) -> Watch:
    return Watch(street.ground, f"sqlite:///{tmp_path}/market.db")


def refused(street: Street, function: str, *arguments: object) -> str:
    """Why a transaction that is sent all the same is refused."""
    data = street.market.data(function, *arguments)
    draft = Draft(street.market.address, data, gas=1_000_000)
    return street.refused(lambda: street.ground.do(street.ground.owner, draft))


def test_every_form_of_a_signature_has_the_verdict_of_the_market(street: Street, watch: Watch) -> None:
    street.join("sunny")
    street.to(Phase.METERING)
    read = street.reading("sunny", 700, 300)
    entry = (read.user, read.exported, read.imported)
    signature = read.signature
    other = Meter("other").sign_reading(
        street.market.address, read.user, read.period, read.exported, read.imported, street.ground.record.chain_id
    )
    forms = {
        "accounts: malformed signature": signature[:64],
        "ecdsa: invalid signature `s` value": malleable_twin(signature),
        "ecdsa: invalid signature": signature[:64] + bytes([29]),
        "accounts: wrong meter": other,
    }
    for reason, form in forms.items():
        got = refused(street, "submit_reading", read.user, read.period, read.exported, read.imported, form)
        assert got == reason
    forms["accepted"] = signature
    readings = [(*entry, form) for form in forms.values()]
    street.call(street.ground.owner, "submit_readings", read.period, readings)
    assert watch.run() == 0
    assert watch.checks()["C2-REFUSE-2"] == 4
    assert watch.calls()[-1].result == 0b10000
    assert [row["name"] for row in watch.rows("events")][-5:] == ["ReadingRefused"] * 4 + ["ReadingSubmitted"]


def test_a_p256_meter_is_asked_and_checked_with_its_key(street: Street, watch: Watch) -> None:
    device = P256Meter("sunny")
    ground, market = street.ground, street.market
    home = ground.account("sunny")
    created = ground.do(ground.owner, Draft(None, creation("P256Meter", *device.public)))
    meter, profile = created.contract, keccak(text="sunny")
    pairing = device.sign_pairing(market.address, home.address, profile, ground.record.chain_id)
    street.call(home, "register", profile, meter, pairing)
    street.call(ground.owner, "authorize", home.address, 11_500)
    street.to(Phase.METERING)
    where = (home.address, street.period)
    signed = device.sign_reading(market.address, *where, 700, 300, ground.record.chain_id)
    assert refused(street, "submit_reading", *where, 701, 300, signed) == "accounts: wrong meter"
    street.call(ground.owner, "submit_reading", *where, 700, 300, signed)
    assert watch.run() == 0
    assert watch.calls()[-1].accepted
    assert not any("not seen" in line for line in watch.said)


def test_a_meter_that_is_as_young_as_its_block_is_believed_and_named(street: Street, watch: Watch) -> None:
    device = P256Meter("sunny")
    ground, market = street.ground, street.market
    home = ground.account("sunny")
    profile = keccak(text="sunny")
    pairing = device.sign_pairing(market.address, home.address, profile, ground.record.chain_id)
    sender = Sender(ground.node, home)
    created = sender.send(Draft(None, creation("P256Meter", *device.public), gas=2_000_000))
    nonce = int(ground.anvil.rpc("eth_getTransactionByHash", created)["nonce"], 16)
    meter = to_checksum_address(keccak(rlp.encode([bytes.fromhex(home.address[2:]), nonce]))[-20:])
    data = market.data("register", profile, meter, pairing)
    sender.send(Draft(market.address, data, gas=1_000_000))
    ground.anvil.mine()
    assert watch.run() == 0
    assert watch.calls()[-1].accepted
    assert any("not seen by the model" in line and "the chain's word is taken: yes" in line for line in watch.said)
