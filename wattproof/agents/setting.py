"""What every agent works with: a market on a chain, an account, a journal of its own."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from wattproof.agents.journal import BadJournal, Foreign, Journal
from wattproof.agents.notices import Notices
from wattproof.agents.running import Agent, run
from wattproof.chain.accounts import Account
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import BlockGone, Node, NodeUnusable, RpcError
from wattproof.chain.record import Record
from wattproof.chain.webhooks import Webhook
from wattproof.outputs import one_line


class Setting:
    """A market by its record, through a node, and the account that calls it.

    state      the folder for the journal; None: one of the user's own, by chain, market and account
    interval   seconds between two looks at the chain
    once       all that is due is done, and that was it; `patience` is how many seconds that may take
    webhook    what is told of warnings
    """

    def __init__(
        self,
        rpc: str,
        deployment: Path,
        keystore: Path | None,
        state: Path | None,
        interval: float,
        once: bool,
        patience: float,
        webhook: str | None,
    ) -> None:
        """Reads the record and opens the account; nothing is asked of the node yet.

        Raises BadRecord, BadAccount, NodeUnusable, BadHook.
        """
        self.notices = Notices(say, Webhook(webhook, say) if webhook else None)
        self._interval, self._once, self._patience = interval, once, patience
        node = Node(rpc)
        self.market = ChainMarket(node, Record.read(deployment))
        self.account = Account.open(keystore)
        self._state = state

    def folder(self, agent: str) -> Path:
        """Where the state of an agent of that name is. Raises BadJournal."""
        record = self.market.record
        name = f"{agent}-{record.chain_id}-{record.market[2:10]}-{self.account.address[2:10]}".lower()
        return self._state or _home() / name

    def journal(self, agent: str) -> Journal:
        """The journal of an agent of that name. Raises BadJournal; NotTheMarket where that is why it is another's."""
        record = self.market.record
        of = f"{agent} {record.chain_id} {record.genesis} {record.market} {self.account.address}"
        try:
            return Journal(self.folder(agent), of)
        except Foreign:
            with contextlib.suppress(NodeUnusable, RpcError, BlockGone):  # Then the journal is all that is known.
                self.market.check()
            raise

    def run(self, agent: Agent, once: bool = False) -> int:
        """Runs an agent; returns its exit code. Raises NotTheMarket, and what the agent does."""
        try:
            return run(agent, self.notices, self._interval, once or self._once, self._patience)
        finally:
            self.notices.close()


def _home() -> Path:
    """Where states are kept that have no place named."""
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "wattproof"
    except RuntimeError:
        raise BadJournal("there is no home folder to keep the state in: name a folder by --state") from None


def say(line: str) -> None:
    """Shows a line, at once, whoever reads."""
    print(one_line(line), flush=True)
