# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title How the market's records lie in storage words
@custom:contract-name packing
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A word of storage costs as much as thousands of steps of reckoning. So what is
        read and written together shares one: a record here is exactly one word. The other
        modules unpack a word into a record, change its fields by name, and pack it again.
@dev Stateless, and the only module that knows where a field lies. `_x` reads a word as a
     record, `_pack_x` makes the word of one; fields are listed from the lowest bit up.
     What changes with every trade, the purse and the position, is never taken apart: the
     functions that change one say what they do to it, and give the new word.
     Nothing is ever cut to fit: what does not fit reverts. The comment at each field says
     why that does not happen.
"""

from ..interfaces import IEnergyMarket


# @dev The largest value of each kind of field. No energy of a user in a period is larger than
# the capacity of its connection (T-REG-20), whatever it quotes, asks for, buys or meters.
MOST_MONEY: constant(uint256) = 2**104 - 1
MOST_PRICE: constant(uint256) = 2**96 - 1
MOST_ENERGY: constant(uint256) = 2**24 - 1
_MOST_TOTAL: constant(uint256) = 2**128 - 1
MOST_NUMBER: constant(uint256) = 2**32 - 1
_MOST_TIME: constant(uint256) = 2**40 - 1
_MOST_PERIOD: constant(uint256) = 2**36 - 1
MOST_COUNT: constant(uint256) = 2**16 - 1


# @dev A bid's word below this is no seal but a record.
_SEALS: constant(uint256) = 2**178


# @dev The record of a bid whose seal is kept aside, because it looks like a record.
SEAL_ASIDE: constant(uint256) = 2**177


# @dev Where fields of an opened bid begin, for the matching, which reads a book of them.
VOLUME_AT: constant(uint256) = 96
FILLED_AT: constant(uint256) = 120
NEXT_AT: constant(uint256) = 144
PENDING: constant(uint256) = 1 << 176


# @dev Where the quote begins in the key of a bid; the bidder's number is below it. Both
# have 32 bits.
QUOTE_AT: constant(uint256) = 32


# @dev Where fields of a purse begin. Good performances and waivers stop counting at their
# most: beyond any use (T-STD-1, T-STD-11).
PERFORMANCES_AT: constant(uint256) = 208
MOST_PERFORMANCES: constant(uint256) = 2**24 - 1
WAIVERS_AT: constant(uint256) = 232
MOST_WAIVERS: constant(uint256) = 2**22 - 1
INVOICED: constant(uint256) = 1 << 254
_RESERVED_AT: constant(uint256) = 104


# @dev Where the fields of a position begin.
BOUGHT_AT: constant(uint256) = 24
RECEIVED_AT: constant(uint256) = 48
ASKED_AT: constant(uint256) = 72
CLAIMED_AT: constant(uint256) = 96
OPEN_AT: constant(uint256) = 120
PENDING_AT: constant(uint256) = 136
POSITION_SETTLED: constant(uint256) = 1 << 168


# @dev Where fields of a delivery begin: of the reading first, then of the sale.
IMPORTED_AT: constant(uint256) = 24
PRESENT: constant(uint256) = 1 << 48
READING_SETTLED: constant(uint256) = 1 << 49
SALE_OPEN: constant(uint256) = 1 << 50
QUOTE_ID_AT: constant(uint256) = 52
SOLD_AT: constant(uint256) = 124
_MOST_READING: constant(uint256) = 2**50 - 1


# @dev What is set in the word of an identity that is authorised, and whose profile is zero.
AUTHORIZED: constant(uint256) = 1 << 192
BLANK: constant(uint256) = 1 << 193
CAPACITY_AT: constant(uint256) = 194


# @dev Where the volume lies in the word of a quote.
QUOTED_AT: constant(uint256) = 68


# @dev Who a user is. The profile lies under the meter.
struct Identity:
    meter: address  # 160
    number: uint256  # 32: households, counted
    authorized: bool
    blank: bool  # the profile is zero
    capacity: uint256  # 24: T-REG-20


# @dev A party's money, and what is decided at the same time as money is moved.
struct Purse:
    free: uint256  # 104: no more is ever deposited (T-MON-24)
    reserved: uint256  # 104: as above
    performances: uint256  # 24: stops counting
    waivers: uint256  # 22: stops counting
    invoiced: bool  # the invoice account is not 0


# @dev What bidders need to know of a quote.
struct Quote:
    prosumer: uint256  # 32: the user's number
    period: uint256  # 36: within seven days of now
    volume: uint256  # 24: T-QUO-4
    price: uint256  # 96: T-QUO-5
    opened: uint256  # 8: at most 128 (T-BID-13)
    first: uint256  # 32: number of the bidder that opened last; once matched, of the best
    status: IEnergyMarket.QuoteStatus  # 4


# @dev What became of a prosumer's quote for a period: the upper part of a delivery.
struct Sale:
    reading: uint256  # 50: the lower part, as it lies there
    open: bool  # neither taken back nor settled
    ahead: bool  # something was sold before the delivery began
    quote_id: uint256  # 32: quotes, counted
    created_at: uint256  # 40: seconds
    sold: uint256  # 24: of the volume quoted or exported
    matched: uint256  # 24: the part of it that the matching sold
    winners: uint256  # 8: at most 128
    purchases: uint256  # 9: at most 256


# @dev An opened bid.
struct Bid:
    price: uint256  # 96: T-BID-11
    volume: uint256  # 24: T-BID-10
    filled: uint256  # 24: at most the volume
    next: uint256  # 32: number of the bidder that opened before; once matched, of the next best
    pending: bool  # this is the quote that `Position.pending` names


# @dev A purchase of surplus.
struct Purchase:
    buyer: uint256  # 32: the user's number
    volume: uint256  # 24: of what was left
    first: bool  # the buyer had no stake in the quote before


# @dev What a user bought in a period.
struct Position:
    agreed: uint256  # 24: at most what was bought
    bought: uint256  # 24: at most what was claimed
    received: uint256  # 24: at most what was bought
    asked: uint256  # 24: volumes of the bids that the user opened
    claimed: uint256  # 24: what was asked and purchased, at most the capacity (T-REG-21)
    open: uint256  # 16: quotes, counted
    pending: uint256  # 32: the first quote on which the user opened a bid
    settled: bool  # of a user without a reading


# @dev What a meter reported: the lower part of a delivery.
struct Reading:
    exported: uint256  # 24: T-MET-3
    imported: uint256  # 24: T-MET-3
    present: bool
    settled: bool  # the account of the user and period is


# @dev What was quoted and asked for in a period.
struct Totals:
    supply: uint256  # 128: less than 2 ** 24 from each of less than 2 ** 32 quotes
    demand: uint256  # 128: at most 128 times as much


@internal
@pure
def _identity(word: uint256) -> Identity:
    """
    @dev Reads a word as an identity.
    """
    return Identity(
        meter=convert(word & convert(max_value(uint160), uint256), address),
        number=self._number(word),
        authorized=word & AUTHORIZED != 0,
        blank=word & BLANK != 0,
        capacity=self._capacity(word),
    )


@internal
@pure
def _new_identity(meter: address, number: uint256) -> uint256:
    """
    @dev Returns the word of a user that is not yet authorised.
    """
    assert number <= MOST_NUMBER

    return convert(meter, uint256) | number << 160


@internal
@pure
def _number(word: uint256) -> uint256:
    """
    @dev Returns the user's number in the word of an identity.
    """
    return word >> 160 & MOST_NUMBER


@internal
@pure
def _capacity(word: uint256) -> uint256:
    """
    @dev Returns the capacity in the word of an identity, in Wh; it is the highest field.
    """
    return word >> CAPACITY_AT


@internal
@pure
def _meter(word: uint256) -> address:
    """
    @dev Returns the meter in the word of an identity.
    """
    return convert(word & convert(max_value(uint160), uint256), address)


@internal
@pure
def _purse(word: uint256) -> Purse:
    """
    @dev Reads a word as a purse.
    """
    return Purse(
        free=word & MOST_MONEY,
        reserved=word >> _RESERVED_AT & MOST_MONEY,
        performances=word >> PERFORMANCES_AT & MOST_PERFORMANCES,
        waivers=word >> WAIVERS_AT & MOST_WAIVERS,
        invoiced=word >> 254 & 1 == 1,
    )


@internal
@pure
def _funded(word: uint256, amount: uint256) -> uint256:
    """
    @dev Returns the word of a purse with `amount` more in it, free.
    """
    assert amount <= unsafe_sub(MOST_MONEY, word & MOST_MONEY)

    return unsafe_add(word, amount)


@internal
@pure
def _reserved(word: uint256, amount: uint256) -> uint256:
    """
    @dev Returns the word of a purse once `amount`, which is free, is reserved.
    """
    reserved: uint256 = unsafe_add(word >> _RESERVED_AT & MOST_MONEY, amount)
    assert reserved <= MOST_MONEY

    return unsafe_sub(unsafe_add(word, amount << _RESERVED_AT), amount)


@internal
@pure
def _released(word: uint256, amount: uint256, back: uint256) -> uint256:
    """
    @dev Returns the word of a purse once `amount` of it is no longer reserved, and `back`
         is free instead.
    """
    free: uint256 = unsafe_add(word & MOST_MONEY, back)
    # One comparison for all: what falls below zero has the highest bits set.
    assert amount | back | free | unsafe_sub(word >> _RESERVED_AT & MOST_MONEY, amount) <= MOST_MONEY

    return unsafe_sub(unsafe_add(word, back), amount << _RESERVED_AT)


@internal
@pure
def _counted(word: uint256, place: uint256, most: uint256) -> uint256:
    """
    @dev Returns the word of a purse with one more in the counter that begins at `place`; at
         `most` it stops counting.
    """
    if word >> place & most == most:
        return word

    return unsafe_add(word, 1 << place)


@internal
@pure
def _quote(word: uint256) -> Quote:
    """
    @dev Reads a word as a quote.
    """
    return Quote(
        prosumer=word & MOST_NUMBER,
        period=word >> 32 & _MOST_PERIOD,
        volume=word >> QUOTED_AT & MOST_ENERGY,
        price=word >> 92 & MOST_PRICE,
        opened=word >> 188 & 255,
        first=word >> 196 & MOST_NUMBER,
        status=convert(word >> 228, IEnergyMarket.QuoteStatus),
    )


@internal
@pure
def _pack_quote(quote: Quote) -> uint256:
    """
    @dev Returns the word of a quote.
    """
    assert (
        (quote.prosumer | quote.first) >> 32
        | quote.period >> 36
        | quote.volume >> 24
        | quote.price >> 96
        | quote.opened >> 8
    ) == 0

    return (
        quote.prosumer
        | quote.period << 32
        | quote.volume << QUOTED_AT
        | quote.price << 92
        | quote.opened << 188
        | quote.first << 196
        | convert(quote.status, uint256) << 228
    )


@internal
@pure
def _sale(word: uint256) -> Sale:
    """
    @dev Reads the sale in the word of a delivery.
    """
    return Sale(
        reading=word & _MOST_READING,
        open=word & SALE_OPEN != 0,
        ahead=word >> 51 & 1 == 1,
        quote_id=word >> QUOTE_ID_AT & MOST_NUMBER,
        created_at=word >> 84 & _MOST_TIME,
        sold=word >> SOLD_AT & MOST_ENERGY,
        matched=word >> 148 & MOST_ENERGY,
        winners=word >> 172 & 255,
        purchases=word >> 180,
    )


@internal
@pure
def _pack_sale(sale: Sale) -> uint256:
    """
    @dev Returns the word of a delivery.
    """
    assert (
        sale.reading >> 50
        | sale.quote_id >> 32
        | sale.created_at >> 40
        | (sale.sold | sale.matched) >> 24
        | sale.winners >> 8
        | sale.purchases >> 9
    ) == 0

    return (
        sale.reading
        | convert(sale.open, uint256) << 50
        | convert(sale.ahead, uint256) << 51
        | sale.quote_id << QUOTE_ID_AT
        | sale.created_at << 84
        | sale.sold << SOLD_AT
        | sale.matched << 148
        | sale.winners << 172
        | sale.purchases << 180
    )


@internal
@pure
def _is_seal(word: uint256) -> bool:
    """
    @dev Tells whether a bid's word is a seal that is no record: all but one in 2 ** 78 are.
    """
    return word >= _SEALS


@internal
@pure
def _bid(word: uint256) -> Bid:
    """
    @dev Reads a word as an opened bid.
    """
    return Bid(
        price=word & MOST_PRICE,
        volume=word >> VOLUME_AT & MOST_ENERGY,
        filled=word >> FILLED_AT & MOST_ENERGY,
        next=word >> NEXT_AT & MOST_NUMBER,
        pending=word & PENDING != 0,
    )


@internal
@pure
def _pack_bid(bid: Bid) -> uint256:
    """
    @dev Returns the word of a bid.
    """
    assert bid.price >> 96 | (bid.volume | bid.filled) >> 24 | bid.next >> 32 == 0

    return (
        bid.price
        | bid.volume << VOLUME_AT
        | bid.filled << FILLED_AT
        | bid.next << NEXT_AT
        | convert(bid.pending, uint256) << 176
    )


@internal
@pure
def _won(word: uint256, filled: uint256, next: uint256) -> uint256:
    """
    @dev Returns the word of an opened bid once `filled` of it has won, and the bid of the
         user with the number `next` is the next best.
    """
    assert filled >> 24 | next >> 32 == 0

    return word & ~(MOST_NUMBER << NEXT_AT) | filled << FILLED_AT | next << NEXT_AT


@internal
@pure
def _purchase(word: uint256) -> Purchase:
    """
    @dev Reads a word as a purchase.
    """
    return Purchase(
        buyer=word & MOST_NUMBER,
        volume=word >> 32 & MOST_ENERGY,
        first=word >> 56 == 1,
    )


@internal
@pure
def _pack_purchase(purchase: Purchase) -> uint256:
    """
    @dev Returns the word of a purchase.
    """
    assert purchase.buyer >> 32 | purchase.volume >> 24 == 0

    return purchase.buyer | purchase.volume << 32 | convert(purchase.first, uint256) << 56


@internal
@pure
def _position(word: uint256) -> Position:
    """
    @dev Reads a word as a position.
    """
    return Position(
        agreed=word & MOST_ENERGY,
        bought=word >> BOUGHT_AT & MOST_ENERGY,
        received=word >> RECEIVED_AT & MOST_ENERGY,
        asked=word >> ASKED_AT & MOST_ENERGY,
        claimed=word >> CLAIMED_AT & MOST_ENERGY,
        open=word >> OPEN_AT & MOST_COUNT,
        pending=word >> PENDING_AT & MOST_NUMBER,
        settled=word & POSITION_SETTLED != 0,
    )


@internal
@pure
def _claimed(word: uint256) -> uint256:
    """
    @dev Returns what of the capacity is claimed in the word of a position.
    """
    return word >> CLAIMED_AT & MOST_ENERGY


@internal
@pure
def _asked(word: uint256, volume: uint256) -> uint256:
    """
    @dev Returns the word of a position with `volume` more asked for, and so claimed; the
         caller knows that it is within the capacity.
    """
    return unsafe_add(word, unsafe_mul(volume, 2**ASKED_AT + 2**CLAIMED_AT))


@internal
@pure
def _bought(word: uint256, volume: uint256, agreed: uint256, claimed: uint256) -> uint256:
    """
    @dev Returns the word of a position with `volume` more bought, `agreed` more agreed, and
         `claimed` more claimed of the capacity; both are at most `volume`.
    """
    # No more is ever agreed than bought: one comparison serves both.
    assert volume <= unsafe_sub(MOST_ENERGY, word >> BOUGHT_AT & MOST_ENERGY)

    return unsafe_add(unsafe_add(word, volume << BOUGHT_AT), agreed | claimed << CLAIMED_AT)


@internal
@pure
def _staked(word: uint256) -> uint256:
    """
    @dev Returns the word of a position with one open quote more.
    """
    assert word >> OPEN_AT & MOST_COUNT != MOST_COUNT

    return unsafe_add(word, 1 << OPEN_AT)


@internal
@pure
def _received(word: uint256, volume: uint256, ended: uint256) -> uint256:
    """
    @dev Returns the word of a position with `volume` more received, and `ended`, 0 or 1,
         open quotes less.
    """
    received: uint256 = unsafe_add(word >> RECEIVED_AT & MOST_ENERGY, volume)
    # One comparison for all: what falls below zero has the highest bits set.
    assert volume | received | unsafe_sub(word >> OPEN_AT & MOST_COUNT, ended) <= MOST_ENERGY

    return unsafe_sub(unsafe_add(word, volume << RECEIVED_AT), ended << OPEN_AT)


@internal
@pure
def _reading(word: uint256) -> Reading:
    """
    @dev Reads what the meter reported in the word of a delivery.
    """
    return Reading(
        exported=word & MOST_ENERGY,
        imported=word >> IMPORTED_AT & MOST_ENERGY,
        present=word & PRESENT != 0,
        settled=word & READING_SETTLED != 0,
    )


@internal
@pure
def _metered(word: uint256, exported: uint256, imported: uint256) -> uint256:
    """
    @dev Returns the word of a delivery without a reading once the meter has reported.
    """
    assert (exported | imported) >> 24 == 0

    return word | exported | imported << IMPORTED_AT | PRESENT


@internal
@pure
def _totals(word: uint256) -> Totals:
    """
    @dev Reads a word as totals.
    """
    return Totals(supply=word & _MOST_TOTAL, demand=word >> 128)


@internal
@pure
def _pack_totals(totals: Totals) -> uint256:
    """
    @dev Returns the word of totals.
    """
    assert (totals.supply | totals.demand) >> 128 == 0

    return totals.supply | totals.demand << 128


@internal
@view
def _seal_of(
    market: address, quote_id: uint256, bidder: address, price: uint256, volume: uint256, salt: bytes32
) -> bytes32:
    """
    @dev Returns the seal of a bid (T-BID-4). The chain, the market and the bidder are in
         it: a copied seal opens nothing, nowhere.
    """
    return keccak256(abi_encode(chain.id, market, quote_id, bidder, price, volume, salt))
