"""The report's other forms say what the document says; two reports compare; deployed code is told apart."""

from __future__ import annotations

import copy
import http.server
import io
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import boa
import pytest
from rich.console import Console

from verification.invariants import ROOT
from verification.report import compare, document, junit, page, parts, sarif, templates, text
from verification.report.facts import clock, number
from wattproof.market import bytecode as onchain
from wattproof.market.deployment import Tariff, deploy


def test_every_figure_of_the_page_is_the_documents(told: dict[str, Any], places: dict[str, int]) -> None:
    html = page.render(told, places)
    found = re.findall(r'<data data-from="([^"]+)" title="evidence.json, line (\d+): [^"]*">(.*?)</data>', html)
    assert len(found) > 500
    lines = document.dumped(told)[0].splitlines()
    for pointer, line, shown in found:
        value = document.at(told, pointer.replace("&#34;", '"'))
        assert places[pointer] == int(line)
        if not isinstance(value, str | bool) and value is not None and pointer.count("/") > 2:
            assert shown.startswith((number(value), clock(value))), pointer
            assert str(value) in lines[int(line) - 1]


def test_killers_and_figures_may_have_slashes(told: dict[str, Any], places: dict[str, int]) -> None:
    html = page.render(told, places)
    for pointer in ("/mutants/matrix/tests~1properties~1test_packing.py/bids", "/parts/mutation/figures/tried~1all"):
        assert pointer in places
        assert f'data-from="{pointer}"' in html


def test_names_of_rows_are_cut_at_their_end() -> None:
    assert templates.short("C4-PACK-1") == "C4-PACK-1"
    assert templates.short("tests/properties/test_packing.py") == "test_packing.py"
    assert templates.short("tests/unit/test_views.py::test_tells[a/b]") == "test_tells[a/b]"
    assert templates.short("tests/unit/test_x.py::test_" + "y" * 40) == "test_" + "y" * 22 + "…"


def test_gas_is_shown_per_step(told: dict[str, Any], places: dict[str, int]) -> None:
    steps = {row["function"]: row for row in told["gas"]}
    assert {"register", "bid", "match, a loser, n = 128", "reading, in a batch, n = 64"} <= set(steps)
    assert not any(name.startswith(("deploy", "match, full book")) for name in steps)
    assert all(0 < row["median"] <= row["worst"] < 250_000 for row in steps.values())
    assert 'id="picture-gas"' in page.render(told, places)


def test_the_page_needs_nothing_else(told: dict[str, Any], places: dict[str, int]) -> None:
    html = page.render(told, places)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html.replace('href="https://doi.org', ""))
    assert "@import" not in html
    assert "url(" not in html


def test_every_link_of_the_page_leads_somewhere(told: dict[str, Any], places: dict[str, int]) -> None:
    html = page.render(told, places)
    targets = set(re.findall(r'\bid="([^"]+)"', html))
    assert sorted(set(re.findall(r'href="#([^"]+)"', html)) - targets) == []


def test_what_was_not_reached_is_never_shown_as_held(told: dict[str, Any]) -> None:
    changed = copy.deepcopy(told)
    row = changed["invariants"][0]
    row |= {"status": "not reached", "checked": 0}
    html = page.render(changed, document.dumped(changed)[1])
    block = html[html.index(f'id="{row["id"]}"') :][:400]
    assert "not reached</span>" in block
    assert ">held<" not in block
    assert f"### {row['id']}: NOT REACHED" in text.render(changed)


def test_junit_counts_what_the_document_counts(told: dict[str, Any]) -> None:
    root = ElementTree.fromstring(junit.render(told).partition("?>")[2])
    cases = {case.get("name"): case for case in root.iter("testcase")}
    for row in told["invariants"]:
        marks = [child.tag for child in cases[row["id"]] if child.tag != "system-out"]
        wanted = {"held": [], "falsified": ["failure"], "blocked": ["error"], "not reached": ["skipped"]}
        assert marks == wanted[row["status"]]
    assert int(root.get("failures", "")) == sum(1 for _ in root.iter("failure"))
    assert set(told["tests"]) <= cases.keys()


@pytest.mark.parametrize(
    ("contracts", "uri"),
    [
        ("contracts", "contracts/market/ledger.vy"),
        ("tests/data/other", "tests/data/other/market/ledger.vy"),
        (str(ROOT / "changed market"), "changed%20market/market/ledger.vy"),
        ("/elsewhere/contracts", "file:///elsewhere/contracts/market/ledger.vy"),
    ],
)
def test_sarif_names_the_files_of_the_caller(told: dict[str, Any], contracts: str, uri: str) -> None:
    other = copy.deepcopy(told)
    other["verified"]["contracts"] = contracts
    row = next(row for row in other["invariants"] if row["id"] == other["failures"][0]["invariant"])
    row["where"] = [{"file": "contracts/market/ledger.vy", "first": 1, "last": 2}]
    (result,) = [one for one in json.loads(sarif.render(other))["runs"][0]["results"] if one["ruleId"] == row["id"]]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_sarif_points_at_contract_lines(told: dict[str, Any]) -> None:
    (run,) = json.loads(sarif.render(told))["runs"]
    errors = [result for result in run["results"] if result["level"] == "error"]
    found = {result["ruleId"] for result in errors} - {sarif.TEST, sarif.STAGE}
    assert found and found <= set(told["verdict"]["falsified"])
    folder = Path(told["verified"]["contracts"])
    assert folder.is_absolute(), "the faulty contracts stood in a folder of their own"
    for result in run["results"]:
        if result["ruleId"] in told["verdict"]["falsified"]:
            places = [place["physicalLocation"]["artifactLocation"]["uri"] for place in result["locations"]]
            assert all(uri.startswith(folder.as_uri() + "/") for uri in places)


def test_sarif_points_into_the_checkout_of_the_caller(
    told: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where somebody verifies a market of their own, their code host has no file of this project."""
    mine = copy.deepcopy(told)
    mine["verified"]["contracts"] = str(tmp_path / "market")
    mine["invariants"][0] |= {"status": "falsified", "where": []}
    mine["failures"] = []
    monkeypatch.chdir(tmp_path)
    results = json.loads(sarif.render(mine))["runs"][0]["results"]
    artifacts = [place["physicalLocation"]["artifactLocation"] for one in results for place in one["locations"]]
    assert {artifact["uriBaseId"] for artifact in artifacts} == {"%SRCROOT%"}
    assert results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "market/EnergyMarket.vy"


# ---- other evidence ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (None, "missing"),
        ("{", "unreadable"),
        ("[]", "unreadable"),
        ('{"figures": {}}', "unreadable"),
        ('{"bytecode": {"runtime": "0xBB"}}', "stale"),
        ('{"bytecode": {"runtime": "0xAA"}}', "present"),
    ],
)
def test_a_part_counts_for_its_own_bytecode_only(tmp_path: Path, content: str | None, state: str) -> None:
    if content is not None:
        (tmp_path / "out" / "evidence").mkdir(parents=True)
        (tmp_path / "out" / "evidence" / "mutation.json").write_text(content)
    assert parts.gather(tmp_path, "aa")["mutation"].state == state


def _mutation(**mutant: Any) -> dict[str, Any]:
    return {"details": {"mutants": [{"mutant": "a", "module": "b", "result": "killed", "by": "C1-A-1"} | mutant]}}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mutation", {"details": []}),
        ("mutation", {"details": {"mutants": [{"mutant": "a"}]}}),
        ("mutation", {"details": {"mutants": None}}),
        ("mutation", _mutation(by=None)),
        ("mutation", _mutation(by=["C1-A-1"])),
        ("mutation", _mutation(module=None)),
        ("mutation", _mutation(module={})),
        ("edges", {"figures": [1, 2]}),
        ("edges", {"seconds": "a minute"}),
        ("nodes", {"versions": {"python": 3}}),
        ("faults", {"details": [{"caught": True}]}),
        ("faults", {"details": "none"}),
        ("gas", {"figures": {"bid": {"median": 1}}}),
        ("gas", {"figures": {"bid": {"step": "bid", "n": 1, "median": "1", "worst": 2}}}),
        ("gas", {"figures": {"bid": {"step": "bid", "n": 1, "median": -1, "worst": 2}}}),
    ],
)
def test_a_part_of_another_layout_is_told_and_takes_no_report_along(
    told: dict[str, Any], tmp_path: Path, name: str, content: dict[str, Any]
) -> None:
    file, command = parts.PARTS[name]
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(json.dumps({"bytecode": {"runtime": "aa"}} | content))
    part = parts.gather(tmp_path, "aa")[name]
    assert part.state == "unreadable"
    assert "is not laid out as" in part.note and command in part.note
    with_it = copy.deepcopy(told)
    with_it["parts"][name] = parts.shown_of(part)
    assert part.file in page.render(with_it, document.dumped(with_it)[1])


@pytest.mark.parametrize("content", [b"", b'{"bytecode": ', b"\xff\xfe", b'{"seconds": NaN}', None])
def test_a_part_that_is_no_json_is_told(tmp_path: Path, content: bytes | None) -> None:
    place = tmp_path / parts.PARTS["faults"][0]
    place.parent.mkdir(parents=True)
    place.mkdir() if content is None else place.write_bytes(content)
    part = parts.gather(tmp_path, "aa")["faults"]
    assert part.state == "unreadable"
    assert "`make faults` makes it anew" in part.note


# ---- two reports ---------------------------------------------------------------------------


def test_a_report_is_like_itself(told: dict[str, Any]) -> None:
    assert not any(compare.differences(told, told).values())


def test_what_stops_holding_makes_a_report_worse(told: dict[str, Any], tmp_path: Path) -> None:
    before, after = copy.deepcopy(told), copy.deepcopy(told)
    before["invariants"][0]["status"], after["invariants"][0]["status"] = "held", "not reached"
    before["invariants"][1]["status"] = "held"
    after["invariants"][2]["statement"] += " Or not."
    del after["invariants"][1]
    found = compare.differences(before, after)
    first, second, third = (row["id"] for row in before["invariants"][:3])
    assert found["worse"] == [first, second]
    assert found["vanished"] == [second]
    assert found["changed"] == [third]
    for name, content in (("a.json", before), ("b.json", after)):
        (tmp_path / name).write_text(json.dumps(content))
    said = io.StringIO()
    out = Console(file=said, width=200)
    assert compare.diff(tmp_path / "a.json", tmp_path / "b.json", out) == 1
    assert compare.diff(tmp_path / "b.json", tmp_path / "b.json", out) == 0
    assert compare.diff(tmp_path / "none", tmp_path / "b.json", out) == 2
    assert f"status: {first}: held -> not reached" in said.getvalue()


@pytest.mark.parametrize("known", ["blocked", "not reached", "left out"])
def test_what_is_falsified_of_which_nothing_was_known_makes_a_report_worse(
    told: dict[str, Any], tmp_path: Path, known: str
) -> None:
    """The first run was cut short, say, or asked for a part."""
    for name, status in (("before", known), ("after", "falsified")):
        changed = copy.deepcopy(told)
        changed["verdict"]["outcome"] = {"before": "incomplete", "after": "falsified"}[name]
        changed["invariants"][0]["status"] = status
        (tmp_path / name).write_text(json.dumps(changed))
    said = io.StringIO()
    out = Console(file=said, width=200)
    assert compare.diff(tmp_path / "before", tmp_path / "after", out) == 1
    assert f"status: {told['invariants'][0]['id']}: {known} -> falsified" in said.getvalue()
    assert "worse: 1 invariant newly falsified, of which nothing was known" in said.getvalue()
    assert "left out" not in said.getvalue().partition("status")[0]
    assert compare.diff(tmp_path / "after", tmp_path / "before", out) == 0


def test_a_report_of_a_run_that_failed_otherwise_is_worse_too(told: dict[str, Any], tmp_path: Path) -> None:
    """A unit test fails, say, that stands for no invariant."""
    for outcome in ("held", "incomplete", "falsified"):
        changed = copy.deepcopy(told)
        changed["verdict"]["outcome"] = outcome
        (tmp_path / outcome).write_text(json.dumps(changed))
    said = io.StringIO()
    held, falsified, out = tmp_path / "held", tmp_path / "falsified", Console(file=said, width=200)
    assert compare.diff(held, falsified, out) == compare.diff(tmp_path / "incomplete", falsified, out) == 1
    assert "No invariant that held" not in said.getvalue()
    assert compare.diff(falsified, held, out) == compare.diff(held, held, out) == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told.pop("verified"),
        lambda told: told.pop("invariants"),
        lambda told: told["invariants"][0].pop("id"),
        lambda told: told["invariants"].append(None),
        lambda told: told["verified"].update(market=None),
        lambda told: told["verified"]["market"]["runtime"].pop("keccak256"),
        lambda told: told["verified"]["market"]["immutables"].append({}),
        lambda told: told["verdict"].update(sentence=1),
        lambda told: told.update(parts=[]),
        lambda told: told.update(gas={}),
    ],
)
def test_a_report_that_is_not_whole_is_told_and_not_compared(
    told: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Any
) -> None:
    spoilt = copy.deepcopy(told)
    spoil(spoilt)
    whole, broken = tmp_path / "whole.json", tmp_path / "broken.json"
    whole.write_text(json.dumps(told))
    broken.write_text(json.dumps(spoilt))
    for pair in ((whole, broken), (broken, whole)):
        assert compare.diff(*pair, Console(file=io.StringIO())) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "broken.json is no whole report" in line
        assert "make it anew with `wattproof verify`" in line


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b'"text"', b'{"schema": "wattproof-evidence/4"}', b'{"schema": ', b"\xff", b"[" * 200_000],
)
def test_what_is_no_report_is_told(
    told: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    place = tmp_path / "report"
    place.mkdir()
    (place / "evidence.json").write_bytes(content)
    assert compare.diff(place, place, Console(file=io.StringIO())) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "evidence.json" in line


def test_the_product_itself_refuses_a_report_without_what_it_reads(
    told: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for missing in (("verified",), ("verdict",), ("verified", "market"), ("verified", "credit", "immutables")):
        spoilt = copy.deepcopy(told)
        inside = spoilt
        for step in missing[:-1]:
            inside = inside[step]
        del inside[missing[-1]]
        (tmp_path / "evidence.json").write_text(json.dumps(spoilt))
        console = Console(file=io.StringIO())
        assert onchain.check_bytecode("0x" + "12" * 20, "http://127.0.0.1:9", tmp_path, console) == 2
        assert "is no whole report" in capsys.readouterr().err


# ---- deployed code -------------------------------------------------------------------------


@pytest.fixture
def node() -> Iterator[str]:
    """A node that answers for titanoboa's environment."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            result = ""
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            match asked["method"]:
                case "eth_getCode":
                    result = "0x" + bytes(boa.env.get_code(asked["params"][0])).hex()
                case "eth_chainId":
                    result = hex(boa.env.evm.patch.chain_id)
            body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_deployed_market_is_told_from_others(right: tuple[int, Path], node: str) -> None:
    market = deploy(Tariff(sbp=6, ssp=18, service_fee=1))
    out = io.StringIO()
    console = Console(file=out, width=200)
    check = onchain.check_bytecode
    assert check(str(market.market.address), node, right[1], console) == 0
    assert check(str(market.token.address), node, right[1], console) == 1
    assert check("0x" + "12" * 20, node, right[1], console) == 2
    assert check("0x12", node, right[1], console) == 2
    assert check(str(market.market.address), "http://127.0.0.1:9", right[1], console) == 2
    said = out.getvalue()
    assert "SBP: 6" in said
    assert "the token is the project's EnergyCredit" in said


def test_a_changed_byte_and_a_foreign_frame_are_seen(right: tuple[int, Path]) -> None:
    told = compare.load(right[1])
    market = deploy().market
    code, compiled = bytearray(boa.env.get_code(market.address)), told["verified"]["market"]
    chain = boa.env.evm.patch.chain_id
    same, _, values = onchain.check(bytes(code), compiled)
    assert same
    assert onchain.misfits(values, str(market.address), chain) == []
    assert onchain.misfits(values, "0x" + "12" * 20, chain)
    assert onchain.misfits(values, str(market.address), chain + 1)
    code[1000] ^= 1
    assert not onchain.check(bytes(code), compiled)[0]
    assert not onchain.check(bytes(code[:-1]), compiled)[0]
