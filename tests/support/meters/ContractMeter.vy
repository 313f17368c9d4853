# pragma version 0.4.3
"""
@title A meter that is a contract, and answers in the manner it is told
@custom:contract-name ContractMeter
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Stands for the device whose address is `DEVICE`. Honest or not, as `MANNER` says; the
        manners are those of `Manner` in this folder. For tests only.
"""


# @dev ERC-1271's answer of who signed.
_MAGIC: constant(bytes4) = 0x1626ba7e


# @dev The manners, by number.
_HONEST: constant(uint256) = 0
_BURNS_GAS: constant(uint256) = 1
_REVERTS: constant(uint256) = 2
_ANSWERS_MORE: constant(uint256) = 3
_ANSWERS_LESS: constant(uint256) = 4
_ANSWERS_OTHERWISE: constant(uint256) = 5
_ANSWERS_WITH_DIRT: constant(uint256) = 6
_EMITS: constant(uint256) = 7
_STORES: constant(uint256) = 8
_LOOKS_BACK: constant(uint256) = 9
_ANSWERS_NOTHING: constant(uint256) = 10


# @dev Emitted by a meter that does more than to answer.
event Asked:
    digest: bytes32


# @dev The address of the device's key.
DEVICE: public(immutable(address))


# @dev What it does when it is asked.
MANNER: public(immutable(uint256))


# @dev How often it was asked, where it stores that.
asked: public(uint256)


@deploy
def __init__(device: address, manner: uint256):
    assert manner <= _ANSWERS_NOTHING, "meter: no such manner"

    DEVICE = device
    MANNER = manner


@external
@raw_return
def isValidSignature(digest: bytes32, signature: Bytes[65]) -> Bytes[64]:
    """
    @dev Whatever it does, it does it only where the device did sign: all that is wrong with it
         is then its manner.
    """
    if not self._signed(digest, signature):
        return abi_encode(0xffffffff)
    # An invalid instruction takes all the gas that there is.
    assert MANNER != _BURNS_GAS, UNREACHABLE
    if MANNER == _REVERTS:
        raise "meter: broken"
    elif MANNER == _ANSWERS_MORE:
        return concat(abi_encode(_MAGIC), x"00")
    elif MANNER == _ANSWERS_LESS:
        return slice(abi_encode(_MAGIC), 0, 31)
    elif MANNER == _ANSWERS_OTHERWISE:
        return abi_encode(0xffffffff)
    elif MANNER == _ANSWERS_WITH_DIRT:
        return concat(slice(abi_encode(_MAGIC), 0, 31), x"01")
    elif MANNER == _EMITS:
        log Asked(digest=digest)
    elif MANNER == _STORES:
        self.asked += 1
    elif MANNER == _LOOKS_BACK:
        count: Bytes[33] = raw_call(
            msg.sender, method_id("quote_count()"), max_outsize=33, is_static_call=True
        )
        assert len(count) == 32, "meter: no market"
    elif MANNER == _ANSWERS_NOTHING:
        return b""
    return abi_encode(_MAGIC)


@internal
@view
def _signed(digest: bytes32, signature: Bytes[65]) -> bool:
    """
    @dev Whether `signature` is the device's, r, s, v.
    """
    if len(signature) != 65:
        return False
    r: uint256 = extract32(signature, 0, output_type=uint256)
    s: uint256 = extract32(signature, 32, output_type=uint256)
    v: uint256 = extract32(signature, 33, output_type=uint256) & 255
    signer: address = ecrecover(digest, v, r, s)
    return signer != empty(address) and signer == DEVICE
