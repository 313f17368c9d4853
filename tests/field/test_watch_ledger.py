"""What the watcher checks without the model: by the invariants of invariants.md, from events and state alone."""

from __future__ import annotations

import re
from pathlib import Path

from wattproof.market.tariff import Tariff
from wattproof.terms.model import AccountView
from wattproof.watch.ledger import Ledger, tier_of

ROOT = Path(__file__).parents[2]

TARIFF = Tariff(sbp=6, ssp=18, service_fee=1, period_length=1800, window=600)

SUNNY, CLOUDY = "0x" + 40 * "1", "0x" + 40 * "2"


def account(balance: int = 0, reserved: int = 0, performances: int = 0, tier: int = 0) -> AccountView:
    return AccountView(bytes(32), SUNNY, True, balance, reserved, 0, performances, 0, 0, tier, 11_500)


def found(ledger: Ledger) -> list[str]:
    return [finding.invariant for finding in ledger.taken()[1]]


def quoted() -> Ledger:
    """A quote of 1,000 Wh on which cloudy has opened a bid for 600, matched."""
    ledger = Ledger(TARIFF)
    events = [
        ("QuoteSubmitted", {"quote_id": 1, "prosumer": SUNNY, "period": 7, "volume": 1_000, "price": 9}),
        ("BidSealed", {"quote_id": 1, "bidder": CLOUDY, "seal": bytes(32)}),
        ("BidRevealed", {"quote_id": 1, "bidder": CLOUDY, "price": 11, "volume": 600}),
        ("BidConfirmed", {"quote_id": 1, "bidder": CLOUDY, "filled": 600}),
        ("QuoteMatched", {"quote_id": 1, "sold": 600}),
    ]
    ledger.feed(events, 0)
    return ledger


def settled(delivered: int, payment: int, fee: int, compensation: int) -> dict[str, object]:
    figures = {"delivered": delivered, "payment": payment, "fee": fee, "compensation": compensation}
    return {"quote_id": 1, "buyer": CLOUDY, **figures}


def test_every_name_of_an_invariant_is_one() -> None:
    known = set(re.findall(r"^- \*\*([A-Z0-9-]+)\*\*", (ROOT / "invariants.md").read_text(), re.MULTILINE))
    named = set()
    for path in (ROOT / "wattproof").glob("**/*.py"):
        named |= set(re.findall(r'"(C[1-5]-[A-Z]+-[0-9]+)"', path.read_text()))
    assert len(named) > 25
    assert named <= known


def test_escrow_is_what_open_quotes_bids_and_trades_hold() -> None:
    ledger = quoted()
    right = {SUNNY: account(reserved=1_800), CLOUDY: account(reserved=600 * 12)}
    ledger.moved = 1_800 + 7_200
    ledger.look(right, {}, {}, 9_000)
    assert found(ledger) == []
    ledger.look({CLOUDY: account(reserved=600 * 12 + 1)}, {}, {}, 9_001)
    assert found(ledger) == ["C1-ESCROW-1", "C4-FLOW-1"]


def test_the_market_holds_what_accounts_own_at_least() -> None:
    ledger = Ledger(TARIFF)
    ledger.feed([("Deposited", {"account": SUNNY, "amount": 50})], 0)
    ledger.look({SUNNY: account(balance=50)}, {}, {}, 50)
    assert found(ledger) == []
    ledger.look({SUNNY: account(balance=50)}, {}, {}, 49)
    assert found(ledger) == ["C4-TOKEN-1"]


def test_a_tier_follows_from_good_performances() -> None:
    ledger = Ledger(TARIFF)
    ledger.look({SUNNY: account(performances=10, tier=2)}, {}, {}, 0)
    assert found(ledger) == []
    ledger.look({SUNNY: account(performances=10, tier=3)}, {}, {}, 0)
    assert found(ledger) == ["C3-TIER-1"]
    assert [tier_of(number) for number in (0, 4, 5, 9, 10, 20, 40, 80)] == [0, 0, 1, 1, 2, 3, 4, 5]


def test_a_second_bid_is_found() -> None:
    ledger = Ledger(TARIFF)
    ledger.feed([("QuoteSubmitted", {"quote_id": 1, "prosumer": SUNNY, "period": 7, "volume": 9, "price": 9})], 0)
    bid = ("BidSealed", {"quote_id": 1, "bidder": CLOUDY, "seal": bytes(32)})
    ledger.feed([bid], 1)
    assert found(ledger) == []
    ledger.feed([bid], 2)
    assert found(ledger) == ["C4-ONCE-1"]


def test_a_settlement_is_computed_again() -> None:
    read = ("ReadingSubmitted", {"user": SUNNY, "period": 7, "exported": 393, "imported": 0})
    whole = {"quote_id": 1, "fee": 0}
    ledger = quoted()
    ledger.feed([read, ("TradeSettled", settled(393, 393 * 11, 0, 227))], 1)
    ledger.feed([("QuoteSettled", whole | {"delivered": 393, "revenue": 393 * 11, "compensation": 227})], 1)
    assert found(ledger) == []
    for wrong, invariant in (
        (settled(393, 393 * 11, 0, 228), "C3-COMP-1"),
        (settled(393, 393 * 12, 0, 227), "C3-PAY-1"),
        (settled(393, 393 * 11, 5, 227), "C3-FEE-1"),
    ):
        ledger = quoted()
        ledger.feed([read, ("TradeSettled", wrong)], 1)
        assert found(ledger) == [invariant]
    ledger = quoted()
    ledger.feed([read, ("TradeSettled", settled(393, 393 * 11, 0, 227))], 1)
    ledger.feed([("QuoteSettled", whole | {"delivered": 392, "revenue": 393 * 11, "compensation": 0})], 1)
    assert found(ledger) == ["C3-SHARE-1", "C3-PAY-2"]


def test_the_fee_falls_with_the_tier_and_a_waiver_takes_its_place() -> None:
    for good, waived, fee in ((0, False, 600), (5, False, 480), (80, False, 0), (0, True, 0)):
        for told in (fee, fee + 1):
            ledger = quoted()
            ledger.good[CLOUDY] = good
            ledger.feed([("ReadingSubmitted", {"user": SUNNY, "period": 7, "exported": 1_000, "imported": 0})], 1)
            ledger.feed([("WaiverUsed", {"user": CLOUDY})] if waived else [], 1)
            ledger.feed([("TradeSettled", settled(600, 6_600, told, 0))], 1)
            assert found(ledger) == ([] if told == fee else ["C3-FEE-4" if good else "C3-FEE-2"])


def test_a_ledger_goes_on_from_json() -> None:
    ledger = quoted()
    ledger.held[SUNNY] = (1, 2, -3)
    ledger.good[CLOUDY] = 7
    again = Ledger.of_json(ledger.to_json(), TARIFF)
    assert again.to_json() == ledger.to_json()
    assert again.offers == ledger.offers
