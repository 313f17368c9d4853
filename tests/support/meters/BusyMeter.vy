# pragma version 0.4.3
"""
@title A meter that says yes to everything, after so much work
@custom:contract-name BusyMeter
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Uses the same gas whatever it is given. For tests only.
"""


# @dev How often it goes round before it answers.
ROUNDS: public(immutable(uint256))


@deploy
def __init__(rounds: uint256):
    ROUNDS = rounds


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[65]) -> bytes4:
    for _: uint256 in range(ROUNDS, bound=10_000):
        pass
    return 0x1626ba7e
