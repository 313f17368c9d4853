# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The prices that frame every trade
@custom:contract-name tariff
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice All prices are in base units of the token per Wh and fixed at deployment. The
        band `[SBP + fee, SSP - fee]` is what makes a trade never worse than the grid
        for whoever performs (T-QUO-5).
"""


# @dev Prices stay below this bound, so that a volume (below 2 ** 24) times a price
# always fits in 120 bits (T-PARTY-11).
_PRICE_BOUND: constant(uint256) = 2**96


# @dev What a prosumer reserves of its quote's value at SSP, in percent (T-QUO-10).
_COLLATERAL_PERCENT: constant(uint256) = 10


# @dev System buying price: what the supplier pays for surplus.
SBP: immutable(uint256)


# @dev System selling price: what the supplier asks for energy.
SSP: immutable(uint256)


# @dev What either side of a trade pays the owner for the service.
SERVICE_FEE: immutable(uint256)


@deploy
def __init__(sbp: uint256, ssp: uint256, service_fee: uint256):
    """
    @dev Fixes the tariff for ever.
    @param sbp The system buying price.
    @param ssp The system selling price.
    @param service_fee The service fee; it may be 0.
    @custom:error "tariff: sbp is zero", "tariff: ssp out of bounds",
                  "tariff: no price band".
    """
    assert sbp > 0, "tariff: sbp is zero"
    assert ssp < _PRICE_BOUND, "tariff: ssp out of bounds"
    # The first two comparisons keep the sum of the third from overflowing.
    assert sbp <= ssp and service_fee <= ssp and sbp + 2 * service_fee <= ssp, "tariff: no price band"

    SBP = sbp
    SSP = ssp
    SERVICE_FEE = service_fee


@internal
@view
def _lowest_price() -> uint256:
    """
    @dev Returns the lowest price of a quote.
    """
    return SBP + SERVICE_FEE


@internal
@view
def _highest_price() -> uint256:
    """
    @dev Returns the highest price of a quote or a bid.
    """
    return SSP - SERVICE_FEE


@internal
@view
def _escrow(volume: uint256, price: uint256) -> uint256:
    """
    @dev Returns the most that buying `volume` at `price` can cost, fee included.
    """
    # Below 2 ** 24 and 2 ** 97: no overflow.
    return unsafe_mul(volume, unsafe_add(price, SERVICE_FEE))


@internal
@view
def _collateral(volume: uint256) -> uint256:
    """
    @dev Returns what a quote of `volume` reserves for the compensation of a shortage.
    @notice Rounded down, and still enough: the compensations are each 10 % of a part of
            `volume` at a price below SSP, rounded down as well (T-SET-21).
    """
    # Below 2 ** 24, 2 ** 96 and 2 ** 4: no overflow.
    return unsafe_mul(unsafe_mul(volume, SSP), _COLLATERAL_PERCENT) // 100
