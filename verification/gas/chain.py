"""Two chains on which the same signed transactions cost the same: py-evm in this process, and a node's JSON-RPC.

A transaction is signed once and applied as it would be on a live chain: intrinsic gas, cold accounts and slots, refunds
(at most a fifth, EIP-3529) and the floor of calldata (EIP-7623) included. Rules: Prague.
"""

from __future__ import annotations

import abc
import hashlib
from dataclasses import dataclass
from typing import Any

import boa.vm.py_evm as tracing
import eth.tools.builder.chain as builder
from eth.abc import ComputationAPI, SignedTransactionAPI
from eth.chains.mainnet import MainnetChain
from eth.db.atomic import AtomicDB
from eth.vm.forks.prague import PragueVM
from eth_keys.datatypes import PrivateKey
from eth_typing import Address
from eth_utils.address import to_checksum_address

from verification.harness.answers import Log
from wattproof.market.abi import revert_reason

CHAIN_ID = 31337
"""The chain's ID: that of development nodes. It is part of what meters sign."""

TRANSACTION = 21_000
"""What every transaction pays before anything is done (EIP-2028)."""

_GAS_PRICE = 10**12  # wei; above any base fee that a private chain reaches
_WEALTH = 10**30  # wei of every sender; gas is bought with it, and credits
_LOG, _TOPIC, _LOG_BYTE = 375, 375, 8
_ZERO_BYTE, _OTHER_BYTE = 4, 16


class Refused(RuntimeError):
    """A transaction that was meant to succeed was reverted; the message holds the reason."""


@dataclass(frozen=True)
class Receipt:
    """What a transaction cost, in gas, and what became of it.

    `storage` (reads and writes of slots, refunds taken off) and `other` are known to the in-process chain only.
    """

    gas: int
    calldata: int
    logs: tuple[Log, ...]
    created: str | None = None
    storage: int | None = None

    @property
    def log_gas(self) -> int:
        """What logging its events costs, without the memory."""
        return sum(_LOG + _TOPIC * len(topics) + _LOG_BYTE * len(data) for _, topics, data in self.logs)


class Party:
    """Somebody who sends transactions, with the key drawn from its name. For measurements only."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = PrivateKey(hashlib.sha256(f"wattproof party {name}".encode()).digest())
        self.address: str = self.key.public_key.to_checksum_address()
        self.nonce = 0

    def __repr__(self) -> str:
        return f"Party({self.name})"


class Parties(dict[str, Party]):
    """Everybody by name; whoever is asked for is there."""

    def __missing__(self, name: str) -> Party:
        self[name] = Party(name)
        return self[name]


def signed(
    key: PrivateKey, nonce: int, to: str | None, data: bytes, value: int, gas: int, price: int
) -> SignedTransactionAPI:
    """A transaction of the chain `CHAIN_ID`; `to` None creates a contract. `price` is in wei for a unit of gas."""
    unsigned = PragueVM.get_transaction_builder().create_unsigned_transaction(
        nonce=nonce,
        gas_price=price,
        gas=gas,
        to=Address(bytes.fromhex(to[2:]) if to else b""),
        value=value,
        data=data,
    )
    return unsigned.as_signed_transaction(key, chain_id=CHAIN_ID)


def calldata_gas(data: bytes) -> int:
    """The intrinsic gas of calldata (EIP-2028)."""
    zeros = data.count(0)
    return _ZERO_BYTE * zeros + _OTHER_BYTE * (len(data) - zeros)


class Chain(abc.ABC):
    """Applies signed transactions one by one, each in a block of its own, a second after the one before.

    gas_limit   of every transaction
    """

    gas_limit = 200_000_000

    def __init__(self, now: int) -> None:
        self.now = now

    def send(self, sender: Party, to: str | None, data: bytes, value: int = 0) -> Receipt:
        """Sends a transaction; `to` None creates a contract.

        Raises Refused where it reverts.
        """
        if sender.nonce == 0:
            self.endow(sender.address, _WEALTH)
        transaction = signed(sender.key, sender.nonce, to, data, value, self.gas_limit, _GAS_PRICE)
        sender.nonce += 1
        self.now += 1
        return self.apply(transaction)

    @abc.abstractmethod
    def endow(self, address: str, wei: int) -> None:
        """Gives an account its ether."""

    @abc.abstractmethod
    def apply(self, transaction: SignedTransactionAPI) -> Receipt:
        """Applies a transaction at the time `now`. Raises Refused where it reverts."""


def reason(output: bytes) -> str:
    """The reason in a revert's data."""
    return revert_reason(output) or f"no reason (0x{output.hex()})"


class _Metered:
    """An opcode that sums up what it cost, until it is set to zero."""

    def __init__(self, opcode: Any) -> None:
        self.opcode, self.mnemonic = opcode, opcode.mnemonic
        self.spent = 0

    def __call__(self, computation: ComputationAPI) -> None:
        before = computation.get_gas_remaining()
        self.opcode(computation)
        self.spent += before - computation.get_gas_remaining()


class _Written(_Metered):
    """SSTORE, which also knows by contract and place which words are not zero; for chains on which no call fails."""

    def __init__(self, opcode: Any) -> None:
        super().__init__(opcode)
        self.words: set[tuple[bytes, int]] = set()

    def __call__(self, computation: ComputationAPI) -> None:
        stack: Any = computation._stack
        slot, value = (_number(one) for one in stack.values[:-3:-1])
        super().__call__(computation)
        word = (bytes(computation.msg.storage_address), slot)
        if value:
            self.words.add(word)
        else:
            self.words.discard(word)


def _number(value: int | bytes) -> int:
    return value if isinstance(value, int) else int.from_bytes(value)


class InProcess(Chain):
    """py-evm at Prague rules, as the reference client applies transactions: nothing stays warm between two of them."""

    def __init__(self, now: int) -> None:
        super().__init__(now)
        make: Any = builder
        kind = make.build(MainnetChain, make.fork_at(PragueVM, 1))
        self._state = kind.from_genesis(AtomicDB(), {"difficulty": 0, "gas_limit": 10**9}).get_vm().state
        # A table of opcodes of its own: titanoboa puts its tracers into the one that all of py-evm shares.
        opcodes = {code: _untraced(opcode) for code, opcode in self._state.computation_class.opcodes.items()}
        self._storage = (_Metered(opcodes[0x54]), _Written(opcodes[0x55]))
        opcodes[0x54], opcodes[0x55] = self._storage
        self._state.computation_class = type(
            "MeteredComputation", (self._state.computation_class,), {"opcodes": opcodes}
        )
        self._state.execution_context._chain_id = CHAIN_ID

    @property
    def words(self) -> int:
        """How many words of storage are not zero, of all contracts."""
        return len(self._storage[1].words)

    def endow(self, address: str, wei: int) -> None:
        self._state.set_balance(bytes.fromhex(address[2:]), wei)

    def apply(self, transaction: SignedTransactionAPI) -> Receipt:
        state = self._state
        state.execution_context._timestamp = self.now
        for opcode in self._storage:
            opcode.spent = 0
        state.lock_changes()
        computation = state.apply_transaction(transaction)
        if computation.is_error:
            raise Refused(reason(bytes(computation.output)))
        used = transaction.gas - computation.get_gas_remaining()
        refund = state.transaction_executor_class.calculate_gas_refund(computation, used)
        created = computation.msg.storage_address if transaction.to == b"" else None
        return Receipt(
            gas=used - refund + computation.data_floor_gas,
            calldata=calldata_gas(transaction.data),
            logs=tuple(
                (bytes(emitter), tuple(topics), bytes(data)) for emitter, topics, data in computation.get_log_entries()
            ),
            created=to_checksum_address(created) if created else None,
            storage=sum(opcode.spent for opcode in self._storage) - refund,
        )


def _untraced(opcode: Any) -> Any:
    while isinstance(opcode, tracing.Sha3PreimageTracer | tracing.SstoreTracer):
        opcode = opcode.sha3 if isinstance(opcode, tracing.Sha3PreimageTracer) else opcode.sstore
    return opcode
