"""The watcher: every call compared, those of other contracts too, and what it says where it takes another's word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.field import Ground
from tests.support.street import Street
from tests.support.watching import PENNY, Relay, Watch, trade
from wattproof.chain.node import Node
from wattproof.chain.sending import Draft, Sender, receipt_now
from wattproof.evm.anvil import Anvil
from wattproof.terms.model import Phase
from wattproof.watch.calls import UNDONE


@pytest.fixture
def street(anvil: Anvil) -> Street:
    return Street(Ground.on(anvil))


@pytest.fixture
def watch(street: Street, tmp_path: Path) -> Watch:
    return Watch(street.ground, f"sqlite:///{tmp_path}/market.db")


def outcomes(watch: Watch) -> list[tuple[str, bool, str | None]]:
    return [(call.function, call.accepted, call.reason) for call in watch.calls()]


def test_a_trade_is_watched_without_an_alarm_and_every_call_is_compared(street: Street, watch: Watch) -> None:
    trade(street)
    trade(street, exported=500)
    assert watch.run() == 0
    made = [(function, accepted) for function, _, _, accepted in street.calls()]
    assert [(call.function, call.accepted) for call in watch.calls()[1:]] == made
    checks = watch.checks()
    assert checks["C2-ACCEPT-1"] == len(made) + 1
    assert checks["C2-EVENT-1"] == len(made) + 1
    assert checks["C3-COMP-1"] == 4
    assert watch.rows("alarms") == []


def test_a_refused_transaction_is_compared_with_its_reason(street: Street, watch: Watch) -> None:
    street.join("sunny")
    data = street.market.data("submit_quote", street.period, 1, 10**18)
    sender = street.homes["sunny"].account
    with pytest.raises(Exception, match="price out of band"):
        street.ground.do(sender, Draft(street.market.address, data, gas=500_000))
    assert watch.run() == 0
    assert outcomes(watch)[-1] == ("submit_quote", False, "quotes: price out of band")
    assert watch.checks()["C2-REFUSE-2"] == 1


def test_calls_of_other_contracts_are_compared(street: Street, watch: Watch) -> None:
    relay = Relay(street.ground)
    street.join("sunny")
    sunny, market = street.homes["sunny"], street.market
    quote = market.data("submit_quote", street.period, 1_000, 9 * PENNY)
    relay.send("forward", market.data("clear", sunny.address), quote, market.data("clear", relay.address))
    assert watch.run() == 0
    assert outcomes(watch)[-3:] == [
        ("clear", True, None),
        ("submit_quote", False, "accounts: not authorised"),
        ("clear", True, None),
    ]
    last = watch.calls()[-1]
    assert (last.sender, last.origin, last.via) == (relay.address, relay.caller.address, "trace")


def test_what_is_undone_by_the_call_around_it_is_compared_and_does_not_last(street: Street, watch: Watch) -> None:
    relay = Relay(street.ground)
    market, owner = street.market, street.ground.owner
    street.join("sunny")
    street.call(owner, "transfer_ownership", relay.address)
    accept, revoke = market.data("accept_ownership"), market.data("revoke", street.homes["sunny"].address)
    relay.send("undo", accept, revoke, revoke)
    relay.send("forward", revoke, accept)
    assert watch.run() == 0
    assert outcomes(watch)[-5:] == [
        ("accept_ownership", False, UNDONE),
        ("revoke", False, UNDONE),
        ("revoke", False, "accounts: not authorised"),
        ("revoke", False, "ownable: caller is not the owner"),
        ("accept_ownership", True, None),
    ]


def test_several_calls_in_one_transaction_keep_their_own_events(street: Street, watch: Watch) -> None:
    relay = Relay(street.ground)
    market, owner = street.market, street.ground.owner
    for name in ("sunny", "cloudy"):
        street.join(name)
    street.call(owner, "transfer_ownership", relay.address)
    users = [street.homes[name].address for name in ("sunny", "cloudy")]
    calls = [market.data("revoke", user) for user in users] + [market.data("authorize", users[0], 12_000)]
    relay.send("forward", market.data("accept_ownership"), *calls)
    assert watch.run() == 0
    names = [row["name"] for row in watch.rows("events")][-4:]
    assert names == ["OwnershipTransferred", "Revoked", "Revoked", "Authorized"]
    assert [row["call"] for row in watch.rows("events")][-4:] == [0, 1, 2, 3]


def test_what_is_no_call_of_the_market_is_refused_by_both(street: Street, watch: Watch) -> None:
    market, owner = street.market.address, street.ground.owner
    cut_short = street.market.data("clear", owner.address)[:-1]
    for draft in (
        Draft(market, b"", gas=100_000),
        Draft(market, bytes.fromhex("deadbeef"), gas=100_000),
        Draft(market, cut_short, gas=100_000),
        Draft(market, street.market.data("clear", owner.address), value=1, gas=100_000),
    ):
        with pytest.raises(Exception, match=r"execution reverted|reason"):
            street.ground.do(owner, draft)
    assert watch.run() == 0
    assert [(accepted, reason) for _, accepted, reason in outcomes(watch)[-4:]] == [(False, None)] * 4
    assert watch.checks()["C2-REFUSE-1"] == 4


def test_calldata_is_read_as_the_contract_reads_it(street: Street, watch: Watch) -> None:
    """What is not there is zero; what is too long, or no address, is no call."""
    street.join("sunny")
    street.to(Phase.METERING)
    market, owner, period = street.market, street.ground.owner, street.period
    batch, batch_of_accounts = market.data("submit_readings", period, [])[:4], market.data("settle_accounts", 1, [])[:4]
    for words, is_call in (
        ((period, 64, 2, 64, 2**30), True),  # Two entries, and nothing where they should be.
        ((period, 2**255), True),
        ((period, 2**256 - 32, 0), True),  # Around the end of all numbers.
        ((period, 64, 65), False),
        ((period, 64, 1, 32, 2**160, 1, 1, 128, 0), False),  # No address.
        ((period, 64, 1, 32, 1, 1, 1, 128, 66), False),  # A signature of 66 bytes.
        ((period,), False),
    ):
        street.ground.anvil.rpc("anvil_setBalance", owner.address, hex(10**20))
        data = batch + b"".join(value.to_bytes(32, "big") for value in words)
        send(street, Draft(market.address, data, gas=3_000_000), is_call)
    street.to(Phase.SETTLING)
    words = (period, 64, 3, int(street.homes["sunny"].address, 16))
    send(street, Draft(market.address, batch_of_accounts + b"".join(w.to_bytes(32, "big") for w in words), gas=10**6))
    assert watch.run() == 0
    assert len(watch.rows("alarms")) == 0


def send(street: Street, draft: Draft, is_call: bool = True) -> None:
    """Sends it, whatever becomes of it; what is no call is refused."""
    sent = Sender(street.ground.node, street.ground.owner).send(draft)
    street.ground.anvil.mine()
    receipt = receipt_now(street.ground.node, sent)
    assert receipt is not None
    assert is_call or not receipt.status


def test_tokens_that_nobody_deposited_are_named_and_no_alarm(street: Street, watch: Watch) -> None:
    home = street.join("sunny")
    token = street.market.token
    street.ground.do(home.account, token.draft("mint", value=500))
    street.ground.do(home.account, token.draft("transfer", street.market.address, 500))
    trade(street)
    assert watch.run() == 0
    assert any("500 base units came into the market without a deposit" in line for line in watch.said)


def test_the_refusal_of_the_token_is_named(street: Street, watch: Watch) -> None:
    home = street.join("sunny")
    deposit = Draft(street.market.address, street.market.data("deposit", 1), gas=300_000)
    with pytest.raises(Exception, match="allowance"):
        street.ground.do(home.account, deposit)
    assert watch.run() == 0
    assert outcomes(watch)[-1][:2] == ("deposit", False)
    assert any("the token did not move" in line for line in watch.said)


def test_everything_is_compared_in_every_so_manieth_block(street: Street, watch: Watch) -> None:
    trade(street)
    assert watch.run(full_every=1) == 0
    blocks = len(watch.rows("blocks"))
    assert watch.checks()["C2-POSITION-1"] > blocks


def test_without_traces_calls_of_contracts_are_told_by_their_events(street: Street, tmp_path: Path) -> None:
    relay = Relay(street.ground)
    market, owner = street.market, street.ground.owner
    trade(street)
    sunny, misty = (street.homes[name].address for name in ("sunny", "misty"))
    street.call(owner, "transfer_ownership", relay.address)
    calls = [market.data("accept_ownership"), market.data("clear", sunny), market.data("revoke", misty)]
    relay.send("forward", *calls, market.data("revoke", misty), market.data("transfer_ownership", owner.address))
    node = Node(street.ground.url)
    node.missing |= {"debug_traceBlockByHash", "debug_traceTransaction", "trace_block"}
    watch = Watch(street.ground, f"sqlite:///{tmp_path}/blind.db", node)
    assert watch.run() == 0
    told = [(call.function, call.via) for call in watch.calls() if call.via == "events"]
    assert told == [(name, "events") for name in ("accept_ownership", "revoke", "transfer_ownership")]
    assert sum("told by its events alone" in line for line in watch.said) == 3
