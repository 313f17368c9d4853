"""The history behind a watcher's alarm at the REPL: its lines, pasted into `wattproof repl`, play it in lockstep again.

The people have the addresses that they have on the chain. Each call goes to a contract of this process and to the model
of the terms, and where the two differ, that is told. On the contracts as they should be nothing differs: then it is the
chain's market that is at fault. `WATTPROOF_CONTRACTS` names the sources of another market.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import boa

from wattproof.evm import network
from wattproof.market.abi import interface, revert_reason
from wattproof.market.comparing import compared
from wattproof.market.deployment import deploy
from wattproof.market.deployment import give as give_credit
from wattproof.market.lens import STATE, Asked, Lens, answer_of, ask_model, model_of, part_of
from wattproof.market.symbolic import Signed, meter, on_chain, seal_bytes
from wattproof.market.tariff import Tariff
from wattproof.market.trace import Outcome
from wattproof.play.clock import MarketClock
from wattproof.play.contract import Contract
from wattproof.play.session import Session


class Replayed(Session):
    """A market that is played in lockstep with the terms, by people who have addresses only."""

    def __init__(self, tariff: Tariff, at: int, owner: str, supplier: str) -> None:
        network.only_inside("a history to look at")
        boa.env.timestamp = at
        self.opened = at
        self.deployment = deploy(tariff, owner, supplier, show=None)
        self.names = {}
        market = self.deployment.market
        self.target, self.chain = str(market.address), int(boa.env.evm.patch.chain_id)
        token = str(self.deployment.token.address)
        self.model = model_of(tariff, owner, supplier, token, self.target, self.chain)
        self.interface = interface(market)
        self.lens = Lens(str(market.lens.address), interface(market.lens).functions)
        self.clock = MarketClock(market, self.show)
        self.market = _Market(market, self)
        self.involved = {owner, supplier}
        self.periods: set[int] = set()
        self.calls = 0
        self.differs: list[str] = []

    # ---- calls -------------------------------------------------------------------------------

    def perform(self, function: str, *args: Any, sender: str) -> Any:
        """A call, of contract and model; tells a refusal, and where they differ. Returns what the market answered."""
        self.calls += 1
        self.involved |= {sender, *(each for each in _flat(args) if isinstance(each, str) and len(each) == 42)}
        names = self.interface.functions[function].names
        self.periods |= {value for name, value in zip(names, args, strict=True) if name == "period"}
        now = boa.env.timestamp
        chain = self._asked(function, args, sender)
        terms = ask_model(self.model, function, args, sender, now)
        for each in compared(function, chain, terms):
            if not each.holds:
                self._told(f"{each.invariant} does not hold: {each.what}")
        if not chain.accepted:
            print(f"refused: {chain.reason or 'no reason given'}")
        return chain.result

    def _asked(self, function: str, args: Sequence[Any], sender: str) -> Outcome:
        data = self.interface.call(function, *on_chain(args))
        done = boa.env.execute_code(to_address=self.deployment.market.address, sender=sender, data=data)
        if done.is_error:
            return Outcome(False, revert_reason(done.output))
        here = bytes.fromhex(self.target[2:])
        logs = (log for log in done.get_raw_log_entries() if log[1] == here)
        events = tuple(self.interface.event(topics, data) for _, _, topics, data in logs)
        return Outcome(True, None, int.from_bytes(done.output, "big") if done.output else None, events)

    def _told(self, line: str) -> None:
        self.differs.append(line)
        print(line)

    # ---- for the REPL ------------------------------------------------------------------------

    def helpers(self) -> dict[str, Any]:
        """What the lines of a history are made of."""

        def who(name: str) -> str:
            return meter(name).address

        def seal(quote_id: int, bidder: str, price: int, volume: int, salt: bytes) -> bytes:
            return seal_bytes((self.chain, self.target, quote_id, bidder, price, volume, salt))

        def sign(device: str, kind: str, *fields: Any, form: str = "ok") -> Signed:
            return Signed(device, kind, fields, self.target, self.chain, form)

        def give(who: str, amount: int) -> None:
            give_credit(self.deployment, who, amount)
            self.model.token.mint(who, amount)
            self.model.token.approve(who, self.target, 2**256 - 1)

        return {"who": who, "seal": seal, "sign": sign, "give": give, "check": self.check}

    def check(self) -> None:
        """Compares all that is known of the market, and tells whether everything was as the terms have it."""
        for asked in self._everything():
            request = self.lens.request(asked)
            done = boa.env.execute_code(to_address=self.lens.address, data=request, is_modifying=False)
            wanted = answer_of(self.model, asked, boa.env.timestamp)
            if done.output != wanted:
                for place, told in self.lens.differences(asked, done.output, wanted, {}).items():
                    self._told(f"{STATE[part_of(place)]} does not hold: {place}: {told}")
        if not self.differs:
            print(f"holds: contract and terms agree on {self.calls} calls, and on the state")

    def _everything(self) -> list[Asked]:
        people, periods = sorted(self.involved), sorted(self.periods)
        quotes = range(1, self.model.quote_count() + 1)
        groups = [tuple(people[at : at + 16]) for at in range(0, len(people), 16)]
        eights = [tuple(quotes[at : at + 8]) for at in range(0, len(quotes), 8)] or [()]
        fours = [tuple(periods[at : at + 4]) for at in range(0, len(periods), 4)] or [()]
        return [
            Asked(users, users, some, tuple(itertools.product(users, when)), when)
            for users, some, when in itertools.product(groups, eights, fours)
        ]


class _Market(Contract):
    """The market of a history: its calls go to the model, too."""

    def __getattr__(self, name: str) -> Any:
        found = super().__getattr__(name)
        history: Any = self._session
        function = history.interface.functions.get(name)
        if function is None or function.is_view:
            return found
        return functools.partial(history.perform, name)


def _flat(args: Sequence[Any]) -> list[Any]:
    return [leaf for each in args for leaf in (_flat(each) if isinstance(each, list | tuple) else [each])]


def replay(names: dict[str, Any], at: int, owner: str, supplier: str, **tariff: Any) -> None:
    """Opens the market of a history, and binds the names of the REPL to it.

    Args:
        names: of the caller: `globals()`.
        at: the second at which the history begins.
        owner, supplier: their addresses.
        tariff: the market's, as `Tariff` takes it.
    """
    session = Replayed(Tariff(**tariff), at, owner, supplier)
    names.update(session.offered())
    names.update(session.helpers())
