"""A market to play with: `wattproof repl` opens IPython with everything a trading day needs.

    market, token    the contracts; what a view returns prints in pence and kWh and holds the exact numbers
    sunny, cloudy... the households of the input, registered, authorised and with 100 pounds each
    owner, supplier  the management node and the energy supplier
    households       the same, by the names that they have in the file: `households["12 Elm Street"]`
    clock            `clock.to("REVEALING")`, `clock.now`, `clock.phase()`
    tariff           the frame of the market

Every household is authorised with what its connection carries in a period; `owner.authorize(sunny, kwh=14)` raises
that, and `owner.authorize(sunny)` gives back an authorisation that a silent meter lost.

Amounts are typed as people say them: kWh, p/kWh and pence. A number with a decimal point is read digit by digit, as
it was typed, so that 0.1 is a tenth exactly. Whatever the market refuses shows as one line with the reason. So does
what can hardly be meant and could not be taken back: a reading or a sealed bid beyond the connection, a capacity that
no low-voltage grid brings. `market` takes them all the same.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import inspect
import operator
import re
import traceback
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, Self, SupportsIndex

import boa
from eth.codecs.abi.exceptions import EncodeError
from requests.exceptions import RequestException

from wattproof.evm import network
from wattproof.evm.rpc import NodeUnusable, RpcError
from wattproof.hints import Refusal, hint
from wattproof.market import units
from wattproof.market.clock import Clock
from wattproof.market.deployment import Tariff, deploy, fund
from wattproof.market.meters import Meter
from wattproof.simulation.households import DEFAULT_FILE, open_households
from wattproof.simulation.names import identifiers
from wattproof.simulation.plausibility import LARGEST_CONNECTION, wh
from wattproof.terms.model import BidStatus, Phase, QuoteStatus

START = 1_561_071_600
"""Where the clock starts, in seconds: 21 June 2019, 0:00 British Summer Time, the day of the default input."""

FUNDS = units.pence(10_000)
"""What every household and the supplier start with, in base units: 100 pounds."""

RESERVED = frozenset(
    (
        *("market", "token", "clock", "tariff", "owner", "supplier", "households", "boa", "replay"),
        # What a failed history of the property tests binds.
        *("stranger", "who", "sign", "seal", "salt", "profile", "perform", "check", "state"),
        *("In", "Out", "get_ipython", "display", "exit", "quit"),  # IPython does
    )
)
"""Words that no household gets."""

_PACKAGE = Path(__file__).parent

_LONGEST = 60
"""Characters of an argument that a message shows."""

LISTED = 12
"""Most households that the banner names."""

_FORMATS: dict[str, Callable[[int], str]] = {
    **dict.fromkeys(("balance", "reserved", "grid_account"), units.format_money),
    **dict.fromkeys(("volume", "sold", "filled", "exported", "imported"), units.format_energy),
    **dict.fromkeys(("agreed", "bought", "received", "delivered", "capacity"), units.format_energy),
    "price": units.format_price,
}
"""How a field of a struct is shown, by its name."""

_STATUS = {"Quote": QuoteStatus, "Bid": BidStatus}

Number = int | str | Decimal | float


def exact(number: Number) -> int | str | Decimal:
    """A number as it was typed: 0.1 becomes the decimal 0.1, not the binary fraction nearest to it.

    So do those of numpy, whose floats of 64 bits are floats, too. What is no number is left to who needs one.
    """
    if isinstance(number, float):
        return Decimal(repr(float(number)))
    # A bool would become 0 or 1.
    return operator.index(number) if isinstance(number, SupportsIndex) and not isinstance(number, bool) else number


class Readable:
    """A contract as people use it.

    What its views return is what people read: structs print in pence and kWh, and stay the exact tuples. Wherever it
    asks for an address, a name does. A call that cannot be made is one line, and a refusal carries what explains it.
    """

    def __init__(self, contract: Any, session: Session) -> None:
        self._contract = contract
        self._session = session

    def __getattr__(self, name: str) -> Any:
        try:
            attribute = getattr(self._contract, name)
        except AttributeError:
            near = difflib.get_close_matches(name, dir(self), 3)
            also = f": is it {' or '.join(near)}?" if near else ""
            raise AttributeError(f"{self._contract.contract_name} has no {name!r}{also}") from None
        if not hasattr(attribute, "func_t") or name.startswith("_"):
            return attribute
        asked = {argument.name: str(argument.typ) for argument in attribute.func_t.arguments}

        @functools.wraps(attribute, updated=())
        def call(*args: Any, sender: str | None = None, **kwargs: Any) -> Any:
            options = {option: kwargs.pop(option) for option in kwargs.keys() - asked.keys()}
            given = self._given(name, asked, args, kwargs)
            who = boa.env.eoa if sender is None else self._session.address(sender)
            try:
                result = attribute(*given.values(), sender=who, **options)
            except boa.BoaError as error:
                error.refusal = self._session.refusal(name, given, str(who))  # type: ignore[attr-defined]
                raise
            return Phase(result) if name == "phase" else self._readable(result)

        call.__signature__ = _signature(asked)  # type: ignore[attr-defined]
        return call

    def _given(self, name: str, asked: dict[str, str], args: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a call by name, in order. ValueError where one is missing, or is one too many."""
        given = dict(zip(asked, args, strict=False)) | named
        if len(args) > len(asked) or given.keys() != asked.keys() or len(given) < len(args) + len(named):
            raise ValueError(f"{name} takes {', '.join(asked) or 'nothing'}")
        return {
            argument: self._session.address(given[argument]) if kind == "address" else given[argument]
            for argument, kind in asked.items()
        }

    def __dir__(self) -> list[str]:
        return sorted({*dir(type(self)), *dir(self._contract)})

    def __repr__(self) -> str:
        return f"<{self._contract.contract_name} at {self._contract.address}>"

    def _readable(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._readable(item) for item in value]
        if not hasattr(value, "_fields"):
            return value
        names = self._session.names

        class Struct(type(value)):  # type: ignore[misc]
            def __repr__(self) -> str:
                return _show(self, names)

        Struct.__name__ = type(value).__name__
        return Struct(*value)


def _signature(asked: Iterable[str]) -> inspect.Signature:
    """What a call of the contract takes, as it is shown when somebody asks for it."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in asked]
    return inspect.Signature([*parameters, inspect.Parameter("sender", inspect.Parameter.KEYWORD_ONLY, default=None)])


def _show(struct: Any, names: dict[str, str]) -> str:
    """A struct of the market, a field a line, in the units that people use."""
    kind = type(struct).__name__
    width = max(map(len, struct._fields))
    lines = []
    for field, value in struct._asdict().items():
        if field in _FORMATS:
            text = _FORMATS[field](value)
        elif field == "status":
            text = _STATUS[kind](value).name or "none"
        elif isinstance(value, bytes):
            text = "0x" + value.hex()
        else:
            text = names.get(str(value), str(value))
        lines.append(f"  {field:<{width}}  {text}")
    return "\n".join([kind, *lines])


class ReplClock(Clock):
    """The clock of one market; a period that is not named is the last one that anybody quoted."""

    def __init__(self, market: Any) -> None:
        super().__init__(market.PERIOD_LENGTH(), market.WINDOW(), market.env)
        self._market = market

    def current(self) -> int:
        """The period of the newest quote or, before the first one, the next that can be quoted."""
        count = self._market.quote_count()
        return self._market.quote(count).period if count else self.next_quotable()

    def phase(self, period: int | None = None) -> Phase:
        """The phase in which a period stands now."""
        period = self.current() if period is None else period
        self.begins(Phase.DELIVERING, period)  # ValueError for what is no period
        return Phase(self._market.phase(period))

    def to(self, phase: Phase | str, period: int | None = None) -> int:
        """Moves to the beginning of `phase` and returns that second. ValueError where it is past."""
        return super().to(phase, self.current() if period is None else period)

    def __repr__(self) -> str:
        period = self.current()
        return f"<clock at {self.now} s: period {period} is in {self.phase(period).name}>"


class Session:
    """A new market, with a tariff of its own, as people see it.

    names   of addresses: where a struct holds such an address, its name is shown
    """

    def __init__(self, tariff: Tariff = Tariff()) -> None:
        network.only_inside("a market to play with, whose clock starts in 2019,")
        boa.env.timestamp = START
        self.deployment = deploy(tariff, show=None)
        self.names: dict[str, str] = {}
        self.clock = ReplClock(self.deployment.market)
        self.market = Readable(self.deployment.market, self)

    def address(self, who: Any) -> Any:
        """The address of somebody who is called so; an address as it is. ValueError where nobody is called so."""
        if not isinstance(who, str) or who.startswith("0x"):
            return who
        for address, name in self.names.items():
            if name == who:
                return address
        near = difflib.get_close_matches(who, self.names.values(), 3)
        meant = f"is it {' or '.join(near)}?" if near else "name a household, or write 0x and 40 hexadecimal digits"
        raise ValueError(f"nobody is called {who!r}: {meant}")

    def refusal(self, function: str, arguments: dict[str, Any], sender: str) -> Refusal:
        """A call that was refused, for a hint."""
        deployment = self.deployment
        return Refusal(function, arguments, sender, deployment.market, deployment.tariff, self.clock, self.names)

    def offered(self) -> dict[str, Any]:
        """What the REPL offers of it, by name."""
        token = Readable(self.deployment.token, self)
        return {"market": self.market, "token": token, "clock": self.clock, "tariff": self.deployment.tariff}


class BoundMeter(Meter):
    """A household's meter."""

    def __init__(self, seed: str, user: Household, session: Session) -> None:
        super().__init__(seed)
        self._user, self._session = user, session

    def read(self, exported: Number = 0, imported: Number = 0, period: int | None = None) -> None:
        """Signs and submits a reading: what was exported and imported in the period, in kWh. It is final, so ValueError
        for more than the connection carries."""
        market = self._session.market
        period = self._session.clock.current() if period is None else period
        for name, number in (("exported", exported), ("imported", imported)):
            if str(number).startswith("-"):
                raise ValueError(f"{name} is negative: {number} (export and import are two figures, each 0 or more)")
        out, into = (self._user.carried(energy, "a register, or Wh") for energy in (exported, imported))
        signature = self.sign_reading(self._session.deployment.market, self._user, period, out, into)
        market.submit_reading(self._user, period, out, into, signature)


class Party(str):
    """An address with a name, and with an account in the market. Serves wherever an address or `sender=` is asked."""

    name: str
    _session: Session

    def __new__(cls, name: str, address: str, session: Session) -> Self:
        party = super().__new__(cls, address)
        party.name, party._session = name, session
        session.names[address] = name
        return party

    @property
    def _market(self) -> Any:
        return self._session.market

    def __repr__(self) -> str:
        return f"<{self.name} {self!s}>"

    def deposit(self, pence: Number) -> None:
        """Buys credit for `pence` and deposits it."""
        fund(self._session.deployment, str(self), units.pence(exact(pence)))

    def withdraw(self, pence: Number | None = None) -> None:
        """Withdraws `pence`, or all that is free once the account is cleared."""
        if pence is None:
            self._market.clear(self, sender=self)
            self._market.withdraw(self._market.account(self).balance, sender=self)
        else:
            self._market.withdraw(units.pence(exact(pence)), sender=self)

    def account(self) -> Any:
        """What the market knows of this party."""
        return self._session.market.account(self)


class Household(Party):
    """A registered household with its meter."""

    meter: BoundMeter

    def carried(self, kwh: Number, otherwise: str) -> int:
        """`kwh` in Wh. ValueError, asking whether it is something `otherwise`, where the connection does not carry that
        much in a period."""
        energy, capacity = units.kwh(exact(kwh)), self._market.account(self).capacity
        if energy > capacity:
            raise ValueError(
                f"{units.format_energy(energy)} is more than {self.name}'s connection carries in a period, "
                f"{units.format_energy(capacity)}: is this {otherwise}?"
            )
        return energy

    def quote(self, kwh: Number, price: Number, period: int | None = None) -> int:
        """Quotes `kwh` at `price` p/kWh for the next period that is open (or `period`); returns the quote's ID."""
        period = self._session.clock.next_quotable() if period is None else period
        return self._market.submit_quote(period, units.kwh(exact(kwh)), units.pence_per_kwh(exact(price)), sender=self)

    def invalidate(self, quote_id: int) -> None:
        """Takes a quote back."""
        self._market.invalidate_quote(quote_id, sender=self)

    def bid(self, quote_id: int, kwh: Number, price: Number) -> None:
        """Seals a bid for `kwh` at `price` p/kWh and remembers what is in it. ValueError for more than the connection
        carries, and for what the quote does not take: the market would see that only when it is opened, and takes no
        other bid."""
        volume, rate = self.carried(kwh, "Wh"), units.pence_per_kwh(exact(price))
        quote, highest = self._market.quote(quote_id), self._session.deployment.tariff.highest_price
        if quote.volume and not 0 < volume <= quote.volume:
            raise ValueError(
                f"{units.format_energy(volume)} could never be opened: quote {quote_id} is of "
                f"{units.format_energy(quote.volume)}"
            )
        if quote.volume and not quote.price <= rate <= highest:
            raise ValueError(
                f"{units.format_price(rate)} could never be opened: a bid on quote {quote_id} is from "
                f"{units.format_price(quote.price)} to {units.format_price(highest)}"
            )
        salt = hashlib.sha256(f"{self} {quote_id}".encode()).digest()  # Secret enough for play, not for money.
        self._market.submit_bid(quote_id, self._market.seal_of(quote_id, self, rate, volume, salt), sender=self)
        self._sealed[quote_id] = (rate, volume, salt)
        quote, highest = self._market.quote(quote_id), self._session.deployment.tariff.highest_price
        if not quote.price <= rate <= highest:
            band = f"from {units.format_price(quote.price)} to {units.format_price(highest)}"
            print(f"warning: this bid can never be opened, its price, {units.format_price(rate)}, is not {band}")
        if volume > quote.volume:
            print(f"warning: this bid can never be opened, the quote has {units.format_energy(quote.volume)}")

    def reveal(self, quote_id: int) -> None:
        """Opens the bid on a quote. KeyError where this household has sealed none here."""
        if quote_id not in self._sealed:
            raise KeyError(f"{self.name} has sealed no bid on quote {quote_id}")
        self._market.reveal_bid(quote_id, *self._sealed[quote_id], sender=self)

    def buy(self, quote_id: int, kwh: Number | None = None) -> None:
        """Buys `kwh` of what a matched quote has left, or all of it, at the quote's price.

        While MATCHING that is what was not sold of the quote, while METERING, once its prosumer's meter was read, what
        was exported beyond its sales. The least is a 64th of what was quoted, or exported, or else all that is left.
        """
        volume = self._market.remaining(quote_id) if kwh is None else units.kwh(exact(kwh))
        self._market.buy_surplus(quote_id, volume, sender=self)

    def position(self, period: int | None = None) -> Any:
        """What this household bought, received and delivered in a period."""
        session = self._session
        return session.market.position(self, session.clock.current() if period is None else period)

    @functools.cached_property
    def _sealed(self) -> dict[int, tuple[int, int, bytes]]:
        return {}


class Households(dict[str, Household]):
    """Households by the names that they have in the file."""

    def __missing__(self, name: object) -> Household:
        raise KeyError(f"there is no household {name!r}: list(households) names them")


class Owner(Party):
    """The management node."""

    def authorize(self, user: str, kwh: Number | None = None) -> None:
        """Authorises a registered user with a connection that carries `kwh` in a period, or raises what it carries.

        Without `kwh` it gives back an authorisation that was lost, with the capacity that the user had. ValueError for
        more than a low-voltage grid brings: a capacity cannot fall again.
        """
        capacity = self._market.account(user).capacity if kwh is None else units.kwh(exact(kwh))
        largest = wh(LARGEST_CONNECTION, self._session.deployment.tariff.period_length)
        if kwh is not None and capacity > largest:
            raise ValueError(
                f"{units.format_energy(capacity)} in a period is more than a low-voltage grid brings, "
                f"{units.format_energy(largest)}: is this Wh? If not: market.authorize(user, {capacity}, sender=owner)"
            )
        self._market.authorize(user, capacity, sender=self)

    def settle(self, period: int | None = None) -> None:
        """Settles all matched quotes of a period, then every account that there is something to settle for. Says so
        where there is nothing."""
        market, settled = self._market, 0
        period = self._session.clock.current() if period is None else period
        for quote_id in range(1, market.quote_count() + 1):
            quote = market.quote(quote_id)
            if quote.period == period and quote.status == QuoteStatus.MATCHED:
                market.settle_quote(quote_id, sender=self)
                settled += 1
        for household in self.households:
            position = market.position(household, period)
            if not position.settled and (position.bought or market.reading(household, period).present):
                market.settle_account(household, period, sender=self)
                settled += 1
        if not settled:
            print(f"nothing to settle in period {period}; the period quoted last is {self._session.clock.current()}")

    @functools.cached_property
    def households(self) -> list[Household]:
        """Every household of the session."""
        return []


def namespace(path: Path = DEFAULT_FILE) -> dict[str, Any]:
    """Deploys a market with the households of a CSV file, and returns the names that the REPL offers.

    Runs on titanoboa's current environment. Raises `BadInput` where the file cannot be used; what can hardly be meant
    in it is printed on stderr.
    """
    source = open_households(path)
    source.warn()
    session = Session()
    deployment = session.deployment
    owner = Owner("owner", deployment.owner, session)
    supplier = Party("supplier", deployment.supplier, session)
    fund(deployment, supplier, FUNDS)
    offered = session.offered() | {"owner": owner, "supplier": supplier, "boa": boa}
    households = Households()
    for name, word in identifiers(source.names, RESERVED).items():
        household = Household(name, str(boa.env.generate_address(name)), session)
        household.meter = BoundMeter(name, household, session)
        session.names[household.meter.address] = f"{name}'s meter"
        profile = hashlib.sha256(name.encode()).digest()
        signature = household.meter.sign_pairing(deployment.market, household, profile)
        deployment.market.register(profile, household.meter.address, signature, sender=household)
        deployment.market.authorize(household, source.capacities[name], sender=owner)
        fund(deployment, household, FUNDS)
        owner.households.append(household)
        offered[word] = households[name] = household
    return offered | {"households": households}


def reason_of(error: boa.BoaError) -> str:
    """Why a call was refused, in the market's words."""
    frame = error.stack_trace.last_frame
    reason = str(getattr(frame, "pretty_vm_reason", None) or str(frame).splitlines()[0])
    wrapped = re.fullmatch(r"Revert\(([\"'])(.*)\1\)", reason)
    return wrapped[2] if wrapped else reason


def _explained(error: boa.BoaError) -> str:
    """The line of a refusal; with what explains it, where the call was made by name."""
    reason, refusal = reason_of(error), getattr(error, "refusal", None)
    more = hint(reason, refusal) if refusal else None
    return f"refused: {reason}" + (f" ({more})" if more else "")


def told(error: Exception) -> str | None:
    """The line that says why something was not done: by the market, a node or the REPL's helpers; None for a mistake in
    what was typed, or here. Of a node's address it shows only the host."""
    if isinstance(error, boa.BoaError):
        return _explained(error)
    if isinstance(error, RequestException):
        return network.unreachable(error)
    if isinstance(error, network.NotReady | NodeUnusable | RpcError):
        return str(error)
    if isinstance(error, EncodeError):
        return f"not done: {_misfit(error.value, error.schema)}"
    if isinstance(error, TypeError) and re.match(r"(Party|Household|Owner|BoundMeter|ReplClock)\.", str(error)):
        return f"not done: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    if frames and (frames[-1].line or "").startswith("raise ") and Path(frames[-1].filename).is_relative_to(_PACKAGE):
        return f"not done: {error.args[0]}"
    return None


def _misfit(value: Any, kind: str) -> str:
    """What is wrong with an argument that does not fit the ABI type `kind`."""
    shown = repr(value) if len(repr(value)) <= _LONGEST else f"{repr(value)[:_LONGEST]}…"
    if kind == "address":
        return f"{shown} is nobody: name a household, or write 0x and 40 hexadecimal digits"
    if kind.startswith("uint"):
        return f"{shown} is no whole number from 0 to below 2**{kind.removeprefix('uint')}"
    return f"{shown} is no {kind}"


def banner(offered: dict[str, Any]) -> str:
    """What the REPL says first."""
    words = {word: value.name for word, value in offered.items() if isinstance(value, Household)}
    listed = [word if word == name else f"{word} ({name!r})" for word, name in words.items()][:LISTED]
    if len(words) > LISTED:
        listed.append(f"{len(words) - LISTED} more in `households`")
    seller, buyer = ("sunny", "cloudy") if {"sunny", "cloudy"} <= words.keys() else [*words, "somebody", "another"][:2]
    tariff = offered["tariff"]
    sbp, ssp, fee = map(units.format_price, (tariff.sbp, tariff.ssp, tariff.service_fee))
    return "\n".join(
        [
            f"A market is open: SBP {sbp}, SSP {ssp}, service fee {fee}, half-hours.",
            f"Households: {', '.join(listed)}. Also: market, token, owner, supplier, households, clock, tariff.",
            "A household has quote, invalidate, bid, reveal, buy, position, account, deposit, withdraw and meter.read;",
            f"owner.settle() settles all; `{seller}.bid?` explains. Energy in kWh, money in pence.",
            f'Try: {seller}.quote(kwh=2, price=9), then {buyer}.bid(1, kwh=1.5, price=11), clock.to("REVEALING"), ...',
        ]
    )


def run(path: Path = DEFAULT_FILE) -> None:
    """Opens IPython with `namespace(path)`; returns when the user leaves it."""
    from IPython.terminal.embed import InteractiveShellEmbed

    offered = namespace(path)
    shell = InteractiveShellEmbed(banner1=banner(offered) + "\n", user_ns=offered, enable_tip=False, confirm_exit=False)

    def refused(shell: Any, kind: Any, error: Exception, trace: Any, **options: Any) -> None:
        if line := told(error):
            print(line)
        else:
            shell.showtraceback((kind, error, trace), **options)

    shell.set_custom_exc((Exception,), refused)
    shell()
