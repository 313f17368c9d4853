"""Sending: nonces, fees, refusals in words, batches, and what was signed once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.field import ETHER, Ground, between, url
from wattproof.chain.accounts import Account
from wattproof.chain.node import Node, RpcError
from wattproof.chain.sending import Draft, Fees, NotMined, Refused, Sender, nonce_of, unsigned
from wattproof.evm.anvil import Anvil


def test_what_is_sent_arrives_in_order(ground: Ground) -> None:
    account = ground.account("in order")
    sender = Sender(ground.node, account)
    drafts = [ground.market.token.draft("mint", value=number, gas=100_000) for number in range(1, 301)]
    sent = [*sender.send_all(drafts[:-1]), sender.send(drafts[-1])]
    ground.anvil.mine()
    receipts = [sender.wait(each, 10) for each in sent]
    amounts = [ground.market.token.event(receipt.logs[-1]) for receipt in receipts]
    assert amounts == [("Minted", {"holder": account.address, "amount": number}) for number in range(1, 301)]
    assert ground.market.token.view("balanceOf", account.address) == 300 * 301 // 2


def test_a_refusal_is_told_in_words_before_anything_is_sent(ground: Ground) -> None:
    account = ground.account("refused")
    sender = Sender(ground.node, account)
    for send in (sender.send, lambda draft: sender.send_all([draft])):
        with pytest.raises(Refused, match="caller is not the owner") as refused:
            send(ground.market.draft("revoke", account.address, label="revoking"))
        assert "revoking" in str(refused.value)
    assert nonce_of(ground.node, account.address) == 0


def test_a_failure_in_its_block_is_told_in_words(ground: Ground) -> None:
    account = ground.account("failing")
    with pytest.raises(Refused, match="caller is not the owner"):
        ground.do(account, ground.market.draft("revoke", account.address, gas=100_000))
    assert ground.node.call("eth_getTransactionCount", account.address, "latest") == "0x1"


def test_a_receipt_that_does_not_come(ground: Ground) -> None:
    sender = Sender(ground.node, ground.account("waiting"))
    sent = sender.send(Draft(ground.owner.address, b""))
    with pytest.raises(NotMined, match=sent):
        sender.wait(sent, 0.2)
    ground.anvil.mine()
    assert sender.wait(sent, 10).status


def test_without_money_nothing_is_sent(ground: Ground) -> None:
    with pytest.raises(RpcError, match=r"(?i)fund|balance"):
        Sender(ground.node, Account.of_seed("poor")).send(Draft(ground.owner.address, b"", value=ETHER))


def test_what_was_signed_is_sent_as_it_is(ground: Ground) -> None:
    sender = Sender(ground.node, ground.account("twice"))
    signed = sender.signed(Draft(ground.owner.address, b"", value=7))
    assert sender.submit(signed) == sender.submit(signed) == signed.hash
    assert sender.submit_all([signed]) == [signed.hash]
    before = ground.node.call("eth_getBalance", ground.owner.address, "latest")
    ground.anvil.mine()
    assert sender.wait(signed.hash, 10).status
    after = ground.node.call("eth_getBalance", ground.owner.address, "latest")
    assert int(after, 16) - int(before, 16) == 7


@pytest.mark.parametrize("has_it", [True, False])
def test_a_node_that_says_of_a_sent_transaction_that_it_reverts(has_it: bool, ground: Ground) -> None:
    """hardhat does, and makes a block of it; others play it first, and do not take it."""
    account = ground.account(f"reverting {has_it}")

    def told(question: Any, answer: Any) -> Any:
        for each, said in zip(*((one if isinstance(one, list) else [one]) for one in (question, answer)), strict=True):
            if each["method"] == "eth_sendRawTransaction":
                del said["result"]
                said["error"] = {"code": 3, "message": "execution reverted", "data": "0x"}
            elif each["method"] == "eth_getTransactionByHash" and not has_it:
                said["result"] = None
        return answer

    draft = ground.market.draft("revoke", account.address, gas=100_000)
    with between(ground.anvil, told=told) as rpc:
        sender = Sender(Node(rpc), account)
        for send in (lambda: [sender.send(draft)], lambda: sender.send_all([draft])):
            if not has_it:
                with pytest.raises(RpcError, match="reverted"):
                    send()
                continue
            (number,) = send()
            ground.anvil.mine()
            with pytest.raises(Refused, match="not the owner"):
                sender.wait(number, 10)


def test_a_chain_without_base_fees(has_anvil: None) -> None:
    with Anvil(hardfork="berlin") as old:
        node, account = Node(url(old)), Account.of_seed("legacy")
        old.endow(account.address, ETHER)
        assert Fees.now(node).tip is None
        sender = Sender(node, account)
        sent = sender.send(Draft(Account.of_seed("other").address, b"", value=7))
        old.mine()
        assert sender.wait(sent, 10).status
        assert unsigned(Draft(None, b""), account.address, node).keys() >= {"gasPrice", "gas", "nonce"}


def test_an_unsigned_transaction_is_what_a_wallet_takes(ground: Ground) -> None:
    wallet = ground.anvil.rpc("eth_accounts")[3]
    told = unsigned(ground.market.token.draft("mint", value=1_000), wallet, ground.node)
    assert all(isinstance(value, str) and value.startswith("0x") for value in told.values())
    assert int(told["chainId"], 16) == ground.record.chain_id
    number = ground.node.call("eth_sendTransaction", told)
    ground.anvil.mine()
    assert Sender(Node(ground.url), ground.owner).wait(number, 10).status
