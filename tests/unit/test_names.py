"""Names of households: those of any script are taken, those that break a table, a figure or a terminal are not."""

import pytest

from wattproof.simulation.names import MAX_NAME, alike, fault, identifiers, unused

FORMULA = "is a formula to a spreadsheet (no part of it may begin with = + - or @)"
UNSEEN = "holds characters that cannot be printed"


@pytest.mark.parametrize(
    "name",
    [
        *("roof", "Hülya, née Ağa", "Łódź 7", "O'Neill", "Müller-Lüdenscheid", "[b]rainy", "class", "a=b", "x@home"),
        *(
            "1012345678901",
            "12 Elm Street",
            "Åse; Bo",
            "דירה 3",
            "شقة ٤",
            "王小明",
            "さくら荘",
            "김철수",
            "กานต์",
            "अमित",
        ),
        *("Flat 1-2", "100 % sun", "$5", "#1", "葛\U000e0100城", "r" * MAX_NAME),
    ],
)
def test_names_that_are_taken(name: str) -> None:
    assert fault(name) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is blank"),
        ("\u3000", "is blank"),
        *((f"{sign}1+1", FORMULA) for sign in "=+-@"),
        *((f"{sign}1", FORMULA) for sign in "＝＋－＠﹦﹢﹣﹫−"),
        ("-", FORMULA),
        ("-Süd", FORMULA),
        ('"=1+1', FORMULA),
        ("'=1+1", FORMULA),
        ("roof;=1+1", FORMULA),
        ("roof, @SUM(A1)", FORMULA),
        ('roof|"=1+1', FORMULA),
        *((f"{space}=1", "has spaces around it") for space in " \t\r\n\u00a0\u3000\v\f"),
        ("roof ", "has spaces around it"),
        ("ro\tof", UNSEEN),
        ("ro\rof", UNSEEN),
        ("\x1b[31mroof", UNSEEN),
        ("\x9b31mroof", UNSEEN),
        ("ro\0of", UNSEEN),
        ("ro\u202eof", UNSEEN),
        ("ro\u2066of", UNSEEN),
        ("ro\u200bof", UNSEEN),
        ("\ufeffroof", UNSEEN),
        ("ro\u00adof", UNSEEN),
        ("ro\u00a0of", UNSEEN),
        ("\u3164", UNSEEN),
        ("\u2800", UNSEEN),
        ("ro\u034fof", UNSEEN),
        ("\u200b=1", UNSEEN),
        ("\ud800", UNSEEN),
        ("\ue000", UNSEEN),
        ("r" * (MAX_NAME + 1), "is longer than 64 characters"),
        ("\u0301roof", "begins with a mark that belongs on a letter"),
        *((name, "is what the bills call their sums (use another name)") for name in ("all", "All", "ａｌｌ", "аll")),
    ],
)
def test_names_that_are_refused(name: str, reason: str) -> None:
    assert fault(name) == reason


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("roof", "ROOF"),
        ("é", "e\u0301"),
        ("ｒｏｏｆ", "roof"),
        ("Straße", "STRASSE"),
        ("two  rooms", "two rooms"),
        ("葛\U000e0100", "葛"),
        ("соса", "coca"),
        ("ΑΒΕ", "abe"),
    ],
)
def test_names_that_are_taken_for_one_another(one: str, other: str) -> None:
    assert alike(one) == alike(other)


@pytest.mark.parametrize(("one", "other"), [("roof", "root"), ("é", "e"), ("ı", "i"), ("a b", "ab"), ("a-b", "a_b")])
def test_names_that_are_told_apart(one: str, other: str) -> None:
    assert alike(one) != alike(other)


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert unused("a", {"b"}) == "a"
    assert unused("a", {"a", "a (2)"}) == "a (3)"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("sunny", "Łódź", "अमित", "王小明"), ("sunny", "Łódź", "अमित", "王小明")),
        (("class", "None", "lambda"), ("household_class", "household_None", "household_lambda")),
        (("match", "type", "print"), ("household_match", "household_type", "household_print")),
        (("market", "12 Elm Street", "a b"), ("household_market", "household_12_Elm_Street", "a_b")),
        (("a-b", "a_b", "a b", "a_b_2"), ("a_b_3", "a_b", "a_b_4", "a_b_2")),
        (("household_class", "class"), ("household_class", "household_class_2")),
        (("_", "__", "_5", "☀", "🌧"), ("household", "household_2", "household_5", "household_3", "household_4")),
        (("ﬁsh", "O'Neill", "[b]rainy"), ("fish", "O_Neill", "b_rainy")),
    ],
)
def test_every_household_has_a_word_that_can_be_typed(names: tuple[str, ...], words: tuple[str, ...]) -> None:
    given = identifiers(names, {"market"})
    assert tuple(given) == names
    assert tuple(given.values()) == words
    for name, word in given.items():
        space = {word: name}
        exec(f"typed = {word}", space)
        assert space["typed"] == name
