# pragma version 0.4.3
"""
@title A meter that is a contract, whose signature says in which manner it answers
@custom:contract-name MoodyMeter
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Stands for the device whose address is `_DEVICE`. The last byte of the device's signature
        is 27 or 28 where it is honest; else it is 128, twice the manner, and that bit. So one
        meter can be honest now and hostile later, as a history wants it. The manners are those
        of `symbolic.MANNERS`. For tests only.
"""


# @dev ERC-1271's answer of who signed.
_MAGIC: constant(bytes4) = 0x1626ba7e


# @dev Emitted by a meter that does more than to answer.
event Asked:
    digest: bytes32


# @dev The address of the device's key.
_DEVICE: immutable(address)


# @dev How often it was asked, where it stores that.
asked: public(uint256)


@deploy
def __init__(device: address):
    _DEVICE = device


@external
@raw_return
def isValidSignature(digest: bytes32, signature: Bytes[65]) -> Bytes[64]:
    """
    @dev Whatever it does, it does it only where the device did sign: all that is wrong with it
         is then its manner. The twin of a signature, with the other s, is as good to it.
    """
    if len(signature) != 65:
        return abi_encode(0xffffffff)
    r: uint256 = extract32(signature, 0, output_type=uint256)
    s: uint256 = extract32(signature, 32, output_type=uint256)
    v: uint256 = extract32(signature, 33, output_type=uint256) & 255
    manner: uint256 = 0
    if v >= 128:
        manner = (v - 128) // 2
        v = 27 + v % 2
    signer: address = ecrecover(digest, v, r, s)
    if signer == empty(address) or signer != _DEVICE:
        return abi_encode(0xffffffff)
    # An invalid instruction takes all the gas that there is.
    assert manner != 1, UNREACHABLE
    if manner == 2:
        raise "meter: broken"
    elif manner == 3:
        raw_revert(abi_encode(_MAGIC))
    elif manner == 4:
        return concat(abi_encode(_MAGIC), x"00")
    elif manner == 5:
        return concat(abi_encode(_MAGIC), abi_encode(_MAGIC))
    elif manner == 6:
        return slice(abi_encode(_MAGIC), 0, 31)
    elif manner == 7:
        return slice(abi_encode(_MAGIC), 0, 4)
    elif manner == 8:
        return abi_encode(0xffffffff)
    elif manner == 9:
        return concat(slice(abi_encode(_MAGIC), 0, 31), x"01")
    elif manner == 10:
        return b""
    elif manner == 11:
        log Asked(digest=digest)
    elif manner == 12:
        self.asked += 1
    elif manner == 13:
        count: Bytes[33] = raw_call(
            msg.sender, method_id("quote_count()"), max_outsize=33, is_static_call=True
        )
        assert len(count) == 32, "meter: no market"
    return abi_encode(_MAGIC)
