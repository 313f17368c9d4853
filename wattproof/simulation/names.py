"""What a household may be called: one rule for whatever ends up in tables, figures, documents and on terminals.

Names come from outside, and are written into CSV files, which people open in spreadsheets. So a name that a spreadsheet
takes for a formula is refused where it comes in, and no table needs a rule of its own; negative numbers stay numbers.
Names of any script are welcome.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Container, Sequence

MAX_NAME = 64
"""Longest name, in characters."""

TOTALS = "all"
"""What the bills call the row of sums."""

_FORMULA = re.compile(r"""(^|[,;|])[\s"']*[=+\-@\u2212]""")
"""Where a cell begins as a formula does; `,`, `;` and `|` begin another cell where a spreadsheet splits at them."""

_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that Python takes for printable, but that nobody sees."""

_VARIANTS = re.compile("[\u180b-\u180d\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Choices between shapes of the character before: part of some names, but hardly to be seen."""

_LOOKALIKES = str.maketrans(
    "АВЕКМНОРСТХІЈЅаеорсухіјѕһ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧονι",
    "ABEKMHOPCTXIJSaeopcyxijsh" + "ABEZHIKMNOPTYXovi",
)
"""Cyrillic and Greek letters, and the Latin ones that they cannot be told from."""


def fault(name: str) -> str | None:
    """What is wrong with a name, as the end of a sentence that begins with "household"; None where nothing is."""
    if not name.strip():
        return "is blank"
    if name != name.strip():
        return "has spaces around it"
    if not name.isprintable() or not _INVISIBLE.isdisjoint(name):
        return "holds characters that cannot be printed"
    if len(name) > MAX_NAME:
        return f"is longer than {MAX_NAME} characters"
    if unicodedata.category(name[0]).startswith("M"):
        return "begins with a mark that belongs on a letter"
    if is_formula(name):
        return "is a formula to a spreadsheet (no part of it may begin with = + - or @)"
    if alike(name) == TOTALS:
        return "is what the bills call their sums (use another name)"
    return None


def is_formula(text: str) -> bool:
    """Whether a spreadsheet takes a cell with this text, or a part that it splits off, for a formula."""
    return _FORMULA.search(unicodedata.normalize("NFKC", text)) is not None


def alike(name: str) -> str:
    """The same text for all names that people, or the lookups of a spreadsheet, take for one another.

    Capitals, ways to write an accent or a width, the number of spaces and letters of other scripts that look the same
    make no difference.
    """
    plain = _VARIANTS.sub("", unicodedata.normalize("NFKC", name)).translate(_LOOKALIKES)
    return " ".join(unicodedata.normalize("NFKC", plain.casefold()).split())


def unused(name: str, taken: Container[str]) -> str:
    """`name`, or the first of "name (2)", "name (3)" ... that is not `taken`."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name} ({number})"
    return candidate


def identifiers(names: Sequence[str], taken: Container[str]) -> dict[str, str]:
    """The word that Python takes for each of these names, in their order; all words differ, and none is `taken`.

    A name that is such a word stays as it is. Of any other the letters, digits and underscores are kept, with
    "household_" before what Python means otherwise (`class`, `print`, a digit first), and a number behind what is the
    same twice.
    """
    words = {name: name for name in names if _can_be_typed(name, taken)}
    used = set(words)
    for name in names:
        if name in words:
            continue
        kept = "".join(
            character if f"a{character}".isidentifier() else "_" for character in unicodedata.normalize("NFKC", name)
        ).strip("_")
        first = kept if _can_be_typed(kept, taken) else f"household_{kept}".rstrip("_")
        word, number = first, 1
        while word in used or not _can_be_typed(word, taken):
            number += 1
            word = f"{first}_{number}"
        words[name] = word
        used.add(word)
    return {name: words[name] for name in names}


def _can_be_typed(word: str, taken: Container[str]) -> bool:
    """Whether a word can name a variable: Python reads it as it stands, and means nothing else by it.

    IPython keeps results in names that begin with an underscore.
    """
    return (
        word.isidentifier()
        and word == unicodedata.normalize("NFKC", word)
        and not word.startswith("_")
        and not keyword.iskeyword(word)
        and not keyword.issoftkeyword(word)
        and not hasattr(builtins, word)
        and word not in taken
    )
