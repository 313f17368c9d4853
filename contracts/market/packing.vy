# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title How the market's records lie in storage words
@custom:contract-name packing
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A word of storage costs as much as thousands of steps of computation. So what is
        read and written together shares a word: a record here is exactly one word. The other
        modules unpack a word into a record, change its fields by name, and pack it again.
@dev Stateless, and the only module that knows where a field lies. One table for each word says
     so: from which bit to which, how wide, and why the field fits. Every shift and every
     largest value follows from the tables. `_x` reads a word as a record, `_pack_x` makes the
     word of one. What changes with every trade, the balance record and the position, is never
     taken apart: the functions that change one say what they do to it, and give the new word.
     Nothing is ever cut to fit: what does not fit reverts.
"""

from ..interfaces import IEnergyMarket


# ---- kinds of fields -----------------------------------------------------------------
#
#   kind          bits   largest value      why that is enough
#   money          104   MAX_MONEY          no more is ever deposited (T-MON-24)
#   price           96   MAX_PRICE          T-PARTY-11
#   energy          24   MAX_ENERGY         no energy of a user in a period is larger than the
#                                           capacity of its connection (T-REG-20), whatever it
#                                           quotes, asks for, buys or meters
#   number          32   MAX_NUMBER         users and quotes, counted
#   period          36   _MAX_PERIOD        within seven days of now (T-QUO-3)
#   time            40   _MAX_TIME          seconds
#   performances    24   MAX_PERFORMANCES   stops counting: beyond any use (T-STD-1)
#   waivers         22   MAX_WAIVERS        stops counting: beyond any use (T-STD-11)
#   stakes          16   MAX_STAKES         open quotes, counted
#   bids             8   _MAX_BIDS          at most 128 are opened on a quote (T-BID-13)
#   purchases        9   (highest field)    at most 256 trades (T-SUR-7)
#   total          128   _MAX_TOTAL         less than 2 ** 24 from each of less than 2 ** 32
#                                           quotes, and at most 128 times as much


# @dev The widths of the kinds, in bits.
_MONEY_BITS: constant(uint256) = 104
_PRICE_BITS: constant(uint256) = 96
_ENERGY_BITS: constant(uint256) = 24
_NUMBER_BITS: constant(uint256) = 32
_PERIOD_BITS: constant(uint256) = 36
_TIME_BITS: constant(uint256) = 40
_PERFORMANCES_BITS: constant(uint256) = 24
_WAIVERS_BITS: constant(uint256) = 22
_STAKES_BITS: constant(uint256) = 16
_BIDS_BITS: constant(uint256) = 8
_PURCHASES_BITS: constant(uint256) = 9
_TOTAL_BITS: constant(uint256) = 128


# @dev The largest value of each kind.
MAX_MONEY: constant(uint256) = 2**_MONEY_BITS - 1
MAX_PRICE: constant(uint256) = 2**_PRICE_BITS - 1
MAX_ENERGY: constant(uint256) = 2**_ENERGY_BITS - 1
MAX_NUMBER: constant(uint256) = 2**_NUMBER_BITS - 1
_MAX_PERIOD: constant(uint256) = 2**_PERIOD_BITS - 1
_MAX_TIME: constant(uint256) = 2**_TIME_BITS - 1
MAX_PERFORMANCES: constant(uint256) = 2**_PERFORMANCES_BITS - 1
MAX_WAIVERS: constant(uint256) = 2**_WAIVERS_BITS - 1
MAX_STAKES: constant(uint256) = 2**_STAKES_BITS - 1
_MAX_BIDS: constant(uint256) = 2**_BIDS_BITS - 1
_MAX_TOTAL: constant(uint256) = 2**_TOTAL_BITS - 1


# ---- identity: who a user is ---------------------------------------------------------
#
#   from   to   field         width   why it fits
#      0  159   meter           160   an address; the profile lies under it
#    160  191   number           32   a number
#    192        authorized        1
#    193        blank             1
#    194  217   capacity         24   an energy (T-REG-20); the highest field


_IDENTITY_NUMBER_SHIFT: constant(uint256) = 160
AUTHORIZED: constant(uint256) = 1 << 192
BLANK: constant(uint256) = 1 << 193
IDENTITY_CAPACITY_SHIFT: constant(uint256) = 194


# ---- balance record: a party's money, and what is decided as money moves -------------
#
#   from   to   field         width   why it fits
#      0  103   free            104   money
#    104  207   reserved        104   money
#    208  231   performances     24   stops counting
#    232  253   waivers          22   stops counting
#    254        invoiced          1


_BALANCE_RESERVED_SHIFT: constant(uint256) = 104
BALANCE_PERFORMANCES_SHIFT: constant(uint256) = 208
BALANCE_WAIVERS_SHIFT: constant(uint256) = 232
_BALANCE_INVOICED_SHIFT: constant(uint256) = 254
INVOICED: constant(uint256) = 1 << _BALANCE_INVOICED_SHIFT


# ---- quote: what bidders need to know of it ------------------------------------------
#
#   from   to   field         width   why it fits
#      0   31   prosumer         32   a number
#     32   67   period           36   a period
#     68   91   volume           24   an energy (T-QUO-4)
#     92  187   price            96   a price (T-QUO-5)
#    188  195   opened            8   bids
#    196  227   first            32   a number
#    228  231   status            4   a flag of four members; the highest field


_QUOTE_PERIOD_SHIFT: constant(uint256) = 32
QUOTE_VOLUME_SHIFT: constant(uint256) = 68
_QUOTE_PRICE_SHIFT: constant(uint256) = 92
_QUOTE_OPENED_SHIFT: constant(uint256) = 188
_QUOTE_FIRST_SHIFT: constant(uint256) = 196
_QUOTE_STATUS_SHIFT: constant(uint256) = 228


# ---- delivery: the reading of a user and period, then the sale of its quote ----------
#
#   from   to   field         width   why it fits
#      0   23   exported         24   an energy (T-MET-3)
#     24   47   imported         24   an energy (T-MET-3)
#     48        present           1
#     49        settled           1
#     50        open              1
#     51        ahead             1
#     52   83   quote_id         32   a number
#     84  123   created_at       40   a time
#    124  147   sold             24   an energy: of the volume quoted or exported
#    148  171   matched          24   an energy: of what was sold
#    172  179   winners           8   bids
#    180  188   purchases         9   purchases; the highest field


DELIVERY_IMPORTED_SHIFT: constant(uint256) = 24
PRESENT: constant(uint256) = 1 << 48
READING_SETTLED: constant(uint256) = 1 << 49
_DELIVERY_OPEN_SHIFT: constant(uint256) = 50
SALE_OPEN: constant(uint256) = 1 << _DELIVERY_OPEN_SHIFT
_DELIVERY_AHEAD_SHIFT: constant(uint256) = 51
DELIVERY_QUOTE_ID_SHIFT: constant(uint256) = 52
_DELIVERY_CREATED_AT_SHIFT: constant(uint256) = 84
DELIVERY_SOLD_SHIFT: constant(uint256) = 124
_DELIVERY_MATCHED_SHIFT: constant(uint256) = 148
_DELIVERY_WINNERS_SHIFT: constant(uint256) = 172
_DELIVERY_PURCHASES_SHIFT: constant(uint256) = 180


# @dev The reading takes all that lies below the sale.
_READING_BITS: constant(uint256) = 50
_MAX_READING: constant(uint256) = 2**_READING_BITS - 1


# ---- bid: a commitment, and once opened a record -------------------------------------
#
#   from   to   field         width   why it fits
#      0   95   price            96   a price (T-BID-11)
#     96  119   volume           24   an energy (T-BID-10)
#    120  143   filled           24   an energy: at most the volume
#    144  175   next             32   a number
#    176        pending           1
#    177        aside             1   set alone: the commitment looks like a record, and is kept
#                                     in a mapping of its own
#    178  255   (commitment)          a word with one of these bits set is a commitment


BID_VOLUME_SHIFT: constant(uint256) = 96
BID_FILLED_SHIFT: constant(uint256) = 120
BID_NEXT_SHIFT: constant(uint256) = 144
_BID_PENDING_SHIFT: constant(uint256) = 176
BID_PENDING: constant(uint256) = 1 << _BID_PENDING_SHIFT
COMMITMENT_ASIDE: constant(uint256) = 2**177
_MIN_COMMITMENT: constant(uint256) = 2**178


# ---- key of a bid --------------------------------------------------------------------
#
#   from   to   field         width   why it fits
#      0   31   bidder           32   a number
#     32   63   quote            32   a number


KEY_QUOTE_SHIFT: constant(uint256) = 32


# ---- purchase: of surplus ------------------------------------------------------------
#
#   from   to   field         width   why it fits
#      0   31   buyer            32   a number
#     32   55   volume           24   an energy: of what was left
#     56        first             1   the highest field


_PURCHASE_VOLUME_SHIFT: constant(uint256) = 32
_PURCHASE_FIRST_SHIFT: constant(uint256) = 56


# ---- position: what a user bought in a period ----------------------------------------
#
#   from   to   field         width   why it fits
#      0   23   agreed           24   an energy: at most what was bought
#     24   47   bought           24   an energy: at most what was claimed
#     48   71   received         24   an energy: at most what was bought
#     72   95   asked            24   an energy: at most what was claimed
#     96  119   claimed          24   an energy: at most the capacity (T-REG-21)
#    120  135   open             16   stakes
#    136  167   pending          32   a number
#    168        settled           1


POSITION_BOUGHT_SHIFT: constant(uint256) = 24
POSITION_RECEIVED_SHIFT: constant(uint256) = 48
POSITION_ASKED_SHIFT: constant(uint256) = 72
POSITION_CLAIMED_SHIFT: constant(uint256) = 96
POSITION_OPEN_SHIFT: constant(uint256) = 120
POSITION_PENDING_SHIFT: constant(uint256) = 136
POSITION_SETTLED: constant(uint256) = 1 << 168


# ---- totals of a period --------------------------------------------------------------
#
#   from   to   field         width   why it fits
#      0  127   supply          128   a total
#    128  255   demand          128   a total; the highest field


_TOTALS_DEMAND_SHIFT: constant(uint256) = 128


# ---- the records ---------------------------------------------------------------------


# @dev Who a user is. The profile lies under the meter.
struct Identity:
    meter: address
    number: uint256
    authorized: bool
    blank: bool  # the profile is zero
    capacity: uint256


# @dev A party's money, and what is decided at the same time as money is moved.
struct Balance:
    free: uint256
    reserved: uint256
    performances: uint256
    waivers: uint256
    invoiced: bool  # the invoice account is not 0


# @dev What bidders need to know of a quote.
struct Quote:
    prosumer: uint256  # the user's number
    period: uint256
    volume: uint256
    price: uint256
    opened: uint256  # bids
    first: uint256  # number of the bidder that opened last; once matched, of the best
    status: IEnergyMarket.QuoteStatus


# @dev What became of a prosumer's quote for a period: the upper part of a delivery.
struct Sale:
    reading: uint256  # the lower part, as it lies there
    open: bool  # neither withdrawn nor settled
    ahead: bool  # something was sold before the delivery began
    quote_id: uint256
    created_at: uint256
    sold: uint256
    matched: uint256  # the part of it that the matching sold
    winners: uint256
    purchases: uint256


# @dev An opened bid.
struct Bid:
    price: uint256
    volume: uint256
    filled: uint256
    next: uint256  # number of the bidder that opened before; once matched, of the next best
    pending: bool  # this is the quote that `Position.pending` names


# @dev A purchase of surplus.
struct Purchase:
    buyer: uint256  # the user's number
    volume: uint256
    first: bool  # the buyer had no stake in the quote before


# @dev What a user bought in a period.
struct Position:
    agreed: uint256
    bought: uint256
    received: uint256
    asked: uint256  # volumes of the bids that the user opened
    claimed: uint256  # what was asked and purchased
    open: uint256  # quotes
    pending: uint256  # the first quote on which the user opened a bid
    settled: bool  # of a user without a reading


# @dev What a meter reported: the lower part of a delivery.
struct Reading:
    exported: uint256
    imported: uint256
    present: bool
    settled: bool  # the account of the user and period is


# @dev What was quoted and asked for in a period.
struct Totals:
    supply: uint256
    demand: uint256


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
    assert number <= MAX_NUMBER

    return convert(meter, uint256) | number << _IDENTITY_NUMBER_SHIFT


@internal
@pure
def _number(word: uint256) -> uint256:
    """
    @dev Returns the user's number in the word of an identity.
    """
    return word >> _IDENTITY_NUMBER_SHIFT & MAX_NUMBER


@internal
@pure
def _capacity(word: uint256) -> uint256:
    """
    @dev Returns the capacity in the word of an identity, in Wh; it is the highest field.
    """
    return word >> IDENTITY_CAPACITY_SHIFT


@internal
@pure
def _meter(word: uint256) -> address:
    """
    @dev Returns the meter in the word of an identity.
    """
    return convert(word & convert(max_value(uint160), uint256), address)


@internal
@pure
def _balance(word: uint256) -> Balance:
    """
    @dev Reads a word as a balance record.
    """
    return Balance(
        free=word & MAX_MONEY,
        reserved=word >> _BALANCE_RESERVED_SHIFT & MAX_MONEY,
        performances=word >> BALANCE_PERFORMANCES_SHIFT & MAX_PERFORMANCES,
        waivers=word >> BALANCE_WAIVERS_SHIFT & MAX_WAIVERS,
        invoiced=word >> _BALANCE_INVOICED_SHIFT & 1 == 1,
    )


@internal
@pure
def _funded(word: uint256, amount: uint256) -> uint256:
    """
    @dev Returns the word of a balance record with `amount` more in it, free.
    """
    assert amount <= unsafe_sub(MAX_MONEY, word & MAX_MONEY)

    return unsafe_add(word, amount)


@internal
@pure
def _reserved(word: uint256, amount: uint256) -> uint256:
    """
    @dev Returns the word of a balance record once `amount`, which is free, is reserved.
    """
    reserved: uint256 = unsafe_add(word >> _BALANCE_RESERVED_SHIFT & MAX_MONEY, amount)
    assert reserved <= MAX_MONEY

    return unsafe_sub(unsafe_add(word, amount << _BALANCE_RESERVED_SHIFT), amount)


@internal
@pure
def _released(word: uint256, amount: uint256, back: uint256) -> uint256:
    """
    @dev Returns the word of a balance record once `amount` of it is no longer reserved, and
         `back` is free instead.
    """
    free: uint256 = unsafe_add(word & MAX_MONEY, back)
    # One comparison for all: what falls below zero has the highest bits set.
    assert amount | back | free | unsafe_sub(word >> _BALANCE_RESERVED_SHIFT & MAX_MONEY, amount) <= MAX_MONEY

    return unsafe_sub(unsafe_add(word, back), amount << _BALANCE_RESERVED_SHIFT)


@internal
@pure
def _counted(word: uint256, first_bit: uint256, limit: uint256) -> uint256:
    """
    @dev Returns the word of a balance record with one more in the counter that begins at bit
         `first_bit`; at `limit` it stops counting.
    """
    if word >> first_bit & limit == limit:
        return word

    return unsafe_add(word, 1 << first_bit)


@internal
@pure
def _quote(word: uint256) -> Quote:
    """
    @dev Reads a word as a quote.
    """
    return Quote(
        prosumer=word & MAX_NUMBER,
        period=word >> _QUOTE_PERIOD_SHIFT & _MAX_PERIOD,
        volume=word >> QUOTE_VOLUME_SHIFT & MAX_ENERGY,
        price=word >> _QUOTE_PRICE_SHIFT & MAX_PRICE,
        opened=word >> _QUOTE_OPENED_SHIFT & _MAX_BIDS,
        first=word >> _QUOTE_FIRST_SHIFT & MAX_NUMBER,
        status=convert(word >> _QUOTE_STATUS_SHIFT, IEnergyMarket.QuoteStatus),
    )


@internal
@pure
def _pack_quote(quote: Quote) -> uint256:
    """
    @dev Returns the word of a quote.
    """
    assert (
        (quote.prosumer | quote.first) >> _NUMBER_BITS
        | quote.period >> _PERIOD_BITS
        | quote.volume >> _ENERGY_BITS
        | quote.price >> _PRICE_BITS
        | quote.opened >> _BIDS_BITS
    ) == 0

    return (
        quote.prosumer
        | quote.period << _QUOTE_PERIOD_SHIFT
        | quote.volume << QUOTE_VOLUME_SHIFT
        | quote.price << _QUOTE_PRICE_SHIFT
        | quote.opened << _QUOTE_OPENED_SHIFT
        | quote.first << _QUOTE_FIRST_SHIFT
        | convert(quote.status, uint256) << _QUOTE_STATUS_SHIFT
    )


@internal
@pure
def _sale(word: uint256) -> Sale:
    """
    @dev Reads the sale in the word of a delivery.
    """
    return Sale(
        reading=word & _MAX_READING,
        open=word & SALE_OPEN != 0,
        ahead=word >> _DELIVERY_AHEAD_SHIFT & 1 == 1,
        quote_id=word >> DELIVERY_QUOTE_ID_SHIFT & MAX_NUMBER,
        created_at=word >> _DELIVERY_CREATED_AT_SHIFT & _MAX_TIME,
        sold=word >> DELIVERY_SOLD_SHIFT & MAX_ENERGY,
        matched=word >> _DELIVERY_MATCHED_SHIFT & MAX_ENERGY,
        winners=word >> _DELIVERY_WINNERS_SHIFT & _MAX_BIDS,
        purchases=word >> _DELIVERY_PURCHASES_SHIFT,
    )


@internal
@pure
def _pack_sale(sale: Sale) -> uint256:
    """
    @dev Returns the word of a delivery.
    """
    assert (
        sale.reading >> _READING_BITS
        | sale.quote_id >> _NUMBER_BITS
        | sale.created_at >> _TIME_BITS
        | (sale.sold | sale.matched) >> _ENERGY_BITS
        | sale.winners >> _BIDS_BITS
        | sale.purchases >> _PURCHASES_BITS
    ) == 0

    return (
        sale.reading
        | convert(sale.open, uint256) << _DELIVERY_OPEN_SHIFT
        | convert(sale.ahead, uint256) << _DELIVERY_AHEAD_SHIFT
        | sale.quote_id << DELIVERY_QUOTE_ID_SHIFT
        | sale.created_at << _DELIVERY_CREATED_AT_SHIFT
        | sale.sold << DELIVERY_SOLD_SHIFT
        | sale.matched << _DELIVERY_MATCHED_SHIFT
        | sale.winners << _DELIVERY_WINNERS_SHIFT
        | sale.purchases << _DELIVERY_PURCHASES_SHIFT
    )


@internal
@pure
def _is_commitment(word: uint256) -> bool:
    """
    @dev Tells whether a bid's word is a commitment that is no record: all but one in 2 ** 78 are.
    """
    return word >= _MIN_COMMITMENT


@internal
@pure
def _bid(word: uint256) -> Bid:
    """
    @dev Reads a word as an opened bid.
    """
    return Bid(
        price=word & MAX_PRICE,
        volume=word >> BID_VOLUME_SHIFT & MAX_ENERGY,
        filled=word >> BID_FILLED_SHIFT & MAX_ENERGY,
        next=word >> BID_NEXT_SHIFT & MAX_NUMBER,
        pending=word & BID_PENDING != 0,
    )


@internal
@pure
def _pack_bid(bid: Bid) -> uint256:
    """
    @dev Returns the word of a bid.
    """
    assert (
        bid.price >> _PRICE_BITS | (bid.volume | bid.filled) >> _ENERGY_BITS | bid.next >> _NUMBER_BITS == 0
    )

    return (
        bid.price
        | bid.volume << BID_VOLUME_SHIFT
        | bid.filled << BID_FILLED_SHIFT
        | bid.next << BID_NEXT_SHIFT
        | convert(bid.pending, uint256) << _BID_PENDING_SHIFT
    )


@internal
@pure
def _won(word: uint256, filled: uint256, next: uint256) -> uint256:
    """
    @dev Returns the word of an opened bid once `filled` of it has won, and the bid of the
         user with the number `next` is the next best.
    """
    assert filled >> _ENERGY_BITS | next >> _NUMBER_BITS == 0

    return word & ~(MAX_NUMBER << BID_NEXT_SHIFT) | filled << BID_FILLED_SHIFT | next << BID_NEXT_SHIFT


@internal
@pure
def _purchase(word: uint256) -> Purchase:
    """
    @dev Reads a word as a purchase.
    """
    return Purchase(
        buyer=word & MAX_NUMBER,
        volume=word >> _PURCHASE_VOLUME_SHIFT & MAX_ENERGY,
        first=word >> _PURCHASE_FIRST_SHIFT == 1,
    )


@internal
@pure
def _pack_purchase(purchase: Purchase) -> uint256:
    """
    @dev Returns the word of a purchase.
    """
    assert purchase.buyer >> _NUMBER_BITS | purchase.volume >> _ENERGY_BITS == 0

    return (
        purchase.buyer
        | purchase.volume << _PURCHASE_VOLUME_SHIFT
        | convert(purchase.first, uint256) << _PURCHASE_FIRST_SHIFT
    )


@internal
@pure
def _position(word: uint256) -> Position:
    """
    @dev Reads a word as a position.
    """
    return Position(
        agreed=word & MAX_ENERGY,
        bought=word >> POSITION_BOUGHT_SHIFT & MAX_ENERGY,
        received=word >> POSITION_RECEIVED_SHIFT & MAX_ENERGY,
        asked=word >> POSITION_ASKED_SHIFT & MAX_ENERGY,
        claimed=word >> POSITION_CLAIMED_SHIFT & MAX_ENERGY,
        open=word >> POSITION_OPEN_SHIFT & MAX_STAKES,
        pending=word >> POSITION_PENDING_SHIFT & MAX_NUMBER,
        settled=word & POSITION_SETTLED != 0,
    )


@internal
@pure
def _claimed(word: uint256) -> uint256:
    """
    @dev Returns what of the capacity is claimed in the word of a position.
    """
    return word >> POSITION_CLAIMED_SHIFT & MAX_ENERGY


@internal
@pure
def _asked(word: uint256, volume: uint256) -> uint256:
    """
    @dev Returns the word of a position with `volume` more asked for, and so claimed; the
         caller knows that it is within the capacity.
    """
    return unsafe_add(word, unsafe_mul(volume, 2**POSITION_ASKED_SHIFT + 2**POSITION_CLAIMED_SHIFT))


@internal
@pure
def _bought(word: uint256, volume: uint256, agreed: uint256, claimed: uint256) -> uint256:
    """
    @dev Returns the word of a position with `volume` more bought, `agreed` more agreed, and
         `claimed` more claimed of the capacity; both are at most `volume`.
    """
    # No more is ever agreed than bought: one comparison serves both.
    assert volume <= unsafe_sub(MAX_ENERGY, word >> POSITION_BOUGHT_SHIFT & MAX_ENERGY)

    return unsafe_add(
        unsafe_add(word, volume << POSITION_BOUGHT_SHIFT), agreed | claimed << POSITION_CLAIMED_SHIFT
    )


@internal
@pure
def _staked(word: uint256) -> uint256:
    """
    @dev Returns the word of a position with one open quote more.
    """
    assert word >> POSITION_OPEN_SHIFT & MAX_STAKES != MAX_STAKES

    return unsafe_add(word, 1 << POSITION_OPEN_SHIFT)


@internal
@pure
def _received(word: uint256, volume: uint256, ended: uint256) -> uint256:
    """
    @dev Returns the word of a position with `volume` more received, and `ended`, 0 or 1,
         open quotes less.
    """
    received: uint256 = unsafe_add(word >> POSITION_RECEIVED_SHIFT & MAX_ENERGY, volume)
    # One comparison for all: what falls below zero has the highest bits set.
    assert volume | received | unsafe_sub(word >> POSITION_OPEN_SHIFT & MAX_STAKES, ended) <= MAX_ENERGY

    return unsafe_sub(unsafe_add(word, volume << POSITION_RECEIVED_SHIFT), ended << POSITION_OPEN_SHIFT)


@internal
@pure
def _reading(word: uint256) -> Reading:
    """
    @dev Reads what the meter reported in the word of a delivery.
    """
    return Reading(
        exported=word & MAX_ENERGY,
        imported=word >> DELIVERY_IMPORTED_SHIFT & MAX_ENERGY,
        present=word & PRESENT != 0,
        settled=word & READING_SETTLED != 0,
    )


@internal
@pure
def _metered(word: uint256, exported: uint256, imported: uint256) -> uint256:
    """
    @dev Returns the word of a delivery without a reading once the meter has reported.
    """
    assert (exported | imported) >> _ENERGY_BITS == 0

    return word | exported | imported << DELIVERY_IMPORTED_SHIFT | PRESENT


@internal
@pure
def _totals(word: uint256) -> Totals:
    """
    @dev Reads a word as totals.
    """
    return Totals(supply=word & _MAX_TOTAL, demand=word >> _TOTALS_DEMAND_SHIFT)


@internal
@pure
def _pack_totals(totals: Totals) -> uint256:
    """
    @dev Returns the word of totals.
    """
    assert (totals.supply | totals.demand) >> _TOTAL_BITS == 0

    return totals.supply | totals.demand << _TOTALS_DEMAND_SHIFT


@internal
@view
def _commitment_of(
    market: address, quote_id: uint256, bidder: address, price: uint256, volume: uint256, salt: bytes32
) -> bytes32:
    """
    @dev Returns the commitment of a bid (T-BID-4). The chain, the market and the bidder are in
         it: a copied commitment opens nothing, nowhere.
    """
    return keccak256(abi_encode(chain.id, market, quote_id, bidder, price, volume, salt))
