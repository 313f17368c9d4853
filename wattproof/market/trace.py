"""A history as it was played: every call, every gift of tokens, every moment. All that is shown of one is made of this.

Arguments are kept as they are meant: people, seals and signatures, not bytes. So a trace can be printed as lines for
the REPL, written as JSON, and played once more on a market with other addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from wattproof.market.deployment import Tariff
from wattproof.market.symbolic import SALTS, SEALED, Signed, salt_of, seal_bytes
from wattproof.terms.model import Event


@dataclass(frozen=True)
class Outcome:
    """What came of a call: `reason` is None where it was accepted, or refused without one."""

    accepted: bool
    reason: str | None = None
    result: int | None = None
    events: tuple[Event, ...] = ()


class Call(NamedTuple):
    """A call that a rule of a machine has drawn: of the market, or a move of the machine's own."""

    function: str
    args: tuple[Any, ...]
    sender: str


class Made(NamedTuple):
    """A call that was made: when, what, by whom, with addresses for names, and what the contract did."""

    second: int
    function: str
    args: tuple[Any, ...]
    sender: str
    outcome: Outcome


class Moment(NamedTuple):
    """Time has passed, until that second."""

    second: int


class Gift(NamedTuple):
    """Somebody was given tokens outside the market, which may take any amount of them."""

    who: str
    amount: int


class Donation(NamedTuple):
    """Somebody sent the market tokens without a deposit."""

    who: str
    amount: int


class Remark(NamedTuple):
    """A line for the reader."""

    text: str


Entry = Made | Moment | Gift | Donation | Remark


@dataclass(frozen=True)
class Scene:
    """Where a history plays: the addresses of market and token, the chain's ID, and who is behind an address.

    known   names that are variables of their own at the REPL
    """

    market: str
    token: str
    chain: int
    names: Mapping[str, str]
    known: Sequence[str]

    # ---- for the REPL ------------------------------------------------------------------

    def line(self, entry: Entry) -> str:
        """An entry as a line for the REPL after `replay`."""
        match entry:
            case Made(_, function, args, sender, outcome):
                shown = "".join(f"{self.shown(arg)}, " for arg in args) + f"sender={self.shown(sender)}"
                return f"market.{function}({shown})" + ("" if outcome.accepted else f"  # refused: {outcome.reason}")
            case Moment(second):
                return f"clock.now = {second}"
            case Gift(who, amount):
                return f"give({self.shown(who)}, {amount})"
            case Donation(who, amount):
                return f"token.transfer(market.address, {amount}, sender={self.shown(who)})"
        return f"# {entry.text}"

    def shown(self, arg: Any) -> str:
        """An argument as an expression that means the same where the market and the people have other addresses."""
        match arg:
            case Signed():
                return self._signature(arg)
            case bytes():
                return self._bytes(arg)
            case list():
                return f"[{', '.join(map(self.shown, arg))}]"
            case tuple():
                return f"({', '.join(map(self.shown, arg))})"
            case str():
                name = self.names.get(arg, arg)
                if name.startswith("0x"):
                    return f'"{name}"'
                return name if name in self.known else f'who("{name}")'
        return repr(arg)

    def _bytes(self, value: bytes) -> str:
        chain, market, *rest = SEALED.get(value, (None, None))
        if (chain, market) == (self.chain, self.market):
            *fields, salt = rest
            usual = salt == salt_of(rest[0], self.names.get(rest[1], ""))
            return f"seal({', '.join(map(self.shown, fields if usual else rest))})"
        if value in SALTS:
            number, name = SALTS[value]
            return f"salt({number}, {name if name in self.known else repr(name)})"
        if value.endswith(b"." * 8):
            return f'profile("{value.decode().rstrip(".")}")'
        return f"bytes({len(value)})" if value and not any(value) else f'bytes.fromhex("{value.hex()}")'

    def _signature(self, signed: Signed) -> str:
        fields = ", ".join(map(self.shown, signed.fields))
        other = "" if signed.market == self.market else f", market={self.shown(signed.market)}"
        other += "" if signed.chain == self.chain else f", chain={signed.chain}"
        other += "" if signed.form == "ok" else f', form="{signed.form}"'
        return f'sign("{signed.meter}", "{signed.kind}", {fields}{other})'

    # ---- as data -----------------------------------------------------------------------

    def data(self, value: Any) -> Any:
        """An argument as JSON can hold it."""
        match value:
            case Signed():
                fields = {name: self.data(getattr(value, name)) for name in value.__dataclass_fields__}
                return {"signed": fields}
            case bytes():
                if value in SALTS:
                    return {"salt": list(SALTS[value])}
                sealed = SEALED.get(value)
                return {"seal": self.data(list(sealed))} if sealed else {"bytes": value.hex()}
            case tuple():
                return {"tuple": [self.data(part) for part in value]}
            case list():
                return [self.data(part) for part in value]
            case str():
                place = {self.market: "market", self.token: "token"}.get(value)
                return {"at": place} if place else {"who": self.names[value]} if value in self.names else value
            case bool() | int():
                return int(value)
        raise TypeError(f"no data for {value!r}")

    def value(self, data: Any, address: Callable[[str], str]) -> Any:
        """What `data` made, in this scene; `address` says where somebody is."""
        match data:
            case {"signed": fields}:
                return Signed(**{name: self.value(field, address) for name, field in fields.items()})
            case {"seal": fields}:
                return seal_bytes(tuple(self.value(fields, address)))
            case {"salt": [number, name]}:
                return salt_of(number, name)
            case {"bytes": text}:
                return bytes.fromhex(text)
            case {"tuple": parts}:
                return tuple(self.value(part, address) for part in parts)
            case list():
                return [self.value(part, address) for part in data]
            case {"at": place}:
                return self.market if place == "market" else self.token
            case {"who": name}:
                return address(name)
        return data


class Line:
    """An entry of a trace, written out only where somebody reads it."""

    def __init__(self, scene: Scene, entry: Entry) -> None:
        self._scene, self._entry = scene, entry

    def __repr__(self) -> str:
        return self._scene.line(self._entry)


_KINDS: dict[str, type[Any]] = {"time": Moment, "gift": Gift, "donation": Donation, "remark": Remark}


@dataclass
class Trace:
    """The entries of a history, in their order; the history proper is what comes from `beginning` on."""

    tariff: Tariff
    scene: Scene
    entries: list[Entry] = field(default_factory=list)
    beginning: int = 0

    def __len__(self) -> int:
        return len(self.entries)

    def append(self, entry: Entry) -> None:
        """Adds what happened."""
        self.entries.append(entry)

    def copy(self, scene: Scene) -> Trace:
        """The same so far, to go on with from here as a history of its own."""
        return Trace(self.tariff, scene, list(self.entries), len(self.entries))

    @property
    def last(self) -> Line:
        """What happened last."""
        return Line(self.scene, self.entries[-1])

    def tail(self, count: int) -> list[Line]:
        """The last so many entries."""
        return [Line(self.scene, entry) for entry in self.entries[-count:]]

    @property
    def calls(self) -> Iterator[Made]:
        """The calls among the entries."""
        return (entry for entry in self.entries if isinstance(entry, Made))

    @property
    def ended(self) -> int | None:
        """The second until which time has passed, None where it has not."""
        return next((entry.second for entry in reversed(self.entries) if isinstance(entry, Moment)), None)

    def to_json(self) -> dict[str, Any]:
        """The trace as JSON can hold it."""
        return {
            "tariff": asdict(self.tariff),
            "beginning": self.beginning,
            "entries": [self.as_json(entry) for entry in self.entries],
        }

    def as_json(self, entry: Entry) -> dict[str, Any]:
        """An entry as JSON can hold it."""
        if isinstance(entry, Made):
            return {
                "kind": "call",
                "function": entry.function,
                "args": [self.scene.data(arg) for arg in entry.args],
                "sender": self.scene.data(entry.sender),
                "accepted": entry.outcome.accepted,
                "reason": entry.outcome.reason,
            }
        kind = next(name for name, type_ in _KINDS.items() if isinstance(entry, type_))
        return {
            "kind": kind,
            **{name: self.scene.data(value) if name == "who" else value for name, value in entry._asdict().items()},
        }

    @staticmethod
    def of_json(data: Mapping[str, Any], scene: Scene, address: Callable[[str], str]) -> Trace:
        """The trace that `to_json` told, in that scene; `address` says where somebody is. When calls were made and what
        they answered is lost.
        """

        def entry(told: Mapping[str, Any]) -> Entry:
            values = {name: scene.value(value, address) for name, value in told.items() if name != "kind"}
            if told["kind"] == "call":
                outcome = Outcome(values["accepted"], values["reason"])
                return Made(0, values["function"], tuple(values["args"]), values["sender"], outcome)
            return _KINDS[told["kind"]](**values)

        return Trace(Tariff(**data["tariff"]), scene, [entry(told) for told in data["entries"]], data["beginning"])
