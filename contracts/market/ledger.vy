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
     is the market's token balance, or less where somebody donates, or where a token leaves
     something behind (T-MON-23, T-MON-26).
"""

from ethereum.ercs import IERC20
from ..interfaces import IEnergyMarket
from . import errors
from . import packing


# @dev The most tokens that the market takes in, so that no amount outgrows its field in a
# balance record (T-MON-24).
_MAX_TOKENS: constant(uint256) = packing.MAX_MONEY


# @dev The settlement token.
TOKEN: immutable(address)


# @dev The grid's energy supplier: the other side of every invoice account.
SUPPLIER: immutable(address)


# @dev The balance records: what each account may withdraw or reserve, and holds in escrow.
_balance: HashMap[address, uint256]


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
    @custom:error "ledger: token refused", "ledger: token moved another amount",
                  "ledger: too many tokens", or the token's own.
    """
    # The tokens come first: nothing is credited that has not arrived. No call can
    # re-enter meanwhile, the lock is taken.
    before: uint256 = self._held(self)
    success: bool = extcall IERC20(TOKEN).transferFrom(msg.sender, self, amount, default_return_value=True)
    self._check_answer(success)
    held: uint256 = self._held(self)
    self._check_moved(before, held, amount, amount)

    if held > _MAX_TOKENS:
        errors._revert(errors.LEDGER_TOO_MANY_TOKENS)

    balance: uint256 = packing._funded(self._balance[msg.sender], amount)
    log IEnergyMarket.Deposited(account=msg.sender, amount=amount)

    self._balance[msg.sender] = self._cleared(msg.sender, balance)


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
    self._withdraw(amount, amount)


@external
def withdraw_at_least(amount: uint256, least: uint256):
    """
    @dev Like `withdraw`, but lets a token pass that moves less than it is asked to: takes
         `amount` off the caller's free balance, and is refused unless the market gave, and
         the caller received, at least `least` and at most `amount` (T-MON-25).
    @notice For a token that has begun to charge for transfers, or that rounds: `withdraw`
            would never let money out again (T-MON-19). What the token does not take from
            the market stays there and belongs to nobody (T-MON-26). `Withdrawn` tells
            `amount`; the token's own `Transfer` tells what arrived.
    @param amount The amount to debit, in base units; it may be 0.
    @param least The least that has to arrive, in base units, at most `amount`.
    @custom:error "ledger: in arrears", "ledger: insufficient balance",
                  "ledger: token refused", "ledger: token moved another amount", or the
                  token's own.
    """
    self._withdraw(amount, least)


@external
def clear(user: address):
    """
    @dev Moves what stands on `user`'s invoice account, as far as the payer's free
         balance goes (T-MON-12). Anybody may call it: without it, escrow released to a
         user in arrears could be claimed by nobody.
    @param user The account to clear; nothing to clear is no error.
    """
    self._balance[user] = self._cleared(user, self._balance[user])


@internal
def _withdraw(amount: uint256, least: uint256):
    """
    @dev Clears the caller's invoice account as far as it goes, debits `amount` and has the
         token pay it out; the market must give, and the caller receive, between `least`
         and `amount` each.
    @custom:error Those of `withdraw_at_least`.
    """
    balance: uint256 = self._cleared(msg.sender, self._balance[msg.sender])
    self._check_no_arrears(msg.sender, balance)
    self._check_free(balance, amount)

    self._balance[msg.sender] = unsafe_sub(balance, amount)
    log IEnergyMarket.Withdrawn(account=msg.sender, amount=amount)

    held: uint256 = self._held(self)
    owned: uint256 = self._held(msg.sender)
    success: bool = extcall IERC20(TOKEN).transfer(msg.sender, amount, default_return_value=True)
    self._check_answer(success)
    held_after: uint256 = self._held(self)
    owned_after: uint256 = self._held(msg.sender)
    # Never more than was debited: what the others own stays covered, whatever the token does.
    # A `least` above `amount` needs no check of its own: nothing lies between the two.
    self._check_moved(held_after, held, least, amount)
    self._check_moved(owned, owned_after, least, amount)


@internal
def _cleared(user: address, balance: uint256) -> uint256:
    """
    @dev Clears the invoice account of `user` as far as the payer's free balance goes, and
         returns `user`'s balance record afterwards.
    """
    after: uint256 = 0
    paid: int256 = 0
    after, paid = self._booked(user, balance, 0)
    if paid != 0:
        log IEnergyMarket.Cleared(user=user, amount=paid)

    return after


@internal
def _booked(user: address, balance: uint256, amount: int256) -> (uint256, int256):
    """
    @dev Books `amount` on the invoice account of `user` (positive: the supplier owes), and
         clears it as far as the payer's free balance goes. Returns `user`'s balance record
         afterwards, and what the supplier paid (negative: was paid), which the caller logs.
    """
    invoice: int256 = amount
    mark: uint256 = balance & packing.INVOICED
    if mark != 0:
        # Less than 2 ** 121 is booked for a period, and periods are below 2 ** 36.
        invoice = unsafe_add(invoice, self._invoice[user])
    elif amount == 0:
        return balance, 0

    after: uint256 = balance
    supplier: uint256 = self._balance[SUPPLIER]
    paid: int256 = 0
    # The payer pays as far as its free balance goes; with that it holds what is taken off.
    # What is paid lies between 0 and the invoice: no difference leaves the numbers.
    if invoice > 0:
        moved: uint256 = min(convert(invoice, uint256), supplier & packing.MAX_MONEY)
        after = packing._funded(balance, moved)
        supplier = unsafe_sub(supplier, moved)
        paid = convert(moved, int256)
    else:
        moved: uint256 = min(convert(unsafe_sub(0, invoice), uint256), balance & packing.MAX_MONEY)
        after = unsafe_sub(balance, moved)
        supplier = packing._funded(supplier, moved)
        paid = unsafe_sub(0, convert(moved, int256))
    if paid != 0:
        self._balance[SUPPLIER] = supplier
    if paid != invoice:
        after |= packing.INVOICED
        self._invoice[user] = unsafe_sub(invoice, paid)
    elif mark != 0:
        after ^= mark
        self._invoice[user] = 0

    return after, paid


@internal
def _reserve(user: address, balance: uint256, amount: uint256):
    """
    @dev Moves `amount` of `user` from its free balance into escrow, and writes its balance
         record back.
    @custom:error "ledger: insufficient balance".
    """
    self._check_free(balance, amount)

    self._balance[user] = packing._reserved(balance, amount)


@internal
def _refund(user: address, amount: uint256):
    """
    @dev Moves `amount` of `user` out of escrow, back into its free balance.
    """
    self._balance[user] = packing._released(self._balance[user], amount, amount)


@internal
def _credit(user: address, amount: uint256):
    """
    @dev Adds `amount` to the free balance of `user`; the caller debits it elsewhere.
    """
    self._balance[user] = packing._funded(self._balance[user], amount)


@internal
@pure
def _check_free(balance: uint256, amount: uint256):
    """
    @dev Reverts unless `amount` is free in a balance record.
    @custom:error "ledger: insufficient balance".
    """
    if amount > balance & packing.MAX_MONEY:
        errors._revert(errors.LEDGER_INSUFFICIENT_BALANCE)


@internal
@view
def _check_no_arrears(user: address, balance: uint256):
    """
    @dev Reverts where `user`, whose balance record this is, owes the supplier.
    @custom:error "ledger: in arrears".
    """
    # The balance record tells where the invoice account is 0.
    if balance & packing.INVOICED != 0 and self._invoice[user] < 0:
        errors._revert(errors.LEDGER_IN_ARREARS)


@internal
@view
def _held(owner: address) -> uint256:
    """
    @dev Returns the tokens of `owner`, by the token's own account.
    """
    return staticcall IERC20(TOKEN).balanceOf(owner)


@internal
@pure
def _check_answer(success: bool):
    """
    @dev Reverts where the token answered false.
    @custom:error "ledger: token refused".
    """
    if not success:
        errors._revert(errors.LEDGER_TOKEN_REFUSED)


@internal
@pure
def _check_moved(low: uint256, high: uint256, least: uint256, most: uint256):
    """
    @dev Reverts unless a holding changed, from `low` to `high`, by `least` at least and by
         `most` at most.
    @custom:error "ledger: token moved another amount".
    """
    # Where `low` is above `high` the difference wraps around, and is not looked at.
    moved: uint256 = unsafe_sub(high, low)
    if low > high or moved < least or moved > most:
        errors._revert_at_length("ledger: token moved another amount")
