# A contract that tests also send as, and that calls its sender back.
# pragma version ~=0.4.3


interface Back:
    def answer() -> uint256: view


called: public(uint256)


@external
@payable
def __default__():
    pass


@external
@view
def answer() -> uint256:
    return 42


@external
@payable
def ask() -> uint256:
    self.called += 1
    return staticcall Back(msg.sender).answer()
