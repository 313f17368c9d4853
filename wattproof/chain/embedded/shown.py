"""Blocks, transactions, receipts and logs as nodes show them in JSON."""

from __future__ import annotations

from typing import Any

from eth._utils.address import generate_contract_address

from wattproof.chain.embedded.blocks import Mined


def quantity(number: int) -> str:
    return hex(number)


def octets(raw: bytes) -> str:
    return "0x" + raw.hex()


def block(mined: Mined, full: bool) -> dict[str, Any]:
    """A block, with its transactions or their hashes."""
    header = mined.header
    told = {
        "number": quantity(mined.number),
        "hash": octets(mined.hash),
        "parentHash": octets(header.parent_hash),
        "timestamp": quantity(header.timestamp),
        "nonce": octets(header.nonce),
        "sha3Uncles": octets(header.uncles_hash),
        "logsBloom": octets(header.bloom.to_bytes(256, "big")),
        "transactionsRoot": octets(header.transaction_root),
        "stateRoot": octets(header.state_root),
        "receiptsRoot": octets(header.receipt_root),
        "miner": octets(header.coinbase),
        "difficulty": quantity(header.difficulty),
        "totalDifficulty": "0x0",
        "extraData": octets(header.extra_data),
        "size": quantity(mined.size),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "mixHash": octets(header.mix_hash),
        "baseFeePerGas": quantity(header.base_fee_per_gas),
        "withdrawalsRoot": octets(header.withdrawals_root),
        "withdrawals": [],
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "parentBeaconBlockRoot": octets(header.parent_beacon_block_root),
        "requestsHash": octets(header.requests_hash),
        "uncles": [],
    }
    shown = [
        transaction(one, (mined, index)) if full else octets(one.hash) for index, one in enumerate(mined.transactions)
    ]
    return told | {"transactions": shown}


def transaction(one: Any, where: tuple[Mined, int] | None) -> dict[str, Any]:
    """A transaction, and where it is; None for one that waits."""
    kind = _kind(one)
    told = {
        "hash": octets(one.hash),
        "type": quantity(kind),
        "nonce": quantity(one.nonce),
        "from": octets(one.sender),
        "to": octets(one.to) if one.to else None,
        "value": quantity(one.value),
        "gas": quantity(one.gas),
        "input": octets(one.data),
        "chainId": None if one.chain_id is None else quantity(one.chain_id),
        "r": quantity(one.r),
        "s": quantity(one.s),
        "v": quantity(one.y_parity if kind else one.v),
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
    }
    if kind:
        told["yParity"] = quantity(one.y_parity)
        told["accessList"] = [
            {"address": octets(address), "storageKeys": [octets(slot.to_bytes(32, "big")) for slot in slots]}
            for address, slots in one.access_list
        ]
    if kind >= 2:
        told["maxFeePerGas"] = quantity(one.max_fee_per_gas)
        told["maxPriorityFeePerGas"] = quantity(one.max_priority_fee_per_gas)
    if where is None:
        return told | {"gasPrice": quantity(one.max_fee_per_gas)}
    mined, index = where
    return told | {
        "gasPrice": quantity(price(one, mined)),
        "blockHash": octets(mined.hash),
        "blockNumber": quantity(mined.number),
        "transactionIndex": quantity(index),
    }


def _kind(one: Any) -> int:
    return getattr(one, "type_id", None) or 0


def price(one: Any, mined: Mined) -> int:
    """What a transaction paid for a unit of gas, in wei."""
    return min(one.max_fee_per_gas, mined.header.base_fee_per_gas + one.max_priority_fee_per_gas)


def receipts(mined: Mined) -> list[dict[str, Any]]:
    """The receipts of a block's transactions."""
    entries: list[list[dict[str, Any]]] = [[] for _ in mined.transactions]
    for entry in logs(mined):
        entries[int(entry["transactionIndex"], 16)].append(entry)
    return [_receipt(mined, index, own) for index, own in enumerate(entries)]


def _receipt(mined: Mined, index: int, entries: list[dict[str, Any]]) -> dict[str, Any]:
    one, found = mined.transactions[index], mined.receipts[index]
    return {
        "transactionHash": octets(one.hash),
        "transactionIndex": quantity(index),
        "blockHash": octets(mined.hash),
        "blockNumber": quantity(mined.number),
        "from": octets(one.sender),
        "to": octets(one.to) if one.to else None,
        "contractAddress": None if one.to else octets(generate_contract_address(one.sender, one.nonce)),
        "type": quantity(_kind(one)),
        "status": quantity(int.from_bytes(found.state_root, "big")),
        "cumulativeGasUsed": quantity(found.gas_used),
        "gasUsed": quantity(mined.gas_used(index)),
        "effectiveGasPrice": quantity(price(one, mined)),
        "logsBloom": octets(found.bloom.to_bytes(256, "big")),
        "logs": entries,
    }


def logs(mined: Mined) -> list[dict[str, Any]]:
    """All logs of a block."""
    told: list[dict[str, Any]] = []
    for index, (one, found) in enumerate(zip(mined.transactions, mined.receipts, strict=True)):
        for entry in found.logs:
            told.append(
                {
                    "address": octets(entry.address),
                    "topics": [octets(topic.to_bytes(32, "big")) for topic in entry.topics],
                    "data": octets(entry.data),
                    "blockHash": octets(mined.hash),
                    "blockNumber": quantity(mined.number),
                    "blockTimestamp": quantity(mined.header.timestamp),
                    "transactionHash": octets(one.hash),
                    "transactionIndex": quantity(index),
                    "logIndex": quantity(len(told)),
                    "removed": False,
                }
            )
    return told
