"""`wattproof household` as it is typed: withdrawing, devices' folders, and what cannot be used in one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

from tests.support.field import Ground
from tests.support.neighbours import PASSWORD, Neighbour
from tests.support.street import Process, Street, running
from wattproof.agents.household.meters import PAIRING, PAIRING_SCHEMA
from wattproof.agents.readings import queue
from wattproof.cli import main
from wattproof.market.meters import Meter
from wattproof.terms.model import Phase

ZERO = "0x" + 40 * "0"


@pytest.fixture
def street(ground: Ground, tmp_path: Path) -> Iterator[Street]:
    """A market; the chain is as it was afterwards."""
    kept = ground.anvil.rpc("evm_snapshot")
    found = Street(ground)
    ground.record.write(tmp_path / "deployment.json")
    yield found
    ground.anvil.rpc("evm_revert", kept)


def neighbour(street: Street, tmp_path: Path) -> Neighbour:
    return Neighbour(street, tmp_path / "misty", "misty", -900, -900)


def test_it_withdraws_and_ends(street: Street, tmp_path: Path) -> None:
    misty = neighbour(street, tmp_path)
    joined = street.join("misty")
    agent = misty.start("--withdraw", "1.5")
    with running(agent):
        street.until(agent.ended)
        assert agent.code() == 0, agent.said
    assert agent.lines[-1] == "1.5 WATT is withdrawn"
    assert street.market.token.view("balanceOf", joined.address) == 15 * 10**17 + 10**20
    assert street.market.view("account", joined.address).balance == 10**20 - 15 * 10**17
    # More than there is: it is refused, and not tried again.
    agent = misty.start("--withdraw", "1000")
    with running(agent):
        street.until(agent.ended)
        assert agent.code() == 1, agent.said
    assert "insufficient balance" in agent.said and "is not withdrawn" in agent.lines[-1]


def test_an_agent_that_runs_withdraws(street: Street, tmp_path: Path) -> None:
    misty = neighbour(street, tmp_path)
    home = street.join("misty")
    agent = misty.start()
    with running(agent):
        street.settle_down(agent)
        asked = misty.start("--withdraw", "2")
        street.until(asked.ended)
        assert asked.code() == 0, asked.said
        street.until(lambda: street.market.view("account", home.address).balance == 10**20 - 2 * 10**18)
        street.settle_down(agent)
        # The same amount another day is another request.
        again = misty.start("--withdraw", "2")
        assert again.code() == 0
        street.until(lambda: street.market.view("account", home.address).balance == 10**20 - 4 * 10**18)
        street.settle_down(agent)
        asked = misty.start("--withdraw", "500")
        assert asked.code() == 2
        assert asked.lines[-1] == "500 WATT cannot be withdrawn: 96 WATT is free in the market"
        street.settle_down(agent)


def test_who_measures_nothing_is_warned_and_told_what_it_lost(street: Street, tmp_path: Path) -> None:
    misty, owner = neighbour(street, tmp_path), street.ground.owner
    home = street.join("misty")
    street.join("sunny")
    quote = street.quote("sunny", 2_000, 9 * 10**13)
    agent = misty.start()
    with running(agent):
        for phase, late in ((Phase.REVEALING, -600), (Phase.REVEALING, 0), (Phase.MATCHING, 0), (Phase.METERING, 300)):
            street.ground.anvil.mine(street.clock.begins(phase, street.period) + late)
            if phase == Phase.MATCHING:
                street.call(owner, "match_bids", quote)
            street.settle_down(agent)
        street.ground.anvil.mine(street.now + 10)
        street.settle_down(agent)
        (warned,) = [line for line in agent.lines if "no measured values" in line]
        assert warned == (
            f"no measured values for period {street.period} in {misty.folder / 'measured.csv'}; "
            "who stays silent loses its authorisation"
        )
        street.to(Phase.SETTLING)
        street.call(owner, "settle_quote", quote)
        street.call(owner, "settle_accounts", street.period, (home.address,))
        street.settle_down(agent)
        lost = f"{home.address} was silent in period {street.period}, and so lost its authorisation: "
        assert agent.lines[-1] == lost + "the market's owner has to let it in again"
        street.call(owner, "authorize", home.address, 11_500)
        street.call(owner, "revoke", home.address)
        street.settle_down(agent)
        assert agent.lines[-1] == f"{home.address} was revoked: the market's owner has to let it in again"


def test_a_device_registers_and_reports_through_its_folder(street: Street, tmp_path: Path) -> None:
    misty = neighbour(street, tmp_path)
    home, record = street.homes["misty"], street.ground.record
    device = tmp_path / "device"
    device.mkdir()
    arguments = ["household", "--rpc", street.ground.url, "--deployment", str(tmp_path / "deployment.json")]
    arguments += ["--interval", "0.1", "--meter", str(device), "--forecasts", str(misty.folder / "forecasts.csv")]
    arguments += ["--register", str(misty.folder / "profile")]
    agent = Process(misty.folder, "misty", *arguments)
    assert agent.code() == 2 and PAIRING in agent.lines[-1], "the device has signed nothing yet"
    profile = keccak(text="misty")
    signature = home.meter.sign_pairing(record.market, home.address, profile, record.chain_id)
    pairing = {"schema": PAIRING_SCHEMA, "chain": record.chain_id, "market": record.market, "user": home.address}
    pairing |= {"profile": "0x" + profile.hex(), "meter": home.meter.address, "signature": "0x" + signature.hex()}
    (device / PAIRING).write_text(json.dumps(pairing))
    agent = Process(misty.folder, "misty", *arguments)
    with running(agent):
        street.until(lambda: street.market.view("account", home.address).meter == home.meter.address)
        street.call(street.ground.owner, "authorize", home.address, 11_500)
        queue(device, street.reading("misty", 0, 800))
        street.to(Phase.METERING)
        street.ground.anvil.mine(street.clock.begins(Phase.METERING, street.period) + 300)
        street.until(lambda: street.read("misty"))
        street.to(Phase.SETTLING)
        street.settle_down(agent)
    assert [path.name for path in (device / "done").iterdir()] == [f"{street.period}-{home.address}.json"]


@pytest.fixture
def typed(
    street: Street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The one line that the command says, typed with these arguments, where it ends with 2."""
    misty = neighbour(street, tmp_path)
    monkeypatch.setenv("WATTPROOF_KEY", keccak(text="wattproof simulation misty").hex())
    monkeypatch.setenv("WATTPROOF_PASSWORD", PASSWORD)
    plain = ["household", "--rpc", street.ground.url, "--deployment", str(tmp_path / "deployment.json")]
    plain += ["--state", str(tmp_path / "state"), "--meter", str(misty.folder / "meter.json")]
    plain += ["--forecasts", str(misty.folder / "forecasts.csv")]
    counted = ["--measured", str(misty.folder / "measured.csv")]

    def line(*more: str, measured: bool = True) -> str:
        assert main([*plain, *(counted if measured else []), *more]) == 2
        (said,) = capsys.readouterr().err.splitlines()
        assert said.isprintable()
        return said

    return line


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--forecasts", "the columns are"),
        ("--register", "begins with no commitment"),
        ("--meter", "is no encrypted keystore"),
        ("--withdraw", "is no amount of WATT"),
        ("--webhook", "is no URL"),
        ("--deployment", "`wattproof deploy`"),
        ("--rpc", "the RPC address is no URL"),
        ("--state", "Not a directory"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    option: str, said: str, street: Street, tmp_path: Path, typed: Callable[..., str]
) -> None:
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("rubbish\n")
    value = {"--state": str(rubbish / "state")}.get(option, str(rubbish))
    assert said.lower() in typed(option, value).lower()
    assert street.market.view("account", street.homes["misty"].address).meter == ZERO


def test_a_meter_without_what_it_counted_is_refused(tmp_path: Path, typed: Callable[..., str]) -> None:
    assert typed(measured=False) == "--meter is a keystore: name what it counted by --measured FILE"
    assert not (tmp_path / "state").exists()


def test_who_is_not_registered_is_told_how(typed: Callable[..., str]) -> None:
    assert "add --register FILE" in typed()


def test_another_meter_is_not_taken_for_its_own(street: Street, typed: Callable[..., str]) -> None:
    home = street.homes["misty"]
    street.homes["misty"].meter = Meter("another")
    profile = keccak(text="misty")
    signature = home.meter.sign_pairing(street.market.address, home.address, profile, street.ground.record.chain_id)
    street.call(home.account, "register", profile, home.meter.address, signature)
    assert f"registered with the meter {home.meter.address}" in typed()


def test_no_secret_is_said_or_listed(street: Street, tmp_path: Path) -> None:
    misty = neighbour(street, tmp_path)
    street.join("sunny")
    street.quote("sunny", 2_000, 9 * 10**13)
    home = street.join("misty")
    agent = misty.start()
    with running(agent):
        street.ground.anvil.mine(street.clock.begins(Phase.REVEALING, street.period) - 600)
        street.settle_down(agent)
        assert street.market.view("bid", 1, home.address).status != 0
        listed = Path(f"/proc/{agent.process.pid}/cmdline")
        shown = agent.said + (listed.read_bytes().decode() if listed.exists() else "")
    key = keccak(text="wattproof simulation misty").hex()
    for secret in (key, home.meter.key.to_bytes().hex(), PASSWORD):
        assert secret not in shown
    assert "bid on quote 1: done" in shown and "price" not in shown
