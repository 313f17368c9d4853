"""`wattproof.market.calls` against titanoboa: the same calldata, the same views, the same errors, the same events."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from wattproof.market.calls import Calls
from wattproof.market.deployment import deploy
from wattproof.market.meters import READING_TYPE, reading_hash

WORD = {
    "address": st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bytes": st.binary(max_size=65),
    "uint256": st.integers(0, 2**256 - 1),
}


@pytest.fixture(scope="module")
def market() -> Any:
    return deploy().market


def functions(market: Any) -> list[tuple[str, list[str]]]:
    """All functions of the market whose arguments are words and byte strings, with their types."""
    found = []
    for name, function in sorted(vars(market).items()):
        if not name.startswith("_") and hasattr(function, "args_abi_type"):
            kinds = [kind for kind in function.args_abi_type(0)[1][1:-1].split(",") if kind]
            if all(kind in WORD for kind in kinds):
                found.append((name, kinds))
    return found


@given(st.data())
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
def test_calldata_is_titanoboas(market: Any, data: st.DataObject) -> None:
    name, kinds = data.draw(st.sampled_from(functions(market)))
    arguments = [data.draw(WORD[kind]) for kind in kinds]
    calls = Calls(boa.env, market)
    assert calls.data(name, *arguments) == getattr(market, name).prepare_calldata(*arguments)


def test_there_are_functions_of_every_kind(market: Any) -> None:
    kinds = dict(functions(market))
    assert {"submit_reading", "register", "submit_bid", "reveal_bid", "settle_account", "account"} <= set(kinds)
    assert "bytes" in kinds["submit_reading"]


def test_views_events_and_errors_are_titanoboas(market: Any) -> None:
    calls, user = Calls(boa.env, market), str(boa.env.generate_address())
    assert tuple(calls.view("account", user)) == tuple(market.account(user))
    assert calls.view("account", user)._fields == type(market.account(user))._fields
    assert calls.view("quote_count") == market.quote_count() == 0

    computation = calls.send("transfer_ownership", user, sender=market.owner())
    assert calls.events(computation) == [
        ("OwnershipTransferStarted", {"previous_owner": market.owner(), "new_owner": user})
    ]
    with boa.reverts("ownable: caller is not the owner"):
        calls.send("authorize", user, 1, sender=user)
    boa.env.set_balance(user, 1)
    with boa.reverts():
        calls.send("deposit", 0, sender=user, value=1)


def test_a_word_of_another_length_is_refused(market: Any) -> None:
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        Calls(boa.env, market).data("submit_bid", 1, bytes(31))


@given(WORD["address"], *[st.integers(0, 2**256 - 1)] * 3)
@settings(max_examples=50, deadline=None, derandomize=True, database=None)
def test_the_hash_of_a_reading_is_that_of_its_encoding(user: str, period: int, exported: int, imported: int) -> None:
    kinds = ["bytes32", "address", "uint256", "uint256", "uint256"]
    assert reading_hash(user, period, exported, imported) == keccak(
        encode(kinds, [READING_TYPE, user, period, exported, imported])
    )
