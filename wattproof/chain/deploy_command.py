"""`wattproof deploy`: what is sent is shown, asked about, sent, verified, and written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from eth_utils.crypto import keccak

from wattproof import outputs
from wattproof.chain.accounts import Account
from wattproof.chain.deploy_journal import Journal, Step, journal_of
from wattproof.chain.deploying import MARKET, Deployment, Plan, genesis_of
from wattproof.chain.development import is_development
from wattproof.chain.node import Node
from wattproof.chain.record import BadRecord, Record
from wattproof.chain.rehearsal import address_of_creation
from wattproof.chain.sending import Draft, Fees, Refused, check_money, ether, unsigned
from wattproof.chain.tokens import token_at
from wattproof.market.deployment import CREDIT
from wattproof.market.tariff import PRICES, Tariff, counted, doubts
from wattproof.market.tokens import Token
from wattproof.market.units import WH_PER_KWH, Display

Say = Callable[[str], object]


def planned(node: Node, sender: str, token: str | None, supplier: str | None, tariff: Tariff) -> Plan:
    """What is to be deployed; `tariff` has its prices for a token with 18 decimals, of which one stands for a pound.

    Raises as `Node.call`; UnusableToken; Refused where the supplier has to be named, and is not.
    """
    if supplier is None and not is_development(node):
        raise Refused("the supplier can never be changed, and this is no development node: name it by --supplier")
    known = None if token is None else token_at(node, token)
    supplier = supplier or sender
    if known is not None and supplier == known.address:
        raise Refused(f"the supplier can never be changed, and {supplier} is the token: name who sells the energy")
    return Plan(node.chain_id(), genesis_of(node), sender, known, supplier, counted(tariff, known or CREDIT))


def shown(deployment: Deployment, pence: Tariff, gas: Mapping[str, int], fees: Fees, out: Path) -> str:
    """What will be sent, for who says yes or no. `pence` is the tariff for a token with 18 decimals."""
    plan, node = deployment.plan, deployment.node
    token, tariff = plan.token or CREDIT, plan.tariff
    settled = str(token) if plan.token else "a new EnergyCredit, WATT, which is minted for ether one for one"
    ranked = "unit price" if tariff.rank_by_price else "total amount"
    lines = {
        "chain": f"{plan.chain_id}, by the node at {node.address.host}",
        "owner": f"{plan.sender}, who pays for the deployment",
        "supplier": f"{plan.supplier}, for ever",
        "token": f"{settled}; one stands for a pound",
        **{title: _price(pence, tariff, name, token) for name, title in PRICES.items()},
        "collateral": f"{token.amount(tariff.ssp * WH_PER_KWH // 10)} for each kWh quoted",
        "times": f"periods of {tariff.period_length} s, windows of {tariff.window} s{doubts(tariff)}",
        "ranking": f"by {ranked}, {tariff.priority_step / 100:g} % more for each tier",
    }
    for name, each in deployment.created.items():
        there = " (is there)" if name in deployment.there else ""
        lines[name] = f"{each.address}{there}, code 0x{keccak(each.code).hex()}"
    total = sum(gas.values())
    lines["cost"] = f"{len(gas)} transactions, {total:,} gas and {ether(total * fees.most)} at most"
    lines["writes"] = str(out)
    return "\n".join(f"  {title:<12} {text}" for title, text in lines.items())


def _price(pence: Tariff, tariff: Tariff, name: str, token: Token) -> str:
    return f"{Display().price(getattr(pence, name))} = {token.price(getattr(tariff, name))}"


def _held(out: Path, plan: Plan) -> outputs.File | None:
    """The place of deployment.json, tried and locked; None where this very deployment was finished already.

    Raises BadPlace, also where it tells of another market.
    """
    if out.exists() and not out.is_file():
        raise outputs.BadPlace(f"{out}: is no file; name another place by --out")
    file = outputs.File(out)
    try:
        old = Record.read(out)
    except BadRecord:  # Nothing is there, or something that may be overwritten.
        return file
    file.close()
    if journal_of(out).exists():
        journal = Journal.beside(out, plan.about, 0)
        step = journal.steps.get(MARKET)
        if step is not None and address_of_creation(plan.sender, step.nonce) == old.market:
            journal.end()  # All but this was done.
            return None
    raise outputs.BadPlace(
        f"{out}: tells of the market {old.market} on chain {old.chain_id}; move it, or name another file by --out"
    )


def deploy(
    node: Node,
    account: Account,
    token: str | None,
    supplier: str | None,
    pence: Tariff,
    out: Path,
    ask: Callable[[], bool],
    say: Say,
) -> int:
    """Deploys a market, or goes on where a run was stopped; returns the exit code: 1 where `ask` says no.

    Raises as `planned`, `Deployment` and `Deployment.run`; BadPlace, BadRecord, NoMoney before anything is sent.
    """
    plan = planned(node, account.address, token, supplier, pence)
    held = _held(out, plan)
    if held is None:
        say(f"nothing is left to do: {out} tells of the market")
        return 0
    with held as file:
        journal = Journal.beside(out, plan.about, _last(node))
        deployment = Deployment(node, plan, journal)
        gas, fees = deployment.gas(), Fees.now(node)
        say(f"deploying a market{', from where a run was stopped' if journal.steps else ''}:")
        say(shown(deployment, pence, gas, fees, out))
        if gas:
            check_money(node, account.address, sum(gas.values()), fees)
        if not ask():
            say("nothing was sent")
            return 1
        record = deployment.run(account, gas, fees, say)
        _finish(file, journal, record, say)
    return 0


def print_deployment(
    node: Node, sender: str, token: str | None, supplier: str | None, pence: Tariff, out: Path, say: Say
) -> int:
    """Prints the transactions that are still to be signed elsewhere; writes deployment.json once all is there.

    Raises as `deploy`.
    """
    plan = planned(node, sender, token, supplier, pence)
    held = _held(out, plan)
    if held is None:
        say(f"nothing is left to do: {out} tells of the market")
        return 0
    with held as file:
        journal = Journal.beside(out, plan.about, _last(node))
        deployment = Deployment(node, plan, journal)
        for name in deployment.there:
            deployment.verify(deployment.created[name])
        if not deployment.missing:
            _finish(file, journal, deployment.finished(), say)
            return 0
        gas, fees = deployment.gas(), Fees.now(node)
        say(shown(deployment, pence, gas, fees, out))
        told = []
        for each in deployment.missing:
            journal.note(each.name, Step(each.nonce))
            draft = Draft(None, each.creation, gas=gas[each.name], label=f"create {each.name}")
            told.append((draft.label, each.address, unsigned(draft, sender, node, each.nonce)))
    print(transactions(told))
    say(f"once these are in blocks, in this order, the same command writes {out}")
    return 0


def transactions(told: list[tuple[str, str | None, dict[str, str]]]) -> str:
    """Unsigned transactions as JSON: what each does, what it creates, and itself."""
    listed = [
        {"what": what, **({"creates": creates} if creates else {}), "transaction": transaction}
        for what, creates, transaction in told
    ]
    return json.dumps({"schema": "wattproof-transactions/1", "transactions": listed}, indent=1)


def _last(node: Node) -> int:
    block = node.block("latest")
    return 0 if block is None else block.number


def _finish(file: outputs.File, journal: Journal, record: Record, say: Say) -> None:
    file.write(record.text())
    journal.end()
    say(f"market {record.market}, created in block {record.block.number}, verified; {file.path} tells of it")
