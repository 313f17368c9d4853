# pragma version 0.4.3
"""
@title A holder of credits that cannot, or should not, be paid in ether
@custom:contract-name EtherRefuser
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Refuses plain ether, or calls back into the credit when it arrives. For tests only.
"""


# @dev Whether anything is called when ether arrives, which else is refused; and what.
calls: public(bool)
call_data: public(Bytes[512])


# @dev Whether what is called must succeed; and whether it did.
insists: public(bool)
succeeded: public(bool)
paid: public(uint256)


@external
@payable
def __default__():
    assert self.calls, "refuser: no ether"

    self.paid += msg.value
    self.succeeded = raw_call(msg.sender, self.call_data, revert_on_failure=False)
    if self.insists:
        assert self.succeeded, "refuser: call failed"


@external
@payable
def act(target: address, data: Bytes[512]):
    """
    @dev Makes this contract call `target`, handing on the ether.
    """
    raw_call(target, data, value=msg.value)


@external
def call_back(data: Bytes[512], insists: bool):
    self.calls = True
    self.call_data = data
    self.insists = insists
