"""Markets that settle in other people's tokens: their decimals, their symbols, and what is no token at all."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode

from tests.support.stage import TARIFF, Stage
from tests.support.tokens import deployer
from wattproof import cli, repl
from wattproof.evm import network
from wattproof.market import deployment
from wattproof.market.deployment import CREDIT, Tariff, deploy, deploy_market
from wattproof.market.tariff import PAPER, in_token
from wattproof.market.tokens import Token, UnusableToken, read_token

USDC = encode(["string"], ["USDC"])


def odd(decimals: int | bytes = 6, symbol: bytes = USDC, is_endless: bool = False) -> Any:
    """A token that answers so to `decimals` and `symbol`; to empty bytes it reverts."""
    answer = decimals if isinstance(decimals, bytes) else encode(["uint256"], [decimals])
    return deployer("OddToken").deploy(answer, symbol, is_endless)


def opened(token: Any, stage: Stage, tariff: Tariff = PAPER) -> tuple[Any, str]:
    """A market that settles in the token, and what was shown before."""
    shown: list[str] = []
    market = deploy_market(token, stage.supplier, tariff, stage.owner, show=shown.append)
    (line,) = shown
    assert line.isprintable()
    return market, line


def refusal(token: Any, stage: Stage, tariff: Tariff = PAPER) -> str:
    """The line that says why no market was opened."""
    with pytest.raises(UnusableToken) as refused:
        opened(token, stage, tariff)
    line = str(refused.value)
    assert line.isprintable()
    return line


def prices(market: Any) -> tuple[int, int, int]:
    """SBP, SSP and fee, in base units per Wh."""
    return market.SBP(), market.SSP(), market.SERVICE_FEE()


# ---- decimals ----------------------------------------------------------------------------


@pytest.mark.parametrize("decimals", [6, 8, 18, 24, 25])
def test_the_default_prices_are_counted_in_the_decimals_of_the_token(stage: Stage, decimals: int) -> None:
    market, line = opened(odd(decimals), stage)
    assert prices(market) == tuple(price * 10 ** (decimals - 6) for price in (60, 180, 2))
    assert line.endswith(
        ": SBP 0.06 USDC/kWh, SSP 0.18 USDC/kWh, service fee 0.002 USDC/kWh; collateral 0.018 USDC for each kWh quoted"
    )


def test_a_trade_in_a_token_with_6_decimals_costs_what_the_line_says(stage: Stage) -> None:
    token = odd(6)
    market, _ = opened(token, stage)
    household = stage.unregistered("prosumer in USDC")
    signature = household.meter.sign_pairing(market, household.address, household.profile)
    market.register(household.profile, household.meter.address, signature, sender=household.address)
    market.authorize(household.address, 11_500, sender=stage.owner)
    token.mint(household.address, 10**6)
    token.approve(market.address, 10**6, sender=household.address)
    market.deposit(10**6, sender=household.address)

    market.submit_quote(stage.period, 1_000, 90, sender=household.address)
    account = market.account(household.address)
    assert (account.reserved, account.balance) == (18_000, 982_000)  # 0.018 and 0.982 USDC


def test_only_prices_left_at_their_defaults_are_counted_anew(stage: Stage) -> None:
    market, line = opened(odd(6), stage, Tariff(ssp=250, window=300))
    assert prices(market) == (60, 250, 2)
    assert market.WINDOW() == 300
    assert "SSP 0.25 USDC/kWh" in line


@pytest.mark.parametrize(("decimals", "least"), [(5, "0.01"), (3, "1"), (2, "10"), (0, "1,000")])
def test_too_few_decimals_for_the_default_prices(stage: Stage, decimals: int, least: str) -> None:
    line = refusal(odd(decimals), stage)
    assert f"has {decimals} decimals, too few for the default " in line
    assert f"its prices are multiples of {least} USDC/kWh; take a token with at least 6 decimals, or name" in line


@pytest.mark.parametrize("decimals", [26, 33, 77, 255])
def test_too_many_decimals_for_the_default_prices(stage: Stage, decimals: int) -> None:
    line = refusal(odd(decimals), stage)
    assert f"has {decimals} decimals, so that a market could not even hold 1,000,000 of it" in line
    assert "take a token with at most 25 decimals, or name the prices" in line


@pytest.mark.parametrize(
    "answer",
    [b"", b"\x06", encode(["uint256"], [256]), encode(["uint256"], [2**256 - 1])],
    ids=["reverts", "one byte", "256", "the largest number"],
)
def test_a_token_that_does_not_say_its_decimals_needs_a_tariff(stage: Stage, answer: bytes) -> None:
    token = odd(answer)
    line = refusal(token, stage)
    assert "does not say how many decimals it has; take another token, or name the prices, Tariff(sbp=" in line
    market, line = opened(token, stage, TARIFF)
    assert prices(market) == (60, 180, 2)
    assert "SBP 60,000 base units/kWh, SSP 180,000 base units/kWh, service fee 2,000 base units/kWh" in line


def test_a_token_without_the_optional_functions(stage: Stage) -> None:
    token = deployer("HostileToken").deploy()
    assert refusal(token, stage).startswith(f"tokens ({token.address}): does not say how many decimals it has")
    market, _ = opened(token, stage, TARIFF)
    assert prices(market) == (60, 180, 2)


def test_a_token_that_never_answers_is_not_waited_for() -> None:
    token = odd(6, is_endless=True)
    assert read_token(token) == Token(str(token.address), "tokens", None)


# ---- what is shown -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (USDC, "USDC"),
        (encode(["bytes32"], [b"MKR"]), "MKR"),
        (encode(["string"], ["USD₮0"]), "USD₮0"),
        (encode(["string"], ["W" * 900]), "W" * 11 + "…"),
        (encode(["string"], ["\x1b[31mA\nB\u202eC\t"]), "[31mABC"),
        (encode(["string"], [""]), "tokens"),
        (encode(["bytes32"], [b"\xff" * 32]), "tokens"),
        (b"", "tokens"),
        (b"USDC", "tokens"),
        (encode(["uint256", "uint256"], [32, 2**256 - 1]), "tokens"),
        (encode(["uint256", "uint256"], [2**256 - 1, 4]), "tokens"),
    ],
    ids=["string", "bytes32", "beyond ASCII", "long", "control characters", "empty", "no text", "reverts", "bare bytes",
         "a length beyond its end", "an offset beyond its end"],
)  # fmt: skip
def test_a_symbol_is_short_and_printable(stage: Stage, answer: bytes, shown: str) -> None:
    _, line = opened(odd(6, answer), stage)
    assert line.startswith(f"prices in {shown} (0x")
    assert f"SBP 0.06 {shown}/kWh" in line


def test_prices_are_shown_before_anything_is_sent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(deployment, "deployer", lambda name: order.append(name))
    for deploying in (
        lambda: deploy_market(stage.token, stage.supplier, show=lambda line: order.append("shown")),
        lambda: deploy(show=lambda line: order.append("shown")),
    ):
        order.clear()
        with pytest.raises(AttributeError):
            deploying()
        assert order[0] == "shown"
        assert len(order) == 2


def test_prices_are_shown_on_stderr_unless_somebody_else_shows_them(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy_market(odd(), stage.supplier)
    deploy()
    output, errors = capsys.readouterr()
    assert output == ""
    assert [line.partition(" (")[0] for line in errors.splitlines()] == ["prices in USDC", "prices in WATT"]
    deploy(show=None)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("tariff", "decimals", "shown"),
    [
        (Tariff(sbp=7 * 10**13, ssp=20 * 10**13, service_fee=10**12), 6, "SSP 200,000,000,000 USDC/kWh"),
        (Tariff(sbp=60, ssp=180, service_fee=2), 18, "SSP 0.00000000000018 USDC/kWh"),
        (Tariff(sbp=60, ssp=180, service_fee=2), 77, "SSP 18e-73 USDC/kWh"),
        (Tariff(sbp=60, ssp=180, service_fee=2), 255, "SSP 18e-251 USDC/kWh"),
    ],
)
def test_named_prices_that_nobody_can_mean_are_doubted(stage: Stage, tariff: Tariff, decimals: int, shown: str) -> None:
    market, line = opened(odd(decimals), stage, tariff)
    assert shown in line
    assert line.endswith(f". Is this meant? The token has {decimals} decimals, and a tariff is in base units per Wh")
    assert prices(market) == (tariff.sbp, tariff.ssp, tariff.service_fee)


@pytest.mark.parametrize(
    ("tariff", "doubt"),
    [
        (Tariff(period_length=30, window=10), "The period length is 30 s and the window is 10 s"),
        (Tariff(period_length=1_800_000), "The period length is 1800000 s"),
        (Tariff(window=10), "The window is 10 s"),
    ],
)
def test_times_that_nobody_can_mean_are_doubted(stage: Stage, tariff: Tariff, doubt: str) -> None:
    """They can never be changed; minutes are not seconds."""
    market, line = opened(stage.token, stage, tariff)
    assert line.endswith(f" for each kWh quoted. Is this meant? {doubt}, and a tariff counts seconds")
    assert (market.PERIOD_LENGTH(), market.WINDOW()) == (tariff.period_length, tariff.window)


def test_named_prices_in_a_token_with_few_decimals_are_shown(stage: Stage) -> None:
    _, line = opened(odd(2), stage, Tariff(sbp=1, ssp=30, service_fee=0))
    assert line.endswith(
        ": SBP 10 USDC/kWh, SSP 300 USDC/kWh, service fee 0 USDC/kWh; collateral 30 USDC for each kWh quoted"
    )


# ---- what is no token --------------------------------------------------------------------


def test_an_address_without_a_contract(stage: Stage) -> None:
    assert refusal(stage.stranger, stage) == (
        f"{stage.stranger}: no contract has this address; name an ERC-20 token on the chain in use"
    )


def test_a_contract_that_is_no_token(stage: Stage) -> None:
    line = refusal(stage.market, stage, TARIFF)
    assert line == f"{stage.market.address}: does not answer balanceOf, so it is no ERC-20 token; name one"


@pytest.mark.parametrize("token", ["0x12", "USDC", "", 5, None, "0x" + 39 * "0" + "g"])
def test_what_is_no_address(stage: Stage, token: Any) -> None:
    assert refusal(token, stage) == f"token {token!r} is no address: write 0x and 40 hexadecimal digits"


def test_a_network_is_looked_at_as_it_is_now(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """titanoboa remembers the block at which it was set up, in which a new token is not there yet."""
    looked: list[str] = []
    monkeypatch.setattr(network, "latest", lambda: looked.append("anew"))
    read_token(stage.token)
    assert looked == ["anew"]


def test_a_token_sells_no_energy(stage: Stage) -> None:
    """It could never take out what households pay, and a supplier can never be changed."""
    with pytest.raises(ValueError, match=f"the supplier can never be changed, and {stage.token.address} is the token"):
        deploy_market(stage.token, stage.token, show=None)


# ---- the default token -------------------------------------------------------------------


def test_the_default_token_is_as_it_is_shown(stage: Stage) -> None:
    credit = read_token(stage.token)
    assert (credit.symbol, credit.decimals) == (CREDIT.symbol, CREDIT.decimals)
    assert in_token(PAPER, credit) is PAPER


@pytest.mark.parametrize("command", ["day", "repl"])
def test_commands_that_count_in_pence_refuse_a_credit_with_other_decimals(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = deployment.deployer
    monkeypatch.setattr(deployment, "deployer", lambda name: SixDecimals if name == "EnergyCredit" else real(name))
    assert cli.main([command]) == 2
    out, err = capsys.readouterr()
    last = "EnergyCredit has 6 decimals, and pence are counted by 18; give it 18 decimals"
    assert (out, err.splitlines()[-1]) == ("", last)


class SixDecimals:
    """In the place of EnergyCredit's deployer."""

    @staticmethod
    def deploy() -> Any:
        return odd(6)


def test_the_banner_shows_the_prices_of_the_tariff() -> None:
    offered = {"tariff": Tariff(ssp=2 * PAPER.ssp)}
    assert "SBP 6.00 p/kWh, SSP 36.00 p/kWh, service fee 0.20 p/kWh" in repl.banner(offered)
