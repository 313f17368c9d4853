# pragma version 0.4.3
"""
@title Reads a market's whole state in one call; for tests only
@license GNU Affero General Public License v3.0 only
@author Wattproof
@dev What is read is what the published views answer; nothing of the storage layout is assumed.
"""


from contracts.interfaces import IEnergyMarket
from ethereum.ercs import IERC20


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
    traders: uint256,
    first: uint256,
    periods: DynArray[uint256, 4],
) -> State:
    """
    @dev Returns all that the views of `target` tell of these users and periods, and of the
         quotes from `first` on: per quote the trades as a hash, per user and quote the bid,
         per user and period reading, position and quote; per period supply, demand and phase;
         then the number of quotes, owner, pending owner and the market's tokens. Bids,
         readings, positions and quotes are asked of the first `traders` users only.
    """
    market: IEnergyMarket = IEnergyMarket(target)
    seen: State = empty(State)
    count: uint256 = staticcall market.quote_count()
    place: uint256 = 0
    for user: address in users:
        seen.accounts.append(staticcall market.account(user))
        place += 1
        if place > traders:
            continue
        for period: uint256 in periods:
            seen.readings.append(staticcall market.reading(user, period))
            seen.positions.append(staticcall market.position(user, period))
            seen.quote_of.append(staticcall market.quote_of(user, period))
    for offset: uint256 in range(8):
        quote_id: uint256 = first + offset
        if quote_id > count:
            break
        seen.quotes.append(staticcall market.quote(quote_id))
        seen.remaining.append(staticcall market.remaining(quote_id))
        seen.trades.append(keccak256(abi_encode(staticcall market.trades(quote_id))))
        place = 0
        for user: address in users:
            place += 1
            if place > traders:
                break
            seen.bids.append(staticcall market.bid(quote_id, user))
    for period: uint256 in periods:
        seen.periods.append(staticcall market.supply(period))
        seen.periods.append(staticcall market.demand(period))
        seen.periods.append(convert(staticcall market.phase(period), uint256))
    seen.others.append(count)
    seen.others.append(convert(staticcall market.owner(), uint256))
    seen.others.append(convert(staticcall market.pending_owner(), uint256))
    seen.others.append(staticcall IERC20(token).balanceOf(target))

    return seen
