"""Sends what an agent wants to call, so that each thing is brought about once, whatever ends the process, and whenever.

A call is played by `eth_call` first: what the chain would refuse is not sent, and no gas is spent on it. What is sent
is signed and in the journal before the node sees it. What the node lost is sent again as it is; what is stuck is signed
again with the same nonce and a higher fee; what a reorganisation took out of the chain is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from wattproof.agents.calls import FASTER, Call, accepted
from wattproof.agents.journal import LIVE, MINED, REFUSED, SUPERSEDED, Attempt, Intent, Journal
from wattproof.agents.notices import Notices
from wattproof.chain.accounts import Account
from wattproof.chain.answers import Receipt, data_of, number, receipt_of
from wattproof.chain.market import ChainMarket
from wattproof.chain.node import Block, Reverted, RpcError
from wattproof.chain.sending import Draft, Fees, Sender, is_known, nonce_of, reason_of, why_failed, with_margin

MAX_GAS = 2**24
"""The most gas that a transaction may use (EIP-7825)."""

STUCK = 4
"""Blocks without it, after which a transaction is stuck."""

DEEPEST = 1024
"""Blocks below the head in which what was done is looked for again after a reorganisation."""

_HIGHEST = 10
"""Times the fee of the moment: more is never offered for a transaction that is stuck."""

_NO_BLOCK = 2**62


@dataclass(frozen=True)
class Refusal:
    """What the chain would refuse now, and why, in the contract's words; `place` is that of a batch's entry."""

    call: Call
    place: int | None
    reason: str


class Outbox:
    """The calls of one account on one market, by its journal. `say` shows a line of what was done."""

    def __init__(
        self, market: ChainMarket, account: Account, journal: Journal, notices: Notices, say: Callable[[str], None]
    ) -> None:
        self.market, self.node, self.account, self.journal = market, market.node, account, journal
        self._notices, self._say = notices, say
        self._sender = Sender(market.node, account)
        self._gap_since: int | None = None
        self.is_at_odds = False
        """Whether the node did not take something, or not tell its gas, for a reason that may not last."""

    # ---- what is under way ---------------------------------------------------------------

    def review(self, head: Block, reorganised: bool) -> None:
        """Finds out what became of all that is under way, as of the block `head`, and sends again what was lost.

        Raises as `Node.call`.
        """
        count = self.node.read(number, "eth_getTransactionCount", self.account.address, hex(head.number))
        self._revive(count, head, reorganised)
        waiting = self._resolve(count, head)
        if waiting:
            self._push(waiting, head)
        self._fill_gap(count, waiting, head)

    def _revive(self, count: int, head: Block, reorganised: bool) -> None:
        """What was done and is not on the chain any more is under way again."""
        ended = self.journal.ended_from(count, head.number - DEEPEST if reorganised else _NO_BLOCK)
        receipts = self._receipts(ended)
        for intent in ended:
            receipt = receipts.get(intent.id)
            is_there = receipt is not None and intent.block is not None and receipt.block_hash == intent.block[1]
            if intent.nonce >= count or not is_there:
                self.journal.mark(intent, LIVE)

    def _resolve(self, count: int, head: Block) -> list[Intent]:
        """Marks what is on the chain; returns what waits."""
        live = self.journal.live()
        receipts = self._receipts(live)
        passed = [intent for intent in live if intent.nonce < count and intent.id not in receipts]
        on_chain = self._on_chain(passed)
        waiting = []
        for intent in live:
            receipt = receipts.get(intent.id)
            if receipt is not None and receipt.block_number <= head.number:
                self._ended(intent, receipt)
            elif receipt is None and intent.nonce < count:
                # Some nodes know a transaction of the newest block before its receipt.
                if intent.id not in on_chain:
                    self.journal.mark(intent, SUPERSEDED)
            else:
                waiting.append(intent)
        return waiting

    def _on_chain(self, intents: Sequence[Intent]) -> set[int]:
        """The numbers of the intents of which a transaction is in a block, by another question than for its receipt."""
        return {intent for intent, _ in self._in_blocks("eth_getTransactionByHash", intents)}

    def _ended(self, intent: Intent, receipt: Receipt) -> None:
        self.journal.mark(intent, MINED if receipt.status else REFUSED, (receipt.block_number, receipt.block_hash))
        why = None if receipt.status else why_failed(self.node, receipt)
        if why not in FASTER:
            became = "done" if why is None else f"not done: {why}"
            self._say(f"{intent.label}: {became} (block {receipt.block_number})")

    def _receipts(self, intents: Sequence[Intent]) -> dict[int, Receipt]:
        """The receipts of intents of which one transaction is in a block, by the intents' numbers."""
        method = "eth_getTransactionReceipt"
        return {
            intent: self.node.shaped(receipt_of, method, answer) for intent, answer in self._in_blocks(method, intents)
        }

    def _in_blocks(self, method: str, intents: Sequence[Intent]) -> Iterator[tuple[int, dict[str, Any]]]:
        """What the node answers about transactions that are in a block, with the numbers of their intents."""
        asked = [(intent.id, attempt.hash) for intent in intents for attempt in intent.attempts]
        answers = self.node.batch([(method, [hash_]) for _, hash_ in asked])
        for (intent, _), answer in zip(asked, answers, strict=True):
            if isinstance(answer, RpcError):
                raise answer
            # Some nodes tell of what waits, without its block.
            if isinstance(answer, dict) and answer.get("blockHash") is not None:
                yield intent, answer

    def _push(self, waiting: Sequence[Intent], head: Block) -> None:
        """Sends again what the node does not have, and offers more for what is stuck."""
        known = self.node.batch([("eth_getTransactionByHash", [intent.attempts[-1].hash]) for intent in waiting])
        fees: Fees | None = None
        for intent, answer in zip(waiting, known, strict=True):
            last = intent.attempts[-1]
            if not isinstance(answer, dict):
                self._submit([(intent.label, last)])
            # Those after it wait for the first; they are not stuck themselves, unless they offer too little.
            too_little = head.base_fee is not None and last.fee < head.base_fee
            if head.number - last.head >= STUCK and (intent is waiting[0] or too_little):
                fees = fees or Fees.now(self.node)
                self._offer_more(intent, fees, head)

    def _offer_more(self, intent: Intent, now: Fees, head: Block) -> None:
        last = intent.attempts[-1]
        most, tip = max(now.most, last.fee * 9 // 8 + 1), now.tip
        if tip is not None:
            tip = min(most, max(tip, (last.call["tip"] or 0) * 9 // 8 + 1))
        if most > _HIGHEST * now.most:
            self._notices.warn("stuck", f"{intent.label}: is in no block, whatever is offered for it; look at the node")
            return
        attempt = self._signed(_draft(last.call, intent.label), intent.nonce, Fees(most, tip), head)
        self.journal.replace(intent, attempt)
        self._submit([(intent.label, attempt)])

    def _fill_gap(self, count: int, waiting: Sequence[Intent], head: Block) -> None:
        """What waits for a nonce that nothing has any more would wait for ever: that nonce is used up."""
        if not waiting or waiting[0].nonce <= count:
            self._gap_since = None
            return
        if self._gap_since is None:
            self._gap_since = head.number
        if head.number - self._gap_since >= STUCK:
            self._gap_since = None
            own = Draft(self.account.address, b"", gas=21_000, label="use up a nonce that was lost")
            self._sign_and_send([(own, (f"nonce {count}",))], [count], Fees.now(self.node), head)

    # ---- what is wanted ------------------------------------------------------------------

    def live_keys(self) -> set[str]:
        """What is under way to be brought about."""
        return {key for intent in self.journal.live() for key in intent.keys}

    def post(self, calls: Iterable[Call], head: Block) -> tuple[int, list[Refusal]]:
        """Sends of the wanted calls what is not under way and would not be refused; returns how many, and what would.

        Where there is too little money for gas what is left is not sent, and warned of. Raises as `Node.call`.
        """
        busy = self.live_keys() | self._resting(head)
        wanted = [left for call in calls if (left := _without(call, busy)) is not None]
        if not wanted:
            return 0, []
        passed, refusals = self._played(wanted)
        drafts, more = self._estimated(passed)
        fees = Fees.now(self.node)
        drafts = self._affordable(drafts, fees)
        self._sign_and_send(drafts, self._nonces(len(drafts)), fees, head)
        return len(drafts), refusals + more

    def _resting(self, head: Block) -> set[str]:
        """What failed in its block, though it had passed before: it is tried again after 2, 4, 8 ... blocks."""
        failures: dict[str, list[int]] = {}
        for keys, block in self.journal.refused(head.number - DEEPEST):
            for key in keys:
                failures.setdefault(key, []).append(block)
        return {key for key, blocks in failures.items() if head.number < max(blocks) + 2 ** len(blocks)}

    def draft(self, call: Call, gas: int | None = None) -> Draft:
        """A call as a transaction."""
        contract = self.market.token if call.to_token else self.market
        return contract.draft(call.function, *call.arguments, gas=gas, label=call.label)

    def _played(self, calls: Sequence[Call]) -> tuple[list[Call], list[Refusal]]:
        """Of calls what the chain would do now, and what it would refuse."""
        answers = self._asked("eth_call", calls)
        passed, refusals = [], []
        for call, answer in zip(calls, answers, strict=True):
            if isinstance(answer, Reverted):
                refusals.append(Refusal(call, None, reason_of(answer)))
            elif call.is_batch:
                answered = self.node.shaped(data_of, "eth_call", answer)
                places = accepted(int.from_bytes(answered[:32], "big"), len(call.keys))
                refusals += [Refusal(call, at, "") for at in range(len(call.keys)) if at not in places]
                if places:
                    passed.append(call.only(places))
            else:
                passed.append(call)
        return passed, refusals

    def _estimated(self, calls: Sequence[Call]) -> tuple[list[tuple[Draft, tuple[str, ...]]], list[Refusal]]:
        """Drafts with their gas. A batch that needs more than a transaction may use is halved."""
        drafts, refusals = [], []
        calls = list(calls)
        while calls:
            answers, again = self._asked("eth_estimateGas", calls), []
            for call, answer in zip(calls, answers, strict=True):
                if isinstance(answer, Reverted):
                    refusals.append(Refusal(call, None, reason_of(answer)))
                    continue
                if isinstance(answer, RpcError):  # Such as a block's gas that does not suffice for it.
                    self._notices.warn(f"gas of {call.keys[0]}", f"{call.label}: is not sent yet: {answer}")
                    self.is_at_odds = True
                    continue
                used = self.node.shaped(number, "eth_estimateGas", answer)
                if used > MAX_GAS and call.is_batch and len(call.keys) > 1:
                    half = len(call.keys) // 2
                    again += [call.only(list(range(half))), call.only(list(range(half, len(call.keys))))]
                else:
                    drafts.append((self.draft(call, max(used, min(with_margin(used), MAX_GAS))), call.keys))
            calls = again
        return drafts, refusals

    def _asked(self, method: str, calls: Sequence[Call]) -> list[Any]:
        """What the node answers to calls that are not sent; Reverted in the place of one that the contract refuses.

        RpcError in the place of one whose gas it does not tell.
        """
        questions = []
        for call in calls:
            draft = self.draft(call)
            asked = {"from": self.account.address, "to": draft.to, "data": "0x" + draft.data.hex()}
            questions.append((method, [asked, "latest"]))
        answers = self.node.batch(questions)
        for at, answer in enumerate(answers):
            if isinstance(answer, RpcError):
                told = self.node.told(answer)
                if isinstance(told, Reverted):
                    answers[at] = told
                elif method == "eth_call":
                    raise told
        return answers

    def _affordable(
        self, drafts: list[tuple[Draft, tuple[str, ...]]], fees: Fees
    ) -> list[tuple[Draft, tuple[str, ...]]]:
        """The first of them, as far as there is money for their gas."""
        free = self.balance() - sum(
            intent.attempts[-1].fee * intent.attempts[-1].call["gas"] for intent in self.journal.live()
        )
        kept = []
        for draft, keys in drafts:
            free -= fees.most * (draft.gas or 0)
            if free < 0:
                self._notices.warn("no gas money", f"{draft.label}: there is too little money for its gas; "
                                   f"send ether to {self.account.address}")  # fmt: skip
                return kept
            kept.append((draft, keys))
        self._notices.over("no gas money")
        return kept

    def balance(self) -> int:
        """The account's ether, in wei. Raises as `Node.call`."""
        return self.node.read(number, "eth_getBalance", self.account.address, "latest")

    def _nonces(self, wanted: int) -> list[int]:
        """The account's next nonces: none that waits, none of the journal."""
        taken = {intent.nonce for intent in self.journal.live()}
        nonces: list[int] = []
        nonce = nonce_of(self.node, self.account.address) if wanted else 0
        while len(nonces) < wanted:
            if nonce not in taken:
                nonces.append(nonce)
            nonce += 1
        return nonces

    def _signed(self, draft: Draft, nonce: int, fees: Fees, head: Block) -> Attempt:
        signed = self._sender.signed(draft, nonce, fees)
        call = {"to": draft.to, "data": draft.data.hex(), "value": draft.value, "gas": draft.gas, "tip": fees.tip}
        return Attempt(signed.hash, signed.raw, call, fees.most, head.number)

    def _sign_and_send(
        self, drafts: Sequence[tuple[Draft, tuple[str, ...]]], nonces: Sequence[int], fees: Fees, head: Block
    ) -> None:
        sent = []
        with self.journal.change():
            for (draft, keys), nonce in zip(drafts, nonces, strict=True):
                attempt = self._signed(draft, nonce, fees, head)
                self.journal.begin(keys, draft.label, nonce, attempt)
                sent.append((draft.label, attempt))
        self._submit(sent)  # Only now: it is on the disk.

    def _submit(self, attempts: Sequence[tuple[str, Attempt]]) -> None:
        """Sends what is signed. What the node refuses stays in the journal, and is looked at with the next block."""
        answers = self.node.batch([("eth_sendRawTransaction", ["0x" + one.raw.hex()]) for _, one in attempts])
        refused = [
            f"{label}: {self.node.address.said(answer)}"
            for (label, _), answer in zip(attempts, answers, strict=True)
            if isinstance(answer, RpcError) and not is_known(answer) and not _of_another(answer)
        ]
        if refused:
            self._notices.warn("sending", f"{refused[0]}; it is tried again")
            self.is_at_odds = True
        elif attempts:
            self._notices.over("sending")


def _without(call: Call, busy: set[str]) -> Call | None:
    """A call without what is under way, or rests; None: nothing is left."""
    places = [at for at, key in enumerate(call.keys) if key not in busy]
    if len(places) == len(call.keys):
        return call
    return call.only(places) if call.is_batch and places else None


def _draft(call: dict[str, Any], label: str) -> Draft:
    return Draft(call["to"], bytes.fromhex(call["data"]), call["value"], call["gas"], label)


def _of_another(refusal: RpcError) -> bool:
    """Whether the nonce is used or waits already: by a second agent with the same account. The next block tells."""
    said = str(refusal).lower()
    return "nonce" in said or "underpriced" in said or "replacement" in said
