# snekmate's ERC-20, all of it.
# pragma version ~=0.4.3
# pragma nonreentrancy off

from snekmate.auth import ownable
from snekmate.tokens import erc20

initializes: ownable
initializes: erc20[ownable := ownable]
exports: erc20.__interface__


@deploy
def __init__():
    ownable.__init__()
    erc20.__init__("Token", "TKN", 18, "Token", "1")
