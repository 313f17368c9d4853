"""The chain itself: its blocks, its clock, and how a block is made of what waits."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import rlp
from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB
from eth_utils.exceptions import ValidationError

from wattproof.chain.embedded import traces
from wattproof.chain.embedded.pool import Pool, decoded
from wattproof.chain.embedded.rules import BLOCK_GAS, INVALID_PARAMS, Refused, chain_class

_STATES = 8
"""States of the past that are kept ready for calls."""


@dataclass(frozen=True)
class Mined:
    """A block: py-evm's header, transactions and receipts, the calls of each transaction, and its size in bytes."""

    header: Any
    transactions: tuple[Any, ...]
    receipts: tuple[Any, ...]
    frames: tuple[dict[str, Any], ...]
    size: int

    @property
    def number(self) -> int:
        return self.header.block_number

    @property
    def hash(self) -> bytes:
        return bytes(self.header.hash)

    def gas_used(self, index: int) -> int:
        """The gas that its transaction number `index` used."""
        before = self.receipts[index - 1].gas_used if index else 0
        return self.receipts[index].gas_used - before


class EmbeddedChain:
    """A chain in memory. Not for several threads at once: the server has one lock.

    automine   whether each transaction makes a block of its own
    """

    def __init__(self, chain_id: int, timestamp: int | None = None, balances: dict[bytes, int] | None = None) -> None:
        """`timestamp` is the second of block 0 (default: now), `balances` what accounts have from the start, in wei."""
        self.chain_id = chain_id
        self.automine = True
        self.pool = Pool()
        begin = int(time.time()) if timestamp is None else timestamp
        self._ahead = begin - time.time()
        self._next: int | None = None
        genesis = {
            "difficulty": 0,
            "gas_limit": BLOCK_GAS,
            "timestamp": begin,
            "extra_data": b"wattproof",
            "nonce": bytes(8),
        }
        accounts = {
            address: {"balance": wei, "nonce": 0, "code": b"", "storage": {}}
            for address, wei in (balances or {}).items()
        }
        self._evm: Any = chain_class(chain_id).from_genesis(AtomicDB(MemoryDB()), genesis, accounts)  # pyright: ignore[reportArgumentType]
        header = self._evm.get_canonical_head()
        self.blocks = [Mined(header, (), (), (), len(rlp.encode([header, [], [], []])))]
        self.by_hash = {header.hash: self.blocks[0]}
        self.found: dict[bytes, tuple[Mined, int]] = {}
        """Where each transaction is: its block, and its place there."""
        self._roots: dict[bytes, bytes] = {}
        """The state after a block, where it is not the block's: ether was given since."""
        self._states: OrderedDict[bytes, Any] = OrderedDict()
        self._reorganisations = 0

    # ---- what there is ----------------------------------------------------------------------

    @property
    def head(self) -> Mined:
        return self.blocks[-1]

    def vm(self, block: Mined) -> Any:
        """py-evm's machine with the state at the end of a block, for calls that leave no trace.

        As nodes do for calls, it lets the base fee be 0.
        """
        return self._machine(block.header.copy(state_root=self._root(block)))

    def pending_vm(self) -> Any:
        """The same in the next block, after what waits for it."""
        vm = self._evm.get_vm(self._child(self.next_second()))
        _, done = self._played(vm)
        if done:
            vm.state.persist()
        return self._machine(vm.get_header().copy(state_root=vm.state.state_root))

    def state(self, block: Mined) -> Any:
        """The state at the end of a block."""
        return self.vm(block).state

    def next_base_fee(self) -> int:
        """The base fee of the next block, in wei for a unit of gas."""
        return self._child(self.next_second()).base_fee_per_gas

    def _machine(self, header: Any) -> Any:
        free = header.copy(base_fee_per_gas=0)
        if free.hash not in self._states:
            self._states[free.hash] = self._evm.get_vm(free)
            if len(self._states) > _STATES:
                self._states.popitem(last=False)
        self._states.move_to_end(free.hash)
        return self._states[free.hash]

    def _root(self, block: Mined) -> bytes:
        return self._roots.get(block.hash) or block.header.state_root

    # ---- time -------------------------------------------------------------------------------

    def next_second(self) -> int:
        """The time of the next block: what was set, else what the chain's clock says, later than the last block."""
        if self._next is not None:
            return self._next
        return max(int(time.time() + self._ahead), self.head.header.timestamp + 1)

    def set_next_second(self, second: int) -> None:
        """Sets the time of the next block; the clock goes on from there. Raises Refused where it is not later."""
        if second <= self.head.header.timestamp:
            raise Refused(
                f"Timestamp error: {second} is not later than the last block's {self.head.header.timestamp}",
                INVALID_PARAMS,
            )
        if second >= 2**64:
            raise Refused(f"Timestamp error: {second} is no time", INVALID_PARAMS)
        self._next = second

    def advance(self, seconds: int) -> int:
        """Puts the clock forward; returns how far ahead of the machine's it is now, in seconds."""
        self._ahead += seconds
        return int(self._ahead)

    # ---- transactions and blocks ------------------------------------------------------------

    def send(self, raw: bytes) -> bytes:
        """Takes a signed transaction; returns its hash. Raises Refused."""
        transaction = decoded(raw, self.chain_id)
        if transaction.hash in self.found:
            raise Refused("already known")
        state = self.state(self.head)
        self.pool.add(transaction, state.get_nonce(transaction.sender), state.get_balance(transaction.sender))
        if self.automine:
            self.mine()
        return transaction.hash

    def mine(self, extra: bytes = b"") -> Mined:
        """Makes a block of what waits, as far as it fits."""
        second = self.next_second()
        vm = self._evm.get_vm(self._child(second).copy(extra_data=extra))
        header, done = self._played(vm)
        transactions = tuple(one for one, _, _ in done)
        receipts = tuple(receipt for _, receipt, _ in done)
        filled = vm.set_block_transactions_and_withdrawals(vm.get_block(), header, transactions, receipts)
        block = vm.finalize_block(filled).block
        self._evm.chaindb.persist_header(block.header)
        before = [0, *(receipt.gas_used for receipt in receipts)]
        frames = tuple(
            traces.frame(one, computation, receipt.gas_used - used)
            for (one, receipt, computation), used in zip(done, before, strict=False)
        )
        mined = Mined(block.header, transactions, receipts, frames, len(rlp.encode(block)))
        for one in transactions:
            self.pool.drop(one)
        self._append(mined)
        self._next, self._ahead = None, second - time.time()
        return mined

    def _child(self, second: int) -> Any:
        """The header of the next block, on the state as it is now."""
        parent = self.head.header
        header = self._evm.create_header_from_parent(parent, timestamp=second, gas_limit=BLOCK_GAS, extra_data=b"")
        return header.copy(state_root=self._root(self.head))

    def _played(self, vm: Any) -> tuple[Any, list[tuple[Any, Any, Any]]]:
        """Plays what waits; returns the header with what was used, and transactions, receipts and computations."""
        header, done = vm.get_header(), []
        order = self.pool.in_order(vm.state.get_nonce)
        for transaction in order:
            if header.gas_used + transaction.gas > BLOCK_GAS or transaction.max_fee_per_gas < header.base_fee_per_gas:
                order.skip(transaction.sender)
                continue
            try:
                vm.state.validate_transaction(transaction)
            except ValidationError:
                # What it could pay when it came, it cannot pay any more.
                self.pool.drop(transaction)
                order.skip(transaction.sender)
                continue
            try:
                receipt, computation = vm.apply_transaction(header, transaction)
            except Exception:
                # A fault of py-evm: the block cannot be made, and the next one should not fail of it again.
                self.pool.drop(transaction)
                raise
            header = vm.add_receipt_to_header(header, receipt)
            done.append((transaction, receipt, computation))
        return header, done

    def _append(self, mined: Mined) -> None:
        self.blocks.append(mined)
        self.by_hash[mined.hash] = mined
        for index, transaction in enumerate(mined.transactions):
            self.found[transaction.hash] = (mined, index)

    # ---- what only a development node does --------------------------------------------------

    def set_balance(self, address: bytes, wei: int) -> None:
        """Gives an account so much ether, whatever it had; calls at the last block and the next block know of it."""
        self._change(lambda state: state.set_balance(address, wei))

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        """Writes a word into a contract's storage, in the same way."""
        self._change(lambda state: state.set_storage(address, slot, value))

    def _change(self, change: Callable[[Any], object]) -> None:
        vm = self._evm.get_vm(self.head.header.copy(state_root=self._root(self.head)))
        change(vm.state)
        vm.state.persist()
        self._roots[self.head.hash] = vm.state.state_root

    def reorganise(self, depth: int) -> None:
        """Puts as many empty blocks, of the same times, in the place of the last ones. Their transactions vanish."""
        if not 0 <= depth < len(self.blocks):
            raise Refused(f"reorg depth {depth} is no number of blocks below {len(self.blocks)}", INVALID_PARAMS)
        orphans = self.blocks[len(self.blocks) - depth :]
        del self.blocks[len(self.blocks) - depth :]
        for orphan in orphans:
            del self.by_hash[orphan.hash]
            self._forget(orphan.transactions)
        self._reorganisations += 1
        waiting, self.pool = self.pool, Pool()
        for orphan in orphans:
            self._next = orphan.header.timestamp
            # Without it an empty block would be the same again.
            self.mine(extra=b"reorganisation %d" % self._reorganisations)
        self.pool = waiting

    def _forget(self, transactions: Iterable[Any]) -> None:
        for transaction in transactions:
            del self.found[transaction.hash]
