"""A deployment rehearsed inside this process: what will lie where, byte by byte, and what it takes.

A node is asked for none of it: what it shows later must be what is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boa.environment import Env
from boa.util.abi import Address
from eth_utils.address import to_canonical_address

from wattproof.chain.sending import Refused
from wattproof.market.abi import revert_reason
from wattproof.market.artifacts import artifact, interface_of
from wattproof.market.tariff import Tariff, frame

TOKEN, MARKET, LENS = "EnergyCredit", "EnergyMarket", "MarketLens"


@dataclass(frozen=True)
class Created:
    """A contract as it is created.

    address    where, by who creates it and the number of its transaction
    creation   what is sent: its code and its constructor's arguments
    code       what lies there then, with what the constructor fixed
    gas        of the transaction in all, by the rules of this process
    """

    name: str
    nonce: int
    address: str
    creation: bytes
    code: bytes
    gas: int


def creation(name: str, *arguments: Any) -> bytes:
    """What creates the contract `name`: its code, and its constructor's arguments."""
    return artifact(name).bytecode + interface_of(name).constructor(*arguments)


def address_of_creation(sender: str, nonce: int) -> str:
    """Where the contract comes to lie that the transaction of that number creates."""
    env = Env()
    env.evm.vm.state.set_nonce(to_canonical_address(sender), nonce)
    return str(env.evm.generate_create_address(Address(sender)))


def rehearse(
    chain_id: int, sender: str, nonces: Mapping[str, int], token: str | None, supplier: str, tariff: Tariff
) -> dict[str, Created]:
    """The contracts of a market, in the order in which they are created, by name.

    `nonces` are the transactions' numbers by the contracts' names; `token` None: an EnergyCredit is created first.
    Raises Refused where a constructor refuses.
    """
    env = Env()
    env.evm.patch.chain_id = chain_id
    found: dict[str, Created] = {}

    def create(name: str, *arguments: Any) -> str:
        env.evm.vm.state.set_nonce(to_canonical_address(sender), nonces[name])
        sent = creation(name, *arguments)
        address, computation = env.deploy(sender=sender, bytecode=sent)
        if computation.is_error:
            raise Refused(revert_reason(bytes(computation.output)) or "it cannot be created", name)
        gas = _intrinsic(sent) + computation.get_gas_used()
        found[name] = Created(name, nonces[name], str(address), sent, bytes(env.get_code(address)), gas)
        return str(address)

    if token is None:
        token = create(TOKEN)
    create(LENS, create(MARKET, token, supplier, *frame(tariff)))
    return found


def _intrinsic(sent: bytes) -> int:
    """What a creation costs before any of it runs (EIP-2028, EIP-3860)."""
    return 53_000 + 16 * len(sent) - 12 * sent.count(0) + 2 * -(-len(sent) // 32)
