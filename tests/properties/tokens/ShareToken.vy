# pragma version 0.4.3
"""
@title A token that keeps shares, rounds, and can charge for transfers
@custom:contract-name ShareToken
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice What somebody holds is its shares at a rate that anybody may change, rounded down.
        A transfer moves whole shares; of what arrives a charge may be taken, or on top of
        it from the sender. For tests only.
"""


# @dev Base units per 10 ** 6 shares.
rate: public(uint256)


# @dev What each account has.
shares: HashMap[address, uint256]


# @dev What is kept of each transfer, in hundredths of a percent: of what arrives, and on top.
charge: uint256
charge_on_top: uint256


# @dev Whether the shares that a transfer moves are rounded up.
rounds_up: bool


_SHARES: constant(uint256) = 10 ** 6
_WHOLE: constant(uint256) = 10_000


@deploy
def __init__():
    self.rate = _SHARES


@external
def mint(receiver: address, amount: uint256):
    """
    @dev At the rate of the beginning: a share for a base unit.
    """
    self.shares[receiver] += amount


@external
def become(rate: uint256, charge: uint256, charge_on_top: uint256, rounds_up: bool):
    """
    @dev What the token is from now on.
    """
    self.rate = rate
    self.charge = charge
    self.charge_on_top = charge_on_top
    self.rounds_up = rounds_up


@external
@view
def balanceOf(holder: address) -> uint256:
    return self.shares[holder] * self.rate // _SHARES


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    self._move(sender, receiver, amount)
    return True


@internal
def _move(sender: address, receiver: address, amount: uint256):
    scaled: uint256 = amount * _SHARES
    moved: uint256 = scaled // self.rate
    if self.rounds_up and scaled % self.rate != 0:
        moved += 1
    kept: uint256 = moved * self.charge // _WHOLE
    taken: uint256 = moved + moved * self.charge_on_top // _WHOLE
    assert self.shares[sender] >= taken, "token: too little"

    self.shares[sender] -= taken
    self.shares[receiver] += moved - kept
