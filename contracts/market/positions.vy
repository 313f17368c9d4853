# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title What each user bought, received and delivered in each period
@custom:contract-name positions
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice A position is what an account's settlement with the supplier is reckoned from.
        It stays open while a quote with a stake of the user is not settled (T-ACC-4, T-ACC-5).
"""

from ..interfaces import IEnergyMarket


# @dev The positions by user and period.
_position: HashMap[address, HashMap[uint256, IEnergyMarket.Position]]


# @dev Whether a user has a stake in a quote that is not yet settled.
_staked: HashMap[uint256, HashMap[address, bool]]


@deploy
def __init__():
    """
    @dev Nothing to initialise: every position starts empty.
    """
    pass


@external
@view
def position(user: address, period: uint256) -> IEnergyMarket.Position:
    """
    @dev Returns the position of a user in a delivery period.
    @param user The user.
    @param period The delivery period.
    @return Position The position, in Wh.
    """
    return self._position[user][period]


@internal
def _stake(user: address, period: uint256, quote_id: uint256):
    """
    @dev Keeps the account of `user` open until `quote_id` is settled or lets go of it; a
         quote counts once, however often the user buys from it.
    """
    if not self._staked[quote_id][user]:
        self._staked[quote_id][user] = True
        self._position[user][period].open += 1


@internal
def _unstake(user: address, period: uint256, quote_id: uint256):
    """
    @dev Ends the stake of `user` in `quote_id`; does nothing where it has none (left).
    """
    if self._staked[quote_id][user]:
        self._staked[quote_id][user] = False
        self._position[user][period].open -= 1


@internal
def _buy(user: address, period: uint256, volume: uint256, ahead: bool):
    """
    @dev Adds `volume` Wh to what `user` bought, and to what it agreed where that was
         `ahead` of the delivery (T-ACC-10, T-ACC-11).
    """
    self._position[user][period].bought += volume
    if ahead:
        self._position[user][period].agreed += volume


@internal
def _receive(user: address, period: uint256, volume: uint256):
    """
    @dev Adds `volume` Wh to what `user` received.
    """
    self._position[user][period].received += volume


@internal
def _deliver(user: address, period: uint256, volume: uint256):
    """
    @dev Adds `volume` Wh to what `user` delivered.
    """
    self._position[user][period].delivered += volume


@internal
def _close(user: address, period: uint256):
    """
    @dev Marks the account of `user` as settled for `period`, for ever.
    """
    self._position[user][period].settled = True
