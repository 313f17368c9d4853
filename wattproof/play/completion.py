"""What the tab key offers beyond what IPython finds: phases, people, and the fields of what a view answers.

Nothing is called to find them.

`install` is called by `wattproof repl`; in a notebook `%load_ext wattproof` does it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wattproof.play.bills import BILL
from wattproof.play.contract import Contract
from wattproof.terms.model import AccountView, Bid, Phase, PositionView, QuoteView, Reading, Trade

_INSIDE = r"(?:[^()]|\([^()]*\))*"  # Arguments, with at most one call among them.
_PHASE = re.compile(r"""\.(?:to|begins)\(\s*(?:phase\s*=\s*)?["'](\w*)$""")
_PERSON = re.compile(rf"""(\w+)\.\w+\({_INSIDE}["']([^"'()]*)$""")
_FIELD = re.compile(rf"""([\w.\]"'\[]+)\.(\w+)\({_INSIDE}\)(?:\[-?\d+\])?\.(\w*)$""")

OF_A_PARTY = {"account": AccountView._fields, "position": PositionView._fields, "bill": BILL}
OF_A_MARKET = {
    "account": AccountView._fields,
    "position": PositionView._fields,
    "quote": QuoteView._fields,
    "bid": Bid._fields,
    "reading": Reading._fields,
    "trades": Trade._fields,
}
"""The fields of what these answer."""


def offered(line: str, names: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """What is typed of the word at the end of `line`, and the words that can stand there; None where nothing is known.

    `names` are those that the line can use.
    """
    if found := _PHASE.search(line):
        typed, words = found[1], [name for name, phase in Phase.__members__.items() if phase is not Phase.BIDDING]
    elif (found := _PERSON.search(line)) and isinstance(contract := names.get(found[1]), Contract):
        typed, words = found[2], sorted(contract.people())
    elif found := _FIELD.search(line):
        fields = OF_A_MARKET if isinstance(names.get(found[1]), Contract) else OF_A_PARTY
        typed, words = found[3], list(fields.get(found[2], ()))
    else:
        return None
    return typed, [word for word in words if word.casefold().startswith(typed.casefold())]


def install(shell: Any) -> None:
    """Lets the tab key of an IPython shell offer them; once, however often it is asked to."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    if any(matcher.__name__ == "wattproof_matcher" for matcher in shell.Completer.custom_matchers):
        return

    @context_matcher()
    def wattproof_matcher(context: Any) -> Any:
        found = offered(context.text_until_cursor, shell.user_ns)
        typed, words = found or ("", [])
        completions = [SimpleCompletion(word, type="text") for word in words]
        return {"completions": completions, "matched_fragment": typed, "suppress": bool(completions)}

    shell.Completer.custom_matchers.append(wattproof_matcher)
