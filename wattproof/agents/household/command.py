"""`wattproof household`: what its arguments mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from wattproof.agents.household import decisions as decided
from wattproof.agents.household.daemon import Household
from wattproof.agents.household.decisions import request_withdrawal
from wattproof.agents.household.meters import Meter, OfFolder, OfKey
from wattproof.agents.household.tables import BadTable, Table, read_forecasts
from wattproof.agents.journal import Held
from wattproof.agents.problems import AgentProblem
from wattproof.agents.setting import Setting, say
from wattproof.chain.record import Record
from wattproof.outputs import told

_AGENT = "household"


class BadAmount(AgentProblem):
    """An amount is none of the token, or more than there is."""


class BadProfile(AgentProblem):
    """A file holds no commitment."""


@dataclass(frozen=True)
class Wishes:
    """What a household is run with.

    meter              a keystore, or the folder that a device fills
    measured           what the meter of a keystore counted; None: the meter is a folder
    profile            the file with the commitment with which it registers
    keep, withdraw     amounts in tokens, as people write them
    """

    meter: Path
    forecasts: Path
    measured: Path | None = None
    profile: Path | None = None
    keep: str | None = None
    withdraw: str | None = None


def run_household(setting: Setting, wishes: Wishes) -> int:
    """Runs a household's agent; returns its exit code.

    Raises AgentProblem, BadPlace, BadAccount and NotTheMarket.
    """
    record = setting.market.record
    keep = None if wishes.keep is None else base_units(wishes.keep, record)
    if wishes.withdraw is not None:
        keep = 0  # What is withdrawn is not deposited again.
    amount = None if wishes.withdraw is None else base_units(wishes.withdraw, record)
    forecasts = Table(wishes.forecasts, record.tariff.period_length, read_forecasts)
    meter = _meter(setting, wishes)
    profile = None if wishes.profile is None else read_profile(wishes.profile)
    try:
        journal = setting.journal(_AGENT)
    except Held:
        if amount is None:
            raise
        _check_free(setting, amount)
        request_withdrawal(setting.folder(_AGENT), amount, decided.ASKED)
        say("an agent runs with this state: it withdraws the money, and says so")
        return 0
    with journal:
        account = setting.account
        agent = Household(setting.market, account, journal, meter, forecasts, setting.notices, say, profile, keep)
        if amount is not None:
            request_withdrawal(journal.folder, amount)
            return _withdrawn(agent, setting.run(agent, once=True))
        say(f"in the market {record.market} as {account.address}, its state in {journal.folder}")
        return setting.run(agent)


def base_units(text: str, record: Record) -> int:
    """An amount of the market's token in base units. Raises BadAmount."""
    decimals = record.token_decimals or 0
    amount = Fraction(text) * 10**decimals if re.fullmatch(r"[0-9]{1,40}(\.[0-9]{1,40})?", text) else None
    if amount is None or amount.denominator != 1:
        raise BadAmount(
            f"{text!r} is no amount of {record.token_symbol}: write a number with at most {decimals} decimals"
        )
    return amount.numerator


def read_profile(path: Path) -> bytes:
    """The commitment in a file: 64 hexadecimal digits, as sha256sum writes them, with 0x before them or not.

    Raises BadProfile.
    """
    try:
        with path.open("rb") as file:
            found = re.match(rb"\s*(?:0x)?([0-9a-fA-F]{64})(?![0-9a-fA-F])", file.read(1000))
    except OSError as problem:
        raise BadProfile(f"{told(problem)}; name the file with the commitment by --register") from None
    if found is None:
        raise BadProfile(f"{path}: begins with no commitment: 64 hexadecimal digits, as sha256sum writes them")
    return bytes.fromhex(found[1].decode())


def _check_free(setting: Setting, amount: int) -> None:
    """Raises BadAmount where less than that is free in the market; NotTheMarket, and as `Node.call`."""
    market = setting.market
    market.check()
    token, free = market.record.settled_in, market.view("account", setting.account.address).balance
    if free < amount:
        raise BadAmount(f"{token.amount(amount)} cannot be withdrawn: {token.amount(free)} is free in the market")


def _meter(setting: Setting, wishes: Wishes) -> Meter:
    """Raises BadAccount, BadPlace, BadTable."""
    record, user = setting.market.record, setting.account.address
    if wishes.meter.is_dir():
        if wishes.measured is not None:
            raise BadTable(f"{wishes.meter}: is a device's folder, so --measured is not needed: leave it out")
        return OfFolder(wishes.meter, record.chain_id, record.market, user)
    length = record.tariff.period_length
    return OfKey.opened(wishes.meter, record.chain_id, record.market, user, wishes.measured, length)


def _withdrawn(agent: Household, code: int) -> int:
    """Says what became of the withdrawals, and forgets them then; returns the exit code."""
    agent.settle_requests()
    token = agent.market.record.settled_in
    for one in agent.decisions.withdrawals(decided.DONE, decided.REFUSED):
        was_done = one.state == decided.DONE
        say(f"{token.amount(one.amount)} {'is withdrawn' if was_done else 'is not withdrawn: the market refuses it'}")
        code = code if was_done else 1
        agent.decisions.mark(one, decided.TOLD)
    return code
