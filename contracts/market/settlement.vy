# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Settlement: who pays whom for what was delivered
@custom:contract-name settlement
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A quote settles between its prosumer and its buyers (T-SET-1 to T-SET-22), then
        each account with the supplier (T-ACC-1 to T-ACC-16). A user whose meter is silent loses
        by it (T-MET-6 to T-MET-10, T-MET-14). The owner may settle first; afterwards anybody
        may, so that an absent owner locks nobody's money (T-TIME-8).
"""

from snekmate.auth import ownable
from ..interfaces import IEnergyMarket
from . import accounts
from . import clock
from . import deliveries
from . import errors
from . import incentives
from . import ledger
from . import packing
from . import positions
from . import rooms
from . import sales
from . import tariff

uses: ownable
uses: accounts
uses: clock
uses: deliveries
uses: incentives
uses: ledger
uses: positions
uses: rooms
uses: sales
uses: tariff


# @dev The forecast error that is no default, in percent, and its two ends (T-SET-7).
_LOWEST_PERCENT: constant(uint256) = 95
_HIGHEST_PERCENT: constant(uint256) = 105


# @dev Who agreed at least one part in so many of what it asked for is measured by what it
# asked, too (T-STD-7).
_LEAST_SHARE: constant(uint256) = 10


# @dev What a prosumer in default pays of the value of each buyer's shortage, in percent (T-SET-8).
_COMPENSATION_PERCENT: constant(uint256) = 10


# @dev How many accounts can be settled at once (T-ACC-14).
BATCH_SIZE: constant(uint256) = 64


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
    quote: packing.Quote = rooms._existing(quote_id, IEnergyMarket.QuoteStatus.MATCHED)
    self._check_settling(quote.period)

    prosumer: address = accounts._user[quote.prosumer]
    place: uint256 = clock._place(quote.period)
    sale: packing.Sale = deliveries._read_sale(prosumer, place)
    position: uint256 = positions._position[prosumer][place]
    exported: uint256 = position >> packing.POSITION_EXPORTED_SHIFT & packing.MAX_ENERGY
    delivered: uint256 = min(sale.sold, exported)
    # Compared without a division: nothing is rounded at the edge.
    defaulted: bool = exported * 100 < quote.volume * _LOWEST_PERCENT

    totals: Totals = self._settle_trades(quote_id, quote, place, sale, delivered, defaulted)
    balance: uint256 = ledger._balance[prosumer]
    fee: uint256 = 0
    if delivered < sale.sold and not defaulted:
        # A shortage inside the tolerance waives the prosumer's fee, and one more (T-SET-15).
        balance = incentives._grant_waiver(prosumer, balance)
    else:
        fee, balance = incentives._charge(prosumer, balance, delivered)
    # To export more than the tolerance above the quote is neither good nor a default, and
    # so is to sell nothing (T-STD-4 to T-STD-6).
    # What was sold once the delivery was known counts for no record.
    if sale.ahead and exported * 100 <= quote.volume * _HIGHEST_PERCENT:
        balance = incentives._record(prosumer, balance, not defaulted)
    # A silent seller loses its authorisation, whether it sold or not (T-MET-14).
    if position & packing.PRESENT == 0:
        accounts._revoke(prosumer)
    # No difference can underflow: the collateral covers the compensation (T-SET-21), and
    # every price exceeds the fee. (What would, does not fit into a balance record.)
    collateral: uint256 = tariff._collateral(quote.volume)
    gain: uint256 = unsafe_sub(unsafe_add(collateral, totals.revenue), unsafe_add(totals.compensation, fee))

    ledger._balance[prosumer] = packing._released(balance, collateral, gain)
    ledger._credit(ownable.owner, unsafe_add(totals.fees, fee))
    rooms._close(quote.room)
    deliveries._close(prosumer, place)
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
    fault: bytes32 = self._settle(user, period)
    if fault != empty(bytes32):
        errors._revert(fault)


@external
def settle_accounts(period: uint256, users: DynArray[address, BATCH_SIZE]) -> uint256:
    """
    @dev Settles several users' period with the supplier, in the order given. What
         `settle_account` would refuse is left out and reported by an event, and changes
         nothing else (T-ACC-14 to T-ACC-16).
    @param period The delivery period.
    @param users The users; there may be none.
    @return uint256 A bit for each that was settled, the first one's lowest.
    @custom:error "clock: wrong phase", "settlement: owner only".
    """
    self._check_settling(period)

    settled: uint256 = 0
    index: uint256 = 0
    for user: address in users:
        fault: bytes32 = self._settle(user, period)
        if fault == empty(bytes32):
            settled |= 1 << index
        else:
            log IEnergyMarket.AccountRefused(
                user=user, period=period, index=index, reason=errors._text(fault)
            )
        index = unsafe_add(index, 1)

    return settled


@internal
def _settle(user: address, period: uint256) -> bytes32:
    """
    @dev Settles a user's period with the supplier. Returns why it cannot, and changes
         nothing then; empty where it can.
    """
    place: uint256 = clock._place(period)
    position: uint256 = positions._word(user, period, place)
    balance: uint256 = ledger._balance[user]
    present: bool = position & packing.PRESENT != 0
    bought: uint256 = position >> packing.POSITION_BOUGHT_SHIFT & packing.MAX_ENERGY
    if position & packing.SETTLED != 0:
        return errors.SETTLEMENT_ALREADY_SETTLED
    if not present and bought == 0:
        return errors.SETTLEMENT_NOTHING_TO_SETTLE
    if positions._has_stake(user, place, position):
        return errors.SETTLEMENT_QUOTES_STILL_OPEN
    exported: uint256 = position >> packing.POSITION_EXPORTED_SHIFT & packing.MAX_ENERGY
    # A silent meter counts as having imported what was bought (T-MET-7).
    imported: uint256 = (
        position >> packing.POSITION_IMPORTED_SHIFT & packing.MAX_ENERGY if present else bought
    )
    received: uint256 = position >> packing.POSITION_RECEIVED_SHIFT & packing.MAX_ENERGY
    # Its own quote is settled, or withdrawn.
    sold: uint256 = 0
    if position & packing.QUOTED != 0:
        sold = deliveries._sale[user][place] >> packing.SALE_SOLD_SHIFT & packing.MAX_ENERGY
    amount: int256 = self._invoice(received, min(sold, exported), exported, imported)

    # A buyer whose meter was silent is in default whatever it agreed, and loses its
    # authorisation until the owner gives it back (T-MET-8, T-MET-9). Else it performs well
    # where it imported what it agreed, within the tolerance, or what it asked, unless it
    # agreed too little of that (T-STD-7 to T-STD-9). The word that is not empty notes that
    # the account is settled.
    if present:
        agreed: uint256 = position & packing.MAX_ENERGY
        if agreed != 0:
            good: bool = False
            forecast: uint256 = agreed
            # First what was agreed, then what was asked. Energy is below 2 ** 24: no product
            # overflows, and what is below the tolerance wraps around, beyond its width.
            for _forecast: uint256 in range(2):
                excess: uint256 = unsafe_sub(unsafe_mul(imported, 100), unsafe_mul(forecast, _LOWEST_PERCENT))
                good = excess <= unsafe_mul(forecast, _HIGHEST_PERCENT - _LOWEST_PERCENT)
                if good:
                    break
                forecast = position >> packing.POSITION_ASKED_SHIFT & packing.MAX_ENERGY
                # Nothing asked is no forecast: it wraps around, too.
                if unsafe_sub(forecast, 1) >= unsafe_mul(agreed, _LEAST_SHARE):
                    break
            balance = incentives._record(user, balance, good)
    else:
        balance = incentives._record(user, balance, False)
        # Where it has none, none is lost.
        accounts._revoke(user)
    positions._write(user, place, position | packing.SETTLED)
    cleared: int256 = 0
    balance, cleared = ledger._booked(user, balance, amount)
    ledger._balance[user] = balance
    log IEnergyMarket.AccountSettled(user=user, period=period, amount=amount, cleared=cleared)

    return empty(bytes32)


@internal
def _settle_trades(
    quote_id: uint256,
    quote: packing.Quote,
    period_place: uint256,
    sale: packing.Sale,
    delivered: uint256,
    defaulted: bool,
) -> Totals:
    """
    @dev Shares `delivered` Wh out among the trades of a quote and settles each of them:
         those of the matching, then the purchases.
    @dev Nothing overflows: energy is below 2 ** 24, prices below 2 ** 96, trades are 256.
         The escrow covers payment and fee; what it did not, would not fit into a balance record.
    @notice The matching sold `S`, and `D` is what of that was delivered. Its trade `i`
            receives `floor(Q_i * D / S) - floor(Q_(i-1) * D / S)`, `Q_i` the running sum of
            volumes: pro rata, and the parts sum to `D` exactly. Purchases receive what is
            left, in the order made: who buys the rest takes nothing from who won.
    """
    totals: Totals = empty(Totals)
    shared: uint256 = min(sale.matched, delivered)
    volume_so_far: uint256 = 0
    delivered_so_far: uint256 = 0
    next: uint256 = quote.first
    for place: uint256 in range(unsafe_add(sale.winners, sale.purchases), bound=sales.MAX_TRADES):
        number: uint256 = 0
        volume: uint256 = 0
        price: uint256 = 0
        first: bool = False
        number, volume, price, first, next = sales._trade(quote.room, quote.price, sale.winners, place, next)
        buyer: address = accounts._user[number]
        due: uint256 = min(unsafe_add(delivered_so_far, volume), delivered)
        if place < sale.winners:
            volume_so_far = unsafe_add(volume_so_far, volume)
            due = unsafe_mul(volume_so_far, shared) // sale.matched
        received: uint256 = unsafe_sub(due, delivered_so_far)
        delivered_so_far = due

        payment: uint256 = unsafe_mul(received, price)
        compensation: uint256 = 0
        fee: uint256 = 0
        balance: uint256 = ledger._balance[buyer]
        if received == volume:
            fee, balance = incentives._charge(buyer, balance, received)
        else:
            # With a shortage this fee is waived, and one more (T-SET-11, T-SET-12).
            balance = incentives._grant_waiver(buyer, balance)
            if defaulted:
                shortage: uint256 = unsafe_sub(volume, received)
                compensation = unsafe_mul(unsafe_mul(shortage, price), _COMPENSATION_PERCENT) // 100
        escrow: uint256 = tariff._escrow(volume, price)
        back: uint256 = unsafe_sub(unsafe_add(escrow, compensation), unsafe_add(payment, fee))
        ledger._balance[buyer] = packing._released(balance, escrow, back)
        positions._receive(buyer, period_place, received, first)
        totals.revenue = unsafe_add(totals.revenue, payment)
        totals.fees = unsafe_add(totals.fees, fee)
        totals.compensation = unsafe_add(totals.compensation, compensation)
        log IEnergyMarket.TradeSettled(
            quote_id=quote_id,
            buyer=buyer,
            delivered=received,
            payment=payment,
            fee=fee,
            compensation=compensation,
        )

    return totals


@internal
@view
def _invoice(received: uint256, delivered: uint256, exported: uint256, imported: uint256) -> int256:
    """
    @dev Returns what the supplier owes for a period (negative: is owed): SBP for what was
         exported beyond the deliveries and for what was received and not imported, less
         SSP for what was imported beyond what was received. Exact: nothing is rounded.
    """
    # Never negative: a quote delivers at most what was exported.
    fed_in: uint256 = unsafe_sub(exported, delivered)
    drawn: uint256 = 0
    if received > imported:
        fed_in = unsafe_add(fed_in, unsafe_sub(received, imported))
    else:
        drawn = unsafe_sub(imported, received)
    # Below 2 ** 26 and 2 ** 96: no product outgrows a signed number.
    return unsafe_sub(
        convert(unsafe_mul(fed_in, tariff.SBP), int256), convert(unsafe_mul(drawn, tariff.SSP), int256)
    )


@internal
@view
def _check_settling(period: uint256):
    """
    @dev Reverts unless the caller may settle `period` now: the owner while SETTLING,
         anybody while CLOSING.
    @custom:error "clock: wrong phase", "settlement: owner only".
    """
    if clock._phase(period) == IEnergyMarket.Phase.SETTLING:
        if msg.sender != ownable.owner:
            errors._revert(errors.SETTLEMENT_OWNER_ONLY)
    else:
        clock._check_phase(period, IEnergyMarket.Phase.CLOSING)
