"""What somebody asks for, read from JSON. Each function raises Refused where it is something else."""

from __future__ import annotations

import re
from typing import Any

from wattproof.chain.embedded.blocks import EmbeddedChain, Mined
from wattproof.chain.embedded.calls import Request
from wattproof.chain.embedded.rules import INVALID_PARAMS, MOST_GAS, Refused

_LATEST = ("latest", "safe", "finalized")


def number(value: Any, what: str) -> int:
    """A number from 0 on, as JSON has it or in hexadecimal."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**256:
        return value
    if isinstance(value, str) and re.fullmatch("0x[0-9a-fA-F]{1,64}", value):
        return int(value, 16)
    raise Refused(f"{what} is no number: write 0x and hexadecimal digits", INVALID_PARAMS)


def octets(value: Any, what: str, length: int | None = None) -> bytes:
    """Bytes in hexadecimal, of this length where one is given."""
    if isinstance(value, str) and re.fullmatch("0x(?:[0-9a-fA-F]{2})*", value):
        raw = bytes.fromhex(value[2:])
        if length is None or len(raw) == length:
            return raw
    raise Refused(
        f"{what}: write 0x and {'an even number of' if length is None else 2 * length} hexadecimal digits",
        INVALID_PARAMS,
    )


def address(value: Any, what: str = "address") -> bytes:
    return octets(value, what, 20)


def block(chain: EmbeddedChain, which: Any) -> Mined | None:
    """A block by tag, number or hash; None where there is none yet, or no more. "pending" is the last one."""
    if isinstance(which, dict):
        if "blockHash" in which:
            return chain.by_hash.get(octets(which["blockHash"], "blockHash", 32))
        which = which.get("blockNumber")
    if which is None or which in _LATEST or which == "pending":
        return chain.head
    if which == "earliest":
        return chain.blocks[0]
    if isinstance(which, str) and len(which) == 66:
        return chain.by_hash.get(octets(which, "block", 32))
    at = number(which, "block")
    return chain.blocks[at] if at < len(chain.blocks) else None


def known_block(chain: EmbeddedChain, which: Any) -> Mined:
    """The same; Refused where there is none."""
    if (found := block(chain, which)) is None:
        raise Refused("header not found: this node has no such block")
    return found


def vm(chain: EmbeddedChain, which: Any) -> Any:
    """py-evm's machine for calls at a block, or in the next one where it is "pending"."""
    return chain.pending_vm() if which == "pending" else chain.vm(known_block(chain, which))


def request(told: Any) -> Request:
    """A call, as `eth_call` takes it."""
    if not isinstance(told, dict):
        raise Refused("a call is an object with to, from, data, value, gas", INVALID_PARAMS)
    if told.get("accessList"):
        raise Refused("access lists of calls are not supported by this node", INVALID_PARAMS)
    given = {name: value for name, value in told.items() if value is not None}
    data = given.get("input", given.get("data", "0x"))
    return Request(
        sender=address(given.get("from", "0x" + 40 * "0"), "from"),
        to=address(given["to"], "to") if "to" in given else None,
        data=octets(data, "data"),
        value=number(given.get("value", 0), "value"),
        gas=number(given.get("gas", MOST_GAS), "gas"),
    )


class LogFilter:
    """Which logs of which blocks somebody asks for, as `eth_getLogs` takes it."""

    def __init__(self, chain: EmbeddedChain, told: Any) -> None:
        if not isinstance(told, dict):
            raise Refused("a filter is an object with fromBlock, toBlock or blockHash, address, topics", INVALID_PARAMS)
        if told.get("blockHash") is not None:
            self.blocks = [known_block(chain, {"blockHash": told["blockHash"]})]
        else:
            first, last = (self._bound(chain, told.get(name)) for name in ("fromBlock", "toBlock"))
            self.blocks = chain.blocks[first : last + 1]
        wanted = told.get("address")
        self._addresses = self._any_of(wanted, 20, "address")
        topics = told.get("topics") or []
        if not isinstance(topics, list) or len(topics) > 4:
            raise Refused("topics are a list of at most four", INVALID_PARAMS)
        self._topics = [self._any_of(topic, 32, "topic") for topic in topics]

    @staticmethod
    def _bound(chain: EmbeddedChain, told: Any) -> int:
        """A block's number, which may lie in the future."""
        if told is None or (isinstance(told, str) and not told.startswith("0x")):
            return known_block(chain, told).number
        return number(told, "block")

    @staticmethod
    def _any_of(told: Any, length: int, what: str) -> set[str] | None:
        """What may stand in a place, in lower case; None where anything may."""
        if told is None or told == []:
            return None
        each = told if isinstance(told, list) else [told]
        return {"0x" + octets(one, what, length).hex() for one in each}

    def takes(self, log: dict[str, Any]) -> bool:
        """Whether it asks for a log, as `shown.logs` tells it."""
        if self._addresses is not None and log["address"] not in self._addresses:
            return False
        if len(log["topics"]) < len(self._topics):
            return False
        return all(
            wanted is None or topic in wanted for topic, wanted in zip(log["topics"], self._topics, strict=False)
        )
