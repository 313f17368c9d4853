"""A contract as people use it: names wherever it asks for an address, answers that can be read, refusals that teach."""

from __future__ import annotations

import inspect
import operator
from collections import namedtuple
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, SupportsIndex

import boa
from eth.codecs.abi.exceptions import EncodeError
from vyper.semantics.types import AddressT, DArrayT, SArrayT, StructT

from wattproof.play.past import missing
from wattproof.play.shown import Told
from wattproof.play.slips import CallRefused, in_one_line, misfit, no_such, one_line
from wattproof.terms.model import Phase

if TYPE_CHECKING:
    from wattproof.play.session import Session

ENERGIES = frozenset(("remaining", "supply", "demand"))
SUMS = frozenset(("balanceOf", "allowance", "totalSupply"))
RATES = frozenset(("SBP", "SSP", "SERVICE_FEE"))
"""Views that answer with energy, with money, and with prices."""

OPTIONS = frozenset(("value", "gas", "simulate"))
"""What titanoboa takes beside the arguments of a call."""


@in_one_line
class Contract:
    """A contract as people use it.

    What its views return is what people read: structs print in pence and kWh, and stay the exact tuples. Wherever it
    asks for an address, a name does. A call that cannot be made is one line, and a refusal carries what explains it.
    """

    def __init__(self, contract: Any, session: Session) -> None:
        self._contract = contract
        self._session = session

    def __getattr__(self, name: str) -> Any:
        if name in ("_contract", "_session"):  # Not there yet, as while it is copied.
            raise AttributeError(name)
        try:
            attribute = getattr(self._contract, name)
        except AttributeError:
            if name.startswith("_"):
                raise
            if name in self.people():
                raise AttributeError(f'people are found by their names: market["{name}"]') from None
            raise no_such(self._contract.contract_name, name, dir(self)) from None
        return Call(attribute, self._contract, self._session) if _is_call(name, attribute) else attribute

    def __dir__(self) -> Iterable[str]:
        """Its calls, and what is beside them; titanoboa's own are there, too, and not listed."""
        contracts = (self._contract, getattr(self._contract, "lens", None))
        calls = {entry["name"] for one in contracts if one for entry in one.abi if entry["type"] == "function"}
        own = (name for name in dir(type(self)) if not name.startswith("_"))
        return sorted({"address", *calls, *own, *(name for name in vars(self) if not name.startswith("_"))})

    def __repr__(self) -> str:
        return f"<{self._contract.contract_name} at {self._contract.address}>"

    def people(self) -> list[str]:
        """The names of the people that its calls know."""
        return self._session.people()

    def get_logs(self) -> list[Any]:
        """The events of the last call that was made of it, with their amounts as people read them; none where that was
        refused. Views are no such calls."""
        return self._session.show.struct([_event(log) for log in self._session.logs_of(self._contract)])

    events = get_logs


def _is_call(name: str, attribute: Any) -> bool:
    return hasattr(attribute, "func_t") and not name.startswith("_")


def _event(log: Any) -> Any:
    """An event without its address: a named tuple of its fields."""
    fields = {name: value for name, value in log._asdict().items() if name != "address"}
    return namedtuple(type(log).__name__, fields)(**fields)  # type: ignore[misc]


class Call:
    """A call of a contract, as `market.quote`; made by `market.quote(1)`."""

    def __init__(self, attribute: Any, contract: Any, session: Session) -> None:
        self._attribute, self._contract, self._session = attribute, contract, session
        self._asked = {argument.name: argument.typ for argument in attribute.func_t.arguments}
        self.__name__ = attribute.func_t.name
        self.__doc__ = inspect.cleandoc(attribute.__doc__ or "") or None
        self.__signature__ = _signature(self._asked)

    @property
    def __call__(self) -> Callable[..., Any]:
        """What makes the call; a property, so that it can be asked for its own arguments."""

        def made(*args: Any, sender: str | None = None, **kwargs: Any) -> Any:
            return self._make(args, sender, kwargs)

        made.__signature__ = self.__signature__  # type: ignore[attr-defined]
        return one_line(made)

    def _make(self, args: tuple[Any, ...], sender: str | None, kwargs: dict[str, Any]) -> Any:
        options = {option: kwargs.pop(option) for option in kwargs.keys() & OPTIONS - self._asked.keys()}
        for option, number in options.items():
            if option != "simulate" and (isinstance(number, bool) or not isinstance(number, int) or number < 0):
                raise ValueError(f"{option}={number!r} is no whole number, 0 or more")
        given = self._given(args, kwargs)
        if options.get("value") and not self._attribute.func_t.is_payable:
            raise ValueError(f"{self.__name__} takes no ether: leave value={options['value']!r} out")
        session, env = self._session, self._contract.env
        if not env.get_code(self._contract.address):
            raise ValueError("this market is no longer on the chain, as after an anchor: open one anew")
        who = env.eoa if sender is None else session.address(sender)
        if (value := options.get("value", 0)) > (has := env.get_balance(str(who))):
            raise ValueError(
                f"{session.show.name(str(who))} has {has} wei of ether, and value={value!r} was to be sent"
            )
        try:
            result = self._attribute(*given.values(), sender=who, **options)
        except EncodeError as error:  # A library's, which says little.
            raise ValueError(misfit(error.value, error.schema)) from error
        except boa.BoaError as error:
            if self._attribute.func_t.is_mutable:
                session.refused(self._contract)
            raise CallRefused(error, session.refusal(self.__name__, given, str(who))) from None
        if self._attribute.func_t.is_mutable:
            session.made(self._contract)
        shown = self._shown(result)
        if self._attribute.func_t.is_mutable:
            return shown
        return self._said(shown, missing(session, self.__name__, given, result))

    def _given(self, args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a call by name, in order. ValueError where one is missing, or is one too many."""
        asked = self._asked
        given = dict(zip(asked, args, strict=False)) | named
        if len(args) > len(asked) or given.keys() != asked.keys() or len(given) < len(args) + len(named):
            unknown = [f"{name!r}" for name in named if name not in asked]
            wrong = f", and not {', '.join(unknown)}" if unknown else ""
            raise ValueError(f"{self.__name__} takes {', '.join(asked) or 'nothing'}{wrong}; who calls is sender=")
        meant = {name: _meant(kind, given[name], self._session.address) for name, kind in asked.items()}
        if isinstance(period := meant.get("period"), int):
            self._session.clock.check_no_quote(period)
        return meant

    def _shown(self, result: Any) -> Any:
        if self.__name__ == "phase":
            return Phase(result)
        show = self._session.show
        if self.__name__ in ENERGIES:
            return Told(result, f"{show.display.energy(result)} ({result})")
        if self.__name__ in RATES:
            return Told(result, f"{show.display.price(result)} ({result})")
        if self.__name__ in SUMS:
            return Told(result, f"{show.display.money(result)} ({result})")
        return show.struct(result)

    def _said(self, shown: Any, instead: str | None) -> Any:
        """What is shown, with words for zeros that say nothing; it stays what it was."""
        if instead and isinstance(shown, int):
            return Told(shown, f"{shown!r}: {instead}")
        if instead:
            shown.instead = instead
        return shown

    @one_line
    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        party = f'; the party is market["{self.__name__}"]' if self.__name__ in self._session.names.values() else ""
        raise AttributeError(f"{self.__name__} is a call, {self._written}, and has no {name!r}{party}")

    def __dir__(self) -> Iterable[str]:
        return ()

    @property
    def _written(self) -> str:
        """How it is called: "quote(quote_id)"."""
        return f"{self.__name__}({', '.join(self._asked)})"

    def __repr__(self) -> str:
        return f"<call {self._written}>"


def _meant(kind: Any, value: Any, address: Callable[[Any], Any]) -> Any:
    """An argument of the Vyper type `kind`, with addresses for names, however deep in lists and structs."""
    if isinstance(kind, AddressT):
        return address(value)
    if isinstance(kind, DArrayT | SArrayT) and isinstance(value, list | tuple):
        return [_meant(kind.value_type, item, address) for item in value]
    if isinstance(kind, StructT) and isinstance(value, tuple) and len(value) == len(kind.members):
        return tuple(_meant(*pair, address) for pair in zip(kind.members.values(), value, strict=True))
    # A whole number of numpy is one, too.
    return operator.index(value) if isinstance(value, SupportsIndex) and not isinstance(value, int) else value


def _signature(asked: Iterable[str]) -> inspect.Signature:
    """What a call of the contract takes, as it is shown when somebody asks for it."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in asked]
    return inspect.Signature([*parameters, inspect.Parameter("sender", inspect.Parameter.KEYWORD_ONLY, default=None)])
