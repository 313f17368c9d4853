"""What an auditor reads first: how strong the verdict is, findings, scope, who may call what, where it is checked."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from verification.builds import build
from verification.invariants import ROOT, invariants
from verification.report import checks, effort, entries, findings, page, parts, sources, system, text, verdict
from verification.report.facts import number
from verification.report.strength import strength
from wattproof.market.bytecode import compiled

TERMS = (ROOT / "docs" / "terms.md").read_text()


# ---- the verdict ---------------------------------------------------------------------------------


def _told(**states: str) -> dict[str, Any]:
    shown = {
        name: {"state": state, "sample": name == "mutation", "command": f"make {name}"}
        for name, state in states.items()
    }
    return {
        "effort": {"histories": 12_000, "checks": 7},
        "selection": {"asked": "", "invariants": 2, "of": 2},
        "invariants": [{"checked": 5, "status": "held"}, {"checked": 2, "status": "held"}],
        "parts": shown,
    }


def test_a_verdict_says_how_strong_it_is() -> None:
    said = strength(_told(gas="present", mutation="present", edges="missing", nodes="stale"), "")
    assert said.startswith(f"Tested, not proved: {number(12_000)} histories, 7 checks.")
    assert "Of 4 other measurements 2 were made on this bytecode: gas, mutation (a sample)." in said
    assert said.endswith("Not measured: edges, nodes; `make edges` and `make nodes` do it.")
    assert "Not measured" not in strength(_told(gas="present"), "")
    assert "(the quick profile leaves out what a whole run measures itself)" in strength(
        _told(gas="missing"), "the quick profile"
    )


def test_the_strength_of_a_part_counts_the_checks_of_that_part() -> None:
    told = _told(gas="present")
    told["selection"] |= {"asked": "--only C3-FEE-4", "invariants": 1}
    told["invariants"][0]["status"] = "left out"
    said = strength(told, "")
    assert said.startswith(f"Tested, not proved: {number(12_000)} histories, 2 checks of what was asked for, 7 of all.")


def test_the_strength_stands_beside_the_verdict(
    told: dict[str, Any], places: dict[str, int], falsified: tuple[int, Path, Path]
) -> None:
    said = told["verdict"]["strength"]
    assert number(told["effort"]["histories"]) in said
    header = page.render(told, places).partition("<nav")[0]
    assert "Tested, not proved" in header
    assert told["verified"]["market"]["runtime"]["keccak256"] in header
    assert told["times"]["began"] in header
    assert said in text.render(told)
    assert "Tested, not proved" in (falsified[1] / "console.txt").read_text()


@pytest.mark.parametrize(("held", "sentence"), [(1, "The one invariant held."), (2, "All 2 invariants held.")])
def test_the_verdict_on_a_part_counts_its_invariants(held: int, sentence: str) -> None:
    told: dict[str, Any] = {
        "invariants": [{"id": f"C1-A-{n}", "status": "held" if n <= held else "left out"} for n in range(1, 4)],
        "tests": {},
        "failures": [],
        "stages": {},
        "effort": {"complete": {}, "profile": "quick"},
        "selection": {"asked": "--only C1-A", "invariants": held, "of": 3},
    }
    campaign: Any = SimpleNamespace(stopped=None, stages=[])
    assert verdict.verdict(told, campaign)["sentence"].endswith(sentence)


def test_a_verdict_of_a_run_that_is_not_whole_says_how_many_held() -> None:
    """That nothing was seen not to hold is worth little where hardly anything was looked at."""
    told: dict[str, Any] = {
        "invariants": [
            {"id": f"C1-A-{n}", "status": status} for n, status in enumerate(("held", "blocked", "blocked"))
        ],
        "tests": {},
        "failures": [],
        "stages": {},
        "effort": {"complete": {}, "profile": "quick"},
        "selection": {"asked": "", "invariants": 3, "of": 3},
    }
    campaign: Any = SimpleNamespace(stopped="time was up after 90 s", stages=[])
    said = verdict.verdict(told, campaign)
    assert said["outcome"] == "incomplete"
    assert said["sentence"].endswith("time was up after 90 s. 1 of 3 invariants held; of the others it shows nothing.")


# ---- scope and roles -----------------------------------------------------------------------------


def test_the_scope_is_every_file_with_its_hash() -> None:
    found = {one["file"]: one for one in system.scope()}
    files = {str(path.relative_to(ROOT)): path for path in (ROOT / "contracts").rglob("*.vy*")}
    assert found.keys() == files.keys()
    for name, path in files.items():
        assert found[name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert 0 < found[name]["code"] < found[name]["lines"]
        assert found[name]["title"], name


def test_roles_name_every_call_that_changes_something() -> None:
    rows = system.entries(TERMS, list(invariants().values()))
    calls = {
        entry["name"]
        for entry in build("EnergyMarket").abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    assert {row["call"] for row in rows} == calls
    may = {row["call"]: row["who"] for row in rows}
    assert {call for call, who in may.items() if who == "the owner"} == {"authorize", "revoke", "transfer_ownership"}
    assert may["invalidate_quote"] == "the quote's prosumer"
    assert may["submit_readings"] == "anybody, with the signature of the user's meter"
    assert may["clear"] == may["deposit"] == may["match_bids"] == "anybody"
    held = {row["call"]: row["invariants"] for row in rows}
    assert {"C4-ROLE-1", "C4-FRAME-1"} <= set(held["authorize"])


def test_roles_give_the_reasons_that_others_see_and_what_holds_them() -> None:
    rows = {row["call"]: row for row in system.entries(TERMS, list(invariants().values()))}
    for call in ("submit_quote", "submit_bid", "reveal_bid", "buy_surplus"):
        assert rows[call]["reasons"][:2] == ["accounts: not authorised", "ledger: in arrears"], call
        assert {"C4-ATTACK-1", "C4-ATTACK-2", "C4-ATTACK-3"} <= set(rows[call]["invariants"])
    assert rows["submit_readings"]["reasons"] == [], "a batch leaves out what is bad"
    for call in ("submit_readings", "settle_accounts"):
        assert rows[call]["invariants"] == ["C2-ACCEPT-1"], "the machines of criterion 4 make no batch"
    for call in ("submit_reading", "register"):
        assert {"accounts: malformed signature", "accounts: wrong meter"} <= set(rows[call]["reasons"]), call
        assert "C4-ATTACK-7" in rows[call]["invariants"]
        assert "ecdsa: invalid signature `s` value" in rows[call]["reasons"]
    assert rows["withdraw"]["who"] == rows["withdraw_at_least"]["who"] == "anybody who is not in arrears"
    assert "C4-ATTACK-9" in rows["accept_ownership"]["invariants"]


def test_a_refusal_that_bars_callers_is_read_as_one() -> None:
    """A new refusal of annex A that asks who calls must not leave its call open to anybody in the table of roles."""
    barring = [
        (call, when)
        for call, refusals in system._refusals(TERMS).items()
        for when, _, _ in refusals
        if re.search(r"caller is not|caller has no|TRADER|SIGNATURE", when)
    ]
    assert len(barring) > 10
    assert [one for one in barring if system.who([(one[1], "", "")]) == "anybody"] == []


def test_every_kind_of_attacker_has_a_bound_that_can_be_read() -> None:
    said = (ROOT / "docs" / "threats.md").read_text().partition("## How it is searched")[0]
    assert not re.search(r"^As above", said, re.MULTILINE), "a sentence outside of the tables is not in the report"
    lines = [line for some in sources.threats(ROOT).values() for line in some]
    assert {line["whom"] for line in lines} == set(re.findall(r"^## (.+)$", said, re.MULTILINE))
    assert not [line for line in lines if "as above" in line["loses"]], "in the report its lines stand in another order"
    explained = {letter for one in sources.letters(ROOT) for letter in one["letter"].split(", ")}
    used = {letter for line in lines for letter in re.findall(r"\b(?:[A-Zvpw]|top)\b", line["loses"])}
    assert {"C", "top", "w"} <= used <= explained


def test_the_bounds_on_attackers_are_in_page_and_text(told: dict[str, Any], places: dict[str, int]) -> None:
    html, said = page.render(told, places), text.render(told)
    for one in told["attacks"]["letters"]:
        assert f"<dt>{one['letter']}</dt>" in html
        assert f"- {one['letter']}: {one['means']}\n" in said
    for line in told["attacks"]["lines"]:
        for term in line["terms"]:
            assert f"| {term['whom']} | {term['victim']} | {term['loses']} | {line['invariant']} |" in said
    assert said.index("## Trust and threats") < said.index("## Bounds")
    for phase in told["system"]["phases"]:
        assert f"| {phase['phase']} | {phase['from']} |" in said


def test_bounds_name_the_invariants_on_gas_and_on_blocking() -> None:
    told = system.system(ROOT, list(invariants().values()))
    assert told["gas"] == ["C4-SEEN-18"]
    assert {"C3-LIVE-1", "C3-TRADES-1", "C4-SEEN-17"} <= set(told["blocking"])
    assert [one["phase"] for one in told["phases"]][:2] == ["BIDDING", "REVEALING"]
    assert any("owner" in one["party"] for one in told["parties"])
    assert "match" in told["overview"]


def test_what_was_never_called_is_shown_with_nothing() -> None:
    """An auditor sees it, and need not compare two lists."""
    found = effort.called({"Terms.clear": {"accepted": 3}, "Only.clear": {"accepted": 1}}, ["settle_accounts", "clear"])
    assert found == {"clear": {"accepted": 4, "refused": 0}, "settle_accounts": {"accepted": 0, "refused": 0}}
    assert effort.called({}, ["clear"]) == {}


def test_the_lengths_of_histories_say_which_histories_they_count(told: dict[str, Any], places: dict[str, int]) -> None:
    html = page.render(told, places)
    some = sum(row["histories"] for row in told["lengths"])
    assert f"Calls of each of the {number(some)} histories of state machines" in html
    assert f"The {number(told['effort']['histories'])} histories of the verdict" in html


def test_what_is_left_open_is_found_from_every_invariant_that_it_names() -> None:
    """By a clause, also one inside of a range, by name, in a range of names, and as one of a group."""
    rows = invariants()
    said = "Counts in full in T-GUA-3 to T-GUA-5, and so in C1-WASH-2, C3-FEE-1 to C3-FEE-3, C4-TAKE and C4-PROFIT's."
    for name in ("C3-RATIONAL-2", "C1-WASH-2", "C3-FEE-2", "C4-TAKE-9", "C4-PROFIT-1"):
        assert entries._concerns(said, rows[name]), name
    for name in ("C1-WASH-1", "C3-FEE-4", "C4-TARIFF-1"):
        assert not entries._concerns(said, rows[name]), name


def test_no_form_says_that_nothing_is_left_open(told: dict[str, Any], places: dict[str, int]) -> None:
    """Every invariant is sampled, also one to which no known issue belongs."""
    alone = next(row for row in told["invariants"] if not row["residual"])
    for form in (text.render(told).partition(f"### {alone['id']}:")[2], page.render(told, places)):
        assert "none of its own" in form
        assert "what sampling leaves open" in form


# ---- findings ------------------------------------------------------------------------------------


def test_severities_mean_in_the_report_what_they_mean_in_the_list_of_risks(
    told: dict[str, Any], places: dict[str, int]
) -> None:
    assert findings.LEVELS in " ".join((ROOT / "invariants.md").read_text().split())
    assert findings.LEVELS in text.render(told)
    assert findings.LEVELS in page.render(told, places)


def test_what_failed_is_an_open_finding_before_the_known_issues(told: dict[str, Any]) -> None:
    opened = [one for one in told["findings"] if one["status"] == findings.OPEN]
    assert {one["name"] for one in opened} >= set(told["verdict"]["falsified"])
    assert told["findings"][: len(opened)] == opened
    known = told["findings"][len(opened) :]
    assert len(known) == len(told["risks"])
    order = [findings.SEVERITIES.index(one["severity"]) for one in known]
    assert order == sorted(order)
    assert {one["severity"] for one in known} == {"high", "medium", "low"}


def test_a_test_that_fails_otherwise_is_a_finding_of_unknown_severity() -> None:
    failed = [{"invariant": None, "test": "tests/a.py::test_b", "error": "boom"}]
    (found,) = findings.findings([], failed, [])
    assert (found["severity"], found["status"], found["title"]) == ("unknown", "open", "boom")


# ---- traces --------------------------------------------------------------------------------------


def test_every_invariant_leads_to_the_lines_that_check_it() -> None:
    found, functions = checks.checks(ROOT)
    assert set(invariants()) <= set(found)
    for name, places in found.items():
        for place in places:
            line = (ROOT / place.file).read_text().splitlines()[place.line - 1]
            assert f'"{name}"' in line
            around = functions[place.inside]
            assert around.first <= place.line <= around.last
    assert checks.line_of_test(ROOT, "tests/properties/test_intent.py::Intent") > 1


def test_code_stands_in_the_page_once_and_invariants_lead_to_it(told: dict[str, Any], places: dict[str, int]) -> None:
    html = page.render(told, places)
    assert html.count('id="code-contracts-market-ledger.vy-_reserve"') == 1
    assert html.count('href="#code-contracts-market-ledger.vy-_reserve"') > 1
    assert 'class="web"' not in html
    hosted = told | {"verified": told["verified"] | {"source": "https://host.example/a/b/blob/c0ffee/"}}
    line = next(row for row in told["invariants"] if row["id"] == "C1-PAY-1")["checks"][0]
    assert f"https://host.example/a/b/blob/c0ffee/{line['file']}#L{line['line']}" in page.render(hosted, places)


def test_no_text_of_the_page_shows_its_markup(told: dict[str, Any], places: dict[str, int]) -> None:
    html = page.render(told, places)
    for section in ("findings", "system", "other", "pictures"):
        part = html.partition(f'<section id="{section}">')[2].partition("</section>")[0]
        assert part
        assert "`" not in part, section


# ---- what a run measures by itself ---------------------------------------------------------------


def test_what_the_run_measured_stands_in_for_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PARTS", {name: (Path(f"{name}.json"), "make it") for name in ("symbolic", "mutation")})
    code = compiled("EnergyMarket")["runtime"]["keccak256"]
    own, tree = tmp_path / "own", tmp_path / "tree"
    own.mkdir()
    tree.mkdir()
    for name in ("symbolic", "mutation"):
        figures = {"figures": {"tried": 7}, "bytecode": {"runtime": code}}
        (own / f"{name}.json").write_text(json.dumps(figures))
    (tree / "symbolic.json").write_text(json.dumps({"figures": {}, "bytecode": {"runtime": code}}))
    found = parts.gather(tree, code, own)
    assert found["symbolic"].note == "measured on this very bytecode"
    assert found["mutation"].note.startswith("measured by this run, on a sample: 7 mutants")
    assert parts.shown_of(found["mutation"])["sample"] is True
    assert parts.shown_of(found["symbolic"])["sample"] is False
    assert parts.gather(tree, "00" * 32, own)["mutation"].state == "missing"
    (own / "mutation.json").write_text(json.dumps({"figures": {"tried": 0}, "bytecode": {"runtime": code}}))
    assert parts.gather(tree, code, own)["mutation"].state == "missing"


def test_a_measurement_in_which_nothing_was_caught_is_none_that_is_missing() -> None:
    assert entries._of("C1-PAY-1", None, []) is None
    assert entries._of("C1-PAY-1", {}, []) == []
    assert entries._of("C1-PAY-1", {}, {"killed": 0, "alone": 0}) == {"killed": 0, "alone": 0}
