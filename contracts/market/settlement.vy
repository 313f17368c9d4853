# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Settlement: who pays whom for what was delivered
@custom:contract-name settlement
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A quote settles between its prosumer and its buyers (T-SET-1 to T-SET-21), then
        each account with the supplier (T-ACC-1 to T-ACC-13). The owner may settle first;
        afterwards anybody may, so that an absent owner locks nobody's money (T-TIME-8).
"""

from snekmate.auth import ownable
from ..interfaces import IEnergyMarket
from . import accounts
from . import clock
from . import incentives
from . import ledger
from . import metering
from . import positions
from . import quotes
from . import sales
from . import tariff

uses: ownable
uses: accounts
uses: clock
uses: incentives
uses: ledger
uses: metering
uses: positions
uses: quotes
uses: sales
uses: tariff


# @dev The forecast error that is no default, in percent, and its two ends.
_LOWEST_PERCENT: constant(uint256) = 95
_HIGHEST_PERCENT: constant(uint256) = 105


# @dev What a prosumer in default pays of the value of each buyer's shortage, in percent.
_COMPENSATION_PERCENT: constant(uint256) = 10


# @dev What the trades of a quote come to.
struct Totals:
    revenue: uint256
    fees: uint256
    compensation: uint256


@deploy
def __init__():
    """
    @dev Nothing to initialise: settlement keeps no state of its own.
    """
    pass


@external
def settle_quote(quote_id: uint256):
    """
    @dev Settles a matched quote from the prosumer's reading, once. No reading counts as
         nothing exported.
    @param quote_id The ID of the quote.
    @custom:error "quotes: unknown quote", "quotes: not matched", "clock: wrong phase",
                  "settlement: owner only".
    """
    quote: IEnergyMarket.Quote = quotes._existing(quote_id)
    quotes._check_matched(quote)
    self._check_settling(quote.period)

    exported: uint256 = metering._reading[quote.prosumer][quote.period].exported
    delivered: uint256 = min(quote.sold, exported)
    # Compared without a division: nothing is rounded at the edge.
    defaulted: bool = exported * 100 < quote.volume * _LOWEST_PERCENT

    totals: Totals = self._settle_trades(quote_id, quote, delivered, defaulted)
    fee: uint256 = self._charge_prosumer(quote, delivered, defaulted)
    self._record_prosumer(quote, exported, defaulted)
    collateral: uint256 = tariff._collateral(quote.volume)
    # Neither difference can underflow: the collateral covers the compensation (T-SET-21),
    # and every price exceeds the fee.
    ledger._release(quote.prosumer, collateral, collateral - totals.compensation + totals.revenue - fee)
    ledger._credit(ownable.owner, totals.fees + fee)
    positions._deliver(quote.prosumer, quote.period, delivered)
    positions._unstake(quote.prosumer, quote.period, quote_id)
    quotes._settle(quote_id)
    log IEnergyMarket.QuoteSettled(
        quote_id=quote_id,
        delivered=delivered,
        revenue=totals.revenue,
        fee=fee,
        compensation=totals.compensation,
    )


@external
def settle_account(user: address, period: uint256):
    """
    @dev Settles a user's period with the supplier, once, and clears what it can.
    @param user The user.
    @param period The delivery period.
    @custom:error "clock: wrong phase", "settlement: owner only",
                  "settlement: already settled", "settlement: nothing to settle",
                  "settlement: quotes still open".
    """
    self._check_settling(period)
    position: IEnergyMarket.Position = positions._position[user][period]
    reading: IEnergyMarket.Reading = metering._reading[user][period]
    assert not position.settled, "settlement: already settled"
    assert reading.present or position.bought > 0, "settlement: nothing to settle"
    assert position.open == 0, "settlement: quotes still open"

    # A silent meter counts as having imported what was bought (T-MET-7).
    imported: uint256 = reading.imported if reading.present else position.bought
    amount: int256 = self._invoice(position, reading.exported, imported)

    positions._close(user, period)
    ledger._book(user, amount)
    self._record_consumer(user, position, reading)
    log IEnergyMarket.AccountSettled(user=user, period=period, amount=amount)

    ledger._clear(user)


@internal
def _settle_trades(
    quote_id: uint256, quote: IEnergyMarket.Quote, delivered: uint256, defaulted: bool
) -> Totals:
    """
    @dev Shares `delivered` Wh out among the trades of a quote and settles each of them.
    @notice Trade `i` receives `floor(Q_i * D / S) - floor(Q_(i-1) * D / S)`, `Q_i` the
            running sum of volumes: pro rata, and the parts sum to `D` exactly.
    """
    totals: Totals = empty(Totals)
    volume_so_far: uint256 = 0
    delivered_so_far: uint256 = 0
    for trade: IEnergyMarket.Trade in sales._trades[quote_id]:
        volume_so_far += trade.volume
        due: uint256 = volume_so_far * delivered // quote.sold
        received: uint256 = due - delivered_so_far
        delivered_so_far = due

        payment: uint256 = received * trade.price
        compensation: uint256 = 0
        fee: uint256 = 0
        if received == trade.volume:
            fee = incentives._charge(trade.buyer, received)
        else:
            # With a shortage this fee is waived, and one more (T-SET-11, T-SET-12).
            incentives._grant_waiver(trade.buyer)
            if defaulted:
                compensation = (trade.volume - received) * trade.price * _COMPENSATION_PERCENT // 100
        escrow: uint256 = tariff._escrow(trade.volume, trade.price)
        ledger._release(trade.buyer, escrow, escrow - payment - fee + compensation)
        positions._receive(trade.buyer, quote.period, received)
        positions._unstake(trade.buyer, quote.period, quote_id)
        totals.revenue += payment
        totals.fees += fee
        totals.compensation += compensation
        log IEnergyMarket.TradeSettled(
            quote_id=quote_id,
            buyer=trade.buyer,
            delivered=received,
            payment=payment,
            fee=fee,
            compensation=compensation,
        )

    return totals


@internal
def _charge_prosumer(quote: IEnergyMarket.Quote, delivered: uint256, defaulted: bool) -> uint256:
    """
    @dev Returns the prosumer's service fee: once per quote, on what was delivered. A
         shortage inside the tolerance waives it, and one more (T-SET-15).
    """
    if delivered < quote.sold and not defaulted:
        incentives._grant_waiver(quote.prosumer)
        return 0

    return incentives._charge(quote.prosumer, delivered)


@internal
def _record_prosumer(quote: IEnergyMarket.Quote, exported: uint256, defaulted: bool):
    """
    @dev Records the prosumer's performance where something was sold; to export more than
         the tolerance above the quote is neither good nor a default (T-STD-4 to T-STD-6).
    """
    if quote.sold == 0:
        return

    if defaulted:
        incentives._record(quote.prosumer, False)
    elif exported * 100 <= quote.volume * _HIGHEST_PERCENT:
        incentives._record(quote.prosumer, True)


@internal
def _record_consumer(user: address, position: IEnergyMarket.Position, reading: IEnergyMarket.Reading):
    """
    @dev Records the consumer's performance where something was agreed. A buyer whose
         meter was silent is in default whatever it agreed, and loses its authorisation
         until the owner gives it back (T-STD-7, T-STD-8, T-MET-8, T-MET-9).
    """
    if reading.present:
        if position.agreed > 0:
            metered: uint256 = reading.imported * 100
            good: bool = (
                metered >= position.agreed * _LOWEST_PERCENT and metered <= position.agreed * _HIGHEST_PERCENT
            )
            incentives._record(user, good)
        return

    incentives._record(user, False)
    accounts._revoke(user)


@internal
@view
def _invoice(position: IEnergyMarket.Position, exported: uint256, imported: uint256) -> int256:
    """
    @dev Returns what the supplier owes for a period (negative: is owed): SBP for what was
         exported beyond the deliveries and for what was received and not imported, less
         SSP for what was imported beyond what was received. Exact: nothing is rounded.
    """
    # Never negative: a quote delivers at most what was exported.
    fed_in: uint256 = exported - position.delivered
    if position.received > imported:
        fed_in += position.received - imported
    credit: int256 = convert(fed_in * tariff.SBP, int256)
    if imported > position.received:
        credit -= convert((imported - position.received) * tariff.SSP, int256)

    return credit


@internal
@view
def _check_settling(period: uint256):
    """
    @dev Reverts unless the caller may settle `period` now: the owner while SETTLING,
         anybody while CLOSING.
    @custom:error "clock: wrong phase", "settlement: owner only".
    """
    phase: IEnergyMarket.Phase = clock._phase(period)
    assert phase in (IEnergyMarket.Phase.SETTLING | IEnergyMarket.Phase.CLOSING), "clock: wrong phase"
    if phase == IEnergyMarket.Phase.SETTLING:
        assert msg.sender == ownable.owner, "settlement: owner only"
