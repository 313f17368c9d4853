# pragma version 0.4.3
"""
@title A token that misbehaves as it is told
@custom:contract-name HostileToken
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Honest until told otherwise: what it answers to a transfer, what it really moves
        and whom it calls meanwhile can each be set. Anybody may mint. For tests only.
"""


# @dev What each account holds.
holding: public(HashMap[address, uint256])


# @dev What a transfer answers, byte for byte; nothing at all is possible.
answer: public(Bytes[64])


# @dev What a transfer takes from the sender beyond the amount.
taken_more: public(int256)


# @dev What a transfer gives the receiver beyond the amount.
given_more: public(int256)


# @dev Whether every transfer reverts with the token's own reason.
frozen: public(bool)


# @dev Whom a transfer calls, with what; nobody where zero.
target: public(address)
call_data: public(Bytes[512])


# @dev Whether a transfer reverts, with the same answer, where that call does.
passes_on: public(bool)


# @dev How that call went: whether it was made, whether it succeeded, what it answered.
called: public(bool)
succeeded: public(bool)
answered: public(Bytes[512])


# @dev Whether `balanceOf` makes the call instead, and reverts where it fails.
calls_when_asked: public(bool)


@deploy
def __init__():
    self.answer = abi_encode(True)


@external
def mint(receiver: address, amount: uint256):
    self.holding[receiver] += amount


@external
def answer_with(answer: Bytes[64]):
    self.answer = answer


@external
def move_more(taken: int256, given: int256):
    self.taken_more = taken
    self.given_more = given


@external
def freeze():
    self.frozen = True


@external
def call_back(target: address, data: Bytes[512], passes_on: bool):
    self.target = target
    self.call_data = data
    self.passes_on = passes_on


@external
def call_back_when_asked(target: address, data: Bytes[512]):
    self.target = target
    self.call_data = data
    self.calls_when_asked = True


@external
def act(target: address, data: Bytes[512]) -> Bytes[512]:
    """
    @dev Makes the token itself call `target`, as a party of its own.
    """
    return raw_call(target, data, max_outsize=512)


@external
@view
def balanceOf(holder: address) -> uint256:
    if self.calls_when_asked:
        answer: Bytes[512] = raw_call(self.target, self.call_data, max_outsize=512, is_static_call=True)
    return self.holding[holder]


@external
@raw_return
def transfer(receiver: address, amount: uint256) -> Bytes[64]:
    return self._move(msg.sender, receiver, amount)


@external
@raw_return
def transferFrom(sender: address, receiver: address, amount: uint256) -> Bytes[64]:
    return self._move(sender, receiver, amount)


@internal
def _move(sender: address, receiver: address, amount: uint256) -> Bytes[64]:
    assert not self.frozen, "token: frozen"

    if self.target != empty(address) and not self.calls_when_asked:
        success: bool = False
        answer: Bytes[512] = b""
        success, answer = raw_call(self.target, self.call_data, max_outsize=512, revert_on_failure=False)
        if self.passes_on and not success:
            raw_revert(answer)
        self.called = True
        self.succeeded = success
        self.answered = answer

    # The largest amounts are negative to this token: what is taken is given.
    signed: int256 = convert(convert(amount, bytes32), int256)
    self.holding[sender] = convert(convert(self.holding[sender], int256) - signed - self.taken_more, uint256)
    self.holding[receiver] = convert(convert(self.holding[receiver], int256) + signed + self.given_more, uint256)
    return self.answer
