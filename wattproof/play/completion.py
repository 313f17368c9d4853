"""What the tab key offers beyond what IPython finds: phases, people, and the fields of what a view answers.

Nothing is called to find them.

`install` is called by `wattproof repl`; in a notebook `%load_ext wattproof` does it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wattproof.play.bills import BILL, ROW
from wattproof.play.contract import Contract
from wattproof.play.market import Market
from wattproof.play.people import Households, Owner
from wattproof.play.shown import Rows
from wattproof.terms.model import AccountView, Bid, Phase, PositionView, QuoteView, Reading, Trade

_INSIDE = r"(?:[^()]|\([^()]*\))*"  # Arguments, with at most one call among them.
_PHASE = re.compile(r"""\.(?:to|begins)\(\s*(?:phase\s*=\s*)?["'](\w*)$""")
_PATH = r"""[^\W\d]\w*(?:\.\w+|\[(?:"[^"]*"|'[^']*'|-?\d+)\])*"""  # market["sunny"].meter
_PERSON = re.compile(rf"""({_PATH})\.(\w+)\({_INSIDE}["']([^"'()]*)$""")
_KEY = re.compile(rf"""({_PATH}\.\w+)\[["']([^"'\[\]]*)$""")
_MEMBER = re.compile(rf"""({_PATH})\.(\w*)$""")
_STEP = re.compile(r"""\.(\w+)|\[["'](.*?)["']\]|\[(-?\d+)\]""")
_FIELD = re.compile(rf"""([\w.\]"'\[]+)\.(\w+)\({_INSIDE}\)(?:\[-?\d+\])?\.(\w*)$""")

OF_A_PARTY = {"account": AccountView._fields, "position": PositionView._fields, "bill": BILL}
OF_A_MARKET = {
    "account": AccountView._fields,
    "position": PositionView._fields,
    "quote": QuoteView._fields,
    "bid": Bid._fields,
    "reading": Reading._fields,
    "trades": Trade._fields,
    "in_the_way": ("blocked", "period", "to_match", "to_settle", "others", "account"),
    "bills": ROW,
    "quotes": ("quote_id", *QuoteView._fields),
    "bids": ("bidder", *Bid._fields),
}
"""The fields of what these answer."""


def offered(line: str, names: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """What is typed of the word at the end of `line`, and the words that can stand there; None where nothing is known.

    `names` are those that the line can use.
    """
    if found := _PHASE.search(line):
        typed, words = found[1], [name for name, phase in Phase.__members__.items() if phase is not Phase.BIDDING]
    elif (found := _PERSON.search(line)) and (people := _people(_found(found[1], names), found[2])):
        typed, words = found[3], people
    elif found := _FIELD.search(line):
        fields = OF_A_MARKET if isinstance(_found(found[1], names), Contract) else OF_A_PARTY
        typed, words = found[3], list(fields.get(found[2], ()))
    elif (found := _KEY.search(line)) and isinstance(group := _found(found[1], names), Market | Households):
        typed, words = found[2], sorted(group)
    elif (found := _MEMBER.search(line)) and "[" in found[1] and (whose := _found(found[1], names)) is not None:
        typed, words = found[2], [name for name in dir(whose) if not name.startswith("_")]
    else:
        return None
    return typed, [word for word in words if word.casefold().startswith(typed.casefold())]


def _found(path: str, names: Mapping[str, Any]) -> Any:
    """What `market["sunny"].meter` is, looked up without a call; None where that is not known."""
    found = names.get(re.split(r"[.\[]", path, maxsplit=1)[0])
    for attribute, key, number in _STEP.findall(path):
        if attribute:
            found = getattr(found, "__dict__", {}).get(attribute)
        elif number and isinstance(found, Rows) and -len(found) <= int(number) < len(found):
            found = found[int(number)]
        elif key and isinstance(found, Market | Households) and key in found:
            found = found[key]
        else:
            return None
    return found


def _people(whose: Any, call: str) -> list[str]:
    """Whom a call can name: of a contract any, of a party the one that concerns somebody else."""
    if isinstance(whose, Contract):
        return sorted(whose.people())
    if isinstance(whose, Owner) and call == "authorize":
        return sorted(household.name for household in whose.households)
    return []


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
