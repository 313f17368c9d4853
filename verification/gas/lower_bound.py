"""The floor of every step: what it must pay at the protocol's prices, whatever the contract's code.

That is the transaction, its calldata and events, and the words of storage that the market's rules make it read and
write, each with the reason. The arguments are the published interface's and the events the terms', so calldata and
events count as they were measured. It is the floor of the steady state: what a record of another period, or another
quote, left behind is written again, which costs 5,000 instead of 22,100. Only what a household brings once, at its
registration and with its first deposit, begins words. The words are those of one layout that serves all steps together,
in which nothing can be left out:

- *user* (by address): meter, number, authorised, capacity, in arrears. *household* (by number): address.
  *profile* (by meter).
- *balance record* (by party): free and reserved money, good performances, waivers, whether the invoice account is 0.
- *quote* (by room): its ID, prosumer's number, period, volume, price, length and head of the book, status.
- *sale* (by user and the period's place): the ID of the user's quote, when it was made, what it sold, in the matching
  and in all, and whether it is open.
- *bid* (by room and bidder): the quote's ID, the seal, and once opened price, volume, filled, number of the next.
- *purchase* (by room and place): buyer's number and volume.
- *position* (by user and the period's place): the period, what the user asked for, claims of its capacity, agreed,
  bought and received, its stakes, what counts of its meter's reading, and whether its account is settled.
- *totals* (by the period's place): the period, Wh quoted and asked for.

A household's number is what makes this layout cheap: it costs 27,100 gas once, at the registration, and saves a word
in every quote and every opened bid. Reckoning, memory and the hash of a word's place are not in the floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from verification.gas.chain import TRANSACTION
from verification.gas.history import Weight

READ, CHANGE, NEW = 2_100, 5_000, 22_100
"""The first read of a word, the change of one that is not zero, a write to one that is (EIP-2929, EIP-3529)."""

WARM, ACCOUNT = 100, 2_600
"""A call to an account that was called before in the transaction, and the first one (EIP-2929)."""

CLEARED = -4_800
"""Taken back for a word that becomes zero (EIP-3529); a fifth of the gas at most, which no step here reaches."""

RECOVER = 3_000 + WARM
"""The signer of a message: the precompiled contract and the call to it."""

WITHIN = Fraction(115, 100)
"""How far above its floor a step may be."""


@dataclass(frozen=True)
class Item:
    """Something that the rules demand of a step; `shared` is paid once by a whole book or batch."""

    gas: int
    what: str
    shared: bool = False


def _read(what: str, shared: bool = False) -> Item:
    return Item(READ, f"read {what}", shared)


def _change(what: str, shared: bool = False) -> Item:
    return Item(CHANGE, f"change {what}", shared)


def _new(what: str) -> Item:
    return Item(NEW, f"begin {what}")


_TRADER = _read("the user: authorised, its capacity, not in arrears")
_OWNER = _read("the owner, who alone may do this now", shared=True)
_SIGNED = Item(RECOVER, "recover the meter's signature")
_QUOTED = (
    _TRADER,
    _change("the balance record: the collateral is reserved"),
    _change("the number of quotes"),
    _change("the quote: it moves into a room"),
    _change("the sale: the quote's ID, when it was made"),
    _change("the position: one quote per prosumer and period"),
    _change("the period's totals"),
)
_OPENED_BID = _read("the bid: price and volume")
_BIDDER = _read("the household: who the bidder is")
_WINNER = (
    _change("the bid: what it won, and who comes next in the order of trades"),
    _BIDDER,
    _read("the balance record: the bidder's standing"),
    _change("the position: bought and agreed"),
)
_LOSER = (_OPENED_BID, _BIDDER, _change("the balance record: standing read, reserve given back"))
_MATCHED = (
    Item(CHANGE, "change the quote: matched, and whose bid is the best", shared=True),
    Item(READ, "read the household: who the prosumer is", shared=True),
    Item(CHANGE, "change the sale: what was sold", shared=True),
)
_TRADE = (
    _OPENED_BID,
    _BIDDER,
    _change("the buyer's balance record: escrow ends, payment, fee, waivers"),
    _change("the buyer's position: received, one stake less"),
)
_SETTLED = (
    _OWNER,
    _change("the quote: settled", shared=True),
    _read("the household: who the prosumer is", shared=True),
    _read("the prosumer's position: what the meter reported", shared=True),
    _change("the sale: what was sold is read, in the matching and in all; no longer open", shared=True),
    _change("the prosumer's balance record: revenue, collateral, record", shared=True),
    _change("the owner's balance record: the fees", shared=True),
)
_READING = (_read("the user: its meter, authorised, its capacity"), _change("the position: the reading"), _SIGNED)
_ACCOUNT = (
    _OWNER,
    _change("the position: agreed, bought, received and the reading are read; its account is settled"),
    _change("the user's balance record: record and what is cleared"),
    _change("the supplier's balance record: what is cleared", shared=True),
)
_TOKEN_IN = (
    Item(ACCOUNT + 2 * WARM, "call the token: the balance before, the transfer, the balance after"),
    _change("the token's balance of the market"),
    Item(WARM, "read that balance again"),
    Item(CHANGE + CLEARED, "the token's balance of the payer, used up"),
    Item(CHANGE + CLEARED, "the token's allowance, used up"),
)
_TOKEN_OUT = (
    Item(ACCOUNT + 4 * WARM, "call the token: two balances before, the transfer, two balances after"),
    _change("the token's balance of the market"),
    _new("the token's balance of the recipient"),
    Item(2 * WARM, "read both balances again"),
)
_WITHDRAWN = (*_TOKEN_OUT, _change("the balance record"))
_BOUGHT = (
    _TRADER,
    _change("the balance record: the escrow is reserved"),
    _read("the quote"),
    _read("the household: who the prosumer is"),
    _change("the sale: what was sold"),
    _change("the purchase"),
    _change("the position: bought, claimed of the capacity"),
)

_REGISTERED = (
    _new("the user: the meter"),
    _new("the profile, which also says that the meter is taken"),
    _change("the number of households"),
    _new("the household: its address by its number"),
    _SIGNED,
)
_AUTHORISED = (_OWNER, _change("the user: authorised, its capacity"))

STEPS: dict[str, tuple[Item, ...]] = {
    "register": _REGISTERED,
    "authorise": _AUTHORISED,
    "register + authorise": (*_REGISTERED, *_AUTHORISED),
    "authorise again": _AUTHORISED,
    "revoke": (_OWNER, _change("the user: not authorised")),
    "deposit, the first": (*_TOKEN_IN, _new("the balance record")),
    "deposit, a later one": (*_TOKEN_IN, _change("the balance record")),
    "withdraw": _WITHDRAWN,
    "withdraw at least": _WITHDRAWN,
    "clear, nothing there": (_read("the balance record: whether the invoice account is zero"),),
    "quote, the first of its period": _QUOTED,
    "quote, a further one of its period": _QUOTED,
    "invalidate": (
        _change("the quote: withdrawn"),
        _read("the household: who the prosumer is"),
        _change("the sale: no longer open"),
        _change("the balance record: the collateral comes back"),
        _change("the period's totals"),
    ),
    "bid": (_TRADER, _read("the quote"), _change("the bid: its seal")),
    "reveal": (
        _TRADER,
        _change("the balance record: the escrow is reserved"),
        _change("the quote: one more in its book"),
        _change("the bid: what is in it takes the seal's place"),
        _change("the position: a stake in the quote, what is asked for, and so claimed of the capacity"),
        _change("the period's totals"),
    ),
    "match, a winner": _WINNER,
    "match, a loser": _LOSER,
    "match, all winners": (*_WINNER, *_MATCHED),
    "match, full book": (*_WINNER, *_MATCHED),
    "purchase, the first": _BOUGHT,
    "purchase, again": _BOUGHT,
    "settle, a trade": _TRADE,
    "settle, a trade with a shortage": _TRADE,
    "settle, a trade with a waiver": _TRADE,
    "settle, full book": (*_TRADE, *_SETTLED),
    "reading": _READING,
    "reading, in a batch": _READING,
    "account of a consumer": _ACCOUNT,
    "account of a consumer, by itself": tuple(item for item in _ACCOUNT if item is not _OWNER),
    "account, in a batch": _ACCOUNT,
    "account without trades": _ACCOUNT,
    "account, nothing to clear": (
        _OWNER,
        _change("the position: nothing bought; its account is settled"),
        _read("the sale: what was delivered"),
        _read("the balance record: the invoice account is zero"),
    ),
}
"""What each step must read and write."""

BOOKS = ("match, all winners", "match, full book", "settle, full book")
"""Steps that are weighed as a whole and not per bid or trade."""

HOUSEHOLD = "a household's half-hour"


def words(step: str, n: int | None) -> Fraction | None:
    """The gas of what a step must read and write; None for a step that has no floor here.

    Per bid, trade or entry where the step is weighed so, and of the whole transaction otherwise.
    """
    if step == HOUSEHOLD:
        return _half_hour(n or 1)
    if step not in STEPS:
        return None
    each = sum(item.gas for item in STEPS[step] if not item.shared)
    shared = sum(item.gas for item in STEPS[step] if item.shared)
    if step in BOOKS:
        return Fraction(each * (n or 1) + shared)
    return each + Fraction(shared, n if n and step.endswith("in a batch") else 1)


def _half_hour(consumers: int) -> Fraction:
    """What a household's half-hour must read and write: `consumers` bid and win, one prosumer quotes."""
    batches = -(-(consumers + 1) // 20)
    each = [*STEPS["bid"], *STEPS["reveal"], *_WINNER, *_TRADE]
    once = [*STEPS["quote, the first of its period"], *_MATCHED, *_SETTLED]
    both = [*_READING, *_ACCOUNT]
    whole = sum(item.gas for item in each) * consumers + sum(item.gas for item in once)
    whole += sum(item.gas * (batches if item.shared else consumers + 1) for item in both)
    return Fraction(whole, consumers + 1)


def floor(step: str, n: int | None, weight: Weight) -> Fraction | None:
    """The floor of a step that weighed `weight`, in gas; None where it has none."""
    demanded = words(step, n)
    if demanded is None:
        return None
    return TRANSACTION * weight.transactions + weight.calldata + weight.logs + demanded
