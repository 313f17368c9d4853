# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title How a call reverts with a reason
@custom:contract-name errors
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Every revert of a call that the terms refuse gives its reason in words (annex A).
@dev Stateless. `assert` with a reason takes twice the code of calling this, at each of some
     seventy places; with it the market would not fit into 24,576 bytes (EIP-170).
"""


@internal
@pure
def _revert(reason: String[42]):
    """
    @dev Reverts with a reason.
    """
    raise reason
