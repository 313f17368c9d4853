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
#   total           96   _MAX_TOTAL         less than 2 ** 24 from each of less than 2 ** 32
#                                           quotes, and at most 128 times as much


# @dev The widths of the kinds, in bits.
_MONEY_BITS: constant(uint256) = 104
_PRICE_BITS: constant(uint256) = 96
_ENERGY_BITS: constant(uint256) = 24
NUMBER_BITS: constant(uint256) = 32
PERIOD_BITS: constant(uint256) = 36
TIME_BITS: constant(uint256) = 40
_PERFORMANCES_BITS: constant(uint256) = 24
_WAIVERS_BITS: constant(uint256) = 22
_STAKES_BITS: constant(uint256) = 16
_BIDS_BITS: constant(uint256) = 8
_PURCHASES_BITS: constant(uint256) = 9
_TOTAL_BITS: constant(uint256) = 96


# @dev The largest value of each kind.
MAX_MONEY: constant(uint256) = 2**_MONEY_BITS - 1
MAX_PRICE: constant(uint256) = 2**_PRICE_BITS - 1
MAX_ENERGY: constant(uint256) = 2**_ENERGY_BITS - 1
MAX_NUMBER: constant(uint256) = 2**NUMBER_BITS - 1
_MAX_PERIOD: constant(uint256) = 2**PERIOD_BITS - 1
_MAX_TIME: constant(uint256) = 2**TIME_BITS - 1
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
#    228  229   status            2   the place of the member in a flag of four
#    230  255   id               26   what of a number the room does not tell, as rooms are kept by
#                                     six bits of it at least


QUOTE_PERIOD_SHIFT: constant(uint256) = 32
QUOTE_VOLUME_SHIFT: constant(uint256) = 68
QUOTE_PRICE_SHIFT: constant(uint256) = 92
_QUOTE_OPENED_SHIFT: constant(uint256) = 188
_QUOTE_FIRST_SHIFT: constant(uint256) = 196
_QUOTE_STATUS_SHIFT: constant(uint256) = 228
ONE_OPENED: constant(uint256) = 1 << _QUOTE_OPENED_SHIFT
CLOSED: constant(uint256) = 1 << _QUOTE_STATUS_SHIFT
MATCHED: constant(uint256) = 2 << _QUOTE_STATUS_SHIFT
NOT_VALID: constant(uint256) = CLOSED | MATCHED
QUOTE_ID_SHIFT: constant(uint256) = 230
_STATUS_BITS: constant(uint256) = 2
_ID_BITS: constant(uint256) = 26
ROOM_BITS: constant(uint256) = NUMBER_BITS - _ID_BITS


# ---- sale: what became of a user's quote for a period --------------------------------
#
#   from   to   field         width   why it fits
#      0        open              1
#      1        ahead             1
#      2   33   quote_id         32   a number
#     34   73   created_at       40   a time
#     74   97   sold             24   an energy: of the volume quoted or exported
#     98  121   matched          24   an energy: of what was sold
#    122  129   winners           8   bids
#    130  138   purchases         9   purchases; the highest field


SALE_OPEN: constant(uint256) = 1
_SALE_AHEAD_SHIFT: constant(uint256) = 1
SALE_QUOTE_ID_SHIFT: constant(uint256) = 2
SALE_CREATED_AT_SHIFT: constant(uint256) = 34
SALE_SOLD_SHIFT: constant(uint256) = 74
_SALE_MATCHED_SHIFT: constant(uint256) = 98
_SALE_WINNERS_SHIFT: constant(uint256) = 122
_SALE_PURCHASES_SHIFT: constant(uint256) = 130


# ---- bid: a commitment, and once opened a record -------------------------------------
#
#   from   to   field         width   why it fits
#      0   95   price            96   a price (T-BID-11)
#     96  119   volume           24   an energy (T-BID-10)
#    120  143   filled           24   an energy: at most the volume
#    144  175   next             32   a number
#    176        pending           1
#    222        traded            1   has a trade with the quote: has won, or purchased without a bid, too
#    223        sealed            1   a commitment lies in bits 0 to 221
#    224  255   quote_id         32   a number: what another quote left in the room is none of its

# @dev Of a commitment its first 222 bits are kept: to find another bid with the same ones takes
# 2 ** 222 trials, and two such bids of one's own 2 ** 111 (T-BID-17).


BID_VOLUME_SHIFT: constant(uint256) = 96
BID_FILLED_SHIFT: constant(uint256) = 120
BID_NEXT_SHIFT: constant(uint256) = 144
_BID_PENDING_SHIFT: constant(uint256) = 176
BID_PENDING: constant(uint256) = 1 << _BID_PENDING_SHIFT
SEALED: constant(uint256) = 1 << SEALED_SHIFT
SEALED_SHIFT: constant(uint256) = 223
BID_QUOTE_ID_SHIFT: constant(uint256) = 224
_TRADED_SHIFT: constant(uint256) = 222
TRADED: constant(uint256) = 1 << _TRADED_SHIFT
COMMITMENT_CUT: constant(uint256) = 256 - _TRADED_SHIFT


# ---- key of a bid --------------------------------------------------------------------
#
#   from   to   field         width   why it fits
#      0   31   bidder           32   a number
#     32   63   room             32   as wide as a number, at most


KEY_ROOM_SHIFT: constant(uint256) = 32


# ---- purchase: of surplus ------------------------------------------------------------
#
#   from   to   field         width   why it fits
#      0   31   buyer            32   a number
#     32   55   volume           24   an energy: of what was left
#     56        first             1   the highest field


_PURCHASE_VOLUME_SHIFT: constant(uint256) = 32
_PURCHASE_FIRST_SHIFT: constant(uint256) = 56


# ---- position: what a user bought and metered in a period ----------------------------
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
#    169        quoted            1
#    170        present           1
#    171  194   exported         24   an energy (T-MET-3)
#    195  218   imported         24   an energy (T-MET-3)
#    219  254   period           36   a period
#    255        begun             1   set: a word of no period is zero


POSITION_BOUGHT_SHIFT: constant(uint256) = 24
POSITION_RECEIVED_SHIFT: constant(uint256) = 48
POSITION_ASKED_SHIFT: constant(uint256) = 72
POSITION_CLAIMED_SHIFT: constant(uint256) = 96
POSITION_OPEN_SHIFT: constant(uint256) = 120
POSITION_PENDING_SHIFT: constant(uint256) = 136
SETTLED: constant(uint256) = 1 << 168
QUOTED: constant(uint256) = 1 << 169
PRESENT: constant(uint256) = 1 << 170
POSITION_EXPORTED_SHIFT: constant(uint256) = 171
POSITION_IMPORTED_SHIFT: constant(uint256) = 195
POSITION_PERIOD_SHIFT: constant(uint256) = 219
BEGUN: constant(uint256) = 1 << PERIOD_BITS


# ---- totals of a period --------------------------------------------------------------
#
#   from   to   field         width   why it fits
#      0   95   supply           96   a total
#     96  191   demand           96   a total
#    192  227   period           36   a period; the highest field


TOTALS_DEMAND_SHIFT: constant(uint256) = 96
TOTALS_PERIOD_SHIFT: constant(uint256) = 192


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
    id: uint256
    room: uint256  # where it lies, and its bids; not in the word
    prosumer: uint256  # the user's number
    period: uint256
    volume: uint256
    price: uint256
    opened: uint256  # bids
    first: uint256  # number of the bidder that opened last; once matched, of the best
    status: IEnergyMarket.QuoteStatus


# @dev What became of a prosumer's quote for a period.
struct Sale:
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
    quote_id: uint256
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


# @dev What a user bought and metered in a period.
struct Position:
    agreed: uint256
    bought: uint256
    received: uint256
    asked: uint256  # volumes of the bids that the user opened
    claimed: uint256  # what was asked and purchased
    open: uint256  # quotes
    pending: uint256  # the first quote on which the user opened a bid
    settled: bool  # the account of the user and period is
    quoted: bool  # the user quoted, and may have withdrawn that
    present: bool  # the meter reported
    exported: uint256
    imported: uint256
    period: uint256


# @dev What was quoted and asked for in a period.
struct Totals:
    supply: uint256
    demand: uint256
    period: uint256


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
def _quote(word: uint256, room: uint256) -> Quote:
    """
    @dev Reads the word in a room as a quote.
    """
    return Quote(
        id=word >> QUOTE_ID_SHIFT << ROOM_BITS | room & (2**ROOM_BITS - 1),
        room=room,
        prosumer=word & MAX_NUMBER,
        period=word >> QUOTE_PERIOD_SHIFT & _MAX_PERIOD,
        volume=word >> QUOTE_VOLUME_SHIFT & MAX_ENERGY,
        price=word >> QUOTE_PRICE_SHIFT & MAX_PRICE,
        opened=word >> _QUOTE_OPENED_SHIFT & _MAX_BIDS,
        first=word >> _QUOTE_FIRST_SHIFT & MAX_NUMBER,
        status=convert(
            1 << (word >> _QUOTE_STATUS_SHIFT & (2**_STATUS_BITS - 1)), IEnergyMarket.QuoteStatus
        ),
    )


@internal
@pure
def _led(word: uint256, first: uint256, change: uint256) -> uint256:
    """
    @dev Returns the word of a quote with another first bidder, and with a `change` added: one more
         bid that is opened (`ONE_OPENED`), where another fits, or for one that was VALID `MATCHED`.
    """
    assert first <= MAX_NUMBER

    return unsafe_add(word & ~(MAX_NUMBER << _QUOTE_FIRST_SHIFT) | first << _QUOTE_FIRST_SHIFT, change)


@internal
@pure
def _sale(word: uint256) -> Sale:
    """
    @dev Reads a word as a sale.
    """
    return Sale(
        open=word & SALE_OPEN != 0,
        ahead=word >> _SALE_AHEAD_SHIFT & 1 == 1,
        quote_id=word >> SALE_QUOTE_ID_SHIFT & MAX_NUMBER,
        created_at=word >> SALE_CREATED_AT_SHIFT & _MAX_TIME,
        sold=word >> SALE_SOLD_SHIFT & MAX_ENERGY,
        matched=word >> _SALE_MATCHED_SHIFT & MAX_ENERGY,
        winners=word >> _SALE_WINNERS_SHIFT & _MAX_BIDS,
        purchases=word >> _SALE_PURCHASES_SHIFT,
    )


@internal
@pure
def _pack_sale(sale: Sale) -> uint256:
    """
    @dev Returns the word of a sale.
    """
    assert (
        sale.quote_id >> NUMBER_BITS
        | sale.created_at >> TIME_BITS
        | (sale.sold | sale.matched) >> _ENERGY_BITS
        | sale.winners >> _BIDS_BITS
        | sale.purchases >> _PURCHASES_BITS
    ) == 0

    return (
        convert(sale.open, uint256)
        | convert(sale.ahead, uint256) << _SALE_AHEAD_SHIFT
        | sale.quote_id << SALE_QUOTE_ID_SHIFT
        | sale.created_at << SALE_CREATED_AT_SHIFT
        | sale.sold << SALE_SOLD_SHIFT
        | sale.matched << _SALE_MATCHED_SHIFT
        | sale.winners << _SALE_WINNERS_SHIFT
        | sale.purchases << _SALE_PURCHASES_SHIFT
    )


@internal
@pure
def _sealed(quote_id: uint256, commitment: bytes32) -> uint256:
    """
    @dev Returns the word of a bid that is not opened: of the commitment what is kept of it.
    """
    return quote_id << BID_QUOTE_ID_SHIFT | SEALED | convert(commitment, uint256) >> COMMITMENT_CUT


@internal
@pure
def _bid(word: uint256) -> Bid:
    """
    @dev Reads a word as an opened bid.
    """
    return Bid(
        quote_id=word >> BID_QUOTE_ID_SHIFT,
        price=word & MAX_PRICE,
        volume=word >> BID_VOLUME_SHIFT & MAX_ENERGY,
        filled=word >> BID_FILLED_SHIFT & MAX_ENERGY,
        next=word >> BID_NEXT_SHIFT & MAX_NUMBER,
        pending=word & BID_PENDING != 0,
    )


@internal
@pure
def _new_bid(quote_id: uint256, price: uint256, volume: uint256, next: uint256, pending: bool) -> uint256:
    """
    @dev Returns the word of a bid that is opened; nothing of it has won.
    """
    assert (quote_id | next) >> NUMBER_BITS | price >> _PRICE_BITS | volume >> _ENERGY_BITS == 0

    return (
        price
        | volume << BID_VOLUME_SHIFT
        | next << BID_NEXT_SHIFT
        | convert(pending, uint256) << _BID_PENDING_SHIFT
        | quote_id << BID_QUOTE_ID_SHIFT
    )


@internal
@pure
def _won(word: uint256, filled: uint256, next: uint256) -> uint256:
    """
    @dev Returns the word of an opened bid once `filled` of it has won, and the bid of the
         user with the number `next` is the next best.
    """
    assert filled >> _ENERGY_BITS | next >> NUMBER_BITS == 0

    return (
        word & ~(MAX_NUMBER << BID_NEXT_SHIFT) | filled << BID_FILLED_SHIFT | next << BID_NEXT_SHIFT | TRADED
    )


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
def _new_purchase(buyer: uint256, volume: uint256, first: bool) -> uint256:
    """
    @dev Returns the word of a purchase.
    """
    assert buyer >> NUMBER_BITS | volume >> _ENERGY_BITS == 0

    return buyer | volume << _PURCHASE_VOLUME_SHIFT | convert(first, uint256) << _PURCHASE_FIRST_SHIFT


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
        settled=word & SETTLED != 0,
        quoted=word & QUOTED != 0,
        present=word & PRESENT != 0,
        exported=word >> POSITION_EXPORTED_SHIFT & MAX_ENERGY,
        imported=word >> POSITION_IMPORTED_SHIFT & MAX_ENERGY,
        period=word >> POSITION_PERIOD_SHIFT & _MAX_PERIOD,
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
def _metered(word: uint256, exported: uint256, imported: uint256) -> uint256:
    """
    @dev Returns the word of a position without a reading once the meter has reported.
    """
    assert (exported | imported) >> _ENERGY_BITS == 0

    return word | exported << POSITION_EXPORTED_SHIFT | imported << POSITION_IMPORTED_SHIFT | PRESENT


@internal
@pure
def _totals(word: uint256) -> Totals:
    """
    @dev Reads a word as totals.
    """
    return Totals(
        supply=word & _MAX_TOTAL,
        demand=word >> TOTALS_DEMAND_SHIFT & _MAX_TOTAL,
        period=word >> TOTALS_PERIOD_SHIFT,
    )


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
