"""Bills of a market to play with, computed from the events of the calls that were made of it by its people's names.

Calls that titanoboa took back, as `boa.env.anchor()` does, still count.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Mapping
from typing import Any

from wattproof.play.session import Session
from wattproof.play.shown import Rows
from wattproof.simulation.accounting import Bill, Books

ENERGIES = ("imported", "exported", "bought", "sold")
MONEY = ("paid", "earned", "fees", "compensated", "compensation", "grid")
SUMS = ("market", "grid_alone", "saving")
"""What a bill shows, in this order; `wattproof.simulation.accounting.Bill` says what each is."""


BILL = ("household", *ENERGIES, *MONEY, *SUMS)
"""The fields of one household's bill."""

ROW = ("household", *ENERGIES, *SUMS)
"""Those of a table of bills."""


def bill_of(session: Session, household: str) -> Any:
    """What a household's energy and money came to so far."""
    return _shown(session, household, _booked(session), BILL)


def bills(session: Session, households: Iterable[str]) -> Any:
    """The bills of households, as a table of energy and sums."""
    booked = _booked(session)
    return Rows(_shown(session, household, booked, ROW) for household in households)


def _booked(session: Session) -> dict[str, Bill]:
    """All bills, by address."""
    deployment = session.deployment
    books = Books(deployment.tariff, deployment.owner, deployment.supplier, {})
    for events in session.history:
        for _, arguments in events:
            for who in arguments.values():
                if isinstance(who, str) and who.startswith("0x") and who not in books.bills:
                    held = books.balances.get(who)
                    books.join(str(who), session.show.name(who))
                    if held is not None:
                        books.balances[str(who)] = held
        books.enter(events)
    return books.bills


def _shown(session: Session, household: str, booked: Mapping[str, Bill], fields: tuple[str, ...]) -> Any:
    bill = booked.get(household, Bill())
    kind = namedtuple("Bill", fields)  # type: ignore[misc]
    return session.show.struct(kind(str(household), *(getattr(bill, field) for field in fields[1:])))
