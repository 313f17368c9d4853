# pragma version 0.4.3
"""
@title A token that describes itself as it is told
@custom:contract-name OddToken
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice It moves money as it should; what it answers to `decimals` and `symbol` is set
        byte for byte, and each of the two may revert. Anybody may mint. For tests only.
"""


# @dev What each account holds, and lets others take.
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


# @dev What it answers; where empty, it reverts.
decimals_answer: Bytes[64]
symbol_answer: Bytes[1024]


# @dev Whether it goes on for ever instead.
is_endless: bool


@deploy
def __init__(decimals: Bytes[64], symbol: Bytes[1024], is_endless: bool):
    self.decimals_answer = decimals
    self.symbol_answer = symbol
    self.is_endless = is_endless


@external
@view
@raw_return
def decimals() -> Bytes[64]:
    assert len(self.decimals_answer) != 0
    self._work()
    return self.decimals_answer


@external
@view
@raw_return
def symbol() -> Bytes[1024]:
    assert len(self.symbol_answer) != 0
    self._work()
    return self.symbol_answer


@external
def mint(receiver: address, amount: uint256):
    self.balanceOf[receiver] += amount


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    self.allowance[sender][msg.sender] -= amount
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    return True


@internal
@view
def _work():
    if self.is_endless:
        for i: uint256 in range(2**64):
            pass
