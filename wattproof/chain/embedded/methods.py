"""The JSON-RPC methods of the embedded chain, and what is answered to nonsense."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

from eth_utils.crypto import keccak

from wattproof import __version__
from wattproof.chain.embedded import calls, reading, shown
from wattproof.chain.embedded.blocks import EmbeddedChain, Mined
from wattproof.chain.embedded.rules import INVALID_PARAMS, Refused
from wattproof.chain.embedded.shown import octets, quantity

_NO_METHOD, _NO_REQUEST, _BROKEN = -32601, -32600, -32603

_TIP = 10**9
"""What is advised as a tip, in wei for a unit of gas; blocks have room, so that any other is taken, too."""

_MOST_FEES = 1024
"""Blocks of which `eth_feeHistory` tells at once, as in geth."""

_MOST_MINED = 10_000


class Methods:
    """Answers requests about one chain, one at a time: each public method of a node is a function here."""

    def __init__(self, chain: EmbeddedChain) -> None:
        self.chain = chain
        self.table: dict[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: f"wattproof-embedded/{__version__}",
            "web3_sha3": lambda data: octets(keccak(reading.octets(data, "data"))),
            "net_version": lambda: str(chain.chain_id),
            "net_listening": lambda: True,
            "eth_chainId": lambda: quantity(chain.chain_id),
            "eth_syncing": lambda: False,
            "eth_accounts": lambda: [],
            "eth_blockNumber": lambda: quantity(chain.head.number),
            "eth_gasPrice": lambda: quantity(self._base_fee() + _TIP),
            "eth_maxPriorityFeePerGas": lambda: quantity(_TIP),
            "eth_feeHistory": self.fee_history,
            "eth_getBalance": lambda who, at="latest": quantity(self._state(at).get_balance(reading.address(who))),
            "eth_getCode": lambda who, at="latest": octets(self._state(at).get_code(reading.address(who))),
            "eth_getStorageAt": self.storage,
            "eth_getTransactionCount": self.transaction_count,
            "eth_getBlockByNumber": self.block,
            "eth_getBlockByHash": self.block_by_hash,
            "eth_getBlockReceipts": self.block_receipts,
            "eth_getTransactionByHash": self.transaction,
            "eth_getTransactionReceipt": self.receipt,
            "eth_getLogs": self.logs,
            "eth_call": self.call,
            "eth_estimateGas": self.estimate,
            "eth_sendRawTransaction": lambda raw: octets(chain.send(reading.octets(raw, "transaction"))),
            "debug_traceTransaction": self.trace_transaction,
            "debug_traceBlockByHash": lambda which, options=None: self.trace_block({"blockHash": which}, options),
            "debug_traceBlockByNumber": self.trace_block,
            "evm_mine": self.mine,
            "evm_setNextBlockTimestamp": self.set_next_second,
            "evm_increaseTime": lambda seconds: chain.advance(reading.number(seconds, "seconds")),
            "evm_setAutomine": self.set_automine,
            "anvil_getAutomine": lambda: chain.automine,
            "anvil_setBalance": self.set_balance,
            "anvil_setStorageAt": self.set_storage,
            "anvil_reorg": self.reorganise,
        }

    def answer(self, question: Any) -> dict[str, Any]:
        """The answer to one request of JSON-RPC, whatever it is."""
        number = question.get("id") if isinstance(question, dict) else None
        told: dict[str, Any] = {"jsonrpc": "2.0", "id": number if isinstance(number, (int, str)) else None}
        try:
            return told | {"result": self._result(question)}
        except Refused as refusal:
            return told | {"error": refusal.error}
        except Exception as problem:
            # A fault of this node: one request must not end it.
            logging.getLogger(__name__).exception("a request failed")
            return told | {"error": Refused(f"internal error: {type(problem).__name__}", _BROKEN).error}

    def _result(self, question: Any) -> Any:
        if not isinstance(question, dict) or not isinstance(question.get("method"), str):
            raise Refused("a request is an object with method, params and id", _NO_REQUEST)
        name, given = question["method"], question.get("params", [])
        if name not in self.table:
            raise Refused(f"the method {name[:60]} does not exist/is not available", _NO_METHOD)
        if given is None:
            given = []
        if not isinstance(given, list):
            raise Refused("params are a list", INVALID_PARAMS)
        method = self.table[name]
        try:
            inspect.signature(method).bind(*given)
        except TypeError as problem:
            raise Refused(f"params of {name}: {problem}", INVALID_PARAMS) from None
        return method(*given)

    # ---- what there is ----------------------------------------------------------------------

    def _state(self, at: Any) -> Any:
        return reading.vm(self.chain, at).state

    def _base_fee(self) -> int:
        """The next block's, in wei for a unit of gas."""
        return self.chain.next_base_fee()

    def storage(self, who: Any, slot: Any, at: Any = "latest") -> str:
        found = self._state(at).get_storage(reading.address(who), reading.number(slot, "slot"))
        return octets(found.to_bytes(32, "big"))

    def transaction_count(self, who: Any, at: Any = "latest") -> str:
        sender = reading.address(who)
        nonce = self._state(at).get_nonce(sender)
        return quantity(self.chain.pool.next_nonce(sender, nonce) if at == "pending" else nonce)

    def block(self, which: Any, full: Any = False) -> dict[str, Any] | None:
        found = reading.block(self.chain, which)
        return None if found is None else shown.block(found, full is True)

    def block_by_hash(self, which: Any, full: Any = False) -> dict[str, Any] | None:
        return self.block({"blockHash": which}, full)

    def block_receipts(self, which: Any) -> list[dict[str, Any]] | None:
        found = reading.block(self.chain, which)
        return None if found is None else shown.receipts(found)

    def _place(self, which: Any) -> tuple[Mined, int] | None:
        return self.chain.found.get(reading.octets(which, "transaction", 32))

    def transaction(self, which: Any) -> dict[str, Any] | None:
        if (place := self._place(which)) is not None:
            mined, index = place
            return shown.transaction(mined.transactions[index], place)
        waiting = self.chain.pool.find(reading.octets(which, "transaction", 32))
        return None if waiting is None else shown.transaction(waiting, None)

    def receipt(self, which: Any) -> dict[str, Any] | None:
        place = self._place(which)
        return None if place is None else shown.receipts(place[0])[place[1]]

    def logs(self, told: Any) -> list[dict[str, Any]]:
        wanted = reading.LogFilter(self.chain, told)
        return [log for mined in wanted.blocks for log in shown.logs(mined) if wanted.takes(log)]

    def fee_history(self, count: Any, newest: Any, percentiles: Any = None) -> dict[str, Any]:
        last = reading.known_block(self.chain, newest).number
        first = max(0, last + 1 - min(reading.number(count, "count"), _MOST_FEES))
        headers = [mined.header for mined in self.chain.blocks[first : last + 1]]
        following = self.chain.blocks[last + 1].header.base_fee_per_gas if last < self.chain.head.number else None
        next_fee = self._base_fee() if following is None else following
        told = {
            "oldestBlock": quantity(first),
            "baseFeePerGas": [quantity(fee) for fee in [*(header.base_fee_per_gas for header in headers), next_fee]],
            "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
        }
        if percentiles is None:
            return told
        if not isinstance(percentiles, list):
            raise Refused("percentiles are a list", INVALID_PARAMS)
        return told | {"reward": [[quantity(_TIP)] * len(percentiles) for _ in headers]}

    # ---- calls and traces -------------------------------------------------------------------

    def call(self, told: Any, at: Any = "latest", overrides: Any = None) -> str:
        if overrides:
            raise Refused("state overrides are not supported by this node", INVALID_PARAMS)
        return octets(calls.call(reading.vm(self.chain, at), reading.request(told)))

    def estimate(self, told: Any, at: Any = "latest") -> str:
        return quantity(calls.estimate(reading.vm(self.chain, at), reading.request(told)))

    def trace_block(self, which: Any, options: Any = None) -> list[dict[str, Any]]:
        mined = reading.known_block(self.chain, which)
        shorten = _tracer(options)
        return [
            {"txHash": octets(one.hash), "result": shorten(frame)}
            for one, frame in zip(mined.transactions, mined.frames, strict=True)
        ]

    def trace_transaction(self, which: Any, options: Any = None) -> dict[str, Any]:
        shorten = _tracer(options)
        if (place := self._place(which)) is None:
            raise Refused("transaction not found")
        return shorten(place[0].frames[place[1]])

    # ---- what only a development node does --------------------------------------------------

    def mine(self, told: Any = None) -> str:
        """`told` is the block's second, or {"timestamp": second, "blocks": how many}."""
        options = told if isinstance(told, dict) else {"timestamp": told}
        count = reading.number(options.get("blocks") or 1, "blocks")
        if count > _MOST_MINED:
            raise Refused(f"at most {_MOST_MINED} blocks at once", INVALID_PARAMS)
        if options.get("timestamp") is not None:
            self.chain.set_next_second(reading.number(options["timestamp"], "timestamp"))
        for _ in range(count):
            self.chain.mine()
        return "0x0"

    def set_next_second(self, second: Any) -> None:
        self.chain.set_next_second(reading.number(second, "timestamp"))

    def set_automine(self, on: Any) -> None:
        if not isinstance(on, bool):
            raise Refused("automine is true or false", INVALID_PARAMS)
        self.chain.automine = on

    def set_balance(self, who: Any, wei: Any) -> None:
        self.chain.set_balance(reading.address(who), reading.number(wei, "balance"))

    def set_storage(self, who: Any, slot: Any, word: Any) -> bool:
        value = int.from_bytes(reading.octets(word, "word", 32), "big")
        self.chain.set_storage(reading.address(who), reading.number(slot, "slot"), value)
        return True

    def reorganise(self, depth: Any, transactions: Any = None) -> None:
        if isinstance(depth, dict):
            depth, transactions = depth.get("depth"), depth.get("txBlockPairs")
        if transactions:
            raise Refused("this node puts empty blocks in the place of others, no transactions", INVALID_PARAMS)
        self.chain.reorganise(reading.number(depth, "depth"))


def _tracer(options: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What to show of a call tree. Refused for another tracer than `callTracer`, and for its logs."""
    told = options if isinstance(options, dict) else {}
    how = told.get("tracerConfig") or {}
    if told.get("tracer") != "callTracer" or not isinstance(how, dict) or how.get("withLog"):
        raise Refused('this node traces with {"tracer": "callTracer"} only, without logs', INVALID_PARAMS)
    if how.get("onlyTopCall"):
        return lambda frame: {name: value for name, value in frame.items() if name != "calls"}
    return lambda frame: frame
