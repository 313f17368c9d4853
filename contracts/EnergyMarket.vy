# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title A peer-to-peer energy market for a community's virtual power plant
@custom:contract-name EnergyMarket
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Households with solar panels quote their surplus per half-hour, neighbours place
        sealed bids, the contract matches, smart meters report, and the contract settles.
        It implements Guo et al. 2023 (doi 10.3389/fenrg.2022.1007694) as `docs/terms.md`
        words it; clauses are cited as `T-...`.
@dev Wires the modules, one per concern, each of which owns its storage. A trade passes
     them in this order: `accounts`, `ledger`, `quotes`, `bids`, `matching`, `surplus`,
     `metering`, `settlement`; `clock`, `tariff`, `deliveries`, `sales`, `positions` and
     `incentives` serve them all. Every entry point is locked against re-entry.
"""


from snekmate.auth import ownable
from snekmate.auth import ownable_2step
from snekmate.utils import eip712_domain_separator as eip712
from .interfaces import IEnergyMarket
from .market import accounts
from .market import bids
from .market import clock
from .market import deliveries
from .market import errors
from .market import incentives
from .market import ledger
from .market import matching
from .market import metering
from .market import positions
from .market import quotes
from .market import records
from .market import rooms
from .market import sales
from .market import settlement
from .market import surplus
from .market import tariff


implements: IEnergyMarket


initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: eip712
initializes: clock
initializes: tariff
initializes: ledger
initializes: accounts[ownable := ownable, eip712 := eip712, ledger := ledger]
initializes: incentives[tariff := tariff]
initializes: rooms
initializes: deliveries
initializes: positions[deliveries := deliveries, rooms := rooms]
initializes: quotes[
    accounts := accounts,
    clock := clock,
    deliveries := deliveries,
    ledger := ledger,
    positions := positions,
    rooms := rooms,
    tariff := tariff
]
initializes: metering[
    accounts := accounts,
    clock := clock,
    deliveries := deliveries,
    positions := positions,
    rooms := rooms
]
initializes: bids[
    accounts := accounts,
    clock := clock,
    ledger := ledger,
    positions := positions,
    quotes := quotes,
    rooms := rooms,
    tariff := tariff
]
initializes: sales[bids := bids]
initializes: matching[
    accounts := accounts,
    bids := bids,
    clock := clock,
    deliveries := deliveries,
    ledger := ledger,
    positions := positions,
    rooms := rooms,
    tariff := tariff
]
initializes: surplus[
    accounts := accounts,
    clock := clock,
    deliveries := deliveries,
    ledger := ledger,
    positions := positions,
    rooms := rooms,
    sales := sales,
    tariff := tariff
]
initializes: settlement[
    ownable := ownable,
    accounts := accounts,
    clock := clock,
    deliveries := deliveries,
    incentives := incentives,
    ledger := ledger,
    positions := positions,
    rooms := rooms,
    sales := sales,
    tariff := tariff
]
initializes: records


exports: (
    # The management node. Ownership cannot be renounced, on purpose: an owner is needed
    # to authorise users. It is handed over below, behind the lock that snekmate's
    # functions are without.
    ownable_2step.owner,
    ownable_2step.pending_owner,
    # What meters sign.
    eip712.eip712Domain,
    # Users.
    accounts.register,
    accounts.authorize,
    accounts.revoke,
    # Money.
    ledger.deposit,
    ledger.withdraw,
    ledger.withdraw_at_least,
    ledger.clear,
    # The auction.
    quotes.submit_quote,
    quotes.invalidate_quote,
    rooms.quote_count,
    bids.submit_bid,
    bids.reveal_bid,
    matching.match_bids,
    surplus.buy_surplus,
    # Delivery and what follows from it.
    metering.submit_reading,
    metering.submit_readings,
    settlement.settle_quote,
    settlement.settle_account,
    settlement.settle_accounts,
    # What a `MarketLens` reads: it answers all other views.
    records.words,
)


@deploy
def __init__(
    token: address,
    supplier: address,
    sbp: uint256,
    ssp: uint256,
    service_fee: uint256,
    period_length: uint256,
    window: uint256,
    priority_step: uint256,
    rank_by_price: bool,
):
    """
    @dev Opens the market; the deployer is its owner.
    @param token The ERC-20 token in which everything is settled.
    @param supplier The energy supplier's address.
    @param sbp The system buying price, in base units per Wh.
    @param ssp The system selling price, in base units per Wh.
    @param service_fee The service fee, in base units per Wh; it may be 0.
    @param period_length The length of a delivery period, in seconds.
    @param window The length of a window, in seconds.
    @param priority_step What each tier adds to the weight 10,000 of a bid; 0: nothing.
    @param rank_by_price Whether bids rank by unit price; else by total amount.
    @custom:error Those of the modules' constructors, in the order of the arguments.
    """
    ownable.__init__()
    ownable_2step.__init__()
    eip712.__init__("Wattproof", "1")
    ledger.__init__(token, supplier)
    tariff.__init__(sbp, ssp, service_fee)
    clock.__init__(period_length, window)
    matching.__init__(priority_step, rank_by_price)
    accounts.__init__()
    incentives.__init__()
    deliveries.__init__()
    rooms.__init__()
    positions.__init__()
    quotes.__init__()
    metering.__init__()
    bids.__init__()
    sales.__init__()
    surplus.__init__()
    settlement.__init__()
    records.__init__()


@external
def transfer_ownership(new_owner: address):
    """
    @dev Names the owner's successor, who takes over by `accept_ownership`; replaces one
         that was named before (T-PARTY-3, T-PARTY-4).
    @param new_owner The successor; zero calls the handover off.
    @custom:error "ownable: caller is not the owner".
    """
    ownable._check_owner()

    ownable_2step.pending_owner = new_owner
    log ownable_2step.OwnershipTransferStarted(previous_owner=ownable.owner, new_owner=new_owner)


@external
def accept_ownership():
    """
    @dev Makes the caller the owner, if the owner has named it (T-PARTY-3).
    @custom:error "ownable_2step: caller is not the new owner".
    """
    if msg.sender != ownable_2step.pending_owner:
        errors._revert_at_length("ownable_2step: caller is not the new owner")

    ownable_2step._transfer_ownership(msg.sender)


@external
@view
def frame() -> IEnergyMarket.Frame:
    """
    @dev Returns what was fixed at deployment, for ever (T-PARTY-7).
    @return Frame The constructor's arguments, in their order.
    """
    return IEnergyMarket.Frame(
        token=ledger.TOKEN,
        supplier=ledger.SUPPLIER,
        sbp=tariff.SBP,
        ssp=tariff.SSP,
        service_fee=tariff.SERVICE_FEE,
        period_length=clock.PERIOD_LENGTH,
        window=clock.WINDOW,
        priority_step=matching.PRIORITY_STEP,
        rank_by_price=matching.RANK_BY_PRICE,
    )
