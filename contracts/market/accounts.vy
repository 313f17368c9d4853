# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title Who may trade: registration, meters and authorisation
@custom:contract-name accounts
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A user is an address with one smart meter. The meter's number is its signing
        address, so that to verify the number is to check a signature (T-REG-4).
"""

from snekmate.auth import ownable
from snekmate.utils import ecdsa
from snekmate.utils import eip712_domain_separator as eip712
from ..interfaces import IEnergyMarket
from . import ledger

uses: ownable
uses: eip712
uses: ledger


# @dev What the market keeps of a user's identity.
struct Identity:
    profile: bytes32
    meter: address
    authorized: bool


# @dev The EIP-712 type of what a meter signs to be paired with a user.
_PAIRING_TYPE: constant(bytes32) = keccak256("Pairing(address user,bytes32 profile)")


# @dev The registered users; the meter is zero where the address is not registered.
_identity: HashMap[address, Identity]


# @dev The meters that serve a user, for ever.
_paired: HashMap[address, bool]


@deploy
def __init__():
    """
    @dev Nothing to initialise: the owner is `ownable`'s.
    """
    pass


@external
def register(profile: bytes32, meter: address, signature: Bytes[65]):
    """
    @dev Registers the caller with its meter, once (T-REG-1 to T-REG-11).
    @param profile The salted commitment to the personal data kept off-chain.
    @param meter The signing address of the smart meter.
    @param signature The meter's signature of `Pairing(user, profile)`.
    @custom:error "accounts: supplier cannot register", "accounts: already registered",
                  "accounts: meter is zero", "accounts: meter already paired", and those
                  of `_check_signature`.
    """
    assert msg.sender != ledger.SUPPLIER, "accounts: supplier cannot register"
    assert self._identity[msg.sender].meter == empty(address), "accounts: already registered"
    assert meter != empty(address), "accounts: meter is zero"
    assert not self._paired[meter], "accounts: meter already paired"
    self._check_signature(meter, keccak256(abi_encode(_PAIRING_TYPE, msg.sender, profile)), signature)

    self._identity[msg.sender] = Identity(profile=profile, meter=meter, authorized=False)
    self._paired[meter] = True
    log IEnergyMarket.Registered(user=msg.sender, meter=meter, profile=profile)


@external
def authorize(user: address):
    """
    @dev Lets a registered user begin new business (T-REG-12).
    @param user The user.
    @custom:error "ownable: caller is not the owner", "accounts: not registered",
                  "accounts: already authorised".
    """
    ownable._check_owner()
    self._check_registered(user)
    assert not self._identity[user].authorized, "accounts: already authorised"

    self._identity[user].authorized = True
    log IEnergyMarket.Authorized(user=user)


@external
def revoke(user: address):
    """
    @dev Stops new business of a user; what is agreed still settles (T-REG-13, T-REG-17).
    @param user The user.
    @custom:error "ownable: caller is not the owner", "accounts: not authorised".
    """
    ownable._check_owner()
    assert self._identity[user].authorized, "accounts: not authorised"

    self._revoke(user)


@internal
def _revoke(user: address):
    """
    @dev Takes the authorisation of `user` away; does nothing where it has none.
    """
    if self._identity[user].authorized:
        self._identity[user].authorized = False
        log IEnergyMarket.Revoked(user=user)


@internal
@view
def _check_trader(user: address):
    """
    @dev Reverts unless `user` may begin new business (T-REG-15, T-REG-16).
    @custom:error "accounts: not authorised", "ledger: in arrears".
    """
    assert self._identity[user].authorized, "accounts: not authorised"
    ledger._check_no_arrears(user)


@internal
@view
def _check_registered(user: address):
    """
    @dev Reverts unless `user` is registered.
    @custom:error "accounts: not registered".
    """
    assert self._identity[user].meter != empty(address), "accounts: not registered"


@internal
@view
def _check_signature(meter: address, struct_hash: bytes32, signature: Bytes[65]):
    """
    @dev Reverts unless `signature` is `meter`'s of `struct_hash` in this market's
         EIP-712 domain, in the one accepted form (T-REG-7 to T-REG-10).
    @notice `ecdsa` would take the 64-byte form of EIP-2098 too: a signature that lost
            its last byte could pass as one.
    @custom:error "accounts: malformed signature", "accounts: wrong meter", and those of
                  `ecdsa` ("ecdsa: invalid signature `s` value",
                  "ecdsa: invalid signature").
    """
    assert len(signature) == 65, "accounts: malformed signature"
    digest: bytes32 = eip712._hash_typed_data_v4(struct_hash)
    signer: address = ecdsa._recover_sig(digest, signature)
    assert signer == meter, "accounts: wrong meter"
