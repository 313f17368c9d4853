"""A market to play with: `wattproof repl` opens IPython with everything a trading day needs.

    market, token    the contracts; what a view returns prints in pence and kWh and holds the exact numbers
    sunny, cloudy... the households of the input, registered, authorised and with 100 pounds each
    owner, supplier  the management node and the energy supplier
    households       the same, by the names that they have in the file: `households["12 Elm Street"]`
    clock            `clock.to("REVEALING")`, `clock.now`, `clock.phase()`
    tariff           the frame of the market

Every household is authorised with what its connection carries in a period; `owner.authorize(sunny, kwh=14)` raises
that, and `owner.authorize(sunny)` gives back an authorisation that a silent meter lost.

Whatever the market refuses shows as one line with the reason. So does what can hardly be meant and could not be taken
back: a reading or a sealed bid beyond the connection, a capacity that no low-voltage grid brings. `market` takes them
all the same. The market and its people are those of `wattproof.play`; here is what IPython adds.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boa

import wattproof.play
from wattproof.market.units import Display
from wattproof.play import completion
from wattproof.play.clock import MarketClock
from wattproof.play.contract import Contract
from wattproof.play.market import Market
from wattproof.play.people import Household, Party
from wattproof.play.slips import call_of, meant, told
from wattproof.simulation.households import DEFAULT_FILE
from wattproof.simulation.names import identifiers
from wattproof.terms.model import Phase

_IPYTHON = ("In", "Out", "get_ipython", "display", "exit", "quit")
"""What IPython binds."""

RESERVED = frozenset(
    (
        *("market", "token", "clock", "tariff", "owner", "supplier", "households", "boa", "replay"),
        # What a failed history of the property tests binds.
        *("stranger", "who", "sign", "seal", "salt", "profile", "perform", "check", "state"),
        *_IPYTHON,
    )
)
"""Words that no household gets."""

ACTING = (Contract, MarketClock, Party)
"""What does something when it is told to."""

LISTED = 12
"""Most households that the banner names."""


def namespace(path: Path = DEFAULT_FILE) -> dict[str, Any]:
    """Opens a market with the households of a CSV file, and returns the names that the REPL offers.

    Runs on titanoboa's current environment. Raises as `Market` does.
    """
    market = Market(path)
    words = identifiers(list(market.households), RESERVED)
    return {
        "market": market,
        "token": market.token,
        "clock": market.clock,
        "tariff": market.tariff,
        "owner": market["owner"],
        "supplier": market["supplier"],
        "boa": boa,
        **{word: market.households[name] for name, word in words.items()},
        "households": market.households,
    }


def banner(offered: dict[str, Any]) -> str:
    """What the REPL says first."""
    words = {word: value.name for word, value in offered.items() if isinstance(value, Household)}
    listed = [word if word == name else f"{word} ({name!r})" for word, name in words.items()][:LISTED]
    if len(words) > LISTED:
        listed.append(f"{len(words) - LISTED} more in `households`")
    seller, buyer = ("sunny", "cloudy") if {"sunny", "cloudy"} <= words.keys() else [*words, "somebody", "another"][:2]
    tariff = offered["tariff"]
    sbp, ssp, fee = map(Display.of(tariff.ssp).price, (tariff.sbp, tariff.ssp, tariff.service_fee))
    return "\n".join(
        [
            f"A market is open: SBP {sbp}, SSP {ssp}, service fee {fee}, half-hours.",
            f"Households: {', '.join(listed)}. Also: market, token, owner, supplier, households, clock, tariff.",
            "A household has quote, invalidate, bid, reveal, buy, position, account, bill, deposit, withdraw and",
            f"meter.read; owner.settle() settles all; `{seller}.bid?` explains. Energy in kWh, money in pence.",
            f'Try: {seller}.quote(kwh=2, price=9), then {buyer}.bid(1, kwh=1.5, price=11), clock.to("REVEALING"), ...',
        ]
    )


def run(path: Path = DEFAULT_FILE) -> None:
    """Opens IPython with `namespace(path)`; returns when the user leaves it."""
    from IPython.terminal.embed import InteractiveShellEmbed

    offered = namespace(path)
    words = offered | {"help": explain}
    shell = InteractiveShellEmbed(banner1=banner(offered) + "\n", user_ns=words, enable_tip=False, confirm_exit=False)
    completion.install(shell)

    def refused(shell: Any, kind: Any, error: Exception, trace: Any, **options: Any) -> None:
        if line := told(error) or misspelt(error, shell.user_ns) or uncalled(error):
            print(line)
        else:
            shell.showtraceback((kind, error, trace), **options)

    shell.set_custom_exc((Exception,), refused)
    shell()


def explain(*about: Any) -> None:
    """Python's `help`, which would look for a topic of that name where it is asked of a person, a text: so it is asked
    of what the person is."""
    help(*(type(each) if isinstance(each, Party) else each for each in about))


def misspelt(error: Exception, names: Mapping[str, Any]) -> str | None:
    """The line for a name that was typed and is not there, where it is a phase, something that one of `names` does, or
    near to one of them; else None."""
    if not isinstance(error, NameError) or isinstance(error, UnboundLocalError) or not error.name:
        return None
    if error.name in Phase.__members__:
        return f'not done: a phase is a text, as in clock.to("{error.name}")'
    if doing := _doing(error.name, names):
        return f"not done: nothing is called {error.name!r} by itself: write {' or '.join(doing)}"
    near = meant(error.name, (name for name in names if not name.startswith("_") and name not in _IPYTHON))
    return f"not done: nothing is called {error.name!r}: {near}" if near else None


def uncalled(error: Exception) -> str | None:
    """The line for something of a call that was not made, as `sunny.account.balance`; else None."""
    call = getattr(error, "obj", None)
    if not isinstance(error, AttributeError) or not inspect.isroutine(call):
        return None
    if not str(call.__module__).startswith(wattproof.play.__name__):
        return None
    return f"not done: {call.__name__} is a call, {call_of(call)}, and has no {error.name!r}"


def _doing(deed: str, names: Mapping[str, Any]) -> list[str]:
    """Who of `names` does it: the first household and the first other, as "sunny.quote"."""
    able = [(name, value) for name, value in names.items() if isinstance(value, ACTING) and deed in dir(value)]
    households = [name for name, value in able if isinstance(value, Household)]
    others = [name for name, value in able if not isinstance(value, Household)]
    return [f"{name}.{deed}" for name in (*households[:1], *others[:1])]
