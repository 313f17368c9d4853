"""Criterion 3, liveness: wherever a history stands, time and calls that nobody can prevent let all money out.

In a branch of the history, no owner, meter or debtor lifts a finger any more: a stranger has everything matched,
settled and cleared, and every account withdraws what is its own. The branch is then forgotten.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.properties.ghost_ledger import MATCHED, TIMES, VALID, GhostLedger
from tests.properties.machine import Call, step
from verification.harness import counters
from verification.harness.choices import Choose
from verification.harness.context import event
from verification.harness.counters import holds
from verification.harness.lockstep import STRANGER, Lockstep
from wattproof.terms.model import Phase


class Liveness(GhostLedger):
    """From every state the market can be drained to a token balance of zero."""

    preset_names = ("fresh", "no fee", "arrears", "dear", "poor", "narrow", "by price", "waivers", "full book", "worn")

    def draw_trading_day(self, choose: Choose) -> Call:
        """As in the base; every other day breaks off somewhere."""
        if choose.yes():
            return Call("day", (choose.draw(self.draw_day()), choose.one(TIMES[1:-1])), "everybody")
        return super().draw_trading_day(choose)

    def closed(self) -> None:
        """Every history ends with an empty market."""
        self._drain(len(self.offers) % 2 == 1)

    # ---- in a branch -----------------------------------------------------------------------

    @precondition(lambda self: self.begun)
    @rule(supplier_leaves=st.booleans())
    @step
    def drain(self, supplier_leaves: bool) -> None:
        """Drains a branch; `supplier_leaves`: the supplier takes its money out before anybody is paid."""
        self._drain(supplier_leaves)

    def _drain(self, supplier_leaves: bool) -> None:
        event("drained")
        with self.lockstep.branch() as branch:
            branch.users.extend(address for address in branch.names if address not in branch.watched)
            self._tally(branch)
            self._let_time_pass(branch)
            self._finish_quotes(branch)
            self._finish_accounts(branch)
            self._pay_out(branch, supplier_leaves)
            self._pay_what_is_owed(branch)

    def _tally(self, branch: Lockstep) -> None:
        """Counts the hard cases, for the report."""
        seen = branch.observe()
        cases = {
            "an unmatched quote": any(offer.status == VALID for offer in self.offers.values()),
            "an unopened bid": any(bid.status == 1 for bid in seen.bids.values()),
            "a silent seller": any(
                offer.status == MATCHED and (offer.prosumer, offer.period) not in self.readings
                for offer in self.offers.values()
            ),
            "a revoked user with money": any(
                account.meter and not account.authorized and account.balance + account.reserved
                for account in seen.accounts.values()
            ),
            "a user in arrears": any(account.grid_account < 0 for account in seen.accounts.values()),
            "a creditor of the supplier": any(account.grid_account > 0 for account in seen.accounts.values()),
            "a supplier without money": not seen.accounts[branch.address("supplier")].balance,
        }
        counters.tallies["drained"] += 1
        for name, present in cases.items():
            counters.tallies[f"drained with {name}"] += present

    def _let_time_pass(self, branch: Lockstep) -> None:
        """Until every period is CLOSING: nothing depends on the owner any more (T-TIME-8)."""
        branch.to(Phase.CLOSING, max([*branch.periods, *(offer.period for offer in self.offers.values())]))

    def _finish_quotes(self, branch: Lockstep) -> None:
        """T-MAT-1, T-SET-1, T-GUA-9: a stranger has every quote matched and settled."""
        for number, offer in self.offers.items():
            if offer.status == VALID:
                outcome = branch.call("match_bids", number, sender=STRANGER)
                holds("C3-LIVE-2", outcome.accepted, quote=number, reason=outcome.reason)
            if offer.status in (VALID, MATCHED):
                outcome = branch.call("settle_quote", number, sender=STRANGER)
                holds("C3-LIVE-3", outcome.accepted, quote=number, reason=outcome.reason)

    def _finish_accounts(self, branch: Lockstep) -> None:
        """T-ACC-1 to T-ACC-4: a stranger settles every account that has anything to settle; no escrow is left."""
        seen = branch.observe()
        for (user, period), row in seen.positions.items():
            reading = seen.readings[user, period]
            if (row.bought or reading.present) and not row.settled:
                outcome = branch.call("settle_account", user, period, sender=STRANGER)
                holds("C3-LIVE-4", outcome.accepted, user=user, period=period, reason=outcome.reason)
        seen = branch.observe()
        left = {user: account for user, account in seen.accounts.items() if account.reserved}
        holds("C3-LIVE-5", not left, reserved=left)

    def _pay_out(self, branch: Lockstep, supplier_leaves: bool) -> None:
        """T-GUA-6, T-MON-12, T-MON-15: all accounts are cleared and withdraw; nothing stays behind."""
        supplier, seen = branch.address("supplier"), branch.observe()
        if supplier_leaves:
            branch.call("withdraw", seen.accounts[supplier].balance, sender="supplier")
        for debtors_turn in (True, False):  # What debtors pay, creditors can be paid with.
            for user, account in seen.accounts.items():
                if account.grid_account and (account.grid_account < 0) == debtors_turn:
                    outcome = branch.call("clear", user, sender=STRANGER)
                    holds("C3-LIVE-6", outcome.accepted, user=user, reason=outcome.reason)
        seen = branch.observe()
        for user, account in seen.accounts.items():
            if account.grid_account < 0:
                holds("C3-LIVE-7", not account.balance, user=user, account=account)
            elif account.balance:
                outcome = branch.call("withdraw", account.balance, sender=branch.names[user])
                holds("C3-LIVE-8", outcome.accepted, user=user, account=account, reason=outcome.reason)
        seen = branch.observe()
        left = {user: account for user, account in seen.accounts.items() if account.balance or account.reserved}
        holds("C3-LIVE-1", seen.tokens == 0 and not left, tokens=seen.tokens, left=left)

    def _pay_what_is_owed(self, branch: Lockstep) -> None:
        """T-MON-7, T-MON-9, T-MON-17: a debt outlives the drain, and whoever pays it later is even at once."""
        seen = branch.observe()
        owed = {user: account.grid_account for user, account in seen.accounts.items() if account.grid_account > 0}
        owing = {user: -account.grid_account for user, account in seen.accounts.items() if account.grid_account < 0}
        for user, amount in {branch.address("supplier"): sum(owed.values()), **owing}.items():
            branch.give(branch.names[user], amount)
            branch.call("deposit", amount, sender=branch.names[user])
        paid = all(branch.call("clear", user, sender=STRANGER).accepted for user in owed)
        paid = paid and all(
            branch.call("withdraw", amount, sender=branch.names[user]).accepted for user, amount in owed.items()
        )
        invoices = {user: account.grid_account for user, account in branch.observe().accounts.items()}
        holds(
            "C3-LIVE-9", paid and not any(invoices.values()), when=owed or owing, owed=owed, owing=owing, left=invoices
        )


TestLiveness = Liveness.TestCase
