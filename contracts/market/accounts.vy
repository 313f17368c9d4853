# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Who may trade: registration, meters and authorisation
@custom:contract-name accounts
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A user is an address with one smart meter. The meter's number is its signing
        address, so that to verify the number is to check a signature (T-REG-4). The owner lets it
        in with the capacity of its connection (T-REG-12 to T-REG-20).
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
    @param meter The signing address of the smart meter.
    @param signature The meter's signature of `Pairing(user, profile)`.
    @custom:error "accounts: supplier cannot register", "accounts: already registered",
                  "accounts: meter is zero", "accounts: meter already paired", and those
                  of `_signature_fault`.
    """
    if msg.sender == ledger.SUPPLIER:
        errors._revert("accounts: supplier cannot register")
    if self._identity[msg.sender] != 0:
        errors._revert("accounts: already registered")
    if meter == empty(address):
        errors._revert("accounts: meter is zero")
    if self._profile[meter] != empty(bytes32):
        errors._revert("accounts: meter already paired")
    struct_hash: bytes32 = keccak256(abi_encode(_PAIRING_TYPE, msg.sender, profile))
    fault: String[40] = self._signature_fault(meter, struct_hash, signature)
    if len(fault) > 0:
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
        errors._revert("accounts: not registered")
    if capacity == 0 or capacity > packing.MAX_ENERGY:
        errors._revert("accounts: capacity out of bounds")
    rise: uint256 = unsafe_sub(capacity, packing._capacity(word))
    # What falls below zero is larger than any capacity.
    if rise > capacity:
        errors._revert("accounts: capacity cannot fall")
    if rise == 0 and word & packing.AUTHORIZED != 0:
        errors._revert("accounts: already authorised")

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
    if not self._revoke(user):
        errors._revert("accounts: not authorised")


@internal
def _revoke(user: address) -> bool:
    """
    @dev Takes the authorisation of `user` away; returns whether it had one.
    """
    word: uint256 = self._identity[user]
    if word & packing.AUTHORIZED == 0:
        return False

    self._identity[user] = word ^ packing.AUTHORIZED
    log IEnergyMarket.Revoked(user=user)

    return True


@internal
@view
def _trader(user: address) -> Trader:
    """
    @dev Returns `user`, which may begin new business (T-REG-15, T-REG-16).
    @custom:error "accounts: not authorised", "ledger: in arrears".
    """
    identity: uint256 = self._identity[user]
    if identity & packing.AUTHORIZED == 0:
        errors._revert("accounts: not authorised")
    balance: uint256 = ledger._balance[user]
    ledger._check_no_arrears(user, balance)

    return Trader(number=packing._number(identity), capacity=packing._capacity(identity), balance=balance)


@internal
@view
def _signature_fault(meter: address, struct_hash: bytes32, signature: Bytes[65]) -> String[40]:
    """
    @dev Returns why `signature` is not `meter`'s of `struct_hash` in this market's EIP-712
         domain, in the one accepted form (T-REG-7 to T-REG-10); empty where it is.
    @notice `ecdsa` would take the 64-byte form of EIP-2098 too, and reverts where an entry
            of a batch is only to be left out. So this follows it for 65 bytes, reasons
            included.
    """
    if len(signature) != 65:
        return "accounts: malformed signature"
    # Two bytes and two words without a gap: cheaper than to concatenate them.
    domain: bytes32 = eip712._domain_separator_v4()
    digest: bytes32 = keccak256(slice(abi_encode(_TYPED_DATA, domain, struct_hash), 30, 66))
    r: uint256 = extract32(signature, 0, output_type=uint256)
    s: uint256 = extract32(signature, 32, output_type=uint256)
    # The last byte of the last 32.
    v: uint256 = extract32(signature, 33, output_type=uint256) & 255
    if s > ecdsa._MALLEABILITY_THRESHOLD:
        return "ecdsa: invalid signature `s` value"

    signer: address = ecrecover(digest, v, r, s)
    # No meter is zero (T-REG-4), so what recovers to nobody is none's.
    if signer != meter:
        if signer == empty(address):
            return "ecdsa: invalid signature"
        return "accounts: wrong meter"

    return ""
