# pragma version 0.4.3
# pragma nonreentrancy on
"""
@title The money: free balances, escrow and the invoice account with the supplier
@custom:contract-name ledger
@license GNU Affero General Public License v3.0 only
@author Wattproof
@notice Whatever a party may come to owe is reserved up front, so that no settlement can
        fail for want of money (T-MON-5, T-GUA-9). All amounts are in base units of the token.
@dev The only module that holds or moves money. The sum of all free and reserved amounts
     is the market's token balance, or less where somebody donates (T-MON-23).
"""

from ethereum.ercs import IERC20
from ..interfaces import IEnergyMarket


# @dev The settlement token.
TOKEN: public(immutable(address))


# @dev The grid's energy supplier: the other side of every invoice account.
SUPPLIER: public(immutable(address))


# @dev What each account may withdraw or reserve.
_free: HashMap[address, uint256]


# @dev What each account holds in escrow.
_reserved: HashMap[address, uint256]


# @dev The invoice accounts; positive: the supplier owes the user.
_invoice: HashMap[address, int256]


@deploy
def __init__(token: address, supplier: address):
    """
    @dev Fixes the token and the supplier for ever.
    @param token The ERC-20 token in which everything is settled.
    @param supplier The energy supplier's address.
    @custom:error "ledger: token is zero", "ledger: supplier is zero".
    """
    assert token != empty(address), "ledger: token is zero"
    assert supplier != empty(address), "ledger: supplier is zero"

    TOKEN = token
    SUPPLIER = supplier


@external
def deposit(amount: uint256):
    """
    @dev Pulls `amount` tokens from the caller and credits them (T-MON-1). Then clears
         the caller's invoice account as far as it goes (T-MON-9).
    @notice There is no check that the caller is registered, on purpose: the supplier
            and the owner keep money here too (T-MON-3).
    @param amount The amount; it may be 0.
    @custom:error "ledger: token refused", "ledger: token moved another amount", or the
                  token's own.
    """
    # The tokens come first: nothing is credited that has not arrived. No call can
    # re-enter meanwhile, the lock is taken.
    before: uint256 = staticcall IERC20(TOKEN).balanceOf(self)
    success: bool = extcall IERC20(TOKEN).transferFrom(msg.sender, self, amount, default_return_value=True)
    assert success, "ledger: token refused"
    held: uint256 = staticcall IERC20(TOKEN).balanceOf(self)
    self._check_moved(before, held, amount)

    self._free[msg.sender] += amount
    log IEnergyMarket.Deposited(account=msg.sender, amount=amount)

    self._clear(msg.sender)


@external
def withdraw(amount: uint256):
    """
    @dev Clears the caller's invoice account as far as it goes, then pays out `amount`
         tokens of its free balance (T-MON-2, T-MON-10).
    @param amount The amount; it may be 0.
    @custom:error "ledger: in arrears", "ledger: insufficient balance",
                  "ledger: token refused", "ledger: token moved another amount", or the
                  token's own.
    """
    self._clear(msg.sender)
    self._check_no_arrears(msg.sender)
    free: uint256 = self._free[msg.sender]
    assert amount <= free, "ledger: insufficient balance"

    self._free[msg.sender] = unsafe_sub(free, amount)
    log IEnergyMarket.Withdrawn(account=msg.sender, amount=amount)

    held: uint256 = staticcall IERC20(TOKEN).balanceOf(self)
    owned: uint256 = staticcall IERC20(TOKEN).balanceOf(msg.sender)
    success: bool = extcall IERC20(TOKEN).transfer(msg.sender, amount, default_return_value=True)
    assert success, "ledger: token refused"
    held_after: uint256 = staticcall IERC20(TOKEN).balanceOf(self)
    owned_after: uint256 = staticcall IERC20(TOKEN).balanceOf(msg.sender)
    self._check_moved(held_after, held, amount)
    self._check_moved(owned, owned_after, amount)


@external
def clear(user: address):
    """
    @dev Moves what stands on `user`'s invoice account, as far as the payer's free
         balance goes (T-MON-12). Anybody may call it: without it, escrow released to a
         user in arrears could be claimed by nobody.
    @param user The account to clear; nothing to clear is no error.
    """
    self._clear(user)


@internal
def _clear(user: address):
    """
    @dev Clears the invoice account of `user` as far as the payer's free balance goes.
    """
    invoice: int256 = self._invoice[user]

    if invoice > 0:
        owed: uint256 = convert(invoice, uint256)
        paid: uint256 = min(owed, self._free[SUPPLIER])
        if paid > 0:
            self._free[SUPPLIER] -= paid
            self._free[user] += paid
            self._invoice[user] = invoice - convert(paid, int256)
            log IEnergyMarket.Cleared(user=user, amount=convert(paid, int256))
    elif invoice < 0:
        owed: uint256 = convert(-invoice, uint256)
        paid: uint256 = min(owed, self._free[user])
        if paid > 0:
            self._free[user] -= paid
            self._free[SUPPLIER] += paid
            self._invoice[user] = invoice + convert(paid, int256)
            log IEnergyMarket.Cleared(user=user, amount=-convert(paid, int256))


@internal
def _reserve(user: address, amount: uint256):
    """
    @dev Moves `amount` of `user` from its free balance into escrow.
    @custom:error "ledger: insufficient balance".
    """
    free: uint256 = self._free[user]
    assert amount <= free, "ledger: insufficient balance"

    self._free[user] = unsafe_sub(free, amount)
    self._reserved[user] += amount


@internal
def _release(user: address, escrow: uint256, back: uint256):
    """
    @dev Ends an escrow of `user` and frees `back`: what is left of it, plus what others
         paid.
    """
    self._reserved[user] -= escrow
    self._free[user] += back


@internal
def _credit(user: address, amount: uint256):
    """
    @dev Adds `amount` to the free balance of `user`; the caller debits it elsewhere.
    """
    self._free[user] += amount


@internal
def _book(user: address, amount: int256):
    """
    @dev Books `amount` on the invoice account of `user`; positive: the supplier owes.
    """
    self._invoice[user] += amount


@internal
@view
def _check_no_arrears(user: address):
    """
    @dev Reverts where `user` owes the supplier.
    @custom:error "ledger: in arrears".
    """
    assert self._invoice[user] >= 0, "ledger: in arrears"


@internal
@pure
def _check_moved(low: uint256, high: uint256, amount: uint256):
    """
    @dev Reverts unless a balance changed by exactly `amount`, from `low` to `high`.
    @custom:error "ledger: token moved another amount".
    """
    assert low <= high and unsafe_sub(high, low) == amount, "ledger: token moved another amount"
