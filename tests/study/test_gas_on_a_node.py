"""Gas as the study weighs it against the receipts of a real node, call by call."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Any

import pytest

from wattproof.evm import anvil
from wattproof.evm.engine import available
from wattproof.evm.node import NodeUnavailable
from wattproof.simulation.trading_day import TradingDay
from wattproof.study.communities import Base, Community, Frame
from wattproof.study.runs import ONCE, transaction_gas


@pytest.mark.skipif("revm" not in available(), reason="needs revm: pip install 'wattproof[fast]'")
def test_gas_is_that_of_a_nodes_receipts(shipped: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    from wattproof.evm.revm import RevmVM

    calls: list[dict[str, Any]] = []
    call, create = RevmVM.call, RevmVM.create

    def recorded(self: Any, sender: Any, to: Any, gas: int, price: int, value: int, data: bytes, static: bool) -> Any:
        done = call(self, sender, to, gas, price, value, data, static)
        if not static:
            calls.append({"time": self.patch.timestamp, "from": sender, "to": to, "value": value, "data": data})
            calls[-1]["gas"] = transaction_gas(done)
        return done

    def created(self: Any, sender: Any, gas: int, price: int, value: int, data: bytes) -> Any:
        calls.append({"time": self.patch.timestamp, "from": sender, "to": None, "value": value, "data": data})
        return create(self, sender, gas, price, value, data)

    monkeypatch.setattr(RevmVM, "call", recorded)
    monkeypatch.setattr(RevmVM, "create", created)
    market = TradingDay(Community(shipped, Frame(span=(22, 24))), 1, engine="revm")
    opening = len(calls)
    market.before_call = lambda: market.footprint.shrink(wholly=True)
    names: list[str] = []
    market.on_call = lambda function, _: names.append(function)
    assert len(list(market)) == 2
    chain = market.env.evm.patch.chain_id

    try:
        anvil.binary()
    except NodeUnavailable as problem:
        pytest.skip(str(problem))
    options = ("--auto-impersonate", "--gas-limit", "100000000000", "--base-fee", "0", "--gas-price", "0")
    node = anvil.Anvil(*options, timestamp=calls[0]["time"] - 10, chain_id=chain)
    used: list[int] = []
    with node:
        for second, block in groupby(calls, itemgetter("time")):
            hashes = []
            for entry in block:
                node.rpc("anvil_setBalance", str(entry["from"]), hex(10**30))
                transaction = {"from": str(entry["from"]), "data": "0x" + entry["data"].hex(), "gasPrice": "0x0"}
                transaction |= {"value": hex(entry["value"]), "gas": hex(200_000_000)}
                if entry["to"]:
                    transaction["to"] = str(entry["to"])
                hashes.append(node.rpc("eth_sendTransaction", transaction))
            node.mine(second)
            for entry in hashes:
                receipt = node.rpc("eth_getTransactionReceipt", entry)
                assert int(receipt["status"], 16) == 1
                used.append(int(receipt["gasUsed"], 16))

    address = str(market.market.address)
    weighed = [(entry, gas) for entry, gas in zip(calls[opening:], used[opening:], strict=True)]
    weighed = [(entry["gas"], gas) for entry, gas in weighed if str(entry["to"]) == address]
    compared = [(name, *pair) for name, pair in zip(names, weighed, strict=True) if name not in ONCE]
    assert [gas for _, gas, _ in compared] == [gas for *_, gas in compared]
    assert {name for name, *_ in compared} >= {"submit_quote", "submit_bid", "reveal_bid", "match_bids"}
    assert {name for name, *_ in compared} >= {"submit_reading", "settle_quote", "settle_account"}
