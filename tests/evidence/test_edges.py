"""Coverage of the bytecode's edges: that it sees what was run, that it sees what was not, and that its list is true."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import pytest

from verification.coverage import lcov
from verification.coverage.campaign import Watch, is_ours, lcov_beside, report, unreachable
from verification.coverage.code import COMPILER, OWN, REFUSES, Code
from verification.invariants import ROOT
from wattproof.evm import p256
from wattproof.evm.engine import make_env
from wattproof.market.deployment import contracts_dir
from wattproof.market.meters import P256Meter
from wattproof.outputs import BadPlace, File

TOY = """# pragma version 0.4.3
# pragma nonreentrancy on

total: public(uint256)


@external
def add(amount: uint256):
    assert amount != 0, "toy: zero"
    if amount > 100:
        self.total = 100
    else:
        self.total += amount
"""


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[tuple[Any, Code]]:
    """A contract on py-evm, and its code, watched by the test itself."""
    path = tmp_path / "Toy.vy"
    path.write_text(TOY)
    with boa.swap_env(make_env("pyevm")):
        contract: Any = boa.load(str(path))
        data = contract.compiler_data
        runtime = data.bytecode_runtime
        yield contract, Code("Toy", runtime, data.source_map, tmp_path.resolve(), len(runtime))


def run(contract: Any, code: Code, amount: int) -> None:
    """Calls `add`, whatever comes of it."""
    data = contract.add.prepare_calldata(amount)
    computation = contract.env.execute_code(to_address=contract.address, data=data)
    code.see(computation.code._trace)


def missing(code: Code) -> set[tuple[str, str, str]]:
    """What was never run in `add`: statement, decision and way."""
    return {(edge.statement, edge.kind, edge.way) for edge in code.missing() if edge.function == "add"}


def test_every_jump_has_two_edges(toy: tuple[Any, Code]) -> None:
    _, code = toy
    assert code.edges
    for edge in code.edges:
        assert code.bytecode[edge.jump] == 0x57
    jumps = [edge.jump for edge in code.edges]
    assert all(jumps.count(jump) == 2 for jump in jumps)


def test_an_edge_is_missing_until_it_is_run(toy: tuple[Any, Code]) -> None:
    contract, code = toy
    refused = ('assert amount != 0, "toy: zero"', "assert", REFUSES)
    overflow = ("self.total += amount", "safeadd", REFUSES)
    branch = [edge for edge in code.edges if edge.statement == "if amount > 100:"]
    assert [edge.origin for edge in branch] == [OWN, OWN]
    run(contract, code, 3)
    assert {refused, overflow} <= missing(code)
    assert sum(statement == "if amount > 100:" for statement, *_ in missing(code)) == 1
    run(contract, code, 0)
    assert refused not in missing(code)
    run(contract, code, 101)
    assert not any(statement == "if amount > 100:" for statement, *_ in missing(code))
    assert overflow in missing(code)
    (checked,) = {edge.origin for edge in code.edges if edge.kind == "safeadd"}
    assert checked == COMPILER


def test_a_line_is_missing_until_it_is_run(toy: tuple[Any, Code]) -> None:
    contract, code = toy
    line = TOY.splitlines().index("        self.total = 100") + 1
    run(contract, code, 3)
    assert not code.lines["Toy", line] & code.pcs
    assert f"never run: line {line} of Toy" in report([code], {})[1]
    run(contract, code, 101)
    assert code.lines["Toy", line] & code.pcs


def test_lcov_tells_lines_and_both_ways_of_each_condition(toy: tuple[Any, Code], tmp_path: Path) -> None:
    contract, code = toy
    number = {line.strip(): place for place, line in enumerate(TOY.splitlines(), 1)}
    never, test = number["self.total = 100"], number["if amount > 100:"]

    def told() -> list[str]:
        text = lcov.render([code], code.edges, tmp_path.resolve(), tmp_path.resolve())
        assert text.startswith("TN:wattproof\nSF:Toy.vy\n") and text.endswith("end_of_record\n")
        return text.splitlines()

    assert {f"DA:{never},0", f"BRDA:{test},0,0,-", f"BRDA:{test},0,1,-"} <= set(told())
    run(contract, code, 3)
    assert {f"DA:{never},0", f"DA:{number['self.total += amount']},1"} <= set(told())
    assert sorted(line[-1] for line in told() if line.startswith(f"BRDA:{test},")) == ["0", "1"]
    run(contract, code, 101)
    assert f"DA:{never},1" in told()
    assert [line[-1] for line in told() if line.startswith(f"BRDA:{test},")] == ["1", "1"]
    lines = [line for line in told() if line.startswith("DA:")]
    assert f"LF:{len(lines)}" in told() and f"LH:{sum(line.endswith(',1') for line in lines)}" in told()


def test_lcov_lies_beside_the_results_and_is_known_as_ours(tmp_path: Path) -> None:
    place = lcov_beside(tmp_path / "edges.json")
    assert place.name == "edges.lcov"
    for _ in range(2):  # The second run replaces what the first one wrote.
        with File(place) as file:
            file.write("TN:wattproof\n")
    with pytest.raises(BadPlace, match=r"name a \.json"):
        lcov_beside(place)
    place.write_text("TN:other\n")
    with pytest.raises(BadPlace, match="not of an earlier run"), File(place):
        pass


def test_locks_selectors_and_call_data_are_told_apart(toy: tuple[Any, Code]) -> None:
    _, code = toy
    kinds = {edge.kind for edge in code.edges if edge.function == "add"}
    assert {"lock", "selector", "bad calldatasize or callvalue"} <= kinds


def test_the_report_wants_a_reason_and_a_true_one(toy: tuple[Any, Code]) -> None:
    contract, code = toy
    for amount in (0, 3, 101):
        run(contract, code, amount)
    overflow = next(edge for edge in code.edges if edge.kind == "safeadd" and edge.way == REFUSES)
    assert f"never run: {overflow.shown()}" in report([code], {})[1]
    assert f"never run: {overflow.shown()}" not in report([code], {overflow.key: "the total is 2 ** 20 at most"})[1]
    refused = next(edge for edge in code.edges if edge.kind == "assert" and edge.way == REFUSES)
    wrong = {refused.key: "nobody adds nothing", ("Toy", "add", "gone", "if", "jumps"): "it went"}
    problems = report([code], wrong)[1]
    assert any("lists an edge that was run" in problem for problem in problems)
    assert any("lists an edge that is no more" in problem for problem in problems)


def test_a_watch_sees_calls_deployments_and_what_they_call() -> None:
    from tests.support.stage import Stage

    with boa.swap_env(make_env("pyevm")):
        watch = Watch(contracts_dir().resolve())
        with watch.on():
            stage = Stage()
            p256.give(boa.env)
            P256Meter("device").deploy()
            stage.account(stage.prosumer)  # the lens is called by who looks only
        pairs = {code.contract: len(code.pairs) for code in watch.codes}
        # The token is called by the market only, the meter's own code by nobody.
        assert {name for name, number in pairs.items() if not number} == {"P256Meter"}, pairs
        market = next(code for code in watch.codes if code.contract == "EnergyMarket")
        names = {edge.function for edge in market.edges} - {edge.function for edge in market.missing()}
        assert "settle_quote" not in names


def test_the_list_of_unreachable_edges_names_edges() -> None:
    watch = Watch(contracts_dir().resolve())
    known = {edge.key for code in watch.codes for edge in code.edges}
    assert unreachable(ROOT).keys() <= known


def test_of_a_lens_what_its_own_source_asks_has_to_be_run() -> None:
    watch = Watch(contracts_dir().resolve())
    edges = [edge for code in watch.codes for edge in code.edges]
    lens = [edge for edge in edges if edge.contract.startswith("MarketLens")]
    held = {(edge.module, edge.origin) for edge in lens if is_ours(edge)}
    assert held == {("MarketLens", OWN)}
    assert any(edge.origin == COMPILER for edge in lens)
    assert all(is_ours(edge) for edge in edges if edge not in lens and "/" not in edge.module)
