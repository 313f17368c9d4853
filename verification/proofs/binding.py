"""Ties what is proved to what runs: reads the formulas out of the contract's source, as z3 terms.

`TIES` says where each formula stands and what its parameters are called there. `check` shows with z3 that source and
formula are equal for all values; `read` also lists every sum, difference and product on the way, for the proofs that
none of them outgrows its type. What no formula covers (when a fee is due, who is credited, what bounds are checked) is
guarded by `fingerprints` of the functions: where one changes, the proofs are void until somebody has looked.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import vyper.ast
import z3 as typed_z3

from verification.proofs import formulas as f
from wattproof.market.deployment import contracts_dir
from wattproof.outputs import write

vy_ast: Any = vyper.ast
"""The classes of syntax trees, which do not declare their fields."""

z3: Any = typed_z3
"""Its types tell less than they allow: arithmetic on terms, above all."""

LOOKED_AT = Path(__file__).with_name("fingerprints.json")
"""The fingerprints that the proofs were last compared with by eye."""


class NotTied(AssertionError):
    """The source is not what was proved; the message says where, and what to do."""


@dataclass(frozen=True)
class Tie:
    """Where a formula stands.

    place        "MODULE.FUNCTION, WHERE", with one of these for WHERE:
                 "return": what the function returns, all of it; "NAME =": the only value assigned to that variable
                 that is not a plain number; "NAME =[n]": the one of that place of two; "CALLEE[n]": the argument number
                 n of the only call of that function
    parameters   what the formula's parameters are called there, in the formula's order
    """

    name: str
    place: str
    parameters: tuple[str, ...]
    formula: Callable[..., Any]

    @property
    def function(self) -> tuple[str, str]:
        """The module and the function."""
        module, _, name = self.place.partition(",")[0].partition(".")
        return module, name

    @property
    def where(self) -> str:
        """The place in the function."""
        return self.place.partition(", ")[2]


TIES = (
    Tie("escrow", "tariff._escrow, return", ("volume", "price", "SERVICE_FEE"), f.escrow),
    Tie("collateral", "tariff._collateral, return", ("volume", "SSP"), f.collateral),
    Tie("tier", "incentives._tier, return", ("performances",), f.tier),
    Tie("charge", "incentives._charge, fee =", ("volume", "tariff.SERVICE_FEE", "self._tier(performances)"), f.charge),
    Tie("delivered", "settlement.settle_quote, delivered =", ("sale.sold", "exported"), f.delivered),
    Tie("in default", "settlement.settle_quote, defaulted =", ("exported", "quote.volume"), f.in_default),
    Tie("shared", "settlement._settle_trades, shared =", ("sale.matched", "delivered"), f.delivered),
    Tie("due", "settlement._settle_trades, due =[1]", ("volume_so_far", "shared", "sale.matched"), f.due),
    Tie(
        "due after a purchase",
        "settlement._settle_trades, due =[0]",
        ("delivered_so_far", "volume", "delivered"),
        f.due_after_purchase,
    ),
    Tie(
        "received",
        "settlement._settle_trades, received =",
        ("due", "delivered_so_far"),
        lambda now, before: now - before,
    ),
    Tie("payment", "settlement._settle_trades, payment =", ("received", "price"), f.payment),
    Tie("compensation", "settlement._settle_trades, compensation =", ("volume", "received", "price"), f.compensation),
    Tie(
        "back",
        "settlement._settle_trades, back =",
        ("escrow", "payment", "fee", "compensation"),
        lambda held, payment, fee, compensation: held - payment - fee + compensation,
    ),
    Tie(
        "prosumer's back",
        "settlement.settle_quote, gain =",
        ("collateral", "totals.compensation", "totals.revenue", "fee"),
        f.prosumer_back,
    ),
    Tie("owner's", "settlement.settle_quote, ledger._credit[1]", ("totals.fees", "fee"), lambda fees, fee: fees + fee),
    Tie(
        "invoice",
        "settlement._invoice, return",
        ("exported", "delivered", "received", "imported", "tariff.SBP", "tariff.SSP"),
        f.invoice,
    ),
    Tie("ring", "clock.__init__, RING =", ("period_length", "window"), f.ring),
    Tie("place", "clock._place, return", ("period", "RING"), f.place),
    Tie(
        "horizon",
        "clock._within_horizon, return",
        ("period", "block.timestamp", "PERIOD_LENGTH"),
        f.within_horizon,
    ),
    Tie(
        "phase",
        "clock._phase, return",
        (
            *("period", "PERIOD_LENGTH", "WINDOW", "block.timestamp", "max_value(uint256)"),
            *(f"IEnergyMarket.Phase.{name}" for name in f.PHASES),
        ),
        f.phase,
    ),
)

GUARDED: dict[str, tuple[str, ...]] = {
    "tariff": ("__init__", "_lowest_price", "_highest_price", "_escrow", "_collateral"),
    "incentives": ("_tier", "_charge", "_grant_waiver", "_record"),
    "settlement": ("settle_quote", "_settle", "_settle_trades", "_invoice"),
    # What the bounds on volumes, prices and sales rest on.
    "quotes": ("submit_quote", "invalidate_quote", "_count"),
    "bids": ("submit_bid", "reveal_bid", "_note_trade"),
    "matching": ("match_bids",),
    "surplus": ("buy_surplus",),
    "positions": (
        *("_word", "_opened", "_write", "_is_final", "_has_stake", "_check_capacity", "_stake", "_buy", "_receive"),
    ),
    "metering": ("_accept",),
    # What is used again: where records lie, and whose they are.
    "clock": ("__init__", "_phase", "_within_horizon", "_place"),
    "rooms": ("__init__", "_word", "_is_valid", "_existing", "_volume", "_lead", "_close", "_take"),
    "deliveries": ("_read_sale", "_close", "_write_sale"),
    "sales": ("_append", "_trade"),
    # How balance records and positions change.
    "ledger": ("_booked",),
    "packing": ("_funded", "_reserved", "_released", "_counted", "_claimed", "_asked", "_bought", "_received"),
}
"""The functions whose shape the proofs rely on, besides the formulas."""


# ---- reading the source -----------------------------------------------------------------------


@cache
def _parsed(source: str) -> Any:
    return vy_ast.parse_to_ast(source)


def module(name: str, folder: Path | None = None) -> Any:
    """The syntax tree of a module of the market."""
    return _parsed(((folder or contracts_dir()) / "market" / f"{name}.vy").read_text())


def function(name: str, wanted: str, folder: Path | None = None) -> Any:
    """The syntax tree of a function. NotTied where there is none of that name."""
    found = [node for node in module(name, folder).get_children(vy_ast.FunctionDef) if node.name == wanted]
    if not found:
        raise NotTied(
            f"{name}.vy has no function {wanted} any more: say in verification/proofs/binding.py what it became"
        )
    return found[0]


def text(node: Any) -> str:
    """An expression as it would be written, for names, attributes, items and calls."""
    match node:
        case vy_ast.Name():
            return node.id
        case vy_ast.Attribute():
            return f"{text(node.value)}.{node.attr}"
        case vy_ast.Subscript():
            return f"{text(node.value)}[{text(node.slice)}]"
        case vy_ast.Call():
            return f"{text(node.func)}({', '.join(map(text, node.args))})"
        case vy_ast.Int():
            return str(node.value)
    return type(node).__name__


@dataclass
class Reading:
    """A formula read from the source: its value, and every step of arithmetic on the way.

    steps   (condition under which it is taken, its value, whether its type is signed)
    """

    value: Any
    steps: list[tuple[Any, Any, bool]]


_OPERATIONS: dict[Any, Callable[[Any, Any], Any]] = {
    vy_ast.Add: operator.add,
    vy_ast.Sub: operator.sub,
    vy_ast.Mult: operator.mul,
    vy_ast.FloorDiv: operator.truediv,  # What z3 writes `/` is Euclid's division on integers.
    vy_ast.Mod: operator.mod,
    vy_ast.Pow: lambda base, power: z3.IntVal(base.as_long() ** power.as_long()),  # of constants only
    vy_ast.Lt: operator.lt,
    vy_ast.LtE: operator.le,
    vy_ast.Gt: operator.gt,
    vy_ast.GtE: operator.ge,
    vy_ast.Eq: operator.eq,
    vy_ast.NotEq: operator.ne,
}
"""What the compiler's operators and comparisons are on z3's terms."""


@dataclass
class _Reader:
    """Reads expressions and functions without loops over storage as z3 terms."""

    place: str
    constants: Mapping[str, Any]
    locals: Mapping[str, Any]  # variables of the function that keep their first value
    names: dict[str, Any]
    steps: list[tuple[Any, Any, bool]] = field(default_factory=list)
    path: list[Any] = field(default_factory=list)
    kinds: dict[str, bool] = field(default_factory=dict)  # of variables: whether signed
    signed: bool = False

    def step(self, term: Any) -> Any:
        self.steps.append((z3.And(*self.path), term, self.signed))
        return term

    def read(self, node: Any) -> Any:
        """The value of an expression."""
        known = text(node)
        if known in self.names:
            return self.names[known]
        match node:
            case vy_ast.Int():
                return z3.IntVal(node.value)
            case vy_ast.NameConstant():
                return z3.BoolVal(node.value)
            case vy_ast.Name() if node.id in self.constants:
                return self.read(self.constants[node.id])
            case vy_ast.Name() if node.id in self.locals:
                return self.read(self.locals[node.id])
            case vy_ast.BinOp():
                return self.step(self.operation(node.op, self.read(node.left), self.read(node.right)))
            case vy_ast.Compare():
                return self.operation(node.op, self.read(node.left), self.read(node.right), "comparison")
            case vy_ast.BoolOp():
                joined = z3.And if isinstance(node.op, vy_ast.And) else z3.Or
                return joined(*map(self.read, node.values))
            case vy_ast.IfExp():
                return z3.If(self.read(node.test), self.read(node.body), self.read(node.orelse))
            case vy_ast.Call():
                return self.call(node)
        raise NotTied(
            f"{self.place}: cannot tell what `{node.node_source_code}` is; say in verification/proofs/binding.py "
            "which parameter it stands for"
        )

    def call(self, node: Any) -> Any:
        callee = text(node.func)
        match callee:
            case "min" | "max":
                one, other = map(self.read, node.args)
                smaller, larger = f.either(one <= other, one, other), f.either(one <= other, other, one)
                return smaller if callee == "min" else larger
            case "convert":
                # What is converted has the other sign's type; its value must fit both.
                target = text(node.args[1]).startswith("int")
                self.signed = not target
                value = self.read(node.args[0])
                self.signed = target
                return self.step(value)
            case "unsafe_add" | "unsafe_sub" | "unsafe_mul" | "unsafe_div":
                kinds = {"add": vy_ast.Add, "sub": vy_ast.Sub, "mul": vy_ast.Mult, "div": vy_ast.FloorDiv}
                return self.step(self.operation(kinds[callee[7:]](), *map(self.read, node.args)))
        raise NotTied(f"{self.place}: it calls `{callee}`, which is no parameter: see verification/proofs/binding.py")

    def operation(self, op: Any, left: Any, right: Any, kind: str = "arithmetic") -> Any:
        if type(op) not in _OPERATIONS:
            raise NotTied(f"{self.place}: there is no such {kind} in the proofs: {type(op).__name__}")
        return _OPERATIONS[type(op)](left, right)

    # ---- whole functions ---------------------------------------------------------------------

    def run(self, body: Sequence[Any]) -> Any:
        """What a function returns: its statements, with every path through its conditions."""
        outcomes = list(self.paths(list(body), dict(self.names), []))
        value = outcomes[-1][1]
        for condition, other in reversed(outcomes[:-1]):
            value = z3.If(condition, other, value)
        return value

    def paths(self, body: list[Any], names: dict[str, Any], path: list[Any]) -> Iterator[tuple[Any, Any]]:
        """The value returned on each path, with the path's condition; the conditions exclude one another."""
        for place, node in enumerate(body):
            self.names, self.path = names, path
            rest = body[place + 1 :]
            match node:
                case str() | vy_ast.DocStr():
                    continue
                case vy_ast.Return():
                    yield z3.And(*path), self.read(node.value)
                    return
                case vy_ast.If():
                    test = self.read(node.test)
                    for condition, branch in ((test, node.body), (z3.Not(test), node.orelse)):
                        yield from self.paths([*branch, *rest], dict(names), [*path, condition])
                    return
                case vy_ast.For():
                    bounds = [z3.simplify(self.read(bound)).as_long() for bound in node.iter.args]
                    turns = [[_Turn(text(node.target.target), turn), *node.body] for turn in range(*bounds)]
                    yield from self.paths([*itertools.chain(*turns), _END, *rest], names, path)
                    return
                case _Turn():
                    names[node.name] = z3.IntVal(node.value)
                case vy_ast.Break():
                    yield from self.paths(rest[rest.index(_END) + 1 :], names, path)
                    return
                case vy_ast.AnnAssign():
                    self.signed = text(node.annotation).startswith("int")
                    self.kinds[text(node.target)] = self.signed
                    names[text(node.target)] = self.read(node.value)
                case vy_ast.Assign(target=vy_ast.Name()):
                    self.signed = self.kinds[text(node.target)]
                    names[text(node.target)] = self.read(node.value)
                case vy_ast.AugAssign():
                    target = text(node.target)
                    added = self.read(node.value)
                    self.signed = self.kinds[target]
                    names[target] = self.step(self.operation(node.op, names[target], added))
                case _:
                    raise NotTied(f"{self.place}: `{node.node_source_code}` is no arithmetic; tie a part of it instead")
        raise NotTied(f"{self.place}: a path ends without returning anything")


_END = "end of the loop"


class _Turn(NamedTuple):
    """The beginning of a turn of a loop: its variable, and the value that it has."""

    name: str
    value: int


def read(tie: Tie, values: Sequence[Any], folder: Path | None = None) -> Reading:
    """What stands in the source where the tie says, with these values for the parameters. Raises NotTied."""
    node = function(*tie.function, folder)
    constants = {
        declared.target.id: declared.value
        for declared in module(tie.function[0], folder).get_children(vy_ast.VariableDecl)
        if declared.is_constant
    }
    once = {} if tie.where == "return" else _assigned_once(node)
    reader = _Reader(tie.place, constants, once, dict(zip(tie.parameters, values, strict=True)))
    reader.kinds = dict.fromkeys(tie.parameters, False)
    value = reader.run(node.body) if tie.where == "return" else reader.read(_expression(tie, node))
    return Reading(value, reader.steps)


def _assigned_once(node: Any) -> dict[str, Any]:
    """The variables of a function that are never given another value, with the expression that they stand for."""
    changes = node.get_descendants((vy_ast.Assign, vy_ast.AugAssign))
    changed = {text(target) for change in changes for target in getattr(change.target, "elements", [change.target])}
    declared = {text(found.target): found.value for found in node.get_descendants(vy_ast.AnnAssign)}
    return {name: value for name, value in declared.items() if name not in changed}


def _expression(tie: Tie, node: Any) -> Any:
    """The one expression that a tie means."""
    if " =" in tie.where:
        name, _, place = tie.where.partition(" =")
        assigned = [
            found.value
            for found in node.get_descendants((vy_ast.AnnAssign, vy_ast.Assign))
            if text(found.target) == name and not isinstance(found.value, vy_ast.Int)
        ]
        if place and len(assigned) == 2:
            assigned = [assigned[int(place.strip("[]"))]]
    else:
        callee, _, index = tie.where.removesuffix("]").partition("[")
        calls = [found for found in node.get_descendants(vy_ast.Call) if text(found.func) == callee]
        assigned = [found.args[int(index)] for found in calls]
    if len(assigned) != 1:
        raise NotTied(f"{tie.place} stands there {len(assigned)} times, not once: see verification/proofs/binding.py")
    return assigned[0]


def check(tie: Tie, folder: Path | None = None, timeout: int = 60) -> None:
    """Raises NotTied unless the source's formula equals the one that is proved, for all whole numbers at least 0."""
    values = [z3.Int(name) for name in tie.parameters]
    found = read(tie, values, folder).value
    solver = z3.Solver()
    solver.set("timeout", timeout * 1000)
    solver.add(*(value >= 0 for value in values), found != tie.formula(*values))
    verdict = solver.check()
    if verdict != z3.unsat:
        shown = f"they differ at {solver.model()}" if verdict == z3.sat else "z3 does not know whether they agree"
        raise NotTied(f"{tie.place} is no longer what is proved: {shown}")


# ---- fingerprints -------------------------------------------------------------------------------

_PLACES = (
    "lineno",
    "col_offset",
    "end_lineno",
    "end_col_offset",
    "node_id",
    "src",
    "doc_string",
    "full_source_code",
    "node_source_code",
)


def _shape(node: Any) -> Any:
    if isinstance(node, vy_ast.VyperNode):
        fields = {name: _shape(getattr(node, name, None)) for name in sorted(node.get_fields()) if name not in _PLACES}
        return [type(node).__name__, fields]
    if isinstance(node, list | tuple):
        return [_shape(item) for item in node]
    return repr(node)


def fingerprints(folder: Path | None = None) -> dict[str, str]:
    """A hash of the syntax of each guarded function and of its module's constants, without comments and layout."""
    found = {}
    for name, functions in GUARDED.items():
        declared = module(name, folder).get_children(vy_ast.VariableDecl)
        constants = [node for node in declared if node.is_constant]
        for wanted, nodes in [(f"{name} constants", constants)] + [
            (f"{name}.{each}", [function(name, each, folder)]) for each in functions
        ]:
            found[wanted] = hashlib.sha256(json.dumps(_shape(nodes)).encode()).hexdigest()[:16]
    return found


def check_fingerprints(folder: Path | None = None) -> None:
    """Raises NotTied where a guarded function is not the one that was looked at."""
    known, found = json.loads(LOOKED_AT.read_text()), fingerprints(folder)
    changed = sorted(name for name in {**known, **found} if known.get(name) != found.get(name))
    if changed:
        raise NotTied(
            f"changed since the proofs were compared with the contract: {', '.join(changed)}. Read them beside "
            "verification/proofs/formulas.py and claims.py; where those still say what the contract does: "
            "wattproof prove --accept"
        )


def accept() -> None:
    """Keeps the fingerprints of now as looked at."""
    write(LOOKED_AT, json.dumps(fingerprints(), indent=2) + "\n")
