# pragma version 0.4.3
"""
@title The views of an energy market
@custom:contract-name MarketLens
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Tells what a market's records say, one at a time and in bulk. A market shows its words
        only (see `records`): its views would take 3,000 of the 24,576 bytes that a chain
        allows. Anybody can deploy a lens for any market; it holds nothing and can do nothing.
@dev Compiled from the market's own modules: `packing` reads the words, `clock` tells the
     phase. While the market waits for a token it shows nothing, so that no view here tells
     of a call that is half done (T-MON-21).
"""


from ethereum.ercs import IERC20
from .interfaces import IEnergyMarket
from .interfaces import IMarketLens
from .market import clock
from .market import incentives
from .market import packing
from .market import records
from .market import sales


implements: IMarketLens


initializes: clock


# @dev Where the market's mappings begin, in storage that starts with the owner. A test
# compares them with the compiler's layout.
_BALANCE: constant(uint256) = 2
_INVOICE: constant(uint256) = 3
_USER: constant(uint256) = 5
_IDENTITY: constant(uint256) = 6
_PROFILE: constant(uint256) = 7
_DEFAULTS: constant(uint256) = 8
_QUOTE: constant(uint256) = 10
_SALE: constant(uint256) = 11
_POSITION: constant(uint256) = 12
_TOTALS: constant(uint256) = 13
_BID: constant(uint256) = 14
_PURCHASE: constant(uint256) = 15
_RECORDS: constant(uint256) = 16


# @dev How many rooms there may be for a quote's number (see `rooms`): each time they doubled, one.
_ROOMS: constant(uint256) = 27


# @dev The market that this lens is for.
MARKET: public(immutable(address))


# @dev The market's token.
TOKEN: public(immutable(address))


# @dev The energy supplier of the market.
SUPPLIER: public(immutable(address))


# @dev System buying price: what the supplier pays for surplus, in base units per Wh.
SBP: public(immutable(uint256))


# @dev System selling price: what the supplier asks for energy, in base units per Wh.
SSP: public(immutable(uint256))


# @dev What either side of a trade pays the owner for the service, in base units per Wh.
SERVICE_FEE: public(immutable(uint256))


# @dev The length of a delivery period, in seconds.
PERIOD_LENGTH: public(immutable(uint256))


# @dev The length of each window around a delivery period, in seconds.
WINDOW: public(immutable(uint256))


# @dev What each tier adds to the weight of a bid.
PRIORITY_STEP: public(immutable(uint256))


# @dev Whether bids rank by their unit price.
RANK_BY_PRICE: public(immutable(bool))


# @dev By how many slots the mappings are moved: before Cancun's rules the lock against
# re-entry takes the first slot of storage.
_SLOT_OFFSET: immutable(uint256)


# @dev What the views tell of some quotes.
struct Quotes:
    kept: DynArray[packing.Quote, 8]
    sales: DynArray[packing.Sale, 8]
    quotes: DynArray[IEnergyMarket.Quote, 8]
    remaining: DynArray[uint256, 8]
    trades: DynArray[bytes32, 8]


# @dev What the views tell of some users and periods.
struct Periods:
    readings: DynArray[IEnergyMarket.Reading, 64]
    positions: DynArray[IEnergyMarket.Position, 64]
    quote_of: DynArray[uint256, 64]


@deploy
def __init__(market: address):
    """
    @dev Makes a lens for a market.
    @param market The market's address.
    @custom:error "lens: not a market", or no reason where the address is no contract's.
    """
    target: IEnergyMarket = IEnergyMarket(market)
    offset: uint256 = 2
    for guess: uint256 in range(2):
        probe: uint256 = unsafe_sub(self._hashed(unsafe_add(_PROFILE, guess), 0), unsafe_add(_RECORDS, guess))
        if (staticcall target.words([probe]))[0] == 1:
            offset = guess
    assert offset < 2, "lens: not a market"
    frame: IEnergyMarket.Frame = staticcall target.frame()

    MARKET = market
    TOKEN = frame.token
    SUPPLIER = frame.supplier
    SBP = frame.sbp
    SSP = frame.ssp
    SERVICE_FEE = frame.service_fee
    PERIOD_LENGTH = frame.period_length
    WINDOW = frame.window
    PRIORITY_STEP = frame.priority_step
    RANK_BY_PRICE = frame.rank_by_price
    _SLOT_OFFSET = offset
    clock.__init__(frame.period_length, frame.window)


# ---- single views --------------------------------------------------------------------


@external
@view
def owner() -> address:
    """
    @dev Returns the market's owner.
    @return address The owner.
    """
    return staticcall IEnergyMarket(MARKET).owner()


@external
@view
def pending_owner() -> address:
    """
    @dev Returns the successor that the market's owner has named.
    @return address The successor; zero where there is none.
    """
    return staticcall IEnergyMarket(MARKET).pending_owner()


@external
@view
def phase(period: uint256) -> IEnergyMarket.Phase:
    """
    @dev Returns the phase in which a delivery period stands now.
    @param period The delivery period.
    @return Phase The phase of `period`.
    """
    return clock._phase(period)


@external
@view
def account(user: address) -> IEnergyMarket.Account:
    """
    @dev Returns what the market knows of a party.
    @param user The party; it need not be registered.
    @return Account The account.
    """
    return self._accounts([user])[0]


@external
@view
def quote(quote_id: uint256) -> IEnergyMarket.Quote:
    """
    @dev Returns a quote.
    @param quote_id The ID of the quote.
    @return Quote The quote; all zero where there is none.
    """
    return self._quotes([quote_id]).quotes[0]


@external
@view
def quote_count() -> uint256:
    """
    @dev Returns how many quotes there are.
    @return uint256 The ID of the last one; 0 where there is none.
    """
    return staticcall IEnergyMarket(MARKET).quote_count()


@external
@view
def quote_of(prosumer: address, period: uint256) -> uint256:
    """
    @dev Returns a prosumer's quote for a delivery period, withdrawn or not.
    @param prosumer The prosumer.
    @param period The delivery period.
    @return uint256 The ID of the quote; 0 where there is none.
    """
    place: IMarketLens.Place = IMarketLens.Place(user=prosumer, period=period)

    return self._periods([place]).quote_of[0]


@external
@view
def supply(period: uint256) -> uint256:
    """
    @dev Returns what is quoted for a delivery period.
    @param period The delivery period.
    @return uint256 The energy of the quotes that were not withdrawn, in Wh.
    """
    return self._totals([period])[0].supply


@external
@view
def demand(period: uint256) -> uint256:
    """
    @dev Returns what is asked for in a delivery period.
    @param period The delivery period.
    @return uint256 The energy of the bids that were opened, in Wh.
    """
    return self._totals([period])[0].demand


@external
@view
def bid(quote_id: uint256, bidder: address) -> IEnergyMarket.Bid:
    """
    @dev Returns a bid, with the status that holds now.
    @param quote_id The ID of the quote.
    @param bidder The bidder.
    @return Bid The bid; all zero where there is none.
    """
    return self._bids([quote_id], self._quotes([quote_id]), [bidder])[0]


@external
@view
def seal_of(quote_id: uint256, bidder: address, price: uint256, volume: uint256, salt: bytes32) -> bytes32:
    """
    @dev Returns the commitment of a bid. Compute it off-chain instead: whoever runs the node
         that is asked learns the bid.
    @param quote_id The ID of the quote.
    @param bidder The bidder.
    @param price The price bid, in base units per Wh.
    @param volume The energy wanted, in Wh.
    @param salt 32 random bytes.
    @return bytes32 The commitment.
    """
    return packing._commitment_of(MARKET, quote_id, bidder, price, volume, salt)


@external
@view
def trades(quote_id: uint256) -> DynArray[IEnergyMarket.Trade, sales.MAX_TRADES]:
    """
    @dev Returns the trades of a quote, in the order in which they were made.
    @param quote_id The ID of the quote.
    @return DynArray The trades.
    """
    found: Quotes = self._quotes([quote_id])

    return self._trades(found.kept[0], found.sales[0])


@external
@view
def remaining(quote_id: uint256) -> uint256:
    """
    @dev Returns what `buy_surplus` would still sell of a quote.
    @param quote_id The ID of the quote.
    @return uint256 The energy left, in Wh; 0 where nothing is for sale.
    """
    return self._quotes([quote_id]).remaining[0]


@external
@view
def reading(user: address, period: uint256) -> IEnergyMarket.Reading:
    """
    @dev Returns what counts of a meter's report for a delivery period.
    @param user The user.
    @param period The delivery period.
    @return Reading The reading, in Wh; all zero where there is none.
    """
    return self._periods([IMarketLens.Place(user=user, period=period)]).readings[0]


@external
@view
def position(user: address, period: uint256) -> IEnergyMarket.Position:
    """
    @dev Returns the position of a user in a delivery period.
    @param user The user.
    @param period The delivery period.
    @return Position The position, in Wh.
    """
    return self._periods([IMarketLens.Place(user=user, period=period)]).positions[0]


@external
@view
def in_the_way(user: address, period: uint256) -> IMarketLens.InTheWay:
    """
    @dev Tells what has to be finished first, where "positions: earlier not settled" would refuse
         what begins a user's record of a delivery period (T-PARTY-19 to T-PARTY-21). Ask again
         after a quote was matched: its buyers then wait for its settlement.
    @param user The user.
    @param period The delivery period.
    @return InTheWay Whether a record is in the way, and of which period; which of the user's quotes
            are to be matched, and then to be settled: its own and the first on which it opened a
            bid; how many others are to be settled, or matched before, on which it opened a bid or
            of which it bought; and whether the account is to be settled then. Nothing and zeros
            where it is not blocked.
    """
    found: DynArray[uint256, records.PAGE] = self._words(
        [self._placed(_POSITION, user, period), self._placed(_SALE, user, period)]
    )
    position: packing.Position = packing._position(found[0])
    result: IMarketLens.InTheWay = empty(IMarketLens.InTheWay)
    if position.period == period or position.settled:
        return result

    sale: packing.Sale = packing._sale(found[1])
    own: uint256 = sale.quote_id if position.quoted and sale.open else 0
    quotes: DynArray[packing.Quote, 64] = self._kept([own, position.pending])
    for quote: packing.Quote in quotes:
        # Once matched, a pending quote is none of the user's, or one of the others.
        if quote.id != 0 and quote.status == IEnergyMarket.QuoteStatus.VALID:
            result.to_match.append(quote.id)
        elif quote.id != 0 and quote.id == own:
            result.to_settle.append(quote.id)
    result.others = position.open
    result.account = position.present or position.bought != 0
    result.blocked = len(result.to_match) + len(result.to_settle) + result.others != 0 or result.account
    if result.blocked:
        result.period = position.period

    return result


# ---- in bulk -------------------------------------------------------------------------


@external
@view
def state(
    users: DynArray[address, 16],
    bidders: DynArray[address, 16],
    quotes: DynArray[uint256, 8],
    places: DynArray[IMarketLens.Place, 64],
    periods: DynArray[uint256, 4],
) -> IMarketLens.State:
    """
    @dev Returns all that the single views tell, of one moment.
    @param users Whose accounts are asked for.
    @param bidders Whose bids on each of the quotes.
    @param quotes Quotes' IDs; those that no quote has are passed over, and end the list.
    @param places Users and periods: reading, position and own quote.
    @param periods Whose supply, demand and phase.
    @return State Per user the account; per quote the quote, what remains of it, the hash of
            its ABI-encoded trades and the bid of every bidder; per place reading, position and
            quote; per period supply, demand and phase; then the number of quotes, owner,
            pending owner and the market's tokens.
    """
    market: IEnergyMarket = IEnergyMarket(MARKET)
    count: uint256 = staticcall market.quote_count()
    result: IMarketLens.State = empty(IMarketLens.State)
    result.accounts = self._accounts(users)

    existing: DynArray[uint256, 8] = []
    for quote_id: uint256 in quotes:
        if quote_id > count:
            break
        existing.append(quote_id)
    quote_views: Quotes = self._quotes(existing)
    result.quotes = quote_views.quotes
    result.remaining = quote_views.remaining
    result.trades = quote_views.trades
    result.bids = self._bids(existing, quote_views, bidders)

    period_views: Periods = self._periods(places)
    result.readings = period_views.readings
    result.positions = period_views.positions
    result.quote_of = period_views.quote_of

    totals: DynArray[packing.Totals, 4] = self._totals(periods)
    for index: uint256 in range(len(periods), bound=4):
        result.periods.append(totals[index].supply)
        result.periods.append(totals[index].demand)
        result.periods.append(convert(clock._phase(periods[index]), uint256))

    result.others.append(count)
    result.others.append(convert(staticcall market.owner(), uint256))
    result.others.append(convert(staticcall market.pending_owner(), uint256))
    result.others.append(staticcall IERC20(TOKEN).balanceOf(MARKET))

    return result


@internal
@view
def _accounts(users: DynArray[address, 16]) -> DynArray[IEnergyMarket.Account, 16]:
    """
    @dev Returns the accounts of `users`.
    """
    wanted: DynArray[uint256, records.PAGE] = []
    for user: address in users:
        key: uint256 = convert(user, uint256)
        wanted.append(self._place(_IDENTITY, key))
        wanted.append(self._place(_BALANCE, key))
        wanted.append(self._place(_INVOICE, key))
        wanted.append(self._place(_DEFAULTS, key))
    found: DynArray[uint256, records.PAGE] = self._words(wanted)
    wanted = []
    for index: uint256 in range(len(users), bound=16):
        wanted.append(self._place(_PROFILE, convert(packing._meter(found[4 * index]), uint256)))
    profiles: DynArray[uint256, records.PAGE] = self._words(wanted)

    accounts: DynArray[IEnergyMarket.Account, 16] = []
    for index: uint256 in range(len(users), bound=16):
        identity: packing.Identity = packing._identity(found[4 * index])
        balance: packing.Balance = packing._balance(found[4 * index + 1])
        profile: uint256 = profiles[index]
        # A profile of zero is kept as another word; who has no meter has none.
        if identity.blank or identity.meter == empty(address):
            profile = 0
        accounts.append(
            IEnergyMarket.Account(
                profile=convert(profile, bytes32),
                meter=identity.meter,
                authorized=identity.authorized,
                balance=balance.free,
                reserved=balance.reserved,
                # The balance record tells where the invoice account is 0. The account's word is a
                # signed number: `convert` from an unsigned one would revert below zero.
                grid_account=(
                    convert(convert(found[4 * index + 2], bytes32), int256) if balance.invoiced else 0
                ),
                performances=balance.performances,
                defaults=found[4 * index + 3],
                waivers=balance.waivers,
                tier=incentives._tier(balance.performances),
                capacity=identity.capacity,
            )
        )

    return accounts


@internal
@view
def _quotes(quote_ids: DynArray[uint256, 8]) -> Quotes:
    """
    @dev Returns quotes, what remains of them, and the hashes of their trades.
    """
    kept: DynArray[packing.Quote, 64] = self._kept(quote_ids)
    wanted: DynArray[uint256, records.PAGE] = []
    for quote: packing.Quote in kept:
        wanted.append(self._place(_USER, quote.prosumer))
    prosumers: DynArray[uint256, records.PAGE] = self._words(wanted)
    wanted = []
    for index: uint256 in range(len(kept), bound=8):
        prosumer: address = convert(prosumers[index], address)
        wanted.append(self._placed(_SALE, prosumer, kept[index].period))
        wanted.append(self._placed(_POSITION, prosumer, kept[index].period))
    words: DynArray[uint256, records.PAGE] = self._words(wanted)

    result: Quotes = empty(Quotes)
    for index: uint256 in range(len(kept), bound=8):
        quote: packing.Quote = kept[index]
        sale: packing.Sale = packing._sale(words[2 * index])
        # Where the prosumer's place in the ring was used again, the quote is gone, too.
        if sale.quote_id != quote.id:
            quote = empty(packing.Quote)
        if quote.id == 0:
            sale = empty(packing.Sale)
            prosumers[index] = 0
        result.kept.append(quote)
        result.sales.append(sale)
        result.quotes.append(
            IEnergyMarket.Quote(
                prosumer=convert(prosumers[index], address),
                period=quote.period,
                volume=quote.volume,
                price=quote.price,
                created_at=sale.created_at,
                sold=sale.sold,
                status=quote.status,
            )
        )
        position: packing.Position = packing._position(words[2 * index + 1])
        exported: uint256 = position.exported if position.period == quote.period else 0
        result.remaining.append(self._remaining(quote, sale, exported))
        result.trades.append(keccak256(abi_encode(self._trades(quote, sale))))

    return result


@internal
@view
def _kept(quote_ids: DynArray[uint256, 64]) -> DynArray[packing.Quote, 64]:
    """
    @dev Returns the quotes that their rooms still keep; all zero where there is none.
    """
    count: uint256 = staticcall IEnergyMarket(MARKET).quote_count()
    quotes: DynArray[packing.Quote, 64] = []
    for quote_id: uint256 in quote_ids:
        quote: packing.Quote = empty(packing.Quote)
        if quote_id != 0 and quote_id <= count:
            rooms_of_it: DynArray[uint256, _ROOMS] = []
            wanted: DynArray[uint256, records.PAGE] = []
            for doubling: uint256 in range(_ROOMS):
                number: uint256 = 1 << (doubling + packing.ROOM_BITS)
                # The last doubling came about by two quotes that lie half of the rooms apart: there
                # are never more rooms than twice the number of quotes, but for the first 64.
                if doubling != 0 and number > 2 * count:
                    break
                rooms_of_it.append(quote_id & (number - 1))
                wanted.append(self._place(_QUOTE, quote_id & (number - 1)))
            words: DynArray[uint256, records.PAGE] = self._words(wanted)
            for index: uint256 in range(len(words), bound=_ROOMS):
                word: uint256 = words[index]
                if word != 0 and word >> packing.QUOTE_ID_SHIFT == quote_id >> packing.ROOM_BITS:
                    quote = packing._quote(word, rooms_of_it[index])
                    break
        quotes.append(quote)

    return quotes


@internal
@view
def _totals(periods: DynArray[uint256, 4]) -> DynArray[packing.Totals, 4]:
    """
    @dev Returns the totals of periods; zero where they are none, or none any more.
    """
    wanted: DynArray[uint256, records.PAGE] = []
    for period: uint256 in periods:
        wanted.append(self._place(_TOTALS, clock._place(period)))
    found: DynArray[uint256, records.PAGE] = self._words(wanted)
    result: DynArray[packing.Totals, 4] = []
    for index: uint256 in range(len(periods), bound=4):
        totals: packing.Totals = packing._totals(found[index])
        result.append(totals if totals.period == periods[index] else empty(packing.Totals))

    return result


@internal
@view
def _periods(places: DynArray[IMarketLens.Place, 64]) -> Periods:
    """
    @dev Returns readings, positions and quotes of users and periods.
    """
    wanted: DynArray[uint256, records.PAGE] = []
    for place: IMarketLens.Place in places:
        wanted.append(self._placed(_POSITION, place.user, place.period))
        wanted.append(self._placed(_SALE, place.user, place.period))
    found: DynArray[uint256, records.PAGE] = self._words(wanted)
    pending: DynArray[uint256, 64] = []
    for index: uint256 in range(len(places), bound=64):
        pending.append(packing._position(found[2 * index]).pending)
    quotes: DynArray[packing.Quote, 64] = self._kept(pending)

    result: Periods = empty(Periods)
    for index: uint256 in range(len(places), bound=64):
        position: packing.Position = packing._position(found[2 * index])
        sale: packing.Sale = packing._sale(found[2 * index + 1])
        if position.period != places[index].period or found[2 * index] == 0:
            position = empty(packing.Position)
        if not position.quoted:
            sale = empty(packing.Sale)
        open: uint256 = unsafe_add(position.open, convert(sale.open, uint256))
        if quotes[index].status == IEnergyMarket.QuoteStatus.VALID and position.pending != 0:
            open = unsafe_add(open, 1)
        result.readings.append(
            IEnergyMarket.Reading(
                present=position.present, exported=position.exported, imported=position.imported
            )
        )
        # Open are the quotes with a stake of the user that are not settled (T-ACC-5); nothing is
        # delivered before its own quote is settled (T-ACC-13).
        result.positions.append(
            IEnergyMarket.Position(
                agreed=position.agreed,
                bought=position.bought,
                received=position.received,
                delivered=0 if sale.open else min(sale.sold, position.exported),
                open=open,
                settled=position.settled,
            )
        )
        result.quote_of.append(sale.quote_id)

    return result


@internal
@view
def _remaining(quote: packing.Quote, sale: packing.Sale, exported: uint256) -> uint256:
    """
    @dev Returns what of a quote can be bought now (T-SUR-10), in Wh.
    """
    if quote.status != IEnergyMarket.QuoteStatus.MATCHED or sales._is_full(sale):
        return 0
    phase: IEnergyMarket.Phase = clock._phase(quote.period)
    offered: uint256 = 0
    if phase == IEnergyMarket.Phase.MATCHING:
        offered = quote.volume
    elif phase == IEnergyMarket.Phase.METERING:
        # 0 before the prosumer's meter is read.
        offered = exported

    return unsafe_sub(offered, min(offered, sale.sold))


@internal
@view
def _trades(
    quote: packing.Quote, sale: packing.Sale
) -> DynArray[IEnergyMarket.Trade, sales.MAX_TRADES]:
    """
    @dev Returns the trades of a quote: the bids that won, chained in the order of the
         ranking, then the purchases (see `sales`).
    """
    trades: DynArray[IEnergyMarket.Trade, sales.MAX_TRADES] = []
    wanted: DynArray[uint256, records.PAGE] = []
    number: uint256 = quote.first
    for _winner: uint256 in range(sale.winners, bound=sales.MAX_TRADES):
        word: uint256 = self._word(self._place(_BID, quote.room << packing.KEY_ROOM_SHIFT | number))
        bid: packing.Bid = packing._bid(word)
        wanted.append(self._place(_USER, number))
        trades.append(IEnergyMarket.Trade(buyer=empty(address), volume=bid.filled, price=bid.price))
        number = bid.next
    purchases: DynArray[uint256, records.PAGE] = []
    row: uint256 = self._hashed(unsafe_add(_PURCHASE, _SLOT_OFFSET), quote.room)
    for place: uint256 in range(sale.purchases, bound=sales.MAX_TRADES):
        purchases.append(unsafe_sub(self._hashed(row, place), unsafe_add(_RECORDS, _SLOT_OFFSET)))
    bought: DynArray[uint256, records.PAGE] = self._words(purchases)
    for word: uint256 in bought:
        purchase: packing.Purchase = packing._purchase(word)
        wanted.append(self._place(_USER, purchase.buyer))
        trades.append(IEnergyMarket.Trade(buyer=empty(address), volume=purchase.volume, price=quote.price))
    buyers: DynArray[uint256, records.PAGE] = self._words(wanted)
    for index: uint256 in range(len(trades), bound=sales.MAX_TRADES):
        trades[index].buyer = convert(buyers[index], address)

    return trades


@internal
@view
def _bids(
    quote_ids: DynArray[uint256, 8],
    quotes: Quotes,
    bidders: DynArray[address, 16],
) -> DynArray[IEnergyMarket.Bid, 128]:
    """
    @dev Returns the bids of all `bidders` on the first quote, then on the next.
    """
    wanted: DynArray[uint256, records.PAGE] = []
    for bidder: address in bidders:
        wanted.append(self._place(_IDENTITY, convert(bidder, uint256)))
    identities: DynArray[uint256, records.PAGE] = self._words(wanted)
    wanted = []
    for quote: packing.Quote in quotes.kept:
        for identity: uint256 in identities:
            wanted.append(
                self._place(_BID, quote.room << packing.KEY_ROOM_SHIFT | packing._number(identity))
            )
    words: DynArray[uint256, records.PAGE] = self._words(wanted)

    bids: DynArray[IEnergyMarket.Bid, 128] = []
    for index: uint256 in range(len(words), bound=128):
        bids.append(self._bid_of(words[index], quotes.kept[index // len(bidders)]))

    return bids


# ---- what words say ------------------------------------------------------------------


@internal
@view
def _bid_of(word: uint256, quote: packing.Quote) -> IEnergyMarket.Bid:
    """
    @dev Returns the bid in a word, on that quote.
    """
    answer: IEnergyMarket.Bid = empty(IEnergyMarket.Bid)
    bid: packing.Bid = packing._bid(word)
    sealed: bool = word & packing.SEALED != 0
    # Who only purchased from the quote left nothing else in the word: what is opened has a volume.
    if quote.id == 0 or bid.quote_id != quote.id or not (sealed or bid.volume != 0):
        return answer

    answer.status = IEnergyMarket.BidStatus.CREATED
    if sealed:
        answer.seal = convert(word << packing.COMMITMENT_CUT, bytes32)
    else:
        answer.price = bid.price
        answer.volume = bid.volume
        answer.filled = bid.filled
        answer.status = IEnergyMarket.BidStatus.RESERVED
    # Whatever was not confirmed by the matching, opened or not, has lost.
    if answer.filled > 0:
        answer.status = IEnergyMarket.BidStatus.CONFIRMED
    elif quote.status != IEnergyMarket.QuoteStatus.VALID:
        answer.status = IEnergyMarket.BidStatus.REJECTED

    return answer


# ---- the market's words --------------------------------------------------------------


@internal
@view
def _words(places: DynArray[uint256, records.PAGE]) -> DynArray[uint256, records.PAGE]:
    """
    @dev Returns words of the market's storage; asks for none where none are wanted.
    """
    if len(places) == 0:
        return places

    return staticcall IEnergyMarket(MARKET).words(places)


@internal
@view
def _word(place: uint256) -> uint256:
    """
    @dev Returns one word of the market's storage.
    """
    return (staticcall IEnergyMarket(MARKET).words([place]))[0]


@internal
@view
def _place(mapping: uint256, key: uint256) -> uint256:
    """
    @dev Returns where the word of a key lies in a mapping.
    """
    return unsafe_sub(
        self._hashed(unsafe_add(mapping, _SLOT_OFFSET), key), unsafe_add(_RECORDS, _SLOT_OFFSET)
    )


@internal
@view
def _placed(mapping: uint256, user: address, period: uint256) -> uint256:
    """
    @dev Returns where the word of a user and period lies in a mapping of mappings.
    """
    row: uint256 = self._hashed(unsafe_add(mapping, _SLOT_OFFSET), convert(user, uint256))

    return unsafe_sub(self._hashed(row, clock._place(period)), unsafe_add(_RECORDS, _SLOT_OFFSET))


@internal
@pure
def _hashed(mapping: uint256, key: uint256) -> uint256:
    """
    @dev Returns the slot of a key in the mapping at a slot, as vyper lays it out.
    """
    return convert(keccak256(abi_encode(mapping, key)), uint256)
