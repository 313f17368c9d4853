# pragma version 0.4.3
"""
@title Somebody who calls a market by a contract
@notice For tests of who watches a market: calls inside of other calls, in every manner.
"""


@external
def forward(target: address, calls: DynArray[Bytes[1024], 8]):
    """
    @dev Makes these calls one after the other, and goes on whatever becomes of them.
    """
    for data: Bytes[1024] in calls:
        # What a call is refused for is nobody's concern here.
        _ok: bool = raw_call(target, data, revert_on_failure=False)


@external
def undo(target: address, calls: DynArray[Bytes[1024], 8]):
    """
    @dev Makes these calls inside of a call that fails, and goes on: nothing of them lasts.
    """
    _ok: bool = raw_call(
        self,
        abi_encode(target, calls, method_id=method_id("make_and_fail(address,bytes[])")),
        revert_on_failure=False,
    )


@external
def make_and_fail(target: address, calls: DynArray[Bytes[1024], 8]):
    """
    @dev Makes these calls, then fails.
    """
    for data: Bytes[1024] in calls:
        _ok: bool = raw_call(target, data, revert_on_failure=False)
    raise "all of it is undone"
