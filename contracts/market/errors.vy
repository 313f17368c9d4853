# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Why calls are refused
@custom:contract-name errors
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice The reasons why the market's modules refuse calls once it is deployed. Each names its
        module, then what is wrong.
@dev A reason is a word here, its text padded with zeros: to return it, or to hand it on, takes a
     word of code and memory where a string takes three. `_text` makes the string of it, which
     is what callers see and events tell. Above each word stands its text. Reasons that are
     longer than 32 bytes, and used once, are strings where they are used.
"""


# ---- accounts ------------------------------------------------------------------------


# "accounts: already authorised"
ACCOUNTS_ALREADY_AUTHORISED: constant(bytes32) = (
    0x6163636f756e74733a20616c726561647920617574686f726973656400000000
)
# "accounts: already registered"
ACCOUNTS_ALREADY_REGISTERED: constant(bytes32) = (
    0x6163636f756e74733a20616c7265616479207265676973746572656400000000
)
# "accounts: capacity cannot fall"
ACCOUNTS_CAPACITY_CANNOT_FALL: constant(bytes32) = (
    0x6163636f756e74733a2063617061636974792063616e6e6f742066616c6c0000
)
# "accounts: capacity out of bounds"
ACCOUNTS_CAPACITY_OUT_OF_BOUNDS: constant(bytes32) = (
    0x6163636f756e74733a206361706163697479206f7574206f6620626f756e6473
)
# "accounts: malformed signature"
ACCOUNTS_MALFORMED_SIGNATURE: constant(bytes32) = (
    0x6163636f756e74733a206d616c666f726d6564207369676e6174757265000000
)
# "accounts: meter already paired"
ACCOUNTS_METER_ALREADY_PAIRED: constant(bytes32) = (
    0x6163636f756e74733a206d6574657220616c7265616479207061697265640000
)
# "accounts: meter is zero"
ACCOUNTS_METER_IS_ZERO: constant(bytes32) = 0x6163636f756e74733a206d65746572206973207a65726f000000000000000000
# "accounts: not authorised"
ACCOUNTS_NOT_AUTHORISED: constant(bytes32) = (
    0x6163636f756e74733a206e6f7420617574686f72697365640000000000000000
)
# "accounts: not registered"
ACCOUNTS_NOT_REGISTERED: constant(bytes32) = (
    0x6163636f756e74733a206e6f7420726567697374657265640000000000000000
)
# "accounts: too little gas"
ACCOUNTS_TOO_LITTLE_GAS: constant(bytes32) = (
    0x6163636f756e74733a20746f6f206c6974746c65206761730000000000000000
)
# "accounts: wrong meter"
ACCOUNTS_WRONG_METER: constant(bytes32) = 0x6163636f756e74733a2077726f6e67206d657465720000000000000000000000


# ---- bids ----------------------------------------------------------------------------


# "bids: already bid"
BIDS_ALREADY_BID: constant(bytes32) = 0x626964733a20616c726561647920626964000000000000000000000000000000
# "bids: book is full"
BIDS_BOOK_IS_FULL: constant(bytes32) = 0x626964733a20626f6f6b2069732066756c6c0000000000000000000000000000
# "bids: nothing to open"
BIDS_NOTHING_TO_OPEN: constant(bytes32) = 0x626964733a206e6f7468696e6720746f206f70656e0000000000000000000000
# "bids: own quote"
BIDS_OWN_QUOTE: constant(bytes32) = 0x626964733a206f776e2071756f74650000000000000000000000000000000000
# "bids: price out of bounds"
BIDS_PRICE_OUT_OF_BOUNDS: constant(bytes32) = (
    0x626964733a207072696365206f7574206f6620626f756e647300000000000000
)
# "bids: seal does not match"
BIDS_SEAL_DOES_NOT_MATCH: constant(bytes32) = (
    0x626964733a207365616c20646f6573206e6f74206d6174636800000000000000
)
# "bids: volume out of bounds"
BIDS_VOLUME_OUT_OF_BOUNDS: constant(bytes32) = (
    0x626964733a20766f6c756d65206f7574206f6620626f756e6473000000000000
)


# ---- clock ---------------------------------------------------------------------------


# "clock: wrong phase"
CLOCK_WRONG_PHASE: constant(bytes32) = 0x636c6f636b3a2077726f6e672070686173650000000000000000000000000000


# ---- ecdsa ---------------------------------------------------------------------------


# "ecdsa: invalid signature"
ECDSA_INVALID_SIGNATURE: constant(bytes32) = (
    0x65636473613a20696e76616c6964207369676e61747572650000000000000000
)
# @dev The one text that is longer than a word: this is its beginning, and stands for all of it.
# "ecdsa: invalid signature `s` value"
ECDSA_INVALID_SIGNATURE_S_VALUE: constant(bytes32) = (
    0x65636473613a20696e76616c6964207369676e61747572652060736000000000
)


# ---- ledger --------------------------------------------------------------------------


# "ledger: in arrears"
LEDGER_IN_ARREARS: constant(bytes32) = 0x6c65646765723a20696e20617272656172730000000000000000000000000000
# "ledger: insufficient balance"
LEDGER_INSUFFICIENT_BALANCE: constant(bytes32) = (
    0x6c65646765723a20696e73756666696369656e742062616c616e636500000000
)
# "ledger: token refused"
LEDGER_TOKEN_REFUSED: constant(bytes32) = 0x6c65646765723a20746f6b656e20726566757365640000000000000000000000
# "ledger: too many tokens"
LEDGER_TOO_MANY_TOKENS: constant(bytes32) = 0x6c65646765723a20746f6f206d616e7920746f6b656e73000000000000000000


# ---- metering ------------------------------------------------------------------------


# "metering: already read"
METERING_ALREADY_READ: constant(bytes32) = 0x6d65746572696e673a20616c7265616479207265616400000000000000000000


# ---- positions -----------------------------------------------------------------------


# "positions: beyond the capacity"
POSITIONS_BEYOND_THE_CAPACITY: constant(bytes32) = (
    0x706f736974696f6e733a206265796f6e64207468652063617061636974790000
)
# "positions: earlier not settled"
POSITIONS_EARLIER_NOT_SETTLED: constant(bytes32) = (
    0x706f736974696f6e733a206561726c696572206e6f7420736574746c65640000
)


# ---- quotes --------------------------------------------------------------------------


# "quotes: already quoted"
QUOTES_ALREADY_QUOTED: constant(bytes32) = 0x71756f7465733a20616c72656164792071756f74656400000000000000000000
# "quotes: not matched"
QUOTES_NOT_MATCHED: constant(bytes32) = 0x71756f7465733a206e6f74206d61746368656400000000000000000000000000
# "quotes: not the prosumer"
QUOTES_NOT_THE_PROSUMER: constant(bytes32) = (
    0x71756f7465733a206e6f74207468652070726f73756d65720000000000000000
)
# "quotes: not valid"
QUOTES_NOT_VALID: constant(bytes32) = 0x71756f7465733a206e6f742076616c6964000000000000000000000000000000
# "quotes: period too far ahead"
QUOTES_PERIOD_TOO_FAR_AHEAD: constant(bytes32) = (
    0x71756f7465733a20706572696f6420746f6f2066617220616865616400000000
)
# "quotes: price out of band"
QUOTES_PRICE_OUT_OF_BAND: constant(bytes32) = (
    0x71756f7465733a207072696365206f7574206f662062616e6400000000000000
)
# "quotes: unknown quote"
QUOTES_UNKNOWN_QUOTE: constant(bytes32) = 0x71756f7465733a20756e6b6e6f776e2071756f74650000000000000000000000
# "quotes: volume out of bounds"
QUOTES_VOLUME_OUT_OF_BOUNDS: constant(bytes32) = (
    0x71756f7465733a20766f6c756d65206f7574206f6620626f756e647300000000
)


# ---- settlement ----------------------------------------------------------------------


# "settlement: already settled"
SETTLEMENT_ALREADY_SETTLED: constant(bytes32) = (
    0x736574746c656d656e743a20616c726561647920736574746c65640000000000
)
# "settlement: nothing to settle"
SETTLEMENT_NOTHING_TO_SETTLE: constant(bytes32) = (
    0x736574746c656d656e743a206e6f7468696e6720746f20736574746c65000000
)
# "settlement: owner only"
SETTLEMENT_OWNER_ONLY: constant(bytes32) = 0x736574746c656d656e743a206f776e6572206f6e6c7900000000000000000000
# "settlement: quotes still open"
SETTLEMENT_QUOTES_STILL_OPEN: constant(bytes32) = (
    0x736574746c656d656e743a2071756f746573207374696c6c206f70656e000000
)


# ---- surplus -------------------------------------------------------------------------


# "surplus: no reading yet"
SURPLUS_NO_READING_YET: constant(bytes32) = 0x737572706c75733a206e6f2072656164696e6720796574000000000000000000
# "surplus: not enough left"
SURPLUS_NOT_ENOUGH_LEFT: constant(bytes32) = (
    0x737572706c75733a206e6f7420656e6f756768206c6566740000000000000000
)
# "surplus: own quote"
SURPLUS_OWN_QUOTE: constant(bytes32) = 0x737572706c75733a206f776e2071756f74650000000000000000000000000000
# "surplus: too many trades"
SURPLUS_TOO_MANY_TRADES: constant(bytes32) = (
    0x737572706c75733a20746f6f206d616e79207472616465730000000000000000
)
# "surplus: volume is zero"
SURPLUS_VOLUME_IS_ZERO: constant(bytes32) = 0x737572706c75733a20766f6c756d65206973207a65726f000000000000000000
# "surplus: volume too small"
SURPLUS_VOLUME_TOO_SMALL: constant(bytes32) = (
    0x737572706c75733a20766f6c756d6520746f6f20736d616c6c00000000000000
)


@internal
@pure
def _text(reason: bytes32) -> String[34]:
    """
    @dev Returns the text of a reason: what stands in the word before the zeros that fill it up.
    """
    if reason == ECDSA_INVALID_SIGNATURE_S_VALUE:
        return "ecdsa: invalid signature `s` value"
    # The zeros are at the end: no text has one in it.
    word: uint256 = convert(reason, uint256)
    length: uint256 = 32
    for _byte: uint256 in range(32):
        if word & 255 != 0:
            break
        word >>= 8
        # Once for each of 32 bytes at most: never below zero.
        length = unsafe_sub(length, 1)

    return convert(slice(reason, 0, length), String[32])


@internal
@pure
def _revert(reason: bytes32):
    """
    @dev Refuses the call.
    @custom:error The text of the reason.
    """
    raise self._text(reason)


@internal
@pure
def _revert_at_length(reason: String[42]):
    """
    @dev Refuses the call for a reason that is longer than a word.
    @custom:error The reason.
    """
    raise reason
