# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The default settlement token: ether, wrapped one for one
@custom:contract-name EnergyCredit
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice "Send ether from wallet to smart contract address in exchange for energy" (paper,
        section 4): a credit is minted for each wei sent and redeemed for it at any time.
        The contract's ether is never less than the credits in circulation.
@dev snekmate's ERC-20. Its owner and minter functions are not exported, on purpose:
     nobody can create a credit without its wei.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.tokens import erc20

implements: IERC20

initializes: ownable
initializes: erc20[ownable := ownable]

exports: (
    erc20.IERC20,
    erc20.name,
    erc20.symbol,
    erc20.decimals,
    erc20.permit,
    erc20.nonces,
    erc20.DOMAIN_SEPARATOR,
    erc20.eip712Domain,
)


# @dev Emitted when credits are minted for ether.
event Minted:
    holder: indexed(address)
    amount: uint256


# @dev Emitted when credits are redeemed for ether.
event Redeemed:
    holder: indexed(address)
    amount: uint256


@deploy
def __init__():
    """
    @dev Issues nothing: every credit comes from ether.
    """
    ownable.__init__()
    erc20.__init__("Energy Credit", "WATT", 18, "Energy Credit", "1")


@external
@payable
def __default__():
    """
    @dev Mints credits for plain ether.
    @custom:error "EnergyCredit: unknown call" where data is sent along.
    """
    assert len(msg.data) == 0, "EnergyCredit: unknown call"

    self._mint()


@external
@payable
def mint():
    """
    @dev Mints the caller one credit for each wei sent.
    """
    self._mint()


@external
def redeem(amount: uint256):
    """
    @dev Burns credits of the caller and pays it one wei for each.
    @param amount The number of credits, in base units.
    @custom:error "erc20: burn amount exceeds balance".
    """
    erc20._burn(msg.sender, amount)
    log Redeemed(holder=msg.sender, amount=amount)

    # All gas goes along: the lock is taken and nothing is left to do.
    raw_call(msg.sender, b"", value=amount)


@internal
@payable
def _mint():
    """
    @dev Mints the caller one credit for each wei sent.
    """
    erc20._mint(msg.sender, msg.value)
    log Minted(holder=msg.sender, amount=msg.value)
