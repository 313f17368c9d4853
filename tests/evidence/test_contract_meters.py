"""Meters that are contracts, on a real node with Osaka's rules and so the precompile for P-256: T-REG-22 to T-REG-25.

Skipped where npm, which brings anvil, is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import pytest
from boa.vm.fork import CachingRPC
from eth_account import Account
from eth_utils.crypto import keccak

from verification.builds import build
from verification.gas.chain import CHAIN_ID
from verification.gas.community import CAPACITY, START, Community
from verification.gas.node import Node
from verification.harness.driver import profile_of
from verification.harness.meter_contracts import creation_code
from wattproof.evm.anvil import Anvil
from wattproof.evm.network import NotReady
from wattproof.evm.node import NodeUnavailable, RpcError
from wattproof.market.deployment import Tariff, deploy
from wattproof.market.symbolic import in_manner, meter
from wattproof.meters import Meter, P256Meter
from wattproof.terms.model import Phase

TARIFF = Tariff(sbp=6, ssp=18, service_fee=1, priority_step=500)
MOST_GAS = 2**24
"""Of a transaction, by EIP-7825."""

MONEY = 100_000
YES, NO = "0x1626ba7e" + 56 * "0", "0xffffffff" + 56 * "0"
WRONG_METER = "accounts: wrong meter"
SENDER = Account.from_key("0x" + 32 * "11")


class Osaka:
    """A market on a node with Osaka's rules, and households whose meters are contracts.

    devices   who signs for those households
    meters    the addresses of their contracts
    """

    def __init__(self, node: Anvil) -> None:
        self.node, on = node, Node(node, START)
        on.gas_limit = MOST_GAS
        self.market = Community(on, TARIFF)
        self.devices: dict[str, Any] = {}
        self.meters: dict[str, str] = {}

    def put(self, name: str, device: Any, contract: str) -> None:
        """A household with such a meter registers and is let in."""
        self.devices[name], self.meters[name] = device, contract
        user = self.market.address(name)
        signature = device.sign_pairing(self.market.target, user, profile_of(name), CHAIN_ID)
        self.market.call("register", profile_of(name), contract, signature, sender=name)
        self.market.call("authorize", name, CAPACITY, sender="owner")

    def p256(self, name: str) -> P256Meter:
        """A household with a device on P-256."""
        device = P256Meter(name)
        self.put(name, device, self.market.create(build("P256Meter"), *device.public))
        return device

    def contract(self, device: Meter) -> str:
        """Deploys the contract of a device, which answers in the manner that a signature names."""
        code = creation_code(device.address)
        return self.market.backend.send(self.market.people["owner"], None, code).created or ""

    def reading(self, name: str, period: int, exported: int, imported: int) -> tuple[str, int, int, bytes]:
        """An entry of a batch, signed by the household's device, or by its key where it has none."""
        device = self.devices.get(name) or meter(name)
        user = self.market.address(name)
        return (
            user,
            exported,
            imported,
            device.sign_reading(self.market.target, user, period, exported, imported, CHAIN_ID),
        )

    def asked(self, name: str, digest: bytes, signature: bytes) -> str:
        """What the meter of a household says of a signature, asked as an operator would before it sends a batch."""
        data = build("P256Meter").interface.call("isValidSignature", digest, signature)
        return self.node.rpc("eth_call", {"to": self.meters[name], "data": "0x" + data.hex()}, "latest")

    def tick(self) -> None:
        """A block without transactions, a second later: what is only asked is asked as of the last block."""
        self.market.at(self.market.now + 1)
        self.node.mine(self.market.now)

    def estimate(self, function: str, *arguments: Any) -> int:
        """The least gas limit for a call of the owner, as the node sees it."""
        data = build("EnergyMarket").interface.call(function, *arguments)
        call = {"from": self.market.address("owner"), "to": self.market.target, "data": "0x" + data.hex()}
        return int(self.node.rpc("eth_estimateGas", call, "latest"), 16)

    def refusal(self, function: str, *arguments: Any, sender: str = "stranger") -> str:
        """Why the market would refuse a call now."""
        data = build("EnergyMarket").interface.call(function, *arguments)
        call = {"from": self.market.address(sender), "to": self.market.target, "data": "0x" + data.hex()}
        with pytest.raises(RpcError) as problem:
            self.node.rpc("eth_call", call, "latest")
        return str(problem.value)


def started(hardfork: str, *arguments: str) -> Anvil:
    """A node; skips the test where there is none to be had."""
    node = Anvil(*arguments, timestamp=START, chain_id=CHAIN_ID, hardfork=hardfork)
    try:
        return node.start()
    except NodeUnavailable as missing:
        pytest.skip(str(missing))


@pytest.fixture
def osaka() -> Iterator[Osaka]:
    with started("osaka", "--enable-tx-gas-limit") as node:
        yield Osaka(node)


def digest_of(name: str, on: Osaka, period: int, exported: int, imported: int) -> bytes:
    """The digest that a meter signs of a reading."""
    seen: list[bytes] = []

    class Spy(P256Meter):
        def _signature(self, digest: bytes) -> bytes:
            seen.append(digest)
            return b""

    Spy("any").sign_reading(on.market.target, on.market.address(name), period, exported, imported, CHAIN_ID)
    return seen[0]


def test_a_device_on_p256_trades_from_registration_to_settlement(osaka: Osaka) -> None:
    """It sells to a household with a device of its kind; what is not its signature is refused, with either reason."""
    market = osaka.market
    for name in ("sunny", "cloudy"):
        osaka.p256(name)
    for name in ("sunny", "cloudy", "supplier"):
        market.mint(name, MONEY)
        market.call("deposit", MONEY, sender=name)
    period = market.next_period() + 1
    quote, _ = market.quote("sunny", period, 1_000, 9)
    market.bid(quote, "cloudy", 11, 600)
    market.to(Phase.REVEALING, period)
    market.reveal(quote, "cloudy", 11, 600)
    market.to(Phase.MATCHING, period)
    market.match(quote, winners=1, losers=0)
    market.to(Phase.METERING, period)

    sold, bought = osaka.reading("sunny", period, 1_000, 0), osaka.reading("cloudy", period, 0, 600)
    digest = digest_of("sunny", osaka, period, 1_000, 0)
    right, r, s = sold[3], sold[3][:32], int.from_bytes(sold[3][32:], "big")
    order = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551
    wrong = [bought[3], r + (order - s).to_bytes(32, "big"), right + b"\x1b", right[:63], b""]
    osaka.tick()
    for signature in wrong:
        assert osaka.asked("sunny", digest, signature) == NO
        assert WRONG_METER in osaka.refusal("submit_reading", sold[0], period, 1_000, 0, signature)
    assert osaka.asked("sunny", keccak(digest), right) == NO
    assert osaka.asked("sunny", digest, right) == YES

    market.call("submit_reading", sold[0], period, *sold[1:], sender="stranger")
    market.call("submit_readings", period, [bought], sender="owner")
    market.to(Phase.SETTLING, period)
    market.call("settle_quote", quote, sender="owner", TradeSettled=1, PerformanceRecorded=1)
    market.call("settle_account", "sunny", period, sender="owner")
    market.call("settle_account", "cloudy", period, sender="owner", PerformanceRecorded=1)
    # 600 Wh at 11, less a fee of 1 on each side; the rest of the export, 400 Wh, at SBP, is paid by the supplier.
    market.call("withdraw", MONEY + 600 * 11 - 600 + 400 * 6, sender="sunny")
    market.call("withdraw", MONEY - 600 * 11 - 600, sender="cloudy")


HOSTILE = {"burns": "burns its gas", "reverts": "reverts", "answers": "says yes and a byte"}


def full(osaka: Osaka) -> list[str]:
    """64 households, as many as a batch takes: three of a hostile meter, one of a device on P-256, 60 of a key."""
    homes = [f"home {number}" for number in range(60)]
    for name in homes:
        osaka.market.admit(name, CAPACITY)
    osaka.p256("device")
    for name in HOSTILE:
        # Honest when it registers, and in the batch no longer.
        device = Meter(f"device that {name}")
        osaka.put(name, device, osaka.contract(device))
    return ["burns", *homes[:20], "reverts", "device", *homes[20:40], "answers", *homes[40:]]


def test_a_full_batch_loses_only_what_hostile_meters_spoil(osaka: Osaka) -> None:
    """T-REG-23: of 64 readings one meter burns all its gas, one reverts, one answers too much; 61 are recorded."""
    market, names = osaka.market, full(osaka)
    period = market.next_period()
    market.to(Phase.METERING, period)
    batch = [osaka.reading(name, period, place, 1) for place, name in enumerate(names)]
    for name, manner in HOSTILE.items():
        user, exported, imported, signature = batch[names.index(name)]
        batch[names.index(name)] = user, exported, imported, in_manner(signature, manner)
    assert len(batch) == 64

    # The limit that the node estimates suffices for every meter. As many events as entries, but others for three.
    osaka.tick()
    market.backend.gas_limit = osaka.estimate("submit_readings", period, batch)
    done = market.call("submit_readings", period, batch, sender="owner", ReadingSubmitted=-3, ReadingRefused=3)

    assert refused(done.logs) == [
        (market.address(name), place, WRONG_METER) for place, name in enumerate(names) if name in HOSTILE
    ]
    print(f"gas of the batch: {done.gas:,} of {market.backend.gas_limit:,}")
    assert 2_000_000 < done.gas < 3_000_000 < MOST_GAS


def test_a_full_batch_of_meters_that_burn_their_gas_fits_into_a_transaction(osaka: Osaka) -> None:
    """D18: each is given 100,000 gas, and none of the readings is recorded."""
    market, names = osaka.market, full(osaka)
    for name in names:
        # An invalid instruction, which burns whatever there is.
        osaka.node.rpc("anvil_setCode", osaka.meters.get(name) or meter(name).address, "0xfe")
    period = market.next_period()
    market.to(Phase.METERING, period)
    # The meters' own keys did not sign, so that their code is asked.
    batch = [(market.address(name), 1, 1, b"") for name in names]

    done = market.call("submit_readings", period, batch, sender="owner", ReadingSubmitted=-64, ReadingRefused=64)

    assert len(refused(done.logs)) == 64
    print(f"gas of the batch: {done.gas:,}")
    assert 64 * 100_000 < done.gas < 8_000_000 < MOST_GAS


def refused(logs: Any) -> list[tuple[str, int, str]]:
    """Who was left out of a batch, where in it, and why."""
    found = []
    for _, topics, data in logs:
        event = build("EnergyMarket").interface.events.get(topics[0])
        if event is not None and event.name == "ReadingRefused":
            fields = event.values(topics, data)
            found.append((fields["user"], fields["index"], fields["reason"]))
    return found


@pytest.mark.parametrize(("hardfork", "lacks"), [("osaka", False), ("prague", True)])
def test_titanoboa_deploys_and_uses_it_on_a_network(
    hardfork: str, lacks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What titanoboa plays in this process first is no refusal; to a chain without the precompile nothing is sent."""
    monkeypatch.setattr(CachingRPC, "_cache_filepath", lambda self, folder, chain: tmp_path / "blocks")
    device = P256Meter("device")
    with started(hardfork) as node, boa.set_network_env(f"http://127.0.0.1:{node.port}"):
        node.rpc("evm_setAutomine", True)
        boa.env.add_account(SENDER)
        node.endow(SENDER.address, 10**18)
        if lacks:
            with pytest.raises(NotReady, match=r"^the chain cannot check signatures on P-256"):
                device.deploy()
            assert node.rpc("eth_blockNumber") == "0x0"
            return
        contract = device.deploy()
        assert (contract.X(), contract.Y()) == device.public
        market = deploy(supplier="0x" + 20 * "12", show=None).market
        signature = device.sign_pairing(market, SENDER.address, bytes(31) + b"1")
        market.register(bytes(31) + b"1", device.address, signature, sender=SENDER.address)
        assert market.account(SENDER.address).meter == device.address
