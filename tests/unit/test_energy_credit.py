"""`EnergyCredit`: ether wrapped one for one, always backed (T-UNIT-2, T-MON-22; paper, section 4)."""

from __future__ import annotations

import random
from typing import Any

import boa
import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from tests.support import tokens
from wattproof.market.deployment import deployer

ZERO = "0x" + "00" * 20
LARGEST = 2**256 - 1

PERMIT_KEY = keccak(text="the key of a wallet")
WALLET = Account.from_key(PERMIT_KEY).address


@pytest.fixture(scope="module")
def credit() -> Any:
    """A credit that nobody holds yet."""
    return deployer("EnergyCredit").deploy()


@pytest.fixture
def holder() -> str:
    """Somebody with 1000 wei."""
    return with_ether("holder", 1_000)


@pytest.fixture
def other() -> str:
    """Somebody with 500 wei."""
    return with_ether("other", 500)


def with_ether(name: str, amount: int) -> str:
    """A fresh address with `amount` wei."""
    address = str(boa.env.generate_address(name))
    boa.env.set_balance(address, amount)
    return address


def ether(who: Any) -> int:
    """The wei that an address or contract has."""
    return boa.env.get_balance(getattr(who, "address", who))


def events(credit: Any) -> list[tuple[Any, ...]]:
    """Events of the last call: name and arguments."""
    logs = [event._asdict() | {"address": type(event).__name__} for event in credit.get_logs()]
    return [tuple(log.values()) for log in logs]


def send(to: Any, sender: str, value: int, data: bytes = b"") -> tuple[bool, bytes]:
    """A raw call with ether: whether it succeeded, and what it answered."""
    computation = boa.env.execute_code(to_address=to.address, sender=sender, value=value, data=data)
    return computation.is_success, bytes(computation.output)


def reason(text: str) -> bytes:
    """A refusal's answer that gives `text` as its reason."""
    return keccak(text="Error(string)")[:4] + encode(["string"], [text])


def contract_holder(credit: Any, holder: str) -> Any:
    """A contract that has minted 300 credits and has not been told yet what to do with ether."""
    contract = tokens.deployer("EtherRefuser").deploy()
    contract.act(credit.address, credit.mint.prepare_calldata(), value=300, sender=holder)
    return contract


@pytest.mark.parametrize(("value", "succeeds"), [(0, True), (1, False)], ids=["no ether", "one wei"])
def test_takes_no_ether_when_it_is_deployed(value: int, succeeds: bool) -> None:
    """Nobody would hold credits for it."""
    payer = with_ether("payer", value)

    _, computation = boa.env.deploy(sender=payer, bytecode=deployer("EnergyCredit").compiler_data.bytecode, value=value)

    assert (computation.is_success, computation.output == b"") == (succeeds, not succeeds)


# ---- minting ----------------------------------------------------------------------------------


def test_presents_itself(credit: Any) -> None:
    """T-UNIT-2: an ERC-20 with 18 decimals, issued to nobody."""
    assert (credit.name(), credit.symbol(), credit.decimals()) == ("Energy Credit", "WATT", 18)
    assert credit.totalSupply() == 0
    assert ether(credit) == 0


def test_issues_nothing_to_its_deployer() -> None:
    """Every credit comes from ether."""
    fresh = deployer("EnergyCredit").deploy()

    assert fresh.totalSupply() == 0
    assert fresh.balanceOf(boa.env.eoa) == 0


@pytest.mark.parametrize("amount", [1, 400, 1_000])
def test_mints_one_credit_for_each_wei(credit: Any, holder: str, amount: int) -> None:
    credit.mint(value=amount, sender=holder)

    assert events(credit) == [("Transfer", ZERO, holder, amount), ("Minted", holder, amount)]
    assert credit.balanceOf(holder) == credit.totalSupply() == amount
    assert (ether(credit), ether(holder)) == (amount, 1_000 - amount)


def test_mints_for_plain_ether(credit: Any, holder: str) -> None:
    assert send(credit, holder, 400) == (True, b"")

    assert credit.balanceOf(holder) == credit.totalSupply() == 400
    assert (ether(credit), ether(holder)) == (400, 600)


def test_mints_nothing_for_nothing(credit: Any, holder: str) -> None:
    credit.mint(sender=holder)
    assert events(credit) == [("Transfer", ZERO, holder, 0), ("Minted", holder, 0)]
    assert send(credit, holder, 0) == (True, b"")

    assert credit.balanceOf(holder) == credit.totalSupply() == ether(credit) == 0


def test_adds_up_over_holders(credit: Any, holder: str, other: str) -> None:
    credit.mint(value=100, sender=holder)
    credit.mint(value=20, sender=other)
    send(credit, holder, 3)

    assert (credit.balanceOf(holder), credit.balanceOf(other)) == (103, 20)
    assert credit.totalSupply() == ether(credit) == 123


# ---- redeeming --------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, 1, 399, 400])
def test_redeems_one_wei_for_each_credit(credit: Any, holder: str, amount: int) -> None:
    credit.mint(value=400, sender=holder)

    credit.redeem(amount, sender=holder)

    assert events(credit) == [("Transfer", holder, ZERO, amount), ("Redeemed", holder, amount)]
    assert credit.balanceOf(holder) == credit.totalSupply() == 400 - amount
    assert (ether(credit), ether(holder)) == (400 - amount, 600 + amount)


def test_redeems_what_another_has_minted(credit: Any, holder: str, other: str) -> None:
    credit.mint(value=400, sender=holder)
    credit.transfer(other, 150, sender=holder)

    credit.redeem(150, sender=other)

    assert (credit.balanceOf(holder), credit.balanceOf(other)) == (250, 0)
    assert (ether(credit), ether(other)) == (250, 650)


@pytest.mark.parametrize("amount", [401, LARGEST], ids=["one too much", "the largest number"])
def test_refuses_to_redeem_more_than_the_caller_has(credit: Any, holder: str, other: str, amount: int) -> None:
    """Though the contract has the ether of others."""
    credit.mint(value=400, sender=holder)
    credit.mint(value=500, sender=other)

    with boa.reverts("erc20: burn amount exceeds balance"):
        credit.redeem(amount, sender=holder)
    assert (credit.balanceOf(holder), ether(credit)) == (400, 900)


def test_refuses_ether_sent_along_with_redeeming(credit: Any, holder: str) -> None:
    credit.mint(value=400, sender=holder)

    assert send(credit, holder, 1, credit.redeem.prepare_calldata(400)) == (False, b"")
    assert ether(credit) == 400


def test_refuses_to_redeem_for_who_refuses_ether(credit: Any, holder: str) -> None:
    """The credits are not burnt: the contract can still pass them on."""
    refuser = contract_holder(credit, holder)

    with boa.reverts("refuser: no ether"):
        refuser.act(credit.address, credit.redeem.prepare_calldata(300), sender=holder)
    assert (credit.balanceOf(refuser.address), credit.totalSupply(), ether(credit)) == (300, 300, 300)


def call_of(credit: Any, call: str) -> bytes:
    """The data of a call that is made when ether arrives; plain ether has none."""
    return {
        "redeem": credit.redeem.prepare_calldata(100),
        "mint": credit.mint.prepare_calldata(),
        "plain ether": b"",
    }[call]


CALLS = ["redeem", "mint", "plain ether"]


@pytest.mark.parametrize("call", CALLS)
def test_lets_nobody_back_in_while_it_pays(credit: Any, holder: str, other: str, call: str) -> None:
    """A receiver that redeems again when paid gets exactly the 100 that it redeemed first."""
    credit.mint(value=500, sender=other)
    contract = contract_holder(credit, holder)
    contract.call_back(call_of(credit, call), False)

    contract.act(credit.address, credit.redeem.prepare_calldata(100), sender=holder)

    assert contract.paid() == 100
    assert contract.succeeded() is False
    assert (credit.balanceOf(contract.address), ether(contract)) == (200, 100)
    assert credit.totalSupply() == ether(credit) == 700


@pytest.mark.parametrize("call", CALLS)
def test_pays_nothing_to_who_insists_on_coming_back(credit: Any, holder: str, other: str, call: str) -> None:
    credit.mint(value=500, sender=other)
    contract = contract_holder(credit, holder)
    contract.call_back(call_of(credit, call), True)

    with boa.reverts("refuser: call failed"):
        contract.act(credit.address, credit.redeem.prepare_calldata(100), sender=holder)
    assert (credit.balanceOf(contract.address), ether(contract)) == (300, 0)
    assert credit.totalSupply() == ether(credit) == 800


@pytest.mark.parametrize(("moved", "succeeds"), [(200, True), (201, False)], ids=["what is left", "one more"])
def test_has_burnt_the_credits_when_it_pays(credit: Any, holder: str, other: str, moved: int, succeeds: bool) -> None:
    """A receiver of 100 may move its other 200 credits meanwhile, and not one of those it redeems."""
    credit.mint(value=500, sender=other)
    contract = contract_holder(credit, holder)
    contract.call_back(credit.transfer.prepare_calldata(other, moved), False)

    contract.act(credit.address, credit.redeem.prepare_calldata(100), sender=holder)

    assert contract.succeeded() is succeeds
    assert credit.balanceOf(contract.address) == (0 if succeeds else 200)
    assert credit.totalSupply() == ether(credit) == 700


# ---- always backed ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_is_backed_after_every_call(credit: Any, seed: int) -> None:
    """A hundred calls at random: the credits in circulation are the contract's wei, and the holders' sum."""
    chance = random.Random(seed)
    holders = [with_ether(f"holder {number}", 1_000) for number in range(4)]
    done = {"mint": 0, "send": 0, "redeem": 0, "transfer": 0}
    for _ in range(100):
        who, whom = chance.choice(holders), chance.choice(holders)
        kind = chance.choice(sorted(done))
        if kind in ("mint", "send"):
            amount = chance.randint(0, ether(who))
            succeeded, _ = send(credit, who, amount, credit.mint.prepare_calldata() if kind == "mint" else b"")
        else:
            amount = chance.randint(0, credit.balanceOf(who) + 1)
            call = credit.redeem.prepare_calldata(amount)
            if kind == "transfer":
                call = credit.transfer.prepare_calldata(whom, amount)
            succeeded, _ = send(credit, who, 0, call)
        done[kind] += succeeded
        assert credit.totalSupply() == ether(credit) == sum(credit.balanceOf(holder) for holder in holders)
        assert ether(credit) + sum(ether(holder) for holder in holders) == 4_000
    assert min(done.values()) > 5


def test_stays_backed_where_ether_is_forced_upon_it(credit: Any, holder: str) -> None:
    """Ether that comes without a call, from a block's reward for instance, backs the credits more than needed."""
    credit.mint(value=400, sender=holder)
    boa.env.set_balance(credit.address, 450)

    credit.redeem(400, sender=holder)

    assert (credit.totalSupply(), ether(credit), ether(holder)) == (0, 50, 1_000)


# ---- nothing else ---------------------------------------------------------------------------------


def test_has_no_function_beyond_these(credit: Any) -> None:
    """No owner, no minter, no burning for others: nobody can make a credit without its wei."""
    functions = {entry["name"] for entry in credit.abi if entry["type"] == "function"}

    assert functions == {
        "mint",
        "redeem",
        "transfer",
        "transferFrom",
        "approve",
        "allowance",
        "balanceOf",
        "totalSupply",
        "name",
        "symbol",
        "decimals",
        "permit",
        "nonces",
        "DOMAIN_SEPARATOR",
        "eip712Domain",
    }


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize(
    "signature",
    [
        "mint(address,uint256)",
        "set_minter(address,bool)",
        "is_minter(address)",
        "owner()",
        "transfer_ownership(address)",
        "renounce_ownership()",
        "burn(uint256)",
        "burn_from(address,uint256)",
        "withdraw(uint256)",
        "nothing()",
    ],
)
def test_refuses_every_other_call(credit: Any, holder: str, signature: str, value: int) -> None:
    """With ether or without: a call that does not exist mints nothing."""
    data = keccak(text=signature)[:4] + encode(["address", "uint256"], [holder, 100])

    assert send(credit, holder, value, data) == (False, reason("EnergyCredit: unknown call"))
    # The deployer has no power either.
    boa.env.set_balance(boa.env.eoa, value)
    assert send(credit, boa.env.eoa, value, data) == (False, reason("EnergyCredit: unknown call"))
    assert credit.totalSupply() == ether(credit) == 0


@pytest.mark.parametrize("data", [b"\0", b"\x12\x34\x56"], ids=["one byte", "three bytes"])
def test_refuses_data_that_is_too_short_for_a_call(credit: Any, holder: str, data: bytes) -> None:
    assert send(credit, holder, 1, data) == (False, reason("EnergyCredit: unknown call"))
    assert credit.balanceOf(holder) == 0


# ---- an ordinary ERC-20 ------------------------------------------------------------------------------


def test_moves_from_holder_to_holder(credit: Any, holder: str, other: str) -> None:
    credit.mint(value=400, sender=holder)

    assert credit.transfer(other, 150, sender=holder) is True

    assert events(credit) == [("Transfer", holder, other, 150)]
    assert (credit.balanceOf(holder), credit.balanceOf(other)) == (250, 150)
    assert credit.totalSupply() == ether(credit) == 400


def test_refuses_to_move_more_than_there_is(credit: Any, holder: str, other: str) -> None:
    credit.mint(value=400, sender=holder)

    with boa.reverts("erc20: transfer amount exceeds balance"):
        credit.transfer(other, 401, sender=holder)
    assert credit.balanceOf(holder) == 400


def test_lets_others_move_what_is_approved(credit: Any, holder: str, other: str) -> None:
    credit.mint(value=400, sender=holder)
    assert credit.approve(other, 100, sender=holder) is True
    assert events(credit) == [("Approval", holder, other, 100)]

    assert credit.transferFrom(holder, other, 60, sender=other) is True

    assert (credit.balanceOf(holder), credit.balanceOf(other), credit.allowance(holder, other)) == (340, 60, 40)
    with boa.reverts("erc20: insufficient allowance"):
        credit.transferFrom(holder, other, 41, sender=other)
    assert credit.totalSupply() == ether(credit) == 400


# ---- permit -------------------------------------------------------------------------------------


def permit(credit: Any, spender: str, amount: int, nonce: int, deadline: int, chain_id: int | None = None) -> Any:
    """The wallet's EIP-2612 signature, made by eth-account."""
    domain = {
        "name": "Energy Credit",
        "version": "1",
        "chainId": chain_id or boa.env.evm.patch.chain_id,
        "verifyingContract": credit.address,
    }
    fields = [
        ("owner", "address"),
        ("spender", "address"),
        ("value", "uint256"),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    ]
    types = {"Permit": [{"name": name, "type": kind} for name, kind in fields]}
    message = {"owner": WALLET, "spender": spender, "value": amount, "nonce": nonce, "deadline": deadline}
    signed = Account.sign_typed_data(PERMIT_KEY, domain, types, message)
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def test_takes_a_signed_approval(credit: Any, other: str) -> None:
    """The deadline's own second is still in time; anybody may bring the signature, once."""
    deadline = boa.env.timestamp
    signature = permit(credit, other, 70, 0, deadline)

    credit.permit(WALLET, other, 70, deadline, *signature, sender=other)

    assert events(credit) == [("Approval", WALLET, other, 70)]
    assert (credit.allowance(WALLET, other), credit.nonces(WALLET)) == (70, 1)
    with boa.reverts("erc20: invalid signature"):
        credit.permit(WALLET, other, 70, deadline, *signature, sender=other)


@pytest.mark.parametrize("wrong", ["amount", "spender", "nonce", "chain", "owner"])
def test_refuses_an_approval_that_was_not_signed(credit: Any, holder: str, other: str, wrong: str) -> None:
    deadline = boa.env.timestamp + 100
    chain_id = boa.env.evm.patch.chain_id + 1 if wrong == "chain" else None
    signature = permit(credit, other, 70, 1 if wrong == "nonce" else 0, deadline, chain_id)
    owner = holder if wrong == "owner" else WALLET
    spender = holder if wrong == "spender" else other
    amount = 71 if wrong == "amount" else 70

    with boa.reverts("erc20: invalid signature"):
        credit.permit(owner, spender, amount, deadline, *signature, sender=other)
    assert credit.allowance(owner, spender) == 0
    assert credit.nonces(WALLET) == 0


def test_refuses_an_approval_that_has_run_out(credit: Any, other: str) -> None:
    deadline = boa.env.timestamp - 1
    signature = permit(credit, other, 70, 0, deadline)

    with boa.reverts("erc20: expired deadline"):
        credit.permit(WALLET, other, 70, deadline, *signature, sender=other)
    assert credit.allowance(WALLET, other) == 0


def test_names_its_domain(credit: Any) -> None:
    """EIP-5267: all that a wallet needs to sign."""
    chain_id = boa.env.evm.patch.chain_id

    assert tuple(credit.eip712Domain()) == (
        b"\x0f",
        "Energy Credit",
        "1",
        chain_id,
        credit.address,
        bytes(32),
        [],
    )
    kind = keccak(text="EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    fields = [kind, keccak(text="Energy Credit"), keccak(text="1"), chain_id, credit.address]
    separator = keccak(encode(["bytes32", "bytes32", "bytes32", "uint256", "address"], fields))
    assert credit.DOMAIN_SEPARATOR() == separator
