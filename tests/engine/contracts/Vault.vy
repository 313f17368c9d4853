# Everything on which two engines could disagree, in little: nested and re-entrant calls, a transient lock, ecrecover,
# events of an interface and of a module, all ways to fail, ether, dynamic storage, the block, immutables.
# pragma version ~=0.4.3
# pragma nonreentrancy off

from . import IVault
from . import counters

initializes: counters
exports: counters.count


interface Self:
    def store(key: uint256, amount: uint256) -> uint256: nonpayable
    def locked(): nonpayable
    def fail(how: uint256): nonpayable
    def peek(key: uint256) -> uint256: view


interface Token:
    def transfer(to: address, amount: uint256) -> bool: nonpayable


struct Entry:
    key: uint256
    amount: uint256
    label: String[64]


OWNER: public(immutable(address))
entries: public(HashMap[uint256, HashMap[address, uint256]])
list: public(DynArray[Entry, 8])
label: public(String[64])
signed: public(int128)
hint: transient(uint256)


@deploy
@payable
def __init__(label: String[64]):
    OWNER = msg.sender
    self.label = label


@external
def store(key: uint256, amount: uint256) -> uint256:
    assert amount < 1000, "vault: too much"
    self.hint = amount
    self.entries[key][msg.sender] = self.hint
    self.hint = 0
    log IVault.Stored(who=msg.sender, key=key, amount=amount)
    counters._count("stored")
    return amount * 2


@external
def nested(key: uint256, amount: uint256) -> uint256:
    first: uint256 = extcall Self(self).store(key, amount)
    return first + extcall Self(self).store(key + 1, amount + 1)


@external
def swallow(key: uint256, amount: uint256) -> (bool, Bytes[200]):
    return raw_call(
        self,
        abi_encode(key, amount, method_id=method_id("store(uint256,uint256)")),
        max_outsize=200,
        revert_on_failure=False,
    )


@external
@nonreentrant
def locked():
    self.signed -= 3


@external
@nonreentrant
def reenter():
    extcall Self(self).locked()


@external
def append(entry: Entry):
    self.list.append(entry)


@external
def pop() -> Entry:
    return self.list.pop()


@external
def fail(how: uint256):
    self.signed = 5
    if how == 0:
        raise "vault: asked to"
    if how == 1:
        raise
    if how == 2:
        raise UNREACHABLE
    if how == 3:
        extcall Self(self).fail(0)
    if how == 4:
        raw_revert(b"\x12\x34\x56")
    if how == 5:
        self.count_down(1)
    if how == 6:
        extcall Self(empty(address)).fail(0)
    if how == 7:
        for i: uint256 in range(max_value(uint256)):
            self.signed += 1
    counters._count("survived")


@internal
def count_down(start: uint256):
    assert start - 2 > 0


@external
@view
def peek(key: uint256) -> uint256:
    return self.entries[key][msg.sender]


@external
def peek_outside(key: uint256) -> uint256:
    return staticcall Self(self).peek(key)


@external
@view
def recover(digest: bytes32, v: uint256, r: uint256, s: uint256) -> address:
    return ecrecover(digest, v, r, s)


@external
@view
def world() -> (uint256, uint256, address, bytes32, uint256, address, address, uint256, uint256):
    return (
        block.number,
        block.timestamp,
        block.coinbase,
        block.prevrandao,
        chain.id,
        tx.origin,
        msg.sender,
        self.balance,
        len(msg.data),
    )


@external
@view
def code_of(account: address) -> (uint256, bytes32):
    return account.codesize, account.codehash


@external
@view
def gas() -> uint256:
    return msg.gas


@external
@payable
def pay() -> uint256:
    return msg.value


@external
def send_on(to: address, amount: uint256):
    raw_call(to, b"", value=amount)


@external
def move(token: address, to: address, amount: uint256) -> bool:
    return extcall Token(token).transfer(to, amount)


@external
@payable
def __default__():
    assert len(msg.data) < 4, "vault: no such function"
