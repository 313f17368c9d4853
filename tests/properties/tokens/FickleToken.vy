# pragma version 0.4.3
"""
@title A token whose answers and deeds are set anew before each call
@custom:contract-name FickleToken
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice What a transfer answers, what it really moves and what holdings it reports before
        and after can each be set. Anybody may set a holding. For tests only.
@dev All sums wrap around, so that the token never refuses for a reason of its own.
"""


# @dev What each account holds.
holding: public(HashMap[address, uint256])


# @dev What a transfer answers, byte for byte; nothing at all is possible.
answer: Bytes[96]


# @dev What a transfer takes from the sender and gives the receiver beyond the amount.
taken_more: int256
given_more: int256


# @dev What `balanceOf` adds to the truth, by account; and what it adds to that lie at each transfer.
lie: HashMap[address, int256]
growth: HashMap[address, int256]


# @dev The two accounts whose lies grow.
liar_for: address[2]


# @dev Whether every transfer reverts with the token's own reason.
frozen: bool


@deploy
def __init__():
    self.answer = abi_encode(True)


@external
def hold(holder: address, amount: uint256):
    self.holding[holder] = amount


@external
def behave(
    answer: Bytes[96],
    taken_more: int256,
    given_more: int256,
    first: address,
    first_growth: int256,
    second: address,
    second_growth: int256,
    frozen: bool,
):
    """
    @dev Sets what transfers do from now on. `first` and `second` are the accounts whose
         reported holdings depart from the truth by another `..._growth` at each transfer.
    """
    self.answer = answer
    self.taken_more = taken_more
    self.given_more = given_more
    self.liar_for = [first, second]
    self.growth[first] = first_growth
    self.growth[second] = second_growth
    self.frozen = frozen


@external
@view
def balanceOf(holder: address) -> uint256:
    return self._changed(self.holding[holder], self.lie[holder])


@external
@raw_return
def transfer(receiver: address, amount: uint256) -> Bytes[96]:
    return self._move(msg.sender, receiver, amount)


@external
@raw_return
def transferFrom(sender: address, receiver: address, amount: uint256) -> Bytes[96]:
    return self._move(sender, receiver, amount)


@internal
def _move(sender: address, receiver: address, amount: uint256) -> Bytes[96]:
    assert not self.frozen, "token: frozen"

    self.holding[sender] = self._changed(unsafe_sub(self.holding[sender], amount), -self.taken_more)
    self.holding[receiver] = self._changed(unsafe_add(self.holding[receiver], amount), self.given_more)
    for account: address in self.liar_for:
        self.lie[account] += self.growth[account]
    return self.answer


@internal
@pure
def _changed(amount: uint256, by: int256) -> uint256:
    if by >= 0:
        return unsafe_add(amount, convert(by, uint256))
    return unsafe_sub(amount, convert(-by, uint256))
