# pragma version 0.4.3
"""
@title Reads a market's whole state in one call; for tests only
@license GNU Affero General Public License v3.0 only
@author Wattproof
@dev What is read is what the published views answer; nothing of the storage layout is assumed.
     Every staticcall costs more than what it asks for: nothing is asked that was not asked for.
"""


from contracts.interfaces import IEnergyMarket
from ethereum.ercs import IERC20


struct Place:
    user: address
    period: uint256


struct State:
    accounts: DynArray[IEnergyMarket.Account, 16]
    quotes: DynArray[IEnergyMarket.Quote, 8]
    remaining: DynArray[uint256, 8]
    trades: DynArray[bytes32, 8]
    bids: DynArray[IEnergyMarket.Bid, 128]
    readings: DynArray[IEnergyMarket.Reading, 64]
    positions: DynArray[IEnergyMarket.Position, 64]
    quote_of: DynArray[uint256, 64]
    periods: DynArray[uint256, 12]
    others: DynArray[uint256, 8]


@external
@view
def state(
    target: address,
    token: address,
    users: DynArray[address, 16],
    bidders: DynArray[address, 16],
    quotes: DynArray[uint256, 8],
    places: DynArray[Place, 64],
    periods: DynArray[uint256, 4],
) -> State:
    """
    @dev Returns what the views of `target` tell: per user the account; per quote that is there
         the quote, what remains of it, its trades as a hash and the bid of every bidder; per
         place reading, position and quote; per period supply, demand and phase; then the
         number of quotes, owner, pending owner and the market's tokens.
    """
    market: IEnergyMarket = IEnergyMarket(target)
    seen: State = empty(State)
    count: uint256 = staticcall market.quote_count()
    for user: address in users:
        seen.accounts.append(staticcall market.account(user))
    for quote_id: uint256 in quotes:
        if quote_id > count:
            break
        seen.quotes.append(staticcall market.quote(quote_id))
        seen.remaining.append(staticcall market.remaining(quote_id))
        seen.trades.append(keccak256(abi_encode(staticcall market.trades(quote_id))))
        for bidder: address in bidders:
            seen.bids.append(staticcall market.bid(quote_id, bidder))
    for place: Place in places:
        seen.readings.append(staticcall market.reading(place.user, place.period))
        seen.positions.append(staticcall market.position(place.user, place.period))
        seen.quote_of.append(staticcall market.quote_of(place.user, place.period))
    for period: uint256 in periods:
        seen.periods.append(staticcall market.supply(period))
        seen.periods.append(staticcall market.demand(period))
        seen.periods.append(convert(staticcall market.phase(period), uint256))
    seen.others.append(count)
    seen.others.append(convert(staticcall market.owner(), uint256))
    seen.others.append(convert(staticcall market.pending_owner(), uint256))
    seen.others.append(staticcall IERC20(token).balanceOf(target))

    return seen
