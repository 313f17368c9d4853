# pragma version 0.4.3
"""
@title A meter whose device signs with a P-256 key
@custom:contract-name P256Meter
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Most devices that keep a key safe know the curve P-256 (secp256r1) only, and not that of
        the chain's own accounts. This contract is such a device's address: the market asks it
        whether the device signed (T-REG-22). It holds nothing, nobody owns it, and neither its
        code nor its key can change (T-REG-25). The owner of a market compares the code and the
        key, `X` and `Y`, with the device's before it authorises the user.
@dev The device signs the digest that it is asked about, which is the market's EIP-712 digest
     itself: there is no second hash, by SHA-256 or otherwise. The check is the chain's
     precompile of EIP-7951 (on Ethereum since Osaka).
"""

from snekmate.utils import p256
from snekmate.utils.interfaces import IERC1271

implements: IERC1271


# @dev The precompile: 32 bytes of value 1 where the signature is right, else nothing at all, as
# from an address without code.
_P256VERIFY: constant(address) = 0x0000000000000000000000000000000000000100


# @dev What it answers where a signature is right.
_VALID: constant(bytes32) = keccak256(x"0000000000000000000000000000000000000000000000000000000000000001")


# @dev What this contract answers: ERC-1271's magic value, and what is none.
_SIGNED: constant(bytes4) = 0x1626ba7e
_NOT_SIGNED: constant(bytes4) = 0xffffffff


# @dev A known signature, by a key that is used for nothing else: a digest, and r, s, x, y.
_KNOWN_DIGEST: constant(bytes32) = 0x8ed2ae46994846f481123e36babd12a06f4ef24a177562c66dd4518e504dd796
_KNOWN_R: constant(uint256) = (
    85_326_734_482_340_184_079_947_368_320_675_872_872_213_421_084_419_641_461_617_551_227_405_120_918_074
)
_KNOWN_S: constant(uint256) = (
    26_600_541_868_791_747_702_146_741_636_683_981_420_002_282_956_072_113_623_754_860_856_930_927_286_969
)
_KNOWN_X: constant(uint256) = (
    70_896_469_596_969_303_855_025_745_701_570_154_278_641_295_768_589_220_628_605_884_376_688_172_313_801
)
_KNOWN_Y: constant(uint256) = (
    77_283_400_812_005_402_483_819_398_709_984_370_725_138_641_481_564_142_939_023_446_024_812_280_223_411
)


# @dev The device's public key: a point on the curve.
X: public(immutable(uint256))
Y: public(immutable(uint256))


@deploy
def __init__(x: uint256, y: uint256):
    """
    @dev Fixes the device's key for ever, on a chain that can check its signatures.
    @param x The first coordinate of the device's public key.
    @param y The second one.
    @custom:error "meter: key not on the curve", "meter: no P-256 precompile",
                  "meter: P-256 precompile says yes to all".
    """
    assert self._is_on_curve(x, y), "meter: key not on the curve"
    # What is missing succeeds, with an empty answer: only a signature that is right shows it.
    assert self._verify(_KNOWN_DIGEST, _KNOWN_R, _KNOWN_S, _KNOWN_X, _KNOWN_Y), "meter: no P-256 precompile"
    assert not self._verify(
        ~_KNOWN_DIGEST, _KNOWN_R, _KNOWN_S, _KNOWN_X, _KNOWN_Y
    ), "meter: P-256 precompile says yes to all"

    X = x
    Y = y


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[65]) -> bytes4:
    """
    @dev Returns whether the device signed, as ERC-1271 says it. Never reverts for what it is
         given, but for more than 65 bytes.
    @param digest What was signed, as it is: the market's EIP-712 digest.
    @param signature r and s, exactly 64 bytes, s at most half the order of the curve: one
                     message has one accepted encoding of a signature, as with other meters
                     (T-REG-9). The precompile would take the other s, too.
    @return bytes4 The magic value 0x1626ba7e where the device signed, else 0xffffffff.
    """
    if len(signature) != 64:
        return _NOT_SIGNED
    r: uint256 = extract32(signature, 0, output_type=uint256)
    s: uint256 = extract32(signature, 32, output_type=uint256)
    if s > p256._MALLEABILITY_THRESHOLD or not self._verify(digest, r, s, X, Y):
        return _NOT_SIGNED

    return _SIGNED


@internal
@view
def _verify(digest: bytes32, r: uint256, s: uint256, x: uint256, y: uint256) -> bool:
    """
    @dev Returns whether the precompile says that the key (x, y) signed, in exactly its words.
    """
    answered: bool = False
    answer: Bytes[33] = b""
    # One byte more than the answer is taken, so that a longer one shows.
    answered, answer = raw_call(
        _P256VERIFY,
        abi_encode(digest, r, s, x, y),
        max_outsize=33,
        is_static_call=True,
        revert_on_failure=False,
    )

    return answered and keccak256(answer) == _VALID


@internal
@pure
def _is_on_curve(x: uint256, y: uint256) -> bool:
    """
    @dev Returns whether y^2 = x^3 + a x + b, both below the field's modulus. The point at
         infinity, which is no key, is not: b is not 0.
    """
    if x >= p256._P or y >= p256._P:
        return False
    left: uint256 = uint256_mulmod(y, y, p256._P)
    right: uint256 = uint256_mulmod(x, x, p256._P)
    right = uint256_addmod(right, p256._A, p256._P)
    right = uint256_mulmod(right, x, p256._P)
    right = uint256_addmod(right, p256._B, p256._P)

    return left == right
