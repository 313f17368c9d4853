# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Who may trade: registration, meters and authorisation
@custom:contract-name accounts
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A user is an address with one smart meter. The meter's number is its signing
        address, so that to verify the number is to check a signature (T-REG-4); or it is that of
        a contract, which is asked whether it signed (T-REG-22 to T-REG-25). The owner lets the
        user in with the capacity of its connection (T-REG-12 to T-REG-20).
"""

from snekmate.auth import ownable
from snekmate.utils import ecdsa
from snekmate.utils import eip712_domain_separator as eip712
from ..interfaces import IEnergyMarket
from . import errors
from . import ledger
from . import packing

uses: ownable
uses: eip712
uses: ledger


# @dev What comes before typed data when it is signed (EIP-712): the bytes 0x19 and 0x01.
_TYPED_DATA: constant(uint256) = 25 * 256 + 1


# @dev The EIP-712 type of what a meter signs to be paired with a user.
_PAIRING_TYPE: constant(bytes32) = keccak256("Pairing(address user,bytes32 profile)")


# @dev How much gas a contract has to tell whether it signed (T-REG-23).
_METER_GAS: constant(uint256) = 100_000


# @dev The gas that leaves so much for it: of what is left when it is asked a 64th stays here,
# and less than 3,400 go to the call itself.
_ASKING_GAS: constant(uint256) = 105_000


# @dev The hash of the one answer that says yes: ERC-1271's magic value, in 32 bytes.
_SIGNED: constant(bytes32) = keccak256(x"1626ba7e00000000000000000000000000000000000000000000000000000000")


# @dev A user that may begin new business: its number, its capacity and its balance record, to
# be written back.
struct Trader:
    number: uint256
    capacity: uint256
    balance: uint256


# @dev The number that the next user gets; the first is 1.
_next_number: uint256


# @dev The users by number.
_user: HashMap[uint256, address]


# @dev The identities by user; the meter is zero where the address is not registered.
_identity: HashMap[address, uint256]


# @dev The profiles by meter: what is not zero here serves a user, for ever. A profile of
# zero is kept as one, and noted in the identity.
_profile: HashMap[address, bytes32]


@deploy
def __init__():
    """
    @dev Starts to number the users. The owner is `ownable`'s.
    """
    self._next_number = 1
    # The zero address is no meter (T-REG-4). By this mark, which nothing here reads, a
    # `MarketLens` knows a market, and where its mappings begin.
    self._profile[empty(address)] = convert(1, bytes32)


@external
def register(profile: bytes32, meter: address, signature: Bytes[65]):
    """
    @dev Registers the caller with its meter, once (T-REG-1 to T-REG-11).
    @param profile The salted commitment to the personal data kept off-chain.
    @param meter The signing address of the smart meter, or a contract that is the meter.
    @param signature The meter's signature of `Pairing(user, profile)`.
    @custom:error "accounts: supplier cannot register", "accounts: already registered",
                  "accounts: meter is zero", "accounts: meter already paired",
                  "accounts: too little gas", and what `_signature_fault` returns.
    """
    if msg.sender == ledger.SUPPLIER:
        errors._revert_at_length("accounts: supplier cannot register")
    if self._identity[msg.sender] != 0:
        errors._revert(errors.ACCOUNTS_ALREADY_REGISTERED)
    if meter == empty(address):
        errors._revert(errors.ACCOUNTS_METER_IS_ZERO)
    if self._profile[meter] != empty(bytes32):
        errors._revert(errors.ACCOUNTS_METER_ALREADY_PAIRED)
    struct_hash: bytes32 = keccak256(abi_encode(_PAIRING_TYPE, msg.sender, profile))
    fault: bytes32 = self._signature_fault(meter, struct_hash, signature)
    if fault != empty(bytes32):
        errors._revert(fault)

    number: uint256 = self._next_number
    identity: uint256 = packing._new_identity(meter, number)
    stored: bytes32 = profile
    if profile == empty(bytes32):
        identity |= packing.BLANK
        stored = convert(1, bytes32)

    self._next_number = unsafe_add(number, 1)
    self._user[number] = msg.sender
    self._identity[msg.sender] = identity
    self._profile[meter] = stored
    log IEnergyMarket.Registered(user=msg.sender, meter=meter)


@external
def authorize(user: address, capacity: uint256):
    """
    @dev Lets a registered user begin new business, with the capacity of its connection, or
         raises that (T-REG-12, T-REG-19, T-REG-20).
    @notice A capacity never falls, on purpose: an owner that could lower it would cut true
            readings of what is agreed already.
    @param user The user.
    @param capacity What the connection carries in a delivery period, in Wh.
    @custom:error "ownable: caller is not the owner", "accounts: not registered",
                  "accounts: capacity out of bounds", "accounts: capacity cannot fall",
                  "accounts: already authorised".
    """
    ownable._check_owner()
    word: uint256 = self._identity[user]
    if word == 0:
        errors._revert(errors.ACCOUNTS_NOT_REGISTERED)
    # Below zero is above any capacity: 0 is out of bounds, too.
    if unsafe_sub(capacity, 1) >= packing.MAX_ENERGY:
        errors._revert(errors.ACCOUNTS_CAPACITY_OUT_OF_BOUNDS)
    rise: uint256 = unsafe_sub(capacity, word >> packing.IDENTITY_CAPACITY_SHIFT)
    # What falls below zero is larger than any capacity.
    if rise > capacity:
        errors._revert(errors.ACCOUNTS_CAPACITY_CANNOT_FALL)
    if rise == 0 and word & packing.AUTHORIZED != 0:
        errors._revert(errors.ACCOUNTS_ALREADY_AUTHORISED)

    self._identity[user] = unsafe_add(word | packing.AUTHORIZED, rise << packing.IDENTITY_CAPACITY_SHIFT)
    log IEnergyMarket.Authorized(user=user, capacity=capacity)


@external
def revoke(user: address):
    """
    @dev Stops new business of a user; what is agreed still settles (T-REG-13, T-REG-17).
    @param user The user.
    @custom:error "ownable: caller is not the owner", "accounts: not authorised".
    """
    ownable._check_owner()
    self._check_authorized(self._identity[user])

    self._revoke(user)


@internal
def _revoke(user: address):
    """
    @dev Takes the authorisation of `user` away, where it has one.
    """
    word: uint256 = self._identity[user]
    if word & packing.AUTHORIZED != 0:
        self._identity[user] = word ^ packing.AUTHORIZED
        log IEnergyMarket.Revoked(user=user)


@internal
@view
def _trader(user: address) -> Trader:
    """
    @dev Returns `user`, which may begin new business (T-REG-15, T-REG-16).
    @custom:error "accounts: not authorised", "ledger: in arrears".
    """
    identity: uint256 = self._identity[user]
    self._check_authorized(identity)
    balance: uint256 = ledger._balance[user]
    ledger._check_no_arrears(user, balance)

    return Trader(
        number=packing._number(identity),
        capacity=identity >> packing.IDENTITY_CAPACITY_SHIFT,
        balance=balance,
    )


@internal
@pure
def _check_authorized(identity: uint256):
    """
    @dev Reverts unless a user with this identity may begin new business.
    @custom:error "accounts: not authorised".
    """
    if identity & packing.AUTHORIZED == 0:
        errors._revert(errors.ACCOUNTS_NOT_AUTHORISED)


@internal
@view
def _signature_fault(meter: address, struct_hash: bytes32, signature: Bytes[65]) -> bytes32:
    """
    @dev Returns why `signature` is not `meter`'s of `struct_hash` in this market's EIP-712
         domain; empty where it is.
    @notice The meter's own key comes first, so that a key that delegates to code stays a key
            (T-REG-7 to T-REG-10). Where that check fails in any way, and there is code at the
            meter's address, the code is asked (T-REG-22 to T-REG-24).
    @notice `ecdsa` would take the 64-byte form of EIP-2098 too, and reverts where an entry
            of a batch is only to be left out. So this follows it for 65 bytes, reasons
            included.
    @custom:error "accounts: too little gas".
    """
    # Two bytes and two words without a gap: cheaper than to concatenate them.
    domain: bytes32 = eip712._domain_separator_v4()
    digest: bytes32 = keccak256(slice(abi_encode(_TYPED_DATA, domain, struct_hash), 30, 66))
    malleable: bool = False
    # No meter is zero (T-REG-4), so what recovers to nobody is none's.
    signer: address = empty(address)
    if len(signature) == 65:
        r: uint256 = extract32(signature, 0, output_type=uint256)
        s: uint256 = extract32(signature, 32, output_type=uint256)
        # The last byte of the last 32.
        v: uint256 = extract32(signature, 33, output_type=uint256) & 255
        malleable = s > ecdsa._MALLEABILITY_THRESHOLD
        if not malleable:
            signer = ecrecover(digest, v, r, s)
    if signer == meter:
        return empty(bytes32)

    if meter.is_contract:
        if self._has_signed(meter, digest, signature):
            return empty(bytes32)
    elif len(signature) != 65:
        return errors.ACCOUNTS_MALFORMED_SIGNATURE
    elif malleable:
        return errors.ECDSA_INVALID_SIGNATURE_S_VALUE
    elif signer == empty(address):
        return errors.ECDSA_INVALID_SIGNATURE

    return errors.ACCOUNTS_WRONG_METER


@internal
@view
def _has_signed(meter: address, digest: bytes32, signature: Bytes[65]) -> bool:
    """
    @dev Asks the code of `meter` whether it signed `digest` (T-REG-22, T-REG-23).
    @custom:error "accounts: too little gas".
    """
    # With less than it is due a meter that signed could be made to seem silent.
    if msg.gas < _ASKING_GAS:
        errors._revert(errors.ACCOUNTS_TOO_LITTLE_GAS)

    answered: bool = False
    answer: Bytes[33] = b""
    # One byte more than the answer is taken, so that a longer one shows.
    answered, answer = raw_call(
        meter,
        abi_encode(digest, signature, method_id=method_id("isValidSignature(bytes32,bytes)")),
        max_outsize=33,
        gas=_METER_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )

    return answered and keccak256(answer) == _SIGNED
